"""The jobs of custody: keys are made and moved (:mod:`keys.lifecycle`), and let to sign and to wrap."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock

from keys.errors import (
    KeyExpired,
    KeyNotActive,
    KeyNotUsable,
    KeyStateUnexplained,
    KeyWornOut,
    NoActiveKey,
    WrongPurpose,
)
from keys.handle import KeyHandle
from keys.history import History
from keys.lifecycle import SERVICE, KeyLifecycle
from keys.model import MAY_PROCESS, KeyAlgorithm, KeyPurpose, KeyRecord, KeyState
from keys.ports import AuditTrail, Begin, Clock, KeyActs, KeyStore, KeyWrapper, UseObserver
from keys.possession import require_request
from keys.tables import KeyRecords
from keys.usage import KeyUsage


class KeyService(KeyLifecycle):
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
        super().__init__(
            begin=begin,
            read=read or begin,
            stores=stores,
            clock=clock,
            audit=audit,
            store_of=store_of or {},
        )
        self._max_staleness = max_staleness
        self._monotonic = monotonic
        self.usage = KeyUsage(begin=begin, read=read, limits=limits)
        self._observers: tuple[UseObserver, ...] = ()
        self._history: History | None = None
        self._opening = Lock()
        self._handles: dict[str, KeyHandle] = {}
        self._wrappers: dict[str, KeyWrapper] = {}
        self._records: dict[str, tuple[float, KeyRecord]] = {}
        self._active: dict[tuple[KeyPurpose, str, KeyAlgorithm | None], tuple[float, str]] = {}

    def watch(self, observer: UseObserver) -> None:
        """Tell ``observer`` of every use from now on, and of every one that is refused."""
        self._observers += (observer,)

    def held_against(self, acts: KeyActs) -> None:
        """Use no key from now on whose state the trail does not tell of (:mod:`keys.history`)."""
        self._history = History(read=self._read, acts=acts, monotonic=self._monotonic)

    def unexplained(self) -> list[tuple[KeyRecord, str]]:
        """Keys whose state is not what the trail says, each with the newest act on it, or nothing."""
        return [] if self._history is None else self._history.contradictions(self.list())

    def close(self) -> None:
        """Give back what was reserved for signatures that this process will not make."""
        self.usage.give_back()

    def _changed(self, record: KeyRecord) -> None:
        self._records.pop(record.id, None)
        for algorithm in (None, record.algorithm):
            self._active.pop((record.purpose, record.owner, algorithm), None)
        if record.state is KeyState.DESTROYED:
            self._handles.pop(record.id, None)
            self._wrappers.pop(record.id, None)

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
            self._require_explained(record)
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
        the one thing that a key may do before (SP 800-57 part 1, 7.1). ``request`` is the request's
        CertificationRequestInfo, DER, and nothing else is signed (:mod:`keys.possession`).

        Raises :class:`keys.errors.KeyNotUsable`, ``KeyUnknown`` or ``KeyUnavailable``.
        """
        record = self._fetch(key_id)
        if record.state not in {KeyState.PRE_ACTIVATION, KeyState.ACTIVE}:
            raise KeyNotUsable(f"key {key_id} is {record.state}: nothing is requested for it any more")
        require_request(request, record.public_key)
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
        self._require_explained(wrapping_key)
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
            self._require_explained(record)
            self._records[key_id] = (now, record)
        if record.state is not KeyState.ACTIVE:
            self._tell_refused(record, record.state.value)
            raise KeyNotActive(f"key {key_id} is {record.state} and does not sign: only active keys do")
        self._require_current(record)
        return record

    def _require_explained(self, record: KeyRecord) -> None:
        if record.state is not KeyState.ACTIVE or self._history is None or self._history.explains(record):
            return
        self._tell_refused(record, "unexplained")
        raise KeyStateUnexplained(
            f"key {record.id} is active by its row, and the audit trail does not say so: somebody changed "
            "the database. Find out who (`absah doctor`, `absah audit verify`)"
        )

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
