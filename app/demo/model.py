"""A sample agency and a sample document, as `absah demo` hands them to the service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from signing.model import Holder, StampPlace


@dataclass(frozen=True, slots=True)
class SampleAgency:
    """``organization_identifier`` has the form of EN 319 412-1, 5.1.4: scheme, country, identifier."""

    slug: str
    name: str
    organization_identifier: str
    locality: str


@dataclass(frozen=True, slots=True)
class SampleDocument:
    """A PDF as an agency's system would send it, with what the agency states about it."""

    slug: str
    pdf: bytes
    agency: str  # the slug of a SampleAgency
    type: str  # a code of signing.types
    number: str
    title: str
    signatory: str
    issued_on: date
    valid_until: date | None
    holder: Holder | None
    place: StampPlace | None
