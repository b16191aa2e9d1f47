"""Whose request it is, behind a proxy: throttling and the lists of sessions need the person's address.

Without this every request comes from the proxy, and one person's wrong passwords would slow the whole
country down. What a header says is believed only as far as trusted proxies wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

_HEADER: Final = b"x-forwarded-for"
_MOST_HOPS: Final = 16


class ClientAddressMiddleware:
    """Sets the request's ``client`` to the nearest address that no trusted proxy has, and leaves who really
    opened the connection in ``request.state.peer``.

    ``trusted`` are networks, separated by spaces. ``X-Forwarded-For`` is read from its end, where each proxy
    adds whom it heard from; what stands before the first stranger is that stranger's own claim.
    """

    def __init__(self, app: ASGIApp, *, trusted: str) -> None:
        self._app = app
        self._trusted = tuple(ip_network(network) for network in trusted.split())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("client"):
            peer, port = scope["client"][0], scope["client"][1]
            address = self._nearest_stranger(peer, _hops(scope["headers"]))
            scope.setdefault("state", {})["peer"] = peer
            scope["client"] = (address, port if address == peer else 0)
        await self._app(scope, receive, send)

    def _nearest_stranger(self, peer: str, hops: Iterable[str]) -> str:
        nearest = peer
        for hop in hops:
            if not self._is_trusted(nearest):
                break
            if _parsed(hop) is None:
                break
            nearest = hop
        return nearest

    def _is_trusted(self, text: str) -> bool:
        address = _parsed(text)
        return address is not None and any(address in network for network in self._trusted)


def _hops(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """Nearest first, and no more than a chain of proxies can have."""
    values = [value.decode("latin-1") for name, value in headers if name == _HEADER]
    hops = [hop.strip().removeprefix("[").removesuffix("]") for hop in ",".join(values).split(",")]
    return hops[: -_MOST_HOPS - 1 : -1]


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
