"""All SQL of recoveries and of the links that say "this wasn't me". Codes are here only as hashes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Index,
    LargeBinary,
    Row,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from identity.login.model import Recovery, RecoveryState
from identity.login.tables import Origins, aware, person_column
from identity.tables import metadata

repudiations = Table(
    "repudiations",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    person_column("repudiations"),
    Column("amr", String(80), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    Index("ix_repudiations_person_id", "person_id"),
    Index("ix_repudiations_expires_at", "expires_at"),
)

recoveries = Table(
    "recoveries",
    metadata,
    Column("id", String(22), primary_key=True),
    person_column("recoveries", nullable=True),
    Column("state", String(16), nullable=False),
    Column("code_hash", LargeBinary(32), unique=True),  # of the code that leads on from this state
    Column("cancel_hash", LargeBinary(32), unique=True),
    Column("origin", LargeBinary, nullable=False),  # device and place, sealed
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("ready_at", DateTime(timezone=True)),
    Column("remind_at", DateTime(timezone=True)),
    Index("ix_recoveries_person_id", "person_id"),
    Index("ix_recoveries_remind_at", "remind_at"),
    Index("ix_recoveries_expires_at", "expires_at"),
)


class RepudiationTable:
    """Links for "this wasn't me", within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(
        self,
        token_hash: bytes,
        person_id: str,
        methods: tuple[str, ...],
        *,
        now: datetime,
        expires_at: datetime,
    ) -> None:
        """``methods`` is the ``amr`` of the login that was announced."""
        self._tx.execute(
            insert(repudiations).values(
                token_hash=token_hash,
                person_id=person_id,
                amr=" ".join(methods),
                created_at=now,
                expires_at=expires_at,
            )
        )

    def find(self, token_hash: bytes, now: datetime) -> tuple[str, tuple[str, ...], datetime] | None:
        """Whose link it is, how that login was done and when, if the link can still be used."""
        query = select(repudiations.c.person_id, repudiations.c.amr, repudiations.c.created_at).where(
            repudiations.c.token_hash == token_hash,
            repudiations.c.used_at.is_(None),
            repudiations.c.expires_at > now,
        )
        row = self._tx.execute(query).one_or_none()
        return (row.person_id, tuple(row.amr.split()), aware(row.created_at)) if row else None

    def use(self, token_hash: bytes, now: datetime) -> bool:
        """True for exactly one caller."""
        result = self._tx.execute(
            update(repudiations)
            .where(
                repudiations.c.token_hash == token_hash,
                repudiations.c.used_at.is_(None),
                repudiations.c.expires_at > now,
            )
            .values(used_at=now)
        )
        return result.rowcount == 1

    def forget(self, person_id: str) -> None:
        self._tx.execute(delete(repudiations).where(repudiations.c.person_id == person_id))

    def forget_over(self, now: datetime) -> int:
        return self._tx.execute(delete(repudiations).where(repudiations.c.expires_at <= now)).rowcount


