"""Dual control on a real database: who can start an act, and who is told of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from keys.approvals import ApprovalPolicy, KeyAct, Outcome, RequestState, Verdict
from keys.dual_control import MOST_WAITING
from keys.errors import (
    DecidedBefore,
    DecisionRefused,
    DualControlError,
    NotApproved,
    RequesterDecides,
    RequestExpired,
    RequestInvalid,
    RequestNotOpen,
    RequestUnknown,
)
from tests.keys.office import (
    ANI,
    BUDI,
    CITRA,
    Office,
    approved,
    smuggle,
    vote,
)
from tests.support.clock import FrozenClock
from tests.support.custodians import KeyHolder


def test_an_act_starts_once_two_others_agreed_and_the_claim_says_what_was_signed(office: Office) -> None:
    request = office.asks()
    assert office.state(request) is RequestState.WAITING
    with pytest.raises(NotApproved, match="lacks 2 approvals"):
        office.control.claim(request.id)
    office.control.decide(request.id, ANI.approves(request))
    with pytest.raises(NotApproved, match="lacks 1 approval:"):
        office.control.claim(request.id)
    assert office.control.ready() == []
    standing = office.control.decide(request.id, BUDI.approves(request))
    assert (standing.state, standing.approved_by) == (RequestState.READY, ("ani", "budi"))
    assert office.control.ready() == [request]
    assert office.control.ready(KeyAct.ROTATE) == []
    assert office.control.claim(request.id) == request
    assert office.state(request) is RequestState.STARTED
    office.control.finish(request.id, Outcome.DONE, detail="zeroised")
    assert office.state(request) is RequestState.DONE
    kept, decisions = office.control.history(request.id)
    assert kept.detail == "zeroised"
    assert [one.decision.custodian for one in decisions] == ["ani", "budi"]


def test_a_custodian_counts_once_however_often_and_by_whatever_signature(office: Office) -> None:
    request = office.asks()
    for _ in range(3):  # every ECDSA signature is another one
        standing = office.control.decide(request.id, ANI.approves(request))
        assert standing.approved_by == ("ani",)
    with pytest.raises(NotApproved):
        office.control.claim(request.id)
    assert office.audited().count(("key.request_approved", "custodian:ani")) == 2  # citra's, and this one


@pytest.mark.parametrize(
    ("requester", "holder"),
    [("ani", ANI), ("custodian:ani", ANI), ("cli:ani", ANI), ("person-b", BUDI)],
)
def test_whoever_asks_does_not_decide_under_any_of_their_names(
    requester: str, holder: KeyHolder, office: Office
) -> None:
    request = office.asks(requester=requester)
    for verdict in Verdict:
        with pytest.raises(RequesterDecides, match=f"{holder.name} asked for this"):
            office.control.decide(request.id, holder.decides(request, verdict))
    (_, told) = office.told.waits[-1]
    assert holder.name not in told


def test_what_the_requester_signed_counts_for_nothing_even_if_it_is_in_the_table(office: Office) -> None:
    request = office.asks(requester="person-b")
    office.control.decide(request.id, ANI.approves(request))
    smuggle(office, request, BUDI)
    assert office.control.standing(request.id).approved_by == ("ani",)
    with pytest.raises(NotApproved):
        office.control.claim(request.id)


def test_one_rejection_stops_nothing_that_others_can_still_approve(office: Office) -> None:
    request = office.asks()
    office.control.decide(request.id, ANI.rejects(request))
    office.control.decide(request.id, BUDI.approves(request))
    office.control.decide(request.id, CITRA.approves(request))
    assert office.control.claim(request.id) == request


def test_a_request_is_rejected_when_too_few_are_left_to_approve_it(office: Office) -> None:
    request = office.asks()
    assert office.control.decide(request.id, ANI.rejects(request)).state is RequestState.WAITING
    standing = office.control.decide(request.id, CITRA.rejects(request))
    assert (standing.state, standing.rejected_by) == (RequestState.REJECTED, ("ani", "citra"))
    assert office.told.decided == [(request.id, RequestState.REJECTED)]
    for act in (lambda: office.control.claim(request.id), lambda: vote(office, BUDI, request)):
        with pytest.raises(RequestNotOpen, match="it is rejected"):
            act()


def test_the_requester_is_not_among_those_who_are_left(office: Office) -> None:
    request = office.asks(requester="person-b")
    assert office.control.decide(request.id, ANI.rejects(request)).state is RequestState.REJECTED


def test_a_decision_is_final(office: Office) -> None:
    request = office.asks()
    office.control.decide(request.id, ANI.rejects(request))
    with pytest.raises(DecidedBefore, match="ani decided otherwise"):
        office.control.decide(request.id, ANI.approves(request))


def test_nothing_starts_or_is_decided_after_its_time(office: Office, clock: FrozenClock) -> None:
    request = office.asks()
    for holder in (ANI, BUDI):
        office.control.decide(request.id, holder.approves(request))
    clock.set(request.expires_at)
    assert office.state(request) is RequestState.LAPSED
    assert office.control.ready() == []
    with pytest.raises(RequestExpired):
        office.control.claim(request.id)
    with pytest.raises(RequestExpired):
        office.control.decide(request.id, CITRA.approves(request))
    clock.set(request.expires_at - timedelta(seconds=1))
    assert office.control.claim(request.id) == request


def test_the_rule_of_today_holds_for_requests_of_yesterday(office: Office) -> None:
    request = office.asks()
    for holder in (ANI, BUDI):
        office.control.decide(request.id, holder.approves(request))
    with pytest.raises(NotApproved):
        office.another(ApprovalPolicy(required=3)).claim(request.id)
    laxer = office.another(ApprovalPolicy(required=1))
    waiting = office.asks()
    laxer.decide(waiting.id, ANI.approves(waiting))
    with pytest.raises(NotApproved):
        laxer.claim(waiting.id)


def test_where_nobody_need_approve_an_act_starts_at_once_and_once(office: Office) -> None:
    control = office.another(ApprovalPolicy(required=0))
    request = control.request(KeyAct.ROTATE, {"purpose": "seal"}, requester="cli:root")
    assert control.ready() == [request]
    control.claim(request.id)
    with pytest.raises(RequestNotOpen):
        control.claim(request.id)
    assert office.told.waits == []


def test_an_unknown_request_is_unknown_to_every_job(office: Office) -> None:
    vote_on_it = replace(office.asks(), id="key-request-none")
    for act in (
        lambda: office.control.claim("key-request-none"),
        lambda: office.control.standing("key-request-none"),
        lambda: office.control.finish("key-request-none", Outcome.DONE),
        lambda: vote(office, ANI, vote_on_it),
    ):
        with pytest.raises(RequestUnknown, match="key-request-none"):
            act()


def test_only_what_started_ends_and_it_ends_one_way(office: Office) -> None:
    request = approved(office)
    with pytest.raises(RequestNotOpen):
        office.control.finish(request.id, Outcome.DONE)
    office.control.claim(request.id)
    for _ in range(2):
        office.control.finish(request.id, Outcome.FAILED, detail="the token is away")
    with pytest.raises(RequestNotOpen):
        office.control.finish(request.id, Outcome.DONE)


def test_nobody_buries_a_request_under_others(office: Office) -> None:
    for _ in range(MOST_WAITING):
        office.asks(requester="cli:loud")
    with pytest.raises(RequestInvalid, match="wait already"):
        office.asks(requester="cli:loud")
    assert office.state(office.asks(requester="cli:root")) is RequestState.WAITING


# --- races ------------------------------------------------------------------------------------------


def test_of_many_claims_at_once_exactly_one_starts_the_act(office: Office) -> None:
    request, start = approved(office), Barrier(6)

    def claims(_: int) -> str:
        control = office.another(ApprovalPolicy(required=2))
        start.wait()
        try:
            return control.claim(request.id).id
        except RequestNotOpen:
            return ""

    with ThreadPoolExecutor(6) as threads:
        won = list(threads.map(claims, range(6)))
    assert sorted(won) == [""] * 5 + [request.id]
    assert [action for action, _ in office.audited()].count("key.request_started") == 2  # citra's, and this


def test_decisions_at_the_same_moment_all_count(office: Office) -> None:
    request, start = office.asks(), Barrier(3)

    def decides(holder: KeyHolder) -> None:
        start.wait()
        office.another(ApprovalPolicy(required=2)).decide(request.id, holder.approves(request))

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(decides, (ANI, BUDI, CITRA)))
    assert set(office.control.standing(request.id).approved_by) == {"ani", "budi", "citra"}


# --- what is told and written down -------------------------------------------------------------------


def test_every_step_is_in_the_trail_with_who_took_it(office: Office) -> None:
    before = len(office.audited())
    request = office.asks()
    office.control.decide(request.id, ANI.approves(request))
    office.control.decide(request.id, BUDI.approves(request))
    office.control.claim(request.id)
    office.control.finish(request.id, Outcome.DONE)
    assert office.audited()[before:] == [
        ("key.request_made", "cli:root"),
        ("key.request_approved", "custodian:ani"),
        ("key.request_approved", "custodian:budi"),
        ("key.request_started", "cli:root"),
        ("key.request_done", "cli:root"),
    ]
    assert [action for action, _ in office.audited()].count("custodians.changed") == 3


def test_custodians_are_told_when_a_request_waits_and_when_it_is_decided(office: Office) -> None:
    request = office.asks(requester="person-b")
    assert office.told.waits == [(request.id, ["ani", "citra"])]
    office.control.decide(request.id, ANI.approves(request))
    assert office.told.decided == []
    office.control.decide(request.id, CITRA.approves(request))
    assert office.told.decided == [(request.id, RequestState.READY)]


def test_what_is_called_off_ends_once_and_is_told_to_every_custodian(office: Office) -> None:
    request = approved(office)
    with pytest.raises(RequestNotOpen):
        office.control.finish(request.id, Outcome.CANCELLED)
    office.control.claim(request.id)
    for _ in range(2):
        office.control.finish(request.id, Outcome.CANCELLED, detail="called off by cli:ani")
    assert office.state(request) is RequestState.CANCELLED
    assert office.told.cancelled == [(request.id, ["ani", "budi", "citra"])]
    assert office.audited().count(("key.request_cancelled", "cli:root")) == 1
    with pytest.raises(RequestNotOpen):
        office.control.finish(request.id, Outcome.DONE)
    with pytest.raises(DualControlError):
        office.control.resume(request.id, request.act)


def test_a_refused_decision_leaves_no_trace(office: Office) -> None:
    request = office.asks()
    before = office.audited()
    with pytest.raises(DecisionRefused):
        office.control.decide(request.id, replace(ANI.approves(request), proof=b"no"))
    assert office.audited() == before
    assert issubclass(DecisionRefused, DualControlError)
