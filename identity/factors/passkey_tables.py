"""All SQL of passkeys and their challenges. What may happen once has exactly one winner."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Index,
    LargeBinary,
    Row,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from identity.factors.model import Ceremony, Challenge, Passkey
from identity.factors.tables import aware, aware_or_none, person_column
from identity.tables import metadata

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", String(40), primary_key=True),
    person_column("passkeys"),
    Column("credential_id", LargeBinary(1023), nullable=False),  # WebAuthn Level 3, 7.1 step 26
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("backup_eligible", Boolean, nullable=False),
    Column("transports", String(120), nullable=False),
    Column("name", String(80), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_used_at", DateTime(timezone=True)),
    Column("suspected_at", DateTime(timezone=True)),
    Index("ix_passkeys_person_id", "person_id"),
    Index("ux_passkeys_credential_id", "credential_id", unique=True),
)

passkey_challenges = Table(
    "passkey_challenges",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("ceremony", String(20), nullable=False),
    person_column("passkey_challenges", nullable=True),
    Column("challenge", LargeBinary(32), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("ix_passkey_challenges_expires_at", "expires_at"),
    Index("ix_passkey_challenges_person_id", "person_id"),
)


_OF_PERSON: Final = (
    select(passkeys)
    .where(passkeys.c.person_id == bindparam("wanted"))
    .order_by(passkeys.c.created_at, passkeys.c.id)
)


class PasskeyTable:
    """Passkeys within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def of(self, person_id: str) -> list[Passkey]:
        """Oldest first."""
        return [_passkey(row) for row in self._tx.execute(_OF_PERSON, {"wanted": person_id})]

    def find(self, credential_id: bytes) -> Passkey | None:
        row = self._tx.execute(
            select(passkeys).where(passkeys.c.credential_id == credential_id)
        ).one_or_none()
        return _passkey(row) if row else None

    def add(self, passkey: Passkey) -> None:
        """Raises ``sqlalchemy.exc.IntegrityError`` when the credential is registered already."""
        self._tx.execute(
            insert(passkeys).values(
                id=passkey.id,
                person_id=passkey.person_id,
                credential_id=passkey.credential_id,
                public_key=passkey.public_key,
                sign_count=passkey.sign_count,
                backup_eligible=passkey.backup_eligible,
                transports=" ".join(passkey.transports),
                name=passkey.name,
                created_at=passkey.created_at,
            )
        )

    def advance(self, passkey_id: str, *, sign_count: int, now: datetime) -> bool:
        """Note a use. False when the counter does not grow; authenticators without one always send 0."""
        grows = passkeys.c.sign_count < sign_count if sign_count else passkeys.c.sign_count == 0
        result = self._tx.execute(
            update(passkeys)
            .where(passkeys.c.id == passkey_id, grows)
            .values(sign_count=sign_count, last_used_at=now)
        )
        return result.rowcount == 1

    def suspect(self, passkey_id: str, now: datetime) -> bool:
        """Note that its counter went back. False when it was removed meanwhile."""
        result = self._tx.execute(
            update(passkeys).where(passkeys.c.id == passkey_id).values(suspected_at=now)
        )
        return result.rowcount == 1

    def rename(self, passkey_id: str, *, person_id: str, name: str) -> bool:
        result = self._tx.execute(
            update(passkeys)
            .where(passkeys.c.id == passkey_id, passkeys.c.person_id == person_id)
            .values(name=name)
        )
        return result.rowcount == 1

    def remove(self, passkey_id: str, *, person_id: str) -> bool:
        result = self._tx.execute(
            delete(passkeys).where(passkeys.c.id == passkey_id, passkeys.c.person_id == person_id)
        )
        return result.rowcount == 1

    def remove_all(self, person_id: str) -> int:
        return self._tx.execute(delete(passkeys).where(passkeys.c.person_id == person_id)).rowcount


class ChallengeTable:
    """Passkey challenges within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, challenge: Challenge) -> None:
        self._tx.execute(
            insert(passkey_challenges).values(
                id=challenge.id,
                ceremony=challenge.ceremony.value,
                person_id=challenge.person_id,
                challenge=challenge.challenge,
                expires_at=challenge.expires_at,
            )
        )

    def take(
        self, challenge_id: str, *, ceremony: Ceremony, person_id: str | None, now: datetime
    ) -> Challenge | None:
        """Give the challenge out to one caller only, and only for what and whom it was made."""
        table = passkey_challenges
        row = self._tx.execute(
            delete(table)
            .where(
                table.c.id == challenge_id,
                table.c.ceremony == ceremony.value,
                table.c.person_id.is_(None) if person_id is None else table.c.person_id == person_id,
                table.c.expires_at > now,
            )
            .returning(table)
        ).one_or_none()
        if row is None:
            return None
        return Challenge(
            row.id, Ceremony(row.ceremony), row.person_id, bytes(row.challenge), aware(row.expires_at)
        )

    def remove_all(self, person_id: str) -> None:
        self._tx.execute(delete(passkey_challenges).where(passkey_challenges.c.person_id == person_id))

    def drop_expired(self, now: datetime) -> int:
        table = passkey_challenges
        return self._tx.execute(delete(table).where(table.c.expires_at <= now)).rowcount


def _passkey(row: Row[Any]) -> Passkey:
    return Passkey(
        id=row.id,
        person_id=row.person_id,
        credential_id=bytes(row.credential_id),
        public_key=bytes(row.public_key),
        sign_count=row.sign_count,
        backup_eligible=row.backup_eligible,
        transports=tuple(row.transports.split()),
        name=row.name,
        created_at=aware(row.created_at),
        last_used_at=aware_or_none(row.last_used_at),
        suspected_at=aware_or_none(row.suspected_at),
    )
