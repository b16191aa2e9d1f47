"""All SQL of agencies and their systems. Returns model objects, never rows; times are aware UTC here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from identity.agencies.model import Agency, Binding, Client, ClientKey
from identity.tables import agencies, clients, metadata

client_keys = Table(
    "client_keys",
    metadata,
    Column(
        "client_id", String(40), ForeignKey("clients.id", name="fk_client_keys_client_id"), nullable=False
    ),
    Column("key_id", String(128), nullable=False),
    Column("algorithm", String(16), nullable=False),
    Column("jwk", Text, nullable=False),
    Column("added_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True)),
    Index("ix_client_keys_client_id", "client_id", "key_id", unique=True),
)

seen_tokens = Table(
    "seen_tokens",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),  # of who signed it and its jti
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("ix_seen_tokens_expires_at", "expires_at"),
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


# Composed once: composing takes as long as running it.
_WITH_AGENCY: Final = (
    select(clients, *(column.label(f"agency__{column.name}") for column in agencies.columns))
    .join(agencies, agencies.c.id == clients.c.agency_id)
    .where(clients.c.id == bindparam("wanted"))
)


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
                binding=client.binding.value,
                created_at=client.created_at,
                disabled_at=client.disabled_at,
            )
        )

    def get(self, client_id: str, *, hold: bool = False) -> Client | None:
        """``hold`` keeps it as it is until the transaction ends; on SQLite a write transaction is alone."""
        query = select(clients).where(clients.c.id == client_id)
        row = self._tx.execute(query.with_for_update() if hold else query).one_or_none()
        return _client(row) if row else None

    def with_keys(self, client_id: str, at: datetime) -> tuple[Client, list[ClientKey]] | None:
        """A client and its keys that authenticate at ``at``, in one query: asked for every token."""
        prefixed = [column.label(f"key__{column.name}") for column in client_keys.columns]
        good = and_(
            client_keys.c.client_id == clients.c.id,
            or_(client_keys.c.ends_at.is_(None), client_keys.c.ends_at > at),
        )
        query = select(clients, *prefixed).outerjoin(client_keys, good).where(clients.c.id == client_id)
        rows = self._tx.execute(query).all()
        if not rows:
            return None
        return _client(rows[0]), [_key(row, "key__") for row in rows if row.key__key_id is not None]

    def with_agency(self, client_id: str) -> tuple[Client, Agency] | None:
        """A client and its agency in one query: asked for every request that carries a token."""
        row = self._tx.execute(_WITH_AGENCY, {"wanted": client_id}).one_or_none()
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

    def set_scopes(self, client_id: str, scopes: frozenset[str]) -> None:
        self._tx.execute(
            update(clients).where(clients.c.id == client_id).values(scopes=" ".join(sorted(scopes)))
        )

    def drop_secret(self, client_id: str, binding: Binding) -> None:
        """From now on its keys authenticate the client, and its tokens are bound."""
        self._tx.execute(
            update(clients).where(clients.c.id == client_id).values(secret_hash=None, binding=binding.value)
        )

    def disable(self, client_id: str, at: datetime) -> bool:
        """False when there is no such client or it was disabled before."""
        result = self._tx.execute(
            update(clients)
            .where(clients.c.id == client_id, clients.c.disabled_at.is_(None))
            .values(disabled_at=at)
        )
        return result.rowcount == 1


class ClientKeyTable:
    """The keys of clients within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, keys: Iterable[ClientKey]) -> None:
        """Raises ``sqlalchemy.exc.IntegrityError`` when the client has or had a key of this id."""
        rows = [
            {
                "client_id": key.client_id,
                "key_id": key.key_id,
                "algorithm": key.algorithm,
                "jwk": key.jwk,
                "added_at": key.added_at,
                "ends_at": key.ends_at,
            }
            for key in keys
        ]
        if rows:
            self._tx.execute(insert(client_keys), rows)

    def of(self, client_id: str) -> list[ClientKey]:
        """All that ever were, oldest first."""
        query = (
            select(client_keys)
            .where(client_keys.c.client_id == client_id)
            .order_by(client_keys.c.added_at, client_keys.c.key_id)
        )
        return [_key(row) for row in self._tx.execute(query)]

    def good(self, client_id: str, at: datetime) -> list[ClientKey]:
        """Those that authenticate at ``at``."""
        query = select(client_keys).where(
            client_keys.c.client_id == client_id,
            or_(client_keys.c.ends_at.is_(None), client_keys.c.ends_at > at),
        )
        return [_key(row) for row in self._tx.execute(query)]

    def end(self, client_id: str, key_id: str, at: datetime) -> bool:
        """Let a key end at ``at``, if it would not end by then anyway; False when nothing changed."""
        result = self._tx.execute(
            update(client_keys)
            .where(
                client_keys.c.client_id == client_id,
                client_keys.c.key_id == key_id,
                or_(client_keys.c.ends_at.is_(None), client_keys.c.ends_at > at),
            )
            .values(ends_at=at)
        )
        return result.rowcount == 1

    def resume(self, client_id: str, key_id: str) -> None:
        """Take back an end that has not come yet."""
        self._tx.execute(
            update(client_keys)
            .where(client_keys.c.client_id == client_id, client_keys.c.key_id == key_id)
            .values(ends_at=None)
        )


class SeenTokenTable:
    """What may be presented once: client assertions and DPoP proofs, within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def remember(self, digest: bytes, expires_at: datetime) -> bool:
        """False when it was seen before: of any number at the same time exactly one is told True."""
        dialect = postgresql if self._tx.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(seen_tokens).values(digest=digest, expires_at=expires_at)
        added = statement.on_conflict_do_nothing().returning(seen_tokens.c.digest)
        return self._tx.execute(added).first() is not None

    def purge(self, before: datetime) -> int:
        """Forget what is refused for its age anyway; returns how many."""
        return self._tx.execute(delete(seen_tokens).where(seen_tokens.c.expires_at < before)).rowcount


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
        secret_hash=None if row.secret_hash is None else bytes(row.secret_hash),
        scopes=frozenset(row.scopes.split()),
        is_sandbox=row.is_sandbox,
        binding=Binding(row.binding),
        created_at=_aware(row.created_at),
        disabled_at=None if row.disabled_at is None else _aware(row.disabled_at),
    )


def _key(row: Row[Any], prefix: str = "") -> ClientKey:
    values = row._mapping
    ends_at = values[f"{prefix}ends_at"]
    return ClientKey(
        client_id=values[f"{prefix}client_id"],
        key_id=values[f"{prefix}key_id"],
        algorithm=values[f"{prefix}algorithm"],
        jwk=values[f"{prefix}jwk"],
        added_at=_aware(values[f"{prefix}added_at"]),
        ends_at=None if ends_at is None else _aware(ends_at),
    )


def _aware(value: datetime) -> datetime:
    """SQLite hands back naive times; what was stored is UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
