"""All SQL of the ca slice. Returns model objects, never rows; times are aware UTC at this edge.

Used by the public process: must not reach ``keys``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    func,
    insert,
    select,
    update,
)

from ca.model import CertificateRecord, CertificateStatus, CrlRecord, ProfileName, RevocationReason

metadata = MetaData()

certificates = Table(
    "certificates",
    metadata,
    Column("serial", String(40), primary_key=True),  # lower-case hexadecimal
    Column("name", String(64), nullable=False, unique=True),
    Column("issuer", String(64), nullable=False),
    Column("profile", String(32), nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("owner", String(128), nullable=False),
    Column("der", LargeBinary, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),  # not_before is cut to whole seconds
    Column("not_before", DateTime(timezone=True), nullable=False),
    Column("not_after", DateTime(timezone=True), nullable=False),
    Column("status", String(16), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Column("reason", Integer),
    Column("invalidity_date", DateTime(timezone=True)),
    Column("status_changed_at", DateTime(timezone=True)),  # a released hold leaves no other trace
    Index("certificates_by_use", "profile", "owner", "status", "issued_at"),
    Index("certificates_by_issuer", "issuer", "status"),
    Index("certificates_by_change", "issuer", "status_changed_at"),
    Index("certificates_by_key", "key_id"),
    Index("certificates_by_sha256", "sha256"),
)

crls = Table(
    "crls",
    metadata,
    Column("issuer", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("der", LargeBinary, nullable=False),
    Column("this_update", DateTime(timezone=True), nullable=False),
    Column("next_update", DateTime(timezone=True), nullable=False),
)


def _aware(moment: datetime) -> datetime:
    # SQLite hands back naive times; what was stored is UTC. PostgreSQL answers in the session's zone.
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _certificate(row: Row[Any]) -> CertificateRecord:
    return CertificateRecord(
        serial=int(row.serial, 16),
        name=row.name,
        issuer=row.issuer,
        profile=ProfileName(row.profile),
        key_id=row.key_id,
        owner=row.owner,
        der=bytes(row.der),
        sha256=bytes(row.sha256),
        issued_at=_aware(row.issued_at),
        not_before=_aware(row.not_before),
        not_after=_aware(row.not_after),
        status=CertificateStatus(row.status),
        revoked_at=None if row.revoked_at is None else _aware(row.revoked_at),
        reason=None if row.reason is None else RevocationReason(row.reason),
        invalidity_date=None if row.invalidity_date is None else _aware(row.invalidity_date),
    )


class Certificates:
    """Every certificate issued here, inside the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, record: CertificateRecord) -> None:
        self._connection.execute(
            insert(certificates).values(
                serial=f"{record.serial:x}",
                name=record.name,
                issuer=record.issuer,
                profile=record.profile.value,
                key_id=record.key_id,
                owner=record.owner,
                der=record.der,
                sha256=record.sha256,
                issued_at=record.issued_at,
                not_before=record.not_before,
                not_after=record.not_after,
                status=record.status.value,
            )
        )

    def by_serial(self, serial: int) -> CertificateRecord | None:
        return self._one(certificates.c.serial == f"{serial:x}")

    def by_name(self, name: str) -> CertificateRecord | None:
        return self._one(certificates.c.name == name)

    def by_digest(self, sha256: bytes) -> CertificateRecord | None:
        return self._one(certificates.c.sha256 == sha256)

    def by_serials(self, issuer: str, serials: Iterable[int]) -> dict[int, CertificateRecord]:
        """Those of ``serials`` that ``issuer`` issued, in one query."""
        wanted = [f"{serial:x}" for serial in serials]
        query = select(certificates).where(certificates.c.serial.in_(wanted), certificates.c.issuer == issuer)
        return {record.serial: record for record in map(_certificate, self._connection.execute(query))}

    def newest_good(self, profile: ProfileName, owner: str = "") -> CertificateRecord | None:
        """The good certificate that was issued last for this use, expired or not."""
        query = (
            select(certificates)
            .where(
                certificates.c.profile == profile.value,
                certificates.c.owner == owner,
                certificates.c.status == CertificateStatus.GOOD.value,
            )
            .order_by(certificates.c.issued_at.desc(), certificates.c.serial.desc())
            .limit(1)
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _certificate(row)

    def of_profile(self, profile: ProfileName) -> list[CertificateRecord]:
        """Every certificate of a profile whatever its status, oldest first."""
        query = (
            select(certificates)
            .where(certificates.c.profile == profile.value)
            .order_by(certificates.c.issued_at, certificates.c.serial)
        )
        return [_certificate(row) for row in self._connection.execute(query)]

    def certified_keys(self) -> frozenset[str]:
        """Ids of the keys that any certificate was ever issued for."""
        return frozenset(self._connection.scalars(select(certificates.c.key_id).distinct()))

    def not_good(self, issuer: str) -> list[CertificateRecord]:
        """What belongs on the issuer's CRL, by serial."""
        query = (
            select(certificates)
            .where(certificates.c.issuer == issuer, certificates.c.status != CertificateStatus.GOOD.value)
            .order_by(certificates.c.serial)
        )
        return [_certificate(row) for row in self._connection.execute(query)]

    def last_change(self, issuer: str) -> datetime | None:
        """When the status of any certificate of ``issuer`` changed last."""
        query = select(func.max(certificates.c.status_changed_at)).where(certificates.c.issuer == issuer)
        moment = self._connection.scalar(query)
        return None if moment is None else _aware(moment)

    def set_status(
        self,
        serial: int,
        *,
        was: CertificateStatus,
        at: datetime,
        status: CertificateStatus,
        revoked_at: datetime | None,
        reason: RevocationReason | None,
        invalidity_date: datetime | None,
    ) -> bool:
        """Change the status if it still is ``was``; False when another process was first."""
        changed = self._connection.execute(
            update(certificates)
            .where(certificates.c.serial == f"{serial:x}", certificates.c.status == was.value)
            .values(
                status=status.value,
                revoked_at=revoked_at,
                reason=None if reason is None else reason.value,
                invalidity_date=invalidity_date,
                status_changed_at=at,
            )
        )
        return changed.rowcount == 1

    def _one(self, condition: Any) -> CertificateRecord | None:
        row = self._connection.execute(select(certificates).where(condition)).one_or_none()
        return None if row is None else _certificate(row)


class Crls:
    """Every revocation list ever issued, inside the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, record: CrlRecord) -> None:
        """Raises ``sqlalchemy.exc.IntegrityError`` when the issuer already has a list with this number."""
        self._connection.execute(
            insert(crls).values(
                issuer=record.issuer,
                number=record.number,
                der=record.der,
                this_update=record.this_update,
                next_update=record.next_update,
            )
        )

    def latest(self, issuer: str) -> CrlRecord | None:
        query = select(crls).where(crls.c.issuer == issuer).order_by(crls.c.number.desc()).limit(1)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        return CrlRecord(
            issuer=row.issuer,
            number=row.number,
            der=bytes(row.der),
            this_update=_aware(row.this_update),
            next_update=_aware(row.next_update),
        )

    def next_number(self, issuer: str) -> int:
        last = self._connection.scalar(select(func.max(crls.c.number)).where(crls.c.issuer == issuer))
        return (last or 0) + 1
