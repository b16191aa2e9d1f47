"""Portals, what they ask for, and what a person granted them. Pure."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from identity.agencies.model import Method
from identity.login.model import Acr

OPENID: Final = "openid"
OFFLINE: Final = "offline_access"
KEYS: Final = "keys"
"""Acts on keys, for custodians and auditors: it opens no claim, and their role decides what it is worth."""
CERTIFICATES: Final = "certificates"
"""Acts on certificates, for CA administrators and auditors, likewise."""
SCOPES: Final = {
    OPENID: frozenset({"sub", "ial"}),
    "profile": frozenset({"name", "locale"}),
    "email": frozenset({"email", "email_verified"}),
    "birthdate": frozenset({"birthdate"}),
    "nik": frozenset({"nik"}),
    OFFLINE: frozenset[str](),
    KEYS: frozenset[str](),
    CERTIFICATES: frozenset[str](),
}
"""Each scope with the claims that it opens (OpenID Connect Core, 5.4). ``birthdate`` and ``nik`` are scopes
of their own, because a portal that needs a name rarely needs them."""

LONGEST_URI: Final = 512

_PORTAL_ID = re.compile(r"portal-[0-9a-f]{16}")


class PortalKind(StrEnum):
    """Where the portal runs, which decides what can be kept secret (RFC 6749, 2.1; RFC 8252)."""

    WEB = "web"  # on a server: authenticates itself
    NATIVE = "native"  # on a person's device: keeps no secret, is protected by PKCE alone


class IdTokenAlgorithm(StrEnum):
    """RS256 is what every OpenID client must know (OpenID Connect Core, 15.1)."""

    RS256 = "RS256"
    ES256 = "ES256"


@dataclass(frozen=True, slots=True)
class Portal:
    """A relying party: a site or app of an agency that people log in to.

    ``sector`` is the host within which a person has one ``sub`` (OpenID Connect Core, 8.1). ``scopes`` is the
    most that the portal may ask for. ``jwks`` is its public key set as JSON.
    """

    id: str
    agency_id: str
    name: str
    kind: PortalKind
    authentication: Method
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    backchannel_logout_uri: str | None
    sector: str
    scopes: frozenset[str]
    id_token_algorithm: IdTokenAlgorithm
    require_pushed: bool
    created_at: datetime
    jwks: str | None = None
    secret_hash: bytes | None = field(default=None, repr=False)
    disabled_at: datetime | None = None


class ResponseMode(StrEnum):
    """How the answer travels through the browser."""

    QUERY = "query"
    FORM_POST = "form_post"


class Prompt(StrEnum):
    """OpenID Connect Core, 3.1.2.1."""

    NONE = "none"
    LOGIN = "login"
    CONSENT = "consent"
    SELECT_ACCOUNT = "select_account"


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request whose every parameter was checked. ``max_age`` in seconds.

    ``acr_values`` holds known values only: any of them will do. ``hinted_subject`` is the ``sub`` of a
    verified ``id_token_hint``. ``proof_key`` is the thumbprint that ``dpop_jkt`` bound the code to.
    """

    portal_id: str
    redirect_uri: str
    response_mode: ResponseMode
    scopes: frozenset[str]
    code_challenge: str
    state: str | None = None
    nonce: str | None = None
    prompts: frozenset[Prompt] = frozenset()
    max_age: int | None = None
    acr_values: tuple[Acr, ...] = ()
    ui_locales: tuple[str, ...] = ()
    login_hint: str | None = None
    hinted_subject: str | None = None
    proof_key: str | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """A request that waits for a person: kept on our side, so that only a handle travels.

    ``created_at`` is when its browser came: a login since then is a fresh one.
    """

    handle_hash: bytes
    request: AuthorizationRequest
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person agreed to share with a portal, and since when."""

    person_id: str
    portal_id: str
    scopes: frozenset[str]
    given_at: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """What one authorization gave: first a code that is redeemed once, then a family of tokens.

    ``session_id`` is the login it came from; ``sid`` is that login's name towards this portal and no other.
    ``expires_at`` ends the whole family.
    """

    id: str
    portal_id: str
    person_id: str
    session_id: str
    subject: str
    sid: str
    scopes: frozenset[str]
    redirect_uri: str
    code_challenge: str
    nonce: str | None
    acr: Acr
    amr: tuple[str, ...]
    auth_time: datetime
    proof_key: str | None
    code_expires_at: datetime
    created_at: datetime
    expires_at: datetime
    redeemed_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def stands(self) -> bool:
        return self.revoked_at is None

    @property
    def is_offline(self) -> bool:
        """Whether it outlives the login (OpenID Connect Core, 11)."""
        return OFFLINE in self.scopes


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One link of a grant's chain. ``successor`` is sealed."""

    token_hash: bytes
    grant_id: str
    issued_at: datetime
    expires_at: datetime
    used_at: datetime | None
    successor_hash: bytes | None
    successor: bytes | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """A portal to be told that a login has ended (OpenID Connect Back-Channel Logout 1.0)."""

    id: str
    portal_id: str
    subject: str
    sid: str
    created_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class ProviderPolicy:
    """Every limit of the provider."""

    issuer: str
    allow_http: bool = False
    """Plain-http and loopback addresses of portals, and client secrets: for development."""
    code_life: timedelta = timedelta(seconds=60)
    pushed_life: timedelta = timedelta(seconds=90)
    flow_life: timedelta = timedelta(minutes=30)
    """How long a person may take to log in and agree."""
    refresh_idle: timedelta = timedelta(days=30)
    """A refresh token that is not used for this long has ended."""
    offline_life: timedelta = timedelta(days=180)
    """The end of a family of refresh tokens, whatever its use."""
    refresh_grace: timedelta = timedelta(seconds=10)
    """A repeated refresh within this time gets the same successor: its answer may have been lost."""
    id_token_life: timedelta = timedelta(minutes=10)
    logout_token_life: timedelta = timedelta(minutes=2)
    logout_timeout: timedelta = timedelta(seconds=5)
    logout_gives_up: timedelta = timedelta(days=1)
    logout_poll: timedelta = timedelta(seconds=1)
    """Time between two looks for portals that are to be told of a logout."""
    keeps_ended: timedelta = timedelta(days=90)
    """Grants, withdrawn consents and notices are kept for this long after their end."""


def new_portal_id() -> str:
    return f"portal-{secrets.token_hex(8)}"


def is_portal_id(text: str) -> bool:
    """Whether :func:`new_portal_id` could have made it; nothing else is looked up."""
    return _PORTAL_ID.fullmatch(text) is not None


def new_secret() -> str:
    """256 random bits in 43 characters: codes, handles and refresh tokens."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """SHA-256: enough for what nobody can guess. Only this is stored."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
