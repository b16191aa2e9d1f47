"""Destroying with evidence: what was destroyed at whose wish, and what the store answers afterwards.

Copies of a key on backups are beyond this service's reach; who removed them says so by name, and that is
recorded, too.
"""

from __future__ import annotations

from app.rotation.destruction_tables import Destruction, DestructionTable
from app.rotation.errors import DestructionRefused
from keys.ports import AuditTrail, Begin, Clock
from keys.service import KeyService


class Destructions:
    """What is on record about keys that were destroyed. Safe to share; every method may be repeated."""

    def __init__(
        self, *, begin: Begin, read: Begin, clock: Clock, audit: AuditTrail, keys: KeyService
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._keys = keys

    def all(self) -> list[Destruction]:
        """Newest first."""
        with self._read() as tx:
            return DestructionTable(tx).all()

    def of_key(self, key_id: str) -> Destruction:
        """Raises :class:`DestructionRefused` when the key was never destroyed here."""
        with self._read() as tx:
            found = DestructionTable(tx).of_key(key_id)
        if found is None:
            raise DestructionRefused(f"{key_id} was not destroyed by an approved request.")
        return found

    def noted(self, request_id: str, key_id: str) -> Destruction:
        """What the step before noted, held against the key that was agreed to: a row may have been altered,
        or planted before. Raises :class:`DestructionRefused`."""
        with self._read() as tx:
            found = DestructionTable(tx).get(request_id)
        if found is None:
            raise DestructionRefused(f"Nobody noted the destruction of {key_id} for {request_id}: ask anew.")
        if found.key_id != key_id:
            raise DestructionRefused(
                f"The register of destructions names {found.key_id[:64]!r} for {request_id}, and custodians "
                f"agreed to {key_id}. Find out who changed the database (`absah audit verify`)."
            )
        return found

    def prove(self, noted: Destruction) -> None:
        """Ask the store for what was destroyed, and record what it says. Raises :class:`DestructionRefused`
        or ``KeyUnavailable``."""
        if noted.destroyed_at is not None:
            return
        key = self._keys.get(noted.key_id)
        if self._keys.holds(key.id):
            raise DestructionRefused(
                f"store {key.store!r} still lists {key.id} after destroying it: keep the token, and ask its "
                "maker."
            )
        proof = f"store {key.store!r} was asked for its inventory and holds nothing called {key.id}"
        with self._begin() as tx:
            if DestructionTable(tx).complete(noted.request_id, proof, at=self._clock()):
                self._audit.append(
                    tx,
                    action="key.destruction_proved",
                    actor=noted.request_id,
                    subject=key.id,
                    facts={
                        "request": noted.request_id,
                        "purpose": key.purpose.value,
                        "requester": noted.requester,
                        "approved_by": " ".join(noted.approved_by),
                        "proof": proof,
                    },
                )

    def attest(self, key_id: str, words: str, *, actor: str) -> Destruction:
        """Record that somebody removed the key from the backups, and how. Once."""
        found = self.of_key(key_id)
        with self._begin() as tx:
            if DestructionTable(tx).attest(found.request_id, words, by=actor, at=self._clock()):
                facts = {"request": found.request_id, "words": " ".join(words.split())[:500]}
                self._audit.append(
                    tx, action="key.backups_attested", actor=actor, subject=key_id, facts=facts
                )
        return self.of_key(key_id)
