"""Two acts at the same moment, on purpose: what comes between the statements of one transaction."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event


@contextmanager
def meanwhile(
    engine: Engine, statement: str, act: Callable[[], object], *, wait: float = 0.7
) -> Iterator[None]:
    """The first time that ``statement`` (its beginning) is about to run, ``act`` runs in another thread.

    The transaction goes on when ``act`` is done, or after ``wait`` seconds: whoever has to wait for it is
    waiting by then. At the end of the block ``act`` is done, and its error is raised here.
    """
    thread: list[threading.Thread] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised in the test's own thread
            failure.append(error)

    def before(_c: Any, _cursor: Any, sql: str, _p: Any, _context: Any, _many: Any) -> None:
        if sql.startswith(statement) and not thread:
            thread.append(threading.Thread(target=run))
            thread[0].start()
            thread[0].join(wait)

    event.listen(engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", before)
        for started in thread:
            started.join(30)
    assert thread, f"no statement began with {statement!r}"
    if failure:
        raise failure[0]


@contextmanager
def slowly(engine: Engine, *, seconds: float = 0.005) -> Iterator[None]:
    """Every statement takes its time, so that transactions that begin together are under way together."""

    def after(_c: Any, _cursor: Any, _sql: str, _p: Any, _context: Any, _many: Any) -> None:
        time.sleep(seconds)

    event.listen(engine, "after_cursor_execute", after)
    try:
        yield
    finally:
        event.remove(engine, "after_cursor_execute", after)
