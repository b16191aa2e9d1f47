"""All SQL of passwords, authenticator apps and recovery codes; that of passkeys has a file of its own.

What may happen once is a conditional UPDATE or DELETE with exactly one winner.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from identity.factors.model import (
    CodeSet,
    PasswordHash,
    PendingTotp,
    RecoveryCode,
    Totp,
)
from identity.people.tables import people
from identity.tables import metadata


def person_column(table: str, *, primary_key: bool = False, nullable: bool = False) -> Column[Any]:
    """Whose it is."""
    return Column(
        "person_id",
        String(40),
        ForeignKey("people.id", name=f"fk_{table}_person_id"),
        primary_key=primary_key,
        nullable=nullable,
    )


passwords = Table(
    "passwords",
    metadata,
    person_column("passwords", primary_key=True),
    Column("hash", String(200), nullable=False),  # PHC string: parameters and salt are in it
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_used_at", DateTime(timezone=True)),
)

totps = Table(
    "totps",
    metadata,
    person_column("totps", primary_key=True),
    Column("id", String(40), nullable=False),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_used_at", DateTime(timezone=True)),
)

totp_setups = Table(
    "totp_setups",
    metadata,
    Column("id", String(40), primary_key=True),
    person_column("totp_setups"),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("ix_totp_setups_person_id", "person_id"),
    Index("ix_totp_setups_expires_at", "expires_at"),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("id", String(40), primary_key=True),
    person_column("recovery_codes"),
    Column("label", String(2), nullable=False),
    Column("hash", String(200), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    Index("ux_recovery_codes_person_id_label", "person_id", "label", unique=True),
)


class HolderTable:
    """The person as the owner of factors, within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def lock(self, person_id: str) -> bool:
        """Keep others from changing this person's factors until the transaction ends. False: nobody's.

        What may be removed depends on what remains, so two removals must not look at the same moment.
        SQLite has one writer at a time and ignores the clause.
        """
        query = select(people.c.id).where(people.c.id == person_id, people.c.erased_at.is_(None))
        return self._tx.execute(query.with_for_update(key_share=True)).one_or_none() is not None


# Statements of every login are composed once: composing takes as long as running them.
_PASSWORD: Final = select(passwords).where(passwords.c.person_id == bindparam("wanted"))
_TOTP: Final = select(totps).where(totps.c.person_id == bindparam("wanted"))
_CODES: Final = select(
    func.min(recovery_codes.c.created_at).label("created_at"),
    func.max(recovery_codes.c.used_at).label("last_used_at"),
    (func.count() - func.count(recovery_codes.c.used_at)).label("left"),
).where(recovery_codes.c.person_id == bindparam("wanted"))


