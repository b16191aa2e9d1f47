"""The life of a key: made, moved from state to state, destroyed. Every act is in the trail.

The states and the only moves between them are in :mod:`keys.model`; what a key does while it lives is
:mod:`keys.service`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection

from keys.errors import KeyStillNeeded, KeyUnknown, StoreUnknown, TransitionForbidden, WrongPurpose
from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState, may_move
from keys.ports import AuditTrail, Begin, Clock, KeyStore
from keys.tables import DataKeys, KeyRecords

SERVICE = "service"
"""The actor of acts that no person asked for."""

_ALL = frozenset(KeyState)


class KeyLifecycle:
    """Acts on keys. Safe to use from several threads; none may be called inside an open transaction of the
    same database.

    New keys are made in the store that ``store_of`` names for their purpose (default: ``software``); keys
    made before stay where they are.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        stores: Mapping[str, KeyStore],
        clock: Clock,
        audit: AuditTrail,
        store_of: Mapping[KeyPurpose, str],
    ) -> None:
        self._store_for = {purpose: store_of.get(purpose, "software") for purpose in KeyPurpose}
        for purpose, name in self._store_for.items():
            if name not in stores:
                raise StoreUnknown(
                    f"key store {name!r}, for {purpose} keys, is not one of {sorted(stores)}: "
                    "correct ABSAH_KEYS_STORES"
                )
        self._begin = begin
        self._read = read
        self._stores = stores
        self._clock = clock
        self._audit = audit
        self._witness: Callable[[], None] = lambda: None

    def witnessed_by(self, witness: Callable[[], None]) -> None:
        """Call ``witness`` before and after every act on a key, outside its transaction. It raises
        nothing."""
        self._witness = witness

    # --- made ----------------------------------------------------------------------------------------

    def generate(
        self,
        purpose: KeyPurpose,
        algorithm: KeyAlgorithm,
        owner: str = "",
        *,
        actor: str = SERVICE,
        not_after: datetime | None = None,
        key_id: str | None = None,
    ) -> KeyRecord:
        """Create a key in state PRE_ACTIVATION. ``not_after`` ends its cryptoperiod.

        1. The store makes the key pair durable. A crash after this leaves a private key that no record
           names: it can never sign, and a retry simply generates another.
        2. The record and its audit entry are committed together.

        Whoever must be able to repeat the call names the key by ``key_id``. A key of that id on record is the
        answer then, and what a crash left under it in the store is removed before it is made anew.
        """
        store = self._stores[self._store_for[purpose]]
        if key_id is not None:
            known = self._known(key_id, purpose, algorithm, owner)
            if known is not None:
                return known
            store.destroy(self._unrecorded(key_id, purpose, algorithm, owner, store.name))
        key_id = key_id or f"{purpose}-{secrets.token_hex(10)}"
        public_key = store.generate(key_id, algorithm)
        record = KeyRecord(
            id=key_id,
            purpose=purpose,
            algorithm=algorithm,
            owner=owner,
            store=store.name,
            state=KeyState.PRE_ACTIVATION,
            public_key=public_key,
            created_at=self._clock(),
            not_after=not_after,
        )
        with self._acting() as tx:
            KeyRecords(tx).add(record)
            self._audit.append(
                tx,
                action="key.generated",
                actor=actor,
                subject=key_id,
                facts={"purpose": purpose.value, "algorithm": algorithm.value, "owner": owner},
            )
        return record

    def _known(
        self, key_id: str, purpose: KeyPurpose, algorithm: KeyAlgorithm, owner: str
    ) -> KeyRecord | None:
        with self._read() as tx:
            record = KeyRecords(tx).get(key_id)
        if record is not None and (record.purpose, record.algorithm, record.owner) != (
            purpose,
            algorithm,
            owner,
        ):
            raise WrongPurpose(f"key {key_id} is another key already: name the new one otherwise")
        return record

    def _unrecorded(
        self, key_id: str, purpose: KeyPurpose, algorithm: KeyAlgorithm, owner: str, store: str
    ) -> KeyRecord:
        return KeyRecord(
            key_id, purpose, algorithm, owner, store, KeyState.PRE_ACTIVATION, b"", self._clock()
        )

    def limit(self, key_id: str, not_after: datetime, *, actor: str = SERVICE) -> KeyRecord:
        """Let the key's cryptoperiod end at ``not_after``, unless it ends earlier already.

        A period is only ever shortened: what was printed into a certificate must stay true.
        """
        with self._acting() as tx:
            records = KeyRecords(tx)
            if records.limit(key_id, not_after):
                facts = {"not_after": not_after.isoformat()}
                self._audit.append(tx, action="key.limited", actor=actor, subject=key_id, facts=facts)
            record = records.get(key_id)
        if record is None:
            raise _unknown(key_id)
        self._changed(record)
        return record

    # --- from state to state -------------------------------------------------------------------------

    def activate(self, key_id: str, *, actor: str = SERVICE) -> KeyRecord:
        """Let the key sign for the first time. Lifts no suspension, whoever raced to suspend the key."""
        return self._move(
            key_id, KeyState.ACTIVE, "key.activated", actor, origins=_ALL - {KeyState.SUSPENDED}
        )

    def reinstate(
        self, key_id: str, *, suspended_by: datetime | None = None, actor: str = SERVICE
    ) -> KeyRecord:
        """Let a suspended key sign again. With ``suspended_by``, only if it was suspended by then: who agreed
        to lift one suspension knew nothing of a later one.

        Raises :class:`keys.errors.TransitionForbidden`.
        """
        return self._move(
            key_id,
            KeyState.ACTIVE,
            "key.activated",
            actor,
            origins=frozenset({KeyState.SUSPENDED}),
            since_by=suspended_by,
        )

    def suspend(self, key_id: str, *, actor: str = SERVICE, reason: str = "") -> KeyRecord:
        """Stop the key for now; :meth:`reinstate` lifts it."""
        return self._move(key_id, KeyState.SUSPENDED, "key.suspended", actor, reason)

    def deactivate(self, key_id: str, *, actor: str = SERVICE, reason: str = "") -> KeyRecord:
        """Retire the key for good. What it signed stays valid."""
        return self._move(key_id, KeyState.DEACTIVATED, "key.deactivated", actor, reason)

    def mark_compromised(self, key_id: str, *, actor: str = SERVICE, reason: str = "") -> KeyRecord:
        """Record that others may hold the key. Revoking its certificates is the ca slice's job."""
        return self._move(key_id, KeyState.COMPROMISED, "key.compromised", actor, reason)

    def destroy(self, key_id: str, *, actor: str = SERVICE, reason: str = "") -> KeyRecord:
        """Make the private key unrecoverable, then record it.

        In this order because destruction is idempotent: after a crash in between, the record still allows
        the same call, which finishes. The other order could call a living key destroyed.
        """
        record = self._fetch(key_id)
        _require_move(record, KeyState.DESTROYED)
        with self._read() as tx:
            wrapped = DataKeys(tx).wrapped_by(key_id)
        if wrapped:
            raise KeyStillNeeded(
                f"{wrapped} data keys are wrapped by {key_id} and would be lost with it: "
                "rotate the wrapping key and let `absah worker` move them first"
            )
        self._store_of(record).destroy(record)
        return self._move(key_id, KeyState.DESTROYED, "key.destroyed", actor, reason)

    def _move(
        self,
        key_id: str,
        target: KeyState,
        action: str,
        actor: str,
        reason: str = "",
        *,
        origins: frozenset[KeyState] = _ALL,
        since_by: datetime | None = None,
    ) -> KeyRecord:
        with self._acting() as tx:
            records = KeyRecords(tx)
            record = records.get(key_id)
            if record is None:
                raise _unknown(key_id)
            _require_move(record, target, origins)
            if since_by is not None and record.since.replace(microsecond=0) > since_by:
                raise TransitionForbidden(
                    f"key {key_id} became {record.state} on {record.since:%Y-%m-%d %H:%M:%S} UTC, after it "
                    f"was asked to become {target}: ask anew, now that this is known"
                )
            if not records.move(key_id, record.state, target, at=self._clock()):
                raise TransitionForbidden(
                    f"key {key_id} changed its state while this move to {target} was made: look at it again"
                )
            facts = {"from": record.state.value, "reason": reason}
            self._audit.append(tx, action=action, actor=actor, subject=key_id, facts=facts)
            moved = records.get(key_id)
        assert moved is not None
        self._changed(moved)
        return moved

    def _changed(self, record: KeyRecord) -> None:
        """Whoever remembers keys forgets this one here; others notice by their own time."""

    @contextmanager
    def _acting(self) -> Iterator[Connection]:
        """The transaction of an act on a key, between two looks of the witness."""
        self._witness()
        with self._begin() as tx:
            yield tx
        self._witness()

    # --- looking -------------------------------------------------------------------------------------

    def get(self, key_id: str) -> KeyRecord:
        """What is recorded of the key now. Raises :class:`keys.errors.KeyUnknown`."""
        return self._fetch(key_id)

    def list(self) -> list[KeyRecord]:
        """Every key ever generated, oldest first, destroyed ones included."""
        with self._read() as tx:
            return KeyRecords(tx).all()

    def holds(self, key_id: str) -> bool:
        """Whether the store itself says that it has the private key. Raises ``KeyUnavailable``."""
        record = self._fetch(key_id)
        return self._store_of(record).holds(key_id)

    def _fetch(self, key_id: str) -> KeyRecord:
        with self._read() as tx:
            record = KeyRecords(tx).get(key_id)
        if record is None:
            raise _unknown(key_id)
        return record

    def _store_of(self, record: KeyRecord) -> KeyStore:
        store = self._stores.get(record.store)
        if store is None:
            raise StoreUnknown(
                f"key {record.id} lives in store {record.store!r}, which is not configured here: "
                f"this process knows {sorted(self._stores)}"
            )
        return store


def _unknown(key_id: str) -> KeyUnknown:
    return KeyUnknown(f"no key {key_id!r} is known: `absah keys list` shows those that are")


def _require_move(record: KeyRecord, target: KeyState, origins: frozenset[KeyState] = _ALL) -> None:
    if record.state not in origins or not may_move(record.state, target):
        raise TransitionForbidden(f"key {record.id} is {record.state}: it cannot become {target}")
