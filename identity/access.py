"""Access tokens: ES256 JWTs in the profile of RFC 9068, for agencies' systems and for people.

A token for a person says how that person logged in (``acr``, ``auth_time``: RFC 9068, 2.2.1, for RFC 9470)
and how well they are known (``ial``). A token of a client acting for itself says none of it, and its ``sub``
is the client. A token may be bound to its holder's key (``cnf``, RFC 7800): by DPoP (``jkt``, RFC 9449) or by
a TLS client certificate (``x5t#S256``, RFC 8705).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from identity import tokens
from identity.errors import (
    KeyNotFound,
    SignatureWrong,
    SignedTokenError,
    TokenClaimsInvalid,
    TokenExpired,
    TokenMalformed,
    TokenNotOurs,
)
from identity.jwks import ES256
from identity.ports import Clock, TokenKeys

TYPE: Final = "at+jwt"
LEEWAY: Final = timedelta(seconds=5)
"""How far the clocks of two of our own processes may differ."""

_TEXT = frozenset({"iss", "aud", "sub", "client_id", "scope", "jti"})
_TIMES = frozenset({"iat", "exp"})
_OPTIONAL_TEXT = frozenset({"acr", "ial"})
_OPTIONAL = _OPTIONAL_TEXT | {"auth_time", "cnf"}
_JKT, _X5T = "jkt", "x5t#S256"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Whose token it is, as SHA-256 in base64url: the thumbprint of a DPoP key or of a certificate (DER)."""

    jkt: str | None = None
    x5t_s256: str | None = None

    def as_claim(self) -> dict[str, str]:
        """The ``cnf`` claim (RFC 9449, 6.1; RFC 8705, 3.1)."""
        named = {_JKT: self.jkt, _X5T: self.x5t_s256}
        return {name: value for name, value in named.items() if value is not None}

    @classmethod
    def from_claim(cls, claim: Any) -> Confirmation:
        """Raises :class:`identity.errors.TokenClaimsInvalid` for what :meth:`as_claim` cannot make."""
        if (
            not isinstance(claim, dict)
            or not claim
            or not claim.keys() <= {_JKT, _X5T}
            or not all(isinstance(value, str) for value in claim.values())
        ):
            raise TokenClaimsInvalid("The access token is bound in a way that is unknown here.")
        return cls(claim.get(_JKT), claim.get(_X5T))


@dataclass(frozen=True, slots=True)
class Authentication:
    """How a person logged in: ``acr`` (``aal2``, ``phr``), when (seconds since 1970), and how well known."""

    acr: str
    auth_time: int
    ial: str


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says (RFC 9068, 2.2). Times in seconds since 1970.

    ``authentication`` is there exactly when the token stands for a person.
    """

    subject: str
    client_id: str
    scopes: frozenset[str]
    token_id: str
    issued_at: int
    expires_at: int
    authentication: Authentication | None = None
    confirmation: Confirmation | None = None

    @property
    def token_type(self) -> str:
        """How the token is to be presented: ``DPoP`` or ``Bearer``."""
        return "DPoP" if self.confirmation and self.confirmation.jkt else "Bearer"

    def introspection(self, issuer: str) -> dict[str, Any]:
        """The answer about an active token (RFC 7662, 2.2), with ``cnf`` (RFC 9449, 6.2; RFC 8705, 3.2) and,
        for a person's token, ``acr`` and ``auth_time`` (RFC 9470, 6.2)."""
        answer: dict[str, Any] = {
            "active": True,
            "iss": issuer,
            "aud": issuer,
            "sub": self.subject,
            "client_id": self.client_id,
            "scope": " ".join(sorted(self.scopes)),
            "jti": self.token_id,
            "iat": self.issued_at,
            "exp": self.expires_at,
            "token_type": self.token_type,
        }
        return answer | _optional_claims(self.authentication, self.confirmation)


