"""Documents as facts: what was issued by whom to whom, and in which state it is.

Imported by the keyless public process: this module and :mod:`signing.tables` must never reach ``keys``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from ca.doubts import SealStanding
from signing.errors import PersonalDataInPublicField, RequestRefused, StateForbids
from signing.ids import is_document_id
from signing.types import document_type

SOURCES: Final = "pending/"
"""Folder of the PDFs that wait to be sealed."""


SEALED_ANEW_BY: Final = "service:reseal"
"""The client that documents are sealed anew by; its idempotency key is the id of the document that was lost.
No client of an agency can be called so."""


def document_id_of_source(key: str) -> str:
    """The inverse of :attr:`Document.source_key`."""
    return key.removeprefix(SOURCES).removesuffix(".pdf")


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


class StateReason(StrEnum):
    """Why a document left force. A closed list: the reason is public, and free text is not safe there."""

    ISSUED_IN_ERROR = "issued_in_error"
    DATA_CHANGED = "data_changed"
    FRAUD = "fraud"
    HOLDER_REQUEST = "holder_request"
    COURT_DECISION = "court_decision"
    NO_LONGER_VALID = "no_longer_valid"
    REPLACED = "replaced"
    SEALED_ANEW = "sealed_anew"  # the same content under another key, because the first one was lost


@dataclass(frozen=True, slots=True)
class Holder:
    """To whom a document was issued.

    A person's name is masked before it is stored: the agency keeps its own register, and what the service
    does not hold it cannot leak. ``fingerprint`` is a keyed one of the person's NIK, where the agency told
    it: by it, and by nothing else, a proofed person finds what was issued to them. It is part of no answer,
    receipt or log.
    """

    name: str
    kind: HolderKind = HolderKind.PERSON
    fingerprint: bytes | None = field(default=None, repr=False)

    def masked(self) -> Holder:
        """``Siti Aminah`` becomes ``S*** A***``: enough to compare with paper, too little to look up.

        The number of stars is fixed so that the length is not told. Organisations are public as they are.
        """
        if self.kind is HolderKind.ORGANISATION:
            return self
        return replace(self, name=" ".join(f"{word[0]}***" for word in self.name.split()))


@dataclass(frozen=True, slots=True)
class StampPlace:
    """Where the caller wants the stamp: PDF points in the page as it is shown (rotation applied).

    The origin is the lower left corner of the visible page (crop box). ``page`` counts from 1, -1 is the
    last. ``width`` in points, or None for the stamp's natural width.
    """

    page: int
    x: float
    y: float
    width: float | None = None


_LIMITS = {"number": 80, "title": 160, "signatory": 120, "holder.name": 120}
_MOST_NAME_WORDS = 24
"""Masking turns every word into four characters and a space: more of them than a QR code should carry."""
_MOST_AHEAD = timedelta(days=366)
_MOST_PAGES, _MOST_POINTS = 1_000_000, 100_000.0
_SIXTEEN_DIGITS = re.compile(r"(?<!\d)\d(?:[ .\-]?\d){15}(?!\d)")


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """What the agency states about the document that it wants sealed. All of it but ``place`` is public.

    ``type`` is a code of :mod:`signing.types`; ``signatory`` is the office that signs, as printed.
    """

    type: str
    number: str
    title: str
    signatory: str
    issued_on: date
    valid_until: date | None = None
    holder: Holder | None = None
    place: StampPlace | None = None
    supersedes: str | None = None

    def check(self, today: date) -> None:
        """Hold the facts against the rules; raises :class:`signing.errors.RequestRefused`.

        ``today`` in UTC. An issue date may lie ahead (a decree that takes effect later), by a year at most.
        """
        document_type(self.type)
        texts = {"number": self.number, "title": self.title, "signatory": self.signatory}
        if self.holder is not None:
            texts["holder.name"] = self.holder.name
            if len(self.holder.name.split()) > _MOST_NAME_WORDS:
                raise RequestRefused("holder.name", f"has more than {_MOST_NAME_WORDS} words")
            if self.holder.fingerprint is not None and self.holder.kind is not HolderKind.PERSON:
                raise RequestRefused("holder.nik", "belongs to a person, and the holder is an organisation")
        for name, text in texts.items():
            _check_text(name, text)
        if self.issued_on.year < 1970:
            raise RequestRefused("issued_on", "lies before 1970")
        if self.issued_on > today + _MOST_AHEAD:
            raise RequestRefused("issued_on", "lies more than a year ahead")
        if self.valid_until is not None and self.valid_until < self.issued_on:
            raise RequestRefused("valid_until", "lies before issued_on")
        if self.place is not None:
            _check_place(self.place)
        if self.supersedes is not None and not is_document_id(self.supersedes):
            raise RequestRefused("supersedes", "is not a document id")

    def minimised(self) -> DocumentFacts:
        """The facts as they are stored and printed: the holder masked."""
        return self if self.holder is None else replace(self, holder=self.holder.masked())


@dataclass(frozen=True, slots=True)
class SealedBy:
    """What a seal stands on, by SHA-256: the seal's certificate, and that of the time-stamping unit which
    stated ``stamped_at`` (aware UTC).
    """

    certificate: bytes
    unit: bytes
    stamped_at: datetime


@dataclass(frozen=True, slots=True)
class SealRecord:
    """Of a released document what decides whether its seal can still be believed, and who is to be told.

    ``cursor`` is its status index. ``archived`` are times at which it was stamped again, with the SHA-256 of
    the certificate of the unit that says so.
    """

    cursor: int
    id: str
    agency_id: str
    type: str
    number: str
    state: DocumentState
    is_sample: bool
    valid_until: date | None
    issued_at: datetime
    sealed_digest: bytes
    sealed_by: SealedBy
    superseded_by: str | None
    holder: bytes | None = field(repr=False)
    archived: tuple[tuple[datetime, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """One issued thing with an id, an issuer, a type, a number, a validity and a state.

    Times are aware UTC. ``source_digest`` and ``sealed_digest`` are SHA-256 of the PDF before the stamp and
    as released; ``receipt`` is the COSE_Sign1 printed in the QR; ``facts.holder`` is masked. ``refusal`` is
    what the caller was told, ``refusal_kind`` the name of its class; ``attempts`` counts take-overs of the
    job after its first worker was gone. ``authorised_by`` is the id of the person who had it sealed, None for
    an agency's own system.
    """

    id: str
    agency_id: str
    issuer_name: str
    client_id: str
    facts: DocumentFacts
    state: DocumentState
    created_at: datetime
    source_digest: bytes
    source_size: int
    status_index: int
    is_sample: bool = False
    idempotency_key: str | None = None
    request_digest: bytes | None = None
    lease_until: datetime | None = None
    issued_at: datetime | None = None
    sealed_digest: bytes | None = None
    sealed_size: int | None = None
    receipt: bytes | None = None
    state_changed_at: datetime | None = None
    state_reason: StateReason | None = None
    superseded_by: str | None = None
    refusal: str | None = None
    refusal_kind: str | None = None
    attempts: int = 0
    authorised_by: str | None = None
    sealed_by: SealedBy | None = None

    @property
    def source_key(self) -> str:
        """Where the unsealed PDF waits until the outcome is committed."""
        return f"{SOURCES}{self.id}.pdf"

    @property
    def sealed_key(self) -> str:
        """Where the released PDF lies. It names the digest, so that no later attempt can replace it."""
        if self.sealed_digest is None:
            raise StateForbids(f"Document {self.id} is {self.state}: there is no sealed file.")
        return f"{self.sealed_folder}{self.sealed_digest.hex()[:16]}.pdf"

    @property
    def sealed_folder(self) -> str:
        """What every attempt at sealing this document wrote begins with; one of them is released."""
        return f"sealed/{self.id}/"

    def require_issued(self, act: str) -> None:
        """Raise :class:`signing.errors.StateForbids` unless the document is in force."""
        if self.state is not DocumentState.ISSUED:
            raise StateForbids(f"Document {self.id} is {self.state}; only an issued document can be {act}.")


@dataclass(frozen=True, slots=True)
class Release:
    """What anyone may know about a document whose sealed file was released. ``holder`` is masked.

    ``seal`` is what its seal is worth by what has become of the keys in ``sealed_by``, and ``doubted_since``
    from when one of them is not believed; whoever reads the register fills them in.
    """

    id: str
    type: str
    number: str
    title: str
    holder: str | None
    issuer: str
    signatory: str
    issued_on: date
    valid_until: date | None
    state: str
    is_sample: bool
    issued_at: datetime
    state_changed_at: datetime | None
    state_reason: str | None
    superseded_by: str | None
    sealed_digest: bytes
    sealed_by: SealedBy | None = None
    seal: SealStanding = SealStanding.GOOD
    doubted_since: datetime | None = None


def _check_text(field: str, text: str) -> None:
    if not text.strip():
        raise RequestRefused(field, "is empty")
    if len(text) > _LIMITS[field]:
        raise RequestRefused(field, f"has {len(text)} characters, the limit is {_LIMITS[field]}")
    if not text.isprintable():
        raise RequestRefused(field, "holds control characters or line breaks")
    if any(_looks_like_nik(match.group()) for match in _SIXTEEN_DIGITS.finditer(text)):
        raise PersonalDataInPublicField(
            field,
            "holds what looks like a NIK or family card number, and anyone can read this field; "
            "use the number of the document itself",
        )


def check_filter(field: str, text: str) -> None:
    """Hold a text that is searched for against what could have been stored."""
    _check_text(field, text)


def _check_place(place: StampPlace) -> None:
    measures = (place.x, place.y, place.width or 0.0)
    if abs(place.page) > _MOST_PAGES or not all(
        math.isfinite(measure) and abs(measure) <= _MOST_POINTS for measure in measures
    ):
        raise RequestRefused("place", "lies outside every page there can be")


def _looks_like_nik(text: str) -> bool:
    """Region, day of birth (plus 40 for women), month, year, running number: Permendagri 72/2022."""
    digits = re.sub(r"\D", "", text)
    day, month = int(digits[6:8]), int(digits[8:10])
    return digits[0] != "0" and (1 <= day <= 31 or 41 <= day <= 71) and 1 <= month <= 12
