"""schemathesis reads our own description of the identity endpoints and sends what it allows, and what not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import response_schema_conformance

from app.main import build_app
from app.wiring import Core
from identity.provider.portals import PortalRegistration
from tests.support.asgi import InProcess
from tests.support.tokens import bearer_token

Endpoint = APIOperation[Any, Any, Any, Any]
TAGS = ["tokens", "portals"]
ENDPOINTS = {
    "/.well-known/openid-configuration",
    "/oauth2/introspect",
    "/oauth2/jwks",
    "/oauth2/par",
    "/oauth2/revoke",
    "/oauth2/token",
    "/oauth2/userinfo",
}
CREDENTIALS = {"client_id", "client_secret", "client_assertion", "client_assertion_type"}
EXAMPLES = 15
"""Requests of each kind, for each endpoint and each caller."""


@pytest.fixture
def callers(core: Core, api: InProcess) -> dict[str, dict[str, str]]:
    """Headers by who sends them. Those who are known come first: guesses from this address close it to
    everybody in the end, and nobody would reach what lies behind any more."""
    registration = PortalRegistration(
        agency_id="dinas", name="Izin", redirect_uris=("https://portal.example/callback",)
    )
    portal = core.provider.portals.add(registration, actor="test")
    system = core.agencies.add_client("dinas", name="test", scopes=["documents.read"], actor="test")
    return {
        "portal": _basic(portal.portal.id, portal.secret),
        "system": _basic(system.client.id, system.secret),
        "token": {"Authorization": f"Bearer {bearer_token(api, system)}"},
        "nobody": {},
    }


@pytest.mark.either_database
def test_nothing_that_our_description_suggests_is_a_server_error(
    core: Core, api: InProcess, callers: dict[str, dict[str, str]]
) -> None:
    seen: set[tuple[str, str, int]] = set()
    endpoints = list(_described(core))
    assert {endpoint.path for endpoint in endpoints} == ENDPOINTS
    for caller, headers in callers.items():
        for endpoint in endpoints:
            for mode in GenerationMode:
                if mode is GenerationMode.NEGATIVE and endpoint.method == "get":
                    continue  # nothing in them could be wrong
                for status in _answers(endpoint, mode, api, headers):
                    seen.add((caller, endpoint.path, status))
    # It did reach what lies behind authentication.
    assert {
        ("portal", "/oauth2/token", 400),
        ("portal", "/oauth2/par", 400),
        ("system", "/oauth2/introspect", 200),
        ("system", "/oauth2/revoke", 200),
        ("nobody", "/oauth2/token", 401),
    } <= seen, sorted(seen)


def _described(core: Core) -> Iterator[Endpoint]:
    with ExitStack() as closing:
        document = build_app(core, closing=closing).openapi()
    for found in schemathesis.openapi.from_dict(document).include(tag=TAGS).get_all_operations():
        assert isinstance(found, Ok)
        yield found.ok()


def _answers(endpoint: Endpoint, mode: GenerationMode, api: InProcess, headers: dict[str, str]) -> set[int]:
    """Send what schemathesis makes up; returns the statuses."""
    statuses: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=endpoint.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        if headers and isinstance(case.body, dict):  # their header says who they are
            case.body = {name: value for name, value in case.body.items() if name not in CREDENTIALS}
        answer = _send(api, case, headers)
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=[not_a_server_error, response_schema_conformance])

    ask()
    return statuses


def _send(api: InProcess, case: Case[Any], headers: dict[str, str]) -> httpx.Response:
    wanted: dict[str, Any] = case.as_transport_kwargs(base_url="http://absah.test", headers=headers)
    made = requests.Request(**wanted).prepare()
    return api.request(made.method or "", made.url or "", headers=dict(made.headers), content=made.body)


def _basic(name: str, secret: str | None) -> dict[str, str]:
    assert secret is not None
    request = next(httpx.BasicAuth(name, secret).auth_flow(httpx.Request("POST", "http://absah.test/")))
    return {"Authorization": request.headers["Authorization"]}
