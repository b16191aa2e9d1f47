"""Rotations where two of three custodians have to agree, and a seal that is rotated inside a token."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from app.provisioning import certify_agency, initialise
from app.rotation.model import Phase
from app.settings import Settings
from keys.approvals import KeyAct, RequestState
from keys.errors import RequesterDecides
from keys.model import KeyPurpose, KeyState
from tests.app.rotation.conftest import active, rotated, sealed, work
from tests.app.rotation.quorum import with_custodians
from tests.support.clock import FrozenClock
from tests.support.hsm import running_hsm
from tests.support.needs import requires


def test_nothing_happens_until_two_custodians_who_did_not_ask_have_agreed(
    settings: Settings, clock: FrozenClock
) -> None:
    with ExitStack() as closing:
        core, custodians = with_custodians(settings, closing=closing, clock=clock)
        count = len(core.keys.list())
        request = core.rotations.request(KeyPurpose.SEAL, "dinas", requester="cli:ani")
        work(core)
        custodians.approve(request, "budi")
        with pytest.raises(RequesterDecides):
            custodians.approve(request, "ani")
        work(core)
        assert len(core.keys.list()) == count
        assert core.dual_control.standing(request.id).state is RequestState.WAITING
        custodians.approve(request, "citra")
        work(core)
        assert core.rotations.get(request.id).phase is Phase.SWITCHED
        assert core.dual_control.standing(request.id).state is RequestState.DONE
        # Destroying the one that it replaced is another decision.
        old = next(key for key in core.keys.list() if key.purpose is KeyPurpose.SEAL)
        core.keys.deactivate(old.id)
        ending = core.key_endings.request(KeyAct.DESTROY, old.id, requester="cli:ani")
        work(core)
        assert core.keys.get(old.id).state is KeyState.DEACTIVATED
        custodians.approve(ending, "budi")
        custodians.approve(ending, "citra")
        work(core)
        assert core.key_endings.destruction_of(old.id).approved_by == ("budi", "citra")


@requires("softhsm2-util", "pkcs11-tool")
def test_a_seal_is_rotated_inside_the_token_and_destroyed_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with running_hsm(monkeypatch) as hsm, ExitStack() as closing:
        for name, value in (hsm.settings() | {"ABSAH_DATA_DIR": str(tmp_path / "data")}).items():
            monkeypatch.setenv(name, value)
        core = initialise(Settings.load(), closing=closing, actor="test")
        agency = core.agencies.add_agency(
            "dinas", name="Dinas Contoh", organization_identifier="NTRID-1", actor="test"
        )
        certify_agency(core, agency, actor="test")
        (old,) = active(core, KeyPurpose.SEAL, "dinas")
        rotation = rotated(core, KeyPurpose.SEAL, "dinas")
        assert rotation.phase is Phase.SWITCHED
        (new_id,) = rotation.keys
        assert core.keys.get(new_id).store == "pkcs11"
        assert f"label:      {new_id}" in hsm.tool("--list-objects")
        document = sealed(core, "in the token")
        with core.register.open_file(document) as file:
            assert core.verification.by_file(file, thorough=True).outcome.value == "valid"
        assert rotated(core, KeyPurpose.WRAPPING).phase is Phase.SWITCHED
        core.keys.deactivate(old.id)
        core.key_endings.request(KeyAct.DESTROY, old.id, requester="test")
        work(core)
        assert core.key_endings.destruction_of(old.id).proof.startswith("store 'pkcs11' was asked")
        assert old.id not in hsm.tool("--list-objects")
