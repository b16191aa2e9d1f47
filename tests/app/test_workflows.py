"""Durable workflows: what a process that dies leaves undone is done by the next one, and once."""

from __future__ import annotations

import base64
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.database import Database
from app.errors import DatabaseNotReady
from app.workflows import durable, runner
from app.workflows.model import StepRefused, Steps, Workflow
from tests.conftest import Lend
from tests.support.server import environment

STEPS = ("first", "second", "third")

# The owner's truth is the table `acts`; `tried` counts how often a step began. Each child kills itself at its
# point, and the last one finishes.
DRIVER = """
import os, signal, sys
from sqlalchemy import text
from app.database import Database
from app.workflows import durable, runner
from app.workflows.model import Workflow

url, steps = sys.argv[1], sys.argv[2].split(",")

def work(point):
    database = Database(url)

    def act(subject, step):
        with database.begin() as tx:
            tx.execute(text("INSERT INTO tried VALUES (:s, :n)"), {"s": subject, "n": step})
        if point == (step, "before"):
            os.kill(os.getpid(), signal.SIGKILL)
        with database.begin() as tx:
            known = {"s": subject, "n": step}
            if not tx.scalar(text("SELECT count(*) FROM acts WHERE subject = :s AND step = :n"), known):
                tx.execute(text("INSERT INTO acts VALUES (:s, :n)"), known)
        if point == (step, "after"):
            os.kill(os.getpid(), signal.SIGKILL)
        return step

    def run(do, subject):
        for step in steps:
            assert do(step, lambda: act(subject, step)) == step
            if point == (step, "between"):
                os.kill(os.getpid(), signal.SIGKILL)

    def unfinished():
        with database.read() as tx:
            done = set(tx.scalars(text("SELECT subject FROM acts WHERE step = :n"), {"n": steps[-1]}))
        return {"request-1"} - done

    idle = runner.run_until_idle(database, [Workflow("killed", unfinished, run)], seconds=30)
    database.close()
    assert idle

points = [(s, w) for s in steps for w in ("before", "after", "between")]
for point in points[:-1] + [None]:
    child = os.fork()
    if child == 0:
        try:
            work(point)
        except BaseException:
            import traceback; traceback.print_exc(); os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(point, "killed" if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), flush=True)
"""


@pytest.fixture
def database(lend: Lend) -> Iterator[Database]:
    opened = Database(lend(), busy_seconds=5)
    with opened.exclusively():
        durable.migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def done() -> set[str]:
    return set()


def workflow(
    name: str, done: set[str], run: Callable[[Steps, str], None], *refusals: type[Exception]
) -> Workflow:
    def finishing(steps: Steps, subject: str) -> None:
        run(steps, subject)
        done.add(subject)

    return Workflow(name, lambda: {"subject"} - done, finishing, refusals)


