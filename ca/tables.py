"""All SQL of the ca slice. Returns model objects, never rows; times are aware UTC at this edge.

Used by the public process: must not reach ``keys``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cryptography import x509
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    true,
    update,
)

from ca.model import (
    CertificateRecord,
    CertificateStanding,
    CertificateStatus,
    CrlRecord,
    ListScope,
    ProfileName,
    RevocationReason,
)

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
    Column("profile_version", Integer, nullable=False, server_default="1"),
    Column("partition", Integer, nullable=False, server_default="0"),
    Column("status", String(16), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Column("reason", Integer),
    Column("invalidity_date", DateTime(timezone=True)),
    Column("status_changed_at", DateTime(timezone=True)),  # a released hold leaves no other trace
    Index("certificates_by_use", "profile", "owner", "status", "issued_at"),
    Index("certificates_by_issuer", "issuer", "status"),
    Index("certificates_by_partition", "issuer", "partition", "status"),
    Index("certificates_by_change", "issuer", "status_changed_at"),
    Index("certificates_by_key", "key_id"),
    Index("certificates_by_sha256", "sha256"),
)

crls = Table(
    "crls",
    metadata,
    Column("issuer", String(64), primary_key=True),  # ListScope.name: the CA's, or that of a partition of it
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("der", LargeBinary, nullable=False),
    Column("this_update", DateTime(timezone=True), nullable=False),
    Column("next_update", DateTime(timezone=True), nullable=False),
    Column("delta", LargeBinary),
    Column("base", Integer),
    Index("crls_by_end", "issuer", "next_update"),
)
"""Every list that was ever issued stays: it proves what was published when."""


@lru_cache(maxsize=64)
def subject_of(certificate: bytes) -> bytes:
    """The encoded subject of a DER certificate."""
    return x509.load_der_x509_certificate(certificate).subject.public_bytes()


list_floors = Table(
    "list_floors",
    metadata,
    Column("issuer", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
)
"""Numbers below which no list is issued: after a restore some may have been used that nobody here knows
of."""


distrusted_units = Table(
    "distrusted_units",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("der", LargeBinary, nullable=False),
    Column("distrusted_at", DateTime(timezone=True), nullable=False),
)
"""Time-stamping units of others whose times prove nothing any more. Our own are revoked instead."""


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
        profile_version=row.profile_version,
        partition=row.partition,
        status=CertificateStatus(row.status),
        revoked_at=None if row.revoked_at is None else _aware(row.revoked_at),
        reason=None if row.reason is None else RevocationReason(row.reason),
        invalidity_date=None if row.invalidity_date is None else _aware(row.invalidity_date),
    )


_STANDING_COLUMNS = (
    certificates.c.serial,
    certificates.c.status,
    certificates.c.revoked_at,
    certificates.c.reason,
    certificates.c.invalidity_date,
)
_STANDING = select(*_STANDING_COLUMNS).where(
    certificates.c.serial == bindparam("serial"), certificates.c.issuer == bindparam("issuer")
)
_STATUSES = {status.value: status for status in CertificateStatus}
_REASONS = {reason.value: reason for reason in RevocationReason}


def _standing(row: Row[Any, Any, Any, Any, Any]) -> CertificateStanding:
    serial, status, revoked_at, reason, invalidity_date = row
    return CertificateStanding(
        int(serial, 16),
        _STATUSES[status],
        None if revoked_at is None else _aware(revoked_at),
        None if reason is None else _REASONS[reason],
        None if invalidity_date is None else _aware(invalidity_date),
    )


def _within(scope: ListScope) -> tuple[ColumnElement[bool], ...]:
    if scope.partition:
        return certificates.c.issuer == scope.issuer, certificates.c.partition == scope.partition
    return (certificates.c.issuer.in_((scope.issuer, *scope.generations)),)


def database_time(tx: Connection) -> datetime:
    """What the clock of PostgreSQL's machine shows now, not when the transaction began."""
    moment: datetime = tx.execute(select(func.clock_timestamp())).scalar_one()
    return _aware(moment)


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
                profile_version=record.profile_version,
                partition=record.partition,
                status=record.status.value,
            )
        )

    def by_serial(self, serial: int) -> CertificateRecord | None:
        return self._one(certificates.c.serial == f"{serial:x}")

    def by_name(self, name: str) -> CertificateRecord | None:
        return self._one(certificates.c.name == name)

    def by_digest(self, sha256: bytes) -> CertificateRecord | None:
        return self._one(certificates.c.sha256 == sha256)

    def all_of_key(self, key_id: str) -> list[CertificateRecord]:
        """Every certificate of one key, oldest first: a renewed CA has several, and cross-certificates."""
        query = (
            select(certificates)
            .where(certificates.c.key_id == key_id)
            .order_by(certificates.c.issued_at, certificates.c.serial)
        )
        return [_certificate(row) for row in self._connection.execute(query)]

    def issued_by(self, issuer: str, profile: ProfileName) -> list[bytes]:
        """SHA-256 of every certificate of a profile that ``issuer`` issued, oldest first."""
        query = (
            select(certificates.c.sha256)
            .where(certificates.c.issuer == issuer, certificates.c.profile == profile.value)
            .order_by(certificates.c.issued_at, certificates.c.serial)
        )
        return [bytes(digest) for digest in self._connection.scalars(query)]

    def standings(self, issuer: str, serials: Iterable[int]) -> dict[int, CertificateStanding]:
        """Those of ``serials`` that ``issuer`` issued. Nearly always it is one."""
        found = {}
        for serial in serials:
            row = self._connection.execute(
                _STANDING, {"issuer": issuer, "serial": f"{serial:x}"}
            ).one_or_none()
            if row is not None:
                found[serial] = _standing(row)
        return found

    def newest_good(self, profile: ProfileName, owner: str = "") -> CertificateRecord | None:
        """The good certificate that was issued last for this use, expired or not."""
        return next(iter(self.good(profile, owner, most=1)), None)

    def good(self, profile: ProfileName, owner: str = "", *, most: int = 8) -> list[CertificateRecord]:
        """The good certificates that were issued last for this use, expired or not, newest first."""
        is_good = certificates.c.status == CertificateStatus.GOOD.value
        of_use = (certificates.c.profile == profile.value, certificates.c.owner == owner)
        return self._latest(*of_use, is_good, most=most)

    def of_key(self, key_id: str, profile: ProfileName) -> CertificateRecord | None:
        """The certificate of this kind that was issued last for the key, whatever its status."""
        found = self._latest(certificates.c.key_id == key_id, certificates.c.profile == profile.value)
        return next(iter(found), None)

    def latest(self, profile: ProfileName, owner: str = "") -> CertificateRecord | None:
        """The certificate that was issued last for this use, whatever its status."""
        found = self._latest(certificates.c.profile == profile.value, certificates.c.owner == owner)
        return next(iter(found), None)

    def of_keys(self, key_ids: Sequence[str]) -> list[CertificateRecord]:
        """Every certificate of these keys whatever its status."""
        query = select(certificates).where(certificates.c.key_id.in_(key_ids))
        return [_certificate(row) for row in self._connection.execute(query)]

    def of_profile(self, profile: ProfileName) -> list[CertificateRecord]:
        """Every certificate of a profile whatever its status, oldest first."""
        query = (
            select(certificates)
            .where(certificates.c.profile == profile.value)
            .order_by(certificates.c.issued_at, certificates.c.serial)
        )
        return [_certificate(row) for row in self._connection.execute(query)]

    def links_of(self, key_ids: Iterable[str]) -> list[CertificateRecord]:
        """The good cross-certificates of these keys, oldest first."""
        query = (
            select(certificates)
            .where(
                certificates.c.key_id.in_(sorted(key_ids)),
                certificates.c.profile == ProfileName.CROSS.value,
                certificates.c.status == CertificateStatus.GOOD.value,
            )
            .order_by(certificates.c.issued_at, certificates.c.serial)
        )
        return [_certificate(row) for row in self._connection.execute(query)]

    def last_end(self, issuer: str) -> datetime | None:
        """When the last of the certificates ends that ``issuer`` issued to others."""
        moment = self._connection.scalar(
            select(func.max(certificates.c.not_after)).where(
                certificates.c.issuer == issuer, certificates.c.name != issuer
            )
        )
        return None if moment is None else _aware(moment)

    def certified_keys(self) -> frozenset[str]:
        """Ids of the keys that any certificate was ever issued for."""
        return frozenset(self._connection.scalars(select(certificates.c.key_id).distinct()))

    def open_partition(self, issuer: str, size: int) -> int:
        """Where the issuer's next certificate belongs: partitions are filled one after the other.

        Two who ask at the same time get the same, so that a partition may come to hold a few more.
        """
        of_issuer = certificates.c.issuer == issuer
        newest = self._connection.scalar(select(func.max(certificates.c.partition)).where(of_issuer)) or 1
        inside = select(func.count()).where(of_issuer, certificates.c.partition == newest)
        return newest if self._connection.execute(inside).scalar_one() < size else newest + 1

    def generations_beside(self, name: str) -> tuple[str, ...]:
        """The other CAs here whose subject is that of the CA ``name``: the same CA with another key."""
        this = self.by_name(name)
        if this is None:
            return ()
        beside = (record for record in self.of_profile(this.profile) if record.name != name)
        return tuple(record.name for record in beside if subject_of(record.der) == subject_of(this.der))

    def partitions(self, issuer: str) -> list[int]:
        """The partitions that hold certificates, in order."""
        query = (
            select(certificates.c.partition)
            .where(certificates.c.issuer == issuer, certificates.c.partition > 0)
            .distinct()
            .order_by(certificates.c.partition)
        )
        return list(self._connection.scalars(query))

    def not_good(self, scope: ListScope) -> Iterator[CertificateStanding]:
        """What belongs on the list, by serial. One at a time: there may be very many."""
        query = (
            select(*_STANDING_COLUMNS)
            .where(*_within(scope), certificates.c.status != CertificateStatus.GOOD.value)
            .order_by(certificates.c.serial)
        )
        yield from map(_standing, self._connection.execute(query))

    def released(self, scope: ListScope, since: datetime) -> list[int]:
        """Serials of what is good again, and changed to that at or after ``since``."""
        query = (
            select(certificates.c.serial)
            .where(
                *_within(scope),
                certificates.c.status == CertificateStatus.GOOD.value,
                certificates.c.status_changed_at >= since,
            )
            .order_by(certificates.c.serial)
        )
        return [int(serial, 16) for serial in self._connection.scalars(query)]

    def last_change(self, scope: ListScope) -> datetime | None:
        """When the status of any certificate in ``scope`` changed last."""
        moment = self._connection.scalar(
            select(func.max(certificates.c.status_changed_at)).where(*_within(scope))
        )
        return None if moment is None else _aware(moment)

    def set_status(
        self,
        serial: int,
        *,
        was: CertificateRecord,
        at: datetime,
        status: CertificateStatus,
        revoked_at: datetime | None,
        reason: RevocationReason | None,
        invalidity_date: datetime | None,
    ) -> bool:
        """Change the status if it still is ``was``; False when another process was first."""
        changed = self._connection.execute(
            update(certificates)
            .where(
                certificates.c.serial == f"{serial:x}",
                certificates.c.status == was.status.value,
                certificates.c.reason.is_not_distinct_from(was.reason and was.reason.value),
                certificates.c.invalidity_date.is_not_distinct_from(was.invalidity_date),
            )
            .values(
                status=status.value,
                revoked_at=revoked_at,
                reason=None if reason is None else reason.value,
                invalidity_date=invalidity_date,
                status_changed_at=at,
            )
        )
        return changed.rowcount == 1

    def _latest(self, *conditions: ColumnElement[bool], most: int = 1) -> list[CertificateRecord]:
        query = (
            select(certificates)
            .where(*conditions)
            .order_by(certificates.c.issued_at.desc(), certificates.c.serial.desc())
            .limit(most)
        )
        return [_certificate(row) for row in self._connection.execute(query)]

    def _one(self, condition: Any) -> CertificateRecord | None:
        row = self._connection.execute(select(certificates).where(condition)).one_or_none()
        return None if row is None else _certificate(row)


