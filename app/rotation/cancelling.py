"""Calling off a rotation that waits for people: the new key goes, and everything is as it was.

Enough custodians agreed to begin; to stop needs nobody's consent, as suspending a key does not. Nothing
depends on a key that waits to be certified, and the one before it stays in use. What is destroyed leaves the
same evidence as any other key, and who asked for the rotation is told.
"""

from __future__ import annotations

from contextlib import suppress

from app.rotation.destroying import Destructions
from app.rotation.destruction_tables import Destruction, DestructionTable
from app.rotation.discarding import Discarding
from app.rotation.errors import RotationError, RotationNotWaiting
from app.rotation.model import CALLED_OFF, Phase, Rotation
from app.rotation.register import RotationRegister, require_agreed
from app.rotation.tables import RotationTable, line
from keys.approvals import KeyAct, Outcome
from keys.dual_control import DualControl
from keys.endings import Ending
from keys.errors import DualControlError
from keys.model import KeyState
from keys.ports import AuditTrail, Begin, Clock
from keys.service import KeyService


class Cancellations:
    """Safe to use from several threads and processes. Steps may be repeated at any time."""

    def __init__(
        self,
        *,
        begin: Begin,
        clock: Clock,
        audit: AuditTrail,
        keys: KeyService,
        dual_control: DualControl,
        register: RotationRegister,
        destructions: Destructions,
        discarding: Discarding,
    ) -> None:
        self._begin = begin
        self._clock = clock
        self._audit = audit
        self._keys = keys
        self._dual_control = dual_control
        self._register = register
        self._destructions = destructions
        self._discarding = discarding

    def cancel(self, rotation_id: str, *, actor: str, reason: str = "") -> Rotation:
        """Call it off; the worker does the rest. What was called off before stays as it was.

        Raises :class:`RotationUnknown`, :class:`RotationNotWaiting`, :class:`RotationError`, or what dual
        control refuses.
        """
        rotation = self._register.get(rotation_id)
        if rotation.phase in CALLED_OFF:
            return rotation
        if not rotation.waits_for_people:
            raise RotationNotWaiting(rotation_id, rotation.phase)
        require_agreed(rotation, self._dual_control.resume(rotation_id, KeyAct.ROTATE))
        (key_id,) = rotation.keys  # keys that are certified come one at a time
        key = self._keys.get(key_id)
        detail = line(
            Ending.CALLED_OFF_FOR.said(actor=actor, why=reason)
            if reason
            else Ending.CALLED_OFF.said(actor=actor)
        )
        with self._begin() as tx:
            if not RotationTable(tx).advance(rotation_id, Phase.CANCELLING, detail=detail):
                raise RotationNotWaiting(rotation_id, "further than that by now")
            if DestructionTable(tx).get(rotation_id) is None:
                DestructionTable(tx).add(
                    Destruction(
                        request_id=rotation_id,
                        key_id=key_id,
                        store=key.store,
                        requester=actor,
                        approved_by=(),
                        began_at=self._clock(),
                    )
                )
            self._audit.append(
                tx,
                action=f"rotation.{Phase.CANCELLING}",
                actor=actor,
                subject=rotation_id,
                facts={"purpose": rotation.purpose.value, "key": key_id, "reason": line(reason)},
            )
        return self._register.get(rotation_id)

    def unfinished(self) -> list[str]:
        """Ids of rotations that were called off and whose keys are not gone yet."""
        return [one.id for one in self._register.in_phases((Phase.CANCELLING,))]

    # --- the steps -----------------------------------------------------------------------------------

    def destroy(self, rotation_id: str) -> None:
        """Make the new key unrecoverable in its store: only one that never came into use."""
        noted = self._noted(rotation_id)
        if noted is None:
            return
        key = self._keys.get(noted.key_id)
        if key.state is KeyState.PRE_ACTIVATION:
            self._keys.destroy(key.id, actor=rotation_id, reason="its rotation was called off")
        elif key.state is not KeyState.DESTROYED:
            raise RotationError(
                f"key {key.id} is {key.state} by now: it is destroyed by a request of its own "
                "(`absah keys destroy`)."
            )

    def prove(self, rotation_id: str) -> None:
        """Ask the store for what was destroyed, and record what it says."""
        noted = self._noted(rotation_id)
        if noted is not None:
            self._destructions.prove(noted)

    def finish(self, rotation_id: str) -> None:
        """Note the end, and have those told who asked for the rotation and agreed to it."""
        rotation = self._register.get(rotation_id)
        if rotation.phase is not Phase.CANCELLING:
            return
        for key_id in rotation.keys:  # it may have been certified while somebody called it off
            self._discarding.revoke(key_id, rotation)
        self._end(rotation, Phase.CANCELLED, Outcome.CANCELLED, rotation.detail)

    def fail(self, rotation_id: str, reason: str) -> None:
        """Note that the new key could not be destroyed, and why."""
        rotation = self._register.get(rotation_id)
        if rotation.phase is Phase.CANCELLING:
            self._end(rotation, Phase.FAILED, Outcome.FAILED, line(reason))

    # --- inside --------------------------------------------------------------------------------------

    def _noted(self, rotation_id: str) -> Destruction | None:
        """What is to be destroyed: the key that this rotation made, whatever rows say."""
        rotation = self._register.get(rotation_id)
        if rotation.phase is not Phase.CANCELLING:
            return None
        require_agreed(rotation, self._dual_control.resume(rotation_id, KeyAct.ROTATE))
        (key_id,) = rotation.keys
        return self._destructions.noted(rotation_id, key_id)

    def _end(self, rotation: Rotation, phase: Phase, outcome: Outcome, detail: str) -> None:
        """In this order: a request that ended lets nothing go on, and one that did not is ended by whoever
        finds its rotation at its end (:meth:`app.rotation.service.Rotations.finish`)."""
        self._register.advance(
            rotation, phase, {"detail": detail}, ended_at=self._clock(), detail=line(detail)
        )
        with suppress(DualControlError):  # a row that was planted: no request was ever begun for it
            self._dual_control.finish(rotation.id, outcome, detail=detail)
