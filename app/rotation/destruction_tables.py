"""What was destroyed, and the evidence for it. Rows stay for good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, DateTime, Row, String, Table, insert, select, update

from app.rotation.tables import metadata

destructions = Table(
    "key_destructions",
    metadata,
    Column("request_id", String(40), primary_key=True),
    Column("key_id", String(64), nullable=False, index=True),
    Column("store", String(32), nullable=False),
    Column("requester", String(128), nullable=False),
    Column("approved_by", String(2000), nullable=False),  # names of custodians, separated by blanks
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("destroyed_at", DateTime(timezone=True)),
    Column("proof", String(500), nullable=False),
    Column("attested_at", DateTime(timezone=True)),
    Column("attested_by", String(128), nullable=False),
    Column("attestation", String(500), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Destruction:
    """``proof`` is what the store answered afterwards; ``attestation`` what somebody says of the backups."""

    request_id: str
    key_id: str
    store: str
    requester: str
    approved_by: tuple[str, ...]
    began_at: datetime
    destroyed_at: datetime | None = None
    proof: str = ""
    attested_at: datetime | None = None
    attested_by: str = ""
    attestation: str = ""


class DestructionTable:
    """Inside the caller's transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, destruction: Destruction) -> None:
        self._tx.execute(
            insert(destructions).values(
                request_id=destruction.request_id,
                key_id=destruction.key_id,
                store=destruction.store,
                requester=destruction.requester,
                approved_by=" ".join(destruction.approved_by),
                began_at=destruction.began_at,
                proof="",
                attested_by="",
                attestation="",
            )
        )

    def get(self, request_id: str) -> Destruction | None:
        query = select(destructions).where(destructions.c.request_id == request_id)
        row = self._tx.execute(query).one_or_none()
        return None if row is None else _destruction(row)

    def of_key(self, key_id: str) -> Destruction | None:
        query = (
            select(destructions)
            .where(destructions.c.key_id == key_id, destructions.c.destroyed_at.is_not(None))
            .limit(1)
        )
        row = self._tx.execute(query).one_or_none()
        return None if row is None else _destruction(row)

    def all(self) -> list[Destruction]:
        query = select(destructions).order_by(destructions.c.began_at.desc())
        return [_destruction(row) for row in self._tx.execute(query)]

    def complete(self, request_id: str, proof: str, *, at: datetime) -> bool:
        """Once."""
        done = self._tx.execute(
            update(destructions)
            .where(destructions.c.request_id == request_id, destructions.c.destroyed_at.is_(None))
            .values(proof=proof[:500], destroyed_at=at)
        )
        return done.rowcount == 1

    def attest(self, request_id: str, words: str, *, by: str, at: datetime) -> bool:
        """Once: what was attested stays."""
        done = self._tx.execute(
            update(destructions)
            .where(destructions.c.request_id == request_id, destructions.c.attested_at.is_(None))
            .values(attestation=" ".join(words.split())[:500], attested_by=by, attested_at=at)
        )
        return done.rowcount == 1


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _destruction(row: Row[Any]) -> Destruction:
    began_at = _aware(row.began_at)
    assert began_at is not None
    return Destruction(
        request_id=row.request_id,
        key_id=row.key_id,
        store=row.store,
        requester=row.requester,
        approved_by=tuple(row.approved_by.split()),
        began_at=began_at,
        destroyed_at=_aware(row.destroyed_at),
        proof=row.proof,
        attested_at=_aware(row.attested_at),
        attested_by=row.attested_by,
        attestation=row.attestation,
    )
