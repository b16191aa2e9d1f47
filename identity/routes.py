"""``/oauth2/token`` and ``/oauth2/jwks``: tokens (RFC 6749) and the keys that verify them (RFC 7517)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from identity.agencies.assertions import ASSERTION_TYPE
from identity.agencies.grants import Grants, TokenRequest
from identity.agencies.requests import RequestReader, address_of
from identity.errors import TokenRequestInvalid

NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}

_LONGEST_FORM = 32 * 1024
_FORM = "application/x-www-form-urlencoded"


class TokenOut(BaseModel):
    """RFC 6749, 5.1; grants for people add what OpenID Connect Core, 3.1.3.3 has."""

    model_config = ConfigDict(frozen=True, extra="allow")

    access_token: str
    token_type: str = Field(description="DPoP or Bearer.")
    expires_in: int = Field(description="Seconds.")
    scope: str


def form_body(*required: str, **properties: Mapping[str, Any]) -> dict[str, Any]:
    """``openapi_extra`` of an endpoint that takes a form and authenticates the client."""
    credentials = {
        "client_id": {"type": "string", "description": "Unless HTTP Basic or an assertion says it."},
        "client_assertion_type": {"const": ASSERTION_TYPE},
        "client_assertion": {"type": "string", "description": "A JWT for private_key_jwt (RFC 7523)."},
        "client_secret": {"type": "string", "description": "In development only, unless HTTP Basic is used."},
    }
    schema = {"type": "object", "required": list(required), "properties": {**properties, **credentials}}
    return {"requestBody": {"required": True, "content": {_FORM: {"schema": schema}}}}


async def oauth_form(request: Request) -> dict[str, str]:
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


OAuthForm = Annotated[dict[str, str], Depends(oauth_form)]


def router(
    reader: RequestReader, grants: Grants, *, jwks: Callable[[], dict[str, list[dict[str, str]]]]
) -> APIRouter:
    """Routes under ``/oauth2``; both are public, the token endpoint authenticates the client itself."""
    routes = APIRouter(prefix="/oauth2", tags=["tokens"])
    body = form_body(
        "grant_type",
        grant_type={"enum": grants.names},
        scope={"type": "string", "description": "All that the client holds, when absent."},
        code={"type": "string", "description": "With authorization_code: what the browser brought."},
        redirect_uri={"type": "string", "description": "With authorization_code: where it was brought."},
        code_verifier={"type": "string", "description": "With authorization_code: PKCE (RFC 7636)."},
        refresh_token={"type": "string", "description": "With refresh_token; the answer has its successor."},
    )

    @routes.post("/token", summary="Get an access token", response_model=TokenOut, openapi_extra=body)
    def token(request: Request, form: OAuthForm) -> Response:
        # Who first, then what: somebody who is not known learns nothing about grants and scopes.
        client = reader.client(request, form)
        holder = reader.holder(request)
        answer = grants.answer(TokenRequest(client, form, holder, address_of(request)))
        # The nonce that the next proof needs (RFC 9449, 8.2) saves its sender a round trip.
        nonce = {"DPoP-Nonce": reader.proofs.nonce()} if holder.proof_key else {}
        return JSONResponse(dict(answer), headers={**NO_STORE, **nonce})

    @routes.get("/jwks", summary="The keys that verify our tokens")
    def public_keys() -> Response:
        return JSONResponse(
            jwks(), media_type="application/jwk-set+json", headers={"Cache-Control": "max-age=300"}
        )

    return routes
