"""The provider's endpoints for machines: discovery, PAR, UserInfo, introspection, revocation.

``/oauth2/token`` and ``/oauth2/jwks`` are in :mod:`identity.routes`, what people see in
:mod:`identity.provider.pages`.
"""

# No postponed annotations here: FastAPI could not resolve the guard, which is local to `router`.

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from starlette.responses import RedirectResponse

from identity.access import AccessClaims
from identity.agencies.requests import RequestReader
from identity.errors import TokenRequestInvalid
from identity.provider.authorizing import Authorizing
from identity.provider.inspecting import Inspecting
from identity.provider.model import Prompt, ResponseMode
from identity.provider.requests import Parameters
from identity.routes import NO_STORE, OAuthForm, form_body

_CREDENTIALS: Final = frozenset({"client_assertion", "client_assertion_type", "client_secret"})
_TEXT: Final = {"type": "string"}
_REQUEST: Final[Mapping[str, Mapping[str, Any]]] = {
    "response_type": {"const": "code"},
    "redirect_uri": _TEXT | {"format": "uri", "description": "Exactly as registered."},
    "code_challenge": _TEXT | {"pattern": "^[A-Za-z0-9_-]{43}$"},
    "code_challenge_method": {"const": "S256"},
    "scope": _TEXT,
    "state": _TEXT,
    "nonce": _TEXT,
    "response_mode": {"enum": [mode.value for mode in ResponseMode]},
    "prompt": _TEXT | {"description": f"Words among {', '.join(Prompt)}, with spaces between them."},
    "max_age": _TEXT | {"pattern": "^[0-9]{1,9}$", "description": "Seconds."},
    "acr_values": _TEXT,
    "ui_locales": _TEXT,
    "login_hint": _TEXT,
    "id_token_hint": _TEXT,
    "dpop_jkt": _TEXT,
}
"""What a pushed request may say; :mod:`identity.provider.requests` reads it."""
_A_DAY: Final = {"Cache-Control": "public, max-age=3600"}


def router(
    *,
    metadata: Mapping[str, Any],
    reader: RequestReader,
    authorizing: Authorizing,
    inspecting: Inspecting,
    accepted: Callable[[Request], AccessClaims],
) -> APIRouter:
    """``metadata`` is what discovery answers. ``accepted`` is the guard that reads and checks an access
    token; it raises where there is none."""
    routes = APIRouter(tags=["portals"])
    Presented = Annotated[AccessClaims, Depends(accepted)]

    @routes.get("/.well-known/openid-configuration", summary="What the provider offers (Discovery 1.0)")
    @routes.get(
        "/.well-known/oauth-authorization-server",
        include_in_schema=False,
        summary="The same, for OAuth clients (RFC 8414)",
    )
    def discovery() -> Response:
        return JSONResponse(dict(metadata), headers=_A_DAY)

    @routes.post(
        "/oauth2/par",
        status_code=201,
        summary="Push an authorization request (RFC 9126)",
        openapi_extra=form_body(
            *("response_type", "redirect_uri", "code_challenge", "code_challenge_method"),
            **_REQUEST,
        ),
    )
    def push(request: Request, form: OAuthForm) -> Response:
        client = reader.client(request, form)
        sent = {name: value for name, value in form.items() if name not in _CREDENTIALS}
        proof_key = reader.holder(request).proof_key
        if proof_key is not None and sent.setdefault("dpop_jkt", proof_key) != proof_key:
            raise TokenRequestInvalid("dpop_jkt and the DPoP proof name different keys (RFC 9449, 10.1).")
        request_uri, life = authorizing.push(client.id, Parameters.of(sent.items()))
        answer = {"request_uri": request_uri, "expires_in": int(life.total_seconds())}
        return JSONResponse(answer, 201, headers=NO_STORE)

    @routes.post("/oauth2/authorize", include_in_schema=False)
    def posted_request(form: OAuthForm) -> Response:
        """OpenID Connect Core, 3.1.2.1 lets portals post. Our cookies do not come with another site's form
        (SameSite), so that the browser comes again by itself."""
        return RedirectResponse(f"/oauth2/authorize?{urlencode(form)}", status_code=303)

    @routes.post("/oauth2/logout", include_in_schema=False)
    def posted_logout(form: OAuthForm) -> Response:
        """As above, for RP-Initiated Logout, 2."""
        return RedirectResponse(f"/oauth2/logout?{urlencode(form)}", status_code=303)

    @routes.get(
        "/oauth2/userinfo", summary="What a person shares with this portal (OpenID Connect Core, 5.3)"
    )
    @routes.post("/oauth2/userinfo", include_in_schema=False)
    def userinfo(claims: Presented) -> Response:
        return JSONResponse(inspecting.userinfo(claims), headers=NO_STORE)

    @routes.post(
        "/oauth2/introspect",
        summary="Whether a token is good now (RFC 7662)",
        openapi_extra=form_body("token", token={"type": "string"}),
    )
    def introspect(request: Request, form: OAuthForm) -> Response:
        client = reader.client(request, form)
        return JSONResponse(dict(inspecting.introspect(client, _token(form))), headers=NO_STORE)

    @routes.post(
        "/oauth2/revoke",
        summary="Revoke a token (RFC 7009)",
        response_class=Response,  # nothing is in it
        openapi_extra=form_body("token", token={"type": "string"}),
    )
    def revoke(request: Request, form: OAuthForm) -> Response:
        client = reader.client(request, form)
        inspecting.revoke(client.id, _token(form))
        return Response(status_code=200, headers=NO_STORE)

    return routes


def _token(form: Mapping[str, str]) -> str:
    token = form.get("token")
    if not token:
        raise TokenRequestInvalid("token is missing.")
    return token
