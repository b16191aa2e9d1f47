"""All SQL of answering a compromise: cases, and who was told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    String,
    Table,
    insert,
    select,
    update,
)

from app.compromise.model import OPEN, Case, Step
from keys.model import KeyPurpose

metadata = MetaData()

cases = Table(
    "compromise_cases",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("key_id", String(64), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("owner", String(128), nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("opened_by", String(128), nullable=False),
    Column("step", String(16), nullable=False),
    Column("reseals", Boolean, nullable=False),
    Column("request_id", String(40), nullable=False),
    Column("moved_at", DateTime(timezone=True)),
    Column("done", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Index("compromise_cases_by_key", "key_id"),
    Index("compromise_cases_by_step", "step"),
)

notices = Table(
    "compromise_notices",
    metadata,
    Column("case_id", String(32), nullable=False),
    Column("template", String(40), nullable=False),
    Column("person_id", String(64), nullable=False),
    PrimaryKeyConstraint("case_id", "template", "person_id"),
)
"""Who was written to about what: nobody gets a letter for each of a hundred documents."""


class Cases:
    """Cases inside the caller's transaction. Every change is conditional on the step that it leaves."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, case: Case) -> None:
        self._tx.execute(
            insert(cases).values(
                id=case.id,
                key_id=case.key_id,
                purpose=case.purpose.value,
                owner=case.owner,
                since=case.since,
                opened_at=case.opened_at,
                opened_by=case.opened_by,
                step=case.step.value,
                reseals=case.reseals,
                request_id=case.request_id,
                moved_at=case.moved_at,
                done=case.done,
                failed=case.failed,
            )
        )

    def get(self, case_id: str) -> Case | None:
        row = self._tx.execute(select(cases).where(cases.c.id == case_id)).one_or_none()
        return None if row is None else _case(row)

    def open_of(self, key_id: str) -> Case | None:
        """The open case about a key; there is one at most."""
        query = select(cases).where(cases.c.key_id == key_id, cases.c.step.in_(OPEN)).limit(1)
        row = self._tx.execute(query).one_or_none()
        return None if row is None else _case(row)

    def open(self) -> list[Case]:
        """Open cases, oldest first."""
        query = select(cases).where(cases.c.step.in_(OPEN)).order_by(cases.c.opened_at, cases.c.id)
        return [_case(row) for row in self._tx.execute(query)]

    def all(self) -> list[Case]:
        """Every case, newest first."""
        query = select(cases).order_by(cases.c.opened_at.desc(), cases.c.id)
        return [_case(row) for row in self._tx.execute(query)]

    def move(self, case: Case, target: Step, *, at: datetime) -> bool:
        """From the step that ``case`` is at. False when somebody else was first."""
        changed = self._tx.execute(
            update(cases)
            .where(cases.c.id == case.id, cases.c.step == case.step.value)
            .values(step=target.value, moved_at=at)
        )
        return changed.rowcount == 1

    def ask(self, case: Case, request_id: str) -> bool:
        """Note which request is decided on, once."""
        changed = self._tx.execute(
            update(cases)
            .where(cases.c.id == case.id, cases.c.request_id == case.request_id)
            .values(request_id=request_id)
        )
        return changed.rowcount == 1

    def move_back(self, case: Case, since: datetime) -> None:
        """The loss turns out to be older."""
        self._tx.execute(
            update(cases).where(cases.c.id == case.id, cases.c.since > since).values(since=since)
        )

    def set_reseals(self, case: Case, reseals: bool) -> None:
        self._tx.execute(update(cases).where(cases.c.id == case.id).values(reseals=reseals))

    def note_round(self, case: Case, *, done: int, failed: int, at: datetime) -> None:
        """What the round of sealing anew came to that ended just now."""
        self._tx.execute(
            update(cases).where(cases.c.id == case.id).values(done=done, failed=failed, moved_at=at)
        )

    def tell_once(self, case_id: str, template: str, person_id: str) -> bool:
        """Whether this person was not written to about this yet; from now on they were."""
        key = {"case_id": case_id, "template": template, "person_id": person_id}
        known = self._tx.execute(select(notices).filter_by(**key)).first()
        if known is None:
            self._tx.execute(insert(notices).values(**key))
        return known is None


def _case(row: Row[Any]) -> Case:
    return Case(
        id=row.id,
        key_id=row.key_id,
        purpose=KeyPurpose(row.purpose),
        owner=row.owner,
        since=_aware(row.since),
        opened_at=_aware(row.opened_at),
        opened_by=row.opened_by,
        step=Step(row.step),
        reseals=row.reseals,
        request_id=row.request_id,
        moved_at=None if row.moved_at is None else _aware(row.moved_at),
        done=row.done,
        failed=row.failed,
    )


def _aware(moment: datetime) -> datetime:
    """SQLite keeps no time zone; everything that is stored is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
