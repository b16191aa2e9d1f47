"""How a key's life ends outside a rotation: retired by decision, and in the end destroyed with evidence.

Destroying is an act of its own, approved by itself: retiring can be undone by a new key, this cannot. What
is recorded (:mod:`app.rotation.destroying`) says what was destroyed, when, at whose request and by whose
approval.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.rotation.destroying import Destructions
from app.rotation.destruction_tables import Destruction, DestructionTable
from app.rotation.errors import DestructionRefused, RotationError, RotationUnderWay
from ca.hierarchy import Hierarchy
from ca.model import ProfileName
from ca.tables import Certificates
from keys.approvals import KeyAct, KeyRequest, Outcome
from keys.dual_control import DualControl
from keys.endings import Ending
from keys.errors import DualControlError, TransitionForbidden
from keys.model import KeyPurpose, KeyRecord, KeyState, may_move
from keys.ports import Begin, Clock
from keys.service import KeyService

BACKUPS = Ending.BACKUPS.said()


@dataclass(frozen=True, slots=True)
class StillPublished:
    """How long others honour what a token key signed after it was retired."""

    keep: timedelta


class KeyEndings:
    """Safe to use from several threads and processes. Steps may be repeated at any time."""

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        keys: KeyService,
        hierarchy: Hierarchy,
        dual_control: DualControl,
        destructions: Destructions,
        tokens: StillPublished,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._keys = keys
        self._hierarchy = hierarchy
        self._dual_control = dual_control
        self._destructions = destructions
        self._tokens = tokens

    # --- asking --------------------------------------------------------------------------------------

    def request(self, act: KeyAct, key_id: str, *, requester: str, reason: str = "") -> KeyRequest:
        """Ask to RETIRE, REINSTATE or DESTROY a key.

        Raises :class:`RotationError` leaves, ``KeyUnknown``, or what dual control refuses.
        """
        self._require_possible(act, self._keys.get(key_id))
        for other in self._dual_control.open(act):
            if other.parameters.get("key") == key_id:
                raise RotationUnderWay(f"To {act} {key_id} was asked for: it", other.id)
        parameters = {"key": key_id} | ({"reason": reason} if reason else {})
        return self._dual_control.request(act, parameters, requester=requester)

    def unfinished(self, act: KeyAct) -> list[str]:
        """Ids of requests that were approved or started, looked for in the order of their states."""
        asked = [*self._dual_control.ready(act), *self._dual_control.under_way(act)]
        return list(dict.fromkeys(request.id for request in asked))

    def destructions(self) -> list[Destruction]:
        """Newest first; those of rotations that were called off, too."""
        return self._destructions.all()

    def destruction_of(self, key_id: str) -> Destruction:
        """Raises :class:`DestructionRefused` when the key was never destroyed here."""
        return self._destructions.of_key(key_id)

    def attest(self, key_id: str, words: str, *, actor: str) -> Destruction:
        """Record that somebody removed the key from the backups, and how. Once."""
        return self._destructions.attest(key_id, words, actor=actor)

    # --- the steps -----------------------------------------------------------------------------------

    def move(self, request_id: str, act: KeyAct) -> None:
        """Carry out an approved RETIRE or REINSTATE: one row.

        What was agreed to is to lift the suspension that there was. One that came since, while this waited or
        after it was carried out and before anybody could note it, is not lifted by the same consent.
        """
        request = self._dual_control.resume(request_id, act)
        key_id = request.parameters["key"]
        target = KeyState.DEACTIVATED if act is KeyAct.RETIRE else KeyState.ACTIVE
        if self._keys.get(key_id).state is target:
            return
        self._require_possible(act, self._keys.get(key_id))
        try:
            if act is KeyAct.RETIRE:
                self._keys.deactivate(key_id, actor=request.id)
            else:
                self._keys.reinstate(key_id, suspended_by=request.requested_at, actor=request.id)
        except TransitionForbidden:
            if self._keys.get(key_id).state is not target:
                raise

    def note_destruction(self, request_id: str) -> None:
        """Put on record what is about to be destroyed, before it is."""
        request = self._dual_control.resume(request_id, KeyAct.DESTROY)
        key = self._keys.get(request.parameters["key"])
        if key.state is not KeyState.DESTROYED:
            self._require_possible(KeyAct.DESTROY, key)
        approved_by = self._dual_control.standing(request_id).approved_by
        with self._begin() as tx:
            if DestructionTable(tx).get(request_id) is None:
                DestructionTable(tx).add(
                    Destruction(
                        request_id=request_id,
                        key_id=key.id,
                        store=key.store,
                        requester=request.requester,
                        approved_by=approved_by,
                        began_at=self._clock(),
                    )
                )
        self._agreed(request_id)

    def destroy(self, request_id: str) -> None:
        """Make the private key unrecoverable in its store."""
        key_id = self._agreed(request_id).key_id
        if self._keys.get(key_id).state is not KeyState.DESTROYED:
            self._keys.destroy(key_id, actor=request_id, reason="approved destruction")

    def prove(self, request_id: str) -> None:
        """Ask the store for what was destroyed, and record what it says."""
        self._destructions.prove(self._agreed(request_id))

    def finish(self, request_id: str, failure: str = "") -> None:
        kept, _ = self._dual_control.history(request_id)
        done = BACKUPS if kept.request.act is KeyAct.DESTROY else ""
        with suppress(DualControlError):  # it never started: its own state says why
            self._dual_control.finish(
                request_id, Outcome.FAILED if failure else Outcome.DONE, detail=failure or done
            )

    # --- inside --------------------------------------------------------------------------------------

    def _agreed(self, request_id: str) -> Destruction:
        """What the step before noted, held against what custodians signed."""
        request = self._dual_control.resume(request_id, KeyAct.DESTROY)
        return self._destructions.noted(request_id, request.parameters["key"])

    def _require_possible(self, act: KeyAct, key: KeyRecord) -> None:
        target = {
            KeyAct.RETIRE: KeyState.DEACTIVATED,
            KeyAct.REINSTATE: KeyState.ACTIVE,
            KeyAct.DESTROY: KeyState.DESTROYED,
        }[act]
        wrong_start = act is KeyAct.REINSTATE and key.state is not KeyState.SUSPENDED
        if wrong_start or not may_move(key.state, target):
            raise (
                DestructionRefused(
                    f"{key.id} is {key.state}: it cannot be made {target}. "
                    "`absah keys rotate` and `absah keys retire` come before destroying."
                )
                if act is KeyAct.DESTROY
                else RotationError(f"{key.id} is {key.state}: it cannot be made {target}.")
            )
        if act is not KeyAct.DESTROY:
            return
        if (until := self._needed_until(key)) is not None and until > self._clock():
            raise DestructionRefused(f"{key.id} is needed until {until:%Y-%m-%d %H:%M} UTC: ask again then.")

    def _needed_until(self, key: KeyRecord) -> datetime | None:
        """Tokens that a retired key signed are honoured for a while; a CA owes lists about what it issued."""
        if key.purpose is KeyPurpose.TOKEN:
            return key.since + self._tokens.keep
        if key.purpose in {KeyPurpose.ISSUING_CA, KeyPurpose.ROOT_CA}:
            profile = ProfileName.ROOT if key.purpose is KeyPurpose.ROOT_CA else ProfileName.ISSUING
            with self._read() as tx:
                authority = Certificates(tx).of_key(key.id, profile)
            return None if authority is None else self._hierarchy.owed_until(authority.name)
        return None
