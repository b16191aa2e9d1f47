"""The jobs of custody: generate a key, move it through its states, hand it out to sign."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from threading import Lock

from sqlalchemy import Connection

from keys.errors import (
    KeyExpired,
    KeyNotActive,
    KeyNotUsable,
    KeyStillNeeded,
    KeyUnknown,
    KeyWornOut,
    NoActiveKey,
    StoreUnknown,
    TransitionForbidden,
    WrongPurpose,
)
from keys.handle import KeyHandle
from keys.model import MAY_PROCESS, KeyAlgorithm, KeyPurpose, KeyRecord, KeyState, may_move
from keys.ports import AuditTrail, Begin, Clock, KeyStore, KeyWrapper, UseObserver
from keys.tables import DataKeys, KeyRecords
from keys.usage import KeyUsage

SERVICE = "service"
"""The actor of acts that no person asked for."""

_ALL = frozenset(KeyState)


class KeyService:
    """Custody of every private key. Safe to use from several threads.

    A state change takes effect in every process after at most ``max_staleness`` seconds: so long a record
    may be remembered, which keeps the hot path free of a query per signature. Opened handles are kept for
    the process's life. New keys are made in the store that ``store_of`` names for their purpose (default:
    ``software``); keys made before stay where they are. ``limits`` says how often a key of a purpose may be
    used (:mod:`keys.usage`); :meth:`close` gives back what was reserved of that and not spent. ``read``
    opens transactions that only read (default: ``begin``), for databases on which writers wait for each
    other. Methods that change a key may not be called inside an open transaction of the same database;
    those that use one may, if ``read`` is another way than ``begin``. A first signature, and one in some
    thousands, writes: nobody signs inside a transaction.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin | None = None,
        stores: Mapping[str, KeyStore],
        clock: Clock,
        audit: AuditTrail,
        store_of: Mapping[KeyPurpose, str] | None = None,
        limits: Mapping[KeyPurpose, int] | None = None,
        max_staleness: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store_for = {purpose: (store_of or {}).get(purpose, "software") for purpose in KeyPurpose}
        for purpose, name in self._store_for.items():
            if name not in stores:
                raise StoreUnknown(
                    f"key store {name!r}, for {purpose} keys, is not one of {sorted(stores)}: "
                    "correct ABSAH_KEYS_STORES"
                )
        self._begin = begin
        self._read = read or begin
        self._stores = stores
        self._clock = clock
        self._audit = audit
        self._max_staleness = max_staleness
        self._monotonic = monotonic
        self.usage = KeyUsage(begin=begin, read=read, limits=limits)
        self._observers: tuple[UseObserver, ...] = ()
        self._witness: Callable[[], None] = lambda: None
        self._opening = Lock()
        self._handles: dict[str, KeyHandle] = {}
        self._wrappers: dict[str, KeyWrapper] = {}
        self._records: dict[str, tuple[float, KeyRecord]] = {}
        self._active: dict[tuple[KeyPurpose, str, KeyAlgorithm | None], tuple[float, str]] = {}

    def watch(self, observer: UseObserver) -> None:
        """Tell ``observer`` of every use from now on, and of every one that is refused."""
        self._observers += (observer,)

    def witnessed_by(self, witness: Callable[[], None]) -> None:
        """Call ``witness`` before and after every act on a key, outside its transaction. It raises
        nothing."""
        self._witness = witness

    def close(self) -> None:
        """Give back what was reserved for signatures that this process will not make."""
        self.usage.give_back()

    # --- the life of a key ---------------------------------------------------------------------------

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
        self._records.pop(key_id, None)
        return record

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
        self._records.pop(key_id, None)
        for use in ((record.purpose, record.owner, None), (record.purpose, record.owner, record.algorithm)):
            self._active.pop(use, None)
        if target is KeyState.DESTROYED:
            self._handles.pop(key_id, None)
            self._wrappers.pop(key_id, None)
        return moved

    @contextmanager
    def _acting(self) -> Iterator[Connection]:
        """The transaction of an act on a key, between two looks of the witness."""
        self._witness()
        with self._begin() as tx:
            yield tx
        self._witness()

    # --- the use of a key ----------------------------------------------------------------------------

    def active(
        self, purpose: KeyPurpose, owner: str = "", algorithm: KeyAlgorithm | None = None
    ) -> KeyHandle:
        """The newest active key with this purpose and owner; with ``algorithm``, among those that have it.

        Raises :class:`keys.errors.NoActiveKey`.
        """
        now, use = self._monotonic(), (purpose, owner, algorithm)
        read_at, key_id = self._active.get(use, (float("-inf"), ""))
        if now - read_at >= self._max_staleness:
            record = self.newest(purpose, owner, algorithm)
            key_id = record.id
            self._active[use] = (now, key_id)
            self._records[key_id] = (now, record)
        return self.handle(key_id, purpose=purpose)

    def handle(self, key_id: str, *, purpose: KeyPurpose | None = None, anew: bool = False) -> KeyHandle:
        """The key with this id, opened. With ``purpose``, refuses a key that is for another one.

        With ``anew`` its record is asked for though it is remembered; for ``max_staleness`` seconds from now
        signatures then ask nothing.

        Raises :class:`keys.errors.KeyUnknown`, ``WrongPurpose``, ``KeyNotActive``, ``KeyExpired`` or
        ``KeyUnavailable``.
        """
        if anew:
            self._records.pop(key_id, None)
        record = self._usable(key_id)
        if purpose is not None:
            self._require_purpose(record, purpose)
        handle = self._handles.get(key_id)
        if handle is None:
            with self._opening:  # opening may be slow or limited to one session: once per key
                handle = self._handles.get(key_id)
                if handle is None:
                    handle = self._open(record)
                    self._handles[key_id] = handle
        return handle

    def prove_possession(self, key_id: str, request: bytes) -> bytes:
        """Sign a certification request for the key, which need not be active: to prove that it is held is
        the one thing that a key may do before (SP 800-57 part 1, 7.1). ``request`` must hold its public key.

        Raises :class:`keys.errors.KeyNotUsable`, ``KeyUnknown`` or ``KeyUnavailable``.
        """
        record = self._fetch(key_id)
        if record.state not in {KeyState.PRE_ACTIVATION, KeyState.ACTIVE}:
            raise KeyNotUsable(f"key {key_id} is {record.state}: nothing is requested for it any more")
        if not record.public_key or record.public_key not in request:
            raise KeyNotUsable(f"this is no request for key {key_id}: it does not hold its public key")
        self._spend(record)
        return self._store_of(record).open(record).sign(request)

    def rehearse(self, key_id: str, *, actor: str = SERVICE) -> KeyHandle:
        """A key that waits, for the signatures that prove it works: possession and key confirmation are what
        SP 800-57 part 1, 7.1, allows before activation. Whatever is signed must not be released.

        Raises as :meth:`handle`, ``KeyNotActive`` for a key that neither waits nor is active.
        """
        record = self._confirmable(key_id)
        with self._begin() as tx:
            self._audit.append(tx, action="key.rehearsed", actor=actor, subject=key_id)

        def confirm() -> None:
            self.usage.spend(self._confirmable(key_id))

        return KeyHandle(record, self._store_of(record).open(record), confirm)

    def rehearse_wrapping(self, key_id: str, *, actor: str = SERVICE) -> bool:
        """Whether a wrapping key that waits wraps and unwraps: 32 random bytes, there and back."""
        record = self._confirmable(key_id)
        self._require_purpose(record, KeyPurpose.WRAPPING)
        with self._begin() as tx:
            self._audit.append(tx, action="key.rehearsed", actor=actor, subject=key_id)
        self.usage.spend(record)
        wrapper, secret = self._wrapper(record), secrets.token_bytes(32)
        return wrapper.unwrap(wrapper.wrap(secret, b"absah rehearsal"), b"absah rehearsal") == secret

    def _confirmable(self, key_id: str) -> KeyRecord:
        record = self._fetch(key_id)
        if record.state not in {KeyState.PRE_ACTIVATION, KeyState.ACTIVE}:
            raise KeyNotActive(f"key {key_id} is {record.state}: there is nothing to confirm about it")
        self._require_current(record)
        return record

    def holds(self, key_id: str) -> bool:
        """Whether the store itself says that it has the private key. Raises ``KeyUnavailable``."""
        record = self._fetch(key_id)
        return self._store_of(record).holds(key_id)

    def open_once(self, key_id: str) -> None:
        """Have the store open the private key, whatever its state, and close it again: nothing is signed.

        Raises :class:`keys.errors.KeyUnavailable`.
        """
        record = self._fetch(key_id)
        store = self._store_of(record)
        if record.algorithm.signs:
            store.open(record)
        else:
            store.open_wrapper(record)

    def wrap(self, key: bytes, *, associated_data: bytes) -> tuple[str, bytes]:
        """Encrypt ``key`` under the newest active wrapping key: that key's id, and the wrapped bytes.

        Raises :class:`keys.errors.NoActiveKey`, ``KeyExpired`` or ``KeyWornOut``.
        """
        wrapping_key = self.newest(KeyPurpose.WRAPPING)
        self._require_current(wrapping_key)
        self._spend(wrapping_key)
        return wrapping_key.id, self._wrapper(wrapping_key).wrap(key, associated_data)

    def unwrap(self, key_id: str, wrapped: bytes, *, associated_data: bytes) -> bytes:
        """What :meth:`wrap` was given. A retired wrapping key goes on unwrapping until it is destroyed.

        Raises :class:`keys.errors.KeyUnknown`, ``WrongPurpose``, ``KeyNotUsable`` or ``KeyUnavailable``.
        """
        record = self._fetch(key_id)
        self._require_purpose(record, KeyPurpose.WRAPPING)
        if record.state not in MAY_PROCESS:
            self._tell_refused(record, record.state.value)
            raise KeyNotUsable(f"key {key_id} is {record.state}: it unwraps nothing")
        self.usage.note_unwrap(key_id)
        return self._wrapper(record).unwrap(wrapped, associated_data)

    def _wrapper(self, record: KeyRecord) -> KeyWrapper:
        with self._opening:
            wrapper = self._wrappers.get(record.id)
            if wrapper is None:
                wrapper = self._wrappers[record.id] = self._store_of(record).open_wrapper(record)
        return wrapper

    def newest(
        self, purpose: KeyPurpose, owner: str = "", algorithm: KeyAlgorithm | None = None
    ) -> KeyRecord:
        """What is recorded of the key that is in use now, asked anew. Raises :class:`NoActiveKey`."""
        with self._read() as tx:
            record = KeyRecords(tx).newest(purpose, owner, KeyState.ACTIVE, algorithm)
        if record is None:
            wanted = " ".join(word for word in (algorithm, purpose) if word)
            raise NoActiveKey(
                f"no active {wanted} key{f' of {owner!r}' if owner else ''}: generate and activate one"
            )
        return record

    def in_use(self, purpose: KeyPurpose, owner: str = "") -> tuple[KeyRecord, ...]:
        """Every active key of this use, the newest first; asked anew. More than one while a rotation runs."""
        with self._read() as tx:
            return tuple(KeyRecords(tx).in_state(purpose, owner, KeyState.ACTIVE))

    def get(self, key_id: str) -> KeyRecord:
        """What is recorded of the key now. Raises :class:`keys.errors.KeyUnknown`."""
        return self._fetch(key_id)

    def list(self) -> list[KeyRecord]:
        """Every key ever generated, oldest first, destroyed ones included."""
        with self._read() as tx:
            return KeyRecords(tx).all()

    def _open(self, record: KeyRecord) -> KeyHandle:
        return KeyHandle(record, self._store_of(record).open(record), partial(self._use, record.id))

    def _use(self, key_id: str) -> None:
        """Once before every signature."""
        self._spend(self._usable(key_id))

    def _usable(self, key_id: str) -> KeyRecord:
        now = self._monotonic()
        read_at, record = self._records.get(key_id, (float("-inf"), None))
        if record is None or now - read_at >= self._max_staleness:
            record = self._fetch(key_id)
            self._records[key_id] = (now, record)
        if record.state is not KeyState.ACTIVE:
            self._tell_refused(record, record.state.value)
            raise KeyNotActive(f"key {key_id} is {record.state} and does not sign: only active keys do")
        self._require_current(record)
        return record

    def _require_current(self, record: KeyRecord) -> None:
        if record.not_after is not None and self._clock() > record.not_after:
            self._tell_refused(record, "expired")
            raise KeyExpired(
                f"key {record.id} reached the end of its cryptoperiod on {record.not_after:%Y-%m-%d}: "
                f"rotate it (`absah keys rotate {record.purpose}`)"
            )

    def _require_purpose(self, record: KeyRecord, purpose: KeyPurpose) -> None:
        if record.purpose is not purpose:
            self._tell_refused(record, "purpose")
            raise WrongPurpose(
                f"key {record.id} is for {record.purpose}, not for {purpose}: one key, one purpose"
            )

    def _spend(self, record: KeyRecord) -> None:
        try:
            self.usage.spend(record)
        except KeyWornOut:
            self._tell_refused(record, "limit")
            raise
        for observer in self._observers:
            observer.used(record)

    def _tell_refused(self, record: KeyRecord, reason: str) -> None:
        for observer in self._observers:
            observer.refused(record, reason)

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
