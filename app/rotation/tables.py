"""All SQL of rotations. Returns model objects, never rows; times are aware UTC at this edge."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Index,
    MetaData,
    Row,
    String,
    Table,
    insert,
    select,
    update,
)

from app.rotation.model import UNFINISHED, Phase, Rotation, origins
from keys.model import KeyPurpose

metadata = MetaData()

rotations = Table(
    "key_rotations",
    metadata,
    Column("id", String(40), primary_key=True),  # the request's
    Column("purpose", String(32), nullable=False),
    Column("owner", String(128), nullable=False),
    Column("phase", String(12), nullable=False),
    Column("requester", String(128), nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("keys", String(200), nullable=False),  # ids, separated by blanks
    Column("switched_at", DateTime(timezone=True)),
    Column("retire_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("detail", String(500), nullable=False),
    Index("key_rotations_by_phase", "phase", "retire_at"),
    Index("key_rotations_by_time", "began_at"),
)
"""Rows stay: they say when which key took over from which."""

_MOST_DETAIL = 500


class RotationTable:
    """Inside the caller's transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, rotation: Rotation) -> None:
        self._tx.execute(
            insert(rotations).values(
                id=rotation.id,
                purpose=rotation.purpose.value,
                owner=rotation.owner,
                phase=rotation.phase.value,
                requester=rotation.requester,
                began_at=rotation.began_at,
                keys="",
                detail="",
            )
        )

    def get(self, rotation_id: str) -> Rotation | None:
        row = self._tx.execute(select(rotations).where(rotations.c.id == rotation_id)).one_or_none()
        return None if row is None else _rotation(row)

    def in_phases(self, phases: Iterable[Phase]) -> list[Rotation]:
        """Oldest first."""
        wanted = [phase.value for phase in phases]
        query = select(rotations).where(rotations.c.phase.in_(wanted)).order_by(rotations.c.began_at)
        return [_rotation(row) for row in self._tx.execute(query)]

    def unfinished_of(self, purpose: KeyPurpose, owner: str) -> Rotation | None:
        """The rotation of this use that has not come to its switch or its end."""
        found = (one for one in self.in_phases(UNFINISHED) if (one.purpose, one.owner) == (purpose, owner))
        return next(found, None)

    def to_retire(self, now: datetime) -> list[str]:
        query = select(rotations.c.id).where(
            rotations.c.phase == Phase.SWITCHED.value, rotations.c.retire_at <= now
        )
        return list(self._tx.scalars(query))

    def newest(self, limit: int) -> list[Rotation]:
        query = select(rotations).order_by(rotations.c.began_at.desc(), rotations.c.id).limit(limit)
        return [_rotation(row) for row in self._tx.execute(query)]

    def advance(self, rotation_id: str, phase: Phase, **values: Any) -> bool:
        """Move on to ``phase``; False when it is there or further already."""
        earlier = [known.value for known in origins(phase)]
        moved = self._tx.execute(
            update(rotations)
            .where(rotations.c.id == rotation_id, rotations.c.phase.in_(earlier))
            .values(phase=phase.value, **values)
        )
        return moved.rowcount == 1

    def waits(self, rotation_id: str, why: str) -> None:
        """What people have to do before the waiting key can be certified."""
        self._tx.execute(
            update(rotations)
            .where(rotations.c.id == rotation_id, rotations.c.phase == Phase.GENERATED.value)
            .values(detail=line(why))
        )

    def postpone(self, rotation_id: str, retire_at: datetime, detail: str) -> None:
        self._tx.execute(
            update(rotations)
            .where(rotations.c.id == rotation_id, rotations.c.phase == Phase.SWITCHED.value)
            .values(retire_at=retire_at, detail=line(detail))
        )


def line(detail: str) -> str:
    """One line that fits its column."""
    return " ".join(detail.split())[:_MOST_DETAIL]


def _aware(moment: datetime | None) -> datetime | None:
    # SQLite hands back naive times; what was stored is UTC.
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _rotation(row: Row[Any]) -> Rotation:
    began_at = _aware(row.began_at)
    assert began_at is not None
    return Rotation(
        id=row.id,
        purpose=KeyPurpose(row.purpose),
        owner=row.owner,
        phase=Phase(row.phase),
        requester=row.requester,
        began_at=began_at,
        keys=tuple(row.keys.split()),
        switched_at=_aware(row.switched_at),
        retire_at=_aware(row.retire_at),
        ended_at=_aware(row.ended_at),
        detail=row.detail,
    )
