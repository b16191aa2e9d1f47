"""Who may call a route: a bearer token's client, or anyone. Every route is one or the other, by name."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from app.callers import Callers
from app.errors import CredentialsMissing
from app.signatories import Signatories
from identity.access import AccessClaims
from signing.ports import Caller

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})

PUBLIC_ROUTES: Final = frozenset(
    {
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/"),  # leads to the verification page
        ("GET", "/metrics"),  # counts only; the reverse proxy keeps it inside
        ("GET", "/problems/{slug}"),
        ("POST", "/oauth2/token"),  # authenticates the client itself
        ("GET", "/oauth2/jwks"),
        ("GET", "/.well-known/openid-configuration"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("POST", "/oauth2/par"),  # authenticate the client themselves
        ("POST", "/oauth2/introspect"),
        ("POST", "/oauth2/revoke"),
        ("POST", "/oauth2/authorize"),  # only send the browser on, to a page
        ("POST", "/oauth2/logout"),
        ("GET", "/oauth2/authorize"),  # leads to the login where there is no session
        ("GET", "/oauth2/logout"),
        ("POST", "/oauth2/consent"),  # ask for the session themselves, to say what happened to the flow
        ("POST", "/oauth2/logout/confirmed"),
    }
)
"""Routes of the composition root and of identity that need no token. Those of `verify` and `ca` are public as
a whole: :data:`PUBLIC_PREFIXES`. ``tests/app/test_guards.py`` holds every route against the two lists."""

PUBLIC_PREFIXES: Final = (
    "/d/",
    "/verify",
    "/v1/verifications",
    "/v1/receipt-keys",
    "/pki/",
    "/ocsp/",
    "/tsa",
    "/static/",
    # The way in and the way back in: nobody has a session there yet. Forms carry their own token.
    "/login",
    "/logout",
    "/register",
    "/activate",
    "/setup",
    "/recovery",
    "/not-me",
)


class TokenGuard:
    """A FastAPI dependency: an access token's claims, once it is known to be ours and presented rightly.

    What stands behind the token now (its client, its person's consent) is for the service to say.
    """

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    def __call__(self, request: Request) -> AccessClaims:
        """Raises :class:`app.errors.CredentialsMissing` or a leaf of `identity.errors.AccessTokenError`."""
        presented = self._callers.reader.presented(request)
        if presented is None:
            raise CredentialsMissing
        return self._callers.gate.accept(presented)


class BearerGuard:
    """A FastAPI dependency: the access token's client as a :class:`signing.ports.Caller`.

    A token that is bound to a key or a certificate is honoured with that only. Scopes are checked where the
    act happens, in the service: only it knows the document's type. A person's token is for ``signatories`` to
    judge, and worth nothing where there are none; whatever it changes wants a fresh login (RFC 9470).
    """

    def __init__(self, callers: Callers, signatories: Signatories | None = None) -> None:
        self._callers = callers
        self._signatories = signatories

    def __call__(self, request: Request) -> Caller:
        """Raises :class:`app.errors.CredentialsMissing`, a leaf of `identity.errors.AccessTokenError`, or
        what :meth:`app.signatories.Signatories.caller` raises."""
        presented = self._callers.reader.presented(request)
        if presented is None:
            raise CredentialsMissing
        claims = self._callers.gate.accept(presented)
        if claims.authentication is not None and self._signatories is not None:
            return self._signatories.caller(claims, acts=request.method not in SAFE_METHODS)
        principal = self._callers.agencies.principal(claims)
        return Caller(
            client_id=principal.client.id,
            agency_id=principal.agency.id,
            agency_name=principal.agency.name,
            scopes=principal.scopes,
            is_sandbox=principal.client.is_sandbox,
        )
