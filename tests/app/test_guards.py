"""Every route asks for a token or says that it is public."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from app.guards import PUBLIC_PREFIXES, PUBLIC_ROUTES, BearerGuard, TokenGuard
from app.main import build_app
from app.operator_callers import OperatorGuard
from app.wiring import Core
from tests.support.asgi import InProcess


def _routes(core: Core) -> list[RouteContext]:
    with ExitStack() as closing:
        contexts = iter_route_contexts(build_app(core, closing=closing).routes)
        return [context for context in contexts if context.methods and context.path != "/openapi.json"]


def _is_guarded(context: RouteContext) -> bool:
    route = context.original_route
    if getattr(context.endpoint, "demands_session", False):  # a page of identity.web
        return True
    return isinstance(route, APIRoute) and any(
        isinstance(dependency.call, BearerGuard | TokenGuard | OperatorGuard)
        for dependency in route.dependant.dependencies
    )


def _is_declared_public(method: str, path: str) -> bool:
    return (method, path) in PUBLIC_ROUTES or path.startswith(PUBLIC_PREFIXES)


def test_every_route_declares_its_guard_or_is_public_by_name(core: Core) -> None:
    undecided, twice = [], []
    for context in _routes(core):
        assert context.path is not None
        for method in set(context.methods or ()) - {"HEAD"}:
            guarded, public = _is_guarded(context), _is_declared_public(method, context.path)
            (undecided if not guarded and not public else twice if guarded and public else []).append(
                (method, context.path)
            )
    assert undecided == []
    assert twice == []


def test_no_public_entry_is_left_over_from_a_route_that_is_gone(core: Core) -> None:
    there = {(method, context.path) for context in _routes(core) for method in context.methods or ()}
    assert there >= PUBLIC_ROUTES
    paths = [context.path or "" for context in _routes(core)]
    for prefix in PUBLIC_PREFIXES:
        assert prefix == "/static/" or any(path.startswith(prefix) for path in paths), prefix


@pytest.mark.parametrize(
    ("header", "slug", "challenge"),
    [
        (None, "access-token-missing", 'Bearer realm="absah"'),
        ("", "access-token-missing", 'Bearer realm="absah"'),
        ("Basic eDp5", "access-token-missing", 'Bearer realm="absah"'),
        ("Bearer ", "access-token-missing", 'Bearer realm="absah"'),
        ("Bearer nonsense", "access-token-invalid", 'error="invalid_token"'),
        ("Bearer é", "access-token-invalid", 'error="invalid_token"'),
    ],
)
def test_without_a_good_token_a_guarded_route_answers_401_and_how_to_get_one(
    header: str | None, slug: str, challenge: str, api: InProcess
) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    for method, path in (
        ("GET", "/v1/documents"),
        ("POST", "/v1/documents"),
        ("GET", "/v1/documents/X/file"),
    ):
        answer = api.request(method, path, headers=headers)
        assert answer.status_code == 401, answer.text
        assert answer.json()["type"].endswith(slug)
        assert challenge in answer.headers["www-authenticate"]


def test_the_interface_description_is_complete_and_served(api: InProcess) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    assert {"/v1/documents", "/v1/verifications", "/oauth2/token", "/tsa"} <= set(paths)
