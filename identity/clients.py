"""Agencies, their client systems, and what a client may do. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True, slots=True)
class Client:
    """A system of an agency that calls the API. ``secret_hash`` is all that we keep of its secret.

    ``is_sandbox`` clients make samples only.
    """

    id: str
    agency_id: str
    name: str
    secret_hash: bytes
    scopes: frozenset[str]
    is_sandbox: bool
    created_at: datetime
    disabled_at: datetime | None = None


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
