"""All SQL of dual control. Rows stay: they say who agreed to what.

Nothing here is believed for standing here. A request and the register carry the seal of custody, a decision
its custodian's signature; whoever can write to the database can make neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from keys.approvals import Decision, KeptDecision, KeyAct, KeyRequest, Outcome, RequestState, Verdict
from keys.errors import RequestAltered
from keys.tables import metadata

key_requests = Table(
    "key_requests",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("act", String(16), nullable=False),
    Column("parameters", Text, nullable=False),  # JSON, an object of texts
    Column("requester", String(128), nullable=False),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("required", Integer, nullable=False),
    Column("service", String(300), nullable=False),
    Column("seal", LargeBinary, nullable=False),
    Column("state", String(12), nullable=False),
    Column("start_seal", LargeBinary),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("detail", String(500), nullable=False),
    Index("key_requests_by_state", "state", "expires_at"),
    Index("key_requests_by_time", "requested_at"),
)

key_decisions = Table(
    "key_decisions",
    metadata,
    Column("request_id", String(40), ForeignKey("key_requests.id"), primary_key=True),
    Column("custodian", String(40), primary_key=True),
    Column("verdict", String(8), nullable=False),
    Column("proof", LargeBinary, nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False),
)

custodian_registers = Table(
    "custodian_registers",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False),  # JSON, the whole register
    Column("seal", LargeBinary, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", String(128), nullable=False),
)


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """A request as it lies in the database; ``seal`` says whether it is what was asked for, ``start_seal``
    whether custody saw it approved and started it.
    """

    request: KeyRequest
    seal: bytes
    state: RequestState
    started_at: datetime | None = None
    ended_at: datetime | None = None
    detail: str = ""
    start_seal: bytes = b""


class Requests:
    """Requests and the decisions on them, inside the caller's transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, request: KeyRequest, *, seal: bytes) -> None:
        self._tx.execute(
            insert(key_requests).values(
                id=request.id,
                act=request.act.value,
                parameters=json.dumps(dict(request.parameters), sort_keys=True),
                requester=request.requester,
                requested_at=request.requested_at,
                expires_at=request.expires_at,
                required=request.required,
                service=request.service,
                seal=seal,
                state=RequestState.WAITING.value,
                detail="",
            )
        )

    def get(self, request_id: str, *, hold: bool = False) -> KeptRequest | None:
        """``hold`` keeps it as it is until the transaction ends; on SQLite a write transaction is alone."""
        query = select(key_requests).where(key_requests.c.id == request_id)
        row = self._tx.execute(query.with_for_update() if hold else query).one_or_none()
        return None if row is None else _kept(row)

    def waiting(self, now: datetime) -> list[KeptRequest]:
        """Those that may still start, oldest first."""
        query = (
            select(key_requests)
            .where(key_requests.c.state == RequestState.WAITING.value, key_requests.c.expires_at > now)
            .order_by(key_requests.c.requested_at, key_requests.c.id)
        )
        return _readable(self._tx.execute(query))

    def in_state(self, state: RequestState, act: KeyAct) -> list[KeptRequest]:
        """Oldest first."""
        query = (
            select(key_requests)
            .where(key_requests.c.state == state.value, key_requests.c.act == act.value)
            .order_by(key_requests.c.requested_at, key_requests.c.id)
        )
        return _readable(self._tx.execute(query))

    def waiting_by(self, requester: str, now: datetime) -> int:
        """How many this requester has waiting."""
        query = (
            select(func.count())
            .select_from(key_requests)
            .where(
                key_requests.c.state == RequestState.WAITING.value,
                key_requests.c.expires_at > now,
                key_requests.c.requester == requester,
            )
        )
        return self._tx.execute(query).scalar_one()

    def newest(self, limit: int) -> list[KeptRequest]:
        """Whatever their state, newest first."""
        query = (
            select(key_requests)
            .order_by(key_requests.c.requested_at.desc(), key_requests.c.id.desc())
            .limit(limit)
        )
        return _readable(self._tx.execute(query))

    def start(self, request_id: str, *, seal: bytes, at: datetime) -> bool:
        """WAITING → STARTED; False when another process was first."""
        return self._move(
            request_id,
            RequestState.WAITING,
            state=RequestState.STARTED.value,
            start_seal=seal,
            started_at=at,
        )

    def end(
        self, request_id: str, origin: RequestState, target: RequestState, *, at: datetime, detail: str = ""
    ) -> bool:
        """To a state that is left no more; False when it is not ``origin``, or not any longer."""
        return self._move(request_id, origin, state=target.value, ended_at=at, detail=detail)

    def _move(self, request_id: str, origin: RequestState, **values: object) -> bool:
        moved = self._tx.execute(
            update(key_requests)
            .where(key_requests.c.id == request_id, key_requests.c.state == origin.value)
            .values(**values)
        )
        return moved.rowcount == 1

    def decide(self, kept: KeptDecision) -> None:
        """Take down a decision, in the place of an earlier one by the same custodian."""
        self._tx.execute(
            delete(key_decisions).where(
                key_decisions.c.request_id == kept.request_id,
                key_decisions.c.custodian == kept.decision.custodian,
            )
        )
        self._tx.execute(
            insert(key_decisions).values(
                request_id=kept.request_id,
                custodian=kept.decision.custodian,
                verdict=kept.decision.verdict.value,
                proof=kept.decision.proof,
                key_id=kept.key_id,
                decided_at=kept.decided_at,
            )
        )

    def decisions(self, request_id: str) -> list[KeptDecision]:
        """On one request, oldest first."""
        query = (
            select(key_decisions)
            .where(key_decisions.c.request_id == request_id)
            .order_by(key_decisions.c.decided_at, key_decisions.c.custodian)
        )
        return [
            KeptDecision(
                row.request_id,
                Decision(row.custodian, Verdict(row.verdict), bytes(row.proof)),
                row.key_id,
                _aware(row.decided_at),
            )
            for row in self._tx.execute(query)
        ]


