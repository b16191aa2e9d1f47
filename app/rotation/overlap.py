"""Two keys of one use beside each other: how long, and how the older one ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.rotation.model import Phase, Rotation
from app.rotation.register import RotationRegister
from app.rotation.uses import KeyUses
from ca.hierarchy import Hierarchy
from ca.model import ProfileName
from ca.tables import Certificates
from keys.endings import Ending
from keys.envelope import Envelope
from keys.errors import TransitionForbidden
from keys.model import KeyPurpose, KeyRecord, KeyState
from keys.ports import Begin, Clock
from keys.service import KeyService


class Overlap:
    """``length`` is longer than anything may take that was begun with a predecessor."""

    def __init__(
        self,
        *,
        read: Begin,
        clock: Clock,
        keys: KeyService,
        envelope: Envelope,
        hierarchy: Hierarchy,
        uses: KeyUses,
        register: RotationRegister,
        length: timedelta,
    ) -> None:
        self._read = read
        self._clock = clock
        self._keys = keys
        self._envelope = envelope
        self._hierarchy = hierarchy
        self._uses = uses
        self._register = register
        self._length = length

    def ends_at(self, rotation: Rotation) -> datetime:
        """When the predecessors may retire, for a switch now."""
        owed = [self._owed_until(rotation, old) for old in self._uses.before(rotation)]
        return max([self._clock() + self._length, *(until for until in owed if until is not None)])

    def end(self, rotation: Rotation) -> None:
        """Predecessors stop signing. Only while the new key is in use; else they stay."""
        new = self._keys.get(rotation.keys[0])
        now = self._clock()
        if new.state is KeyState.SUSPENDED or (
            new.state is KeyState.ACTIVE and not self._uses.came_over(rotation)
        ):
            self._register.postpone(rotation, now + self._length, f"{new.id} cannot be used now")
            return
        if new.state is not KeyState.ACTIVE:
            detail = f"{new.id} is {new.state}; its predecessors were left as they are"
            self._register.advance(rotation, Phase.DONE, {"detail": detail}, ended_at=now, detail=detail)
            return
        if rotation.purpose is KeyPurpose.WRAPPING:
            self._envelope.rewrap(actor=rotation.id)
        retired = []
        for old in self._uses.before(rotation):
            owed = self._owed_until(rotation, old)
            if owed is not None and owed > now:
                self._register.postpone(
                    rotation, owed, f"{old.id} signs lists and answers until {owed:%Y-%m-%d}, as it owes them"
                )
                return
            self._deactivate(old.id, rotation)
            retired.append(old.id)
        detail = Ending.IN_USE_ALONE.said(keys=new.id, retired=" ".join(retired) or "none")
        facts = {"retired": " ".join(retired)}
        self._register.advance(rotation, Phase.DONE, facts, ended_at=now, detail=detail)

    def _owed_until(self, rotation: Rotation, old: KeyRecord) -> datetime | None:
        """A CA owes lists and answers about what it issued until the last of that ends."""
        if rotation.purpose is not KeyPurpose.ISSUING_CA:
            return None
        with self._read() as tx:
            authority = Certificates(tx).of_key(old.id, ProfileName.ISSUING)
        return None if authority is None else self._hierarchy.owed_until(authority.name)

    def _deactivate(self, key_id: str, rotation: Rotation) -> None:
        try:
            self._keys.deactivate(key_id, actor=rotation.id, reason=f"replaced by {rotation.keys[0]}")
        except TransitionForbidden:
            if self._keys.get(key_id).state in {KeyState.ACTIVE, KeyState.PRE_ACTIVATION}:
                raise
