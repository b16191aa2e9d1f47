"""Ends as an iCalendar (RFC 5545): what a team subscribes to. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from app.expiries import Expiry, ExpiryKind

_OCTETS: Final = 75
"""Longest line without its end (RFC 5545, 3.1); longer ones are folded."""


def what_ends(expiry: Expiry) -> str:
    """Without its name: ``seal certificate ends``."""
    match expiry.kind:
        case ExpiryKind.CERTIFICATE:
            return f"{expiry.use} certificate ends"
        case ExpiryKind.KEY:
            return f"{expiry.use} key stops signing"
        case ExpiryKind.LIST:
            return "revocation list ends" if expiry.renews_itself else "revocation list signed elsewhere ends"
        case ExpiryKind.DATA_KEY:
            return "data key is replaced"


def summary_of(expiry: Expiry) -> str:
    owner = f" of {expiry.owner}" if expiry.owner else ""
    return f"{what_ends(expiry)}: {expiry.name}{owner}"


def icalendar(expiries: Iterable[Expiry], *, host: str, now: datetime) -> bytes:
    """One whole-day event per end, with a reminder 30 days before. ``host`` makes the identifiers unique.

    Lists that are signed here are left out: they live for days, and renew themselves.
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Absah//Expiries//EN", "CALSCALE:GREGORIAN"]
    for expiry in expiries:
        if expiry.kind is not ExpiryKind.LIST or not expiry.renews_itself:
            lines += _event(expiry, host, now)
    lines.append("END:VCALENDAR")
    return b"".join(folded for line in lines for folded in _folded(line))


def _event(expiry: Expiry, host: str, now: datetime) -> list[str]:
    identity = "/".join((expiry.kind, expiry.use, expiry.name, expiry.owner))
    day = expiry.at.astimezone(UTC).date()
    words = _text(summary_of(expiry))
    return [
        "BEGIN:VEVENT",
        f"UID:{hashlib.sha256(identity.encode()).hexdigest()[:32]}@{host}",
        f"DTSTAMP:{now.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
        f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}",
        f"SUMMARY:{words}",
        f"DESCRIPTION:{_text(f'At {expiry.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC.')}",
        f"CATEGORIES:{_text(expiry.kind)}",
        "TRANSP:TRANSPARENT",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"DESCRIPTION:{words}",
        "TRIGGER:-P30D",
        "END:VALARM",
        "END:VEVENT",
    ]


def _text(value: str) -> str:
    """RFC 5545, 3.3.11."""
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        value = value.replace(plain, escaped)
    return value


def _folded(line: str) -> Iterator[bytes]:
    """RFC 5545, 3.1: never within a character."""
    piece = b""
    for character in line:
        encoded = character.encode()
        if len(piece) + len(encoded) > _OCTETS:
            yield piece + b"\r\n"
            piece = b" "
        piece += encoded
    yield piece + b"\r\n"