def test_a_workflow_killed_within_and_between_its_steps_is_finished_by_the_next_process(
    database: Database,
) -> None:
    with database.begin() as tx:
        for table in ("acts", "tried"):
            tx.execute(text(f"CREATE TABLE {table} (subject VARCHAR(40), step VARCHAR(40))"))
    url = database.url.render_as_string(hide_password=False)
    ran = subprocess.run(
        [sys.executable, "-c", DRIVER, url, ",".join(STEPS)],
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert ran.returncode == 0, ran.stderr
    ends = [line.rpartition(" ")[2] for line in ran.stdout.splitlines()]
    assert ends == ["killed"] * (len(ends) - 1) + ["0"], ran.stdout + ran.stderr
    with database.read() as tx:
        assert tx.scalars(text("SELECT step FROM acts")).all() == list(STEPS)
        tried = tx.scalars(text("SELECT step FROM tried")).all()
    # Killed twice within each step; never begun again once its result was kept.
    assert [tried.count(step) for step in STEPS] == [3, 3, 2]


def test_one_process_works_and_another_takes_over_when_it_is_gone(database: Database, done: set[str]) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    work = [workflow("taken-over", done, lambda steps, subject: None)]
    with other.only_one("workflows") as is_mine:
        assert is_mine is not None
        assert is_mine()
        assert not runner.run_until_idle(database, work, seconds=5)
        assert not done
    assert runner.run_until_idle(database, work, seconds=5)
    assert done == {"subject"}
    other.close()


def test_a_process_whose_lock_was_lost_with_its_connection_knows_it(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.only_one("workflows") as is_mine:
        assert is_mine is not None
        ended = text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        with database.begin() as tx:
            assert tx.scalars(ended).all() == [True]
        assert not is_mine()
        with database.only_one("workflows") as by_another:
            assert by_another is not None
    database.close()


def test_a_step_that_fails_in_passing_is_tried_again(
    database: Database, done: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "_FIRST_PAUSE", 0.01)
    tries: list[int] = []

    def act() -> str:
        tries.append(1)
        if len(tries) < 4:
            raise ConnectionError("away")
        return "back"

    def run(steps: Steps, subject: str) -> None:
        assert steps("patient", act) == "back"

    assert runner.run_until_idle(database, [workflow("patient", done, run)], seconds=10)
    assert len(tries) == 4


def test_a_process_that_stops_does_not_wait_for_what_is_away(database: Database, done: set[str]) -> None:
    begun, stopping = threading.Event(), threading.Event()

    def act() -> str:
        begun.set()
        raise ConnectionError("away")

    def run(steps: Steps, subject: str) -> None:
        steps("waits", act)

    work = [workflow("stops", done, run)]
    thread = threading.Thread(
        target=runner.run_forever, args=(database, work, stopping), kwargs={"interval": 0.05}
    )
    thread.start()
    assert begun.wait(20)
    since = time.monotonic()
    stopping.set()
    thread.join(20)
    assert not thread.is_alive()
    assert time.monotonic() - since < 6
    assert not done


def test_a_refused_step_ends_with_its_reason_also_when_the_process_stops_right_then(
    database: Database, done: set[str]
) -> None:
    stopping, reasons, away = threading.Event(), [], threading.Event()

    def refuse() -> str:
        raise LookupError("no such thing")

    def record(reason: str) -> str:
        reasons.append(reason)
        if not away.is_set():
            away.set()
            raise ConnectionError("the register is away")
        return ""

    def run(steps: Steps, subject: str) -> None:
        try:
            steps("looks", refuse)
        except StepRefused as refused:
            reason = f"{refused.step}: {refused.reason}"
            steps("records", lambda: record(reason))

    work = [workflow("refused", done, run, LookupError)]
    thread = threading.Thread(
        target=runner.run_forever, args=(database, work, stopping), kwargs={"interval": 0.05}
    )
    thread.start()
    assert away.wait(20)
    stopping.set()
    thread.join(20)
    assert runner.run_until_idle(database, work, seconds=20)
    assert reasons == ["looks: no such thing"] * 2


def test_work_whose_engine_forgot_everything_is_begun_again(database: Database, done: set[str]) -> None:
    ran: list[str] = []

    def run(steps: Steps, subject: str) -> None:
        steps("acts", lambda: ran.append(subject))

    work = [workflow("forgotten", done, run)]
    assert runner.run_until_idle(database, work, seconds=10)
    done.clear()  # an older backup of the owner's tables: unfinished, though the engine knows it as ended
    assert runner.run_until_idle(database, work, seconds=10)
    done.clear()
    file = durable.system_file(database)
    if file is not None:
        file.unlink()
    else:
        with database.begin() as tx:
            tx.execute(text(f"DROP SCHEMA {durable.SCHEMA} CASCADE"))
        durable.migrate(database)
    assert runner.run_until_idle(database, work, seconds=10)
    assert ran == ["subject"] * 3


class _Bomb:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (self.path,)


def test_whoever_writes_to_the_database_runs_no_code_in_the_process_that_holds_keys(
    database: Database, done: set[str], tmp_path: Path
) -> None:
    crater = tmp_path / "crater"
    bomb = base64.b64encode(pickle.dumps(_Bomb(str(crater)))).decode()
    work = [workflow("armed", done, lambda steps, subject: None)]
    assert runner.run_until_idle(database, work, seconds=10)
    done.clear()
    file = durable.system_file(database)
    where = Database(f"sqlite:///{file}") if file else database
    with where.begin() as tx:
        table = "workflow_status" if file else f"{durable.SCHEMA}.workflow_status"
        tx.execute(
            text(f"UPDATE {table} SET status = 'PENDING', serialization = 'py_pickle', inputs = :bomb"),
            {"bomb": bomb},
        )
    if file:
        where.close()
    assert runner.run_until_idle(database, work, seconds=20), "an entry that was altered is begun again"
    assert not crater.exists()


def test_tables_of_workflows_that_are_missing_are_named_with_the_remedy(postgres_url: str) -> None:
    database = Database(postgres_url)
    assert not durable.is_ready(database)
    with pytest.raises(DatabaseNotReady, match="absah init"):
        runner.run_until_idle(database, [workflow("early", set(), lambda steps, subject: None)], seconds=1)
    with database.exclusively():
        durable.migrate(database)
    assert durable.is_ready(database)
    database.close()
