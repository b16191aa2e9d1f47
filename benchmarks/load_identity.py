"""Loads whose requests follow from answers: logins through the pages, refresh chains, one-use grants.

A process of its own, like :mod:`benchmarks.load`. Each connection does one thing after another and every
status is checked.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Final
from urllib.parse import urlencode

import pyotp

_FORM: Final = re.compile(r"<form[^>]*method=\"post\"[^>]*action=\"([^\"]*)\"[^>]*>(.*?)</form>", re.DOTALL)
_INPUT: Final = re.compile(r"<input[^>]*>")
_ATTRIBUTE: Final = re.compile(r"(\w+)=\"([^\"]*)\"")


@dataclass
class Connection:
    """One keep-alive connection with a cookie jar."""

    host: str
    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(
        self, method: str, path: str, form: dict[str, str] | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self.host, self.port)
        reader, writer = self._streams
        body = urlencode(form).encode() if form is not None else b""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if self.cookies:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        if form is not None:
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        told: dict[str, str] = {}
        for line in head[1:]:
            name, _, value = line.partition(": ")
            if name.lower() == "set-cookie":
                cookie, _, rest = value.partition(";")[0].partition("=")
                self.cookies[cookie] = rest
            else:
                told[name.lower()] = value
        content = await reader.readexactly(int(told.get("content-length", "0")))
        return int(head[0].split(" ")[1]), told, content


def _hidden(page: bytes, action: str) -> dict[str, str]:
    form = next(
        body for found, body in _FORM.findall(page.decode()) if unescape(found).partition("?")[0] == action
    )
    inputs = [dict(_ATTRIBUTE.findall(tag)) for tag in _INPUT.findall(form)]
    return {one["name"]: unescape(one.get("value", "")) for one in inputs if one.get("type") == "hidden"}


def _said(page: bytes) -> list[str]:
    """What the page says went wrong."""
    return re.findall(r'role="alert"[^>]*>(.*?)</', page.decode(), re.DOTALL)


async def _log_in(connection: Connection, origin: str, account: dict[str, str]) -> None:
    connection.cookies.clear()
    status, _, page = await connection.send("GET", "/login")
    assert status == 200, status
    status, told, page = await connection.send(
        "POST",
        "/login",
        _hidden(page, "/login") | {"identifier": account["email"], "password": account["password"]},
        Origin=origin,
    )
    assert status == 303, (status, _said(page))
    assert told["location"].startswith("/login/second"), told
    status, _, page = await connection.send("GET", told["location"])
    assert status == 200, page
    code = pyotp.TOTP(account["secret"]).now()
    status, told, page = await connection.send(
        "POST",
        "/login/second",
        _hidden(page, "/login/second") | {"kind": "totp", "code": code},
        Origin=origin,
    )
    assert status == 303, (status, _said(page))


async def _refresh(connection: Connection, job: dict[str, Any], state: dict[str, str]) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": state["token"]}
    status, _, body = await connection.send("POST", job["path"], form, Authorization=state["basic"])
    assert status == 200, body
    state["token"] = json.loads(body)["refresh_token"]


async def _form(
    connection: Connection, job: dict[str, Any], form: dict[str, str], headers: dict[str, str]
) -> None:
    headers = headers | ({"Authorization": job["basic"]} if "basic" in job else {})
    status, _, body = await connection.send("POST", job["path"], form, **headers)
    assert status == 200, body
    assert not job.get("says") or job["says"].encode() in body, body


def _work(job: dict[str, Any], connection: Connection, share: int) -> Iterator[Callable[[], Awaitable[None]]]:
    """What one connection does, one after another; it ends when there is nothing left that may be used."""
    match job["kind"]:
        case "login":
            for account in job["accounts"][share :: job["connections"]]:
                yield lambda account=account: _log_in(connection, job["origin"], account)
        case "refresh":
            state = job["families"][share]
            while True:
                yield lambda: _refresh(connection, job, state)
        case "forms":
            for form in job["forms"][share :: job["connections"]]:
                yield lambda form=form: _form(connection, job, form["form"], form["headers"])
        case "same":
            while True:
                yield lambda: _form(connection, job, job["form"], {})


async def _run(job: dict[str, Any]) -> dict[str, float]:
    taken: list[float] = []
    started = time.perf_counter()
    end = started + float(job["seconds"])

    async def client(share: int) -> None:
        connection = Connection(job["host"], job["port"])
        for act in _work(job, connection, share):
            began = time.perf_counter()
            if began >= end:
                return
            await act()
            taken.append(time.perf_counter() - began)

    await asyncio.gather(*(client(share) for share in range(job["connections"])))
    elapsed = time.perf_counter() - started
    ordered = sorted(taken)
    return {
        "per_second": len(taken) / elapsed,
        "p95_ms": ordered[int(len(ordered) * 0.95)] * 1000,
        "done": len(taken),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(json.load(sys.stdin)))))
