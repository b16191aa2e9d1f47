"""The audit trail: what was appended stays, and whatever was changed shows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.audit import GENESIS, Audit, ChainHead
from app.database import Database
from app.errors import AuditChainBroken
from tests.support.clock import FrozenClock


@pytest.fixture
def audit(clock: FrozenClock) -> Audit:
    return Audit(clock=clock)


def _append(database: Database, audit: Audit, count: int) -> ChainHead:
    for number in range(count):
        with database.begin() as tx:
            audit.append(
                tx,
                action="document.issued",
                actor="client-1",
                subject=f"D{number}",
                facts={"b": "2", "a": "1"},
            )
    with database.read() as tx:
        return audit.head(tx)


def _disarm(database: Database) -> None:
    """What an insider with the owner's rights would do first."""
    with database.begin() as tx:
        if database.is_sqlite:
            for trigger in ("audit_no_update", "audit_no_delete", "audit_no_replace"):
                tx.execute(text(f"DROP TRIGGER {trigger}"))
        else:
            tx.execute(text("DROP TRIGGER audit_no_change ON audit"))


def _verify(database: Database, audit: Audit, since: ChainHead | None = None) -> ChainHead:
    with database.read() as tx:
        return audit.verify(tx, since=since)


def test_entries_are_chained_and_verify(database: Database, audit: Audit) -> None:
    head = _append(database, audit, 5)
    assert _verify(database, audit) == head
    with database.read() as tx:
        entries = list(audit.entries(tx))
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5]
    assert entries[0].previous == GENESIS
    assert entries[0].facts == '{"a":"1","b":"2"}'
    assert entries[0].at == "2026-06-01T03:00:00.000000Z"
    assert all(later.previous == earlier.hash for earlier, later in pairwise(entries))


def test_the_hash_is_the_one_that_the_documentation_promises(database: Database, audit: Audit) -> None:
    """SHA-256 of ``[1,"2026-06-01T03:00:00.000000Z","client-1","document.issued","D0","{\\"a\\":…}","00…"]``.

    A fixed vector: an archive of today must verify with the code of tomorrow.
    """
    head = _append(database, audit, 1)
    assert head.hash.hex() == "8e07f1a78d4d4b8ddb27d141d0ef331c3d00422c2d14389660aae9ca465d2d92"


def test_an_entry_disappears_with_the_transaction_that_it_belongs_to(
    database: Database, audit: Audit
) -> None:
    with suppress(ZeroDivisionError), database.begin() as tx:
        audit.append(tx, action="a", actor="b", subject="c")
        raise ZeroDivisionError
    assert _append(database, audit, 1).sequence == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'somebody else' WHERE sequence = 2",
        "DELETE FROM audit WHERE sequence = 2",
        "DELETE FROM audit",
        "UPDATE audit SET sequence = 9 WHERE sequence = 2",
    ],
)
def test_the_database_refuses_to_change_or_remove_an_entry(
    statement: str, database: Database, audit: Audit
) -> None:
    head = _append(database, audit, 3)
    with pytest.raises(DBAPIError, match="append-only"), database.begin() as tx:
        tx.execute(text(statement))
    assert _verify(database, audit) == head


def test_no_back_door_empties_or_replaces(database: Database, audit: Audit) -> None:
    _append(database, audit, 3)
    statement = (
        "INSERT OR REPLACE INTO audit SELECT sequence, at, 'x', action, subject, facts, previous, hash "
        "FROM audit WHERE sequence = 2"
        if database.is_sqlite
        else "TRUNCATE audit"
    )
    with pytest.raises(DBAPIError, match="append-only"), database.begin() as tx:
        tx.execute(text(statement))


TAMPERING: dict[str, tuple[str, str]] = {
    "another actor": ("UPDATE audit SET actor = 'x' WHERE sequence = 2", "does not match its hash"),
    "another time": ("UPDATE audit SET at = '2020-01-01T00:00:00Z' WHERE sequence = 2", "does not match"),
    "other facts": ("UPDATE audit SET facts = '{}' WHERE sequence = 2", "does not match its hash"),
    "an entry removed": ("DELETE FROM audit WHERE sequence = 2", "entry is missing"),
    "the first removed": ("DELETE FROM audit WHERE sequence = 1", "entry is missing"),
    "numbers closed up": (
        "DELETE FROM audit WHERE sequence = 2; UPDATE audit SET sequence = 2 WHERE sequence = 3",
        "does not continue"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_that_gets_past_the_triggers_shows(name: str, database: Database, audit: Audit) -> None:
    statements, words = TAMPERING[name]
    _append(database, audit, 4)
    _disarm(database)
    with database.begin() as tx:
        for statement in statements.split("; "):
            tx.execute(text(statement))
    with pytest.raises(AuditChainBroken, match=words):
        _verify(database, audit)


def test_a_shortened_or_rewritten_trail_differs_from_the_head_that_was_written_down(
    database: Database, audit: Audit
) -> None:
    noted = _append(database, audit, 4)
    assert _verify(database, audit, since=noted) == noted
    _disarm(database)
    with database.begin() as tx:
        tx.execute(text("DELETE FROM audit WHERE sequence = 4"))
    assert _verify(database, audit).sequence == 3  # the chain alone cannot know
    with pytest.raises(AuditChainBroken, match="ends before"):
        _verify(database, audit, since=noted)
    with database.begin() as tx:
        audit.append(tx, action="document.issued", actor="client-1", subject="a forgery")
    assert _verify(database, audit).sequence == 4
    with pytest.raises(AuditChainBroken, match="written down"):
        _verify(database, audit, since=noted)


def test_the_trail_grows_after_a_head_was_written_down(database: Database, audit: Audit) -> None:
    noted = _append(database, audit, 2)
    later = _append(database, audit, 2)
    assert _verify(database, audit, since=noted) == later
    assert _verify(database, audit, since=replace(noted, sequence=0, hash=GENESIS)) == later


def test_writers_at_the_same_time_make_one_chain(database: Database, audit: Audit) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(_append, database, audit, 15) for _ in range(4)]:
            done.result()
    assert _verify(database, audit).sequence == 60
