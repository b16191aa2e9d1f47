"""A real PostgreSQL for the length of a test run, and a fresh database for each test.

The cluster lives in a temporary folder and listens on a Unix socket in it, so that parallel runs cannot
meet. Durability is off: tests kill our processes, never the database.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from tests.support.processes import tied_to_us

OWNER = "absah"
_START_SECONDS = 60.0


@dataclass(frozen=True)
class PostgresCluster:
    """A running server. ``folder`` holds its data, its log and its socket."""

    folder: Path
    _serial: Iterator[int] = field(default_factory=count)

    def url(self, database: str, *, role: str = OWNER) -> str:
        """SQLAlchemy URL of ``database`` through psycopg 3."""
        return f"postgresql+psycopg://{role}@/{database}?host={self.folder}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """A fresh, empty database; yields its URL and drops it afterwards, open connections included."""
        url = self.create()
        try:
            yield url
        finally:
            self.drop(url)

    def create(self, template: str | None = None) -> str:
        """URL of a fresh database: empty, or a copy of the one at the URL ``template``, to which nobody is
        connected. It goes with the cluster, or with :meth:`drop`."""
        name = f"t{next(self._serial)}"
        original = "template0" if template is None else make_url(template).database or ""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.execute(statement.format(sql.Identifier(name), sql.Identifier(original)))
        return self.url(name)

    def drop(self, url: str) -> None:
        """Whoever is still connected is cut off."""
        name = sql.Identifier(make_url(url).database or "")
        self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def execute(self, statement: sql.Composed | sql.SQL, *, database: str = "postgres") -> None:
        """Run one statement as the owner, outside a transaction: roles and databases are made so."""
        with psycopg.connect(
            host=str(self.folder), user=OWNER, dbname=database, autocommit=True
        ) as connection:
            connection.execute(statement)


@contextmanager
def running_cluster(initdb: str, postgres: str, *, durable: bool = False) -> Iterator[PostgresCluster]:
    """Create a cluster with these two programs, run it, and remove it at the end.

    ``durable`` makes every commit reach the disk, as in production; the benchmarks ask for it.
    """
    folder = Path(tempfile.mkdtemp(prefix="absah-pg-"))  # short: a socket's path has at most 107 bytes
    account = _unprivileged_account()
    if account.uid is not None and account.gid is not None:
        os.chown(folder, account.uid, account.gid)
    process: subprocess.Popen[bytes] | None = None
    try:
        data = folder / "data"
        subprocess.run(
            [initdb, "-D", data, "-U", OWNER, "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
            user=account.uid,
            group=account.gid,
            extra_groups=account.groups,
        )
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
            "fsync": "on" if durable else "off",
            "full_page_writes": "on" if durable else "off",
            "max_connections": "200",
            "shared_buffers": "64MB",
            # What a database needs that lives for hours, and not for one test.
            "autovacuum": "on" if durable else "off",
            "jit": "on" if durable else "off",
            "checkpoint_timeout": "5min" if durable else "1h",
            "timezone": "Asia/Jakarta",  # not UTC: code that loses the zone must fail here
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*tied_to_us("QUIT"), postgres, "-D", str(data), *options],
                stdout=log,
                stderr=log,
                cwd=folder,
                user=account.uid,
                group=account.gid,
                extra_groups=account.groups,
            )
        _wait_until_ready(folder, process)
        yield PostgresCluster(folder)
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)  # SIGTERM would wait for clients to leave
            process.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(folder: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(host=str(folder), user=OWNER, dbname="postgres").close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                log = (folder / "log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start:\n{log[-2000:]}") from None
            time.sleep(0.05)


class _Account(NamedTuple):
    """For ``subprocess``; None leaves what the test run has."""

    uid: int | None = None
    gid: int | None = None
    groups: Sequence[int] | None = None


def _unprivileged_account() -> _Account:
    """PostgreSQL refuses to run as root; as anybody else it runs as that."""
    if os.geteuid() != 0:
        return _Account()
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        entry = pwd.getpwnam("nobody")
    return _Account(entry.pw_uid, entry.pw_gid, ())
