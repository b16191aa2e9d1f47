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

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from app.rotation.errors import NothingToRotate, RotationError, RotationUnderWay, RotationUnknown
from app.rotation.model import (
    BEFORE_SWITCH,
    RECIPES,
    Phase,
    Recipe,
    Rotation,
    key_id_for,
    named_use,
    own_key_ids,
)
from app.rotation.tables import RotationTable, line
from ca.errors import CertificationError, KeyHeldElsewhere
from ca.hierarchy import Hierarchy
from ca.in_use import certificate_in_use
from ca.model import CertificateRecord, CertificateStatus, ProfileName, RevocationReason
from ca.revocation import Revocation
from ca.tables import Certificates
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
        self._begin = begin
        self._read = read
        self._exclusively = exclusively
        self._clock = clock
        self._audit = audit
        self._keys = keys
        self._envelope = envelope
        self._hierarchy = hierarchy
        self._revocation = revocation
        self._dual_control = dual_control
        self._canary = canary
        self._times = times

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
        owner = self._owner(purpose, owner)
        self._require_free_choice(self._recipe(purpose, owner), algorithm)
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
        with self._read() as tx:
            unfinished = RotationTable(tx).in_phases(BEFORE_SWITCH)
        same = (one.id for one in unfinished if (one.purpose, one.owner) == (purpose, owner))
        return next(same, None)

    def get(self, rotation_id: str) -> Rotation:
        """Raises :class:`RotationUnknown`."""
        with self._read() as tx:
            found = RotationTable(tx).get(rotation_id)
        if found is None:
            raise RotationUnknown(rotation_id)
        return found

    def newest(self, limit: int = 50) -> list[Rotation]:
        with self._read() as tx:
            return RotationTable(tx).newest(limit)

    def to_switch(self) -> list[str]:
        """Ids of what was approved or begun and has not come to its switch.

        Looked for in the order in which a request passes through, so that none slips by in between.
        """
        asked = [*self._dual_control.ready(KeyAct.ROTATE), *self._dual_control.under_way(KeyAct.ROTATE)]
        with self._read() as tx:
            begun = [one.id for one in RotationTable(tx).in_phases(BEFORE_SWITCH)]
        return list(dict.fromkeys([*begun, *(request.id for request in asked)]))

    def to_retire(self) -> list[str]:
        """Ids of rotations whose overlap is over."""
        with self._read() as tx:
            return RotationTable(tx).to_retire(self._clock())

    def spoken_for(self) -> frozenset[str]:
        """Ids of keys that have their canary and their switch before them: nobody else certifies them or puts
        them to use."""
        with self._read() as tx:
            begun = RotationTable(tx).in_phases(BEFORE_SWITCH)
        return frozenset(key_id for one in begun for key_id in (*one.keys, *own_key_ids(one)))

    # --- the steps -----------------------------------------------------------------------------------

    def begin(self, rotation_id: str) -> None:
        """Start the approved request. Raises what dual control refuses, or a :class:`RotationError`.

        The start is looked at again when a process goes on after another, and every step up to the switch
        holds the register of rotations against it: a row that somebody wrote there starts nothing, and makes
        nothing but what custodians agreed to.
        """
        with self._read() as tx:
            known = RotationTable(tx).get(rotation_id)
        if known is not None and known.phase not in BEFORE_SWITCH:
            return
        request = self._dual_control.resume(rotation_id, KeyAct.ROTATE)
        if known is not None:
            _require_agreed(known, request)
            return
        try:
            purpose = KeyPurpose(request.parameters["purpose"])
            algorithm = _algorithm_in(request)
        except ValueError:
            raise NothingToRotate("the request names a purpose or algorithm that is none: ask anew") from None
        if purpose in RECIPES:
            self._require_free_choice(RECIPES[purpose], algorithm)
        rotation = Rotation(
            id=request.id,
            purpose=purpose,
            owner=self._owner(purpose, request.parameters.get("owner", "")),
            phase=Phase.BEGUN,
            requester=request.requester,
            began_at=self._clock(),
        )
        with self._begin() as tx:
            if RotationTable(tx).get(rotation_id) is None:
                RotationTable(tx).add(rotation)
                self._note(tx, "rotation.begun", rotation, {"owner": rotation.owner})

    def generate(self, rotation_id: str) -> None:
        """Make the new key, or keys, in state PRE_ACTIVATION."""
        rotation = self._at(rotation_id, Phase.BEGUN)
        if rotation is None:
            return
        made = []
        with self._exclusively():
            for algorithm in self._algorithms(rotation):
                key = self._waiting(rotation, algorithm) or self._keys.generate(
                    rotation.purpose,
                    algorithm,
                    rotation.owner,
                    actor=rotation.id,
                    key_id=key_id_for(rotation.id, rotation.purpose, algorithm),
                )
                made.append(key.id)
        self._advance(rotation, Phase.GENERATED, {"keys": " ".join(made)}, keys=" ".join(made))

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
                with self._begin() as tx:
                    RotationTable(tx).waits(rotation.id, str(waits))
                raise
        self._advance(rotation, Phase.CERTIFIED, {}, detail="")

    def canary(self, rotation_id: str) -> None:
        """Try the key before anybody depends on it. Raises :class:`app.rotation.errors.CanaryFailed`."""
        rotation = self._at(rotation_id, Phase.CERTIFIED)
        if rotation is None:
            return
        proofs = [
            self._canary(rotation, self._keys.get(key_id), self._certificate(rotation, key_id))
            for key_id in rotation.keys
        ]
        self._advance(rotation, Phase.PROVED, {"proof": "; ".join(proofs)[:400]})

    def switch(self, rotation_id: str) -> None:
        """Let the new key be used. One row, so that nobody sees half of it."""
        rotation = self._at(rotation_id, Phase.PROVED)
        if rotation is None:
            return
        now = self._clock()
        if RECIPES[rotation.purpose].takes_over_later:
            published_at = max(self._keys.get(key_id).created_at for key_id in rotation.keys)
            when = published_at + self._times.publish
            detail = f"published; signs from {when:%Y-%m-%d %H:%M} UTC"
            self._advance(rotation, Phase.DONE, {}, ended_at=now, detail=detail)
            return
        for key_id in rotation.keys:
            self._activate(key_id, rotation)
        self._note_switch(rotation)

    def _note_switch(self, rotation: Rotation) -> None:
        now = self._clock()
        overlap_ends = now + self._times.overlap
        owed = [self._owed_until(rotation, old) for old in self._before(rotation)]
        self._advance(
            rotation,
            Phase.SWITCHED,
            {"keys": " ".join(rotation.keys)},
            switched_at=now,
            retire_at=max([overlap_ends, *(until for until in owed if until is not None)]),
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
        with self._read() as tx:
            rotation = RotationTable(tx).get(rotation_id)
        if rotation is not None and rotation.phase is Phase.PROVED and self._is_active(rotation):
            # The process died right behind the switch, and what was refused came too late to stop it.
            self._note_switch(rotation)
            self.finish(rotation_id)
            return
        if rotation is not None and rotation.phase not in {Phase.DONE, Phase.SWITCHED, Phase.FAILED}:
            for algorithm in self._algorithms(rotation, also_without_predecessor=True):
                self._discard(key_id_for(rotation.id, rotation.purpose, algorithm), rotation)
            self._advance(
                rotation, Phase.FAILED, {"reason": line(reason)}, ended_at=self._clock(), detail=line(reason)
            )
        with suppress(DualControlError):  # it never started: its own state says why
            self._dual_control.finish(rotation_id, Outcome.FAILED, detail=reason)

    def retire(self, rotation_id: str) -> None:
        """End the overlap: predecessors stop signing. Only while the new key is in use; else they stay."""
        rotation = self.get(rotation_id)
        if rotation.phase is not Phase.SWITCHED:
            return
        new = self._keys.get(rotation.keys[0])
        now = self._clock()
        if new.state is KeyState.SUSPENDED or (new.state is KeyState.ACTIVE and not self._is_good(rotation)):
            self._postpone(rotation, now + self._times.overlap, f"{new.id} cannot be used now")
            return
        if new.state is not KeyState.ACTIVE:
            detail = f"{new.id} is {new.state}; its predecessors were left as they are"
            self._advance(rotation, Phase.DONE, {"detail": detail}, ended_at=now, detail=detail)
            return
        if rotation.purpose is KeyPurpose.WRAPPING:
            self._envelope.rewrap(actor=rotation.id)
        retired = []
        for old in self._before(rotation):
            owed = self._owed_until(rotation, old)
            if owed is not None and owed > now:
                self._postpone(
                    rotation, owed, f"{old.id} signs lists and answers until {owed:%Y-%m-%d}, as it owes them"
                )
                return
            self._deactivate(old.id, rotation)
            retired.append(old.id)
        detail = f"in use: {new.id}; retired: {' '.join(retired) or 'none'}"
        self._advance(rotation, Phase.DONE, {"retired": " ".join(retired)}, ended_at=now, detail=detail)

    # --- inside --------------------------------------------------------------------------------------

    def _at(self, rotation_id: str, phase: Phase) -> Rotation | None:
        """The rotation, if it has come to ``phase`` and is what custodians agreed to."""
        rotation = self.get(rotation_id)
        if rotation.phase is not phase:
            return None
        _require_agreed(rotation, self._dual_control.resume(rotation_id, KeyAct.ROTATE))
        return rotation

    def _owner(self, purpose: KeyPurpose, owner: str) -> str:
        if purpose is KeyPurpose.OCSP and not owner:
            return self._hierarchy.issuing_ca().name
        if purpose is KeyPurpose.SEAL and not owner:
            raise NothingToRotate("whose seal? Name the agency with --owner.")
        if owner and purpose not in {KeyPurpose.SEAL, KeyPurpose.OCSP}:
            raise NothingToRotate(f"{purpose} keys belong to the service itself: leave the owner out.")
        return owner

    def _recipe(self, purpose: KeyPurpose, owner: str) -> Recipe:
        recipe = RECIPES.get(purpose)
        if recipe is None:
            raise NothingToRotate(
                "The root's key changes in a ceremony, with its custodians in one room: `absah ca ceremony`."
            )
        if self._predecessor(purpose, owner) is None:
            raise NothingToRotate(
                f"There is no {named_use(purpose, owner)} key yet. `absah init` and `absah agency certify` "
                "make the first ones; `absah keys list` shows what there is."
            )
        return recipe

    def _predecessor(self, purpose: KeyPurpose, owner: str) -> KeyRecord | None:
        """The key in use; without one, the newest that ever was."""
        in_use = self._keys.in_use(purpose, owner)
        if in_use:
            return in_use[0]
        mine = [key for key in self._keys.list() if (key.purpose, key.owner) == (purpose, owner)]
        return max(mine, key=lambda key: key.created_at, default=None)

    def _algorithms(
        self, rotation: Rotation, *, also_without_predecessor: bool = False
    ) -> tuple[KeyAlgorithm, ...]:
        if fixed := RECIPES[rotation.purpose].algorithms if rotation.purpose in RECIPES else ():
            return fixed
        if also_without_predecessor:
            return tuple(KeyAlgorithm)
        if made := self._made(rotation):
            return made
        kept, _ = self._dual_control.history(rotation.id)
        if (asked := _algorithm_in(kept.request)) is not None:
            return (asked,)
        self._recipe(rotation.purpose, rotation.owner)
        predecessor = self._predecessor(rotation.purpose, rotation.owner)
        assert predecessor is not None
        return (predecessor.algorithm,)

    def _made(self, rotation: Rotation) -> tuple[KeyAlgorithm, ...]:
        """Of what a run made that died before it noted it: no second key, whatever is in use by now."""
        ids = {key_id_for(rotation.id, rotation.purpose, algorithm) for algorithm in KeyAlgorithm}
        return tuple(key.algorithm for key in self._keys.list() if key.id in ids)

    def _require_free_choice(self, recipe: Recipe, algorithm: KeyAlgorithm | None) -> None:
        if algorithm is None:
            return
        if recipe.algorithms or not algorithm.signs:
            raise NothingToRotate(f"The algorithm of {recipe.purpose} keys is not {algorithm}: leave it out.")

    def _is_active(self, rotation: Rotation) -> bool:
        states = {self._keys.get(key_id).state for key_id in rotation.keys}
        return states == {KeyState.ACTIVE}

    def _waiting(self, rotation: Rotation, algorithm: KeyAlgorithm) -> KeyRecord | None:
        """A successor that upkeep published already, where keys are published before they sign."""
        if not RECIPES[rotation.purpose].takes_over_later:
            return None
        mine = [
            key
            for key in self._keys.list()
            if (key.purpose, key.owner, key.algorithm) == (rotation.purpose, rotation.owner, algorithm)
        ]
        in_use = max((key.created_at for key in mine if key.state is KeyState.ACTIVE), default=None)
        waiting = [
            key
            for key in mine
            if key.state is KeyState.PRE_ACTIVATION and (in_use is None or key.created_at >= in_use)
        ]
        return max(waiting, key=lambda key: key.created_at, default=None)

    def _certificate(self, rotation: Rotation, key_id: str) -> CertificateRecord | None:
        profile = RECIPES[rotation.purpose].profile
        if profile is None:
            return None
        with self._read() as tx:
            return Certificates(tx).of_key(key_id, profile)

    def _before(self, rotation: Rotation) -> list[KeyRecord]:
        """The active keys of this use that are older than the new one."""
        new = self._keys.get(rotation.keys[0])
        in_use = self._keys.in_use(rotation.purpose, rotation.owner)
        return [key for key in in_use if key.created_at < new.created_at and key.id not in rotation.keys]

    def _is_good(self, rotation: Rotation) -> bool:
        """Whether users have come over to the new key, or to a later one."""
        profile = RECIPES[rotation.purpose].profile
        if profile is None:
            return True
        used = certificate_in_use(self._read, self._keys, profile, rotation.owner)
        new = self._keys.get(rotation.keys[0])
        return used is not None and self._keys.get(used.key_id).created_at >= new.created_at

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

    def _deactivate(self, key_id: str, rotation: Rotation) -> None:
        try:
            self._keys.deactivate(key_id, actor=rotation.id, reason=f"replaced by {rotation.keys[0]}")
        except TransitionForbidden:
            if self._keys.get(key_id).state in {KeyState.ACTIVE, KeyState.PRE_ACTIVATION}:
                raise

    def _discard(self, key_id: str, rotation: Rotation) -> None:
        """Destroy a new key that never came into use, and revoke its certificate."""
        known = next((key for key in self._keys.list() if key.id == key_id), None)
        if known is None:
            return
        if known.state is KeyState.ACTIVE:
            # Upkeep found its certificate and let it be used, for the one before is about to end.
            self._keys.suspend(key_id, actor=rotation.id, reason="it failed its canary")
        if known.state is KeyState.PRE_ACTIVATION:
            known = self._keys.destroy(
                key_id, actor=rotation.id, reason="the rotation ended before its switch"
            )
        certificate = self._certificate(rotation, key_id)
        if known.state is not KeyState.DESTROYED or certificate is None:
            return
        if certificate.status is CertificateStatus.GOOD and certificate.profile is not ProfileName.OCSP:
            with suppress(CertificationError):  # its key is gone: to revoke it is tidiness, not safety
                self._revocation.revoke(
                    certificate.serial, RevocationReason.CESSATION_OF_OPERATION, actor=rotation.id
                )

    def _owed_until(self, rotation: Rotation, old: KeyRecord) -> datetime | None:
        """A CA owes lists and answers about what it issued until the last of that ends."""
        if rotation.purpose is not KeyPurpose.ISSUING_CA:
            return None
        with self._read() as tx:
            authority = Certificates(tx).of_key(old.id, ProfileName.ISSUING)
        return None if authority is None else self._hierarchy.owed_until(authority.name)

    def _postpone(self, rotation: Rotation, until: datetime, why: str) -> None:
        with self._begin() as tx:
            RotationTable(tx).postpone(rotation.id, until, why)
            self._note(tx, "rotation.postponed", rotation, {"until": until.isoformat(), "reason": why})

    def _advance(self, rotation: Rotation, phase: Phase, facts: Mapping[str, str], **values: object) -> None:
        """The new phase and its audit entry, once."""
        with self._begin() as tx:
            if RotationTable(tx).advance(rotation.id, phase, **values):
                self._note(tx, f"rotation.{phase}", rotation, facts)

    def _note(self, tx: Connection, action: str, rotation: Rotation, facts: Mapping[str, str]) -> None:
        self._audit.append(
            tx,
            action=action,
            actor=rotation.id,
            subject=rotation.id,
            facts={"purpose": rotation.purpose.value, **facts},
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


def _algorithm_in(request: KeyRequest) -> KeyAlgorithm | None:
    """Raises ``ValueError``."""
    named = request.parameters.get("algorithm")
    return None if named is None else KeyAlgorithm(named)
