"""Asking a server of time (SNTP: RFC 4330, in the packets of RFC 5905 7.3).

:func:`request` and :func:`read_reply` are pure; :class:`SntpServer` carries them over UDP.
"""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from ca.errors import TimeSourceSilent

PORT = 123
_PACKET = struct.Struct(">BBbb iI4s 8s8s8s8s")
_SECOND = 1 << 32  # timestamps count 2**-32 s
_HALF = 1 << 63
_SINCE_1900 = datetime(1900, 1, 1, tzinfo=UTC)
_CLIENT = 4 << 3 | 3  # version 4, mode client, no warning
_MODE_SERVER, _UNSYNCHRONISED = 4, 3
_FARTHEST = 1.0
"""Seconds. A server whose own path to true time is longer is not synchronised (RFC 4330 5)."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """``offset`` is what has to be added to our clock to get theirs; both in seconds.

    True time lies within ``uncertainty`` of theirs: half the round trip, and what the server says of itself.
    """

    offset: float
    uncertainty: float

    @property
    def worst(self) -> float:
        """By how much our clock may be wrong."""
        return abs(self.offset) + self.uncertainty


def request(cookie: bytes) -> bytes:
    """A client's packet. ``cookie`` are 8 random bytes in place of our time, which the reply must repeat."""
    return _PACKET.pack(_CLIENT, 0, 0, 0, 0, 0, bytes(4), bytes(8), bytes(8), bytes(8), cookie)


def read_reply(reply: bytes, cookie: bytes, *, sent: datetime, elapsed: float) -> Measurement | None:
    """What ``reply`` says about our clock, which showed ``sent`` when the request left, ``elapsed`` s ago.

    None for a packet that is not the answer to our request, whoever sent it. Raises
    :class:`ca.errors.TimeSourceSilent` when the server says, or shows, that it does not know the time.
    """
    if len(reply) < _PACKET.size:
        return None
    head, stratum, _, _, root_delay, root_dispersion, reference, _, originate, received, left = (
        _PACKET.unpack_from(reply)
    )
    if originate != cookie or head & 7 != _MODE_SERVER:
        return None
    if stratum == 0:
        raise TimeSourceSilent(f"it refuses to answer: {reference.decode('ascii', 'replace')}")
    delay, dispersion = root_delay / 65536, root_dispersion / 65536
    if head >> 6 == _UNSYNCHRONISED or stratum > 15 or not any(left) or not any(received):
        raise TimeSourceSilent("it is not synchronised itself")
    if not 0 <= delay < _FARTHEST or dispersion >= _FARTHEST:
        raise TimeSourceSilent(f"it is too far from true time: delay {delay:.3f} s, error {dispersion:.3f} s")
    there, back = (int.from_bytes(stamp, "big") for stamp in (received, left))
    held = _difference(back, there)
    if not 0 <= held <= elapsed:
        raise TimeSourceSilent("it says that it held our request for longer than we waited")
    mine = _stamp(sent)
    offset = (_difference(there, mine) + _difference(back, mine) - elapsed) / 2
    return Measurement(offset, (elapsed - held) / 2 + delay / 2 + dispersion)


def _stamp(moment: datetime) -> int:
    since = moment - _SINCE_1900
    return (since.days * 86400 + since.seconds) * _SECOND + since.microseconds * _SECOND // 1_000_000


def _difference(one: int, other: int) -> float:
    """Seconds between two timestamps less than 68 years apart, whatever the era (RFC 5905 6)."""
    return ((one - other + _HALF) % (2 * _HALF) - _HALF) / _SECOND


class SntpServer:
    """One server of time. ``address`` is ``HOST`` or ``HOST:PORT``; IPv6 addresses stand in brackets."""

    def __init__(self, address: str, *, timeout: float = 2.0) -> None:
        self.name = address
        self._timeout = timeout
        self._host, self._port = parse_address(address)

    def measure(self, clock: Callable[[], datetime], monotonic: Callable[[], float]) -> Measurement:
        """Ask once. Raises :class:`ca.errors.TimeSourceSilent`."""
        cookie = secrets.token_bytes(8)
        try:
            family, kind, protocol, _, at = socket.getaddrinfo(
                self._host, self._port, type=socket.SOCK_DGRAM
            )[0]
            with socket.socket(family, kind, protocol) as line:
                line.connect(at)  # from here on only this address is listened to
                sent, started = clock(), monotonic()
                line.send(request(cookie))
                while (left := started + self._timeout - monotonic()) > 0:
                    line.settimeout(left)
                    reply = line.recv(1024)
                    found = read_reply(reply, cookie, sent=sent, elapsed=monotonic() - started)
                    if found is not None:
                        return found
        except (OSError, UnicodeError) as cause:  # the latter: a name that cannot be one
            raise TimeSourceSilent(f"it does not answer: {cause}") from cause
        raise TimeSourceSilent("it answers something else")


def parse_address(address: str) -> tuple[str, int]:
    """Host and port. Raises ``ValueError``."""
    parts = urlsplit(f"//{address}")
    if not parts.hostname or parts.path or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"{address!r} is not HOST or HOST:PORT")
    return parts.hostname, parts.port or PORT
