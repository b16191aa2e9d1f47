"""How an agency's system gets and shows its access token: as it does in production, and as in development.

Both are ``auth=`` for httpx. ``KeyToken`` needs joserfc and a key that ``absah client new-key`` made.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Flow = Generator[httpx.Request, httpx.Response, None]


class KeyToken(httpx.Auth):
    """For production. The system proves who it is by its key (RFC 7523), and its token is bound to a second
    key that signs every request (DPoP, RFC 9449): whoever steals the token can do nothing with it."""

    requires_response_body = True

    def __init__(self, issuer: str, client_id: str, private_key: Path) -> None:
        self._issuer, self._client_id = issuer, client_id
        self._key: Any = ECKey.import_key(private_key.read_bytes())
        self._proof_key: Any = ECKey.generate_key("P-256", private=True)  # new in every process
        self._token: str | None = None
        self._nonce: str | None = None

    def auth_flow(self, request: httpx.Request) -> Flow:
        for _ in range(4):  # a token, its nonce, the call, its nonce
            if self._token is None:
                answer = yield self._token_request()
                self._nonce = answer.headers.get("DPoP-Nonce", self._nonce)
                if answer.is_error and answer.json().get("error") == "use_dpop_nonce":
                    continue
                answer.raise_for_status()
                self._token = answer.json()["access_token"]
            request.headers["Authorization"] = f"DPoP {self._token}"
            request.headers["DPoP"] = self._proof(request.method, request.url, self._token)
            answer = yield request
            if answer.status_code != 401:
                return
            if "DPoP-Nonce" in answer.headers:
                self._nonce = answer.headers["DPoP-Nonce"]
            else:
                self._token = None

    def _token_request(self) -> httpx.Request:
        url = httpx.URL(f"{self._issuer}/oauth2/token")
        now = int(time.time())
        names = {"iss": self._client_id, "sub": self._client_id, "aud": self._issuer}
        assertion = _signed(
            {"alg": "ES256"},
            {**names, "jti": secrets.token_urlsafe(16), "iat": now, "exp": now + 60},
            self._key,
        )
        form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
        return httpx.Request(
            "POST",
            url,
            data={"grant_type": "client_credentials", **form},
            headers={"DPoP": self._proof("POST", url)},
        )

    def _proof(self, method: str, url: httpx.URL, token: str | None = None) -> str:
        """Made anew for every request, repeated ones included."""
        claims = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": str(url.copy_with(query=None, fragment=None)),
            "iat": int(time.time()),
        }
        if self._nonce:
            claims["nonce"] = self._nonce
        if token:
            digest = hashlib.sha256(token.encode()).digest()
            claims["ath"] = urlsafe_b64encode(digest).rstrip(b"=").decode()
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self._proof_key.as_dict(private=False)}
        return _signed(header, claims, self._proof_key)


class SecretToken(httpx.Auth):
    """For development: a secret, and a token that anybody can use who gets hold of it."""

    requires_response_body = True

    def __init__(self, issuer: str, client_id: str, client_secret: str) -> None:
        self._request = httpx.Request(
            "POST",
            f"{issuer}/oauth2/token",
            data={"grant_type": "client_credentials"},
            headers={"Authorization": f"Basic {b64encode(f'{client_id}:{client_secret}'.encode()).decode()}"},
        )
        self._token: str | None = None

    def auth_flow(self, request: httpx.Request) -> Flow:
        for _ in range(2):
            if self._token is None:
                answer = yield self._request
                answer.raise_for_status()
                self._token = answer.json()["access_token"]
            request.headers["Authorization"] = f"Bearer {self._token}"
            answer = yield request
            if answer.status_code != 401:
                return
            self._token = None


def _signed(header: dict[str, Any], claims: dict[str, Any], key: Any) -> str:
    token: str = jwt.encode(header, claims, key, algorithms=["ES256"])
    return token
