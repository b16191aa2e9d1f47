"""Dual control on a real database: who can start an act, and every way in which nobody can."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import Connection, delete, func, insert, select, update

from app.database import Database
from app.vault import CustodyVault
from keys.approval_tables import custodian_registers, key_decisions, key_requests
from keys.approvals import ApprovalPolicy, KeyAct, KeyRequest, Outcome, RequestState, Statement, Verdict
from keys.custodians import Change, Custodian, changed, parameters_of
from keys.custodianship import Custodians
from keys.dual_control import MOST_WAITING, DualControl
from keys.errors import (
    CustodianKeyRefused,
    CustodiansChangeRefused,
    CustodianUnknown,
    DecidedBefore,
    DecisionRefused,
    DualControlError,
    NotApproved,
    ProofRefused,
    RegisterAltered,
    RequestAltered,
    RequesterDecides,
    RequestExpired,
    RequestInvalid,
    RequestNotOpen,
    RequestUnknown,
)
from keys.tables import metadata
from tests.conftest import Lend
from tests.keys.conftest import AuditInTable, audit_entries, audit_metadata
from tests.support.clock import FrozenClock
from tests.support.custodians import KeyHolder

ANI, BUDI, CITRA = (
    KeyHolder("ani", account="cli:ani"),
    KeyHolder("budi", person_id="person-b"),
    KeyHolder("citra"),
)
STRANGER = KeyHolder("stranger")


@dataclass
class Told:
    """What custodians were told."""

    waits: list[tuple[str, list[str]]] = field(default_factory=list)
    decided: list[tuple[str, RequestState]] = field(default_factory=list)

    def tell_waits(self, request: KeyRequest, custodians: Sequence[Custodian]) -> None:
        self.waits.append((request.id, [one.name for one in custodians]))


class News:
    def __init__(self, told: Told) -> None:
        self._told = told

    def waits(self, tx: Connection, request: KeyRequest, custodians: Sequence[Custodian]) -> None:
        self._told.tell_waits(request, custodians)

    def decided(
        self, tx: Connection, request: KeyRequest, state: RequestState, custodians: Sequence[Custodian]
    ) -> None:
        self._told.decided.append((request.id, state))


@dataclass
class Office:
    """One service with its custodians, and another process beside it."""

    database: Database
    control: DualControl
    custodians: Custodians
    told: Told
    another: Callable[[ApprovalPolicy], DualControl]

    def asks(
        self, act: KeyAct = KeyAct.DESTROY, requester: str = "cli:root", **parameters: str
    ) -> KeyRequest:
        return self.control.request(act, parameters or {"key": "seal-1"}, requester=requester)

    def state(self, request: KeyRequest) -> RequestState:
        return self.control.standing(request.id).state

    def tamper(self, statement: object) -> None:
        """An insider at the database."""
        with self.database.begin() as tx:
            tx.execute(statement)  # type: ignore[call-overload]

    def audited(self) -> list[tuple[str, str]]:
        with self.database.read() as tx:
            rows = tx.execute(select(audit_entries).order_by(audit_entries.c.n))
            return [(row.action, row.actor) for row in rows]


@pytest.fixture
def office(lend: Lend, vault: CustodyVault, clock: FrozenClock) -> Iterator[Office]:
    database, told = Database(lend(metadata, audit_metadata), busy_seconds=10), Told()

    def custodians(policy: ApprovalPolicy) -> Custodians:
        return Custodians(
            begin=database.begin,
            read=database.read,
            clock=clock,
            audit=AuditInTable(),
            sealer=vault,
            policy=policy,
        )

    def control(policy: ApprovalPolicy) -> DualControl:
        return DualControl(
            begin=database.begin,
            read=database.read,
            clock=clock,
            audit=AuditInTable(),
            sealer=vault,
            custodians=custodians(policy),
            policy=policy,
            news=News(told),
        )

    policy = ApprovalPolicy(required=2)
    office = Office(database, control(policy), custodians(policy), told, control)
    for holder in (ANI, BUDI):
        office.custodians.change_freely(holder.joining, actor="cli:root")
    third = office.asks(KeyAct.CUSTODIANS, **CITRA.joining)
    for holder in (ANI, BUDI):
        office.control.decide(third.id, holder.approves(third))
    office.control.change_custodians(third.id)
    told.waits.clear()
    told.decided.clear()
    yield office
    database.close()


# --- what approvals are worth -----------------------------------------------------------------------


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


# --- an insider with write access to the database ----------------------------------------------------


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


# --- the register ------------------------------------------------------------------------------------


def test_once_there_is_a_quorum_the_register_changes_by_requests_only(office: Office) -> None:
    with pytest.raises(CustodiansChangeRefused, match="has to be requested"):
        office.custodians.change_freely(STRANGER.joining, actor="cli:root")
    request = office.asks(KeyAct.CUSTODIANS, **STRANGER.joining)
    with pytest.raises(NotApproved):
        office.control.change_custodians(request.id)
    for holder in (ANI, BUDI):
        office.control.decide(request.id, holder.approves(request))
    register = office.control.change_custodians(request.id)
    assert register.find("stranger") is not None
    assert office.custodians.register() == register
    assert office.state(request) is RequestState.DONE
    with pytest.raises(RequestNotOpen):
        office.control.change_custodians(request.id)


def test_a_custodian_who_is_removed_counts_no_more_at_once(office: Office) -> None:
    request = office.asks()
    for holder in (ANI, CITRA):
        office.control.decide(request.id, holder.approves(request))
    removed_by_request(office, "citra", by=(ANI, BUDI))
    with pytest.raises(NotApproved):
        office.control.claim(request.id)
    with pytest.raises(CustodianUnknown):
        office.control.decide(office.asks().id, CITRA.approves(request))


def test_a_replaced_key_takes_its_approvals_with_it_and_the_new_one_decides_anew(office: Office) -> None:
    request, renewed = office.asks(), KeyHolder("citra")
    for holder in (ANI, CITRA):
        office.control.decide(request.id, holder.approves(request))
    change = parameters_of(Change.REPLACE_KEY, "citra", key=renewed.key)
    carried_out(office, change, by=(ANI, BUDI))
    with pytest.raises(NotApproved):
        office.control.claim(request.id)
    with pytest.raises(ProofRefused):
        office.control.decide(request.id, CITRA.approves(request))
    office.control.decide(request.id, renewed.approves(request))
    assert office.control.claim(request.id) == request


def test_a_change_that_cannot_be_made_is_not_asked_for(office: Office) -> None:
    with pytest.raises(CustodiansChangeRefused):
        office.asks(KeyAct.CUSTODIANS, **parameters_of(Change.REMOVE, "nobody"))
    with pytest.raises(CustodianKeyRefused):
        office.asks(KeyAct.CUSTODIANS, change="add", custodian="dewi")


def test_a_change_that_became_impossible_fails_and_does_not_come_back(office: Office) -> None:
    twice = [office.asks(KeyAct.CUSTODIANS, **STRANGER.joining) for _ in range(2)]
    for request in twice:
        for holder in (ANI, BUDI):
            office.control.decide(request.id, holder.approves(request))
    office.control.change_custodians(twice[0].id)
    with pytest.raises(CustodiansChangeRefused, match="custodian already"):
        office.control.change_custodians(twice[1].id)
    assert office.state(twice[1]) is RequestState.FAILED
    assert office.control.ready() == []


def test_another_act_changes_no_custodians_and_is_not_used_up(office: Office) -> None:
    request = approved(office)
    with pytest.raises(RequestInvalid, match="changes no custodians"):
        office.control.change_custodians(request.id)
    assert office.control.claim(request.id) == request


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


def test_a_refused_decision_leaves_no_trace(office: Office) -> None:
    request = office.asks()
    before = office.audited()
    with pytest.raises(DecisionRefused):
        office.control.decide(request.id, replace(ANI.approves(request), proof=b"no"))
    assert office.audited() == before
    assert issubclass(DecisionRefused, DualControlError)


# --- helpers -----------------------------------------------------------------------------------------


def vote(office: Office, holder: KeyHolder, request: KeyRequest) -> object:
    return office.control.decide(request.id, holder.approves(request))


def approved(office: Office) -> KeyRequest:
    request = office.asks()
    for holder in (ANI, BUDI):
        office.control.decide(request.id, holder.approves(request))
    return request


def smuggle(office: Office, request: KeyRequest, signer: KeyHolder, *, name: str | None = None) -> None:
    """A genuine signature, put into the table past the service."""
    decision = signer.approves(request)
    with office.database.begin() as tx:
        tx.execute(
            insert(key_decisions).values(
                request_id=request.id,
                custodian=name or signer.name,
                verdict="approve",
                proof=decision.proof,
                key_id=signer.key.id,
                decided_at=request.requested_at,
            )
        )


def carried_out(office: Office, change: dict[str, str], *, by: Sequence[KeyHolder]) -> None:
    request = office.asks(KeyAct.CUSTODIANS, **change)
    for holder in by:
        office.control.decide(request.id, holder.approves(request))
    office.control.change_custodians(request.id)


def removed_by_request(office: Office, name: str, *, by: Sequence[KeyHolder]) -> None:
    carried_out(office, parameters_of(Change.REMOVE, name), by=by)
