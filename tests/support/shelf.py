"""Databases that are made once per run and lent to tests as if they were new.

Making tables, let alone a whole service with its keys, takes longer than most tests. Databases are copied
from a prototype. PostgreSQL's come back to the shelf: they are emptied and get the prototype's rows again,
which takes a tenth of the time of ``CREATE DATABASE``. One whose tables were changed is thrown away.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final, Literal

import psycopg
from psycopg import sql
from sqlalchemy import MetaData, create_engine, make_url
from sqlalchemy.pool import NullPool

from tests.support.postgres import OWNER, PostgresCluster

Kind = Literal["sqlite", "postgresql"]
_LEAVE: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_FORM: Final = """
SELECT count(*), sum(oid::bigint), sum(relnatts), sum(relchecks),
    (SELECT sum(oid::bigint) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
    (SELECT sum(oid::bigint) FROM pg_trigger WHERE tgenabled = 'O')
FROM pg_class WHERE relnamespace = 'public'::regnamespace
"""
_TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
_WORKFLOWS: Final = """
SELECT tablename FROM pg_tables WHERE schemaname = 'absah_workflows' AND tablename <> 'dbos_migrations'
"""
_SEQUENCES: Final = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1"


@dataclass(frozen=True)
class Layout:
    """What a database holds when it is lent. Two of the same ``name`` are the same."""

    name: str
    prepare: Callable[[str], None] = field(compare=False)
    """Given the URL of an empty database."""


def tables_of(*schemas: MetaData) -> Layout:
    """The tables of ``schemas``, and nothing in them."""

    def prepare(url: str) -> None:
        engine = create_engine(url, poolclass=NullPool)
        for schema in schemas:
            schema.create_all(engine)
        engine.dispose()

    return Layout(" ".join(sorted(name for schema in schemas for name in schema.tables)), prepare)


class Shelf:
    """One per test process. ``cluster`` is asked for only when somebody wants PostgreSQL."""

    def __init__(self, folder: Path, cluster: Callable[[], PostgresCluster]) -> None:
        self._folder = folder
        self._cluster = cluster
        self._serial = count()
        self._files: dict[Layout, Path] = {}
        self._templates: dict[Layout, str] = {}
        self._idle: dict[Layout, list[_Lent]] = {}

    @contextmanager
    def lend(self, kind: Kind, layout: Layout, file: Path) -> Iterator[str]:
        """URL of a database of this layout. ``file`` is where it lies if it is SQLite's."""
        if kind == "sqlite":
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._prototype(layout), file)
            yield f"sqlite:///{file}"
            return
        idle = self._idle.setdefault(layout, [])
        lent = idle.pop() if idle else self._make(layout)
        yield lent.url
        if lent.renew():
            idle.append(lent)
        else:
            lent.close()
            self._cluster().drop(lent.url)

    def close(self) -> None:
        """Nobody borrows any more."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def _prototype(self, layout: Layout) -> Path:
        if layout not in self._files:
            file = self._folder / f"{next(self._serial)}.db"
            file.touch()
            layout.prepare(f"sqlite:///{file}")
            assert not file.with_name(f"{file.name}-wal").exists(), "the prototype is still open"
            self._files[layout] = file
        return self._files[layout]

    def _make(self, layout: Layout) -> _Lent:
        cluster = self._cluster()
        if layout not in self._templates:
            self._templates[layout] = cluster.create()
            layout.prepare(self._templates[layout])
        return _Lent(cluster, cluster.create(self._templates[layout]))


class _Lent:
    def __init__(self, cluster: PostgresCluster, url: str) -> None:
        self._cluster = cluster
        self.url = url
        self._connection = self._connect()
        connection = self._connection
        self._form = connection.execute(_FORM).fetchone()
        tables = [name for (name,) in connection.execute(_TABLES)]
        self._emptied = sql.SQL("; ").join([_statement("DELETE FROM {}", name) for name in tables])
        self._rows = {name: rows for name in tables if (rows := _rows(connection, name))}
        self._sequences = [
            (
                name,
                *connection.execute(_statement("SELECT last_value, is_called FROM {}", name)).fetchone(),
            )  # type: ignore[misc]
            for (name,) in connection.execute(_SEQUENCES).fetchall()
        ]

    def renew(self) -> bool:
        """Back to what it was; False when its tables are no longer those that it had."""
        try:
            self._connection.execute(_LEAVE)
        except psycopg.OperationalError:  # a test cut everybody off
            self.close()
            self._connection = self._connect()
            self._connection.execute(_LEAVE)
        connection = self._connection
        if connection.execute(_FORM).fetchone() != self._form:
            return False
        with connection.transaction():
            for (name,) in connection.execute(_WORKFLOWS).fetchall():
                connection.execute(_statement("DELETE FROM absah_workflows.{}", name))
            connection.execute(self._emptied)
            for name, rows in self._rows.items():
                with connection.cursor().copy(_statement("COPY {} FROM STDIN", name)) as copy:
                    copy.write(rows)
            for name, value, called in self._sequences:
                connection.execute("SELECT setval(%s, %s, %s)", (f'"{name}"', value, called))
        return True

    def close(self) -> None:
        self._connection.close()

    def _connect(self) -> psycopg.Connection:
        """One for all renewals: a new one costs PostgreSQL a process, and that one all of its caches."""
        return psycopg.connect(
            host=str(self._cluster.folder),
            user=OWNER,
            dbname=make_url(self.url).database,
            autocommit=True,
            # Neither foreign keys nor triggers: what is put back was right before.
            options="-c session_replication_role=replica",
        )


def _rows(connection: psycopg.Connection, name: str) -> bytes:
    with connection.cursor().copy(_statement("COPY {} TO STDOUT", name)) as copy:
        return b"".join(bytes(block) for block in copy)


def _statement(text: str, name: str) -> sql.Composed:
    return sql.SQL(text).format(sql.Identifier(name))
