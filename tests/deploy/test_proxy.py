"""The proxy's own program runs its configuration in front of two servers that say who they are."""

from __future__ import annotations

import http.server
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.needs import ROOT, requires, tool_path
from tests.support.processes import tied_to_us
from tests.support.server import free_port

pytestmark = [requires("caddy"), pytest.mark.network]
HOST = "absah.localhost"


class Proxy:
    """A running Caddy; ``get`` speaks to it under the site's name."""

    def __init__(self, plain: int, secure: int, trust: ssl.SSLContext) -> None:
        self._plain, self._secure = plain, secure
        self._http = httpx.Client(verify=trust, trust_env=False, timeout=10)

    def plain(self, path: str, method: str = "GET") -> httpx.Response:
        return self._http.request(method, f"http://127.0.0.1:{self._plain}{path}", headers={"Host": HOST})

    def secure(self, path: str, method: str = "GET") -> httpx.Response:
        return self._http.request(
            method,
            f"https://127.0.0.1:{self._secure}{path}",
            headers={"Host": HOST},
            extensions={"sni_hostname": HOST},
        )

    def close(self) -> None:
        self._http.close()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("caddy")
    plain, secure, health = free_port(), free_port(), free_port()
    with ExitStack() as stack:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
            "SITE_HOST": HOST,
            "HTTP_PORT": str(plain),
            "HTTPS_PORT": str(secure),
            "HEALTH_PORT": str(health),
            "PUBLIC_UPSTREAM": stack.enter_context(_upstream("public")),
            "CORE_UPSTREAM": stack.enter_context(_upstream("core")),
        }
        log = stack.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen(
            [
                *tied_to_us("TERM"),
                tool_path("caddy"),
                "run",
                "--adapter",
                "caddyfile",
                "--config",
                ROOT / "docs/deploy/Caddyfile",
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        stack.callback(process.wait, 10)
        stack.callback(process.terminate)
        root = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        certificates = folder / "caddy" / "certificates"
        deadline = time.monotonic() + 30
        while not (root.exists() and any(certificates.rglob("*.crt")) and _answers(health)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Caddy did not start:\n{(folder / 'log').read_text()[-3000:]}")
            time.sleep(0.05)
        running = Proxy(plain, secure, _trusting(root))
        stack.callback(running.close)
        yield running


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/d/0123456789ABCDEF",
        "/verify",
        "/v1/verifications",
        "/v1/verifications/0123456789ABCDEF",
        "/pki/issuing-1.crt",
        "/pki/issuing-1.crl",
        "/static/absah.css",
        "/problems/not-found",
    ],
)
def test_what_anybody_may_ask_goes_to_the_process_without_keys(proxy: Proxy, path: str) -> None:
    assert proxy.secure(path).text == f"public {path}"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/documents",
        "/v1/documents/0123456789ABCDEF/file",
        "/v1/batches",
        "/oauth2/token",
        "/.well-known/openid-configuration",
        "/csc/v2/info",
        "/ocsp/issuing-1",
        "/tsa",
        "/login",
        "/account",
        "/v1/keys",
        "/v1/ca",
        "/v1/verifications-of-something-else",
    ],
)
def test_everything_else_goes_to_the_core(proxy: Proxy, path: str) -> None:
    assert proxy.secure(path).text == f"core {path}"


def test_uploads_reach_the_process_without_keys(proxy: Proxy) -> None:
    assert proxy.secure("/v1/verifications", "POST").text == "public /v1/verifications"


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
def test_what_operators_watch_is_not_shown_outside(proxy: Proxy, path: str) -> None:
    assert proxy.secure(path).status_code == 404
    assert proxy.plain(path).status_code in {308, 404}


@pytest.mark.parametrize(
    ("path", "method", "upstream"),
    [
        ("/pki/root-1.crl", "GET", "public"),
        ("/ocsp/issuing-1", "POST", "core"),
        ("/ocsp/issuing-1/MFAwTjBM", "GET", "core"),
        ("/tsa", "POST", "core"),
    ],
)
def test_signed_answers_are_served_over_plain_http(
    proxy: Proxy, path: str, method: str, upstream: str
) -> None:
    answer = proxy.plain(path, method)
    assert (answer.status_code, answer.text) == (200, f"{upstream} {path}")


@pytest.mark.parametrize("path", ["/", "/d/0123456789ABCDEF", "/v1/documents", "/oauth2/token"])
def test_everything_else_is_sent_to_https(proxy: Proxy, path: str) -> None:
    answer = proxy.plain(path)
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"https://{HOST}{path}"


def test_browsers_are_told_to_stay_with_https(proxy: Proxy) -> None:
    assert (
        int(proxy.secure("/verify").headers["Strict-Transport-Security"].removeprefix("max-age=")) >= 31536000
    )


@contextmanager
def _upstream(name: str) -> Iterator[str]:
    class Named(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"{name} {self.path}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Named) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _trusting(root: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=root)
