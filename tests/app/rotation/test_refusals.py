"""What stops a rotation, and that the old key stays in use whenever something does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.provisioning import complete_hierarchy
from app.rotation.canary import Canaries
from app.rotation.destruction_tables import Destruction, DestructionTable
from app.rotation.errors import (
    CanaryFailed,
    DestructionRefused,
    NothingToRotate,
    RotationError,
    RotationUnderWay,
)
from app.rotation.model import Phase, Rotation
from app.rotation.service import Rotations
from app.rotation.tables import RotationTable, rotations
from app.wiring import Core
from app.workflows import runner
from app.workflows.known import known_workflows
from ca.model import CertificateStatus, ProfileName, RevocationReason
from ca.tables import Certificates
from keys.approvals import KeyAct, RequestState
from keys.errors import KeyNotActive, RequestInvalid
from keys.model import KeyAlgorithm, KeyPurpose, KeyState
from tests.app.rotation.conftest import active, audited, rotated, sealed, work
from tests.support.clock import FrozenClock

OVERLAP = timedelta(minutes=61)


def test_a_canary_that_fails_leaves_the_old_key_in_use_and_nothing_of_the_new_one(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Canaries, *_: object) -> str:
        raise CanaryFailed("the second stack does not accept it.")

    monkeypatch.setattr(Canaries, "_certified", broken)
    (old,) = active(core, KeyPurpose.SEAL, "dinas")
    rotation = rotated(core, KeyPurpose.SEAL, "dinas")
    assert (rotation.phase, rotation.detail) == (Phase.FAILED, "the second stack does not accept it.")
    assert active(core, KeyPurpose.SEAL, "dinas") == [old]
    (new_id,) = rotation.keys
    assert core.keys.get(new_id).state is KeyState.DESTROYED
    assert not core.keys.holds(new_id)
    with core.database.read() as tx:
        certificate = Certificates(tx).of_key(new_id, ProfileName.SEAL)
    assert certificate is not None
    assert certificate.status is CertificateStatus.REVOKED
    assert core.dual_control.standing(rotation.id).state is RequestState.FAILED
    assert sealed(core, "afterwards").sealed_digest
    monkeypatch.undo()
    assert rotated(core, KeyPurpose.SEAL, "dinas").phase is Phase.SWITCHED


@pytest.mark.either_database
def test_a_key_that_does_not_fit_its_record_is_found_out_before_anybody_uses_it(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate = Rotations.generate

    def swapped(self: Rotations, rotation_id: str) -> None:
        """The private key that lies in the store is another one than the register says."""
        generate(self, rotation_id)
        (key_id,) = self.get(rotation_id).keys
        store = core.keys._stores["software"]
        store.destroy(core.keys.get(key_id))
        store.generate(key_id, core.keys.get(key_id).algorithm)

    monkeypatch.setattr(Rotations, "generate", swapped)
    (old,) = active(core, KeyPurpose.TIMESTAMPING)
    request = core.rotations.request(KeyPurpose.TIMESTAMPING, requester="test")
    # A key that cannot be opened may come back (an HSM that is away): the rotation waits, switches nothing.
    assert not runner.run_until_idle(core.database, known_workflows(core), seconds=4)
    assert core.rotations.get(request.id).phase is Phase.CERTIFIED
    assert active(core, KeyPurpose.TIMESTAMPING) == [old]


def test_a_use_is_rotated_one_at_a_time(core: Core) -> None:
    request = core.rotations.request(KeyPurpose.SEAL, "dinas", requester="one")
    with pytest.raises(RotationUnderWay, match=request.id):
        core.rotations.request(KeyPurpose.SEAL, "dinas", requester="two")
    core.rotations.request(KeyPurpose.RECEIPT, requester="two")


@pytest.mark.either_database
@pytest.mark.parametrize(
    ("purpose", "owner", "why"),
    [
        (KeyPurpose.SEAL, "", "Name the agency"),
        (KeyPurpose.SEAL, "unknown", "no seal of unknown key yet"),
        (KeyPurpose.RECEIPT, "dinas", "leave the owner out"),
        (KeyPurpose.ROOT_CA, "", "ceremony"),
        (KeyPurpose.OCSP, "issuing-7", "no ocsp of issuing-7 key yet"),
    ],
)
def test_what_cannot_be_rotated_is_refused_before_anybody_is_asked(
    core: Core, purpose: KeyPurpose, owner: str, why: str
) -> None:
    with pytest.raises(NothingToRotate, match=why):
        core.rotations.request(purpose, owner, requester="test")
    assert core.dual_control.list() == []


@pytest.mark.either_database
def test_a_request_that_bypassed_the_checks_ends_as_failed(core: Core) -> None:
    for parameters in (
        {"purpose": "nothing"},
        {"purpose": "seal", "owner": "unknown"},
        {"purpose": "seal", "owner": "dinas", "algorithm": "none"},
        {"purpose": "seal", "owner": "dinas", "algorithm": "aes-256"},
    ):
        request = core.dual_control.request(KeyAct.ROTATE, parameters, requester="test")
        work(core)
        assert core.dual_control.standing(request.id).state is RequestState.FAILED


def test_a_row_that_somebody_wrote_into_the_register_starts_nothing(core: Core) -> None:
    genuine = rotated(core, KeyPurpose.RECEIPT)
    forged = replace(genuine, id="key-request-0000000000000000", phase=Phase.BEGUN, keys=())
    with core.database.begin() as tx:
        RotationTable(tx).add(forged)
    count = len(core.keys.list())
    work(core)
    assert core.rotations.get(forged.id).phase is Phase.FAILED
    assert len(core.keys.list()) == count


@pytest.mark.either_database
def test_predecessors_stay_while_the_new_key_cannot_be_used(core: Core, clock: FrozenClock) -> None:
    (old,) = active(core, KeyPurpose.SEAL, "dinas")
    clock.advance(timedelta(minutes=1))
    rotation = rotated(core, KeyPurpose.SEAL, "dinas")
    core.keys.suspend(rotation.keys[0], reason="looked at")
    clock.advance(OVERLAP)
    work(core)
    assert core.keys.get(old.id).state is KeyState.ACTIVE
    assert core.rotations.get(rotation.id).phase is Phase.SWITCHED
    core.keys.reinstate(rotation.keys[0])
    clock.advance(OVERLAP)
    work(core)
    assert core.keys.get(old.id).state is KeyState.DEACTIVATED


@pytest.mark.either_database
def test_a_new_key_that_was_lost_takes_no_predecessor_with_it(core: Core, clock: FrozenClock) -> None:
    (old,) = active(core, KeyPurpose.SEAL, "dinas")
    clock.advance(timedelta(minutes=1))
    rotation = rotated(core, KeyPurpose.SEAL, "dinas")
    core.keys.mark_compromised(rotation.keys[0], reason="lost")
    clock.advance(OVERLAP)
    work(core)
    assert core.rotations.get(rotation.id).phase is Phase.DONE
    assert active(core, KeyPurpose.SEAL, "dinas") == [old]


@pytest.mark.either_database
def test_a_new_key_whose_certificate_was_revoked_retires_nobody(core: Core, clock: FrozenClock) -> None:
    (old,) = active(core, KeyPurpose.SEAL, "dinas")
    clock.advance(timedelta(minutes=1))
    rotation = rotated(core, KeyPurpose.SEAL, "dinas")
    with core.database.read() as tx:
        certificate = Certificates(tx).of_key(rotation.keys[0], ProfileName.SEAL)
    assert certificate is not None
    core.revocation.revoke(certificate.serial, RevocationReason.SUPERSEDED)
    clock.advance(OVERLAP)
    work(core)
    assert core.keys.get(old.id).state is KeyState.ACTIVE
    assert sealed(core, "by the old one").sealed_digest


def test_an_issuing_ca_owes_its_lists_and_does_not_retire_before(core: Core, clock: FrozenClock) -> None:
    (old,) = active(core, KeyPurpose.ISSUING_CA)
    clock.advance(timedelta(minutes=1))
    rotation = rotated(core, KeyPurpose.ISSUING_CA)
    assert rotation.phase is Phase.SWITCHED
    assert rotation.retire_at is not None
    assert rotation.retire_at > clock() + timedelta(days=365)
    assert core.hierarchy.issuing_ca().name == "issuing-2"
    clock.advance(OVERLAP)
    work(core)
    assert core.keys.get(old.id).state is KeyState.ACTIVE
    # What the old CA certified goes on sealing, and what the new one certifies seals, too.
    assert sealed(core, "below the old one").sealed_digest
    assert rotated(core, KeyPurpose.SEAL, "dinas").phase is Phase.SWITCHED
    with core.database.read() as tx:
        assert Certificates(tx).newest_good(ProfileName.SEAL, "dinas").issuer == "issuing-2"  # type: ignore[union-attr]
    document = sealed(core, "below the new one")
    with core.register.open_file(document) as file:
        assert core.verification.by_file(file, thorough=True).outcome.value == "valid"
    with pytest.raises(DestructionRefused, match="is active"):
        core.key_endings.request(KeyAct.DESTROY, old.id, requester="test")


@pytest.mark.either_database
def test_keys_of_tokens_are_published_and_take_over_later(core: Core) -> None:
    before = {key.id for key in active(core, KeyPurpose.TOKEN)}
    rotation = rotated(core, KeyPurpose.TOKEN)
    assert rotation.phase is Phase.DONE
    assert {core.keys.get(key_id).state for key_id in rotation.keys} == {KeyState.PRE_ACTIVATION}
    assert {key.id for key in active(core, KeyPurpose.TOKEN)} == before
    assert rotated(core, KeyPurpose.TOKEN).keys == rotation.keys, "those that wait are not doubled"


@pytest.mark.either_database
def test_a_key_that_waits_may_be_rehearsed_and_does_not_sign(core: Core) -> None:
    waiting = core.keys.generate(KeyPurpose.SEAL, active(core, KeyPurpose.SEAL, "dinas")[0].algorithm)
    assert core.keys.rehearse(waiting.id).sign(b"x")
    with pytest.raises(KeyNotActive):
        core.keys.handle(waiting.id)
    assert waiting.id in {subject for subject, _ in audited(core, "key.rehearsed")}
    core.keys.destroy(waiting.id)
    with pytest.raises(KeyNotActive):
        core.keys.rehearse(waiting.id)


def test_a_key_is_retired_reinstated_and_destroyed_by_requests_of_their_own(core: Core) -> None:
    (old,) = active(core, KeyPurpose.SEAL, "dinas")
    core.keys.suspend(old.id)
    core.key_endings.request(KeyAct.REINSTATE, old.id, requester="test")
    work(core)
    assert core.keys.get(old.id).state is KeyState.ACTIVE
    with pytest.raises(DestructionRefused):
        core.key_endings.request(KeyAct.DESTROY, old.id, requester="test")
    core.key_endings.request(KeyAct.RETIRE, old.id, requester="test")
    work(core)
    assert core.keys.get(old.id).state is KeyState.DEACTIVATED
    core.key_endings.request(KeyAct.DESTROY, old.id, requester="test")
    with pytest.raises(RotationUnderWay):
        core.key_endings.request(KeyAct.DESTROY, old.id, requester="test")
    work(core)
    assert core.keys.get(old.id).state is KeyState.DESTROYED
    evidence = core.key_endings.destruction_of(old.id)
    assert evidence.destroyed_at is not None
    assert core.key_endings.attest(old.id, "overwritten", actor="a").attested_by == "a"
    assert core.key_endings.attest(old.id, "otherwise", actor="b").attested_by == "a", "what was said stays"
    assert [subject for subject, _ in audited(core, "key.destruction_proved")] == [old.id]


@pytest.mark.either_database
def test_a_token_key_is_not_destroyed_while_its_tokens_are_honoured(core: Core, clock: FrozenClock) -> None:
    old = active(core, KeyPurpose.TOKEN)[0]
    core.keys.deactivate(old.id)
    with pytest.raises(DestructionRefused, match="needed until"):
        core.key_endings.request(KeyAct.DESTROY, old.id, requester="test")
    clock.advance(timedelta(minutes=core.settings.identity.key_keep_minutes + 1))
    core.key_endings.request(KeyAct.DESTROY, old.id, requester="test")


@pytest.mark.either_database
def test_a_refusal_that_comes_after_the_switch_notes_the_switch(
    core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.advance(timedelta(minutes=1))

    def die(self: Rotations, rotation: Rotation) -> None:
        raise RotationError("custodians changed meanwhile")

    monkeypatch.setattr(Rotations, "_note_switch", die)
    note = monkeypatch.undo
    abandon = Rotations.abandon

    def restored(self: Rotations, rotation_id: str, reason: str) -> None:
        note()
        abandon(self, rotation_id, reason)

    monkeypatch.setattr(Rotations, "abandon", restored)
    rotation = rotated(core, KeyPurpose.RECEIPT)
    assert rotation.phase is Phase.SWITCHED
    assert core.keys.newest(KeyPurpose.RECEIPT).id == rotation.keys[0]
    assert core.dual_control.standing(rotation.id).state is RequestState.DONE


@pytest.mark.either_database
def test_the_algorithm_that_custodians_agreed_to_is_the_one_that_is_used(core: Core) -> None:
    request = core.rotations.request(
        KeyPurpose.SEAL, "dinas", requester="test", algorithm=KeyAlgorithm.EC_P384
    )
    work(core)
    rotation = core.rotations.get(request.id)
    made = [core.keys.get(key_id).algorithm for key_id in rotation.keys]
    assert made == [KeyAlgorithm.EC_P384]
    assert rotation.phase is Phase.SWITCHED, rotation.detail
    assert sealed(core, "wide").sealed_digest


@pytest.mark.either_database
def test_a_key_that_upkeep_let_be_used_before_its_canary_failed_is_taken_out_of_use(
    core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = active(core, KeyPurpose.SEAL, "dinas")
    clock.advance(timedelta(minutes=1))

    def broken(self: Canaries, rotation: Rotation, *_: object) -> str:
        core.keys.activate(rotation.keys[0], actor="upkeep")
        raise CanaryFailed("the second stack does not accept it.")

    monkeypatch.setattr(Canaries, "_certified", broken)
    rotation = rotated(core, KeyPurpose.SEAL, "dinas")
    assert rotation.phase is Phase.FAILED
    assert core.keys.get(rotation.keys[0]).state is KeyState.SUSPENDED
    assert active(core, KeyPurpose.SEAL, "dinas") == [old]
    assert sealed(core, "by the old one").sealed_digest


@pytest.mark.either_database
def test_what_waits_for_its_canary_is_not_put_to_use_by_upkeep(
    core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """Though the key before it is about to end, or nobody is left before it."""
    for purpose, later in ((KeyPurpose.TIMESTAMPING, timedelta(days=360)), (KeyPurpose.TOKEN, timedelta(0))):
        with subtests.test(purpose.value):
            clock.advance(later)
            seen: list[KeyState] = []
            for step in ("certify", "canary"):
                monkeypatch.setattr(
                    Rotations, step, _after_upkeep(getattr(Rotations, step), core, clock, seen)
                )
            rotation = rotated(core, purpose)
            monkeypatch.undo()
            assert set(seen) == {KeyState.PRE_ACTIVATION}
            assert rotation.phase in {Phase.SWITCHED, Phase.DONE}, rotation.detail


def _after_upkeep(
    step: Callable[[Rotations, str], None], core: Core, clock: FrozenClock, seen: list[KeyState]
) -> Callable[[Rotations, str], None]:
    def stepped(self: Rotations, rotation_id: str) -> None:
        if self.get(rotation_id).phase in {Phase.GENERATED, Phase.CERTIFIED}:
            clock.advance(timedelta(minutes=core.settings.identity.key_publish_minutes + 1))
            complete_hierarchy(core, actor="upkeep")
            seen.extend(core.keys.get(key_id).state for key_id in self.get(rotation_id).keys)
        step(self, rotation_id)

    return stepped


@pytest.mark.either_database
@pytest.mark.parametrize(
    "planted",
    [
        {"purpose": KeyPurpose.SEAL, "owner": "dinas"},
        {"owner": "dinas"},
        {"phase": Phase.PROVED, "keys": ("receipt-planted",)},
        {"phase": Phase.GENERATED, "keys": ("receipt-planted",)},
        {"phase": Phase.PROVED},
    ],
)
def test_a_row_that_was_planted_makes_nothing_but_what_custodians_agreed_to(
    core: Core, planted: dict[str, Any]
) -> None:
    """Whoever writes to the database waits for somebody to have a rotation approved, and rides along."""
    core.keys.generate(KeyPurpose.RECEIPT, KeyAlgorithm.EC_P256, key_id="receipt-planted")
    request = core.rotations.request(KeyPurpose.RECEIPT, requester="test")
    before = {key.id: key.state for key in core.keys.list()}
    row = Rotation(request.id, KeyPurpose.RECEIPT, "", Phase.BEGUN, "test", core.clock())
    with core.database.begin() as tx:
        RotationTable(tx).add(replace(row, **planted))
        tx.execute(
            update(rotations)
            .where(rotations.c.id == request.id)
            .values(keys=" ".join(planted.get("keys", ())))
        )
    work(core)
    assert core.rotations.get(request.id).phase is Phase.FAILED
    assert {key.id: key.state for key in core.keys.list()} == before
    assert core.dual_control.standing(request.id).state is RequestState.FAILED


@pytest.mark.either_database
def test_a_planted_row_destroys_no_other_key_than_custodians_agreed_to(core: Core) -> None:
    agreed, other = (
        core.keys.generate(KeyPurpose.SEAL, KeyAlgorithm.EC_P256, "dinas", key_id=f"seal-{name}")
        for name in ("agreed", "other")
    )
    request = core.key_endings.request(KeyAct.DESTROY, agreed.id, requester="test")
    row = Destruction(request.id, other.id, other.store, "test", (), core.clock())
    with core.database.begin() as tx:
        DestructionTable(tx).add(row)
    work(core)
    assert core.dual_control.standing(request.id).state is RequestState.FAILED
    for key in (agreed, other):
        assert core.keys.get(key.id).state is KeyState.PRE_ACTIVATION
        assert core.keys.holds(key.id)


@pytest.mark.either_database
def test_consent_to_retire_a_key_neither_destroys_nor_reinstates_it(core: Core) -> None:
    """As rows of the workflow engine that somebody wrote would have it."""
    (key,) = active(core, KeyPurpose.SEAL, "dinas")
    request = core.key_endings.request(KeyAct.RETIRE, key.id, requester="test")
    for act in (
        lambda: core.key_endings.note_destruction(request.id),
        lambda: core.key_endings.move(request.id, KeyAct.REINSTATE),
        lambda: core.rotations.begin(request.id),
    ):
        with pytest.raises(RequestInvalid, match="nobody agreed to"):
            act()
    work(core)
    assert core.keys.get(key.id).state is KeyState.DEACTIVATED


@pytest.mark.either_database
def test_consent_to_reinstate_lifts_no_suspension_that_came_later(core: Core, clock: FrozenClock) -> None:
    """The process dies between lifting and noting that it did, and the key is stopped again meanwhile."""
    (key,) = active(core, KeyPurpose.SEAL, "dinas")
    core.keys.suspend(key.id)
    request = core.key_endings.request(KeyAct.REINSTATE, key.id, requester="test")
    core.key_endings.move(request.id, KeyAct.REINSTATE)
    assert core.keys.get(key.id).state is KeyState.ACTIVE
    clock.advance(timedelta(minutes=1))
    core.keys.suspend(key.id, reason="found out more")
    work(core)
    assert core.keys.get(key.id).state is KeyState.SUSPENDED
    assert core.dual_control.standing(request.id).state is RequestState.FAILED


def test_a_rotation_under_way_is_found_behind_a_hundred_other_requests(core: Core) -> None:
    first = core.rotations.request(KeyPurpose.RECEIPT, requester="test")
    for number in range(101):
        core.dual_control.request(KeyAct.DESTROY, {"key": f"k-{number}"}, requester=f"clerk-{number // 20}")
    with pytest.raises(RotationUnderWay, match=first.id):
        core.rotations.request(KeyPurpose.RECEIPT, requester="test")
