"""All SQL of the identity slice. Returns model objects, never rows; times are aware UTC at this edge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)

from identity.clients import Agency, Client

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
    Column("secret_hash", LargeBinary(32), nullable=False),
    Column("scopes", Text, nullable=False),  # separated by spaces, sorted, as in RFC 6749, 3.3
    Column("is_sandbox", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("disabled_at", DateTime(timezone=True)),
    Index("ix_clients_agency_id", "agency_id"),
)


class AgencyTable:
    """Agencies within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, agency: Agency) -> None:
        """Raises ``sqlalchemy.exc.IntegrityError`` when the id is taken."""
        self._tx.execute(
            insert(agencies).values(
                id=agency.id,
                name=agency.name,
                certified_name=agency.certified_name,
                organization_identifier=agency.organization_identifier,
                created_at=agency.created_at,
            )
        )

    def get(self, agency_id: str) -> Agency | None:
        row = self._tx.execute(select(agencies).where(agencies.c.id == agency_id)).one_or_none()
        return _agency(row) if row else None

    def all(self) -> list[Agency]:
        """By id."""
        return [_agency(row) for row in self._tx.execute(select(agencies).order_by(agencies.c.id))]


class ClientTable:
    """Clients within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, client: Client) -> None:
        self._tx.execute(
            insert(clients).values(
                id=client.id,
                agency_id=client.agency_id,
                name=client.name,
                secret_hash=client.secret_hash,
                scopes=" ".join(sorted(client.scopes)),
                is_sandbox=client.is_sandbox,
                created_at=client.created_at,
                disabled_at=client.disabled_at,
            )
        )

    def get(self, client_id: str) -> Client | None:
        row = self._tx.execute(select(clients).where(clients.c.id == client_id)).one_or_none()
        return _client(row) if row else None

    def with_agency(self, client_id: str) -> tuple[Client, Agency] | None:
        """A client and its agency in one query: asked for every request that carries a token."""
        prefixed = [column.label(f"agency__{column.name}") for column in agencies.columns]
        row = self._tx.execute(
            select(clients, *prefixed)
            .join(agencies, agencies.c.id == clients.c.agency_id)
            .where(clients.c.id == client_id)
        ).one_or_none()
        if row is None:
            return None
        return _client(row), _agency(row, "agency__")

    def of_agency(self, agency_id: str) -> list[Client]:
        """Oldest first."""
        query = (
            select(clients)
            .where(clients.c.agency_id == agency_id)
            .order_by(clients.c.created_at, clients.c.id)
        )
        return [_client(row) for row in self._tx.execute(query)]

    def disable(self, client_id: str, at: datetime) -> bool:
        """False when there is no such client or it was disabled before."""
        result = self._tx.execute(
            update(clients)
            .where(clients.c.id == client_id, clients.c.disabled_at.is_(None))
            .values(disabled_at=at)
        )
        return result.rowcount == 1


def _agency(row: Row[Any], prefix: str = "") -> Agency:
    values = row._mapping
    return Agency(
        id=values[f"{prefix}id"],
        name=values[f"{prefix}name"],
        certified_name=values[f"{prefix}certified_name"],
        organization_identifier=values[f"{prefix}organization_identifier"],
        created_at=_aware(values[f"{prefix}created_at"]),
    )


def _client(row: Row[Any]) -> Client:
    return Client(
        id=row.id,
        agency_id=row.agency_id,
        name=row.name,
        secret_hash=bytes(row.secret_hash),
        scopes=frozenset(row.scopes.split()),
        is_sandbox=row.is_sandbox,
        created_at=_aware(row.created_at),
        disabled_at=None if row.disabled_at is None else _aware(row.disabled_at),
    )


def _aware(value: datetime) -> datetime:
    """SQLite hands back naive times; what was stored is UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
