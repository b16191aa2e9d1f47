"""The cookies of the pages: which there are, how they are protected, and what an answer changes about them.

Every value is 256 random bits made by us; only its SHA-256 is stored, and nothing can be read out of it. On
https the names carry ``__Host-`` (RFC 6265bis, 4.1.3.2): no subdomain and no plain-http page can plant them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from starlette.responses import Response

_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_YEAR: Final = 365 * 24 * 3600


class Cookie(StrEnum):
    """What a browser keeps for us. The values end the cookie's name."""

    SESSION = ""
    HALF_SESSION = "-login"
    DEVICE = "-device"
    FORM = "-form"
    LANGUAGE = "-lang"
    PERSONAL = "-speaks"


_LASTING: Final[Mapping[Cookie, int]] = {Cookie.DEVICE: _YEAR, Cookie.LANGUAGE: _YEAR}
"""Seconds that a browser keeps a cookie; the others go when it closes, and end on our side by themselves.

LANGUAGE is what somebody chose on this browser; PERSONAL, gone with the session, what its account prefers.
"""


@dataclass(slots=True)
class Jar:
    """The cookies of one request, and what its answer changes."""

    secure: bool
    received: Mapping[str, str]
    _changes: dict[Cookie, str | None] = field(default_factory=dict)

    def get(self, cookie: Cookie) -> str | None:
        """What the browser sent, or what this answer is about to set. What we cannot have made is None."""
        if cookie in self._changes:
            return self._changes[cookie]
        value = self.received.get(self._name(cookie))
        return value if value and _VALUE.fullmatch(value) else None

    def set(self, cookie: Cookie, value: str) -> None:
        self._changes[cookie] = value

    def drop(self, cookie: Cookie) -> None:
        """Also where none was sent: after a logout nothing is left behind."""
        self._changes[cookie] = None

    def write(self, response: Response) -> None:
        """Put the changes into the answer."""
        for cookie, value in self._changes.items():
            response.set_cookie(
                self._name(cookie),
                value or "",
                max_age=0 if value is None else _LASTING.get(cookie),
                path="/",
                secure=self.secure,
                httponly=True,
                samesite="lax",  # strict would lose the session on the way back from a portal
            )

    def _name(self, cookie: Cookie) -> str:
        return f"{'__Host-' if self.secure else ''}absah{cookie}"
