"""kill -9 at every named point of a rotation: it goes on, makes one key, and switches once."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.clock import system_clock
from app.rotation.model import RECIPES, Phase
from app.settings import Settings
from app.wiring import build_core
from ca.tables import Certificates
from keys.approvals import RequestState
from keys.model import KeyPurpose, KeyState
from keys.tables import encrypted_keys
from tests.app.rotation.conftest import audited
from tests.support.server import environment

POINTS = (
    # (what is about to be done or was just done, where the process dies)
    *(("begin", when) for when in ("before", "after")),
    *(("generate", when) for when in ("before", "key in its store, no record of it", "after")),
    *(("certify", when) for when in ("before", "certificate signed, not recorded", "after")),
    *(("publish", when) for when in ("before", "after")),
    *(("canary", when) for when in ("before", "after")),
    *(("switch", when) for when in ("before", "key active, switch not noted", "after")),
    *(("settle", when) for when in ("before", "after")),
    *(("finish", when) for when in ("before", "after")),
    *(("retire", when) for when in ("before", "predecessor retired, not noted", "after")),
)

# Imports once, then forks: each child goes on with the rotation and kills itself at its point. A point that
# lies behind it is not met again, so a child that survives has finished everything.
DRIVER = """
import json, os, signal, sys
from contextlib import ExitStack

from datetime import timedelta

import app.workflows.durable, app.rotation.canary, app.rotation.timestamp_check, verify.any_shape
from app.clock import system_clock
import app.workflows.known as known
from app.rotation.model import Phase
from app.rotation.service import Rotations
from app.rotation.tables import RotationTable
from app.settings import Settings
from app.wiring import build_core
from app.workflows import runner
from ca.tables import Certificates
from keys.model import KeyPurpose
from keys.tables import KeyRecords

purpose, owner, points = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
app.rotation.canary.NOTICED = 0.0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def arm(step, when):
    if when in ("before", "after"):
        place, name = (known, "publish_trust") if step == "publish" else (Rotations, step)
        act = getattr(place, name)
        def watched(*args, **kwargs):
            if when == "before":
                die()
            act(*args, **kwargs)
            die()
        setattr(place, name, watched)
    elif "record of it" in when:
        KeyRecords.add = lambda *_: die()
    elif "not recorded" in when:
        Certificates.add = lambda *_: die()
    else:
        target, advance = Phase.DONE if step == "retire" else Phase.SWITCHED, RotationTable.advance
        RotationTable.advance = lambda self, of, phase, **values: (
            die() if phase is target else advance(self, of, phase, **values)
        )

def go(point):
    if point is not None:
        arm(*point)
    with ExitStack() as closing:
        is_over = point is None or point[0] == "retire"
        later = timedelta(hours=2) if is_over else timedelta()
        core = build_core(Settings.load(), closing=closing, clock=lambda: system_clock() + later)
        if point == points[0]:
            core.rotations.request(KeyPurpose(purpose), owner, requester="test")
        assert runner.run_until_idle(core.database, known.known_workflows(core), seconds=60, poll=0.02)

for point in [*points, None]:
    child = os.fork()
    if child == 0:
        try:
            go(point)
        except BaseException:
            import traceback; traceback.print_exc(); os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(point, "killed" if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), flush=True)
"""

PURPOSES = [
    pytest.param(KeyPurpose.SEAL, "dinas"),
    pytest.param(KeyPurpose.ISSUING_CA, "", marks=pytest.mark.soak),
    pytest.param(KeyPurpose.TIMESTAMPING, "", marks=pytest.mark.soak),
    pytest.param(KeyPurpose.WRAPPING, "", marks=pytest.mark.soak),
]


@pytest.mark.either_database
@pytest.mark.parametrize(("purpose", "owner"), PURPOSES)
def test_a_rotation_that_was_killed_at_every_point_makes_one_key_and_switches_once(
    settings: Settings, purpose: KeyPurpose, owner: str
) -> None:
    profile = RECIPES[purpose].profile
    points = [
        point
        for point in POINTS
        if (profile is not None or "not recorded" not in point[1])
        # An issuing CA that owes lists for years does not retire in this test.
        and not (purpose is KeyPurpose.ISSUING_CA and point[0] == "retire")
    ]
    ran = subprocess.run(
        [sys.executable, "-c", DRIVER, purpose, owner, json.dumps(points)],
        env=environment(
            {
                "ABSAH_DATA_DIR": str(settings.home),
                "ABSAH_DATABASE_URL": settings.database_url,
                "ABSAH_LOG_LEVEL": "error",
            }
        ),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    ends = [line.rpartition(" ")[2] for line in ran.stdout.splitlines()]
    assert ends == ["killed"] * len(points) + ["0"], ran.stdout + ran.stderr

    with ExitStack() as closing:
        core = build_core(settings, closing=closing, clock=lambda: system_clock() + timedelta(hours=3))
        (rotation,) = core.rotations.newest()
        old, new = [key for key in core.keys.list() if (key.purpose, key.owner) == (purpose, owner)]
        assert rotation.keys == (new.id,)
        assert core.keys.newest(purpose, owner) == new
        assert core.dual_control.standing(rotation.id).state is RequestState.DONE
        if purpose is KeyPurpose.ISSUING_CA:
            assert (rotation.phase, old.state) == (Phase.SWITCHED, KeyState.ACTIVE)
        else:
            assert (rotation.phase, old.state) == (Phase.DONE, KeyState.DEACTIVATED)
        with core.database.read() as tx:
            # Nothing was left in the store that the register does not know.
            kept = tx.execute(select(func.count()).select_from(encrypted_keys)).scalar_one()
            core.audit.verify(tx)
            if profile is not None:
                certified = [one for one in Certificates(tx).of_profile(profile) if one.key_id == new.id]
                assert len(certified) == 1
        assert kept == len(core.keys.list())
        assert [subject for subject, _ in audited(core, "key.activated")].count(new.id) == 1
        assert [subject for subject, _ in audited(core, "rotation.switched")] == [rotation.id]
        assert [subject for subject, _ in audited(core, "key.generated")].count(new.id) == 1
