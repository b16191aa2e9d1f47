"""``/oauth2``: access tokens for agencies' systems (RFC 6749) and the keys that verify them (RFC 7517)."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from identity.errors import ClientNotAuthenticated, GrantNotSupported, TokenRequestInvalid
from identity.service import IdentityService

_LONGEST_FORM = 8192
_FORM = "application/x-www-form-urlencoded"


class TokenOut(BaseModel):
    """RFC 6749, 5.1."""

    model_config = ConfigDict(frozen=True)

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the name of a type
    expires_in: int = Field(description="Seconds.")
    scope: str


_TOKEN_REQUEST = {
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"const": "client_credentials"},
                        "scope": {"type": "string", "description": "All that the client holds, when absent."},
                        "client_id": {"type": "string", "description": "Unless HTTP Basic is used."},
                        "client_secret": {"type": "string", "description": "Unless HTTP Basic is used."},
                    },
                }
            }
        },
    }
}


async def _form(request: Request) -> dict[str, str]:
    """The form's parameters, each at most once (RFC 6749, 3.2)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise TokenRequestInvalid(f"The body must be {_FORM}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            raise TokenRequestInvalid(f"The form is longer than {_LONGEST_FORM} bytes.")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=32)
    except ValueError:
        raise TokenRequestInvalid("The form is not correctly encoded.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise TokenRequestInvalid("A parameter is there twice.")
    return form


def router(service: IdentityService) -> APIRouter:
    """Routes under ``/oauth2``; both are public, the token endpoint authenticates the client itself."""
    routes = APIRouter(prefix="/oauth2", tags=["tokens"])

    @routes.post(
        "/token",
        summary="Get an access token (client credentials)",
        response_model=TokenOut,
        openapi_extra=_TOKEN_REQUEST,
    )
    def token(request: Request, form: Annotated[dict[str, str], Depends(_form)]) -> Response:
        # Who first, then what: somebody without a secret learns nothing about grants and scopes.
        client_id, secret = _credentials(request.headers.get("authorization"), form)
        grant_type = form.get("grant_type")
        if not grant_type:
            raise TokenRequestInvalid("grant_type is missing; send client_credentials.")
        if grant_type != "client_credentials":
            raise GrantNotSupported("The only grant type here is client_credentials.")
        address = request.client.host if request.client else ""
        granted = service.grant_token(client_id, secret, scope=form.get("scope"), address=address)
        answer = TokenOut(
            access_token=granted.access_token,
            expires_in=granted.expires_in,
            scope=" ".join(sorted(granted.scopes)),
        )
        return JSONResponse(answer.model_dump(), headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

    @routes.get("/jwks", summary="The keys that verify access tokens")
    def jwks() -> Response:
        return JSONResponse(
            service.jwks(), media_type="application/jwk-set+json", headers={"Cache-Control": "max-age=300"}
        )

    return routes


def _credentials(authorization: str | None, form: dict[str, str]) -> tuple[str, str]:
    """From HTTP Basic or the form, never from both (RFC 6749, 2.3)."""
    if authorization is None:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if not client_id or not secret:
            raise ClientNotAuthenticated
        return client_id, secret
    if "client_secret" in form:
        raise TokenRequestInvalid("Send the client's secret in one way: HTTP Basic or the form.")
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise ClientNotAuthenticated
    try:
        user, colon, password = (
            base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
        )
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise ClientNotAuthenticated from None
    if not colon:
        raise ClientNotAuthenticated
    # The two are form-encoded before they are joined (RFC 6749, 2.3.1).
    client_id = unquote_plus(user)
    if form.get("client_id", client_id) != client_id:
        raise TokenRequestInvalid("HTTP Basic and the form name different clients.")
    return client_id, unquote_plus(password)
