"""The audit trail: append-only rows, each holding the hash of the one before it.

Issuance must leave a trail that the operator cannot edit in silence. Triggers refuse changes; whoever removes
the triggers still has to recompute every later hash, and then differs from the heads that were time-stamped
(:mod:`app.trail.anchors`) or written down elsewhere. Facts hold no personal data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import psycopg
from psycopg import sql
from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    event,
    func,
    insert,
    select,
)

from app.trail.chain import BEGINNING, GENESIS, AuditEntry, ChainHead, canonical, follow, hash_of

__all__ = ["GENESIS", "Audit", "AuditEntry", "ChainHead", "entries", "metadata"]

metadata = MetaData()

entries = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", String(27), nullable=False),  # as hashed: 2026-11-22T02:18:55.000000Z
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("facts", Text, nullable=False),
    Column("previous", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Index("ix_audit_subject", "subject"),
)

APPEND_ONLY_SQLITE: Final = (
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
    # INSERT OR REPLACE deletes without firing the delete trigger
    "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit "
    "WHEN EXISTS (SELECT 1 FROM audit WHERE sequence >= NEW.sequence) "
    "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
)
APPEND_ONLY_POSTGRESQL: Final = (
    "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$",
    "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
)
for _dialect, _statements in (("sqlite", APPEND_ONLY_SQLITE), ("postgresql", APPEND_ONLY_POSTGRESQL)):
    for _statement in _statements:
        event.listen(entries, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]

_CHAIN_LOCK: Final = 0x41554449  # pg_advisory_xact_lock key: "AUDI"
_PAGE: Final = 2_000

_APPEND: Final = sql.SQL("""\
SELECT pg_advisory_xact_lock({lock});
INSERT INTO audit (sequence, at, actor, action, subject, facts, previous, hash)
SELECT sequence, {told}, previous,
       sha256(convert_to(
           '[' || sequence || ',' || {spelled} || ',"' || encode(previous, 'hex') || '"]', 'UTF8'))
FROM (SELECT coalesce(max(sequence), 0) + 1 AS sequence,
             coalesce((SELECT hash FROM audit ORDER BY sequence DESC LIMIT 1), {genesis}) AS previous
      FROM audit) AS head""")
"""Two statements, so that the second sees what was committed while the first waited for the lock."""


class Audit:
    """Implements the slices' ``AuditTrail`` ports.

    Appending is part of the caller's transaction and serialises all writers of the trail until that
    transaction ends, so **append last**: after the work, right before the block closes.
    """

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def append(
        self, tx: Connection, *, action: str, actor: str, subject: str, facts: Mapping[str, str] | None = None
    ) -> None:
        """Record that ``actor`` did ``action`` to ``subject``."""
        at = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        told = (at, actor, action, subject, canonical(dict(facts or {})))
        if tx.dialect.name == "postgresql":
            _append_in_one_step(tx, told)
            return
        head = self.head(tx)  # BEGIN IMMEDIATE has already excluded other writers
        sequence = head.sequence + 1
        tx.execute(
            insert(entries).values(
                (sequence, *told, head.hash, hash_of(sequence, *told, head.hash.hex())),
            )
        )

    def head(self, tx: Connection) -> ChainHead:
        """The last entry, or sequence 0 with the hash of the beginning."""
        row = tx.execute(
            select(entries.c.sequence, entries.c.hash).order_by(entries.c.sequence.desc()).limit(1)
        ).one_or_none()
        return ChainHead(row.sequence, bytes(row.hash)) if row else BEGINNING

    def newest(self, tx: Connection, *, action: str, subject: str) -> Mapping[str, str] | None:
        """The facts of the newest entry that says ``action`` of ``subject``; None when there is none."""
        facts = tx.execute(
            select(entries.c.facts)
            .where(entries.c.subject == subject, entries.c.action == action)
            .order_by(entries.c.sequence.desc())
            .limit(1)
        ).scalar_one_or_none()
        return None if facts is None else json.loads(facts)

    def last_action(self, tx: Connection, *, subject: str, actions: Collection[str]) -> str | None:
        """The newest of ``actions`` that was done to ``subject``; None when none was."""
        action: str | None = tx.scalar(
            select(entries.c.action)
            .where(entries.c.subject == subject, entries.c.action.in_(actions))
            .order_by(entries.c.sequence.desc())
            .limit(1)
        )
        return action

    def count(self, tx: Connection, *, action: str, subject: str) -> int:
        """How many entries say ``action`` of ``subject``."""
        query = (
            select(func.count())
            .select_from(entries)
            .where(entries.c.subject == subject, entries.c.action == action)
        )
        return tx.execute(query).scalar_one()

    def entries(self, tx: Connection, *, after: int = 0) -> Iterator[AuditEntry]:
        """All entries behind ``after``, in order, in bounded memory."""
        while True:
            page = tx.execute(
                select(entries).where(entries.c.sequence > after).order_by(entries.c.sequence).limit(_PAGE)
            ).all()
            for row in page:
                yield AuditEntry(
                    row.sequence, row.at, row.actor, row.action, row.subject, row.facts,
                    bytes(row.previous), bytes(row.hash),
                )  # fmt: skip
            if len(page) < _PAGE:
                return
            after = page[-1].sequence

    def verify(self, tx: Connection, *, since: ChainHead | None = None) -> ChainHead:
        """As :func:`app.trail.chain.follow`; ``since`` is a head that was written down earlier."""
        return follow(self.entries(tx), () if since is None else (since,))


def _append_in_one_step(tx: Connection, told: tuple[str, ...]) -> None:
    """All writers of the trail stand in one queue, and a round trip that is made at its head is waited for by
    all of them. So the server is sent everything at once and computes the hash itself: the same as
    :func:`app.trail.chain.hash_of`, over canonical JSON that lacks but the two fields which only the head
    knows.
    """
    statement = _APPEND.format(
        lock=sql.Literal(_CHAIN_LOCK),
        told=sql.SQL(", ").join(map(sql.Literal, told)),
        spelled=sql.Literal(canonical(told)[1:-1]),
        genesis=sql.Literal(GENESIS),
    )
    connection = tx.connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    tx.exec_driver_sql(statement.as_string(connection), execution_options={"no_parameters": True}).close()
