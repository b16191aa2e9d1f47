"""Nobody learns who has an account: not by words, not by status, not by time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import pytest

from identity.login.errors import LoginRefused
from identity.login.service import Login
from identity.people.model import PersonState
from tests.identity.login.conftest import EMAIL, PASSWORD, STRANGER, House

MOST_SECONDS = 0.005
NIK = "3273015702560003"


def _medians(tries: int, *jobs: Callable[[], object]) -> list[float]:
    """Of each job in seconds. They take turns, so that whatever else the machine does hits all of them."""
    taken: list[list[float]] = [[] for _ in jobs]
    for attempt in range(tries):
        order: Sequence[int] = range(len(jobs)) if attempt % 2 else range(len(jobs) - 1, -1, -1)
        for number in order:
            begun = time.perf_counter()
            jobs[number]()
            taken[number].append(time.perf_counter() - begun)
    return [statistics.median(each) for each in taken]


def _refused(login: Login, identifier: str, password: str) -> Callable[[], None]:
    def job() -> None:
        with pytest.raises(LoginRefused):
            login.start(identifier, password, STRANGER)

    return job


def _logins(house: House) -> list[Callable[[], None]]:
    """A known account with a wrong password, and everything else that is refused."""
    house.person(nik=NIK)
    house.person(email="half@contoh.id", state=PersonState.REGISTERED)
    house.person(email="keys@contoh.id", password=False, totp=False, passkey=True)
    login, _ = house.unhurried()
    return [
        _refused(login, EMAIL, "a wrong password"),
        _refused(login, NIK, "a wrong password"),
        _refused(login, "nobody@contoh.id", "a wrong password"),
        _refused(login, "3273015702560004", "a wrong password"),
        _refused(login, "keys@contoh.id", "a wrong password"),
        _refused(login, EMAIL, ""),
        _refused(login, "nobody@contoh.id", ""),
        _refused(login, "nobody@contoh.id", "x" * 100_000),
    ]


def _spread(medians: list[float]) -> float:
    return max(medians) - min(medians)


def _milliseconds(medians: list[float]) -> list[float]:
    return [round(median * 1000, 2) for median in medians]


def test_refused_logins_take_one_time(house: House) -> None:
    jobs = _logins(house)
    _medians(2, *jobs)
    medians = _medians(25, *jobs)
    assert _spread(medians) < MOST_SECONDS, _milliseconds(medians)


def test_asking_for_recovery_takes_one_time(house: House) -> None:
    house.person(nik=NIK)
    _, recoveries = house.unhurried()

    def ask(identifier: str) -> Callable[[], None]:
        return lambda: recoveries.start(identifier, STRANGER)

    jobs = [ask(EMAIL), ask(NIK), ask("nobody@contoh.id"), ask("3273015702560004")]
    _medians(2, *jobs)
    medians = _medians(60, *jobs)
    assert _spread(medians) < MOST_SECONDS, _milliseconds(medians)


def test_a_right_password_of_an_account_that_may_not_log_in_answers_like_a_wrong_one(house: House) -> None:
    """Within a few milliseconds: who knows the password already knows that there is an account."""
    house.person(state=PersonState.REGISTERED)
    login, _ = house.unhurried()
    answers = set()
    for identifier, password in ((EMAIL, PASSWORD), (EMAIL, "wrong"), ("nobody@contoh.id", PASSWORD)):
        with pytest.raises(LoginRefused) as refused:
            login.start(identifier, password, STRANGER)
        answers.add(repr(refused.value))
    assert len(answers) == 1


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_medians_over_500_tries_are_within_5_ms(house: House) -> None:
    known, _, unknown, unknown_nik, *_, no_password, _ = _logins(house)
    medians = _medians(500, known, unknown, unknown_nik, no_password)
    assert _spread(medians) < MOST_SECONDS, _milliseconds(medians)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_medians_over_500_recoveries_are_within_5_ms(house: House) -> None:
    house.person(nik=NIK)
    _, recoveries = house.unhurried()
    identifiers = [EMAIL, NIK, "nobody@contoh.id", "3273015702560004"]
    jobs = [lambda who=who: recoveries.start(who, STRANGER) for who in identifiers]
    medians = _medians(500, *jobs)
    assert _spread(medians) < MOST_SECONDS, _milliseconds(medians)
