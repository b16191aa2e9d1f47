"""Access tokens: ES256 JWTs in the profile of RFC 9068. The only file that imports python-jose.

python-jose decides by the token's own header unless told otherwise, takes keys in any shape (a public key as
an HMAC secret among them), reads base 64 leniently and ignores ``crit`` and ``kid``. So nothing reaches it
that is not of the exact form that we write: the compact form and the header are held against that form
first, the key comes from our own set as a ``Key`` object, and one algorithm is named literally.

Only its signature layer is used for reading. The claims layer lets a missing ``exp`` or ``aud`` pass unless
each ``require_*`` is set, which in turn forces its own time check by the system's clock and trips over a
list where a number belongs; here every claim is required, typed and compared by our rules and our clock.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from jose import jwk, jws
from jose.backends.base import Key
from jose.exceptions import JOSEError

from identity.errors import (
    TokenClaimsInvalid,
    TokenExpired,
    TokenMalformed,
    TokenNotOurs,
)
from identity.ports import Clock, TokenKeys, TokenSigner

ALGORITHM: Final = "ES256"
TYPE: Final = "at+jwt"
MAX_CHARACTERS: Final = 4096
LEEWAY: Final = timedelta(seconds=5)
"""How far the clocks of two of our own processes may differ."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")
_HEADER = {"alg", "kid", "typ"}
_TEXT_CLAIMS = {"iss", "sub", "client_id", "scope", "jti"}
_CLAIMS = {*_TEXT_CLAIMS, "aud", "iat", "exp"}


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says (RFC 9068, 2.2)."""

    subject: str
    client_id: str
    scopes: frozenset[str]
    token_id: str
    issued_at: int
    expires_at: int


class AccessTokens:
    """Makes and reads access tokens. Safe to share between threads.

    ``issuer`` and ``audience`` are compared as text. Tokens live ``lifetime``.
    """

    def __init__(
        self, *, keys: TokenKeys, clock: Clock, issuer: str, audience: str, lifetime: timedelta
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._issuer = issuer
        self._audience = audience
        self.lifetime = lifetime
        self._verifiers: dict[bytes, Key] = {}

    def issue(self, *, client_id: str, scopes: frozenset[str], token_id: str) -> str:
        """A signed token for a client acting for itself: ``sub`` is the client (RFC 9068, 2.2)."""
        now = int(self._clock().timestamp())
        signer = self._keys.signer()
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": client_id,
            "client_id": client_id,
            "scope": " ".join(sorted(scopes)),
            "jti": token_id,
            "iat": now,
            "exp": now + int(self.lifetime.total_seconds()),
        }
        return jws.sign(
            claims, _CustodyKey(signer), algorithm=ALGORITHM, headers={"typ": TYPE, "kid": signer.key_id}
        )

    def read(self, token: str) -> AccessClaims:
        """Verify a token. Raises a leaf of :class:`identity.errors.AccessTokenError`, never anything else."""
        # 1. Exactly the compact form and the header that we write; crit, jku, x5c and the like are refused.
        header = _header(token)
        # 2. The key comes from our own set, chosen by kid.
        key = self._verifier(header["kid"])
        # 3. The signature.
        try:
            payload = jws.verify(token, key, [ALGORITHM])
        except JOSEError as cause:
            raise TokenNotOurs("The access token's signature does not verify. Get a new token.") from cause
        # 4. Every claim, by our own rules.
        try:
            claims = json.loads(payload)
        except (ValueError, RecursionError) as cause:
            raise TokenClaimsInvalid("The access token's payload is not JSON. Get a new token.") from cause
        return self._claims(claims)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys as a JWK Set (RFC 7517), for resource servers of others."""
        keys = sorted(self._keys.public_keys().items())
        return {
            "keys": [_public_jwk(spki) | {"kid": kid, "use": "sig", "alg": ALGORITHM} for kid, spki in keys]
        }

    def _verifier(self, key_id: str) -> Key:
        spki = self._keys.public_keys().get(key_id)
        if spki is None:
            raise TokenNotOurs("The access token names a key that is not one of ours. Get a new token.")
        verifier = self._verifiers.get(spki)
        if verifier is None:
            verifier = self._verifiers[spki] = jwk.construct(_public_jwk(spki), ALGORITHM)
        return verifier

    def _claims(self, claims: Any) -> AccessClaims:
        if not isinstance(claims, dict) or claims.keys() != _CLAIMS:
            raise TokenClaimsInvalid("The access token lacks a claim or has one too many. Get a new token.")
        if not all(isinstance(claims[name], str) for name in _TEXT_CLAIMS):
            raise TokenClaimsInvalid("A claim of the access token is not text. Get a new token.")
        if claims["iss"] != self._issuer or claims["aud"] != self._audience:
            raise TokenClaimsInvalid("The access token is from or for another service. Get one for this one.")
        issued_at, expires_at = claims["iat"], claims["exp"]
        if type(issued_at) is not int or type(expires_at) is not int:
            raise TokenClaimsInvalid("The access token's times are not whole seconds. Get a new token.")
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
        )


class _CustodyKey(Key):
    """A key of python-jose's kind whose private half stays where it is kept."""

    def __init__(self, signer: TokenSigner) -> None:
        self._signer = signer

    def sign(self, msg: bytes) -> bytes:
        """The raw form of RFC 7518, 3.4: r and s, 32 bytes each."""
        r, s = decode_dss_signature(self._signer.sign(msg))
        return r.to_bytes(32) + s.to_bytes(32)


def _header(token: str) -> dict[str, str]:
    """The header, if the token is the one spelling of a JWS that we could have written."""
    malformed = TokenMalformed("Not an access token of this service. Get one from /oauth2/token.")
    if len(token) > MAX_CHARACTERS or not _COMPACT.fullmatch(token):
        raise malformed
    try:
        decoded = [_strict_base64url(segment) for segment in token.split(".")]
        header = json.loads(decoded[0])
    except (ValueError, RecursionError):
        raise malformed from None
    if not isinstance(header, dict) or header.keys() != _HEADER:
        raise malformed
    if not all(isinstance(value, str) for value in header.values()):
        raise malformed
    if header["alg"] != ALGORITHM or header["typ"] != TYPE:
        raise malformed
    return header


def _strict_base64url(segment: str) -> bytes:
    """Refuses a second spelling of the same bytes: leftover bits must be zero."""
    try:
        decoded = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except binascii.Error as cause:
        raise ValueError("not base64url") from cause
    if _base64url(decoded) != segment:
        raise ValueError("not the canonical base64url")
    return decoded


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _public_jwk(spki: bytes) -> dict[str, str]:
    key = load_der_public_key(spki)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TypeError("token keys are P-256 keys; ES256 knows no other (RFC 7518, 3.4)")
    point = key.public_numbers()
    x, y = _base64url(point.x.to_bytes(32)), _base64url(point.y.to_bytes(32))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}