class PasswordTable:
    """Passwords within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def get(self, person_id: str) -> PasswordHash | None:
        row = self._tx.execute(_PASSWORD, {"wanted": person_id}).one_or_none()
        if row is None:
            return None
        return PasswordHash(row.person_id, row.hash, aware(row.created_at), aware_or_none(row.last_used_at))

    def put(self, password: PasswordHash) -> bool:
        """Set or replace; call it under :meth:`HolderTable.lock`. True when there was none before."""
        values = {
            "hash": password.hash,
            "created_at": password.created_at,
            "last_used_at": password.last_used_at,
        }
        replaced = self._tx.execute(
            update(passwords).where(passwords.c.person_id == password.person_id).values(values)
        )
        if replaced.rowcount == 1:
            return False
        self._tx.execute(insert(passwords).values(person_id=password.person_id, **values))
        return True

    def used(self, person_id: str, *, checked: str, now: datetime, rehashed: str | None = None) -> bool:
        """Note a use, and the same password under newer parameters.

        False when ``checked`` is no longer the stored hash: the password was changed while it was checked.
        """
        result = self._tx.execute(
            update(passwords)
            .where(passwords.c.person_id == person_id, passwords.c.hash == checked)
            .values(hash=rehashed or checked, last_used_at=now)
        )
        return result.rowcount == 1

    def remove(self, person_id: str) -> bool:
        return self._tx.execute(delete(passwords).where(passwords.c.person_id == person_id)).rowcount == 1


class TotpTable:
    """Authenticator apps and their set-ups within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def get(self, person_id: str) -> Totp | None:
        row = self._tx.execute(_TOTP, {"wanted": person_id}).one_or_none()
        if row is None:
            return None
        return Totp(
            id=row.id,
            person_id=row.person_id,
            sealed_secret=bytes(row.sealed_secret),
            last_step=row.last_step,
            created_at=aware(row.created_at),
            last_used_at=aware_or_none(row.last_used_at),
        )

    def advance(self, totp_id: str, *, person_id: str, step: int, now: datetime) -> bool:
        """Accept the code of ``step``: True for one caller only, and never for a step before it again."""
        result = self._tx.execute(
            update(totps)
            .where(totps.c.person_id == person_id, totps.c.id == totp_id, totps.c.last_step < step)
            .values(last_step=step, last_used_at=now)
        )
        return result.rowcount == 1

    def add(self, totp: Totp) -> None:
        self._tx.execute(
            insert(totps).values(
                person_id=totp.person_id,
                id=totp.id,
                sealed_secret=totp.sealed_secret,
                last_step=totp.last_step,
                created_at=totp.created_at,
                last_used_at=totp.last_used_at,
            )
        )

    def remove(self, person_id: str) -> bool:
        return self._tx.execute(delete(totps).where(totps.c.person_id == person_id)).rowcount == 1

    def begin(self, pending: PendingTotp, *, most: int) -> None:
        """Keep a set-up, and of this person's set-ups the ``most`` that end last."""
        self._tx.execute(
            insert(totp_setups).values(
                id=pending.id,
                person_id=pending.person_id,
                sealed_secret=pending.sealed_secret,
                expires_at=pending.expires_at,
            )
        )
        mine = select(totp_setups.c.id).where(totp_setups.c.person_id == pending.person_id)
        kept = mine.order_by(totp_setups.c.expires_at.desc(), totp_setups.c.id).limit(most)
        self._tx.execute(
            delete(totp_setups).where(
                totp_setups.c.person_id == pending.person_id, totp_setups.c.id.not_in(kept)
            )
        )

    def pending(self, setup_id: str, *, person_id: str, now: datetime) -> PendingTotp | None:
        row = self._tx.execute(
            select(totp_setups).where(
                totp_setups.c.id == setup_id,
                totp_setups.c.person_id == person_id,
                totp_setups.c.expires_at > now,
            )
        ).one_or_none()
        if row is None:
            return None
        return PendingTotp(row.id, row.person_id, bytes(row.sealed_secret), aware(row.expires_at))

    def finish(self, setup_id: str) -> bool:
        """True for the one caller who may turn this set-up into a factor."""
        return self._tx.execute(delete(totp_setups).where(totp_setups.c.id == setup_id)).rowcount == 1

    def drop_setups(self, person_id: str) -> None:
        self._tx.execute(delete(totp_setups).where(totp_setups.c.person_id == person_id))

    def drop_expired(self, now: datetime) -> int:
        return self._tx.execute(delete(totp_setups).where(totp_setups.c.expires_at <= now)).rowcount


class RecoveryCodeTable:
    """Recovery codes within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def find(self, person_id: str, label: str) -> RecoveryCode | None:
        row = self._tx.execute(
            select(recovery_codes).where(
                recovery_codes.c.person_id == person_id, recovery_codes.c.label == label
            )
        ).one_or_none()
        if row is None:
            return None
        return RecoveryCode(
            row.id, row.person_id, row.label, row.hash, aware(row.created_at), aware_or_none(row.used_at)
        )

    def use(self, code_id: str, now: datetime) -> bool:
        """True for one caller only."""
        result = self._tx.execute(
            update(recovery_codes)
            .where(recovery_codes.c.id == code_id, recovery_codes.c.used_at.is_(None))
            .values(used_at=now)
        )
        return result.rowcount == 1

    def replace(self, person_id: str, codes: Sequence[RecoveryCode]) -> None:
        """All earlier codes end with this."""
        self.remove_all(person_id)
        self._tx.execute(
            insert(recovery_codes),
            [
                {
                    "id": code.id,
                    "person_id": person_id,
                    "label": code.label,
                    "hash": code.hash,
                    "created_at": code.created_at,
                }
                for code in codes
            ],
        )

    def standing(self, person_id: str) -> CodeSet | None:
        """The set as a whole; None when there is none."""
        row = self._tx.execute(_CODES, {"wanted": person_id}).one()
        if row.created_at is None:
            return None
        return CodeSet(aware(row.created_at), aware_or_none(row.last_used_at), row.left)

    def remove_all(self, person_id: str) -> int:
        return self._tx.execute(
            delete(recovery_codes).where(recovery_codes.c.person_id == person_id)
        ).rowcount


def aware_or_none(value: datetime | None) -> datetime | None:
    return None if value is None else aware(value)


def aware(value: datetime) -> datetime:
    """SQLite hands back naive times; what was stored is UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
