"""What sealing needs from others. ``app.wiring`` fills these from ``ca``, ``keys`` and the storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from keys.model import KeyAlgorithm
from keys.ports import AuditTrail, Begin, Clock
from signing.errors import NotPermitted
from signing.model import Document

__all__ = [
    "AuditTrail",
    "Begin",
    "Caller",
    "Clock",
    "DocumentFiles",
    "Evidence",
    "EvidenceSource",
    "HolderFingerprint",
    "ReadLog",
    "ReceiptSigner",
    "SealingIdentities",
    "SealingIdentity",
    "StoredFile",
    "TimeStamper",
    "TimeStampers",
]


@dataclass(frozen=True, slots=True)
class Caller:
    """The agency system on whose behalf a job runs, as its access token says.

    ``is_sandbox`` clients make samples: documents that never verify as real. ``authorised_by`` is the id of
    the signatory who authorised this very act; None for a system that acts for itself.
    """

    client_id: str
    agency_id: str
    agency_name: str
    scopes: frozenset[str]
    is_sandbox: bool = False
    authorised_by: str | None = None

    def require(self, *scopes: str) -> None:
        """Raise :class:`signing.errors.NotPermitted` unless the caller holds one of ``scopes``."""
        if self.scopes.isdisjoint(scopes):
            raise NotPermitted(
                f"The access token lacks the scope {scopes[0]}. Ask your administrator for it."
            )


@dataclass(frozen=True, slots=True)
class SealingIdentity:
    """An agency's seal: its certificate, the path above it, and the act of signing.

    ``certificate`` and ``chain`` are DER; ``chain`` runs from the issuing CA to the root, root included.
    ``sign`` hashes and signs with the scheme of ``algorithm`` (ECDSA values are DER).
    """

    certificate: bytes
    chain: tuple[bytes, ...]
    algorithm: KeyAlgorithm
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class ReceiptSigner:
    """``key_id`` is the COSE ``kid``: the first 8 bytes of the SHA-256 of the SubjectPublicKeyInfo.

    ``sign`` returns a DER ECDSA value over SHA-256; :mod:`signing.receipt` turns it into COSE's raw form.
    """

    key_id: bytes
    sign: Callable[[bytes], bytes]


class SealingIdentities(Protocol):
    def seal_of(self, agency_id: str) -> SealingIdentity:
        """The agency's active seal. Raises :class:`signing.errors.NoActiveSeal`."""
        ...

    def receipt_signer(self) -> ReceiptSigner: ...


class TimeStamper(Protocol):
    """One time-stamping unit (RFC 3161): its certificate is known before it is asked, because the evidence
    for it stands inside what is sealed."""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER certificates of the unit and the path above it, root included."""
        ...

    def token(self, digest: bytes) -> bytes:
        """TimeStampToken (DER ContentInfo) over a SHA-256 ``digest``, by this unit and no other.

        Raises :class:`ca.errors.TimeNotAvailable`.
        """
        ...


class TimeStampers(Protocol):
    """Whoever can be asked for the time."""

    def units(self) -> Iterator[TimeStamper]:
        """Units in the order in which they are to be tried: the next one when one could not stamp.

        Raises :class:`ca.errors.TimeNotAvailable` when nobody is left, in place of ending without a unit.
        """
        ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """What lets a verdict be reached without us: DER certificates, OCSPResponse, CertificateList."""

    certificates: tuple[bytes, ...] = ()
    ocsp_responses: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()


class EvidenceSource(Protocol):
    def evidence_for(self, *chains: tuple[bytes, ...]) -> Evidence:
        """Fresh revocation evidence for every certificate of the chains but the roots.

        Raises :class:`ca.errors.CertificateNotGood` when one of them is revoked, on hold or out of date.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An object at rest; ``stored_at`` is aware and by the storage's own clock."""

    key: str
    stored_at: datetime


HolderFingerprint = Callable[[str], bytes]
"""The keyed fingerprint of a NIK. Raises :class:`signing.errors.RequestRefused` for what is none."""


class ReadLog(Protocol):
    """Told of every document that is about to be shown to an agency, before it is."""

    def __call__(self, caller: Caller, documents: Sequence[Document], *, file: bool = False) -> None:
        """``file`` when the sealed PDF itself is handed out."""
        ...


class DocumentFiles(Protocol):
    """Documents at rest. Keys are made by :mod:`signing.service`; values never change once released.

    ``put`` is durable when it returns and replaces what a crashed attempt left under the same key.
    """

    def put(self, key: str, content: BinaryIO) -> None: ...

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """A seekable stream of the whole object. Raises ``FileNotFoundError``."""
        ...

    def delete(self, key: str) -> None:
        """Idempotent."""
        ...

    def under(self, folder: str) -> Iterator[StoredFile]:
        """Every object whose key begins with ``folder``, which ends in a slash."""
        ...
