"""``/oauth2`` over HTTP, as RFC 6749 and RFC 6750 describe it."""

from __future__ import annotations

import base64
from contextlib import ExitStack
from urllib.parse import quote_plus

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from app.settings import Settings
from app.shell import new_application
from identity.routes import router
from identity.service import IdentityService, NewClient
from tests.support.asgi import InProcess


@pytest.fixture
def http(identity: IdentityService) -> InProcess:
    application = new_application(Settings(), title="t", probes={}, closing=ExitStack())
    application.include_router(router(identity))
    return InProcess(application)


GRANT = {"grant_type": "client_credentials"}


def _basic(user: str, password: str) -> dict[str, str]:
    joined = f"{quote_plus(user)}:{quote_plus(password)}".encode()
    return {"Authorization": f"Basic {base64.b64encode(joined).decode()}"}


def test_http_basic_and_the_form_both_authenticate(http: InProcess, client: NewClient) -> None:
    by_header = http.post("/oauth2/token", data=GRANT, headers=_basic(client.client.id, client.secret))
    by_form = http.post(
        "/oauth2/token", data=GRANT | {"client_id": client.client.id, "client_secret": client.secret}
    )
    keys = KeySet.import_key_set(http.get("/oauth2/jwks").json())
    for answer in (by_header, by_form):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
        assert body["scope"] == "documents.issue:business_licence documents.read"
        assert jwt.decode(body["access_token"], keys, algorithms=["ES256"]).claims["sub"] == client.client.id


REFUSALS = [
    ("wrong secret", {}, {"client_secret": "absah_no"}, 401, "invalid_client"),
    ("unknown client", {}, {"client_id": "client-0"}, 401, "invalid_client"),
    ("no secret", {}, {"client_secret": None}, 401, "invalid_client"),
    ("no grant type", {}, {"grant_type": None}, 400, "invalid_request"),
    ("another grant", {}, {"grant_type": "password"}, 400, "unsupported_grant_type"),
    ("too much scope", {}, {"scope": "documents.revoke"}, 400, "invalid_scope"),
    ("basic and form", {"Authorization": "Basic eDp5"}, {}, 400, "invalid_request"),
    ("broken basic", {"Authorization": "Basic ###"}, {"client_secret": None}, 401, "invalid_client"),
    ("basic without colon", {"Authorization": "Basic eA=="}, {"client_secret": None}, 401, "invalid_client"),
    ("bearer instead", {"Authorization": "Bearer x"}, {"client_secret": None}, 401, "invalid_client"),
    ("JSON", {"Content-Type": "application/json"}, {}, 400, "invalid_request"),
]


@pytest.mark.parametrize(
    ("name", "headers", "changes", "status", "code"), REFUSALS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_refusal_has_the_protocols_form_and_is_a_problem_document_too(
    name: str,
    headers: dict[str, str],
    changes: dict[str, str | None],
    status: int,
    code: str,
    http: InProcess,
    client: NewClient,
) -> None:
    form = GRANT | {"client_id": client.client.id, "client_secret": client.secret} | changes
    sent = {key: value for key, value in form.items() if value is not None}
    answer = http.post("/oauth2/token", data=sent, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["error_description"] == answer.json()["detail"]
    assert "/problems/" in answer.json()["type"]
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert client.secret not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"grant_type=client_credentials&grant_type=client_credentials",
        b"\xff\xfe",
        b"a=%ff",
        b"&".join(b"a%d=1" % number for number in range(99)),
        b"a=" + b"x" * 9000,
    ],
    ids=["twice", "not ASCII", "not UTF-8", "too many fields", "too long"],
)
def test_a_form_that_cannot_be_read_one_way_is_not_read(body: bytes, http: InProcess) -> None:
    answer = http.post(
        "/oauth2/token", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_somebody_without_a_secret_learns_nothing_about_grants_and_scopes(
    http: InProcess, client: NewClient
) -> None:
    answers = [
        http.post(
            "/oauth2/token", data=GRANT | {"client_id": who, "client_secret": "absah_x", "scope": scope}
        )
        for who in (client.client.id, "client-0")
        for scope in ("documents.read", "documents.revoke", "nonsense")
    ]
    bodies = {
        tuple((key, value) for key, value in answer.json().items() if key != "request_id")
        for answer in answers
    }
    assert len(bodies) == 1
    assert {answer.status_code for answer in answers} == {401}


def test_the_key_set_holds_public_halves_only(http: InProcess) -> None:
    (key,) = http.get("/oauth2/jwks").json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
