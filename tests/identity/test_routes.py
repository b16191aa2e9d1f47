"""``/oauth2`` over HTTP, as RFC 6749 and RFC 6750 describe it, for development clients with secrets."""

from __future__ import annotations

import base64
from urllib.parse import quote_plus

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from app.callers import Callers
from identity.access import AccessTokens
from identity.agencies.model import AgencyPolicy
from identity.agencies.service import Agencies, NewClient
from identity.errors import TokenExpired
from identity.login.throttle import ThrottlePolicy
from tests.identity.conftest import build, serve
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.databases import Begin
from tests.support.tokens import bearer_token

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
        b"a=" + b"x" * 33_000,
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


def _ask(http: InProcess, made: NewClient, **changes: str) -> tuple[int, str]:
    form = GRANT | {"client_id": made.client.id, "client_secret": made.secret} | changes
    answer = http.post("/oauth2/token", data=form)
    return answer.status_code, answer.json().get("error", answer.json().get("scope"))


def test_a_token_can_carry_less_than_the_client_holds_and_never_more(
    http: InProcess, client: NewClient
) -> None:
    assert _ask(http, client, scope="documents.read") == (200, "documents.read")
    beyond = ("documents.revoke", "documents.read documents.revoke", "documents.issue:decree",
              "documents.issue:*", " ", "openid")  # fmt: skip
    for scope in beyond:
        assert _ask(http, client, scope=scope) == (400, "invalid_scope"), scope


def test_a_client_that_may_issue_everything_may_ask_for_one_type(
    http: InProcess, agencies: Agencies, client: NewClient
) -> None:
    wide = agencies.add_client("dinas", name="wide", scopes=["documents.issue:*"], actor="test")
    assert _ask(http, wide, scope="documents.issue:decree") == (200, "documents.issue:decree")
    assert _ask(http, wide, scope="documents.issue:NOT A TYPE") == (400, "invalid_scope")


def test_a_token_opens_the_api_until_its_time_or_its_client_has_ended(
    http: InProcess, callers: Callers, client: NewClient, clock: FrozenClock
) -> None:
    token = bearer_token(http, client)
    header = {"Authorization": f"Bearer {token}"}
    assert http.get("/v1/me", headers=header).json()["client"] == client.client.id
    callers.agencies.disable_client(client.client.id, actor="test")
    assert http.get("/v1/me", headers=header).status_code == 401
    assert _ask(http, client) == (401, "invalid_client")
    clock.advance(callers.tokens.lifetime * 1.1)
    with pytest.raises(TokenExpired):
        callers.tokens.read(token)


def test_two_clients_never_share_a_secret(http: InProcess, agencies: Agencies, client: NewClient) -> None:
    other = agencies.add_client("dinas", name="other", scopes=["documents.read"], actor="test")
    assert _ask(http, client, client_id=other.client.id) == (401, "invalid_client")


def test_production_refuses_secrets_and_says_what_to_do(
    begin: Begin, clock: FrozenClock, access_tokens: AccessTokens, client: NewClient
) -> None:
    http = serve(build(begin, clock, access_tokens, AgencyPolicy(secrets_allowed=False)))
    headers = _basic(client.client.id, client.secret)
    for answer in (
        http.post("/oauth2/token", data=GRANT, headers=headers),
        http.post("/oauth2/token", data=GRANT | {"client_id": "x", "client_secret": "absah_wrong"}),
    ):
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert "private_key_jwt" in answer.json()["error_description"]


def test_wrong_secrets_become_slow_and_the_right_one_goes_through(http: InProcess, client: NewClient) -> None:
    assert _ask(http, client)[0] == 200
    for _ in range(ThrottlePolicy().client.free + 1):
        assert _ask(http, client, client_secret="wrong") == (401, "invalid_client")
    assert _ask(http, client, client_secret="wrong") == (429, "temporarily_unavailable")
    assert _ask(http, client)[0] == 200
