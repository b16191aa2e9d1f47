"""Every purpose changes its key once, from the request to the retired predecessor, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.rotation.model import Phase
from app.wiring import Core
from keys.model import KeyPurpose, KeyState
from tests.app.rotation.conftest import active, audited, rotated, sealed, work
from tests.support.clock import FrozenClock

USES = [
    (KeyPurpose.SEAL, "dinas"),
    (KeyPurpose.TIMESTAMPING, ""),
    (KeyPurpose.OCSP, "issuing-1"),
    (KeyPurpose.RECEIPT, ""),
    (KeyPurpose.WRAPPING, ""),
]


@pytest.mark.parametrize(("purpose", "owner"), USES)
def test_the_new_key_is_used_and_the_old_one_retires_after_the_overlap(
    core: Core, clock: FrozenClock, purpose: KeyPurpose, owner: str
) -> None:
    before = sealed(core, "before")
    (old,) = active(core, purpose, owner)
    clock.advance(timedelta(minutes=1))
    rotation = rotated(core, purpose, owner)
    assert rotation.phase is Phase.SWITCHED
    (new_id,) = rotation.keys
    assert [key.id for key in active(core, purpose, owner)] == [new_id, old.id]
    assert core.keys.newest(purpose, owner).id == new_id
    during = sealed(core, "during")
    # The overlap is not over: nothing happens.
    clock.advance(timedelta(minutes=59))
    work(core)
    assert core.keys.get(old.id).state is KeyState.ACTIVE
    clock.advance(timedelta(minutes=2))
    work(core)
    assert core.rotations.get(rotation.id).phase is Phase.DONE
    assert core.keys.get(old.id).state is KeyState.DEACTIVATED
    assert [key.id for key in active(core, purpose, owner)] == [new_id]
    after = sealed(core, "after")
    for document in (before, during, after):
        with core.register.open_file(document) as file:
            assert core.verification.by_file(file, thorough=True).outcome.value == "valid"
    assert audited(core, "key.activated").count((new_id, audited(core, "key.activated")[-1][1])) == 1
    assert [subject for subject, _ in audited(core, "rotation.switched")] == [rotation.id]


@pytest.mark.parametrize(("purpose", "owner"), [(KeyPurpose.SEAL, "dinas"), (KeyPurpose.RECEIPT, "")])
def test_a_key_that_ends_while_it_is_remembered_as_the_one_in_use_costs_no_request(
    core: Core, monkeypatch: pytest.MonkeyPatch, purpose: KeyPurpose, owner: str
) -> None:
    monkeypatch.setattr("app.remembered.MAX_STALENESS", 3600.0)
    assert sealed(core, "by the old key").sealed_digest
    (old,) = active(core, purpose, owner)
    rotated(core, purpose, owner)
    core.keys.deactivate(old.id)
    assert sealed(core, "by the new key").sealed_digest
