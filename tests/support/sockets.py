"""Unit tests open no sockets; tests that do stay on the loopback interface.

An audit hook sees every connect, bind, send and name look-up that Python code makes, also those that reach
``_socket`` directly. It cannot be removed, so one process-wide switch decides. Child processes are not
covered: the servers and browsers that tests start are told by their own options to stay local.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_ADDRESSED = frozenset({"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"})


class SocketRefused(RuntimeError):
    """A test reached for the network. Not an ``OSError``: code under test would handle that as an outage."""


class SocketGuard:
    """Refuses sockets outside AF_UNIX, but for loopback addresses while :meth:`loopback` is open."""

    def __init__(self) -> None:
        self._loopback = False

    def install(self) -> None:
        sys.addaudithook(self._on_event)

    @contextmanager
    def loopback(self, allowed: bool) -> Iterator[None]:
        """While open, loopback sockets are ``allowed`` or not."""
        before, self._loopback = self._loopback, allowed
        try:
            yield
        finally:
            self._loopback = before

    def _on_event(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in _ADDRESSED:
            opened, address = arguments[0], arguments[1]
            if isinstance(opened, socket.SocketType) and opened.family == socket.AF_UNIX:
                return
            if address is not None:  # None: sendmsg on a socket that is already connected
                self._decide(event, address[0] if isinstance(address, tuple) else address)
        elif event == "socket.getaddrinfo":
            self._decide(event, arguments[0])

    def _decide(self, event: str, host: object) -> None:
        if not self._loopback:
            raise SocketRefused(
                f"{event} to {host!r}: unit tests open no sockets. Mark the test with pytest.mark.network "
                "or use one of the fixtures that start a server."
            )
        if not _is_loopback(host):
            raise SocketRefused(f"{event} to {host!r}: tests stay on the loopback interface.")


def _is_loopback(host: object) -> bool:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
