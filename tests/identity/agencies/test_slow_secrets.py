"""Wrong client secrets become slow; right ones go through, whatever came before them."""

from __future__ import annotations

from identity.agencies.service import NewClient
from identity.login.throttle import ThrottlePolicy
from tests.support.asgi import InProcess

POLICY = ThrottlePolicy()


def _wrong(http: InProcess, client_id: str) -> int:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": "absah_wrong"}
    return http.post("/oauth2/token", data=form).status_code


def test_each_client_has_a_budget_of_its_own(http: InProcess, client: NewClient) -> None:
    for _ in range(POLICY.client.free + 1):
        assert _wrong(http, client.client.id) == 401
    assert _wrong(http, client.client.id) == 429
    assert _wrong(http, "client-0123456789abcdef") == 401


def test_unknown_clients_are_slowed_down_like_known_ones(http: InProcess) -> None:
    answers = [_wrong(http, "client-0123456789abcdef") for _ in range(POLICY.client.free + 2)]
    assert answers == [401] * (POLICY.client.free + 1) + [429]


def test_trying_many_clients_from_one_address_ends_too(http: InProcess) -> None:
    for number in range(POLICY.address.free + 1):
        assert _wrong(http, f"client-{number:016x}") == 401
    assert _wrong(http, "client-ffffffffffffffff") == 429


def test_a_refusal_says_when_to_come_back(http: InProcess, client: NewClient) -> None:
    form = {"grant_type": "client_credentials", "client_id": client.client.id, "client_secret": "absah_wrong"}
    for _ in range(POLICY.client.free + 1):
        http.post("/oauth2/token", data=form)
    refused = http.post("/oauth2/token", data=form)
    assert refused.headers["Retry-After"] == str(int(POLICY.client.first.total_seconds()))
    assert refused.json()["error"] == "temporarily_unavailable"
