"""Only what trusted proxies wrote about an address is believed."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from app.addresses import ClientAddressMiddleware


def _seen(peer: str, *forwarded: str, trusted: str = "10.0.0.0/8 fd00::/8") -> tuple[str, str]:
    """The client that the application sees, and the peer."""
    seen: list[tuple[str, str]] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope["client"][0], scope["state"]["peer"]))

    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    scope: Scope = {"type": "http", "client": (peer, 4711), "headers": headers}
    middleware = ClientAddressMiddleware(application, trusted=trusted)
    asyncio.run(middleware(scope, None, None))  # type: ignore[arg-type]
    return seen[0]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.2", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.2", ["198.51.100.1, 203.0.113.9, 10.0.0.7"], "203.0.113.9"),
        ("10.0.0.2", ["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        ("fd00::2", ["2001:db8::7"], "2001:db8::7"),
        ("fd00::2", ["[2001:db8::7]"], "2001:db8::7"),
        ("::ffff:10.0.0.2", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.2", [], "10.0.0.2"),
        ("10.0.0.2", ["10.0.0.9"], "10.0.0.9"),
    ],
)
def test_the_nearest_stranger_is_the_client(peer: str, forwarded: list[str], client: str) -> None:
    assert _seen(peer, *forwarded) == (client, peer)


@pytest.mark.parametrize("peer", ["203.0.113.9", "2001:db8::7", "unix", ""])
def test_a_stranger_cannot_choose_an_address(peer: str) -> None:
    assert _seen(peer, "198.51.100.1, 10.0.0.2") == (peer, peer)


@pytest.mark.parametrize("claim", ["unknown", "", "10.0.0", "203.0.113.9:4711", "<script>", "9" * 5000])
def test_what_is_no_address_is_not_believed(claim: str) -> None:
    assert _seen("10.0.0.2", claim) == ("10.0.0.2", "10.0.0.2")


def test_an_endless_chain_is_not_followed() -> None:
    client, _ = _seen("10.0.0.2", ", ".join(["198.51.100.1"] + ["10.0.0.3"] * 100_000))
    assert client == "10.0.0.3"


def test_nobody_is_trusted_unless_a_setting_says_so() -> None:
    assert _seen("10.0.0.2", "203.0.113.9", trusted="") == ("10.0.0.2", "10.0.0.2")
