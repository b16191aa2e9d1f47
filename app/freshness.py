"""How lately and how strongly a person proved who they are, before something is done in their name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.errors import AuthenticationInsufficient
from identity.access import Authentication
from identity.login.model import Acr


def require_fresh(shown: Authentication | None, *, acr: Acr, max_age: timedelta, now: datetime) -> None:
    """Raises :class:`app.errors.AuthenticationInsufficient` (RFC 9470, 3)."""
    if shown is not None and _reaches(shown.acr, acr):
        age = now - datetime.fromtimestamp(shown.auth_time, UTC)
        if age <= max_age:
            return
    raise AuthenticationInsufficient(acr=acr.value, max_age=max_age)


def _reaches(text: str, wanted: Acr) -> bool:
    try:
        return Acr(text).reaches(wanted)
    except ValueError:  # a value that an earlier release wrote
        return False
