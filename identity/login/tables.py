"""All SQL of sessions, what comes before them, and known devices. Secrets are here only as hashes."""

from __future__ import annotations

import json
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
    UniqueConstraint,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)

from identity.login.model import (
    Acr,
    DeviceName,
    HalfSession,
    Place,
    Purpose,
    Session,
)
from identity.ports import Vault
from identity.tables import metadata


def person_column(table: str, *, nullable: bool = False) -> Column[Any]:
    """Erased people keep their row, so that nothing here ever points nowhere."""
    return Column(
        "person_id",
        String(40),
        ForeignKey("people.id", name=f"fk_{table}_person_id"),
        nullable=nullable,
    )


sessions = Table(
    "sessions",
    metadata,
    Column("id", String(22), primary_key=True),
    Column("secret_hash", LargeBinary(32), nullable=False, unique=True),
    person_column("sessions"),
    Column("auth_time", DateTime(timezone=True), nullable=False),
    Column("acr", String(16), nullable=False),
    Column("amr", String(80), nullable=False),  # separated by spaces
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_seen_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("origin", LargeBinary, nullable=False),  # device and place, sealed
    Index("ix_sessions_person_id", "person_id"),
    Index("ix_sessions_expires_at", "expires_at"),
)

half_sessions = Table(
    "half_sessions",
    metadata,
    Column("id", String(22), primary_key=True),
    Column("secret_hash", LargeBinary(32), nullable=False, unique=True),
    person_column("half_sessions"),
    Column("purpose", String(16), nullable=False),
    Column("recovery_id", String(22)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("ix_half_sessions_person_id", "person_id"),
    Index("ix_half_sessions_expires_at", "expires_at"),
)

known_devices = Table(
    "known_devices",
    metadata,
    Column("id", String(22), primary_key=True),
    # One browser may be known to several people, as the only phone of a family is.
    Column("secret_hash", LargeBinary(32), nullable=False),
    person_column("known_devices"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_used_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("secret_hash", "person_id", name="uq_known_devices_secret_hash_person_id"),
    Index("ix_known_devices_person_id", "person_id"),
    Index("ix_known_devices_last_used_at", "last_used_at"),
)


class Origins:
    """Seals where something comes from: that somebody was in a place is theirs alone to know."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def seal(self, row_id: str, device: DeviceName, place: Place) -> bytes:
        values = [device.browser, device.system, place.name, place.network]
        return self._vault.seal("session", json.dumps(values).encode(), context=row_id)

    def open(self, row_id: str, sealed: bytes) -> tuple[DeviceName, Place]:
        values = json.loads(self._vault.open("session", sealed, context=row_id))
        return DeviceName(*values[:2]), Place(*values[2:])


class SessionTable:
    """Sessions within one transaction. Every change names the secret it expects: old ones change nothing."""

    def __init__(self, tx: Connection, origins: Origins) -> None:
        self._tx = tx
        self._origins = origins

    def add(self, session: Session, secret_hash: bytes) -> None:
        self._tx.execute(
            insert(sessions).values(
                id=session.id,
                secret_hash=secret_hash,
                person_id=session.person_id,
                auth_time=session.auth_time,
                acr=session.acr.value,
                amr=" ".join(session.amr),
                created_at=session.created_at,
                last_seen_at=session.last_seen_at,
                expires_at=session.expires_at,
                origin=self._origins.seal(session.id, session.device, session.place),
            )
        )

    def by_secret(self, secret_hash: bytes) -> Session | None:
        row = self._tx.execute(select(sessions).where(sessions.c.secret_hash == secret_hash)).one_or_none()
        return self._session(row) if row else None

    def hold(self, session_id: str) -> Session | None:
        """As it is, until the transaction ends: nobody ends it, or gives it a new secret, in between.

        PostgreSQL: FOR KEY SHARE, beside which activity can still be noted.
        """
        query = select(sessions).where(sessions.c.id == session_id)
        row = self._tx.execute(query.with_for_update(read=True, key_share=True)).one_or_none()
        return self._session(row) if row else None

    def of(self, person_id: str) -> list[Session]:
        """Latest activity first, those that are over included."""
        query = (
            select(sessions)
            .where(sessions.c.person_id == person_id)
            .order_by(sessions.c.last_seen_at.desc(), sessions.c.id)
        )
        return [self._session(row) for row in self._tx.execute(query)]

    def touch(self, session_id: str, *, before: datetime, now: datetime) -> None:
        """Note activity unless another request did since ``before``."""
        self._tx.execute(
            update(sessions)
            .where(sessions.c.id == session_id, sessions.c.last_seen_at < before)
            .values(last_seen_at=now)
        )

    def replace(self, old_hash: bytes, new_hash: bytes, session: Session) -> bool:
        """Give the session a new secret and what was proven with it. False when the old one is dead."""
        result = self._tx.execute(
            update(sessions)
            .where(sessions.c.secret_hash == old_hash, sessions.c.id == session.id)
            .values(
                secret_hash=new_hash,
                auth_time=session.auth_time,
                acr=session.acr.value,
                amr=" ".join(session.amr),
                last_seen_at=session.last_seen_at,
                expires_at=session.expires_at,
                origin=self._origins.seal(session.id, session.device, session.place),
            )
        )
        return result.rowcount == 1

    def end(self, session_id: str, *, person_id: str) -> bool:
        """False when the person has no such session (any more)."""
        result = self._tx.execute(
            delete(sessions).where(sessions.c.id == session_id, sessions.c.person_id == person_id)
        )
        return result.rowcount == 1

    def end_all(self, person_id: str, *, keep: str | None = None) -> list[str]:
        """The ids of those that ended."""
        query = delete(sessions).where(sessions.c.person_id == person_id)
        if keep is not None:
            query = query.where(sessions.c.id != keep)
        return sorted(self._tx.execute(query.returning(sessions.c.id)).scalars())

    def end_over(self, *, now: datetime, idle_since: datetime, most: int) -> list[tuple[str, str]]:
        """``(id, person_id)`` of up to ``most`` sessions whose time was over, which are gone now."""
        over = (
            select(sessions.c.id)
            .where(or_(sessions.c.expires_at <= now, sessions.c.last_seen_at <= idle_since))
            .limit(most)
            .with_for_update(skip_locked=True)  # whoever holds them ends them, or is just using them
        )
        query = delete(sessions).where(
            sessions.c.id.in_(over),
            # Again, because a request may have come in between.
            or_(sessions.c.expires_at <= now, sessions.c.last_seen_at <= idle_since),
        )
        ended = self._tx.execute(query.returning(sessions.c.id, sessions.c.person_id))
        return sorted((row.id, row.person_id) for row in ended)

    def _session(self, row: Row[Any]) -> Session:
        device, place = self._origins.open(row.id, row.origin)
        return Session(
            id=row.id,
            person_id=row.person_id,
            auth_time=aware(row.auth_time),
            acr=Acr(row.acr),
            amr=tuple(row.amr.split()),
            created_at=aware(row.created_at),
            last_seen_at=aware(row.last_seen_at),
            expires_at=aware(row.expires_at),
            device=device,
            place=place,
        )


_HALF_SESSION: Final = select(half_sessions).where(half_sessions.c.secret_hash == bindparam("presented"))


class HalfSessionTable:
    """Half sessions within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, half: HalfSession, secret_hash: bytes) -> None:
        self._tx.execute(
            insert(half_sessions).values(
                id=half.id,
                secret_hash=secret_hash,
                person_id=half.person_id,
                purpose=half.purpose.value,
                recovery_id=half.recovery_id,
                created_at=half.created_at,
                expires_at=half.expires_at,
            )
        )

    def by_secret(self, secret_hash: bytes) -> HalfSession | None:
        row = self._tx.execute(_HALF_SESSION, {"presented": secret_hash}).one_or_none()
        return _half_session(row) if row else None

    def use(self, half_id: str) -> bool:
        """True for exactly one caller."""
        return self._tx.execute(delete(half_sessions).where(half_sessions.c.id == half_id)).rowcount == 1

    def end_all(self, person_id: str, *purposes: Purpose) -> None:
        """Those of these purposes, or of all."""
        query = delete(half_sessions).where(half_sessions.c.person_id == person_id)
        if purposes:
            query = query.where(half_sessions.c.purpose.in_([purpose.value for purpose in purposes]))
        self._tx.execute(query)

    def end_over(self, now: datetime) -> int:
        return self._tx.execute(delete(half_sessions).where(half_sessions.c.expires_at <= now)).rowcount


class KnownDeviceTable:
    """Which browsers have logged in to which accounts, within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def knows(self, secret_hash: bytes, person_id: str, *, used_since: datetime) -> bool:
        query = select(known_devices.c.id).where(
            known_devices.c.secret_hash == secret_hash,
            known_devices.c.person_id == person_id,
            known_devices.c.last_used_at > used_since,
        )
        return self._tx.execute(query).first() is not None

    def add(self, device_id: str, secret_hash: bytes, person_id: str, now: datetime) -> None:
        self._tx.execute(
            insert(known_devices).values(
                id=device_id, secret_hash=secret_hash, person_id=person_id, created_at=now, last_used_at=now
            )
        )

    def touch(self, secret_hash: bytes, person_id: str, now: datetime) -> None:
        self._tx.execute(
            update(known_devices)
            .where(known_devices.c.secret_hash == secret_hash, known_devices.c.person_id == person_id)
            .values(last_used_at=now)
        )

    def move(self, old_hash: bytes, new_hash: bytes, *, but: str) -> None:
        """The browser gets a new secret: whoever it was known to keeps knowing it. ``but`` is not moved."""
        self._tx.execute(
            update(known_devices)
            .where(known_devices.c.secret_hash == old_hash, known_devices.c.person_id != but)
            .values(secret_hash=new_hash)
        )

    def forget(self, person_id: str) -> int:
        return self._tx.execute(delete(known_devices).where(known_devices.c.person_id == person_id)).rowcount

    def forget_unused(self, since: datetime) -> int:
        return self._tx.execute(delete(known_devices).where(known_devices.c.last_used_at <= since)).rowcount


def _half_session(row: Row[Any]) -> HalfSession:
    return HalfSession(
        id=row.id,
        person_id=row.person_id,
        purpose=Purpose(row.purpose),
        created_at=aware(row.created_at),
        expires_at=aware(row.expires_at),
        recovery_id=row.recovery_id,
    )


def aware(value: datetime) -> datetime:
    """SQLite hands back naive times; what was stored is UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
