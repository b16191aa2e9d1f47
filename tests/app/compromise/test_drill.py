"""The drill: a whole case by the engine that the worker runs, with few documents and with a thousand."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.compromise.building import build_compromise
from app.compromise.model import Step
from app.database import Database
from app.provisioning import certify_agency, initialise
from app.settings import Settings
from app.wiring import Core, build_core
from app.workflows.known import known_workflows
from app.workflows.runner import run_until_idle
from keys.model import KeyPurpose, KeyState
from signing.tables import documents
from tests.app.compromise.conftest import HOUR, Town, build_town, forget
from tests.support.clock import FrozenClock
from tests.support.server import ABSAH, absah, environment


@pytest.mark.parametrize(
    "count", [30, pytest.param(1_000, marks=[pytest.mark.soak, pytest.mark.timeout(1_800)])]
)
def test_the_drill(core: Core, clock: FrozenClock, count: int) -> None:
    town = build_town(core, clock, each=count // 2)
    lost = town.key
    # 1. Stopped, and told, within a second of the command.
    began = time.perf_counter()
    case = town.open()
    stopped = time.perf_counter() - began
    assert core.keys.get(lost).state is KeyState.SUSPENDED
    assert {town.outcome(one) for one in town.after[:10]} == {"cannot_say"}
    # 2. The rest by whoever is alive.
    began = time.perf_counter()
    workflows = known_workflows(core)
    for _ in range(40):
        if run_until_idle(core.database, workflows, seconds=60):
            break
        town.clock.advance(HOUR)
    finished = time.perf_counter() - began
    assert town.answer.get(case.id).step is Step.CLOSED
    # 3. Every document is where it belongs, and none is there twice.
    counts = town.answer.counts(town.answer.get(case.id))
    assert (counts.before, counts.after, counts.none) == (len(town.before), len(town.after), 0)
    assert (counts.replaced, counts.waiting) == (len(town.after), 0)
    forget(core)
    found = core.released.by_ids([*town.before, *town.after])
    assert {found[one].state for one in town.before} == {"issued"}
    assert {found[one].state for one in town.after} == {"superseded"}
    successors = core.released.by_ids([str(found[one].superseded_by) for one in town.after])
    assert len(successors) == len(town.after)
    assert {one.seal for one in successors.values()} == {"good"}
    assert stopped < 5, "seconds"
    print(f"stopped after {stopped:.2f} s, {len(town.after)} replaced after {finished:.1f} s")


def test_a_stopped_key_stops_in_every_process_within_a_second(town: Town) -> None:
    """Another process has the key open and its record at hand; its clock is the real one."""
    with ExitStack() as closing:
        from keys.errors import KeyNotActive

        another = build_core(town.core.settings, closing=closing, clock=town.clock)
        handle = another.keys.handle(town.key)
        handle.sign(b"still")
        town.open()
        stopped_by = time.monotonic() + 1.5
        while True:
            try:
                handle.sign(b"x")
            except KeyNotActive:
                break
            assert time.monotonic() < stopped_by, "it signs on"
            time.sleep(0.02)


@pytest.mark.network
@pytest.mark.timeout(600)
def test_a_worker_that_is_killed_again_and_again_gets_there_and_doubles_nothing(tmp_path: Path) -> None:
    settings = {
        "ABSAH_DATA_DIR": str(tmp_path / "data"),
        "ABSAH_SIGNING_LEASE_SECONDS": "2",
        "ABSAH_COMPROMISE_DOCUMENTS_PER_SECOND": "8",
        "ABSAH_WORKER_INTERVAL_SECONDS": "1",
        "ABSAH_WORKER_WORKFLOW_POLL_SECONDS": "1",
    }
    own = Settings(data_dir=tmp_path / "data", signing={"lease_seconds": 2})
    with ExitStack() as closing:
        core = initialise(own, closing=closing, actor="test")
        agency = core.agencies.add_agency(
            "dinas", name="Dinas Contoh", organization_identifier="NTRID-1", actor="test"
        )
        certify_agency(core, agency, actor="test")
        town = Town(core, None, build_compromise(core), core.clock())  # type: ignore[arg-type]
        lost = town.key
        time.sleep(1.1)
        originals = {town.seal(f"number {n}").id for n in range(12)}
        case = town.answer.open(lost, town.lost_at, actor="cli:test")
    database, killed, seen = Database.from_settings(own), 0, 0
    while seen < len(originals):
        worker = subprocess.Popen(
            [ABSAH, "worker"],
            env=environment(settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wanted, give_up = min(seen + 4, len(originals)), time.monotonic() + 120
        while seen < wanted:
            assert time.monotonic() < give_up, f"nothing moves: {seen} of {len(originals)}"
            time.sleep(0.05)
            with database.read() as tx:
                seen = tx.scalar(select(func.count()).where(documents.c.state == "superseded")) or 0
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        killed += 1
    database.close()
    assert killed > 2
    assert "closed" in absah("case", "resume", case.id, settings=settings).stdout
    with ExitStack() as closing:
        core = build_core(own, closing=closing)
        with core.database.read() as tx:
            replaced = list(
                tx.scalars(select(documents.c.supersedes).where(documents.c.supersedes.is_not(None)))
            )
            states = dict(
                tx.execute(select(documents.c.state, func.count()).group_by(documents.c.state)).all()
            )
        assert set(replaced) == originals
        assert len(replaced) == len(originals)
        assert states == {"superseded": 12, "issued": 12}
        assert core.keys.get(lost).state is KeyState.COMPROMISED
        seals = core.keys.in_use(KeyPurpose.SEAL, "dinas")
        assert len(seals) == 1
        core.audit.verify(closing.enter_context(core.database.read()))
