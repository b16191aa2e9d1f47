"""Access tokens got as a development client gets them: with its secret, over HTTP."""

from __future__ import annotations

from typing import Any, Protocol

import httpx

from identity.agencies.service import NewClient


class Posts(Protocol):
    def post(self, url: str, **arguments: Any) -> httpx.Response: ...


def bearer_token(http: Posts, made: NewClient) -> str:
    """A bearer token with all that the client holds."""
    answer = http.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=httpx.BasicAuth(made.client.id, made.secret),
    )
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token
