"""The jobs of a rotation, one method per step. Each looks at what is there and may be repeated at any time.

The order of durable acts makes every crash harmless:

1. begin: the approved request is started, and the rotation is on record.
2. generate: the new key is made under an id that follows from the request's. It waits.
3. certify: it gets its certificate. It still waits, so nobody uses it.
4. canary: it signs what is never released, and others verify that (:mod:`app.rotation.canary`).
5. switch: the key is activated. That one row is the switch: everybody uses the newest active key.
6. retire, when the overlap is over: its predecessors stop signing, if the new key is in use then.

Until 5 the old key alone is in use; whatever fails before it leaves the old key where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from app.rotation.errors import NothingToRotate, RotationError, RotationUnderWay
from app.rotation.model import (
    BEFORE_SWITCH,
    RECIPES,
    Phase,
    Rotation,
    key_id_for,
    named_use,
    own_key_ids,
)
from app.rotation.overlap import Overlap
from app.rotation.register import RotationRegister
from app.rotation.tables import line
from app.rotation.uses import KeyUses, algorithm_in, require_free_choice
from ca.errors import CertificationError, KeyHeldElsewhere
from ca.hierarchy import Hierarchy
from ca.model import CertificateRecord, CertificateStatus, ProfileName, RevocationReason
from ca.revocation import Revocation
from keys.approvals import KeyAct, KeyRequest, Outcome
from keys.dual_control import DualControl
from keys.envelope import Envelope
from keys.errors import DualControlError, TransitionForbidden
from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState
from keys.ports import AuditTrail, Begin, Clock
from keys.service import KeyService


class Canary(Protocol):
    """Tries a key that is not in use yet."""

    def __call__(self, rotation: Rotation, key: KeyRecord, certificate: CertificateRecord | None) -> str:
        """What was proved, in a line. Raises :class:`app.rotation.errors.CanaryFailed`."""
        ...


@dataclass(frozen=True, slots=True)
class RotationTimes:
    """``overlap``: how long predecessors may sign beside a new key, longer than anything that was begun with
    them may take. ``publish``: how long a token's new key is known before it signs."""

    overlap: timedelta
    publish: timedelta


