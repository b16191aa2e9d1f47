"""Rotations on record: how far each has come. A new phase and its entry in the trail are one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from app.rotation.errors import RotationError, RotationUnknown
from app.rotation.model import RECIPES, Phase, Rotation, own_key_ids
from app.rotation.tables import RotationTable
from keys.approvals import KeyRequest
from keys.model import KeyPurpose
from keys.ports import AuditTrail, Begin, Clock


class RotationRegister:
    """Safe to share. Methods may not be called inside an open transaction."""

    def __init__(self, *, begin: Begin, read: Begin, clock: Clock, audit: AuditTrail) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit

    def find(self, rotation_id: str) -> Rotation | None:
        with self._read() as tx:
            return RotationTable(tx).get(rotation_id)

    def get(self, rotation_id: str) -> Rotation:
        """Raises :class:`RotationUnknown`."""
        found = self.find(rotation_id)
        if found is None:
            raise RotationUnknown(rotation_id)
        return found

    def newest(self, limit: int) -> list[Rotation]:
        with self._read() as tx:
            return RotationTable(tx).newest(limit)

    def in_phases(self, phases: Iterable[Phase]) -> list[Rotation]:
        """Oldest first."""
        with self._read() as tx:
            return RotationTable(tx).in_phases(phases)

    def to_retire(self) -> list[str]:
        """Ids of rotations whose overlap is over."""
        with self._read() as tx:
            return RotationTable(tx).to_retire(self._clock())

    def add(self, rotation: Rotation) -> None:
        """Once, however often it is begun."""
        with self._begin() as tx:
            if RotationTable(tx).get(rotation.id) is None:
                RotationTable(tx).add(rotation)
                self._note(tx, "rotation.begun", rotation, {"owner": rotation.owner})

    def advance(self, rotation: Rotation, phase: Phase, facts: Mapping[str, str], **values: object) -> None:
        """The new phase, once; nothing when the rotation is there or further."""
        with self._begin() as tx:
            if RotationTable(tx).advance(rotation.id, phase, **values):
                self._note(tx, f"rotation.{phase}", rotation, facts)

    def waits(self, rotation: Rotation, why: str) -> None:
        """It can only go on when people have brought something."""
        with self._begin() as tx:
            RotationTable(tx).waits(rotation.id, why)

    def postpone(self, rotation: Rotation, until: datetime, why: str) -> None:
        """Its predecessors retire later."""
        with self._begin() as tx:
            RotationTable(tx).postpone(rotation.id, until, why)
            self._note(tx, "rotation.postponed", rotation, {"until": until.isoformat(), "reason": why})

    def _note(self, tx: Connection, action: str, rotation: Rotation, facts: Mapping[str, str]) -> None:
        self._audit.append(
            tx,
            action=action,
            actor=rotation.id,
            subject=rotation.id,
            facts={"purpose": rotation.purpose.value, **facts},
        )


def require_agreed(rotation: Rotation, request: KeyRequest) -> None:
    """The register of rotations says no more than what was signed: whose key it is, and which.

    Raises :class:`RotationError`.
    """
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
