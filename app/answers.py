"""Errors become problem documents (RFC 9457), whatever raised them; for browsers, pages (:mod:`app.faults`).

What a caller did wrong is explained to the caller. What went wrong on our side is logged under an incident
id, and the caller gets that id only: an internal message may name keys, hosts or people.

``title`` follows the reader's language and is fit to be shown to a person; ``detail`` is English, for the
developers and logs of the calling system. Programs decide by ``type``.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AuthenticationInsufficient, CredentialsMissing
from app.faults import FaultPages, wants_page
from app.logs import places
from app.problems import (
    CUSTODY,
    INTERNAL,
    METHOD,
    NOT_FOUND,
    PROBLEMS,
    UNREADABLE,
    VALIDATION,
    Problem,
    problem_of,
)
from identity.agencies.errors import DpopNonceNeeded, ProofNonceNeeded, ProofNotAccepted
from identity.errors import AccessTokenError, ClientNotAuthenticated, OAuthError, TooManyAttempts
from identity.jwks import FAPI_ALGORITHMS
from identity.login.errors import LoginDelayed
from identity.provider.errors import TokenScopeMissing
from identity.web.explained import Explained
from signing.errors import JobInProgress, NotPermitted
from verify.errors import VerifierBusy

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 5

_DPOP: Final = f'DPoP algs="{" ".join(FAPI_ALGORITHMS)}"'


def answer(scope: Scope, error: Exception) -> Response:
    """The HTTP answer to an error, whatever it is."""
    if isinstance(error, HTTPException):
        return _from_starlette(scope, error)
    if isinstance(error, RequestValidationError):
        return _response(
            scope,
            VALIDATION,
            detail="See errors for each place.",
            extra={"errors": _validation_errors(error)},
        )
    if isinstance(error, ClientDisconnect):  # nobody reads this; it is what is counted and measured
        return _response(scope, UNREADABLE, detail="The request ended before its body did.")
    problem = problem_of(error)
    if problem.status >= 500 and not isinstance(error, VerifierBusy):
        return _incident(scope, problem, error)
    return _response(
        scope, problem, detail=str(error), headers=_headers(problem, error), extra=_oauth_members(error),
        media_type="application/json" if isinstance(error, OAuthError) else MEDIA_TYPE,
    )  # fmt: skip


def explained(scope: Scope, error: Exception) -> Explained:
    """The same for a page: status and title by the table, and the incident if it is our fault."""
    problem = problem_of(error)
    incident = None
    if problem.status >= 500:
        incident = _new_incident()
        _log_incident(scope, error, incident)
    return Explained(problem.status, problem.title, problem.judul, incident)


def install(application: FastAPI, *, public_url: str, has_accounts: bool) -> None:
    """Make every refusal of ``application`` a problem document, and serve the pages behind the type URIs.

    ``has_accounts``: people log in here, as the pages for browsers should know.
    """

    def handle(request: Request, error: Exception) -> Response:
        return answer(request.scope, error)

    application.add_exception_handler(HTTPException, handle)
    application.add_exception_handler(RequestValidationError, handle)
    application.state.problem_base = f"{public_url}/problems/"
    application.state.faults = FaultPages(public_url=public_url, has_accounts=has_accounts)

    @application.get("/problems/{slug}", include_in_schema=False, response_class=PlainTextResponse)
    def describe_problem(slug: str) -> Response:
        for problem in (*PROBLEMS.values(), *CUSTODY.values(), METHOD, VALIDATION):
            if problem.slug == slug:
                return PlainTextResponse(f"{problem.judul}\n{problem.title}\n\nHTTP {problem.status}\n")
        raise HTTPException(404)


class ProblemMiddleware:
    """Answers everything that the application raises; nothing goes on to the server's own error page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if started:  # too late for a document: the broken connection has to tell the client
                _log_incident(scope, error, _new_incident())
                raise
            await answer(scope, error)(scope, receive, send)


def _from_starlette(scope: Scope, error: HTTPException) -> Response:
    # FastAPI turns whatever is raised while it reads a body into its own 400; the cause knows better.
    cause = error.__cause__
    if isinstance(cause, Exception) and problem_of(cause) is not INTERNAL:
        return answer(scope, cause)
    known = {404: NOT_FOUND, 405: METHOD}.get(error.status_code)
    if known is not None:
        headers = {"Allow": _allowed(scope)} if known is METHOD else error.headers
        return _response(scope, known, headers=headers)
    if error.status_code >= 500:
        return _incident(scope, INTERNAL, error)
    return _response(
        scope, UNREADABLE, detail=str(error.detail), headers=error.headers, status=error.status_code
    )


def _allowed(scope: Scope) -> str:
    """Every method of the address, where the framework names only those of the first route it met."""
    taken = [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in scope["app"].routes)
    ]
    return ", ".join(["HEAD", *taken] if "GET" in taken else taken)


def _validation_errors(error: RequestValidationError) -> list[dict[str, str]]:
    """Where and what, never the value that was sent: it may be somebody's data."""
    return [
        {"location": ".".join(str(part) for part in entry["loc"]), "message": entry["msg"]}
        for entry in error.errors()
    ]