class Rotations:
    """Safe to use from several threads and processes; ``exclusively`` is the lock under which keys and
    certificates of the service are made. Methods may not be called inside an open transaction."""

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        exclusively: Callable[[], AbstractContextManager[None]],
        clock: Clock,
        audit: AuditTrail,
        keys: KeyService,
        envelope: Envelope,
        hierarchy: Hierarchy,
        revocation: Revocation,
        dual_control: DualControl,
        canary: Canary,
        times: RotationTimes,
    ) -> None:
        self._exclusively = exclusively
        self._clock = clock
        self._keys = keys
        self._envelope = envelope
        self._hierarchy = hierarchy
        self._revocation = revocation
        self._dual_control = dual_control
        self._canary = canary
        self._publish = times.publish
        self._uses = KeyUses(read=read, keys=keys, hierarchy=hierarchy)
        self._register = RotationRegister(begin=begin, read=read, clock=clock, audit=audit)
        self._overlap = Overlap(
            read=read,
            clock=clock,
            keys=keys,
            envelope=envelope,
            hierarchy=hierarchy,
            uses=self._uses,
            register=self._register,
            length=times.overlap,
        )

    # --- asking and looking --------------------------------------------------------------------------

    def request(
        self,
        purpose: KeyPurpose,
        owner: str = "",
        *,
        requester: str,
        reason: str = "",
        algorithm: KeyAlgorithm | None = None,
    ) -> KeyRequest:
        """Ask for a new key. ``owner`` is the agency for seals, the CA for OCSP responders (default: the one
        in use), and empty for everything else. ``algorithm`` is the predecessor's by default.

        Raises :class:`NothingToRotate`, :class:`RotationUnderWay`, or what dual control refuses.
        """
        owner = self._uses.owner(purpose, owner)
        require_free_choice(self._uses.recipe(purpose, owner), algorithm)
        if (other := self.under_way(purpose, owner)) is not None:
            raise RotationUnderWay(named_use(purpose, owner), other)
        given = {"purpose": purpose.value, "owner": owner, "algorithm": algorithm or "", "reason": reason}
        parameters = {name: str(value) for name, value in given.items() if value}
        return self._dual_control.request(KeyAct.ROTATE, parameters, requester=requester)

    def under_way(self, purpose: KeyPurpose, owner: str = "") -> str | None:
        """The id of the request or rotation that changes this key already."""
        for request in self._dual_control.open(KeyAct.ROTATE):
            asked = request.parameters
            if (asked.get("purpose"), asked.get("owner", "")) == (purpose.value, owner):
                return request.id
        unfinished = self._register.in_phases(BEFORE_SWITCH)
        same = (one.id for one in unfinished if (one.purpose, one.owner) == (purpose, owner))
        return next(same, None)

    def get(self, rotation_id: str) -> Rotation:
        """Raises :class:`RotationUnknown`."""
        return self._register.get(rotation_id)

    def newest(self, limit: int = 50) -> list[Rotation]:
        return self._register.newest(limit)

    def to_switch(self) -> list[str]:
        """Ids of what was approved or begun and has not come to its switch.

        Looked for in the order in which a request passes through, so that none slips by in between.
        """
        asked = [*self._dual_control.ready(KeyAct.ROTATE), *self._dual_control.under_way(KeyAct.ROTATE)]
        begun = [one.id for one in self._register.in_phases(BEFORE_SWITCH)]
        return list(dict.fromkeys([*begun, *(request.id for request in asked)]))

    def to_retire(self) -> list[str]:
        """Ids of rotations whose overlap is over."""
        return self._register.to_retire()

    def spoken_for(self) -> frozenset[str]:
        """Ids of keys that have their canary and their switch before them: nobody else certifies them or puts
        them to use."""
        begun = self._register.in_phases(BEFORE_SWITCH)
        return frozenset(key_id for one in begun for key_id in (*one.keys, *own_key_ids(one)))

    # --- the steps -----------------------------------------------------------------------------------

    def begin(self, rotation_id: str) -> None:
        """Start the approved request. Raises what dual control refuses, or a :class:`RotationError`.

        The start is looked at again when a process goes on after another, and every step up to the switch
        holds the register of rotations against it: a row that somebody wrote there starts nothing, and makes
        nothing but what custodians agreed to.
        """
        known = self._register.find(rotation_id)
        if known is not None and known.phase not in BEFORE_SWITCH:
            return
        request = self._dual_control.resume(rotation_id, KeyAct.ROTATE)
        if known is not None:
            _require_agreed(known, request)
            return
        try:
            purpose = KeyPurpose(request.parameters["purpose"])
            algorithm = algorithm_in(request)
        except ValueError:
            raise NothingToRotate("the request names a purpose or algorithm that is none: ask anew") from None
        if purpose in RECIPES:
            require_free_choice(RECIPES[purpose], algorithm)
        rotation = Rotation(
            id=request.id,
            purpose=purpose,
            owner=self._uses.owner(purpose, request.parameters.get("owner", "")),
            phase=Phase.BEGUN,
            requester=request.requester,
            began_at=self._clock(),
        )
        self._register.add(rotation)

    def generate(self, rotation_id: str) -> None:
        """Make the new key, or keys, in state PRE_ACTIVATION."""
        rotation = self._at(rotation_id, Phase.BEGUN)
        if rotation is None:
            return
        kept, _ = self._dual_control.history(rotation_id)
        made = []
        with self._exclusively():
            for algorithm in self._uses.algorithms(rotation, kept.request):
                key = self._uses.waiting(rotation, algorithm) or self._keys.generate(
                    rotation.purpose,
                    algorithm,
                    rotation.owner,
                    actor=rotation.id,
                    key_id=key_id_for(rotation.id, rotation.purpose, algorithm),
                )
                made.append(key.id)
        self._register.advance(rotation, Phase.GENERATED, {"keys": " ".join(made)}, keys=" ".join(made))

    def certify(self, rotation_id: str) -> None:
        """Certify the waiting key beside the one in use.

        Raises :class:`ca.errors.KeyHeldElsewhere` until the certificate was brought, where a CA above that is
        elsewhere has to issue it.
        """
        rotation = self._at(rotation_id, Phase.GENERATED)
        if rotation is None:
            return
        profile = RECIPES[rotation.purpose].profile
        if profile is not None:
            try:
                with self._exclusively():
                    for key_id in rotation.keys:
                        self._hierarchy.certify_successor(profile, rotation.owner, key_id, actor=rotation.id)
            except KeyHeldElsewhere as waits:  # the key waits meanwhile, and is the one that is requested
                self._register.waits(rotation, str(waits))
                raise
        self._register.advance(rotation, Phase.CERTIFIED, {}, detail="")

    def canary(self, rotation_id: str) -> None:
        """Try the key before anybody depends on it. Raises :class:`app.rotation.errors.CanaryFailed`."""
        rotation = self._at(rotation_id, Phase.CERTIFIED)
        if rotation is None:
            return
        proofs = [
            self._canary(rotation, self._keys.get(key_id), self._uses.certificate(rotation, key_id))
            for key_id in rotation.keys
        ]
        self._register.advance(rotation, Phase.PROVED, {"proof": "; ".join(proofs)[:400]})

    def switch(self, rotation_id: str) -> None:
        """Let the new key be used. One row, so that nobody sees half of it."""
        rotation = self._at(rotation_id, Phase.PROVED)
        if rotation is None:
            return
        now = self._clock()
        if RECIPES[rotation.purpose].takes_over_later:
            published_at = max(self._keys.get(key_id).created_at for key_id in rotation.keys)
            when = published_at + self._publish
            detail = f"published; signs from {when:%Y-%m-%d %H:%M} UTC"
            self._register.advance(rotation, Phase.DONE, {}, ended_at=now, detail=detail)
            return
        for key_id in rotation.keys:
            self._activate(key_id, rotation)
        self._note_switch(rotation)

    def _note_switch(self, rotation: Rotation) -> None:
        self._register.advance(
            rotation,
            Phase.SWITCHED,
            {"keys": " ".join(rotation.keys)},
            switched_at=self._clock(),
            retire_at=self._overlap.ends_at(rotation),
        )

    def settle(self, rotation_id: str) -> None:
        """What follows from the switch: links between a CA's keys, and data keys that move."""
        rotation = self.get(rotation_id)
        if rotation.phase is Phase.FAILED:
            return
        if rotation.purpose is KeyPurpose.ISSUING_CA:
            with self._exclusively():
                self._hierarchy.init(actor=rotation.id)  # its responder, and the links that it signs itself
        if rotation.purpose is KeyPurpose.WRAPPING:
            self._envelope.rewrap(actor=rotation.id)

    def finish(self, rotation_id: str) -> None:
        """Note the request's end: the new key is in use. The overlap is no business of custodians."""
        rotation = self.get(rotation_id)
        failed = rotation.phase is Phase.FAILED
        detail = rotation.detail or f"in use: {' '.join(rotation.keys)}"
        self._dual_control.finish(rotation.id, Outcome.FAILED if failed else Outcome.DONE, detail=detail)

    def abandon(self, rotation_id: str, reason: str) -> None:
        """End a rotation that cannot come to its switch: the new key goes, the old one stays in use."""
        rotation = self._register.find(rotation_id)
        if rotation is not None and rotation.phase is Phase.PROVED and self._uses.are_active(rotation):
            # The process died right behind the switch, and what was refused came too late to stop it.
            self._note_switch(rotation)
            self.finish(rotation_id)
            return
        if rotation is not None and rotation.phase not in {Phase.DONE, Phase.SWITCHED, Phase.FAILED}:
            for key in self._uses.made(rotation):
                self._discard(key, rotation)
            self._register.advance(
                rotation, Phase.FAILED, {"reason": line(reason)}, ended_at=self._clock(), detail=line(reason)
            )
        with suppress(DualControlError):  # it never started: its own state says why
            self._dual_control.finish(rotation_id, Outcome.FAILED, detail=reason)

    def retire(self, rotation_id: str) -> None:
        """End the overlap: predecessors stop signing. Only while the new key is in use; else they stay."""
        rotation = self.get(rotation_id)
        if rotation.phase is Phase.SWITCHED:
            self._overlap.end(rotation)

    # --- inside --------------------------------------------------------------------------------------

    def _at(self, rotation_id: str, phase: Phase) -> Rotation | None:
        """The rotation, if it has come to ``phase`` and is what custodians agreed to."""
        rotation = self.get(rotation_id)
        if rotation.phase is not phase:
            return None
        _require_agreed(rotation, self._dual_control.resume(rotation_id, KeyAct.ROTATE))
        return rotation

    def _activate(self, key_id: str, rotation: Rotation) -> None:
        """Once, whoever else tries the same."""
        try:
            if self._keys.get(key_id).state is KeyState.PRE_ACTIVATION:
                self._keys.activate(key_id, actor=rotation.id)
        except TransitionForbidden:
            if self._keys.get(key_id).state is not KeyState.ACTIVE:
                raise
        if self._keys.get(key_id).state is not KeyState.ACTIVE:
            raise RotationError(f"key {key_id} was taken out of use before its switch: ask anew.")

    def _discard(self, key: KeyRecord, rotation: Rotation) -> None:
        """Destroy a new key that never came into use, and revoke its certificate."""
        if key.state is KeyState.ACTIVE:
            # Upkeep found its certificate and let it be used, for the one before is about to end.
            self._keys.suspend(key.id, actor=rotation.id, reason="it failed its canary")
        if key.state is KeyState.PRE_ACTIVATION:
            key = self._keys.destroy(key.id, actor=rotation.id, reason="the rotation ended before its switch")
        certificate = self._uses.certificate(rotation, key.id)
        if key.state is not KeyState.DESTROYED or certificate is None:
            return
        if certificate.status is CertificateStatus.GOOD and certificate.profile is not ProfileName.OCSP:
            with suppress(CertificationError):  # its key is gone: to revoke it is tidiness, not safety
                self._revocation.revoke(
                    certificate.serial, RevocationReason.CESSATION_OF_OPERATION, actor=rotation.id
                )


def _require_agreed(rotation: Rotation, request: KeyRequest) -> None:
    """The register of rotations says no more than what was signed: whose key it is, and which."""
    asked, recipe = request.parameters, RECIPES.get(rotation.purpose)
    named = asked.get("owner", "")
    of_default = rotation.purpose is KeyPurpose.OCSP and not named
    agreed = (
        recipe is not None
        and asked.get("purpose") == rotation.purpose.value
        and (rotation.owner == named or of_default)
        # A token's key may have been published before anybody asked; the switch does not activate it.
        and (rotation.phase is Phase.BEGUN or bool(rotation.keys))
        and (recipe.takes_over_later or own_key_ids(rotation).issuperset(rotation.keys))
    )
    if not agreed:
        raise RotationError(
            f"The register of rotations says something else of {rotation.id} than custodians agreed to. Find "
            "out who changed the database (`absah audit verify`), then ask anew."
        )
