"""All SQL about who looked up what. Rows name people by id or by the keyed fingerprint of their NIK."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Date, DateTime, Index, Row, String, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from identity.lookups.model import Actor, ActorKind, Lookup, LookupKind, ShownLookup
from identity.people.tables import utc
from identity.tables import metadata

lookups = Table(
    "lookups",
    metadata,
    Column("subject", String(80), primary_key=True),  # a person's id, or nik: and a fingerprint in hex
    Column("day", Date, primary_key=True),
    Column("kind", String(24), primary_key=True),
    Column("actor_kind", String(12), primary_key=True),
    Column("actor_id", String(64), primary_key=True),
    Column("thing", String(200), primary_key=True),
    Column("actor_name", String(120), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("ix_lookups_at", "at"),
)


class LookupTable:
    """Lookups within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def note(self, noted: Sequence[Lookup]) -> None:
        """The first of a day is kept, however many come at once."""
        insert: Any = postgresql.insert if self._tx.dialect.name == "postgresql" else sqlite.insert
        # In one order whoever notes, so that two transactions never wait for each other.
        rows = sorted((_values(lookup) for lookup in noted), key=lambda row: (row["subject"], row["thing"]))
        self._tx.execute(insert(lookups).on_conflict_do_nothing(), rows)

    def about(self, subjects: Sequence[str], *, most: int) -> list[ShownLookup]:
        """Latest first."""
        rows = self._tx.execute(
            select(lookups)
            .where(lookups.c.subject.in_(subjects))
            .order_by(lookups.c.at.desc(), lookups.c.actor_id, lookups.c.thing)
            .limit(most)
        )
        return [_shown(row) for row in rows]

    def forget(self, subject: str) -> None:
        self._tx.execute(delete(lookups).where(lookups.c.subject == subject))

    def discard(self, before: datetime) -> int:
        """Returns how many were too old."""
        return self._tx.execute(delete(lookups).where(lookups.c.at < before)).rowcount


def _values(lookup: Lookup) -> dict[str, Any]:
    return {
        "subject": lookup.subject.key,
        "day": lookup.at.date(),
        "kind": lookup.kind.value,
        "actor_kind": lookup.actor.kind.value,
        "actor_id": lookup.actor.id,
        "thing": lookup.thing[:200],
        "actor_name": lookup.actor.name[:120],
        "at": lookup.at,
    }


def _shown(row: Row[Any]) -> ShownLookup:
    return ShownLookup(
        kind=LookupKind(row.kind),
        actor=Actor(ActorKind(row.actor_kind), row.actor_id, row.actor_name),
        thing=row.thing,
        at=utc(row.at),
    )
