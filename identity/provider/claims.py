"""What portals are told about a person: ID tokens, UserInfo, logout tokens. Pure.

An ID token says who logged in and how; it holds no name, mail address or NIK, because it travels and is kept.
Those come from UserInfo, by the scopes that the person agreed to (OpenID Connect Core, 5.4).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from identity.people.model import Person
from identity.provider.model import SCOPES, Grant, LogoutNotice

LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"


def id_token(
    grant: Grant,
    person: Person,
    *,
    issuer: str,
    now: datetime,
    life: timedelta,
    nonce: str | None,
    access_token: str,
) -> dict[str, Any]:
    """OpenID Connect Core, 2, with ``sid`` (Back-Channel Logout, 2.1) and the proofing level ``ial``."""
    issued_at = int(now.timestamp())
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": grant.subject,
        "aud": grant.portal_id,
        "iat": issued_at,
        "exp": issued_at + int(life.total_seconds()),
        "auth_time": int(grant.auth_time.timestamp()),
        "acr": grant.acr.value,
        "amr": list(grant.amr),
        "ial": person.proofing.value,
        "sid": grant.sid,
        "at_hash": _half_hash(access_token),
    }
    return claims if nonce is None else claims | {"nonce": nonce}


def userinfo(person: Person, *, subject: str, scopes: frozenset[str]) -> dict[str, Any]:
    """OpenID Connect Core, 5.3.2: what was agreed to, as it is now. What is unknown is left out."""
    known: Mapping[str, Any] = {
        "sub": subject,
        "ial": person.proofing.value,
        "name": person.name,
        "locale": person.language,
        "email": person.email,
        "email_verified": person.email_confirmed_at is not None if person.email else None,
        "birthdate": person.birth_date.isoformat() if person.birth_date else None,
        "nik": person.nik.reveal() if person.nik else None,
    }
    opened = frozenset[str]().union(*(SCOPES[scope] for scope in scopes & SCOPES.keys()))
    return {name: value for name, value in known.items() if name in opened and value is not None}


def logout_token(notice: LogoutNotice, *, issuer: str, now: datetime, life: timedelta) -> dict[str, Any]:
    """Back-Channel Logout 1.0, 2.4. ``jti`` stays the same over repeated deliveries of one notice."""
    issued_at = int(now.timestamp())
    return {
        "iss": issuer,
        "sub": notice.subject,
        "aud": notice.portal_id,
        "iat": issued_at,
        "exp": issued_at + int(life.total_seconds()),
        "jti": notice.id,
        "sid": notice.sid,
        "events": {LOGOUT_EVENT: {}},
    }


def _half_hash(token: str) -> str:
    """``at_hash``: the left half of the hash, base64url (OpenID Connect Core, 3.1.3.6)."""
    digest = hashlib.sha256(token.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
