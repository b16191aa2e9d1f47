"""SQLite and PostgreSQL behind one code path: an engine, a write transaction and a read transaction."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from app.errors import DatabaseNotReady, SettingsInvalid
from app.settings import Settings

_MIGRATION_LOCK: Final = 0x41425341  # pg_advisory_lock key: "ABSA"; app.audit has its own
_NAMED_LOCKS: Final = _MIGRATION_LOCK  # with two numbers a lock is another one than with one
_READ: Final = "absah_read"
_USED: Final = "absah_used"
_FRESH_SECONDS: Final = 1.0


class Database:
    """One database for the life of the process. Thread-safe; do not carry it over a fork.

    Writes on SQLite start with ``BEGIN IMMEDIATE``: a transaction that upgrades from reading to writing can
    fail at once with "database is locked" whatever the busy timeout, so none of ours does that.
    ``synchronous=FULL``, because a seal that was handed out must not be forgotten by a power cut.
    """

    def __init__(
        self, url: str, *, password: str | None = None, pool_size: int = 16, busy_seconds: int = 30
    ) -> None:
        self.url = _parse(url, password)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._reader: Engine
        if self.is_sqlite:
            self.engine = self._open_sqlite(pool_size, busy_seconds)
            self._reader = self.engine.execution_options(**{_READ: True})
        else:
            self.engine = self._open_writer(pool_size - pool_size // 2, busy_seconds)
            self._reader = self._open_reader(max(1, pool_size // 2), busy_seconds)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Connects lazily. Raises :class:`app.errors.SettingsInvalid`."""
        password = None
        if settings.database.password_file is not None:
            try:
                password = settings.database.password_file.read_text().strip()
            except OSError as cause:
                raise SettingsInvalid(
                    f"ABSAH_DATABASE_PASSWORD_FILE cannot be read ({cause.strerror}): check path and owner."
                ) from None
        return cls(
            settings.database_url,
            password=password,
            pool_size=settings.database.pool_size,
            busy_seconds=settings.database.busy_seconds,
        )

    def _open_sqlite(self, pool_size: int, busy_seconds: int) -> Engine:
        engine = create_engine(
            self.url,
            hide_parameters=True,  # error messages reach logs; parameters are people's data
            pool_size=pool_size,
            max_overflow=-1,
            connect_args={"timeout": float(busy_seconds)},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _open_writer(self, pool_size: int, busy_seconds: int) -> Engine:
        return create_engine(
            self.url,
            hide_parameters=True,
            pool_size=pool_size,
            max_overflow=0,  # the server's max_connections is divided among processes: no surprises
            pool_timeout=busy_seconds,
            pool_pre_ping=True,  # a database that was restarted costs a round trip, not a failed request
            connect_args={"options": "-c timezone=UTC", "connect_timeout": 10},
        )

    def _open_reader(self, pool_size: int, busy_seconds: int) -> Engine:
        """Connections that the server itself keeps from writing, with one round trip per statement.

        Our isolation level is READ COMMITTED, so that statements see what BEGIN and COMMIT around them would
        have shown. They would triple the time of a look-up, which consists of waiting.
        """
        engine = create_engine(
            self.url,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=busy_seconds,
            pool_reset_on_return=None,
            connect_args={
                "options": "-c timezone=UTC -c default_transaction_read_only=on",
                "connect_timeout": 10,
            },
        )
        event.listen(engine, "checkin", _note_use)
        event.listen(engine, "checkout", _ping_after_a_pause)
        return engine

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction that commits when its block ends and rolls back when it raises.

        Raises :class:`DatabaseNotReady` when the database cannot be reached.
        """
        with _reachable(self.url), self.engine.begin() as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Statements that only read: the database refuses writes, and no lock is taken.

        On SQLite they see one snapshot; on PostgreSQL each sees what is committed when it begins.
        """
        with _reachable(self.url), self._reader.begin() as tx:
            yield tx

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold the one lock for changing the schema: several processes may start at the same moment.

        PostgreSQL: a session-level advisory lock. SQLite: a file lock beside the database, which the
        operating system releases if the process dies.
        """
        if self.is_sqlite:
            assert self.url.database is not None
            with Path(f"{self.url.database}.lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            return
        with _reachable(self.url), self.engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
            connection.commit()
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
                connection.commit()

    @contextmanager
    def only_one(self, name: str) -> Iterator[Callable[[], bool] | None]:
        """Hold the lock called ``name`` while the block lasts; yields None when another process holds it.

        Else it yields what tells whether the lock is still held: PostgreSQL lets go of it when the connection
        breaks. A process that dies holds nothing.
        """
        if self.is_sqlite:
            with Path(f"{self.url.database}.{name}.lock").open("wb") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield None
                else:
                    yield lambda: True
            return
        with _reachable(self.url):
            connection = self.engine.connect()
        try:
            with _reachable(self.url):
                taken = connection.execute(
                    text("SELECT pg_try_advisory_lock(:key, hashtext(:name))"),
                    {"key": _NAMED_LOCKS, "name": name},
                ).scalar_one()
                connection.commit()
            yield (lambda: _answers(connection)) if taken else None
        finally:
            connection.invalidate()  # ends the session, and with it the lock
            connection.close()

    def ping(self) -> None:
        """One round trip. Raises :class:`DatabaseNotReady`."""
        with self.read() as tx:
            tx.execute(text("SELECT 1"))

    def close(self) -> None:
        """Give all connections back. The object can be used again; it opens new ones."""
        self.engine.dispose()
        self._reader.dispose()


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite URL, None for other databases: opening it would create it, looking at it not."""
    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def _parse(url: str, password: str | None) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsInvalid(
            "ABSAH_DATABASE_URL is not a database address; use sqlite:///PATH or postgresql://USER@HOST/NAME."
        ) from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        return parsed.set(password=password) if password is not None else parsed
    if backend != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise SettingsInvalid(
            "ABSAH_DATABASE_URL names a database that is not supported; "
            "use sqlite:///PATH (a file) or postgresql://USER@HOST/NAME."
        )
    Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return parsed


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late and is DEFERRED
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA trusted_schema=OFF")


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get(_READ, False)
    driver = connection.connection.driver_connection
    assert driver is not None, "a transaction begins on a living connection"
    if connection.info.get(_READ) is not reading:
        connection.info[_READ] = reading
        driver.execute(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
    if reading:
        driver.execute("BEGIN")  # waits for nobody and so cannot fail; a look-up consists of such steps
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _answers(connection: Connection) -> bool:
    try:
        connection.execute(text("SELECT 1"))
        connection.commit()
    except DBAPIError:
        return False
    return True


def _note_use(_connection: object, record: Any) -> None:
    record.info[_USED] = time.monotonic()


def _ping_after_a_pause(connection: Any, record: Any, _proxy: object) -> None:
    """What answered a moment ago is taken to be there still; a restart finds the connections idle.

    Raising ``DisconnectionError`` makes the pool connect anew.
    """
    if time.monotonic() - record.info.get(_USED, 0.0) < _FRESH_SECONDS:
        return
    try:
        connection.execute("")
    except psycopg.OperationalError as cause:
        raise DisconnectionError("the connection was closed while it was idle") from cause


@contextmanager
def _reachable(url: URL) -> Iterator[None]:
    """Only failures of the connection are translated; a broken statement is a defect and stays one."""
    try:
        yield
    except (DBAPIError, PoolExhausted) as cause:
        if isinstance(cause, PoolExhausted) or cause.connection_invalidated or _is_connect_failure(cause):
            raise DatabaseNotReady(
                f"The database {url.render_as_string(hide_password=True)} cannot be reached or is stuck. "
                "Is it running, and is ABSAH_DATABASE_URL right? `absah doctor` tries it."
            ) from cause
        raise


def _is_connect_failure(cause: DBAPIError) -> bool:
    """An operational error outside any statement, or SQLite's busy timeout running out."""
    return type(cause.orig).__name__ == "OperationalError" and (
        cause.statement is None or "locked" in str(cause.orig) or cause.statement.startswith("BEGIN")
    )
