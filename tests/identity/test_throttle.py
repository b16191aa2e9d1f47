"""Wrong secrets become slow and then refused; right ones never do."""

from __future__ import annotations

import pytest

from identity.errors import TooManyAttempts
from identity.throttle import PER_ADDRESS, PER_CLIENT, Throttle


class Ticks:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


def _fail(throttle: Throttle, client: str, address: str = "a") -> None:
    throttle.require(client, "wrong", address)
    throttle.failed(client, address)


def test_a_budget_is_spent_by_failures_and_grows_back(ticks: Ticks) -> None:
    throttle = Throttle(ticks)
    for _ in range(PER_CLIENT.burst):
        _fail(throttle, "client-1")
    with pytest.raises(TooManyAttempts) as refused:
        throttle.require("client-1", "wrong", "a")
    assert refused.value.retry_after == PER_CLIENT.seconds
    ticks.now += PER_CLIENT.seconds
    _fail(throttle, "client-1")
    with pytest.raises(TooManyAttempts):
        throttle.require("client-1", "wrong", "a")


def test_another_client_and_another_address_have_budgets_of_their_own(ticks: Ticks) -> None:
    throttle = Throttle(ticks)
    for _ in range(PER_CLIENT.burst):
        _fail(throttle, "client-1")
    throttle.require("client-2", "wrong", "a")
    throttle.require("client-1", "wrong", "b")


def test_trying_many_clients_from_one_address_ends_too(ticks: Ticks) -> None:
    throttle = Throttle(ticks)
    for number in range(PER_ADDRESS.burst):
        _fail(throttle, f"client-{number}")
    with pytest.raises(TooManyAttempts):
        throttle.require("client-new", "wrong", "a")


def test_nobody_locks_a_client_out_that_was_let_in_before(ticks: Ticks) -> None:
    throttle = Throttle(ticks)
    throttle.succeeded("client-1", "right")
    for _ in range(PER_CLIENT.burst):
        _fail(throttle, "client-1")
    throttle.require("client-1", "right", "a")
    with pytest.raises(TooManyAttempts):
        throttle.require("client-1", "wrong", "a")
    with pytest.raises(TooManyAttempts):
        throttle.require("client-1\0right", "", "a") or throttle.require("client-1", "", "a")


def test_memory_stays_bounded_however_many_names_are_tried(ticks: Ticks) -> None:
    throttle = Throttle(ticks)
    for number in range(12_000):
        throttle.failed("c" * 4000, f"10.0.{number}")
    assert len(throttle._spent) <= 10_000
    assert max(len(client) for client, _ in throttle._spent) <= 64
