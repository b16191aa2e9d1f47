"""Anchors: heads of the trail under a time-stamp, so that the past cannot be written anew.

Whoever rewrites entries has to stamp the new heads, and a time-stamp tells the time at which it was made:
days of entries that all are vouched for at once only long after they were written show it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Connection,
    DateTime,
    LargeBinary,
    Row,
    Table,
    event,
    insert,
    or_,
    select,
)
from sqlalchemy.exc import IntegrityError

from app.audit import Audit, entries, metadata
from app.clock import Clock
from app.telemetry import Reading
from app.trail.chain import ChainHead
from ca.errors import TimeNotAvailable
from identity.ports import Begin
from signing.ports import TimeStampers

log = structlog.get_logger(__name__)

KEY_ACTS: Final = ("key.", "certificate.", "custodians.")
"""Beginnings of the actions that are anchored without waiting: acts on keys and on what certifies them."""

_PAGE: Final = 200

anchors = Table(
    "audit_anchors",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("token", LargeBinary, nullable=False),
)

ANCHORS_APPEND_ONLY_SQLITE: Final = (
    "CREATE TRIGGER audit_anchors_no_update BEFORE UPDATE ON audit_anchors "
    "BEGIN SELECT RAISE(ABORT, 'anchors of the audit trail are append-only'); END",
    "CREATE TRIGGER audit_anchors_no_delete BEFORE DELETE ON audit_anchors "
    "BEGIN SELECT RAISE(ABORT, 'anchors of the audit trail are append-only'); END",
    # INSERT OR REPLACE deletes without firing the delete trigger. Not >=: processes may anchor out of order.
    "CREATE TRIGGER audit_anchors_no_replace BEFORE INSERT ON audit_anchors "
    "WHEN EXISTS (SELECT 1 FROM audit_anchors WHERE sequence = NEW.sequence) "
    "BEGIN SELECT RAISE(ABORT, 'anchors of the audit trail are append-only'); END",
)
ANCHORS_APPEND_ONLY_POSTGRESQL: Final = (
    "CREATE FUNCTION audit_anchors_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'anchors of the audit trail are append-only'; END $$",
    "CREATE TRIGGER audit_anchors_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_anchors "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_anchors_append_only()",
)
for _dialect, _statements in (
    ("sqlite", ANCHORS_APPEND_ONLY_SQLITE),
    ("postgresql", ANCHORS_APPEND_ONLY_POSTGRESQL),
):
    for _statement in _statements:
        event.listen(anchors, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Anchor:
    """``token`` is a TimeStampToken (RFC 3161, DER) over :attr:`app.trail.chain.ChainHead.stamped`."""

    head: ChainHead
    at: datetime
    token: bytes


class AnchorRows:
    """The anchors, inside the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, anchor: Anchor) -> None:
        """Raises ``IntegrityError`` when this head is anchored already."""
        self._connection.execute(
            insert(anchors).values(
                sequence=anchor.head.sequence, hash=anchor.head.hash, at=anchor.at, token=anchor.token
            )
        )

    def newest(self) -> Anchor | None:
        row = self._connection.execute(
            select(anchors).order_by(anchors.c.sequence.desc()).limit(1)
        ).one_or_none()
        return None if row is None else _anchor(row)

    def all(self) -> Iterator[Anchor]:
        """In the order of the trail, in bounded memory."""
        after = 0
        while True:
            page = self._connection.execute(
                select(anchors).where(anchors.c.sequence > after).order_by(anchors.c.sequence).limit(_PAGE)
            ).all()
            for row in page:
                yield _anchor(row)
            if len(page) < _PAGE:
                return
            after = page[-1].sequence


class Anchors:
    """Keeps the head of the trail under time-stamps. Safe to use from several threads and processes."""

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        audit: Audit,
        timestampers: TimeStampers,
        clock: Clock,
        interval: timedelta,
    ) -> None:
        self._begin = begin
        self._read = read
        self._audit = audit
        self._timestampers = timestampers
        self._clock = clock
        self._interval = interval

    def make(self) -> Anchor | None:
        """Anchor the head as it is now; None when it is anchored already, or nothing was ever written.

        The token is made outside any transaction. Of two processes that do it at the same time one is kept.
        Raises :class:`ca.errors.TimeNotAvailable`.
        """
        with self._read() as tx:
            head, newest = self._audit.head(tx), AnchorRows(tx).newest()
        if head.sequence == 0 or (newest is not None and newest.head.sequence >= head.sequence):
            return None
        at = self._clock()
        anchor = Anchor(head, at, self._stamped(head))
        try:
            with self._begin() as tx:
                AnchorRows(tx).add(anchor)
        except IntegrityError:
            return None
        return anchor

    def _stamped(self, head: ChainHead) -> bytes:
        digest = hashlib.sha256(head.stamped).digest()
        for unit in self._timestampers.units():
            try:
                return unit.token(digest)
            except TimeNotAvailable as cause:
                log.info("audit_unit_silent", error=str(cause))
        raise TimeNotAvailable("no time-stamping unit can vouch for the audit trail now")

    def make_due(self) -> Anchor | None:
        """:meth:`make`, if an act on keys is not anchored yet or the last anchor is ``interval`` old.

        Raises :class:`ca.errors.TimeNotAvailable`.
        """
        with self._read() as tx:
            newest = AnchorRows(tx).newest()
            waits = newest is None or self._clock() - newest.at >= self._interval
            due = waits or _acted(tx, after=newest.head.sequence if newest else 0)
        return self.make() if due else None

    def witness(self) -> None:
        """:meth:`make` around an act on a key. An act that ends a compromise must not wait for a witness:
        what cannot be anchored now, upkeep anchors later."""
        try:
            self.make()
        except TimeNotAvailable:  # as before the first unit is certified; upkeep complains if it stays so
            log.debug("audit_not_anchored_yet")
        except Exception as cause:  # noqa: BLE001 - whatever it is, the act goes on
            log.warning("audit_not_anchored", error=type(cause).__name__)

    def readings(self) -> Iterable[Reading]:
        """For the metrics."""
        with self._read() as tx:
            newest = AnchorRows(tx).newest()
            first = _first_after(tx, newest.head.sequence if newest else 0)
        waits = 0.0 if first is None else max(0.0, (self._clock() - first).total_seconds())
        meaning = "For how long the oldest entry of the audit trail has waited for a time-stamp."
        yield Reading("absah_audit_unanchored_seconds", meaning, waits)


def _acted(tx: Connection, *, after: int) -> bool:
    kinds = or_(*(entries.c.action.startswith(kind, autoescape=True) for kind in KEY_ACTS))
    query = select(entries.c.sequence).where(entries.c.sequence > after, kinds).limit(1)
    return tx.execute(query).first() is not None


def _first_after(tx: Connection, sequence: int) -> datetime | None:
    at = tx.scalar(select(entries.c.at).where(entries.c.sequence == sequence + 1))
    return None if at is None else datetime.fromisoformat(at)


def _anchor(row: Row[tuple[int, bytes, datetime, bytes]]) -> Anchor:
    at = row.at if row.at.tzinfo is not None else row.at.replace(tzinfo=UTC)
    return Anchor(ChainHead(row.sequence, bytes(row.hash)), at, bytes(row.token))
