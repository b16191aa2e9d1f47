"""HTTP to addresses that somebody else runs: bounded in size and, in all, in time."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from threading import local
from typing import Any

import httpcore
import httpx

from ca.errors import TimeStamperUnreachable


class _Deadline(local):
    """When the exchange of the thread at hand has to be over, by the monotonic clock."""

    at = float("inf")

    def left(self, timeout: float | None) -> float:
        rest = self.at - time.monotonic()
        if rest <= 0:
            raise httpcore.ReadTimeout("the exchange took too long in all")
        return rest if timeout is None else min(rest, timeout)


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait ends with the exchange: a server that sends a byte a second has no more
    time than one that sends nothing."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return _Stream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, deadline: _Deadline) -> None:
        self._inner = httpcore.SyncBackend()
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        inner = self._inner.connect_tcp(
            host, port, self._deadline.left(timeout), local_address, socket_options
        )
        return _Stream(inner, self._deadline)


class Web:
    """Sends a request and reads the whole answer. Safe to use from several threads.

    ``timeout`` bounds an exchange in all, in seconds. Nothing is followed: neither redirects nor proxies.
    """

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        self._deadline = _Deadline()
        self._pool: httpcore.ConnectionPool | None = None

    def fetch(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        largest: int,
    ) -> bytes:
        """The body of a 200 answer of at most ``largest`` bytes.

        Raises :class:`ca.errors.TimeStamperUnreachable`.
        """
        pool = self._opened()
        self._deadline.at = time.monotonic() + self._timeout
        try:
            with pool.stream(method, url, headers=list((headers or {}).items()), content=content) as answer:
                if answer.status != 200:
                    raise TimeStamperUnreachable(f"{_origin(url)} answered HTTP {answer.status}")
                body = bytearray()
                for chunk in answer.iter_stream():
                    body += chunk
                    if len(body) > largest:
                        raise TimeStamperUnreachable(f"{_origin(url)} answered more than {largest} bytes")
                return bytes(body)
        except httpcore.TimeoutException as cause:
            raise TimeStamperUnreachable(
                f"{_origin(url)} did not answer within {self._timeout:g} s"
            ) from cause
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
            OSError,
        ) as cause:
            raise TimeStamperUnreachable(
                f"{_origin(url)} cannot be reached: {cause or type(cause).__name__}"
            ) from cause
        finally:
            self._deadline.at = float("inf")

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()

    def _opened(self) -> httpcore.ConnectionPool:
        if self._pool is None:  # two at once make two: one is left without connections
            self._pool = httpcore.ConnectionPool(
                ssl_context=_certificates(),
                max_connections=20,
                keepalive_expiry=30.0,
                network_backend=_Backend(self._deadline),
            )
        return self._pool


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _origin(url: str) -> str:
    """Without path and query, which may hold what is nobody else's business."""
    parts = httpx.URL(url)
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}"
