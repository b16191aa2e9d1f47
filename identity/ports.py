"""What identity needs from the outside. It imports no other slice; ``app.wiring`` fills these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from sqlalchemy import Connection

Clock = Callable[[], datetime]
"""Returns the current time, aware, in UTC."""

Begin = Callable[[], AbstractContextManager[Connection]]
"""Opens a transaction that commits when its block ends and rolls back when it raises."""


HeldData = Callable[[str], Mapping[str, object]]
"""All that one part holds about a person (by id), as JSON-able values with names that people understand."""

PersonHook = Callable[[Connection, str], None]
"""Something that another part does to what it holds about a person (by id), inside the caller's transaction:
end their sessions, forget them. Doing it to somebody of whom nothing is held is no error."""


SessionsEnded = Callable[[Connection, Sequence[str]], None]
"""Told which sessions (by id, which is ``sid``) end within the caller's transaction, whatever the reason."""


class AuditTrail(Protocol):
    """Append-only record of what happened. Part of the caller's transaction, and its last act."""

    def append(
        self, tx: Connection, *, action: str, actor: str, subject: str, facts: Mapping[str, str] | None = None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """The key that signs new tokens. The private key stays in its custody; only this act crosses the border.

    ``sign`` hashes with SHA-256 and returns a DER ``Ecdsa-Sig-Value`` (ES256) or a PKCS #1 v1.5 signature
    (RS256), as custody does. One key, one ``algorithm``.
    """

    key_id: str
    sign: Callable[[bytes], bytes]
    algorithm: str = "ES256"


class TokenKeys(Protocol):
    """The keys of our own tokens: P-256 for ES256 and RSA of at least 2048 bits for RS256."""

    def signer(self, algorithm: str = "ES256") -> TokenSigner:
        """The key in use now for ``ES256`` or ``RS256``."""
        ...

    def public_keys(self) -> Mapping[str, bytes]:
        """DER SubjectPublicKeyInfo by key id: those published ahead of their use, the ones in use, and all
        whose tokens are still to be honoured.

        Cheap enough to be asked for every request.
        """
        ...


class Vault(Protocol):
    """Encryption of personal data and secrets at rest. Thread-safe.

    ``purpose`` names a data key (``person``, ``totp``, ``mail``); ``context`` is bound to the ciphertext, as
    a rule the id of the row, so that sealed values cannot be swapped between rows.
    """

    def seal(self, purpose: str, plaintext: bytes, *, context: str) -> bytes: ...

    def open(self, purpose: str, sealed: bytes, *, context: str) -> bytes:
        """Values sealed under earlier versions of the data key open for as long as that version is kept."""
        ...

    def fingerprint(self, purpose: str, value: str) -> bytes:
        """32 bytes that are equal for equal values and say nothing to whoever lacks the key."""
        ...


class Outbox(Protocol):
    """Mails to be sent once the caller's transaction commits, and lost by nobody's crash."""

    def queue(
        self, tx: Connection, *, to: str, template: str, language: str, values: Mapping[str, str]
    ) -> None:
        """``template`` names a mail of :mod:`identity.mail`; ``values`` fill it. Sealed at rest."""
        ...


@dataclass(frozen=True, slots=True)
class Contact:
    """Where and how a person is written to. ``email`` is None unless the mailbox was shown to be theirs."""

    email: str | None
    name: str
    language: str

    def __repr__(self) -> str:
        return "Contact(<hidden>)"


class Contacts(Protocol):
    """Where people are reached; what is announced to them is queued in the transaction that changed it."""

    def of(self, tx: Connection, person_id: str) -> Contact | None:
        """None when there is no such person, or the account was erased."""
        ...


@dataclass(frozen=True, slots=True)
class RegistryAnswer:
    """What the population registry says about the facts that it was asked about."""

    known: bool
    name_matches: bool
    birth_date_matches: bool

    @property
    def confirms(self) -> bool:
        return self.known and self.name_matches and self.birth_date_matches


class PopulationRegistry(Protocol):
    """The register of residents. It confirms facts; it hands none out."""

    def confirm(self, *, nik: str, name: str, birth_date: date) -> RegistryAnswer:
        """Raises :class:`identity.errors.RegistryUnavailable`; waits no longer than a few seconds."""
        ...


@dataclass(frozen=True, slots=True)
class IssuedDocument:
    """A document in a person's own list. ``kind`` in Indonesian and English; ``state`` is ``issued``,
    ``superseded`` or ``revoked``; ``path`` is its public page. ``cursor`` leads to what is older.
    """

    id: str
    kind: tuple[str, str]
    title: str
    number: str
    issuer: str
    issued_at: datetime
    valid_until: date | None
    state: str
    path: str
    cursor: int


class IssuedDocuments(Protocol):
    """What agencies issued to people."""

    def to(self, holder: bytes, *, before: int | None = None, most: int) -> Sequence[IssuedDocument]:
        """By the fingerprint of a NIK, newest first, older than the ``cursor`` in ``before``."""
        ...
