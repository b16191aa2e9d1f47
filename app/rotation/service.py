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
from typing import Final, Protocol

from app.rotation.discarding import Discarding
from app.rotation.errors import NothingToRotate, RotationError, RotationUnderWay
from app.rotation.model import (
    BEFORE_SWITCH,
    CALLED_OFF,
    RECIPES,
    Phase,
    Rotation,
    key_id_for,
    named_use,
    own_key_ids,
)
from app.rotation.overlap import Overlap
from app.rotation.register import RotationRegister, require_agreed
from app.rotation.tables import line
from app.rotation.uses import KeyUses, algorithm_in, require_free_choice
from ca.errors import KeyHeldElsewhere
from ca.hierarchy import Hierarchy
from ca.model import CertificateRecord
from keys.approvals import KeyAct, KeyRequest, Outcome
from keys.dual_control import DualControl
from keys.endings import Ending
from keys.envelope import Envelope
from keys.errors import DualControlError, TransitionForbidden
from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState
from keys.ports import Begin, Clock
from keys.service import KeyService

WAITS: Final = "waits"
"""What a step says that cannot be done before people have brought something."""


_OUTCOMES: Final = {Phase.FAILED: Outcome.FAILED, Phase.CANCELLED: Outcome.CANCELLED}


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
        read: Begin,
        exclusively: Callable[[], AbstractContextManager[None]],
        clock: Clock,
        keys: KeyService,
        envelope: Envelope,
        hierarchy: Hierarchy,
        dual_control: DualControl,
        register: RotationRegister,
        uses: KeyUses,
        discarding: Discarding,
        canary: Canary,
        times: RotationTimes,
    ) -> None:
        self._exclusively = exclusively
        self._clock = clock
        self._keys = keys
        self._envelope = envelope
        self._hierarchy = hierarchy
        self._dual_control = dual_control
        self._canary = canary
        self._publish = times.publish
        self._register = register
        self._uses = uses
        self._discarding = discarding
        self._overlap = Overlap(
            read=read,
            clock=clock,
            keys=keys,
            envelope=envelope,
            hierarchy=hierarchy,
            uses=uses,
            register=register,
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
        """Ids of what was approved or begun, has not come to its switch, and can be gone on with now.

        Looked for in the order in which a request passes through, so that none slips by in between. Left out
        is what waits for people, for weeks perhaps: that is a state, and no work.
        """
        asked = [*self._dual_control.ready(KeyAct.ROTATE), *self._dual_control.under_way(KeyAct.ROTATE)]
        begun = self._register.in_phases((*BEFORE_SWITCH, Phase.CANCELLING))
        left_out = {one.id for one in begun if one.phase is Phase.CANCELLING or self._waits(one)}
        found = dict.fromkeys([*(one.id for one in begun), *(request.id for request in asked)])
        return [rotation_id for rotation_id in found if rotation_id not in left_out]

    def _waits(self, rotation: Rotation) -> bool:
        """Whether somebody has to bring a certificate, and did not."""
        return rotation.waits_for_people and any(
            self._uses.certificate(rotation, key_id) is None for key_id in rotation.keys
        )

    def to_retire(self) -> list[str]:
        """Ids of rotations whose overlap is over."""
        return self._register.to_retire()

    def spoken_for(self) -> frozenset[str]:
        """Ids of keys that have their canary and their switch before them, or their end: nobody else
        certifies them or puts them to use."""
        begun = self._register.in_phases((*BEFORE_SWITCH, Phase.CANCELLING))
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
            require_agreed(known, request)
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

    def certify(self, rotation_id: str) -> str:
        """Certify the waiting key beside the one in use.

        :data:`WAITS` where a CA above that is elsewhere has to issue the certificate: the rotation is done
        with for now, and among :meth:`to_switch` again when somebody has brought it.
        """
        rotation = self._at(rotation_id, Phase.GENERATED)
        if rotation is None:
            return ""
        profile = RECIPES[rotation.purpose].profile
        if profile is not None:
            try:
                with self._exclusively():
                    for key_id in rotation.keys:
                        self._hierarchy.certify_successor(profile, rotation.owner, key_id, actor=rotation.id)
            except KeyHeldElsewhere as waits:  # the key waits meanwhile, and is the one that is requested
                self._register.waits(rotation, str(waits))
                return WAITS
        self._register.advance(rotation, Phase.CERTIFIED, {}, detail="")
        return ""

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
            detail = Ending.PUBLISHED.said(moment=f"{when:%Y-%m-%d %H:%M}")
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
        if rotation.phase is Phase.FAILED or rotation.phase in CALLED_OFF:
            return
        if rotation.purpose is KeyPurpose.ISSUING_CA:
            with self._exclusively():
                self._hierarchy.init(actor=rotation.id)  # its responder, and the links that it signs itself
        if rotation.purpose is KeyPurpose.WRAPPING:
            self._envelope.rewrap(actor=rotation.id)

    def finish(self, rotation_id: str) -> None:
        """Note the request's end: the new key is in use. The overlap is no business of custodians."""
        rotation = self.get(rotation_id)
        if rotation.phase is Phase.CANCELLING:
            return  # its key is not gone yet (:mod:`app.rotation.cancelling`)
        outcome = _OUTCOMES.get(rotation.phase, Outcome.DONE)
        detail = rotation.detail or Ending.IN_USE.said(keys=" ".join(rotation.keys))
        self._dual_control.finish(rotation.id, outcome, detail=detail)

    def abandon(self, rotation_id: str, reason: str) -> None:
        """End a rotation that cannot come to its switch: the new key goes, the old one stays in use."""
        rotation = self._register.find(rotation_id)
        if rotation is not None and rotation.phase in CALLED_OFF:
            return
        if rotation is not None and rotation.phase is Phase.PROVED and self._uses.are_active(rotation):
            # The process died right behind the switch, and what was refused came too late to stop it.
            self._note_switch(rotation)
            self.finish(rotation_id)
            return
        if rotation is not None and rotation.phase not in {Phase.DONE, Phase.SWITCHED, Phase.FAILED}:
            for key in self._uses.made(rotation):
                self._discarding.discard(key, rotation)
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
        require_agreed(rotation, self._dual_control.resume(rotation_id, KeyAct.ROTATE))
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
