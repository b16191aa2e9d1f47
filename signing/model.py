"""Documents as facts: what was issued by whom to whom, and in which state it is.

Imported by the keyless public process: this module and :mod:`signing.tables` must never reach ``keys``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class DocumentState(StrEnum):
    """Stored states. ``expired`` is not one of them: it follows from ``valid_until`` and the clock."""

    PENDING = "pending"  # the intent is committed, no outcome yet
    ISSUED = "issued"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"
    REFUSED = "refused"  # the outcome of a job that could not be done; ``refusal`` names the cause


class HolderKind(StrEnum):
    PERSON = "person"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True)
class Holder:
    """To whom a document was issued. A person's name leaves the service only masked."""

    name: str
    kind: HolderKind = HolderKind.PERSON


@dataclass(frozen=True, slots=True)
class StampPlace:
    """Where the caller wants the stamp: PDF points in the page as it is shown (rotation applied),
    origin at the lower left corner of the visible page (crop box); ``page`` counts from 1, -1 is the last.
    ``width`` in points or None for the stamp's natural width.
    """

    page: int
    x: float
    y: float
    width: float | None = None


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """What the agency states about the document that it wants sealed."""

    type: str  # a code of signing.types
    number: str
    title: str
    signatory: str  # the office that signs, as printed: "Kepala Dinas Penanaman Modal"
    issued_on: date
    valid_until: date | None = None
    holder: Holder | None = None
    place: StampPlace | None = None
    supersedes: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One issued thing with an id, an issuer, a type, a number, a validity and a state. Times are aware UTC."""

    id: str
    agency_id: str
    issuer_name: str
    client_id: str
    facts: DocumentFacts
    state: DocumentState
    created_at: datetime
    source_digest: bytes  # SHA-256 of the PDF as it was before the stamp
    source_size: int
    status_index: int
    is_sample: bool = False
    idempotency_key: str | None = None
    issued_at: datetime | None = None
    sealed_digest: bytes | None = None  # SHA-256 of the sealed PDF
    sealed_size: int | None = None
    receipt: bytes | None = None  # the COSE_Sign1 that is printed in the QR
    state_changed_at: datetime | None = None
    state_reason: str | None = None
    superseded_by: str | None = None
    refusal: str | None = None
    extra: dict[str, str] = field(default_factory=dict)
