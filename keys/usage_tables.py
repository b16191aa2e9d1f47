"""The SQL of usage counts. A table of its own: what changes with every block is no part of the register's
facts."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, Connection, ForeignKey, String, Table, select, update
from sqlalchemy.dialects import postgresql, sqlite

from keys.model import KeyUses
from keys.tables import metadata

usage = Table(
    "key_usage",
    metadata,
    Column("key_id", String(64), ForeignKey("keys.id"), primary_key=True),
    Column("uses", BigInteger, nullable=False),
    Column("unwraps", BigInteger, nullable=False),
)


class UsageRows:
    """Counts of uses, inside the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def locked(self, key_id: str) -> int:
        """Uses counted so far; nobody else changes them until the transaction ends."""
        self._ensure(key_id)
        query = select(usage.c.uses).where(usage.c.key_id == key_id).with_for_update()
        uses: int = self._connection.execute(query).scalar_one()
        return uses

    def add(self, key_id: str, uses: int) -> None:
        self._ensure(key_id)
        self._connection.execute(
            update(usage).where(usage.c.key_id == key_id).values(uses=usage.c.uses + uses)
        )

    def note_unwraps(self, unwraps: Mapping[str, int]) -> None:
        for key_id in sorted(unwraps):  # in one order whoever notes, so that none waits for each other
            self._ensure(key_id)
            self._connection.execute(
                update(usage)
                .where(usage.c.key_id == key_id)
                .values(unwraps=usage.c.unwraps + unwraps[key_id])
            )

    def all(self) -> dict[str, KeyUses]:
        return {row.key_id: KeyUses(row.uses, row.unwraps) for row in self._connection.execute(select(usage))}

    def _ensure(self, key_id: str) -> None:
        """Keys made before uses were counted have no row yet."""
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        row = dialect.insert(usage).values(key_id=key_id, uses=0, unwraps=0)
        self._connection.execute(row.on_conflict_do_nothing())
