"""The other side: an agency's system with its keys, made with joserfc and not with what it is to test."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from identity.agencies.model import Client
from identity.ports import Clock
from tests.support.tokens import Posts

ORIGIN = "https://absah.example"
TOKEN_URL = f"{ORIGIN}/oauth2/token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
RSA_KEY = RSAKey.generate_key(2048, private=True)

Key = ECKey | RSAKey | OKPKey


class KeyedFingerprints:
    """The one method of a vault that nonces need, with a key of this process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def fingerprint(self, purpose: str, value: str) -> bytes:
        return hmac.digest(self._key, f"{purpose}\0{value}".encode(), "sha256")

    def seal(self, purpose: str, plaintext: bytes, *, context: str) -> bytes:
        raise NotImplementedError("nonces seal nothing")

    def open(self, purpose: str, sealed: bytes, *, context: str) -> bytes:
        raise NotImplementedError("nonces open nothing")


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Mapping[str, Any], claims: Mapping[str, Any], key: Key) -> str:
    token: str = jwt.encode(dict(header), dict(claims), key, algorithms=[header["alg"]], default_type=None)
    return token


class AgencySystem:
    """Keys of one system: ``key`` says who it is, ``proof_key`` is what its tokens are bound to."""

    def __init__(
        self, clock: Clock, *, alg: str = "ES256", key: Key | None = None, origin: str = ORIGIN
    ) -> None:
        self._clock = clock
        self.origin = origin
        self.alg = alg
        self.key = key or ECKey.generate_key("P-256", private=True)
        self.key_id = "main"
        self.proof_key: Key = ECKey.generate_key("P-256", private=True)
        self.proof_alg = "ES256"
        self.registered: Client | None = None
        self.named: str | None = None

    @property
    def id(self) -> str:
        if self.named is not None:
            return self.named
        assert self.registered is not None
        return self.registered.id

    def jwks(self) -> str:
        public = self.key.as_dict(private=False) | {"kid": self.key_id, "alg": self.alg}
        return json.dumps({"keys": [public]})

    def now(self) -> int:
        return int(self._clock().timestamp())

    def assertion(
        self, *, header: Mapping[str, Any] | None = None, key: Key | None = None, **changes: Any
    ) -> str:
        """A client assertion; ``...`` leaves a claim out."""
        claims: dict[str, Any] = {
            "iss": self.id,
            "sub": self.id,
            "aud": self.origin,
            "jti": secrets.token_urlsafe(16),
            "iat": self.now(),
            "exp": self.now() + 60,
        } | changes
        kept = {name: value for name, value in claims.items() if value is not ...}
        return signed({"alg": self.alg, "kid": self.key_id} | dict(header or {}), kept, key or self.key)

    def form(self, assertion: str | None = None, **more: str) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion or self.assertion(),
        } | more

    def proof(
        self,
        method: str = "POST",
        url: str | None = None,
        *,
        nonce: str | None = None,
        access_token: str | None = None,
        header: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """A DPoP proof; ``...`` leaves a claim or a member of the header out."""
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": url or f"{self.origin}/oauth2/token",
            "iat": self.now(),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        if access_token is not None:
            claims["ath"] = b64(hashlib.sha256(access_token.encode()).digest())
        claims |= changes
        made: dict[str, Any] = {
            "typ": "dpop+jwt",
            "alg": self.proof_alg,
            "jwk": self.proof_key.as_dict(private=False),
        } | dict(header or {})
        return signed(
            {name: value for name, value in made.items() if value is not ...},
            {name: value for name, value in claims.items() if value is not ...},
            self.proof_key,
        )

    def bound_token(self, http: Posts) -> tuple[str, str]:
        """A DPoP-bound token and the nonce to use with it, got as any client gets them: by two requests."""
        nonce: str | None = None
        for _ in range(2):
            headers = {"DPoP": self.proof(nonce=nonce)}
            answer = http.post("/oauth2/token", data=self.form(), headers=headers)
            nonce = answer.headers.get("dpop-nonce")
            if answer.status_code == 200:
                assert nonce is not None
                return answer.json()["access_token"], nonce
        raise AssertionError(answer.text)

    def authorization(self, method: str, path: str, token: str, nonce: str) -> dict[str, str]:
        """The two headers of one request to the API."""
        proof = self.proof(method, f"{self.origin}{path}", nonce=nonce, access_token=token)
        return {"Authorization": f"DPoP {token}", "DPoP": proof}
