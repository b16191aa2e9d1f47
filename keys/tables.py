"""All SQL of the keys slice. Returns model objects, never rows; times are aware UTC at this edge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState, WrappedDataKey
from keys.ports import Begin
from keys.stores.software import EncryptedKey

metadata = MetaData()

keys = Table(
    "keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("purpose", String(32), nullable=False),
    Column("algorithm", String(32), nullable=False),
    Column("owner", String(128), nullable=False),
    Column("store", String(32), nullable=False),
    Column("state", String(32), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("not_after", DateTime(timezone=True)),
    Column("state_since", DateTime(timezone=True)),
    Index("keys_by_use", "purpose", "owner", "state", "created_at"),
)

encrypted_keys = Table(
    "encrypted_keys",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("kdf", String(64), nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
)

data_keys = Table(
    "data_keys",
    metadata,
    Column("purpose", String(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("wrapping_key", String(64), ForeignKey("keys.id"), nullable=False, index=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)


def _aware(moment: datetime | None) -> datetime | None:
    # SQLite hands back naive times; what was stored is UTC.
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)


def _record(row: Row[Any]) -> KeyRecord:
    created_at = _aware(row.created_at)
    assert created_at is not None
    return KeyRecord(
        id=row.id,
        purpose=KeyPurpose(row.purpose),
        algorithm=KeyAlgorithm(row.algorithm),
        owner=row.owner,
        store=row.store,
        state=KeyState(row.state),
        public_key=bytes(row.public_key),
        created_at=created_at,
        not_after=_aware(row.not_after),
        state_since=_aware(row.state_since),
    )


class KeyRecords:
    """The register of keys, inside the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, record: KeyRecord) -> None:
        self._connection.execute(
            insert(keys).values(
                id=record.id,
                purpose=record.purpose.value,
                algorithm=record.algorithm.value,
                owner=record.owner,
                store=record.store,
                state=record.state.value,
                public_key=record.public_key,
                created_at=record.created_at,
                not_after=record.not_after,
                state_since=record.state_since,
            )
        )

    def get(self, key_id: str) -> KeyRecord | None:
        row = self._connection.execute(select(keys).where(keys.c.id == key_id)).one_or_none()
        return None if row is None else _record(row)

    def all(self) -> list[KeyRecord]:
        """Every key ever generated, oldest first."""
        query = select(keys).order_by(keys.c.created_at, keys.c.id)
        return [_record(row) for row in self._connection.execute(query)]

    def newest(
        self, purpose: KeyPurpose, owner: str, state: KeyState, algorithm: KeyAlgorithm | None = None
    ) -> KeyRecord | None:
        """The key generated last among those with this use and state."""
        query = (
            select(keys)
            .where(keys.c.purpose == purpose.value, keys.c.owner == owner, keys.c.state == state.value)
            .order_by(keys.c.created_at.desc(), keys.c.id.desc())
            .limit(1)
        )
        if algorithm is not None:
            query = query.where(keys.c.algorithm == algorithm.value)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _record(row)

    def limit(self, key_id: str, not_after: datetime) -> bool:
        """End the cryptoperiod at ``not_after``; False when it ends by then already."""
        changed = self._connection.execute(
            update(keys)
            .where(keys.c.id == key_id, or_(keys.c.not_after.is_(None), keys.c.not_after > not_after))
            .values(not_after=not_after)
        )
        return changed.rowcount == 1

    def in_state(self, purpose: KeyPurpose, owner: str, state: KeyState) -> list[KeyRecord]:
        """Every key with this use and state, the one generated last first."""
        query = (
            select(keys)
            .where(keys.c.purpose == purpose.value, keys.c.owner == owner, keys.c.state == state.value)
            .order_by(keys.c.created_at.desc(), keys.c.id.desc())
        )
        return [_record(row) for row in self._connection.execute(query)]

    def move(self, key_id: str, origin: KeyState, target: KeyState, *, at: datetime) -> bool:
        """Change the state if it still is ``origin``; False when another process was first."""
        moved = self._connection.execute(
            update(keys)
            .where(keys.c.id == key_id, keys.c.state == origin.value)
            .values(state=target.value, state_since=at)
        )
        return moved.rowcount == 1


