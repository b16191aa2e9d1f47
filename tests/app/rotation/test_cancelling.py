"""A rotation that waits for a ceremony: that is a state and no failure, and somebody may call it off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Update, update
from structlog.testing import capture_logs

from app.rotation.errors import DestructionRefused, RotationError, RotationNotWaiting, RotationUnknown
from app.rotation.model import Phase, Rotation
from app.rotation.tables import rotations
from app.wiring import Core
from ca.model import ELSEWHERE, ProfileName
from ca.tables import Certificates, certificates
from keys.approvals import RequestState
from keys.dual_control import DualControl
from keys.model import KeyAlgorithm, KeyPurpose, KeyState
from keys.service import KeyService
from tests.app.rotation.conftest import active, audited, rotated, sealed, work
from tests.app.test_role_mails import Postman, holder_with_mailbox
from tests.support.clock import FrozenClock


@pytest.fixture
def waiting(core: Core, clock: FrozenClock) -> Rotation:
    """A successor of the issuing CA, whose root is kept offline."""
    clock.advance(timedelta(minutes=1))  # of two keys the one that was made later is the newer
    with core.database.begin() as tx:
        tx.execute(_root_key_is(ELSEWHERE + _root_key(core)))
    rotation = rotated(core, KeyPurpose.ISSUING_CA)
    assert rotation.waits_for_people
    return rotation


def _root_key(core: Core) -> str:
    return core.keys.newest(KeyPurpose.ROOT_CA).id


def _root_key_is(key_id: str) -> Update:
    return update(certificates).where(certificates.c.profile == ProfileName.ROOT.value).values(key_id=key_id)


@contextmanager
def ceremony(core: Core) -> Iterator[None]:
    """The root's key is in the room."""
    with core.database.begin() as tx:
        tx.execute(_root_key_is(_root_key(core)))
    yield
    with core.database.begin() as tx:
        tx.execute(_root_key_is(ELSEWHERE + _root_key(core)))


def test_waiting_is_no_failure_and_no_work_and_ends_with_the_certificate(
    core: Core, waiting: Rotation, clock: FrozenClock
) -> None:
    (old,) = active(core, KeyPurpose.ISSUING_CA)
    with capture_logs() as said:
        work(core, seconds=5)  # idle at once: nothing is asked of the engine while people are asked
    assert [line for line in said if line["event"] == "workflow_step_failed"] == []
    assert core.rotations.to_switch() == []
    assert core.keys.get(waiting.keys[0]).state is KeyState.PRE_ACTIVATION
    clock.advance(timedelta(minutes=1))
    with ceremony(core):
        core.hierarchy.certify_successor(ProfileName.ISSUING, "", waiting.keys[0], actor="ceremony")
    work(core)
    rotation = core.rotations.get(waiting.id)
    assert rotation.phase is Phase.SWITCHED, rotation.detail
    assert [key.id for key in active(core, KeyPurpose.ISSUING_CA)] == [waiting.keys[0], old.id]


def test_that_a_rotation_waits_is_said_once_and_not_every_minute(core: Core) -> None:
    with core.database.begin() as tx:
        tx.execute(_root_key_is(ELSEWHERE + _root_key(core)))
    with capture_logs() as said:
        rotated(core, KeyPurpose.ISSUING_CA)
        work(core)
    assert [line["event"] for line in said if line["log_level"] != "debug"].count("rotation_waits") == 1
    assert "workflow_step_failed" not in {line["event"] for line in said}


def test_what_waits_is_called_off_and_its_key_destroyed_with_evidence(core: Core, waiting: Rotation) -> None:
    (key_id,) = waiting.keys
    in_use = active(core, KeyPurpose.ISSUING_CA)
    core.cancellations.cancel(waiting.id, actor="cli:ani", reason="the ceremony was moved")
    assert core.keys.get(key_id).state is KeyState.PRE_ACTIVATION, "the worker does that"
    work(core)
    rotation = core.rotations.get(waiting.id)
    assert (rotation.phase, rotation.detail) == (
        Phase.CANCELLED,
        "called off by cli:ani: the ceremony was moved",
    )
    assert core.dual_control.standing(waiting.id).state is RequestState.CANCELLED
    assert core.keys.get(key_id).state is KeyState.DESTROYED
    assert not core.keys.holds(key_id)
    evidence = core.key_endings.destruction_of(key_id)
    assert (evidence.request_id, evidence.requester) == (waiting.id, "cli:ani")
    assert evidence.proof.endswith(f"holds nothing called {key_id}")
    trail = {action: audited(core, action) for action in ("rotation.cancelling", "rotation.cancelled")}
    assert {subject for entries in trail.values() for subject, _ in entries} == {waiting.id}
    assert "the ceremony was moved" in trail["rotation.cancelling"][0][1]
    assert [subject for subject, _ in audited(core, "key.destruction_proved")] == [key_id]
    # Everything is as it was: the old key issues, and the next rotation may be asked for.
    assert active(core, KeyPurpose.ISSUING_CA) == in_use
    assert sealed(core, "afterwards").sealed_digest
    assert core.rotations.under_way(KeyPurpose.ISSUING_CA) is None
    assert rotated(core, KeyPurpose.ISSUING_CA).keys != waiting.keys


