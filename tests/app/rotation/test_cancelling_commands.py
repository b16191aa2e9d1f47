"""Calling a rotation off as it is typed, and as a custodian's program asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import update
from typer.testing import CliRunner, Result

from app.cli import rotating
from app.cli.main import cli
from app.wiring import Core
from ca.model import ELSEWHERE, ProfileName
from ca.tables import certificates
from keys.model import KeyPurpose, KeyState
from tests.app.rotation.conftest import work
from tests.app.test_key_requests_api import Team, estate, is_problem, settings, team  # noqa: F401 - fixtures


@pytest.fixture
def offline(core: Core) -> None:
    """The root's key is in a safe."""
    with core.database.begin() as tx:
        at_root = certificates.c.profile == ProfileName.ROOT.value
        tx.execute(update(certificates).where(at_root).values(key_id=ELSEWHERE + "safe"))


@pytest.fixture
def typed(core: Core, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    @contextmanager
    def opened() -> Iterator[Core]:
        yield core

    monkeypatch.setattr(rotating, "opened_core", opened)
    return lambda *arguments: CliRunner().invoke(cli, ["keys", *arguments])


@pytest.mark.usefixtures("offline")
def test_an_operator_calls_off_what_waits(team: Team, typed: Callable[..., Result]) -> None:  # noqa: F811
    core = team.core
    asked = {"id": core.rotations.request(KeyPurpose.ISSUING_CA, requester="cli:root").id}
    team.ani.decide(asked)
    team.budi.decide(asked)
    work(core)
    (key_id,) = core.rotations.get(asked["id"]).keys
    done = typed("cancel", asked["id"], "--reason", "the hall is flooded")
    assert done.exit_code == 0, done.output
    assert f"{key_id} is destroyed" in done.output
    assert core.keys.get(key_id).state is KeyState.DESTROYED
    told = typed("evidence", key_id)
    assert asked["id"] in told.output
    listed = typed("rotations")
    assert "cancelled" in listed.output
    assert "the hall is flooded" in " ".join(listed.output.split())
    again = typed("cancel", asked["id"])
    assert again.exit_code == 0


@pytest.mark.usefixtures("offline")
def test_a_custodian_calls_off_over_http_and_nobody_else(team: Team) -> None:  # noqa: F811
    core = team.core
    asked = {"id": core.rotations.request(KeyPurpose.ISSUING_CA, requester="cli:root").id}
    path = f"/rotations/{asked['id']}/cancellation"
    assert is_problem(team.ani.post(path, {}), 404, "rotation-unknown"), "it is not begun yet"
    team.ani.decide(asked)
    team.budi.decide(asked)
    work(core)
    for stranger in (team.auditor, team.citizen):
        assert is_problem(stranger.post(path, {}), 403, "role-missing")
    for nonsense in ({"reason": "x" * 201}, {"force": True}, []):
        assert team.ani.post(path, nonsense).status_code == 422
    assert core.rotations.get(asked["id"]).waits_for_people
    done = team.ani.post(path, {"reason": "the hall is flooded"})
    assert (done.status_code, done.json()["phase"]) == (202, "cancelling")
    work(core)
    shown = team.auditor.get(f"/rotations/{asked['id']}").json()
    assert shown["phase"] == "cancelled"
    assert shown["detail"] == f"called off by {team.ani.walker.person_id}: the hall is flooded"
    assert team.auditor.get(f"/requests/{asked['id']}").json()["state"] == "cancelled"
    receipt = {"id": core.rotations.request(KeyPurpose.RECEIPT, requester="cli:root").id}
    team.ani.decide(receipt)
    team.budi.decide(receipt)
    work(core)
    refused = team.ani.post(f"/rotations/{receipt['id']}/cancellation", {})
    assert is_problem(refused, 409, "rotation-refused")
