"""Agencies, their client systems, and what a client may do. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from identity.errors import NameInvalid, ScopeInvalid

READ: Final = "documents.read"
REVOKE: Final = "documents.revoke"
ISSUE_PREFIX: Final = "documents.issue:"
ISSUE_ANY: Final = "documents.issue:*"

_SECRET_PREFIX: Final = "absah_"  # noqa: S105 - lets secret scanners find leaked ones
_SCOPE = re.compile(r"documents\.read|documents\.revoke|documents\.issue:(?:\*|[a-z][a-z0-9_]{0,39})")
_CLIENT_ID = re.compile(r"client-[0-9a-f]{16}")
_AGENCY_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
# EN 319 412-1, 5.1.4: three letters of identity type, country, "-", the register's own reference.
_ORGANIZATION_IDENTIFIER = re.compile(
    r"(?:(?:VAT|NTR|PSD|LEI)[A-Z]{2}|[A-Z]{2}:[A-Z]{2})-[A-Za-z0-9.\-/]{1,50}"
)


@dataclass(frozen=True, slots=True)
class Agency:
    """A body that issues documents. ``name`` is printed on them.

    ``certified_name`` is the organizationName in its seal's certificate, where X.520 allows 64 characters and
    official names are often longer; ``organization_identifier`` stands beside it (EN 319 412-1, 5.1.4).
    """

    id: str
    name: str
    certified_name: str
    organization_identifier: str
    created_at: datetime

    def check(self) -> None:
        """Raises :class:`identity.errors.NameInvalid`."""
        if not _AGENCY_ID.fullmatch(self.id):
            raise NameInvalid(
                f"{self.id!r} cannot be an agency id: use up to 40 lower-case letters, digits and hyphens, "
                "such as dpmptsp-bandung."
            )
        for what, text, most in (("name", self.name, 120), ("certified name", self.certified_name, 64)):
            if not 0 < len(text) <= most or not text.isprintable() or text != text.strip():
                raise NameInvalid(f"An agency's {what} has 1 to {most} printable characters.")
        if not _ORGANIZATION_IDENTIFIER.fullmatch(self.organization_identifier):
            raise NameInvalid(
                f"{self.organization_identifier!r} is not an organisation identifier of EN 319 412-1, 5.1.4; "
                "examples are VATID-0012345678901000 and NTRID-9120101234567."
            )


class Method(StrEnum):
    """How a client proves who it is (OpenID Connect Core, 9; the registry of RFC 8414, 2)."""

    PRIVATE_KEY_JWT = "private_key_jwt"
    SECRET_BASIC = "client_secret_basic"  # noqa: S105 - the name of a method; development only
    SECRET_POST = "client_secret_post"  # noqa: S105 - as above
    NONE = "none"  # a portal's app on somebody's device, which can keep no secret


class Binding(StrEnum):
    """What a client's access tokens are bound to, so that a stolen one opens nothing."""

    DPOP = "dpop"  # RFC 9449: a key that signs every request
    MTLS = "mtls"  # RFC 8705: the certificate of the TLS connection
    BEARER = "bearer"  # nothing: whoever has it, uses it. With client secrets, for development only


@dataclass(frozen=True, slots=True)
class Client:
    """A system of an agency that calls the API.

    It authenticates by its registered keys (:class:`ClientKey`), or, in development, by a secret, of which
    ``secret_hash`` is all that we keep. ``is_sandbox`` clients make samples only.
    """

    id: str
    agency_id: str
    name: str
    scopes: frozenset[str]
    is_sandbox: bool
    created_at: datetime
    binding: Binding = Binding.DPOP
    secret_hash: bytes | None = field(default=None, repr=False)
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A public key by which a client authenticates, until ``ends_at`` where that is set.

    ``jwk`` is JSON text as it is published (RFC 7517). A row is never removed: it says who could sign when.
    """

    client_id: str
    key_id: str
    algorithm: str
    jwk: str
    added_at: datetime
    ends_at: datetime | None = None

    def is_good_at(self, moment: datetime) -> bool:
        return self.ends_at is None or moment < self.ends_at


@dataclass(frozen=True, slots=True)
class AgencyPolicy:
    """Every limit of agencies' systems; the times follow FAPI 2.0 (Security Profile, 5.3.2.1 and 5.4)."""

    secrets_allowed: bool = True
    """Client secrets authenticate: in development only."""
    assertion_life: timedelta = timedelta(minutes=5)
    """The longest that a client assertion may be good for."""
    ahead: timedelta = timedelta(seconds=10)
    """How far the clock of a client may run ahead of ours."""
    proof_life: timedelta = timedelta(seconds=60)
    """How old a DPoP proof may be."""
    nonce_life: timedelta = timedelta(minutes=5)
    """How long a DPoP nonce of ours is handed out; it is accepted for as long again."""
    key_overlap: timedelta = timedelta(days=1)
    """How long a key that a new key set leaves out goes on authenticating."""
    proposal_life: timedelta = timedelta(days=7)
    """How long a change waits for a second pair of eyes."""


def parse_scopes(values: Iterable[str]) -> frozenset[str]:
    """Check and collect scopes; raises :class:`identity.errors.ScopeInvalid`."""
    scopes = frozenset(values)
    for scope in sorted(scopes):
        if not _SCOPE.fullmatch(scope):
            raise ScopeInvalid(
                f"{scope!r} is not a scope. There are {READ}, {REVOKE}, {ISSUE_ANY} and "
                f"{ISSUE_PREFIX}TYPE, such as {ISSUE_PREFIX}business_licence."
            )
    if not scopes:
        raise ScopeInvalid(f"A client needs at least one scope, such as {READ}.")
    return scopes


def covered(wanted: Iterable[str], held: frozenset[str]) -> frozenset[str]:
    """Those of ``wanted`` that ``held`` reaches; ``documents.issue:*`` reaches every type."""
    return frozenset(
        scope
        for scope in wanted
        if scope in held or (scope.startswith(ISSUE_PREFIX) and ISSUE_ANY in held and _SCOPE.fullmatch(scope))
    )


def new_client_id() -> str:
    return f"client-{secrets.token_hex(8)}"


def is_client_id(text: str) -> bool:
    """Whether :func:`new_client_id` could have made it; nothing else is looked up."""
    return _CLIENT_ID.fullmatch(text) is not None


def new_secret() -> str:
    """256 random bits in 43 characters behind a recognisable prefix. Shown once, never stored."""
    return _SECRET_PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """SHA-256 of a secret that we made ourselves.

    Slow hashes (Argon2) exist to make guessing of *human* secrets expensive. Nobody guesses 256 random
    bits, so a fast hash gives up nothing, and the token endpoint cannot be tired out by wrong secrets.
    """
    return hashlib.sha256(secret.encode()).digest()


NO_CLIENT_HASH: Final = hash_secret(new_secret())
"""Compared against when a client does not exist, so that both refusals do the same work."""


def secret_matches(secret: str, expected: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(hash_secret(secret), expected)