class Crls:
    """Every revocation list ever issued, inside the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, record: CrlRecord) -> None:
        """Raises ``sqlalchemy.exc.IntegrityError`` when the scope already has a list with this number."""
        self._connection.execute(
            insert(crls).values(
                issuer=ListScope(record.issuer, record.partition).name,
                number=record.number,
                der=record.der,
                this_update=record.this_update,
                next_update=record.next_update,
                delta=record.delta,
                base=record.base,
            )
        )

    def latest(self, scope: ListScope) -> CrlRecord | None:
        return self._first(scope, true(), crls.c.number.desc())

    def oldest_current(self, scope: ListScope, now: datetime) -> CrlRecord | None:
        """The oldest list that somebody may still rely on at ``now``."""
        return self._first(scope, crls.c.next_update > now, crls.c.next_update, crls.c.number)

    def last_number(self, scope: ListScope) -> int:
        """The highest number that is taken, or must be taken for such; 0 when there is no list yet."""
        issued = self._connection.scalar(select(func.max(crls.c.number)).where(crls.c.issuer == scope.name))
        floor = self._connection.scalar(
            select(list_floors.c.number).where(list_floors.c.issuer == scope.name)
        )
        return max(issued or 0, floor or 0)

    def last_numbers(self) -> dict[str, int]:
        """The highest number of every list that was ever issued, by :attr:`ca.model.ListScope.name`."""
        query = select(crls.c.issuer, func.max(crls.c.number).label("number")).group_by(crls.c.issuer)
        return {row.issuer: row.number for row in self._connection.execute(query)}

    def raise_floor(self, name: str, number: int) -> None:
        """Take every number up to ``number`` for used. It is only ever raised."""
        self._connection.execute(
            delete(list_floors).where(list_floors.c.issuer == name, list_floors.c.number < number)
        )
        if self._connection.execute(select(list_floors).where(list_floors.c.issuer == name)).first() is None:
            self._connection.execute(insert(list_floors).values(issuer=name, number=number))

    def newest_period(self, scope: ListScope) -> tuple[datetime, datetime] | None:
        """thisUpdate and nextUpdate of the latest list; the list itself is not read."""
        query = select(crls.c.this_update, crls.c.next_update).where(crls.c.issuer == scope.name)
        row = self._connection.execute(query.order_by(crls.c.number.desc()).limit(1)).one_or_none()
        return None if row is None else (_aware(row.this_update), _aware(row.next_update))

    def first_since(self, scope: ListScope, moment: datetime) -> datetime | None:
        """thisUpdate of the first list from ``moment`` on."""
        query = select(func.min(crls.c.this_update)).where(
            crls.c.issuer == scope.name,
            crls.c.next_update > moment,  # true of all of them, and what the index knows
            crls.c.this_update >= moment,
        )
        found = self._connection.scalar(query)
        return None if found is None else _aware(found)

    def _first(
        self, scope: ListScope, condition: ColumnElement[bool], *order: ColumnElement[Any]
    ) -> CrlRecord | None:
        query = select(crls).where(crls.c.issuer == scope.name, condition).order_by(*order).limit(1)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        return CrlRecord(
            issuer=scope.issuer,
            number=row.number,
            der=bytes(row.der),
            this_update=_aware(row.this_update),
            next_update=_aware(row.next_update),
            partition=scope.partition,
            delta=None if row.delta is None else bytes(row.delta),
            base=row.base,
        )


class DistrustedUnits:
    """Foreign time-stamping units that an operator distrusts, inside the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, sha256: bytes, certificate: bytes, *, at: datetime) -> bool:
        """False when it was distrusted already."""
        if self.since(sha256) is not None:
            return False
        self._connection.execute(
            insert(distrusted_units).values(sha256=sha256, der=certificate, distrusted_at=at)
        )
        return True

    def remove(self, sha256: bytes, *, by: datetime) -> bool:
        """Whether it was distrusted, by then, and is not any more."""
        since = self.since(sha256)
        if since is None or since.replace(microsecond=0) > by:
            return False
        self._connection.execute(delete(distrusted_units).where(distrusted_units.c.sha256 == sha256))
        return True

    def since(self, sha256: bytes) -> datetime | None:
        """From when the certificate with this SHA-256 is distrusted; None when it is not."""
        query = select(distrusted_units.c.distrusted_at).where(distrusted_units.c.sha256 == sha256)
        moment = self._connection.scalar(query)
        return None if moment is None else _aware(moment)

    def all(self) -> dict[bytes, bytes]:
        """DER certificates by their SHA-256."""
        rows = self._connection.execute(
            select(distrusted_units.c.sha256, distrusted_units.c.der).order_by(distrusted_units.c.sha256)
        )
        return {bytes(row.sha256): bytes(row.der) for row in rows}
