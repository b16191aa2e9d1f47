"""Dual control against whoever can write to its database: nothing starts that custodians did not sign."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, insert, select, update

from keys.approval_tables import custodian_registers, key_decisions, key_requests
from keys.approvals import KeyAct, Outcome, RequestState, Statement, Verdict
from keys.custodians import changed
from keys.errors import (
    CustodianUnknown,
    NotApproved,
    ProofRefused,
    RegisterAltered,
    RequestAltered,
    RequestInvalid,
    RequestNotOpen,
)
from tests.keys.conftest import AuditInTable
from tests.keys.office import (
    ANI,
    BUDI,
    CITRA,
    STRANGER,
    Office,
    approved,
    removed_by_request,
    smuggle,
)
from tests.support.clock import FrozenClock


@pytest.mark.parametrize(
    "altered",
    [
        {"act": KeyAct.RETIRE.value},
        {"act": "format-disk"},
        {"parameters": json.dumps({"key": "root-ca-1"})},
        {"parameters": json.dumps({"key": "seal-1", "reason": "x"})},
        {"parameters": "{"},
        {"parameters": "null"},
        {"parameters": "[1]"},
        {"requester": "cli:somebody"},
        {"required": 0},
        {"required": 1},
        {"service": "https://trial.example"},
    ],
    ids=str,
)
@pytest.mark.parametrize("decided", [False, True], ids=["before", "after"])
def test_a_request_that_was_altered_is_void(
    altered: dict[str, object], decided: bool, office: Office
) -> None:
    request = approved(office) if decided else office.asks()
    office.tamper(update(key_requests).values(**altered).where(key_requests.c.id == request.id))
    with pytest.raises(RequestAltered, match="was altered in the database"):
        office.control.claim(request.id)
    with pytest.raises(RequestAltered):
        office.control.decide(request.id, CITRA.approves(request))


def test_more_time_cannot_be_written_in(office: Office, clock: FrozenClock) -> None:
    request = approved(office)
    clock.set(request.expires_at)
    longer = request.expires_at + timedelta(days=1)
    office.tamper(update(key_requests).values(expires_at=longer).where(key_requests.c.id == request.id))
    with pytest.raises(RequestAltered):
        office.control.claim(request.id)


def test_an_altered_request_is_shown_as_void_and_holds_up_no_other(office: Office) -> None:
    request, other = approved(office), approved(office)
    office.tamper(update(key_requests).values(required=1).where(key_requests.c.id == request.id))
    assert office.control.standing(request.id).is_void
    assert {one.request.id for one in office.control.list() if one.is_void} == {request.id}
    assert office.control.ready() == [other]
    office.tamper(update(key_requests).values(act="format-disk").where(key_requests.c.id == request.id))
    assert office.control.ready() == [other]
    assert request.id not in {one.request.id for one in office.control.list()}
    with pytest.raises(RequestAltered):
        office.control.standing(request.id)


def test_a_request_that_was_written_into_the_table_was_never_made(office: Office) -> None:
    genuine = office.asks()
    forged = replace(genuine, id="key-request-forged", parameters={"key": "root-ca-1"})
    with office.database.begin() as tx:
        row = tx.execute(select(key_requests).where(key_requests.c.id == genuine.id)).one()
        values = {**row._mapping, "id": forged.id, "parameters": json.dumps(dict(forged.parameters))}
        tx.execute(insert(key_requests).values(values))
    with pytest.raises(RequestAltered):
        office.control.decide(forged.id, ANI.approves(forged))


def test_a_forged_or_replayed_statement_is_refused(office: Office) -> None:
    request, earlier = office.asks(), approved(office)
    _, decisions = office.control.history(earlier.id)
    signed_for_another = decisions[0].decision
    turned = replace(ANI.rejects(request), verdict=Verdict.APPROVE)
    borrowed = replace(ANI.approves(request), custodian="budi")
    by_a_stranger = replace(STRANGER.approves(request), custodian="ani")
    unsigned = replace(ANI.approves(request), proof=b"")
    huge = replace(ANI.approves(request), proof=b"\x30" * 100_000)
    raw = replace(ANI.approves(request), proof=b"\x01" * 64)
    bare = Statement(request.digest, Verdict.APPROVE, "ani")
    prefixed = replace(ANI.approves(request), proof=STRANGER.sign(bare))
    forgeries = (signed_for_another, turned, borrowed, by_a_stranger, unsigned, huge, raw, prefixed)
    for forged in forgeries:
        with pytest.raises(ProofRefused):
            office.control.decide(request.id, forged)
    with pytest.raises(CustodianUnknown):
        office.control.decide(request.id, STRANGER.approves(request))
    assert office.control.standing(request.id).approved_by == ()


def test_a_decision_that_was_written_into_the_table_voids_the_request(office: Office) -> None:
    request, earlier = office.asks(), approved(office)
    office.control.decide(request.id, CITRA.approves(request))
    _, decisions = office.control.history(earlier.id)
    replayed = decisions[0]
    with office.database.begin() as tx:
        tx.execute(
            insert(key_decisions).values(
                request_id=request.id,
                custodian=replayed.decision.custodian,
                verdict="approve",
                proof=replayed.decision.proof,
                key_id=replayed.key_id,
                decided_at=replayed.decided_at,
            )
        )
    with pytest.raises(RequestAltered):
        office.control.claim(request.id)
    assert office.control.standing(request.id).is_void


def test_a_rejection_cannot_be_turned_into_an_approval(office: Office) -> None:
    request = office.asks()
    office.control.decide(request.id, ANI.rejects(request))
    office.control.decide(request.id, BUDI.approves(request))
    office.tamper(update(key_decisions).values(verdict="approve"))
    with pytest.raises(RequestAltered):
        office.control.claim(request.id)


def test_one_custodians_approval_cannot_be_booked_under_another_name(office: Office) -> None:
    request = office.asks()
    office.control.decide(request.id, ANI.approves(request))
    smuggle(office, request, ANI, name="budi")
    with pytest.raises(NotApproved):
        office.control.claim(request.id)
    office.tamper(update(key_decisions).values(key_id=BUDI.key.id).where(key_decisions.c.custodian == "budi"))
    with pytest.raises(RequestAltered):
        office.control.claim(request.id)


def test_nobody_becomes_a_custodian_by_writing_to_the_database(office: Office) -> None:
    request = office.asks()
    register = office.custodians.register()
    grown = changed(register, STRANGER.joining, required=2)
    with office.database.begin() as tx:
        newest = tx.execute(
            select(custodian_registers).order_by(custodian_registers.c.version.desc()).limit(1)
        ).one()
        values = {**newest._mapping, "version": grown.version, "content": grown.content()}
        tx.execute(insert(custodian_registers).values(values))
    for act in (
        lambda: office.control.decide(request.id, STRANGER.approves(request)),
        lambda: office.control.claim(request.id),
        office.custodians.register,
        lambda: office.custodians.change_freely(STRANGER.joining, actor="cli:root"),
    ):
        with pytest.raises(RegisterAltered, match="nothing can be approved"):
            act()


def test_a_register_that_is_gone_or_was_brought_back_approves_nothing_and_is_not_free(office: Office) -> None:
    """A custodian who was removed, and the one who writes to the database for them."""
    request = approved(office)
    removed_by_request(office, "citra", by=(ANI, BUDI))
    newest = select(func.max(custodian_registers.c.version)).scalar_subquery()
    for tampering in (
        delete(custodian_registers).where(custodian_registers.c.version == newest),
        delete(custodian_registers),
    ):
        office.tamper(tampering)
        for act in (
            lambda: office.control.claim(request.id),
            office.asks,
            lambda: office.custodians.change_freely(STRANGER.joining, actor="cli:root"),
        ):
            with pytest.raises(RegisterAltered, match="nothing can be approved"):
                act()


def test_an_older_register_does_not_come_back_with_an_entry_in_the_trail_that_says_so(office: Office) -> None:
    """A trail takes entries from whoever can write, so what it says of the register is counted, too."""
    older = office.custodians.register()
    with office.database.begin() as tx:
        kept = tx.execute(
            select(custodian_registers).where(custodian_registers.c.version == older.version)
        ).one()
    removed_by_request(office, "citra", by=(ANI, BUDI))
    newer = office.custodians.register()
    said = {"register": hashlib.sha256(kept.content.encode()).hexdigest(), "version": str(older.version)}
    for number in (newer.version + 1, older.version):
        with office.database.engine.connect() as tx:
            tx.execute(delete(custodian_registers).where(custodian_registers.c.version >= older.version))
            tx.execute(insert(custodian_registers).values({**kept._mapping, "version": number}))
            AuditInTable().append(
                tx, action="custodians.changed", actor="cli:root", subject="custodians", facts=said
            )
            with pytest.raises(RegisterAltered):
                office.custodians.current(tx)
            tx.rollback()
    assert office.custodians.register() == newer


def test_an_approval_serves_no_other_act_and_is_not_used_up_by_it(office: Office) -> None:
    request = approved(office)
    with pytest.raises(RequestInvalid, match="nobody agreed to rotate"):
        office.control.resume(request.id, KeyAct.ROTATE)
    assert office.state(request) is RequestState.READY
    assert office.control.resume(request.id, request.act) == request


def test_who_serves_no_longer_decides_nothing_and_what_they_decided_is_passed_over(office: Office) -> None:
    serving = {"ani", "budi", "citra"}
    office.control._serves = lambda custodian: custodian.name in serving
    request = approved(office)
    serving.discard("budi")
    assert office.control.standing(request.id).approved_by == ("ani",)
    with pytest.raises(NotApproved):
        office.control.claim(request.id)
    with pytest.raises(CustodianUnknown):
        office.control.decide(request.id, BUDI.approves(request))
    assert [one.name for one in office.control.serving()] == ["ani", "citra"]
    office.control.decide(request.id, CITRA.approves(request))
    assert office.control.claim(request.id) == request


def test_after_a_restore_what_waits_ends_and_consent_to_reinstate_with_it(office: Office) -> None:
    waits, ready, lost = office.asks(), approved(office), office.asks(KeyAct.COMPROMISE, key="k", since="now")
    given, going = office.asks(KeyAct.REINSTATE), office.asks(KeyAct.RETIRE)
    for request in (given, going):
        for holder in (ANI, BUDI):
            office.control.decide(request.id, holder.approves(request))
        office.control.claim(request.id)
    with office.database.begin() as tx:
        assert office.control.end_restored(tx, actor="cli:root") == 3
    assert [office.state(one) for one in (waits, ready, given)] == [
        RequestState.REJECTED, RequestState.REJECTED, RequestState.FAILED,
    ]  # fmt: skip
    assert office.state(lost) is RequestState.WAITING
    assert office.state(going) is RequestState.STARTED
    with pytest.raises((RequestNotOpen, RequestAltered)):
        office.control.resume(given.id, KeyAct.REINSTATE)


@pytest.mark.parametrize("ended", [False, True])
def test_an_approval_is_used_once_whatever_the_row_says(ended: bool, office: Office) -> None:
    request = approved(office)
    office.control.claim(request.id)
    if ended:
        office.control.finish(request.id, Outcome.DONE)
    office.tamper(update(key_requests).values(state="waiting", started_at=None, ended_at=None))
    with pytest.raises(RequestAltered):
        office.control.claim(request.id)
    with pytest.raises(RequestAltered):
        office.control.resume(request.id, request.act)


def test_what_ended_does_not_go_on_whatever_the_row_says(office: Office) -> None:
    request, other = approved(office), office.asks()
    office.control.claim(request.id)
    assert office.control.resume(request.id, request.act) == request, "a crash may have interrupted it"
    office.control.finish(request.id, Outcome.FAILED)
    office.tamper(update(key_requests).values(state="started"))
    with pytest.raises(RequestAltered):
        office.control.resume(request.id, request.act)
    with pytest.raises(RequestAltered):
        office.control.resume(other.id, other.act)


@pytest.mark.parametrize("state", [RequestState.STARTED, RequestState.DONE])
def test_a_start_that_was_written_into_the_table_is_none(state: RequestState, office: Office) -> None:
    """For those, too, who ask where a request stands instead of claiming it."""
    request, genuine = office.asks(), approved(office)
    office.control.claim(genuine.id)
    with office.database.begin() as tx:
        seal = tx.scalar(select(key_requests.c.start_seal).where(key_requests.c.id == genuine.id))
    for start_seal in (None, b"", seal):
        values = {"state": state.value, "start_seal": start_seal}
        office.tamper(update(key_requests).values(**values).where(key_requests.c.id == request.id))
        assert office.control.standing(request.id).is_void
        with pytest.raises((RequestAltered, RequestNotOpen)):
            office.control.resume(request.id, request.act)


def test_what_started_goes_on_when_those_who_approved_it_have_left(office: Office) -> None:
    request = office.asks()
    for holder in (ANI, CITRA):
        office.control.decide(request.id, holder.approves(request))
    office.control.claim(request.id)
    removed_by_request(office, "citra", by=(ANI, BUDI))
    assert office.control.resume(request.id, request.act) == request
    standing = office.control.standing(request.id)
    assert (standing.state, standing.approved_by) == (RequestState.STARTED, ("ani", "citra"))
    assert not standing.is_void
