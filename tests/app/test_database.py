"""Transactions that mean what they say, on both databases."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app import schema
from app.database import Database
from app.errors import DatabaseNotReady, SettingsInvalid
from app.migrations.tables import all_metadata


def _count(database: Database) -> int:
    with database.read() as tx:
        return int(tx.execute(text("SELECT count(*) FROM agencies")).scalar_one())


def _insert(database: Database, key: str) -> None:
    with database.begin() as tx:
        _insert_in(tx, key)


def _insert_in(tx: object, key: str) -> None:
    statement = text(
        "INSERT INTO agencies (id, name, certified_name, organization_identifier, created_at) "
        "VALUES (:id, 'n', 'n', 'o', '2026-01-01 00:00:00')"
    )
    tx.execute(statement, {"id": key})  # type: ignore[attr-defined]


def test_a_block_that_ends_commits_and_one_that_raises_does_not(database: Database) -> None:
    _insert(database, "kept")
    with suppress(ZeroDivisionError), database.begin() as tx:
        _insert_in(tx, "lost")
        raise ZeroDivisionError
    assert _count(database) == 1


def test_a_read_transaction_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError, match=r"read-?only"), database.read() as tx:
        _insert_in(tx, "never")
    _insert(database, "the pool is not left read-only")
    assert _count(database) == 1


def test_readers_are_not_held_up_by_a_writer(database: Database) -> None:
    with database.begin() as tx:
        _insert_in(tx, "a")
        assert _count(database) == 0


def test_writers_that_read_first_queue_instead_of_failing(database: Database) -> None:
    """With deferred transactions SQLite answers this with "database is locked" at once."""

    def write(worker: int) -> None:
        for turn in range(10):
            with database.begin() as tx:
                tx.execute(text("SELECT count(*) FROM agencies")).scalar_one()
                _insert_in(tx, f"{worker}-{turn}")

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(write, worker) for worker in range(4)]:
            done.result()
    assert _count(database) == 40


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_connections_that_were_cut_while_idle_are_replaced(database: Database) -> None:
    _insert(database, "kept")
    assert _count(database) == 1
    with database.begin() as tx:
        tx.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        )
    time.sleep(1.1)  # what answered within the last second is not asked again
    assert _count(database) == 1
    _insert(database, "after")


def test_foreign_keys_are_enforced(database: Database) -> None:
    with pytest.raises(SQLAlchemyError), database.begin() as tx:
        tx.execute(
            text(
                "INSERT INTO clients (id, agency_id, name, secret_hash, scopes, is_sandbox, created_at) "
                "VALUES ('c', 'nobody', 'n', :hash, 's', :no, '2026-01-01 00:00:00')"
            ),
            {"hash": b"x", "no": False},
        )


def test_the_migrated_schema_is_the_one_that_the_slices_declare(database: Database) -> None:
    with database.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True})
        differences = compare_metadata(context, all_metadata())
    assert differences == [], "run: python -m app.migrations 'why'"


def test_migrating_twice_changes_nothing(database: Database) -> None:
    _insert(database, "kept")
    assert schema.upgrade(database) == schema.head()
    schema.require_current(database)
    assert _count(database) == 1


def test_several_processes_may_migrate_an_empty_database_at_once(database_url: str) -> None:
    program = (
        "import sys; from app.database import Database; from app import schema; "
        "schema.upgrade(Database(sys.argv[1])); print(schema.revision(Database(sys.argv[1])))"
    )
    starting = [
        subprocess.Popen([sys.executable, "-c", program, database_url], stdout=-1, stderr=-1, text=True)
        for _ in range(3)
    ]
    for process in starting:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out.strip() == schema.head()


def test_an_empty_database_is_not_worked_with(database_url: str) -> None:
    empty = Database(database_url)
    with pytest.raises(DatabaseNotReady, match="absah init"):
        schema.require_current(empty)
    empty.close()


def test_a_schema_from_the_future_is_left_alone(database: Database) -> None:
    with database.begin() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for act in (schema.require_current, schema.upgrade):
        with pytest.raises(DatabaseNotReady, match="newer release"):
            act(database)


def test_a_database_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    gone = Database(f"postgresql://absah@/absah?host={tmp_path}", password="hunter2")
    with pytest.raises(DatabaseNotReady) as refused:
        gone.ping()
    assert "cannot be reached" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    gone.close()


def test_an_error_message_holds_no_parameters(database: Database) -> None:
    _insert(database, "Siti Aminah")
    with pytest.raises(DBAPIError) as refused:
        _insert(database, "Siti Aminah")
    assert "[SQL parameters hidden" in str(refused.value)


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "nonsense", ""])
def test_other_databases_are_refused_at_once(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="postgresql://"):
        Database(url)
