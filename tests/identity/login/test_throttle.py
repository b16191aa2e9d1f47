"""Wrong answers become slow for whoever gives them, and for nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity.factors.model import FactorKind
from identity.login.delay_tables import DelayTable
from identity.login.errors import AnswerRefused, LoginDelayed, LoginRefused
from identity.login.model import Answer, Device
from identity.login.throttle import (
    Charge,
    Key,
    Pace,
    Throttle,
    ThrottlePolicy,
    Ticket,
    address_charge,
)
from tests.identity.login.conftest import EMAIL, PASSWORD, PHONE, STRANGER, House, at_once

ACCOUNT = Charge(Key.ACCOUNT, "person-1")
PACE = Pace(3, timedelta(minutes=10), timedelta(seconds=30), timedelta(minutes=4))


@pytest.fixture
def throttle(house: House) -> Throttle:
    return Throttle(
        begin=house.database.begin,
        clock=house.clock,
        vault=house.vault,
        policy=ThrottlePolicy(account=PACE, address=replace(PACE, free=100)),
    )


def _wait(throttle: Throttle, *charges: Charge) -> int:
    """How many seconds are asked for; 0 when the attempt is let in."""
    try:
        throttle.take(*charges)
    except LoginDelayed as delayed:
        return delayed.retry_after
    return 0


def _closed_for(ticket: Ticket, house: House) -> int:
    """Seconds; 0 for an open key."""
    return max(0, round(ticket.paid[0].closed_until / 1000 - house.clock().timestamp()))


def test_a_key_closes_for_twice_as_long_each_time_and_never_for_good(
    house: House, throttle: Throttle
) -> None:
    waits = []
    for _ in range(9):
        wait = _closed_for(throttle.take(ACCOUNT), house)
        waits.append(wait)
        house.clock.advance(timedelta(seconds=wait))
    assert waits == [0, 0, 0, 30, 60, 120, 240, 240, 240]


def test_free_attempts_are_counted_exactly(house: House, throttle: Throttle) -> None:
    for _ in range(PACE.free):
        throttle.take(ACCOUNT)
    throttle.take(ACCOUNT)
    for asked in (30, 30):
        with pytest.raises(LoginDelayed) as delayed:
            throttle.take(ACCOUNT)
        assert delayed.value.retry_after == asked
    house.clock.advance(timedelta(seconds=29, milliseconds=1))
    assert _wait(throttle, ACCOUNT) == 1
    house.clock.advance(timedelta(milliseconds=999))
    throttle.take(ACCOUNT)
    assert _wait(throttle, ACCOUNT) == 60


def test_wrong_answers_are_forgiven_one_by_one(house: House, throttle: Throttle) -> None:
    for _ in range(PACE.free + 1):
        throttle.take(ACCOUNT)
    house.clock.advance(2 * PACE.forgive)
    throttle.take(ACCOUNT)
    throttle.take(ACCOUNT)
    assert _wait(throttle, ACCOUNT) == 30


def test_the_lasting_rate_is_that_of_forgiveness(house: House, throttle: Throttle) -> None:
    """Whoever asks as soon as they may is let in about once per ``forgive`` in the long run."""
    pace = Pace(5, timedelta(hours=1), timedelta(seconds=30), timedelta(hours=1))
    slow = Throttle(
        begin=house.database.begin,
        clock=house.clock,
        vault=house.vault,
        policy=ThrottlePolicy(account=pace),
    )
    start, attempts = house.clock(), 0
    while house.clock() - start < timedelta(days=4):
        wait = _wait(slow, ACCOUNT)
        attempts += not wait
        house.clock.advance(timedelta(seconds=wait))
    assert attempts <= 4 * 24 + 20


def test_of_many_at_the_same_moment_no_more_are_let_in(throttle: Throttle) -> None:
    outcomes = at_once(20, lambda: throttle.take(ACCOUNT))
    assert sum(isinstance(outcome, Ticket) for outcome in outcomes) == PACE.free + 1
    assert sum(isinstance(outcome, LoginDelayed) for outcome in outcomes) == 19 - PACE.free


def test_an_attempt_that_asked_the_clock_first_and_came_second_is_let_in(
    house: House, throttle: Throttle
) -> None:
    for give_back in (False, True):
        house.clock.advance(timedelta(seconds=1))
        ticket = throttle.take(ACCOUNT)
        if give_back:
            with house.database.begin() as tx:
                throttle.give_back(tx, ticket)
        house.clock.advance(timedelta(milliseconds=-5))
        assert isinstance(throttle.take(ACCOUNT), Ticket)


def test_all_keys_pay_or_none(house: House, throttle: Throttle) -> None:
    address = Charge(Key.ADDRESS, "203.0.113.9")
    for _ in range(PACE.free + 1):
        throttle.take(ACCOUNT)
    for _ in range(50):
        assert _wait(throttle, ACCOUNT, address) == 30
    with house.database.read() as tx:
        (rows,) = tx.exec_driver_sql("SELECT count(*) FROM login_delays").one()
    assert rows == 1


def test_two_orders_of_the_same_keys_do_not_block_each_other(throttle: Throttle) -> None:
    other = Charge(Key.ACCOUNT, "person-2")
    orders = [(ACCOUNT, other), (other, ACCOUNT)] * 2
    outcomes = at_once(4, lambda: throttle.take(*orders.pop()))
    assert all(isinstance(outcome, Ticket) for outcome in outcomes)


def test_a_right_answer_takes_back_its_own_price_only(house: House, throttle: Throttle) -> None:
    for _ in range(PACE.free - 1):
        throttle.take(ACCOUNT)
    right = throttle.take(ACCOUNT)
    house.clock.advance(timedelta(seconds=1))
    throttle.take(ACCOUNT)
    assert _wait(throttle, ACCOUNT) == 30
    with house.database.begin() as tx:
        throttle.give_back(tx, right)
    assert _wait(throttle, ACCOUNT) == 30
    house.clock.advance(timedelta(seconds=30))
    last = throttle.take(ACCOUNT)
    assert _wait(throttle, ACCOUNT) == 30
    with house.database.begin() as tx:
        throttle.give_back(tx, last)
    assert _wait(throttle, ACCOUNT) == 0


def test_what_owes_nothing_is_forgotten(house: House, throttle: Throttle) -> None:
    throttle.take(ACCOUNT)
    assert throttle.forget_over() == 0
    house.clock.advance(PACE.forgive)
    assert throttle.forget_over() == 1
    assert throttle.forget_over() == 0


def test_addresses_of_one_customer_are_one_key() -> None:
    assert address_charge("2001:db8:1:2:3::4") == address_charge("2001:db8:1:2:ffff::1")
    assert address_charge("2001:db8:1:2::1") != address_charge("2001:db8:1:3::1")
    assert address_charge("::ffff:203.0.113.9") == address_charge("203.0.113.9")
    assert address_charge("fe80::1%eth0") == address_charge("fe80::2")
    assert address_charge("x" * 1000).name == "x" * 64


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 2_000_000), st.booleans()), max_size=40),
    st.integers(1, 6),
    st.integers(1, 900_000),
    st.integers(1, 60_000),
    st.integers(0, 12),
)
def test_sql_counts_like_the_rule(
    house: House, steps: list[tuple[int, bool]], free: int, forgive: int, first: int, doubled: int
) -> None:
    """Against the rule as it reads in words, in Python."""
    key, now, arrears, closed = b"k" * 32, 1_800_000_000_000, 0, 0
    most = first << doubled
    pace: dict[str, Any] = {"free": free, "forgive": forgive, "first": first, "most": most}
    with house.database.begin() as tx:
        table = DelayTable(tx)
        table.forget(key)
        for later, right in steps:
            now += later
            taken = table.take(key, now=now, **pace)
            if closed > now:
                assert taken is None
                assert table.closed_until(key) == closed
                continue
            owed = -(-max(0, arrears - now) // forgive)
            arrears = max(arrears, now) + forgive
            before = closed
            closed = 0 if owed < free else now + min(most, first << min(40, owed - free))
            assert taken == closed
            if right:
                table.give_back(key, forgive=forgive, closed_until=closed)
                arrears, closed = arrears - forgive, 0
            assert before <= now


# --- as the login uses it -------------------------------------------------------------------------------


def _guess(house: House, identifier: str, device: Device, times: int) -> LoginDelayed:
    for _ in range(times):
        try:
            house.login.start(identifier, "a wrong password", device)
        except LoginRefused:
            continue
        except LoginDelayed as delayed:
            return delayed
    pytest.fail("nothing slowed the guesses down")


@pytest.mark.parametrize("identifier", [EMAIL, "nobody@contoh.id", "not an identifier"])
def test_known_and_unknown_accounts_are_slowed_down_alike(house: House, identifier: str) -> None:
    house.person()
    policy = ThrottlePolicy()
    for _ in range(policy.factor.free + 1):
        with pytest.raises(LoginRefused):
            house.login.start(identifier, "a wrong password", STRANGER)
    with pytest.raises(LoginDelayed) as delayed:
        house.login.start(identifier, PASSWORD, STRANGER)
    assert delayed.value.retry_after == 30


@pytest.mark.parametrize(
    "spellings",
    [
        [EMAIL, EMAIL.upper(), f" {EMAIL} "],
        ["nobody@contoh.id", "Nobody@Contoh.ID", " nobody@contoh.id"],
        ["3273015702560003", "3273 0157 0256 0003", " 3273015702560003"],
        ["3273015702560004", "3273 0157 0256 0004", " 3273015702560004"],
    ],
)
def test_spelling_an_account_differently_gives_no_new_attempts(house: House, spellings: list[str]) -> None:
    house.person(nik="3273015702560003")
    refused = 0
    for attempt in range(12):
        try:
            house.login.start(spellings[attempt % len(spellings)], "a wrong password", STRANGER)
        except LoginRefused:
            refused += 1
        except LoginDelayed:
            break
    assert refused == ThrottlePolicy().factor.free + 1


def test_two_identifiers_of_one_account_do_not_give_each_other_away(house: House) -> None:
    house.person(nik="3273015702560003")
    _guess(house, EMAIL, STRANGER, 20)
    with pytest.raises(LoginRefused):
        house.login.start("3273015702560003", "a wrong password", PHONE)


def test_a_known_device_is_let_in_while_strangers_wait(house: House) -> None:
    siti = house.person()
    known = replace(PHONE, known=house.enter(siti).device_secret)
    _guess(house, EMAIL, STRANGER, 20)
    with pytest.raises(LoginDelayed):
        house.login.start(EMAIL, PASSWORD, PHONE)
    house.enter(siti, known)


def test_a_known_device_is_slowed_down_by_itself(house: House) -> None:
    siti = house.person()
    known = replace(PHONE, known=house.enter(siti).device_secret)
    _guess(house, EMAIL, known, 20)
    half = house.login.start(EMAIL, PASSWORD, STRANGER)
    assert half


def test_anothers_device_gains_nothing(house: House) -> None:
    siti, budi = house.person(), house.person(email="budi@contoh.id")
    his = replace(PHONE, known=house.enter(siti).device_secret)
    _guess(house, "budi@contoh.id", STRANGER, 20)
    with pytest.raises(LoginDelayed):
        house.login.start("budi@contoh.id", PASSWORD, his)
    assert budi.person_id


def test_a_passkey_opens_while_the_password_waits(house: House) -> None:
    siti = house.person(passkey=True)
    _guess(house, EMAIL, STRANGER, 20)
    answer = house.passkey_answer(siti)
    house.login.with_passkey(answer.challenge_id, answer.value, STRANGER)


def test_guessing_codes_is_slow_even_with_the_password(house: House) -> None:
    siti = house.person()
    refused = 0
    for _ in range(20):
        half = house.login.start(EMAIL, PASSWORD, STRANGER)
        try:
            house.login.second(half, Answer(FactorKind.TOTP, "000000"), STRANGER)
        except AnswerRefused:
            refused += 1
        except LoginDelayed:
            break
    assert refused == ThrottlePolicy().factor.free + 1
    assert siti.person_id


def test_a_login_forgets_what_typing_errors_cost(house: House) -> None:
    siti = house.person()
    for _ in range(3):
        for _ in range(3):
            with pytest.raises(LoginRefused):
                house.login.start(EMAIL, "a wrong password", PHONE)
        house.enter(siti)
    with house.database.read() as tx:
        (rows,) = tx.exec_driver_sql("SELECT count(*) FROM login_delays").one()
    assert rows == 1  # the address pays for its wrong answers


def test_guesses_in_parallel_are_no_faster(house: House) -> None:
    house.person()

    def guess() -> None:
        house.login.start(EMAIL, "a wrong password", STRANGER)

    outcomes = at_once(12, guess)
    assert sum(isinstance(outcome, LoginRefused) for outcome in outcomes) == ThrottlePolicy().factor.free + 1


def test_keys_are_fingerprints(house: House) -> None:
    with pytest.raises(LoginRefused):
        house.login.start(EMAIL, "a wrong password", STRANGER)
    with house.database.read() as tx:
        keys = tx.exec_driver_sql("SELECT key FROM login_delays").scalars().all()
    assert len(keys) == 2
    assert {len(bytes(key)) for key in keys} == {32}