class Registers:
    """Versions of the register of custodians, inside the caller's transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def newest(self) -> tuple[str, bytes] | None:
        """Content and seal."""
        query = select(custodian_registers).order_by(custodian_registers.c.version.desc()).limit(1)
        row = self._tx.execute(query).one_or_none()
        return None if row is None else (row.content, bytes(row.seal))

    def add(self, version: int, content: str, seal: bytes, *, at: datetime, by: str) -> None:
        """Raises ``IntegrityError`` when another process made this version first."""
        self._tx.execute(
            insert(custodian_registers).values(
                version=version, content=content, seal=seal, made_at=at, made_by=by
            )
        )


ENDED = {
    Outcome.DONE: RequestState.DONE,
    Outcome.FAILED: RequestState.FAILED,
    Outcome.CANCELLED: RequestState.CANCELLED,
}
"""The state that an outcome leads to."""


def _readable(rows: Iterable[Row[Any]]) -> list[KeptRequest]:
    """Without rows that somebody wrote nonsense into: they hold up no others."""
    kept = []
    for row in rows:
        with suppress(RequestAltered):
            kept.append(_kept(row))
    return kept


def _kept(row: Row[Any]) -> KeptRequest:
    try:
        act, parameters = KeyAct(row.act), dict(json.loads(row.parameters))
    except (ValueError, TypeError):
        raise RequestAltered(row.id) from None
    return KeptRequest(
        request=KeyRequest(
            id=row.id,
            act=act,
            parameters=MappingProxyType(parameters),
            requester=row.requester,
            requested_at=_aware(row.requested_at),
            expires_at=_aware(row.expires_at),
            required=row.required,
            service=row.service,
        ),
        seal=bytes(row.seal),
        state=RequestState(row.state),
        started_at=None if row.started_at is None else _aware(row.started_at),
        ended_at=None if row.ended_at is None else _aware(row.ended_at),
        detail=row.detail,
        start_seal=bytes(row.start_seal or b""),
    )


def _aware(moment: datetime) -> datetime:
    # SQLite hands back naive times; what was stored is UTC.
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
