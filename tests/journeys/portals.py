"""A browser without JavaScript, and a portal's server: what a login at a portal needs besides us."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

from tests.pages.town import PASSWORD, Citizen

_FORM = re.compile(r"<form[^>]*method=\"post\"[^>]*action=\"([^\"]*)\"[^>]*>(.*?)</form>", re.DOTALL)
_INPUT = re.compile(r"<input[^>]*>")
_ATTRIBUTE = re.compile(r"(\w+)=\"([^\"]*)\"")


@dataclass
class Browser:
    """Follows redirects as long as they stay with us; ``at`` is where it stands."""

    base: str
    http: httpx.Client = field(init=False)
    answer: httpx.Response = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(timeout=30, trust_env=False, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def open(self, url: str) -> str:
        """Where it ended: an address of a portal, or of ours."""
        return self._follow(self.http.get(url))

    def send(self, action: str, **fields: str) -> str:
        """Fill in the form of this page whose action begins so, and press its button."""
        target, hidden = self.form(action)
        return self._follow(self.http.post(target, data=hidden | fields))

    def form(self, action: str) -> tuple[str, dict[str, str]]:
        """Where the form of this page goes whose action begins so, and its hidden fields."""
        for found, body in _FORM.findall(self.answer.text):
            target = unescape(found)
            if urlsplit(target).path == action:
                return urljoin(str(self.answer.url), target), self._hidden(body)
        raise AssertionError(f"no form to {action} on {self.answer.url}:\n{self.answer.text}")

    def log_in(self, citizen: Citizen) -> str:
        """From the login page to whatever comes after the second factor."""
        self.send("/login", identifier=citizen.email, password=PASSWORD)
        return self.send("/login/second", kind="totp", code=citizen.code())

    def _hidden(self, body: str) -> dict[str, str]:
        inputs = [dict(_ATTRIBUTE.findall(tag)) for tag in _INPUT.findall(body)]
        return {one["name"]: unescape(one.get("value", "")) for one in inputs if one.get("type") == "hidden"}

    def _follow(self, answer: httpx.Response) -> str:
        while answer.is_redirect:
            target = urljoin(str(answer.url), answer.headers["location"])
            if not target.startswith(self.base + "/"):
                return target
            answer = self.http.get(target)
        self.answer = answer
        return str(answer.url)


class PortalServer:
    """The portal's own server: takes logout tokens with ``status``, and browsers that come back."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.answers: list[dict[str, str]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/callback"):
                    outer.answers.append(dict(parse_qsl(urlsplit(self.path).query)))
                self._say(200, {})

            def do_POST(self) -> None:
                body = dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
                if self.path.startswith("/callback"):
                    outer.answers.append(body)
                    self._say(200, {})
                    return
                outer.tokens.append(body["logout_token"])
                self._say(outer.status, outer.headers)

            def _say(self, status: int, headers: dict[str, str]) -> None:
                words = b"<!doctype html><title>Portal</title><h1>Portal</h1>"
                self.send_response(status)
                for name, value in {"Content-Type": "text/html", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(words)))
                self.end_headers()
                self.wfile.write(words)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
