"""Snapshots of the database in the way that its makers provide: SQLite's backup, pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from app.audit import Audit
from app.database import Database
from app.errors import BackupFailed
from app.trail.chain import BEGINNING, ChainHead

_REVISION: Final = "alembic_version"
"""Left empty in every dump: a restored database is no service's until :mod:`app.backup.restoring` says so."""


def dump(database: Database, audit: Audit, target: Path) -> ChainHead:
    """Write one consistent snapshot while the service goes on; the head of the audit trail in it.

    Raises :class:`app.errors.BackupFailed`.
    """
    return _dump_sqlite(database, target) if database.is_sqlite else _dump_postgresql(database, audit, target)


def _dump_sqlite(database: Database, target: Path) -> ChainHead:
    assert database.url.database is not None
    with closing(sqlite3.connect(database.url.database)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
        copy.execute(f"DELETE FROM {_REVISION}")  # noqa: S608 - our own name
        copy.commit()
        copy.execute("PRAGMA journal_mode=DELETE")  # one file
        newest = copy.execute("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1").fetchone()
    target.chmod(0o600)
    return ChainHead(*newest) if newest else BEGINNING


def _dump_postgresql(database: Database, audit: Audit, target: Path) -> ChainHead:
    with database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as tx, tx.begin():
        snapshot = tx.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        head = audit.head(tx)
        _run(
            database,
            "pg_dump",
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            f"--snapshot={snapshot}",
            f"--exclude-table-data={_REVISION}",
            f"--file={target}",
        )
    target.chmod(0o600)
    return head


def load(database: Database, source: Path) -> None:
    """Put a snapshot into a database that must be empty. Raises :class:`app.errors.BackupFailed`."""
    with database.engine.connect() as tx:
        if inspect(tx).get_table_names():
            raise BackupFailed(
                "The database is not empty. A restore overwrites nothing: point ABSAH_DATABASE_URL to a new, "
                "empty one, or move the old one away first."
            )
    database.close()
    if not database.is_sqlite:
        whole = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
        _run(database, "pg_restore", *whole, str(source))
        return
    assert database.url.database is not None
    target = Path(database.url.database)
    for leftover in ("-wal", "-shm"):
        Path(f"{target}{leftover}").unlink(missing_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    shutil.copyfile(source, draft)
    draft.chmod(0o600)
    draft.replace(target)


def name_revision(tx: Connection, revision: str) -> None:
    """From here on it is a service's database."""
    stamp = text(f"INSERT INTO {_REVISION} (version_num) VALUES (:revision)")  # noqa: S608 - our own name
    tx.execute(stamp, {"revision": revision})


def _run(database: Database, tool: str, *arguments: str) -> None:
    program = shutil.which(tool)
    if program is None:
        raise BackupFailed(
            f"{tool} is missing. Install PostgreSQL's client programs, of the server's version."
        )
    url = database.url.set(drivername="postgresql", password=None)
    with _password_file(database.url.password) as file:
        environment = {**os.environ, "PGOPTIONS": "", **({"PGPASSFILE": str(file)} if file else {})}
        ran = subprocess.run(  # noqa: S603 - our own arguments, and no shell
            [program, f"--dbname={url.render_as_string()}", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode != 0:
        words = ran.stderr.strip().splitlines()
        raise BackupFailed(f"{tool} did not finish: {words[0] if words else ran.returncode}")


@contextmanager
def _password_file(password: object) -> Iterator[Path | None]:
    """libpq reads passwords from a file that others cannot: neither arguments nor environment hold it."""
    if password is None:
        yield None
        return
    escaped = str(password).replace("\\", "\\\\").replace(":", "\\:")
    with tempfile.NamedTemporaryFile("w", prefix="absah-", suffix=".pgpass") as file:
        file.write(f"*:*:*:*:{escaped}\n")
        file.flush()
        yield Path(file.name)