def test_calling_off_twice_is_once_and_a_stranger_is_refused(core: Core, waiting: Rotation) -> None:
    core.cancellations.cancel(waiting.id, actor="cli:ani")
    assert core.cancellations.cancel(waiting.id, actor="cli:budi").detail == "called off by cli:ani"
    work(core)
    assert core.cancellations.cancel(waiting.id, actor="cli:budi").phase is Phase.CANCELLED
    assert len(audited(core, "rotation.cancelling")) == 1
    with pytest.raises(RotationUnknown):
        core.cancellations.cancel("key-request-0000000000000000", actor="cli:ani")


def test_what_goes_on_by_itself_is_not_called_off(core: Core) -> None:
    rotation = rotated(core, KeyPurpose.RECEIPT)
    with pytest.raises(RotationNotWaiting, match="is switched and waits for nobody"):
        core.cancellations.cancel(rotation.id, actor="cli:ani")
    assert core.rotations.get(rotation.id) == rotation


def test_a_certificate_that_comes_too_late_is_revoked_and_its_key_never_used(
    core: Core, waiting: Rotation
) -> None:
    (old,) = active(core, KeyPurpose.ISSUING_CA)
    core.cancellations.cancel(waiting.id, actor="cli:ani")
    with ceremony(core):
        core.hierarchy.certify_successor(ProfileName.ISSUING, "", waiting.keys[0], actor="ceremony")
        work(core)
    assert core.rotations.get(waiting.id).phase is Phase.CANCELLED
    assert active(core, KeyPurpose.ISSUING_CA) == [old]
    with core.database.read() as tx:
        certificate = Certificates(tx).of_key(waiting.keys[0], ProfileName.ISSUING)
    assert certificate is not None
    assert certificate.status.value == "revoked"


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_process_may_die_behind_any_step_of_calling_off(
    steps: int, core: Core, waiting: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process begins with the first step again."""
    core.cancellations.cancel(waiting.id, actor="cli:ani")
    done = core.cancellations
    with monkeypatch.context() as dying:
        dying.setattr(DualControl, "finish", lambda *_, **__: None)
        for step in (done.destroy, done.prove, done.finish)[:steps]:
            step(waiting.id)
    assert core.dual_control.standing(waiting.id).state is RequestState.STARTED
    work(core)
    assert core.rotations.get(waiting.id).phase is Phase.CANCELLED
    assert core.dual_control.standing(waiting.id).state is RequestState.CANCELLED
    for action in ("key.destroyed", "key.destruction_proved", "rotation.cancelled", "key.request_cancelled"):
        assert len(audited(core, action)) == 1, action


def test_a_row_that_was_planted_destroys_no_key_but_the_rotation_s_own(core: Core, waiting: Rotation) -> None:
    other = core.keys.generate(KeyPurpose.ISSUING_CA, KeyAlgorithm.EC_P256, key_id="issuing-ca-planted")
    with core.database.begin() as tx:
        tx.execute(update(rotations).where(rotations.c.id == waiting.id).values(keys=other.id))
    with pytest.raises(RotationError, match="something else"):
        core.cancellations.cancel(waiting.id, actor="cli:ani")
    with core.database.begin() as tx:
        tx.execute(update(rotations).where(rotations.c.id == waiting.id).values(phase=Phase.CANCELLING.value))
    work(core)
    assert core.keys.get(other.id).state is KeyState.PRE_ACTIVATION
    assert core.keys.holds(other.id)
    assert core.rotations.get(waiting.id).phase is Phase.FAILED


def test_a_store_that_keeps_the_key_is_no_evidence(
    core: Core, waiting: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeyService, "holds", lambda *_: True)
    core.cancellations.cancel(waiting.id, actor="cli:ani")
    work(core)
    rotation = core.rotations.get(waiting.id)
    assert rotation.phase is Phase.FAILED
    assert "still lists" in rotation.detail
    with pytest.raises(DestructionRefused):
        core.key_endings.destruction_of(waiting.keys[0])


@pytest.mark.parametrize(
    ("language", "subject"),
    [("id", "Permintaan tentang kunci dibatalkan"), ("en", "A request about keys was called off")],
)
def test_whoever_asked_is_told(language: str, subject: str, core: Core) -> None:
    postman = Postman()
    person_id = holder_with_mailbox(core, language, postman)
    with core.database.begin() as tx:
        tx.execute(_root_key_is(ELSEWHERE + _root_key(core)))
    request = core.rotations.request(KeyPurpose.ISSUING_CA, requester=person_id)
    work(core)
    core.cancellations.cancel(request.id, actor="cli:ani")
    work(core)
    core.outbox.deliver(postman)
    (letter,) = postman.letters
    assert letter.startswith(subject)
    assert f"/custody/{request.id}" in letter


def test_the_schedule_does_not_ask_at_once_for_what_somebody_called_off(
    core: Core, clock: FrozenClock
) -> None:
    with core.database.begin() as tx:
        tx.execute(_root_key_is(ELSEWHERE + _root_key(core)))
    clock.advance(timedelta(days=14 * 365))  # the CA is about to end
    rotation = rotated(core, KeyPurpose.ISSUING_CA)
    core.cancellations.cancel(rotation.id, actor="cli:ani")
    work(core)
    core.schedule.raise_requests()
    assert core.rotations.under_way(KeyPurpose.ISSUING_CA) is None
    clock.advance(timedelta(days=8))
    core.schedule.raise_requests()
    assert core.rotations.under_way(KeyPurpose.ISSUING_CA) is not None
