"""The engine of durable workflows: DBOS, embedded, in one process at a time.

Its database lies beside ours: for SQLite a file of its own, because two writers would wait for each other;
for PostgreSQL a schema of its own. Nothing is sent anywhere: no telemetry, no console, no port.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final, NoReturn

import sqlalchemy
import structlog
from dbos import DBOS, DBOSConfig, PortableWorkflowError, SetWorkflowID
from dbos import error as dbos_error
from dbos._migration import get_migration_versions
from dbos._serialization import DBOSPortableJSON, DefaultSerializer

from app.database import Database
from app.errors import DatabaseNotReady
from app.workflows.model import StepRefused, Workflow

log = structlog.get_logger(__name__)

SCHEMA: Final = "absah_workflows"
"""PostgreSQL only."""

_NAME: Final = "absah"
_STEPS_KNOWN: Final = "1"
"""DBOS goes on only with workflows of its own application version. Ours is fixed, because a rotation must not
stop at an upgrade; :attr:`app.workflows.model.Workflow.name` tells sequences of steps apart."""

_UNDER_WAY: Final = frozenset({"PENDING", "ENQUEUED", "DELAYED"})
_BEGINNINGS: Final = 20
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_LAST_STEP_SECONDS: Final = 10.0
"""For the steps under way when the process stops; one that needs longer is repeated by the next process."""

_LISTENER_PAUSE: Final = 0.05
"""Between looks for messages to workflows, which cost nothing because ours get none. The end of the engine
waits for the look that is due; with DBOS's own second every process would stop that much later."""


def _refuse_pickles(_self: object, _data: str) -> NoReturn:
    raise ValueError("pickled data is refused: whoever writes to the database must not run code here")


# A row says itself how it is to be read, and DBOS would unpickle what claims to be a pickle. Ours are JSON.
DefaultSerializer.deserialize = _refuse_pickles  # type: ignore[method-assign, assignment]

# DBOS prints for itself unless its logger has a handler; this way its words take the way of all others.
logging.getLogger("dbos").addHandler(logging.NullHandler())


class _Interrupted(BaseException):
    """The process stops. No ``Exception``, so that nothing takes it for an outcome of the step."""


def system_file(database: Database) -> Path | None:
    """The engine's SQLite file; None on PostgreSQL."""
    if not database.is_sqlite:
        return None
    assert database.url.database is not None
    ours = Path(database.url.database)
    return ours.with_name(f"{ours.stem}-workflows{ours.suffix}")


def migrate(database: Database) -> None:
    """Make or update the engine's tables. On PostgreSQL only ``absah init`` may: the service's role may not.

    Call it under :meth:`app.database.Database.exclusively`.
    """
    if not database.is_sqlite:
        with Engine(database, (), migrating=True):
            pass


def is_ready(database: Database) -> bool:
    """Whether the engine's tables are there, and of this release. Makes nothing."""
    if database.is_sqlite:
        return True  # the engine makes its file itself, when it is first needed
    recorded, needed = get_migration_versions(database.engine, SCHEMA, use_listen_notify=False)
    return recorded >= needed


