"""Proving it anew within a session: what was proven last is what counts, and the old secret is dead."""

from __future__ import annotations

from datetime import timedelta

import pytest

from identity.login.errors import (
    StepUpNeeded,
)
from identity.login.model import Acr, Opened
from tests.identity.login.conftest import (
    PHONE,
    House,
    at_once,
)


def test_step_up_gives_a_new_secret_and_the_old_one_is_dead(house: House) -> None:
    siti = house.person(passkey=True)
    before = house.enter(siti)
    house.clock.advance(timedelta(minutes=30))
    with pytest.raises(StepUpNeeded) as needed:
        house.login.require_fresh(before.session, acr="phr", max_age=timedelta(minutes=5))
    assert needed.value.acr == "phr"
    after = house.login.step_up(before.secret, house.passkey_answer(siti, siti.person_id), PHONE)
    assert after.secret != before.secret
    assert house.sessions.find(before.secret) is None
    session = house.sessions.find(after.secret)
    assert session is not None
    assert session.id == before.session.id
    assert session.expires_at == before.session.expires_at
    assert session.acr is Acr.PHR
    assert set(session.amr) == {"pwd", "otp", "pop", "user", "mfa"}
    house.login.require_fresh(session, acr="phr", max_age=timedelta(minutes=5))
    assert house.facts("session.stepped_up")["acr"] == "phr"


def test_a_code_proves_less_than_the_passkey_before_it(house: House) -> None:
    siti = house.person(passkey=True)
    answer = house.passkey_answer(siti)
    opened = house.login.with_passkey(answer.challenge_id, answer.value, PHONE)
    after = house.login.step_up(opened.secret, siti.totp_code(), PHONE)
    assert after.session.acr is Acr.AAL2
    with pytest.raises(StepUpNeeded):
        house.login.require_fresh(after.session, acr="phr")


def test_of_many_step_ups_with_one_secret_one_succeeds(house: House) -> None:
    siti = house.person(codes=True)
    opened = house.enter(siti)
    answers = [siti.recovery_code(number) for number in range(4)]
    outcomes = at_once(4, lambda: house.login.step_up(opened.secret, answers.pop(), PHONE))
    winners = [outcome for outcome in outcomes if isinstance(outcome, Opened)]
    assert len(winners) == 1
    assert house.sessions.find(winners[0].secret) is not None
    assert house.sessions.find(opened.secret) is None


def test_freshness_counts_from_the_last_proof(house: House) -> None:
    siti = house.person()
    opened = house.enter(siti)
    house.clock.advance(timedelta(minutes=5))
    house.login.require_fresh(opened.session, max_age=timedelta(minutes=5))
    house.clock.advance(timedelta(seconds=1))
    with pytest.raises(StepUpNeeded):
        house.login.require_fresh(opened.session, max_age=timedelta(minutes=5))
    house.login.require_fresh(opened.session, acr="aal2")
