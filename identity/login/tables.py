"""All SQL of logging in. Secrets are here only as hashes, addresses only as networks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Index,
    LargeBinary,
    Row,
    String,
    Table,
    UniqueConstraint,
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
    Recovery,
    RecoveryState,
    Session,
)
from identity.tables import metadata

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(22), primary_key=True),
    Column("secret_hash", LargeBinary(32), nullable=False, unique=True),
    Column("person_id", String(40), nullable=False),
    Column("auth_time", DateTime(timezone=True), nullable=False),
    Column("acr", String(16), nullable=False),
    Column("amr", String(80), nullable=False),  # separated by spaces
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_seen_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("browser", String(40), nullable=False),
    Column("system", String(40), nullable=False),
    Column("place", String(120), nullable=False),
    Column("network", String(60), nullable=False),
    Index("ix_sessions_person_id", "person_id"),
    Index("ix_sessions_expires_at", "expires_at"),
)

half_sessions = Table(
    "half_sessions",
    metadata,
    Column("id", String(22), primary_key=True),
    Column("secret_hash", LargeBinary(32), nullable=False, unique=True),
    Column("person_id", String(40), nullable=False),
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
    Column("person_id", String(40), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_used_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("secret_hash", "person_id", name="uq_known_devices_secret_hash_person_id"),
    Index("ix_known_devices_person_id", "person_id"),
    Index("ix_known_devices_last_used_at", "last_used_at"),
)

repudiations = Table(
    "repudiations",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("person_id", String(40), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    Index("ix_repudiations_person_id", "person_id"),
    Index("ix_repudiations_expires_at", "expires_at"),
)

recoveries = Table(
    "recoveries",
    metadata,
    Column("id", String(22), primary_key=True),
    Column("person_id", String(40), nullable=False),
    Column("state", String(16), nullable=False),
    Column("code_hash", LargeBinary(32), unique=True),  # of the code that leads on from this state
    Column("cancel_hash", LargeBinary(32), unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("ready_at", DateTime(timezone=True)),
    Column("remind_at", DateTime(timezone=True)),
    Index("ix_recoveries_person_id", "person_id"),
    Index("ix_recoveries_remind_at", "remind_at"),
    Index("ix_recoveries_expires_at", "expires_at"),
)

delays = Table(
    "login_delays",
    metadata,
    Column("key", LargeBinary(32), primary_key=True),
    # Milliseconds since 1970, because the arithmetic happens in SQL.
    Column("arrears_until", BigInteger, nullable=False),
    Column("closed_until", BigInteger, nullable=False),
    Index("ix_login_delays_arrears_until", "arrears_until"),
)


class SessionTable:
    """Sessions within one transaction. Every change names the secret it expects: old ones change nothing."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

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
                browser=session.device.browser,
                system=session.device.system,
                place=session.place.name,
                network=session.place.network,
            )
        )

    def by_secret(self, secret_hash: bytes) -> Session | None:
        row = self._tx.execute(select(sessions).where(sessions.c.secret_hash == secret_hash)).one_or_none()
        return _session(row) if row else None

    def of(self, person_id: str) -> list[Session]:
        """Latest activity first, those that are over included."""
        query = (
            select(sessions)
            .where(sessions.c.person_id == person_id)
            .order_by(sessions.c.last_seen_at.desc(), sessions.c.id)
        )
        return [_session(row) for row in self._tx.execute(query)]

    def touch(self, session_id: str, *, before: datetime, now: datetime, place: Place) -> None:
        """Note activity unless another request did since ``before``."""
        self._tx.execute(
            update(sessions)
            .where(sessions.c.id == session_id, sessions.c.last_seen_at < before)
            .values(last_seen_at=now, place=place.name, network=place.network)
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
        )
        query = delete(sessions).where(
            sessions.c.id.in_(over),
            # Again, because a request may have come in between.
            or_(sessions.c.expires_at <= now, sessions.c.last_seen_at <= idle_since),
        )
        ended = self._tx.execute(query.returning(sessions.c.id, sessions.c.person_id))
        return sorted((row.id, row.person_id) for row in ended)


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
        row = self._tx.execute(
            select(half_sessions).where(half_sessions.c.secret_hash == secret_hash)
        ).one_or_none()
        return _half_session(row) if row else None

    def use(self, half_id: str) -> bool:
        """True for exactly one caller."""
        return self._tx.execute(delete(half_sessions).where(half_sessions.c.id == half_id)).rowcount == 1

    def end_all(self, person_id: str) -> None:
        self._tx.execute(delete(half_sessions).where(half_sessions.c.person_id == person_id))

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


