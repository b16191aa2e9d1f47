"""Going on with what is unfinished, in one process at a time, for as long as there is something."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import sqlalchemy.orm  # noqa: F401 - see below
import structlog

from app.database import Database
from app.workflows.model import Workflow

log = structlog.get_logger(__name__)

_LOCK = "workflows"

# The engine is loaded late, in a thread, and brings SQLAlchemy's mapper along. That one enters itself for
# every object before it is whole: a request that binds a parameter at that moment fails. So it comes early.


def run_forever(
    database: Database, workflows: Sequence[Workflow], stopping: threading.Event, *, interval: float
) -> None:
    """Look every ``interval`` seconds for what is unfinished and work on it, until ``stopping`` is set.

    Every process may call this; one of them works, and when it ends or loses its lock another takes over.
    That spares work and noise. That nothing is done twice does not rest on it: steps look before they act.
    """
    while not stopping.is_set():
        try:
            _work(database, workflows, goes_on=lambda: not stopping.wait(interval))
        except Exception as cause:  # noqa: BLE001 - the next look may find the database again
            log.error("workflows_failed", error=type(cause).__name__)
        stopping.wait(interval)


def run_until_idle(
    database: Database, workflows: Sequence[Workflow], *, seconds: float, poll: float = 0.2
) -> bool:
    """Work until nothing is unfinished, at most ``seconds``; False when something is left, or when another
    process works on it.

    Raises :class:`app.errors.DatabaseNotReady`.
    """
    end = time.monotonic() + seconds

    def goes_on() -> bool:
        time.sleep(poll)
        return time.monotonic() < end

    return _work(database, workflows, goes_on=goes_on)


def run_while(
    database: Database, workflows: Sequence[Workflow], goes_on: Callable[[], bool], *, poll: float
) -> bool:
    """Work while ``goes_on``, asked every ``poll`` seconds; False when another process works, or nothing is
    unfinished any more. Raises :class:`app.errors.DatabaseNotReady`."""
    worked = False

    def after_a_pause() -> bool:
        nonlocal worked
        worked = True
        time.sleep(poll)
        return goes_on()

    _work(database, workflows, goes_on=after_a_pause)
    return worked


def _work(database: Database, workflows: Sequence[Workflow], *, goes_on: Callable[[], bool]) -> bool:
    """Whether nothing is unfinished. The engine is loaded and launched only while there is something: most of
    the year there is nothing."""
    if not any(any(True for _ in workflow.unfinished()) for workflow in workflows):
        return True
    from app.workflows.durable import Engine  # noqa: PLC0415 - half a second, seldom needed

    with database.only_one(_LOCK) as is_mine:
        if is_mine is None:
            return False
        with Engine(database, workflows) as engine:
            while engine.begin_unfinished():
                if not goes_on() or not is_mine():
                    return False
    return True
