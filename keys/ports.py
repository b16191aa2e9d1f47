"""What custody needs from the outside, and the contract every key store keeps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection

from keys.model import KeyAlgorithm, KeyRecord

if TYPE_CHECKING:
    from keys.approvals import KeyAct, KeyRequest, RequestState
    from keys.custodians import Custodian

Clock = Callable[[], datetime]
"""Returns the current time, aware, in UTC. Injected everywhere; tests freeze it."""

Begin = Callable[[], AbstractContextManager[Connection]]
"""Opens a transaction that commits when its block ends and rolls back when it raises."""


class SigningKey(Protocol):
    """A private key in its store. The only thing it can do is sign."""

    def sign(self, data: bytes) -> bytes:
        """Sign ``data`` with the key's only scheme (see :class:`keys.model.KeyAlgorithm`).

        Returns a DER ``Ecdsa-Sig-Value`` or a PKCS #1 v1.5 signature. Safe to call from several threads.
        """
        ...


class KeyWrapper(Protocol):
    """A secret key in its store. The only thing it can do is encrypt other keys (SP 800-38F)."""

    def wrap(self, key: bytes, associated_data: bytes) -> bytes:
        """Encrypt and authenticate ``key``, bound to ``associated_data``.

        The result is the store's own: a nonce, where its mode has one, is in it, because some hardware only
        takes nonces that it made itself. Safe to call from several threads.
        """
        ...

    def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        """Raises :class:`keys.errors.KeyUnavailable` for anything but what :meth:`wrap` returned."""
        ...


class KeyStore(Protocol):
    """A place where private keys are generated, kept, used and destroyed: software, or an HSM.

    Guarantees every implementation gives:
    - ``generate`` is durable when it returns: after a crash the key is either whole or absent.
    - the private key never leaves the store; no method returns private bytes.
    - ``open`` may be slow (a login, a decryption); the result is kept by the caller for the process's life.
    - ``destroy`` is idempotent and cannot be undone.
    """

    name: str

    def generate(self, key_id: str, algorithm: KeyAlgorithm) -> bytes:
        """Create the key. Returns the public key as DER SubjectPublicKeyInfo; nothing for a secret key."""
        ...

    def open(self, record: KeyRecord) -> SigningKey:
        """Return a handle that signs. Raises :class:`keys.errors.KeyUnavailable`."""
        ...

    def open_wrapper(self, record: KeyRecord) -> KeyWrapper:
        """The same for a secret key: a handle that wraps. Raises :class:`keys.errors.KeyUnavailable`."""
        ...

    def destroy(self, record: KeyRecord) -> None:
        """Make the private key unrecoverable in this store."""
        ...

    def holds(self, key_id: str) -> bool:
        """Whether anything of this key is in the store's inventory, asked anew.

        Raises :class:`keys.errors.KeyUnavailable`.
        """
        ...


class UseObserver(Protocol):
    """Is told of uses of keys as they happen, in the thread that makes them. Must be quick and raise
    nothing."""

    def used(self, key: KeyRecord) -> None:
        """``key`` is about to sign or wrap, and may."""
        ...

    def refused(self, key: KeyRecord, reason: str) -> None:
        """Somebody wanted to use ``key`` and may not: ``reason`` is its state, or ``expired``, ``purpose``,
        ``limit`` or ``unexplained``."""
        ...


class AuditTrail(Protocol):
    """Append-only record of what happened. Appending is part of the caller's transaction."""

    def append(
        self, tx: Connection, *, action: str, actor: str, subject: str, facts: Mapping[str, str] | None = None
    ) -> None:
        """Record that ``actor`` did ``action`` to ``subject``. ``facts`` hold no personal data."""
        ...


class AuditMemory(AuditTrail, Protocol):
    """A trail that is asked, too: rows of ours that were put back to what they were contradict it."""

    def newest(self, tx: Connection, *, action: str, subject: str) -> Mapping[str, str] | None:
        """The facts of the newest entry that says ``action`` of ``subject``; None when there is none."""
        ...

    def count(self, tx: Connection, *, action: str, subject: str) -> int:
        """How many entries say ``action`` of ``subject``."""
        ...


class KeyActs(Protocol):
    """A trail that remembers what was done to a key."""

    def last_action(self, tx: Connection, *, subject: str, actions: Collection[str]) -> str | None:
        """The newest of ``actions`` that was done to ``subject``; None when none was."""
        ...


@dataclass(frozen=True, slots=True)
class KeyCaller:
    """A person behind a request to ``/v1/keys``; ``decides`` says whether they act as a custodian."""

    person_id: str
    decides: bool


class Ask(Protocol):
    """Asks for an act, once it is known that it can be carried out."""

    def __call__(self, act: KeyAct, parameters: Mapping[str, str], *, requester: str) -> KeyRequest:
        """Raises what :meth:`keys.dual_control.DualControl.request` raises, and what the act's owner does."""
        ...


class RequestNews(Protocol):
    """Tells custodians, and who asked, what concerns them, as part of the caller's transaction."""

    def waits(self, tx: Connection, request: KeyRequest, custodians: Sequence[Custodian]) -> None:
        """A request waits for these custodians."""
        ...

    def decided(
        self, tx: Connection, request: KeyRequest, state: RequestState, custodians: Sequence[Custodian]
    ) -> None:
        """Enough agreed (READY), or too many did not (REJECTED)."""
        ...

    def cancelled(self, tx: Connection, request: KeyRequest, custodians: Sequence[Custodian]) -> None:
        """What was approved and begun was called off: who asked for it has to know, and ``custodians``."""
        ...