class RepudiationTable:
    """Links for "this wasn't me", within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, token_hash: bytes, person_id: str, *, now: datetime, expires_at: datetime) -> None:
        self._tx.execute(
            insert(repudiations).values(
                token_hash=token_hash, person_id=person_id, created_at=now, expires_at=expires_at
            )
        )

    def person(self, token_hash: bytes, now: datetime) -> str | None:
        """Whose link it is, if it can still be used."""
        query = select(repudiations.c.person_id).where(
            repudiations.c.token_hash == token_hash,
            repudiations.c.used_at.is_(None),
            repudiations.c.expires_at > now,
        )
        return self._tx.execute(query).scalar_one_or_none()

    def use(self, token_hash: bytes, now: datetime) -> bool:
        """True for exactly one caller."""
        result = self._tx.execute(
            update(repudiations)
            .where(
                repudiations.c.token_hash == token_hash,
                repudiations.c.used_at.is_(None),
                repudiations.c.expires_at > now,
            )
            .values(used_at=now)
        )
        return result.rowcount == 1

    def forget_over(self, now: datetime) -> int:
        return self._tx.execute(delete(repudiations).where(repudiations.c.expires_at <= now)).rowcount


class RecoveryTable:
    """Recoveries within one transaction. Every step is conditional: one winner among parallel requests."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, recovery: Recovery, *, code_hash: bytes, cancel_hash: bytes) -> None:
        self._tx.execute(
            insert(recoveries).values(
                id=recovery.id,
                person_id=recovery.person_id,
                state=recovery.state.value,
                code_hash=code_hash,
                cancel_hash=cancel_hash,
                created_at=recovery.created_at,
                expires_at=recovery.expires_at,
            )
        )

    def get(self, recovery_id: str) -> Recovery | None:
        row = self._tx.execute(select(recoveries).where(recoveries.c.id == recovery_id)).one_or_none()
        return _recovery(row) if row else None

    def by_code(self, code_hash: bytes) -> Recovery | None:
        row = self._tx.execute(select(recoveries).where(recoveries.c.code_hash == code_hash)).one_or_none()
        return _recovery(row) if row else None

    def by_cancel(self, cancel_hash: bytes) -> Recovery | None:
        row = self._tx.execute(
            select(recoveries).where(recoveries.c.cancel_hash == cancel_hash)
        ).one_or_none()
        return _recovery(row) if row else None

    def open_of(self, person_id: str) -> list[Recovery]:
        """Latest first; whether their time is over is for the caller to see."""
        query = (
            select(recoveries)
            .where(recoveries.c.person_id == person_id, recoveries.c.state.in_(_OPEN))
            .order_by(recoveries.c.created_at.desc(), recoveries.c.id)
        )
        return [_recovery(row) for row in self._tx.execute(query)]

    def move(
        self,
        recovery: Recovery,
        to: RecoveryState,
        *,
        code_hash: bytes | None = None,
        ready_at: datetime | None = None,
        expires_at: datetime | None = None,
        remind_at: datetime | None = None,
        cancel_hash: bytes | None = None,
    ) -> bool:
        """From the state it was read in, else False. A code that is not given anew is dead."""
        values: dict[str, Any] = {"state": to.value, "code_hash": code_hash, "remind_at": remind_at}
        for name, value in (("ready_at", ready_at), ("expires_at", expires_at), ("cancel_hash", cancel_hash)):
            if value is not None:
                values[name] = value
        result = self._tx.execute(
            update(recoveries)
            .where(recoveries.c.id == recovery.id, recoveries.c.state == recovery.state.value)
            .values(**values)
        )
        return result.rowcount == 1

    def due(self, now: datetime, most: int) -> list[tuple[Recovery, datetime]]:
        """Waiting ones with a reminder due by ``now``, and when it was due."""
        query = (
            select(recoveries)
            .where(recoveries.c.remind_at <= now, recoveries.c.state == RecoveryState.WAITING.value)
            .order_by(recoveries.c.remind_at)
            .limit(most)
        )
        return [(_recovery(row), _aware(row.remind_at)) for row in self._tx.execute(query)]

    def remind_next(self, recovery_id: str, *, due: datetime, then: datetime, cancel_hash: bytes) -> bool:
        """True for exactly one worker."""
        result = self._tx.execute(
            update(recoveries)
            .where(recoveries.c.id == recovery_id, recoveries.c.remind_at == due)
            .values(remind_at=then, cancel_hash=cancel_hash)
        )
        return result.rowcount == 1

    def cancel_open(self, person_id: str) -> int:
        """All that are open."""
        result = self._tx.execute(
            update(recoveries)
            .where(recoveries.c.person_id == person_id, recoveries.c.state.in_(_OPEN))
            .values(state=RecoveryState.CANCELLED.value, code_hash=None, remind_at=None)
        )
        return result.rowcount

    def forget_over(self, before: datetime) -> int:
        """Those whose time was over ``before``."""
        return self._tx.execute(delete(recoveries).where(recoveries.c.expires_at <= before)).rowcount


_OPEN = [state.value for state in RecoveryState if state not in {RecoveryState.DONE, RecoveryState.CANCELLED}]


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.id,
        person_id=row.person_id,
        auth_time=_aware(row.auth_time),
        acr=Acr(row.acr),
        amr=tuple(row.amr.split()),
        created_at=_aware(row.created_at),
        last_seen_at=_aware(row.last_seen_at),
        expires_at=_aware(row.expires_at),
        device=DeviceName(row.browser, row.system),
        place=Place(row.place, row.network),
    )


def _half_session(row: Row[Any]) -> HalfSession:
    return HalfSession(
        id=row.id,
        person_id=row.person_id,
        purpose=Purpose(row.purpose),
        created_at=_aware(row.created_at),
        expires_at=_aware(row.expires_at),
        recovery_id=row.recovery_id,
    )


def _recovery(row: Row[Any]) -> Recovery:
    return Recovery(
        id=row.id,
        person_id=row.person_id,
        state=RecoveryState(row.state),
        created_at=_aware(row.created_at),
        expires_at=_aware(row.expires_at),
        ready_at=None if row.ready_at is None else _aware(row.ready_at),
    )


def _aware(value: datetime) -> datetime:
    """SQLite hands back naive times; what was stored is UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
