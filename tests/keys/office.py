"""A service under dual control, with its custodians and another process beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select

from app.database import Database
from app.vault import CustodyVault
from keys.approval_tables import key_decisions
from keys.approvals import ApprovalPolicy, KeyAct, KeyRequest, RequestState
from keys.custodians import Change, Custodian, parameters_of
from keys.custodianship import Custodians
from keys.dual_control import DualControl
from tests.keys.conftest import AuditInTable, audit_entries
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
    cancelled: list[tuple[str, list[str]]] = field(default_factory=list)

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

    def cancelled(self, tx: Connection, request: KeyRequest, custodians: Sequence[Custodian]) -> None:
        self._told.cancelled.append((request.id, [one.name for one in custodians]))


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


@contextmanager
def opened_office(url: str, vault: CustodyVault, clock: FrozenClock) -> Iterator[Office]:
    """Two of three custodians have to agree."""
    database, told = Database(url, busy_seconds=10), Told()

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
