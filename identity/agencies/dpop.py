"""DPoP: every request signed by the key that the access token is bound to (RFC 9449).

The nonces (8 and 9) are not stored: each is a keyed fingerprint of a stretch of time, equal in all processes
and predictable to nobody. That of the stretch before is accepted too. A proof must carry one, so that proofs
made in advance on a machine that was stolen later are worth nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes, urlsplit

from identity import tokens
from identity.agencies.assertions import LONGEST_ID, numeric_date
from identity.agencies.errors import DpopNonceNeeded, DpopProofInvalid
from identity.agencies.model import AgencyPolicy
from identity.agencies.once import OnceOnly
from identity.encoding import base64url, equal
from identity.errors import SignedTokenError
from identity.jwks import FAPI_ALGORITHMS
from identity.ports import Clock, Vault

TYPE: Final = "dpop+jwt"

_PURPOSE = "oauth"
_NONCE_BYTES = 16
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Proofs:
    """Judges DPoP proofs. Safe to share between threads.

    ``origins`` are the addresses that clients know us by (scheme, host, port), from settings: what a request
    says about its own host proves nothing.
    """

    def __init__(
        self, *, once: OnceOnly, clock: Clock, vault: Vault, origins: Collection[str], policy: AgencyPolicy
    ) -> None:
        self._once = once
        self._clock = clock
        self._vault = vault
        self._origins = tuple(origins)
        self._policy = policy
        self._nonces: dict[int, str] = {}

    def nonce(self) -> str:
        """The nonce to be used now."""
        return self._nonce_of(self._stretch())

    def check(self, proof: str, *, method: str, path: str, access_token: str | None = None) -> str:
        """The thumbprint (RFC 7638) of the key that signed ``proof`` for exactly this request.

        ``path`` as it was sent, without the query. Raises :class:`DpopProofInvalid` or
        :class:`DpopNonceNeeded`.
        """
        # 1. Its form, its own key, its signature.
        try:
            _, claims, key = tokens.verify_embedded(proof, typ=TYPE, algorithms=FAPI_ALGORITHMS)
        except SignedTokenError as cause:
            raise DpopProofInvalid(f"The DPoP proof is not accepted. {cause}") from cause
        # 2. This request, and this access token.
        self._require_request(claims, method, path)
        if access_token is not None:
            digest = base64url(hashlib.sha256(access_token.encode()).digest())
            if not equal(claims.get("ath"), digest):
                raise DpopProofInvalid("The DPoP proof's ath is not the hash of the access token.")
        # 3. Now: by its own clock and by our nonce.
        self._require_now(claims)
        # 4. For the first time. Last, because it alone leaves a mark.
        self._require_first(claims, key.thumbprint)
        return key.thumbprint

    def _require_request(self, claims: Mapping[str, Any], method: str, path: str) -> None:
        if claims.get("htm") != method:
            raise DpopProofInvalid(f"The DPoP proof's htm is not {method}.")
        target = claims.get("htu")
        meant = normalised(target) if isinstance(target, str) else None
        if meant is None or meant not in {normalised(origin + path) for origin in self._origins}:
            raise DpopProofInvalid("The DPoP proof's htu is not this address, as it is publicly known.")

    def _require_now(self, claims: Mapping[str, Any]) -> None:
        issued_at = numeric_date(claims.get("iat"))
        if issued_at is None:
            raise DpopProofInvalid("The DPoP proof's iat is missing or not a number of seconds.")
        age = self._clock().timestamp() - issued_at
        if not -self._policy.ahead.total_seconds() <= age <= self._policy.proof_life.total_seconds():
            raise DpopProofInvalid(
                "The DPoP proof is not from this moment. Make one for every request. Clock?"
            )
        stretch = self._stretch()
        if not any(equal(claims.get("nonce"), self._nonce_of(each)) for each in (stretch, stretch - 1)):
            raise DpopNonceNeeded(self.nonce())

    def _require_first(self, claims: Mapping[str, Any], thumbprint: str) -> None:
        token_id = claims.get("jti")
        if not isinstance(token_id, str) or not 0 < len(token_id) <= LONGEST_ID:
            raise DpopProofInvalid(f"The DPoP proof's jti is not a text of 1 to {LONGEST_ID} characters.")
        digest = hashlib.sha256(f"dpop\0{thumbprint}\0{token_id}".encode()).digest()
        issued_at = datetime.fromtimestamp(float(claims["iat"]), UTC)
        if not self._once.is_first(digest, issued_at + self._policy.proof_life + timedelta(seconds=1)):
            raise DpopProofInvalid("The DPoP proof was used before. Make one for every request.")

    def _stretch(self) -> int:
        return int(self._clock().timestamp() // self._policy.nonce_life.total_seconds())

    def _nonce_of(self, stretch: int) -> str:
        nonce = self._nonces.get(stretch)
        if nonce is None:
            digest = self._vault.fingerprint(_PURPOSE, f"dpop-nonce {stretch}")
            nonce = base64url(digest[:_NONCE_BYTES])
            # Replaced as a whole, so that threads need no lock; older stretches are asked for no more.
            self._nonces = {key: value for key, value in self._nonces.items() if key >= stretch - 1} | {
                stretch: nonce
            }
        return nonce


def normalised(url: str) -> str | None:
    """A web address without query and fragment, in one spelling (RFC 3986, 6.2.2 and 6.2.3); None if it is
    not one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    default = _DEFAULT_PORTS.get(parts.scheme)
    if default is None or not parts.hostname or parts.username is not None or not parts.netloc.isascii():
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    where = host if port in {None, default} else f"{host}:{port}"
    # One step of percent-decoding, and encoding again: "%2F" stays apart from "/".
    path = "/".join(quote(unquote_to_bytes(part), safe="") for part in parts.path.split("/"))
    return f"{parts.scheme}://{where}{path or '/'}"