class Engine:
    """DBOS of this process, between its launch and its end. There can be only one.

    Entering raises :class:`app.errors.DatabaseNotReady` while its tables are missing or of another release.
    """

    def __init__(self, database: Database, workflows: Iterable[Workflow], *, migrating: bool = False) -> None:
        self._stopping = threading.Event()
        self._acting = 0
        self._counting = threading.Condition()
        self._workflows = {workflow.name: workflow for workflow in workflows}
        self._sql: sqlalchemy.Engine | None = None
        file = system_file(database)
        config = DBOSConfig(
            name=_NAME,
            application_version=_STEPS_KNOWN,
            executor_id=_NAME,  # whoever runs the engine goes on with what any process before it left
            serializer=DBOSPortableJSON,
            run_migrations=migrating or file is not None,
            use_listen_notify=False,
            enable_otlp=False,
            log_level="WARNING",
            sys_db_pool_size=4,
            notification_listener_polling_interval_sec=_LISTENER_PAUSE,
        )
        if file is not None:
            config["system_database_url"] = f"sqlite:///{file}"
        else:
            self._sql = sqlalchemy.create_engine(
                database.url,
                hide_parameters=True,
                pool_size=4,
                max_overflow=2,
                pool_pre_ping=True,
                connect_args={
                    "options": "-c timezone=UTC -c idle_in_transaction_session_timeout=60000",
                    "connect_timeout": 10,
                },
            )
            config["system_database_engine"] = self._sql
            config["dbos_system_schema"] = SCHEMA
        self._config = config

    def __enter__(self) -> Engine:
        DBOS(config=self._config)
        self._functions = {workflow.name: self._registered(workflow) for workflow in self._workflows.values()}
        try:
            DBOS.launch()
        except dbos_error.DBOSInitializationError as cause:
            self._end()
            raise DatabaseNotReady(
                "The tables of durable workflows are missing or of another release. Run `absah init`."
            ) from cause
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Let the steps under way come to their end, and forget nothing: the rest is the next process's."""
        self._stopping.set()
        with self._counting:
            self._counting.wait_for(lambda: self._acting == 0, _LAST_STEP_SECONDS)
        self._end()

    def _end(self) -> None:
        DBOS.destroy(destroy_registry=True)
        if self._sql is not None:
            self._sql.dispose()

    def begin_unfinished(self) -> bool:
        """See to it that everything unfinished is being worked on; whether there is anything."""
        found = False
        for workflow in self._workflows.values():
            for subject in workflow.unfinished():
                found = True
                self._begin(workflow, subject)
        return found

    def _begin(self, workflow: Workflow, subject: str) -> None:
        """Start it, unless it runs or waits to be recovered.

        One that DBOS holds for ended while its owner says that it is not, as after restoring an older backup
        of the owner's tables, is begun again under another id; its steps find what is done already.
        """
        for beginning in range(1, _BEGINNINGS + 1):
            workflow_id = f"{workflow.name}/{subject}" + (f"/{beginning}" if beginning > 1 else "")
            known = DBOS.list_workflows(workflow_ids=[workflow_id], load_input=False, load_output=False)
            if not known:
                with SetWorkflowID(workflow_id):
                    DBOS.start_workflow(self._functions[workflow.name], subject)
                return
            if known[0].status in _UNDER_WAY:
                return
        log.error("workflow_never_finishes", workflow=workflow.name, subject=subject)

    def _registered(self, workflow: Workflow) -> Callable[[str], None]:
        @DBOS.workflow(name=workflow.name, max_recovery_attempts=None)
        def run(subject: str) -> None:
            def step(name: str, act: Callable[[], str | None]) -> str:
                def persistently() -> str:
                    return self._act(workflow, subject, name, act)

                try:
                    return DBOS.run_step({"name": name}, persistently)
                except workflow.refusals as refusal:
                    raise StepRefused(name, str(refusal)) from refusal
                except PortableWorkflowError as recorded:
                    raise StepRefused(name, recorded.message) from recorded

            workflow.run(step, subject)

        return run

    def _act(self, workflow: Workflow, subject: str, step: str, act: Callable[[], str | None]) -> str:
        pause = _FIRST_PAUSE
        for attempt in count(1):
            try:
                with self._counted():
                    return act() or ""
            except Exception as cause:  # an HSM that is away comes back; a defect gets repaired
                if isinstance(cause, workflow.refusals) and not isinstance(cause, workflow.passing):
                    raise
                log.warning(
                    "workflow_step_failed",
                    workflow=workflow.name,
                    subject=subject,
                    step=step,
                    attempt=attempt,
                    error=type(cause).__name__,
                )
            if self._stopping.wait(pause):
                break
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise _Interrupted

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._counting:
            if self._stopping.is_set():
                raise _Interrupted
            self._acting += 1
        try:
            yield
        finally:
            with self._counting:
                self._acting -= 1
                self._counting.notify_all()
