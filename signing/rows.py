"""Rows of documents and facts about them: what is selected, beside how it is read. Key-free.

SQLite keeps no time zone; everything that is stored is UTC, and aware again behind this edge.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ARRAY, JSON, Row, String, any_, bindparam, func, select

from signing.model import (
    Document,
    DocumentFacts,
    DocumentState,
    Holder,
    HolderKind,
    Release,
    SealedBy,
    SealRecord,
    StampPlace,
    StateReason,
)
from signing.schema import documents

# Prepared once: building a statement costs as much as running it, and look-ups are the busiest query.
_column = documents.c
RELEASE = select(
    _column.id,
    _column.type,
    _column.number,
    _column.title,
    _column.holder_name,
    _column.issuer_name,
    _column.signatory,
    _column.issued_on,
    _column.valid_until,
    _column.state,
    _column.is_sample,
    _column.issued_at,
    _column.state_changed_at,
    _column.state_reason,
    _column.superseded_by,
    _column.sealed_digest,
    _column.seal_certificate,
    _column.unit_certificate,
    _column.stamped_at,
).where(
    _column.state.in_(
        [DocumentState.ISSUED.value, DocumentState.SUPERSEDED.value, DocumentState.REVOKED.value]
    )
)
# A list as one parameter: the statement stays the same, and so prepared, however many ids are asked for.
RELEASED_BY_ID = {
    "postgresql": RELEASE.where(_column.id == any_(bindparam("ids", type_=ARRAY(String)))),
    "sqlite": RELEASE.where(
        _column.id.in_(select(func.json_each(bindparam("ids", type_=JSON)).table_valued("value").c.value))
    ),
}
RELEASED_BY_DIGEST = RELEASE.where(_column.sealed_digest == bindparam("digest"))


def values_of(document: Document) -> dict[str, Any]:
    facts = document.facts
    return {
        "id": document.id,
        "agency_id": document.agency_id,
        "client_id": document.client_id,
        "issuer_name": document.issuer_name,
        "type": facts.type,
        "number": facts.number,
        "title": facts.title,
        "signatory": facts.signatory,
        "issued_on": facts.issued_on,
        "valid_until": facts.valid_until,
        "holder_name": facts.holder.name if facts.holder else None,
        "holder_kind": facts.holder.kind if facts.holder else None,
        "holder_fingerprint": facts.holder.fingerprint if facts.holder else None,
        "place": json.dumps(asdict(facts.place)) if facts.place else None,
        "supersedes": facts.supersedes,
        "is_sample": document.is_sample,
        "state": document.state,
        "created_at": document.created_at,
        "source_digest": document.source_digest,
        "source_size": document.source_size,
        "idempotency_key": document.idempotency_key,
        "request_digest": document.request_digest,
        "lease_until": document.lease_until,
        "attempts": document.attempts,
        "authorised_by": document.authorised_by,
    }


SEAL_RECORD = (
    _column.status_index,
    _column.id,
    _column.agency_id,
    _column.type,
    _column.number,
    _column.state,
    _column.is_sample,
    _column.valid_until,
    _column.issued_at,
    _column.sealed_digest,
    _column.seal_certificate,
    _column.unit_certificate,
    _column.stamped_at,
    _column.superseded_by,
    _column.holder_fingerprint,
)


def seal_record_of(row: Any, archived: tuple[tuple[datetime, bytes], ...]) -> SealRecord:
    sealed_by = _sealed_by(row.seal_certificate, row.unit_certificate, row.stamped_at)
    assert sealed_by is not None
    return SealRecord(
        cursor=row.status_index,
        id=row.id,
        agency_id=row.agency_id,
        type=row.type,
        number=row.number,
        state=DocumentState(row.state),
        is_sample=row.is_sample,
        valid_until=row.valid_until,
        issued_at=aware(row.issued_at),
        sealed_digest=bytes(row.sealed_digest),
        sealed_by=sealed_by,
        superseded_by=row.superseded_by,
        holder=row.holder_fingerprint,
        archived=archived,
    )


def document_of(row: Row[Any]) -> Document:
    return Document(
        id=row.id,
        agency_id=row.agency_id,
        issuer_name=row.issuer_name,
        client_id=row.client_id,
        facts=DocumentFacts(
            type=row.type,
            number=row.number,
            title=row.title,
            signatory=row.signatory,
            issued_on=row.issued_on,
            valid_until=row.valid_until,
            holder=_holder(row),
            place=StampPlace(**json.loads(row.place)) if row.place else None,
            supersedes=row.supersedes,
        ),
        state=DocumentState(row.state),
        created_at=aware(row.created_at),
        source_digest=row.source_digest,
        source_size=row.source_size,
        status_index=row.status_index,
        is_sample=row.is_sample,
        idempotency_key=row.idempotency_key,
        request_digest=row.request_digest,
        lease_until=_aware_or_none(row.lease_until),
        issued_at=_aware_or_none(row.issued_at),
        sealed_digest=row.sealed_digest,
        sealed_size=row.sealed_size,
        receipt=row.receipt,
        state_changed_at=_aware_or_none(row.state_changed_at),
        state_reason=StateReason(row.state_reason) if row.state_reason else None,
        superseded_by=row.superseded_by,
        refusal=row.refusal,
        refusal_kind=row.refusal_kind,
        attempts=row.attempts,
        authorised_by=row.authorised_by,
        sealed_by=_sealed_by(row.seal_certificate, row.unit_certificate, row.stamped_at),
    )


def _sealed_by(certificate: bytes | None, unit: bytes | None, stamped_at: datetime | None) -> SealedBy | None:
    if certificate is None or unit is None or stamped_at is None:
        return None
    return SealedBy(bytes(certificate), bytes(unit), aware(stamped_at))


def _holder(row: Row[Any]) -> Holder | None:
    if not row.holder_name:
        return None
    return Holder(row.holder_name, HolderKind(row.holder_kind), row.holder_fingerprint)


def release_of(row: Sequence[Any]) -> Release:
    # By position: looking nineteen columns up by name costs more than the query.
    return Release(
        id=row[0],
        type=row[1],
        number=row[2],
        title=row[3],
        holder=row[4],
        issuer=row[5],
        signatory=row[6],
        issued_on=row[7],
        valid_until=row[8],
        state=row[9],
        is_sample=row[10],
        issued_at=aware(row[11]),
        state_changed_at=_aware_or_none(row[12]),
        state_reason=row[13],
        superseded_by=row[14],
        sealed_digest=row[15],
        sealed_by=_sealed_by(row[16], row[17], row[18]),
    )


def aware(value: datetime) -> datetime:
    """SQLite keeps no time zone; everything that is stored is UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _aware_or_none(value: datetime | None) -> datetime | None:
    return None if value is None else aware(value)
