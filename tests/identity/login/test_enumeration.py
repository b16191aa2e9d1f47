"""Nobody learns who has an account: not by words, not by status, not by time."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, event

from identity.factors.model import PasswordCost
from identity.login.errors import LoginRefused
from identity.login.service import Login
from identity.people.model import PersonState
from tests.identity.login.conftest import EMAIL, PASSWORD, STRANGER, House

MOST_SECONDS = 0.005
NIK = "3273015702560003"


def _medians(tries: int, *jobs: Callable[[], object]) -> list[float]:
    """Of each job in seconds. They take turns in no order, so that what else the machine does hits all."""
    taken: list[list[float]] = [[] for _ in jobs]
    order, shuffled = list(range(len(jobs))), random.Random(500)
    for _ in range(tries):
        shuffled.shuffle(order)
        for number in order:
            begun = time.perf_counter()
            jobs[number]()
            taken[number].append(time.perf_counter() - begun)
    return [statistics.median(each) for each in taken]


def _least_work(tries: int, *jobs: Callable[[], object]) -> list[float]:
    """The least processor time of each job in seconds: what a busy machine changes least."""
    least = [float("inf")] * len(jobs)
    for _ in range(tries):
        for number, job in enumerate(jobs):
            begun = time.thread_time()
            job()
            least[number] = min(least[number], time.thread_time() - begun)
    return least


def _statements(house: House, job: Callable[[], object]) -> list[str]:
    """What a job asks the database, in order."""
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        job()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return seen


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


def test_refused_logins_ask_the_database_the_same(house: House) -> None:
    known, by_nik, unknown, unknown_nik, keys_only, *_ = _logins(house)
    by_address = [_statements(house, job) for job in (known, unknown, keys_only)]
    assert by_address[0]
    assert by_address == [by_address[0]] * 3
    assert _statements(house, by_nik) == _statements(house, unknown_nik)


def test_refused_logins_are_the_same_work(house: House) -> None:
    jobs = _logins(house)
    found = _least_work(15, *jobs)
    assert _spread(found) < MOST_SECONDS, _milliseconds(found)


def _recoveries(house: House) -> list[Callable[[], None]]:
    """Known and unknown addresses, then known and unknown numbers."""
    house.person(nik=NIK)
    _, recoveries = house.unhurried()

    def ask(identifier: str) -> Callable[[], None]:
        return lambda: recoveries.start(identifier, STRANGER)

    return [ask(EMAIL), ask("nobody@contoh.id"), ask(NIK), ask("3273015702560004")]


def test_asking_for_recovery_is_the_same_work(house: House) -> None:
    jobs = _recoveries(house)
    found = _least_work(30, *jobs)
    assert _spread(found) < MOST_SECONDS, _milliseconds(found)
    written = [
        [statement for statement in _statements(house, job) if statement.startswith("INSERT")] for job in jobs
    ]
    assert written[0]
    assert written == [written[0]] * 4


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
@pytest.mark.parametrize("password_cost", [PasswordCost()])
@pytest.mark.timeout(1200)
def test_medians_over_500_tries_are_within_5_ms(house: House) -> None:
    known, _, unknown, unknown_nik, *_, no_password, _ = _logins(house)
    medians = _medians(500, known, unknown, unknown_nik, no_password)
    assert _spread(medians) < MOST_SECONDS, _milliseconds(medians)


@pytest.mark.soak
@pytest.mark.parametrize("password_cost", [PasswordCost()])
@pytest.mark.timeout(1200)
def test_medians_over_500_recoveries_are_within_5_ms(house: House) -> None:
    medians = _medians(500, *_recoveries(house))
    assert _spread(medians) < MOST_SECONDS, _milliseconds(medians)
