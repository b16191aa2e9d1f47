"""One person stops a key; only custodians give it up, or back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from app.compromise.building import build_compromise
from app.compromise.errors import CaseNotOpen
from app.compromise.model import Step
from app.settings import Settings
from app.wiring import build_core
from ca.model import CertificateStatus
from keys.approvals import KeyAct, RequestState
from keys.model import KeyState
from tests.app.compromise.conftest import HOUR, Town, finish
from tests.support.clock import FrozenClock
from tests.support.custodians import KeyHolder

ANI, BUDI = KeyHolder("ani"), KeyHolder("budi")


@pytest.fixture
def guarded(town: Town, settings: Settings, clock: FrozenClock) -> Iterator[Town]:
    """The same service, where two custodians have to agree."""
    with ExitStack() as closing:
        strict = settings.model_copy(update={"keys": settings.keys.model_copy(update={"approvals": 2})})
        core = build_core(strict, closing=closing, clock=clock)
        for holder in (ANI, BUDI):
            core.custodians.change_freely(holder.joining, actor="cli:test")
        town.core, town.answer = core, build_compromise(core)
        town.answer._replacing._pace._sleep = lambda _: None
        yield town


def approve(town: Town, request_id: str, *holders: KeyHolder) -> RequestState:
    request = town.core.dual_control.standing(request_id).request
    for holder in holders:
        town.core.dual_control.decide(request_id, holder.approves(request))
    return town.core.dual_control.standing(request_id).state


def test_nothing_that_cannot_be_undone_happens_before_two_custodians_agreed(guarded: Town) -> None:
    town, lost = guarded, guarded.key
    case = town.open()
    assert case.step is Step.DECIDE
    case = town.answer.advance(case.id)
    assert case.step is Step.DECIDE
    assert not town.answer.may_go_on(case)
    assert approve(town, case.request_id, ANI) is RequestState.WAITING
    assert town.answer.advance(case.id).step is Step.DECIDE
    assert town.core.keys.get(lost).state is KeyState.SUSPENDED
    assert [town.outcome(one) for one in town.after] == ["cannot_say"] * 3
    assert approve(town, case.request_id, BUDI) is RequestState.READY
    assert finish(town, town.answer.get(case.id)).step is Step.CLOSED
    assert town.core.dual_control.standing(case.request_id).state is RequestState.DONE
    assert town.core.keys.get(lost).state is KeyState.COMPROMISED


def test_custodians_agree_to_a_time_and_are_asked_anew_for_another(guarded: Town) -> None:
    town = guarded
    case = town.answer.advance(town.open().id)
    approve(town, case.request_id, ANI, BUDI)
    town.lost_at -= 2 * HOUR
    town.open(case.key_id)
    again = town.answer.advance(case.id)
    assert again.step is Step.DECIDE
    assert again.request_id != case.request_id
    assert not town.answer.may_go_on(again)


def test_a_false_alarm_ends_when_the_custodians_give_the_key_back(guarded: Town) -> None:
    town, key = guarded, guarded.key
    case = town.answer.advance(town.open().id)
    assert town.answer.withdraw(case.id, actor="cli:test").step is Step.DECIDE
    (asked,) = [one for one in town.core.dual_control.list() if one.request.act is KeyAct.REINSTATE]
    approve(town, asked.request.id, ANI, BUDI)
    assert town.answer.may_go_on(town.answer.get(case.id))
    case = town.answer.advance(case.id)
    assert case.step is Step.WITHDRAWN
    assert town.core.keys.get(key).state is KeyState.ACTIVE
    assert {one.status for one in town.answer.certificates(key)} == {CertificateStatus.GOOD}
    town.wait()
    assert [town.outcome(one) for one in town.before + town.after] == ["valid"] * 6
    assert town.outcome(town.seal("new").id) == "valid"
    with pytest.raises(CaseNotOpen):
        town.answer.withdraw(case.id, actor="cli:test")


def test_consent_to_give_the_key_up_outweighs_consent_to_give_it_back(guarded: Town) -> None:
    town = guarded
    case = town.answer.advance(town.open().id)
    town.answer.withdraw(case.id, actor="cli:test")
    for standing in town.core.dual_control.list():
        if standing.request.act is not KeyAct.CUSTODIANS:
            approve(town, standing.request.id, ANI, BUDI)
    assert finish(town, town.answer.get(case.id)).step is Step.CLOSED
    assert town.core.keys.get(case.key_id).state is KeyState.COMPROMISED


def test_consent_to_give_a_key_back_says_nothing_of_a_loss_that_is_reported_later(guarded: Town) -> None:
    town, key = guarded, guarded.key
    case = town.answer.advance(town.open().id)
    town.answer.withdraw(case.id, actor="cli:test")
    (asked,) = [one for one in town.core.dual_control.list() if one.request.act is KeyAct.REINSTATE]
    town.core.keys.reinstate(key)
    town.wait(HOUR)
    town.core.keys.suspend(key, reason="found out more")
    approve(town, asked.request.id, ANI, BUDI)
    assert not town.answer.may_go_on(town.answer.get(case.id))
    assert town.answer.advance(case.id).step is Step.DECIDE
    assert town.core.keys.get(key).state is KeyState.SUSPENDED