class DataKeys:
    """Wrapped data keys, inside the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, key: WrappedDataKey) -> None:
        """Raises ``IntegrityError`` when another process made this version first."""
        self._connection.execute(
            insert(data_keys).values(
                purpose=key.purpose,
                version=key.version,
                wrapping_key=key.wrapping_key,
                wrapped=key.wrapped,
                created_at=key.created_at,
            )
        )

    def get(self, purpose: str, version: int) -> WrappedDataKey | None:
        query = select(data_keys).where(data_keys.c.purpose == purpose, data_keys.c.version == version)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _data_key(row)

    def newest(self, purpose: str) -> WrappedDataKey | None:
        query = (
            select(data_keys)
            .where(data_keys.c.purpose == purpose)
            .order_by(data_keys.c.version.desc())
            .limit(1)
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _data_key(row)

    def all(self) -> list[WrappedDataKey]:
        """Every version of every purpose, in that order."""
        query = select(data_keys).order_by(data_keys.c.purpose, data_keys.c.version)
        return [_data_key(row) for row in self._connection.execute(query)]

    def wrapped_by(self, key_id: str) -> int:
        """How many versions only this key can make usable."""
        query = select(func.count()).select_from(data_keys).where(data_keys.c.wrapping_key == key_id)
        return self._connection.execute(query).scalar_one()

    def rewrap(self, key: WrappedDataKey, *, instead_of: str) -> bool:
        """Put the same data key under another wrapping key; False when another process was first."""
        moved = self._connection.execute(
            update(data_keys)
            .where(
                data_keys.c.purpose == key.purpose,
                data_keys.c.version == key.version,
                data_keys.c.wrapping_key == instead_of,
            )
            .values(wrapping_key=key.wrapping_key, wrapped=key.wrapped)
        )
        return moved.rowcount == 1


def _data_key(row: Row[Any]) -> WrappedDataKey:
    created_at = _aware(row.created_at)
    assert created_at is not None
    return WrappedDataKey(row.purpose, row.version, row.wrapping_key, bytes(row.wrapped), created_at)


class EncryptedKeyTable:
    """:class:`keys.stores.software.EncryptedKeys` in the database. Every call is a transaction of its own.

    Writing calls must not be made inside an open transaction on SQLite, where a second writer waits for the
    first; with ``read`` for transactions that only read (default: ``begin``), the others may.
    """

    def __init__(self, begin: Begin, read: Begin | None = None) -> None:
        self._begin = begin
        self._read = read or begin

    def put(self, key: EncryptedKey) -> None:
        with self._begin() as tx:
            tx.execute(
                insert(encrypted_keys).values(
                    key_id=key.key_id,
                    kdf=key.kdf,
                    salt=key.salt,
                    nonce=key.nonce,
                    ciphertext=key.ciphertext,
                )
            )

    def get(self, key_id: str) -> EncryptedKey | None:
        return self._first(encrypted_keys.c.key_id == key_id)

    def sample(self, kdf: str) -> EncryptedKey | None:
        return self._first(encrypted_keys.c.kdf == kdf)

    def delete(self, key_id: str) -> None:
        with self._begin() as tx:
            tx.execute(delete(encrypted_keys).where(encrypted_keys.c.key_id == key_id))

    def _first(self, condition: Any) -> EncryptedKey | None:
        query = select(encrypted_keys).where(condition).order_by(encrypted_keys.c.key_id).limit(1)
        with self._read() as tx:
            row = tx.execute(query).one_or_none()
        if row is None:
            return None
        return EncryptedKey(
            key_id=row.key_id,
            kdf=row.kdf,
            salt=bytes(row.salt),
            nonce=bytes(row.nonce),
            ciphertext=bytes(row.ciphertext),
        )