class AccessTokens:
    """Makes and reads access tokens. Safe to share between threads.

    ``issuer`` and ``audience`` are compared as text. Tokens live ``lifetime``.
    """

    def __init__(
        self, *, keys: TokenKeys, clock: Clock, issuer: str, audience: str, lifetime: timedelta
    ) -> None:
        self._keys = keys
        self._clock = clock
        self.issuer = issuer
        self._audience = audience
        self.lifetime = lifetime

    def issue(
        self,
        *,
        client_id: str,
        scopes: frozenset[str],
        token_id: str,
        subject: str | None = None,
        authentication: Authentication | None = None,
        confirmation: Confirmation | None = None,
    ) -> str:
        """A signed token. ``subject`` None is a client acting for itself: ``sub`` is the client."""
        now = int(self._clock().timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self._audience,
            "sub": client_id if subject is None else subject,
            "client_id": client_id,
            "scope": " ".join(sorted(scopes)),
            "jti": token_id,
            "iat": now,
            "exp": now + int(self.lifetime.total_seconds()),
        }
        claims |= _optional_claims(authentication, confirmation)
        return tokens.sign(claims, typ=TYPE, signer=self._keys.signer(ES256))

    def read(self, token: str) -> AccessClaims:
        """Verify a token. Raises a leaf of :class:`identity.errors.AccessTokenError`, never anything else.

        That the token is presented by whom it is bound to is for :mod:`identity.agencies.presenting` to say.
        """
        try:
            header, claims = tokens.verify(
                token, typ=TYPE, keys=tokens.own_keys(self._keys), algorithms=(ES256,)
            )
        except (KeyNotFound, SignatureWrong) as cause:
            raise TokenNotOurs(f"{cause} Get a new token from /oauth2/token.") from cause
        except SignedTokenError as cause:
            raise TokenMalformed(f"{cause} Get a token from /oauth2/token.") from cause
        if "kid" not in header:
            raise TokenMalformed("The access token names no key. Get a token from /oauth2/token.")
        return self._read(claims)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys as a JWK Set (RFC 7517), for resource servers of others."""
        return tokens.own_jwks(self._keys)

    def _read(self, claims: dict[str, Any]) -> AccessClaims:
        _require_exact_claims(claims)
        if claims["iss"] != self.issuer or claims["aud"] != self._audience:
            raise TokenClaimsInvalid("The access token is from or for another service. Get one for this one.")
        issued_at, expires_at = claims["iat"], claims["exp"]
        now, leeway = self._clock().timestamp(), LEEWAY.total_seconds()
        if now >= expires_at + leeway:
            raise TokenExpired("The access token has expired. Get a new one from /oauth2/token.")
        if issued_at > now + leeway or expires_at - issued_at > self.lifetime.total_seconds():
            raise TokenExpired("The access token is not from this time. Check the clock, and get a new one.")
        return AccessClaims(
            subject=claims["sub"],
            client_id=claims["client_id"],
            scopes=frozenset(claims["scope"].split()),
            token_id=claims["jti"],
            issued_at=issued_at,
            expires_at=expires_at,
            authentication=_authentication(claims),
            confirmation=Confirmation.from_claim(claims["cnf"]) if "cnf" in claims else None,
        )


def _optional_claims(
    authentication: Authentication | None, confirmation: Confirmation | None
) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    if authentication is not None:
        claims |= {
            "acr": authentication.acr,
            "auth_time": authentication.auth_time,
            "ial": authentication.ial,
        }
    if confirmation is not None:
        claims["cnf"] = confirmation.as_claim()
    return claims


def _require_exact_claims(claims: dict[str, Any]) -> None:
    """All that we write, each of its type, and nothing besides."""
    required = _TEXT | _TIMES
    if not required <= claims.keys() <= required | _OPTIONAL:
        raise TokenClaimsInvalid("The access token lacks a claim or has one too many. Get a new token.")
    if not all(isinstance(claims[name], str) for name in _TEXT | (_OPTIONAL_TEXT & claims.keys())):
        raise TokenClaimsInvalid("A claim of the access token is not text. Get a new token.")
    if not all(type(claims[name]) is int for name in _TIMES | ({"auth_time"} & claims.keys())):
        raise TokenClaimsInvalid("The access token's times are not whole seconds. Get a new token.")


def _authentication(claims: dict[str, Any]) -> Authentication | None:
    given = {"acr", "auth_time", "ial"} & claims.keys()
    if not given:
        return None
    if len(given) != 3 or claims["sub"] == claims["client_id"]:  # a client acting for itself never logged in
        raise TokenClaimsInvalid("The access token does not say how its person logged in. Get a new token.")
    return Authentication(claims["acr"], claims["auth_time"], claims["ial"])
