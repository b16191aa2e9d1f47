"""The metadata of every table of identity, and the two tables that most others refer to.

The SQL over them is in :mod:`identity.agencies.tables`; each part of identity keeps its own beside it.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

agencies = Table(
    "agencies",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(120), nullable=False),
    Column("certified_name", String(64), nullable=False),
    Column("organization_identifier", String(80), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

clients = Table(
    "clients",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("agency_id", String(40), ForeignKey("agencies.id", name="fk_clients_agency_id"), nullable=False),
    Column("name", String(80), nullable=False),
    Column("secret_hash", LargeBinary(32)),  # of clients without keys, in development
    Column("scopes", Text, nullable=False),  # separated by spaces, sorted, as in RFC 6749, 3.3
    Column("is_sandbox", Boolean, nullable=False),
    Column("binding", String(8), nullable=False, server_default="bearer"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("disabled_at", DateTime(timezone=True)),
    Index("ix_clients_agency_id", "agency_id"),
)
