"""Envelope encryption: personal data and secrets at rest, under data keys that custody alone makes usable.

A **data key** belongs to one purpose and has versions: the newest seals, all of them open. At rest it is
wrapped by a key of purpose ``wrapping``, in software or in an HSM; rotating that key re-wraps the data keys
and touches nothing that they sealed. A sealed value is::

    form (1 byte, 0x01) | version (4 bytes, big-endian) | nonce (12) | AES-256-GCM ciphertext and tag

and its associated data are form, purpose, version and context, so that it opens nowhere but where it was put.

Nonces are random: SP 800-38D, 8.3, allows 2^32 of them per key. With data keys rotated yearly
(:meth:`Envelope.rotate_due`) that is 136 seals a second per purpose, day and night.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from keys.errors import (
    DataKeyFixed,
    DataKeyMissing,
    DataKeyUnknown,
    KeyNotUsable,
    KeyUnavailable,
    SealedValueInvalid,
)
from keys.lifecycle import SERVICE
from keys.model import KeyPurpose, WrappedDataKey
from keys.ports import AuditTrail, Begin, Clock
from keys.service import KeyService
from keys.tables import DataKeys

FINGERPRINT: Final = "fingerprint"
"""The data key of fingerprints. It has one version: see :meth:`Envelope.rotate`."""

_FORM: Final = b"\x01"
_VERSION: Final = slice(1, 5)
_NONCE: Final = slice(5, 17)
_SHORTEST: Final = 17 + 16  # header and tag
_KEY_BYTES: Final = 32
_PURPOSE: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")


class Envelope:
    """Seals, opens and fingerprints values. Safe to use from several threads.

    Using a key only reads the database, by ``read``, and seldom: sealing and opening may be done inside an
    open transaction. A new version of a data key is used by every process after at most ``max_staleness``
    seconds.
    """

    def __init__(
        self,
        *,
        keys: KeyService,
        begin: Begin,
        read: Begin | None = None,
        clock: Clock,
        audit: AuditTrail,
        max_staleness: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._begin = begin
        self._read = read or begin
        self._clock = clock
        self._audit = audit
        self._max_staleness = max_staleness
        self._monotonic = monotonic
        self._ciphers: dict[tuple[str, int], AESGCM] = {}
        self._newest: dict[str, tuple[float, int]] = {}
        self._fingerprint_key: bytes | None = None

    # --- the use of data keys ------------------------------------------------------------------------

    def seal(self, purpose: str, plaintext: bytes, *, context: str) -> bytes:
        """Encrypt ``plaintext`` for ``purpose``, bound to ``context``: 33 bytes longer, different each time.

        Raises :class:`keys.errors.DataKeyMissing`.
        """
        version = self._newest_version(purpose)
        header = _FORM + version.to_bytes(4)
        nonce = secrets.token_bytes(12)
        sealed = self._cipher(purpose, version).encrypt(nonce, plaintext, _bound(header, purpose, context))
        return header + nonce + sealed

    def open(self, purpose: str, sealed: bytes, *, context: str) -> bytes:
        """What :meth:`seal` was given for the same purpose and context.

        Raises :class:`keys.errors.SealedValueInvalid` or, for a version that is not here,
        :class:`keys.errors.DataKeyUnknown`.
        """
        if len(sealed) < _SHORTEST or not sealed.startswith(_FORM):
            raise SealedValueInvalid(
                f"a value of purpose {purpose!r} is not in the form of sealed values: it was altered, or "
                "written by a newer release"
            )
        cipher = self._cipher(purpose, int.from_bytes(sealed[_VERSION]))
        header, nonce, ciphertext = sealed[: _NONCE.start], sealed[_NONCE], sealed[_NONCE.stop :]
        try:
            return cipher.decrypt(nonce, ciphertext, _bound(header, purpose, context))
        except InvalidTag as refused:
            raise SealedValueInvalid(
                f"a value of purpose {purpose!r} does not open here: it was altered, or is another row's"
            ) from refused

    def fingerprint(self, purpose: str, value: str) -> bytes:
        """HMAC-SHA-256 of ``value``: 32 bytes by which equal values of one purpose are found again.

        Whoever lacks the key cannot try out values, which for numbers with few digits would be easy.
        Raises :class:`keys.errors.DataKeyMissing`.
        """
        if self._fingerprint_key is None:
            self._fingerprint_key = self._unwrapped(FINGERPRINT, 1)
        message = b"\0".join((b"absah fingerprint v1", _named(purpose).encode(), value.encode()))
        return hmac.digest(self._fingerprint_key, message, "sha256")

    # --- their life ----------------------------------------------------------------------------------

    def ensure(self, purposes: Iterable[str], *, actor: str = SERVICE) -> None:
        """Make the first version of every data key that is missing, that of fingerprints included."""
        with self._read() as tx:
            known = {key.purpose for key in DataKeys(tx).all()}
        for purpose in (FINGERPRINT, *purposes):
            if purpose not in known:
                self._add(purpose, 1, actor)

    def rotate(self, purpose: str, *, actor: str = SERVICE) -> int:
        """Make a new version, which seals from now on; what older versions sealed goes on opening.

        The key of fingerprints is refused (:class:`keys.errors.DataKeyFixed`). A fingerprint is found by
        being equal to another one: under a new key nobody would find the rows that were written before, and
        an address could be registered twice. Replacing it means opening every sealed original and computing
        its fingerprint anew, which is a migration that each owner of rows has to be part of, never a side
        effect. Returns the number of the version; raises :class:`keys.errors.DataKeyMissing`.
        """
        if purpose == FINGERPRINT:
            raise DataKeyFixed(
                "the key of fingerprints is not rotated: everything that is looked up by them would be lost"
            )
        with self._read() as tx:
            newest = DataKeys(tx).newest(purpose)
        if newest is None:
            raise _missing(purpose)
        self._add(purpose, newest.version + 1, actor)
        return newest.version + 1

    def rotate_due(self, max_age: timedelta, *, actor: str = SERVICE) -> int:
        """Rotate every data key whose newest version is older than ``max_age``; how many that were."""
        with self._read() as tx:
            newest = {key.purpose: key for key in DataKeys(tx).all()}
        due = [
            key.purpose
            for key in newest.values()
            if key.purpose != FINGERPRINT and self._clock() - key.created_at > max_age
        ]
        for purpose in due:
            self.rotate(purpose, actor=actor)
        return len(due)

    def rewrap(self, *, actor: str = SERVICE) -> int:
        """Put every data key under the wrapping key in use now; how many were moved.

        1. Unwrapped by the old key and wrapped by the new one outside any transaction: an HSM may be slow.
        2. Key id and wrapped bytes change together, and only if nobody else did it: readers see the old pair
           or the new one, and the old key goes on unwrapping until somebody destroys it.

        Repeatable, and safe in several processes at once; a crash leaves the rest for the next round.
        """
        current = self._keys.newest(KeyPurpose.WRAPPING).id
        with self._read() as tx:
            behind = [key for key in DataKeys(tx).all() if key.wrapping_key != current]
        moved = 0
        for old in behind:
            new = self._wrapped(old.purpose, old.version, self._unwrap(old))
            with self._begin() as tx:
                if DataKeys(tx).rewrap(new, instead_of=old.wrapping_key):
                    moved += 1
                    self._note(tx, "data_key.rewrapped", new, actor)
        return moved

    def list(self) -> list[WrappedDataKey]:
        """Every version of every data key, by purpose and version."""
        with self._read() as tx:
            return DataKeys(tx).all()

    # --- inside --------------------------------------------------------------------------------------

    def _newest_version(self, purpose: str) -> int:
        now = self._monotonic()
        read_at, version = self._newest.get(purpose, (float("-inf"), 0))
        if now - read_at >= self._max_staleness:
            with self._read() as tx:
                newest = DataKeys(tx).newest(purpose)
            if newest is None:
                raise _missing(purpose)
            version = newest.version
            self._newest[purpose] = (now, version)
        return version

    def _cipher(self, purpose: str, version: int) -> AESGCM:
        cipher = self._ciphers.get((purpose, version))
        if cipher is None:  # two threads may both do it: the same key twice does no harm
            cipher = self._ciphers[purpose, version] = AESGCM(self._unwrapped(purpose, version))
        return cipher

    def _unwrapped(self, purpose: str, version: int) -> bytes:
        """The data key itself.

        Read a second time when it does not unwrap: between reading and unwrapping it may have been moved, and
        the old wrapping key destroyed.
        """
        stored = self._stored(purpose, version)
        try:
            return self._unwrap(stored)
        except (KeyUnavailable, KeyNotUsable):
            moved = self._stored(purpose, version)
            if moved.wrapping_key == stored.wrapping_key:
                raise
            return self._unwrap(moved)

    def _stored(self, purpose: str, version: int) -> WrappedDataKey:
        with self._read() as tx:
            register = DataKeys(tx)
            stored = register.get(purpose, version)
            if stored is None and register.newest(purpose) is None:
                raise _missing(purpose)
        if stored is None:
            raise DataKeyUnknown(
                f"version {version} of the data key {purpose!r} is not here: the value was altered, "
                "or the database was restored without it"
            )
        return stored

    def _unwrap(self, key: WrappedDataKey) -> bytes:
        bound = _wrapping_data(key.purpose, key.version)
        return self._keys.unwrap(key.wrapping_key, key.wrapped, associated_data=bound)

    def _wrapped(self, purpose: str, version: int, data_key: bytes) -> WrappedDataKey:
        key_id, wrapped = self._keys.wrap(data_key, associated_data=_wrapping_data(purpose, version))
        return WrappedDataKey(purpose, version, key_id, wrapped, self._clock())

    def _add(self, purpose: str, version: int, actor: str) -> None:
        key = self._wrapped(_named(purpose), version, secrets.token_bytes(_KEY_BYTES))
        try:
            with self._begin() as tx:
                DataKeys(tx).add(key)
                self._note(tx, "data_key.made", key, actor)
        except IntegrityError:  # another process made this version first: its key is as good as ours
            pass
        self._newest.pop(purpose, None)

    def _note(self, tx: Connection, action: str, key: WrappedDataKey, actor: str) -> None:
        self._audit.append(
            tx,
            action=action,
            actor=actor,
            subject=f"{key.purpose}/{key.version}",
            facts={"wrapping_key": key.wrapping_key},
        )


def _bound(header: bytes, purpose: str, context: str) -> bytes:
    """Fixed length, then a word without NUL, then the rest: no two triples spell the same bytes."""
    return b"\0".join((b"absah sealed" + header, purpose.encode(), context.encode()))


def _wrapping_data(purpose: str, version: int) -> bytes:
    return b"\0".join((b"absah data key v1", purpose.encode(), str(version).encode()))


def _named(purpose: str) -> str:
    if not _PURPOSE.fullmatch(purpose):
        raise ValueError(f"{purpose!r} does not name a purpose: lower-case letters, digits and hyphens do")
    return purpose


def _missing(purpose: str) -> DataKeyMissing:
    return DataKeyMissing(f"there is no data key for {purpose!r} yet: run `absah init`, which makes it")