def _incident(scope: Scope, problem: Problem, error: Exception) -> Response:
    incident = _new_incident()
    _log_incident(scope, error, incident)
    return _response(
        scope,
        problem,
        detail=f"Try again in a moment. If it stays, report incident {incident}.",
        headers={"Retry-After": str(RETRY_SECONDS)} if problem.status == 503 else None,
        extra={"incident": incident},
    )


def _new_incident() -> str:
    return secrets.token_hex(6)


def _log_incident(scope: Scope, error: Exception, incident: str) -> None:
    """Types and places only: the words of a foreign exception may hold somebody's data."""
    causes: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < 5:
        causes.append(type(cause).__qualname__)
        cause = cause.__cause__ or cause.__context__
    ours = type(error).__module__.partition(".")[0] in {"app", "ca", "identity", "keys", "signing", "verify"}
    log.error(
        "incident",
        incident=incident,
        method=scope["method"],
        route=getattr(scope.get("route"), "path", "unmatched"),
        error=causes,
        reason=str(error) if ours else "",
        at=places(error),
    )


def _headers(problem: Problem, error: Exception) -> dict[str, str] | None:
    headers = {}
    challenge = _challenge(error)
    if challenge is not None:
        headers["WWW-Authenticate"] = challenge
    if isinstance(error, DpopNonceNeeded | ProofNonceNeeded):
        headers["DPoP-Nonce"] = error.nonce
    if problem.status == 503 or isinstance(error, JobInProgress | TooManyAttempts | LoginDelayed):
        seconds = error.retry_after if isinstance(error, TooManyAttempts | LoginDelayed) else RETRY_SECONDS
        headers["Retry-After"] = str(seconds)
    return headers or None


def _challenge(error: Exception) -> str | None:
    """What a 401 or 403 says about tokens (RFC 6750, 3; RFC 9449, 7.1 and 9) and clients (RFC 6749, 5.2)."""
    bearer, challenge = 'Bearer realm="absah"', None
    match error:
        case ProofNonceNeeded():
            challenge = f'{_DPOP}, error="use_dpop_nonce", {_described(error)}'
        case ProofNotAccepted():
            challenge = f'{_DPOP}, error="invalid_dpop_proof", {_described(error)}'
        case TokenScopeMissing():
            challenge = f'{bearer}, error="insufficient_scope", scope="{error.scope}", {_DPOP}'
        case AuthenticationInsufficient():
            wanted = f'acr_values="{error.acr}", max_age="{int(error.max_age.total_seconds())}"'
            reason = f'error="insufficient_user_authentication", {_described(error)}, {wanted}'
            challenge = f"{bearer}, {reason}, {_DPOP}"
        case AccessTokenError():
            challenge = f'{bearer}, error="invalid_token", {_described(error)}, {_DPOP}'
        case CredentialsMissing():
            challenge = f"{bearer}, {_DPOP}"
        case NotPermitted():
            challenge = f'{bearer}, error="insufficient_scope"'
        case ClientNotAuthenticated():
            challenge = 'Basic realm="absah", charset="UTF-8"'
    return challenge


def _described(error: Exception) -> str:
    """The characters that RFC 6750, 3 allows in a description."""
    words = "".join(char if " " <= char <= "~" and char not in '"\\' else "'" for char in str(error))
    return f'error_description="{words}"'


def _oauth_members(error: Exception) -> dict[str, Any]:
    """RFC 6749, 5.2 wants these two; they stand beside the members of the problem document."""
    if not isinstance(error, OAuthError):
        return {}
    return {"error": error.code, "error_description": str(error)}


def _response(
    scope: Scope,
    problem: Problem,
    *,
    detail: str | None = None,
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
    status: int | None = None,
    media_type: str = MEDIA_TYPE,
) -> Response:
    faults: FaultPages | None = getattr(scope["app"].state, "faults", None) if "app" in scope else None
    if faults is not None and wants_page(scope):
        return faults.show(
            scope,
            problem,
            status=status or problem.status,
            incident=(extra or {}).get("incident"),
            headers=headers or {},
        )
    indonesian = _prefers_indonesian(scope)
    body: dict[str, Any] = {
        "type": f"{_base(scope)}{problem.slug}",
        "title": problem.judul if indonesian else problem.title,
        "status": status or problem.status,
    }
    if detail:
        body["detail"] = detail
    body |= {"request_id": scope.get("state", {}).get("request_id")}
    body |= extra or {}
    return Response(
        json.dumps(body, ensure_ascii=False).encode(
            "utf-8", "replace"
        ),  # a detail may quote half a character
        status_code=status or problem.status,
        media_type=media_type,
        headers={
            **(headers or {}),
            "Cache-Control": "no-store",
            "Content-Language": "id" if indonesian else "en",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _base(scope: Scope) -> str:
    application = scope.get("app")
    return str(application.state.problem_base) if application is not None else "/problems/"


def _prefers_indonesian(scope: Scope) -> bool:
    """Whichever of the two comes first in Accept-Language; the order is what browsers send by preference."""
    for name, value in scope["headers"]:
        if name == b"accept-language":
            for part in value.decode("latin-1").lower().split(","):
                language = part.strip()
                if language.startswith("id"):
                    return True
                if language.startswith("en"):
                    return False
    return False