class RecoveryTable:
    """Recoveries within one transaction. Every step is conditional: one winner among parallel requests."""

    def __init__(self, tx: Connection, origins: Origins) -> None:
        self._tx = tx
        self._origins = origins

    def add(self, recovery: Recovery, *, code_hash: bytes, cancel_hash: bytes) -> None:
        self._tx.execute(
            insert(recoveries).values(
                id=recovery.id,
                person_id=recovery.person_id,
                state=recovery.state.value,
                code_hash=code_hash,
                cancel_hash=cancel_hash,
                origin=self._origins.seal(recovery.id, recovery.device, recovery.place),
                created_at=recovery.created_at,
                expires_at=recovery.expires_at,
            )
        )

    def get(self, recovery_id: str) -> Recovery | None:
        return self._one(recoveries.c.id == recovery_id)

    def by_code(self, code_hash: bytes) -> Recovery | None:
        return self._one(recoveries.c.code_hash == code_hash)

    def by_cancel(self, cancel_hash: bytes) -> Recovery | None:
        return self._one(recoveries.c.cancel_hash == cancel_hash)

    def announced_of(self, person_id: str) -> list[Recovery]:
        """Waiting or ready, latest first; whether their time is over is for the caller to see."""
        query = (
            select(recoveries)
            .where(
                recoveries.c.person_id == person_id,
                recoveries.c.state.in_([RecoveryState.WAITING.value, RecoveryState.READY.value]),
            )
            .order_by(recoveries.c.created_at.desc(), recoveries.c.id)
        )
        return [self._recovery(row) for row in self._tx.execute(query)]

    def move(
        self,
        recovery: Recovery,
        to: RecoveryState,
        *,
        code_hash: bytes | None = None,
        ready_at: datetime | None = None,
        remind_at: datetime | None = None,
        expires_at: datetime | None = None,
    ) -> bool:
        """From the state that it was read in, else False. The code that led here is dead."""
        result = self._tx.execute(
            update(recoveries)
            .where(recoveries.c.id == recovery.id, recoveries.c.state == recovery.state.value)
            .values(
                state=to.value,
                code_hash=code_hash,
                ready_at=ready_at or recovery.ready_at,
                remind_at=remind_at,
                expires_at=expires_at or recovery.expires_at,
            )
        )
        return result.rowcount == 1

    def due(self, now: datetime, most: int) -> list[tuple[Recovery, datetime]]:
        """Waiting ones of which something is to be told by ``now``, with the time at which it was."""
        query = (
            select(recoveries)
            .where(recoveries.c.remind_at <= now, recoveries.c.state == RecoveryState.WAITING.value)
            .order_by(recoveries.c.remind_at)
            .limit(most)
        )
        return [(self._recovery(row), aware(row.remind_at)) for row in self._tx.execute(query)]

    def remind_next(self, recovery_id: str, *, due: datetime, then: datetime) -> bool:
        """True for exactly one worker."""
        result = self._tx.execute(
            update(recoveries)
            .where(
                recoveries.c.id == recovery_id,
                recoveries.c.remind_at == due,
                recoveries.c.state == RecoveryState.WAITING.value,
            )
            .values(remind_at=then)
        )
        return result.rowcount == 1

    def _one(self, condition: ColumnElement[bool]) -> Recovery | None:
        row = self._tx.execute(select(recoveries).where(condition)).one_or_none()
        return self._recovery(row) if row else None

    def _recovery(self, row: Row[Any]) -> Recovery:
        device, place = self._origins.open(row.id, row.origin)
        return Recovery(
            id=row.id,
            person_id=row.person_id,
            state=RecoveryState(row.state),
            device=device,
            place=place,
            created_at=aware(row.created_at),
            expires_at=aware(row.expires_at),
            ready_at=None if row.ready_at is None else aware(row.ready_at),
        )


def cancel_recoveries(tx: Connection, person_id: str, *, but: str = "") -> int:
    """All of a person that are open, but the one with the id ``but``. Returns how many there were."""
    result = tx.execute(
        update(recoveries)
        .where(
            recoveries.c.person_id == person_id,
            recoveries.c.id != but,
            recoveries.c.state.in_(_OPEN),
        )
        .values(state=RecoveryState.CANCELLED.value, code_hash=None, remind_at=None)
    )
    return result.rowcount


def forget_recoveries(tx: Connection, person_id: str) -> None:
    """All of a person."""
    tx.execute(delete(recoveries).where(recoveries.c.person_id == person_id))


def forget_old_recoveries(tx: Connection, before: datetime) -> int:
    """Those whose time was over ``before``, however they ended. Returns how many."""
    return tx.execute(delete(recoveries).where(recoveries.c.expires_at <= before)).rowcount


_OPEN = [state.value for state in RecoveryState if state not in {RecoveryState.DONE, RecoveryState.CANCELLED}]
