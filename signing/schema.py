"""The tables of the sealing slice. Key-free, as all who read them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

from signing.model import DocumentState

metadata = MetaData()

PENDING: Final = f"state = '{DocumentState.PENDING.value}'"

documents = Table(
    "documents",
    metadata,
    Column(
        "status_index", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    Column("id", String(16), nullable=False, unique=True),
    Column("agency_id", String(64), nullable=False),
    Column("client_id", String(64), nullable=False),
    Column("issuer_name", String(200), nullable=False),
    Column("type", String(40), nullable=False),
    Column("number", String(80), nullable=False),
    Column("title", String(160), nullable=False),
    Column("signatory", String(120), nullable=False),
    Column("issued_on", Date, nullable=False),
    Column("valid_until", Date),
    Column("holder_name", String(160)),
    Column("holder_kind", String(16)),
    Column("holder_fingerprint", LargeBinary(32)),
    Column("place", String(200)),
    Column("supersedes", String(16)),
    Column("is_sample", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("source_digest", LargeBinary(32), nullable=False),
    Column("source_size", BigInteger, nullable=False),
    Column("idempotency_key", String(128)),
    Column("request_digest", LargeBinary(32)),
    Column("lease_token", String(32)),
    Column("lease_until", DateTime(timezone=True)),
    Column("issued_at", DateTime(timezone=True)),
    Column("sealed_digest", LargeBinary(32)),
    Column("sealed_size", BigInteger),
    Column("receipt", LargeBinary),
    Column("state_changed_at", DateTime(timezone=True)),
    Column("state_reason", String(32)),
    Column("superseded_by", String(16)),
    Column("refusal", String(500)),
    Column("refusal_kind", String(64)),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", DateTime(timezone=True)),
    Column("authorised_by", String(64)),
    Column("seal_certificate", LargeBinary(32)),
    Column("unit_certificate", LargeBinary(32)),
    Column("stamped_at", DateTime(timezone=True)),
    UniqueConstraint("client_id", "idempotency_key", name="uq_documents_client_idempotency_key"),
    Index("ix_documents_sealed_digest", "sealed_digest"),
    Index("ix_documents_agency_id_status_index", "agency_id", "status_index"),
    Index("ix_documents_holder_fingerprint_status_index", "holder_fingerprint", "status_index"),
    Index("ix_documents_seal_certificate_status_index", "seal_certificate", "status_index"),
    Index("ix_documents_unit_certificate_status_index", "unit_certificate", "status_index"),
    # Pending documents only, written out so that a planner sees it. Over all states it would tempt a planner
    # without statistics to find released documents by their state, which is nearly every document.
    Index("ix_documents_pending", "lease_until", sqlite_where=text(PENDING), postgresql_where=text(PENDING)),
)

archive_stamps = Table(
    "archive_stamps",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("token", LargeBinary, nullable=False),
    Column("stamped_at", DateTime(timezone=True), nullable=False),
    Column("unit_certificate", LargeBinary(32), nullable=False),
)
"""Time-stamps over hash trees of sealed files (RFC 4998): one for thousands of documents."""

archived_documents = Table(
    "archived_documents",
    metadata,
    Column("status_index", BigInteger, ForeignKey("documents.status_index"), primary_key=True),
    Column("stamp_id", String(32), ForeignKey("archive_stamps.id"), primary_key=True),
    Column("path", LargeBinary, nullable=False),
    Index("ix_archived_documents_stamp_id_status_index", "stamp_id", "status_index"),
)
