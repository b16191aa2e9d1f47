"""Client assertions: a JWT by which a client proves who it is (``private_key_jwt``, RFC 7523). Pure.

As FAPI 2.0 (Security Profile, 5.3.2.1) wants them: the audience is our issuer, as one string and nothing
else; good for minutes; used once. Assertions for the token endpoint's address, which older texts allowed, can
be tricked out of a client by another server that names our address as its own.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from identity import tokens
from identity.agencies.errors import AssertionRefused
from identity.agencies.model import AgencyPolicy
from identity.errors import SignedTokenError
from identity.tokens import VerificationKey

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TYPES: Final = frozenset({"JWT", "client-authentication+jwt", None})
LONGEST_ID: Final = 256


@dataclass(frozen=True, slots=True)
class Assertion:
    """A believed assertion. ``digest`` names it among those that were seen until ``expires_at``."""

    client_id: str
    digest: bytes
    expires_at: datetime


def claimed_client(assertion: str) -> str:
    """Whose keys to ask: the subject, not believed yet. Raises :class:`AssertionRefused`."""
    try:
        subject = tokens.unverified(assertion).claims.get("sub")
    except SignedTokenError as cause:
        raise AssertionRefused(f"The client assertion cannot be read. {cause}") from cause
    if not isinstance(subject, str):
        raise AssertionRefused("The client assertion's sub is not the client's id.")
    return subject


def read_assertion(
    assertion: str,
    *,
    client_id: str,
    keys: Mapping[str, VerificationKey],
    algorithms: Collection[str],
    issuer: str,
    now: datetime,
    policy: AgencyPolicy,
) -> Assertion:
    """Judge an assertion of ``client_id``. Raises :class:`AssertionRefused`; whether it is new is for
    :class:`identity.agencies.once.OnceOnly` to say."""
    try:
        _, claims = tokens.verify(assertion, typ=TYPES, keys=keys, algorithms=algorithms)
    except SignedTokenError as cause:
        raise AssertionRefused(f"The client assertion is not accepted. {cause}") from cause
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise AssertionRefused("The client assertion's iss and sub are not both the client's id.")
    if claims.get("aud") != issuer:
        raise AssertionRefused(
            f"The client assertion's aud is not the issuer {issuer} as a string (FAPI 2.0, 5.3.2.1)."
        )
    token_id = claims.get("jti")
    if not isinstance(token_id, str) or not 0 < len(token_id) <= LONGEST_ID:
        raise AssertionRefused(f"The client assertion's jti is not a text of 1 to {LONGEST_ID} characters.")
    expires_at = _expiry(claims, now.timestamp(), policy)
    digest = hashlib.sha256(f"assertion\0{client_id}\0{token_id}".encode()).digest()
    return Assertion(client_id, digest, expires_at)


def _expiry(claims: Mapping[str, Any], now: float, policy: AgencyPolicy) -> datetime:
    ahead = policy.ahead.total_seconds()
    expires = numeric_date(claims.get("exp"))
    if expires is None:
        raise AssertionRefused("The client assertion's exp is missing or not a number of seconds.")
    if expires <= now:
        raise AssertionRefused("The client assertion has expired. Make a new one for every request.")
    if expires > now + policy.assertion_life.total_seconds() + ahead:
        raise AssertionRefused(
            f"The client assertion lives too long: at most {policy.assertion_life.seconds} s are allowed."
        )
    for name in ("iat", "nbf"):
        if name in claims:
            at = numeric_date(claims[name])
            if at is None or at > now + ahead:
                raise AssertionRefused(f"The client assertion's {name} is not a time that has come. Clock?")
    return datetime.fromtimestamp(expires, UTC)


def numeric_date(value: object) -> float | None:
    """Seconds since 1970 (RFC 7519, 2), if it is a number that can be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return float(value) if 0 <= value < 2**40 else None
