"""Two acts at the same moment on one account: what ends access wins, and nobody waits in a circle."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from identity.errors import IdentityError
from identity.factors.model import FactorKind
from identity.factors.service import Factors
from identity.login.errors import HalfSessionGone, LoginError
from identity.people.model import PersonState, ProofingLevel
from identity.people.service import SuspensionReason
from tests.identity.login.conftest import EMAIL, ORIGIN, PASSWORD, PHONE, STRANGER, Holder, House
from tests.support.meanwhile import meanwhile, slowly

NEW_PASSWORD = "sembilan naga terbang"
NIK = "3273015702560003"


def _suspend(house: House, siti: Holder) -> None:
    house.people.suspend(siti.person_id, actor="operator", reason=SuspensionReason.REPORTED)


def _tried(act: Callable[[], object]) -> None:
    """Whether it succeeds is the other's to decide."""
    try:
        act()
    except LoginError:
        return


def _by_second_factor(house: House, siti: Holder) -> Callable[[], object]:
    half, answer = house.login.start(EMAIL, PASSWORD, PHONE), siti.totp_code()
    return lambda: house.login.second(half, answer, PHONE)


def _by_passkey(house: House, siti: Holder) -> Callable[[], object]:
    answer = house.passkey_answer(siti)
    return lambda: house.login.with_passkey(answer.challenge_id, answer.value, PHONE)


WAYS_IN = {"second factor": _by_second_factor, "passkey": _by_passkey}


@pytest.mark.parametrize("way", WAYS_IN)
def test_a_login_that_is_under_way_opens_nothing_behind_a_suspension(house: House, way: str) -> None:
    siti = house.person(passkey=True)
    enter = WAYS_IN[way](house, siti)
    with meanwhile(house.database.engine, "INSERT INTO sessions", lambda: _suspend(house, siti)):
        _tried(enter)
    assert house.people.get(siti.person_id).state is PersonState.SUSPENDED
    assert house.sessions.of(siti.person_id) == ()


def test_a_step_up_that_is_under_way_keeps_nothing_open_behind_a_suspension(house: House) -> None:
    siti = house.person()
    opened, answer = house.enter(siti), siti.totp_code()
    with meanwhile(house.database.engine, "UPDATE sessions", lambda: _suspend(house, siti)):
        _tried(lambda: house.login.step_up(opened.secret, answer, PHONE))
    assert house.sessions.of(siti.person_id) == ()


@pytest.mark.parametrize("way", WAYS_IN)
def test_a_login_that_is_under_way_opens_nothing_behind_this_was_not_me(house: House, way: str) -> None:
    siti = house.person(passkey=True)
    WAYS_IN[way](house, siti)()
    link = house.mails.of("new_device")[-1].values["code"]
    enter = WAYS_IN[way](house, siti)
    with meanwhile(house.database.engine, "INSERT INTO sessions", lambda: house.login.repudiate(link)):
        _tried(enter)
    assert house.sessions.of(siti.person_id) == ()


def test_a_passkey_that_was_taken_away_while_it_answered_opens_nothing(house: House) -> None:
    siti = house.person(passkey=True)
    answer = house.passkey_answer(siti)
    (passkey,) = [held for held in house.factors.of(siti.person_id) if held.kind is FactorKind.PASSKEY]
    remove = lambda: house.factors.remove(siti.person_id, passkey.id)  # noqa: E731 - read it as one line
    with meanwhile(house.database.engine, "INSERT INTO sessions", remove):
        _tried(lambda: house.login.with_passkey(answer.challenge_id, answer.value, PHONE))
    audited = house.audited()
    assert "session.opened" not in audited[audited.index("factor.removed") :]


def test_a_password_that_was_replaced_while_it_was_checked_begins_nothing(house: House) -> None:
    siti = house.person()
    halves: list[str] = []
    change = lambda: house.factors.set_password(siti.person_id, NEW_PASSWORD)  # noqa: E731
    with meanwhile(house.database.engine, "INSERT INTO half_sessions", change, wait=1.5):
        _tried(lambda: halves.append(house.login.start(EMAIL, PASSWORD, PHONE)))
    for half in halves:
        with pytest.raises(HalfSessionGone):
            house.login.second(half, siti.totp_code(), PHONE)


def test_whatever_happens_to_one_account_at_once_nobody_waits_in_a_circle(house: House) -> None:
    """One order for all locks: see :meth:`identity.people.tables.PersonTable.hold`."""
    factors = Factors(
        **{
            name: house.parts[name]
            for name in ("begin", "read", "clock", "audit", "vault", "outbox", "contacts")
        },
        rp_id="absah.example",
        rp_name="Absah",
        origin=ORIGIN,
        password_changed=[house.sessions.password_changed, house.people.end_address_changes],
    )
    for number in range(2):
        email = f"siti{number}@contoh.id"
        siti = house.person(
            email=email, nik=str(int(NIK) + number), proofing=ProofingLevel.IAL2, codes=True, passkey=True
        )
        answer = house.passkey_answer(siti)
        house.login.with_passkey(answer.challenge_id, answer.value, STRANGER)
        not_me = house.mails.of("new_device")[-1].values["code"]
        half, second = house.login.start(email, PASSWORD, PHONE), siti.totp_code()
        house.people.change_email(siti.person_id, f"baru{number}@contoh.id")
        change = house.mails.of("email_change")[-1].values["code"]
        house.recoveries.start(email, STRANGER)
        recovering = house.recoveries.confirm(house.mails.of("recovery_code")[-1].values["code"])
        proof = house.passkey_answer(siti, siti.person_id)
        acts: list[Callable[[], object]] = [
            partial(house.people.confirm_email, change),
            partial(factors.set_password, siti.person_id, NEW_PASSWORD),
            partial(house.login.repudiate, not_me),
            partial(house.recoveries.prove, recovering.secret, proof, PHONE),
            partial(house.people.invite_again, officer_id="officer", person_id=siti.person_id),
            partial(house.sessions.end_all, siti.person_id, actor=siti.person_id),
            partial(house.login.second, half, second, PHONE),
        ]
        with slowly(house.database.engine), ThreadPoolExecutor(len(acts)) as pool:
            outcomes = [done.exception() for done in [pool.submit(act) for act in acts]]
        unexpected = [error for error in outcomes if error and not isinstance(error, IdentityError)]
        assert unexpected == []
        assert house.people.get(siti.person_id).state is PersonState.INVITED
        assert house.sessions.of(siti.person_id) == ()
