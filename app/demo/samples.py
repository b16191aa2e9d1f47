"""The sample documents, in the order in which they are shown."""

from __future__ import annotations

from functools import cache

from app.demo.decree import decree
from app.demo.licence import business_licence
from app.demo.model import SampleDocument
from app.demo.offices import SAMPLE_AGENCIES
from app.demo.population import birth_certificate, family_card
from app.demo.tax import tax_receipt
from app.demo.training import training_certificate

__all__ = ["SAMPLE_AGENCIES", "sample_documents"]

_MAKERS = (business_licence, family_card, birth_certificate, tax_receipt, decree, training_certificate)


@cache
def sample_documents() -> tuple[SampleDocument, ...]:
    """Six documents, made anew in about a second; the same bytes every time."""
    return tuple(make() for make in _MAKERS)
