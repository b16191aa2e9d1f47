"""All SQL of the sealing slice. Key-free: the public process reads issued documents through it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    UniqueConstraint,
    and_,
    any_,
    bindparam,
    false,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from signing.archive import ArchiveStamp
from signing.model import (
    Document,
    DocumentFacts,
    DocumentState,
    Holder,
    HolderKind,
    Release,
    SealedBy,
    SealRecord,
    StampPlace,
    StateReason,
)

metadata = MetaData()

_PENDING = f"state = '{DocumentState.PENDING.value}'"

documents = Table(
    "documents",
    metadata,
    Column(
        "status_index", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    Column("id", String(16), nullable=False, unique=True),
    Column("agency_id", String(64), nullable=False),
    Column("client_id", String(64), nullable=False),
    Column("issuer_name", String(200), nullable=False),
    Column("type", String(40), nullable=False),
    Column("number", String(80), nullable=False),
    Column("title", String(160), nullable=False),
    Column("signatory", String(120), nullable=False),
    Column("issued_on", Date, nullable=False),
    Column("valid_until", Date),
    Column("holder_name", String(160)),
    Column("holder_kind", String(16)),
    Column("holder_fingerprint", LargeBinary(32)),
    Column("place", String(200)),
    Column("supersedes", String(16)),
    Column("is_sample", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("source_digest", LargeBinary(32), nullable=False),
    Column("source_size", BigInteger, nullable=False),
    Column("idempotency_key", String(128)),
    Column("request_digest", LargeBinary(32)),
    Column("lease_token", String(32)),
    Column("lease_until", DateTime(timezone=True)),
    Column("issued_at", DateTime(timezone=True)),
    Column("sealed_digest", LargeBinary(32)),
    Column("sealed_size", BigInteger),
    Column("receipt", LargeBinary),
    Column("state_changed_at", DateTime(timezone=True)),
    Column("state_reason", String(32)),
    Column("superseded_by", String(16)),
    Column("refusal", String(500)),
    Column("refusal_kind", String(64)),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", DateTime(timezone=True)),
    Column("authorised_by", String(64)),
    Column("seal_certificate", LargeBinary(32)),
    Column("unit_certificate", LargeBinary(32)),
    Column("stamped_at", DateTime(timezone=True)),
    UniqueConstraint("client_id", "idempotency_key", name="uq_documents_client_idempotency_key"),
    Index("ix_documents_sealed_digest", "sealed_digest"),
    Index("ix_documents_agency_id_status_index", "agency_id", "status_index"),
    Index("ix_documents_holder_fingerprint_status_index", "holder_fingerprint", "status_index"),
    Index("ix_documents_seal_certificate_status_index", "seal_certificate", "status_index"),
    Index("ix_documents_unit_certificate_status_index", "unit_certificate", "status_index"),
    # Pending documents only, written out so that a planner sees it. Over all states it would tempt a planner
    # without statistics to find released documents by their state, which is nearly every document.
    Index(
        "ix_documents_pending", "lease_until", sqlite_where=text(_PENDING), postgresql_where=text(_PENDING)
    ),
)

archive_stamps = Table(
    "archive_stamps",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("token", LargeBinary, nullable=False),
    Column("stamped_at", DateTime(timezone=True), nullable=False),
    Column("unit_certificate", LargeBinary(32), nullable=False),
)
"""Time-stamps over hash trees of sealed files (RFC 4998): one for thousands of documents."""

archived_documents = Table(
    "archived_documents",
    metadata,
    Column("status_index", BigInteger, ForeignKey("documents.status_index"), primary_key=True),
    Column("stamp_id", String(32), ForeignKey("archive_stamps.id"), primary_key=True),
    Column("path", LargeBinary, nullable=False),
    Index("ix_archived_documents_stamp_id_status_index", "stamp_id", "status_index"),
)

# Prepared once: building a statement costs as much as running it, and look-ups are the busiest query.
_column = documents.c
_RELEASE = select(
    _column.id,
    _column.type,
    _column.number,
    _column.title,
    _column.holder_name,
    _column.issuer_name,
    _column.signatory,
    _column.issued_on,
    _column.valid_until,
    _column.state,
    _column.is_sample,
    _column.issued_at,
    _column.state_changed_at,
    _column.state_reason,
    _column.superseded_by,
    _column.sealed_digest,
    _column.seal_certificate,
    _column.unit_certificate,
    _column.stamped_at,
).where(
    _column.state.in_(
        [DocumentState.ISSUED.value, DocumentState.SUPERSEDED.value, DocumentState.REVOKED.value]
    )
)
# A list as one parameter: the statement stays the same, and so prepared, however many ids are asked for.
_RELEASED_BY_ID = {
    "postgresql": _RELEASE.where(_column.id == any_(bindparam("ids", type_=ARRAY(String)))),
    "sqlite": _RELEASE.where(
        _column.id.in_(select(func.json_each(bindparam("ids", type_=JSON)).table_valued("value").c.value))
    ),
}
_RELEASED_BY_DIGEST = _RELEASE.where(_column.sealed_digest == bindparam("digest"))


class DocumentTable:
    """Documents within one transaction. Every change of state is conditional on the state it leaves."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def reserve(self, document: Document, *, lease_token: str) -> int:
        """Insert the intent and return its status index.

        Raises ``sqlalchemy.exc.IntegrityError`` when the client used this idempotency key before.
        """
        values = _values(document) | {"lease_token": lease_token}
        result = self._tx.execute(insert(documents).values(values))
        assert result.inserted_primary_key is not None
        return int(result.inserted_primary_key[0])

    def claim(
        self, document_id: str, *, lease_token: str, now: datetime, until: datetime, retry_at: datetime
    ) -> bool:
        """Take over a pending document whose worker is gone. False when somebody else holds it.

        The attempt is counted before it begins, so that a document that kills its worker is counted too;
        until ``retry_at`` :meth:`unfinished` leaves it out.
        """
        result = self._tx.execute(
            update(documents)
            .where(
                documents.c.id == document_id,
                text(f"documents.{_PENDING}"),
                or_(documents.c.lease_until.is_(None), documents.c.lease_until < now),
            )
            .values(
                lease_token=lease_token,
                lease_until=until,
                retry_at=retry_at,
                attempts=documents.c.attempts + 1,
            )
        )
        return bool(result.rowcount)

    def give_back(self, document_id: str, *, lease_token: str) -> bool:
        """End a lease whose holder failed: the caller's retry need not wait for its time."""
        return self._conclude(document_id, lease_token)

    def issue(
        self,
        document_id: str,
        *,
        lease_token: str,
        issued_at: datetime,
        sealed_digest: bytes,
        sealed_size: int,
        receipt: bytes,
        sealed_by: SealedBy,
    ) -> bool:
        """Commit the outcome. False when another worker took the job over: then this result is void."""
        return self._conclude(
            document_id,
            lease_token,
            state=DocumentState.ISSUED,
            issued_at=issued_at,
            sealed_digest=sealed_digest,
            sealed_size=sealed_size,
            receipt=receipt,
            seal_certificate=sealed_by.certificate,
            unit_certificate=sealed_by.unit,
            stamped_at=sealed_by.stamped_at,
        )

    def refuse(self, document_id: str, *, lease_token: str, kind: str, refusal: str, at: datetime) -> bool:
        """Commit that the job cannot be done. False when another worker took the job over."""
        return self._conclude(
            document_id,
            lease_token,
            state=DocumentState.REFUSED,
            refusal=refusal[:500],
            refusal_kind=kind,
            state_changed_at=at,
        )

    def withdraw(
        self,
        document_id: str,
        *,
        state: DocumentState,
        reason: StateReason,
        at: datetime,
        superseded_by: str | None = None,
    ) -> bool:
        """Revoke or supersede a document. False when its state does not allow that any more."""
        origins = [DocumentState.ISSUED]
        if state is DocumentState.REVOKED:
            origins.append(DocumentState.SUPERSEDED)
        result = self._tx.execute(
            update(documents)
            .where(documents.c.id == document_id, documents.c.state.in_(origins))
            .values(state=state, state_reason=reason, state_changed_at=at, superseded_by=superseded_by)
        )
        return bool(result.rowcount)

    def locked(self, ids: Sequence[str]) -> dict[str, Document]:
        """Those of ``ids`` that exist; they do not change before the transaction ends.

        Locked in one order whoever asks, so that two transactions never wait for each other.
        """
        rows = self._tx.execute(
            select(documents).where(documents.c.id.in_(ids)).order_by(documents.c.id).with_for_update()
        )
        return {row.id: _document(row) for row in rows}

    def by_id(self, document_id: str) -> Document | None:
        row = self._tx.execute(select(documents).where(documents.c.id == document_id)).one_or_none()
        return None if row is None else _document(row)

    def released(self, ids: Sequence[str]) -> dict[str, Release]:
        """Released documents among ``ids``, in one query."""
        found = self._tx.execute(_RELEASED_BY_ID[self._tx.dialect.name], {"ids": list(ids)})
        return {row[0]: _release(row) for row in found}

    def released_by_digest(self, sealed_digest: bytes) -> Release | None:
        """The released document whose file has this SHA-256."""
        row = self._tx.execute(_RELEASED_BY_DIGEST, {"digest": sealed_digest}).first()
        return None if row is None else _release(row)

    def of_holder(self, fingerprint: bytes, *, before: int | None, limit: int) -> list[tuple[int, Release]]:
        """What was released to a person, newest first, with its status index; samples are nobody's."""
        conditions = [_column.holder_fingerprint == fingerprint, _column.is_sample.is_(False)]
        if before is not None:
            conditions.append(_column.status_index < before)
        rows = self._tx.execute(
            _RELEASE.add_columns(_column.status_index)
            .where(*conditions)
            .order_by(_column.status_index.desc())
            .limit(limit)
        )
        return [(row[-1], _release(row)) for row in rows]

    def by_idempotency_key(self, client_id: str, key: str) -> Document | None:
        row = self._tx.execute(
            select(documents).where(documents.c.client_id == client_id, documents.c.idempotency_key == key)
        ).one_or_none()
        return None if row is None else _document(row)

    def unfinished(self, *, now: datetime, limit: int) -> list[Document]:
        """Pending documents that nobody works on and whose next attempt is due: fewest attempts first."""
        rows = self._tx.execute(
            select(documents)
            .where(
                text(f"documents.{_PENDING}"),
                or_(documents.c.lease_until.is_(None), documents.c.lease_until < now),
                or_(documents.c.retry_at.is_(None), documents.c.retry_at < now),
            )
            .order_by(documents.c.attempts, documents.c.status_index)
            .limit(limit)
        )
        return [_document(row) for row in rows]

    def resting_on(
        self,
        *,
        seals: Sequence[bytes] = (),
        units: Sequence[bytes] = (),
        archived: Sequence[bytes] = (),
        in_force: bool = False,
        after: int,
        limit: int,
    ) -> list[SealRecord]:
        """Released documents behind status index ``after`` that were sealed under one of the certificates
        ``seals``, stamped under one of ``units``, or stamped again under one of ``archived`` (SHA-256 each),
        oldest first; with ``in_force`` only those in state issued.
        """
        stand_on: list[ColumnElement[bool]] = [documents.c.seal_certificate.in_(seals)] if seals else []
        stand_on += [documents.c.unit_certificate.in_(units)] if units else []
        if archived:
            stamped_again = (
                select(archived_documents.c.status_index)
                .join_from(archived_documents, archive_stamps)
                .where(archive_stamps.c.unit_certificate.in_(archived))
            )
            stand_on.append(documents.c.status_index.in_(stamped_again))
        state = documents.c.state
        rows = self._tx.execute(
            select(*_SEAL_RECORD)
            .where(
                or_(false(), *stand_on),
                documents.c.status_index > after,
                state == DocumentState.ISSUED.value if in_force else state != DocumentState.PENDING.value,
            )
            .order_by(documents.c.status_index)
            .limit(limit)
        ).all()
        again = self._archived([row.status_index for row in rows])
        return [_seal_record(row, again.get(row.status_index, ())) for row in rows]

    def archived(self, document_id: str) -> tuple[tuple[datetime, bytes], ...]:
        """When a document was stamped again, and under which certificates."""
        index = self._tx.scalar(select(documents.c.status_index).where(documents.c.id == document_id))
        return () if index is None else self._archived([index]).get(index, ())

    def _archived(self, indexes: Sequence[int]) -> dict[int, tuple[tuple[datetime, bytes], ...]]:
        found: dict[int, tuple[tuple[datetime, bytes], ...]] = {}
        if not indexes:
            return found
        rows = self._tx.execute(
            select(
                archived_documents.c.status_index,
                archive_stamps.c.stamped_at,
                archive_stamps.c.unit_certificate,
            )
            .join_from(archived_documents, archive_stamps)
            .where(archived_documents.c.status_index.in_(indexes))
            .order_by(archive_stamps.c.stamped_at)
        )
        for index, at, unit in rows:
            found[index] = (*found.get(index, ()), (_aware(at), bytes(unit)))
        return found

    def archive(self, stamp: ArchiveStamp, paths: Mapping[int, bytes]) -> None:
        """Keep a time-stamp over many documents: ``paths`` lead from each to it, by status index.

        Raises ``sqlalchemy.exc.IntegrityError`` when this very stamp is kept already.
        """
        self._tx.execute(
            insert(archive_stamps).values(
                id=stamp.id, token=stamp.token, stamped_at=stamp.at, unit_certificate=stamp.unit
            )
        )
        self._tx.execute(
            insert(archived_documents),
            [{"status_index": index, "stamp_id": stamp.id, "path": path} for index, path in paths.items()],
        )

    def evidence_of(self, document_id: str) -> list[tuple[bytes, bytes]]:
        """The token and the path to it of every time a document was stamped again, oldest first."""
        rows = self._tx.execute(
            select(archive_stamps.c.token, archived_documents.c.path)
            .select_from(documents)
            .join(archived_documents, archived_documents.c.status_index == documents.c.status_index)
            .join(archive_stamps, archive_stamps.c.id == archived_documents.c.stamp_id)
            .where(documents.c.id == document_id)
            .order_by(archive_stamps.c.stamped_at)
        )
        return [(bytes(token), bytes(path)) for token, path in rows]

    def page(
        self,
        agency_id: str,
        *,
        before: int | None,
        limit: int,
        type_code: str | None = None,
        state: DocumentState | None = None,
        number: str | None = None,
        issued_from: date | None = None,
        issued_to: date | None = None,
    ) -> list[Document]:
        """An agency's documents, newest first, older than status index ``before``."""
        conditions = [documents.c.agency_id == agency_id]
        if before is not None:
            conditions.append(documents.c.status_index < before)
        if type_code is not None:
            conditions.append(documents.c.type == type_code)
        if state is not None:
            conditions.append(documents.c.state == state)
        if number is not None:
            conditions.append(documents.c.number == number)
        if issued_from is not None:
            conditions.append(documents.c.issued_on >= issued_from)
        if issued_to is not None:
            conditions.append(documents.c.issued_on <= issued_to)
        rows = self._tx.execute(
            select(documents).where(and_(*conditions)).order_by(documents.c.status_index.desc()).limit(limit)
        )
        return [_document(row) for row in rows]

    def _conclude(self, document_id: str, lease_token: str, **values: Any) -> bool:
        result = self._tx.execute(
            update(documents)
            .where(
                documents.c.id == document_id,
                documents.c.state == DocumentState.PENDING,
                documents.c.lease_token == lease_token,
            )
            .values(lease_token=None, lease_until=None, **values)
        )
        return bool(result.rowcount)


def _values(document: Document) -> dict[str, Any]:
    facts = document.facts
    return {
        "id": document.id,
        "agency_id": document.agency_id,
        "client_id": document.client_id,
        "issuer_name": document.issuer_name,
        "type": facts.type,
        "number": facts.number,
        "title": facts.title,
        "signatory": facts.signatory,
        "issued_on": facts.issued_on,
        "valid_until": facts.valid_until,
        "holder_name": facts.holder.name if facts.holder else None,
        "holder_kind": facts.holder.kind if facts.holder else None,
        "holder_fingerprint": facts.holder.fingerprint if facts.holder else None,
        "place": json.dumps(asdict(facts.place)) if facts.place else None,
        "supersedes": facts.supersedes,
        "is_sample": document.is_sample,
        "state": document.state,
        "created_at": document.created_at,
        "source_digest": document.source_digest,
        "source_size": document.source_size,
        "idempotency_key": document.idempotency_key,
        "request_digest": document.request_digest,
        "lease_until": document.lease_until,
        "attempts": document.attempts,
        "authorised_by": document.authorised_by,
    }


_SEAL_RECORD = (
    _column.status_index,
    _column.id,
    _column.agency_id,
    _column.type,
    _column.number,
    _column.state,
    _column.is_sample,
    _column.valid_until,
    _column.issued_at,
    _column.sealed_digest,
    _column.seal_certificate,
    _column.unit_certificate,
    _column.stamped_at,
    _column.superseded_by,
    _column.holder_fingerprint,
)


def _seal_record(row: Any, archived: tuple[tuple[datetime, bytes], ...]) -> SealRecord:
    sealed_by = _sealed_by(row.seal_certificate, row.unit_certificate, row.stamped_at)
    assert sealed_by is not None
    return SealRecord(
        cursor=row.status_index,
        id=row.id,
        agency_id=row.agency_id,
        type=row.type,
        number=row.number,
        state=DocumentState(row.state),
        is_sample=row.is_sample,
        valid_until=row.valid_until,
        issued_at=_aware(row.issued_at),
        sealed_digest=bytes(row.sealed_digest),
        sealed_by=sealed_by,
        superseded_by=row.superseded_by,
        holder=row.holder_fingerprint,
        archived=archived,
    )


def _document(row: Row[Any]) -> Document:
    return Document(
        id=row.id,
        agency_id=row.agency_id,
        issuer_name=row.issuer_name,
        client_id=row.client_id,
        facts=DocumentFacts(
            type=row.type,
            number=row.number,
            title=row.title,
            signatory=row.signatory,
            issued_on=row.issued_on,
            valid_until=row.valid_until,
            holder=_holder(row),
            place=StampPlace(**json.loads(row.place)) if row.place else None,
            supersedes=row.supersedes,
        ),
        state=DocumentState(row.state),
        created_at=_aware(row.created_at),
        source_digest=row.source_digest,
        source_size=row.source_size,
        status_index=row.status_index,
        is_sample=row.is_sample,
        idempotency_key=row.idempotency_key,
        request_digest=row.request_digest,
        lease_until=_aware_or_none(row.lease_until),
        issued_at=_aware_or_none(row.issued_at),
        sealed_digest=row.sealed_digest,
        sealed_size=row.sealed_size,
        receipt=row.receipt,
        state_changed_at=_aware_or_none(row.state_changed_at),
        state_reason=StateReason(row.state_reason) if row.state_reason else None,
        superseded_by=row.superseded_by,
        refusal=row.refusal,
        refusal_kind=row.refusal_kind,
        attempts=row.attempts,
        authorised_by=row.authorised_by,
        sealed_by=_sealed_by(row.seal_certificate, row.unit_certificate, row.stamped_at),
    )


def _sealed_by(certificate: bytes | None, unit: bytes | None, stamped_at: datetime | None) -> SealedBy | None:
    if certificate is None or unit is None or stamped_at is None:
        return None
    return SealedBy(bytes(certificate), bytes(unit), _aware(stamped_at))


def _holder(row: Row[Any]) -> Holder | None:
    if not row.holder_name:
        return None
    return Holder(row.holder_name, HolderKind(row.holder_kind), row.holder_fingerprint)


def _release(row: Sequence[Any]) -> Release:
    # By position: looking nineteen columns up by name costs more than the query.
    return Release(
        id=row[0],
        type=row[1],
        number=row[2],
        title=row[3],
        holder=row[4],
        issuer=row[5],
        signatory=row[6],
        issued_on=row[7],
        valid_until=row[8],
        state=row[9],
        is_sample=row[10],
        issued_at=_aware(row[11]),
        state_changed_at=_aware_or_none(row[12]),
        state_reason=row[13],
        superseded_by=row[14],
        sealed_digest=row[15],
        sealed_by=_sealed_by(row[16], row[17], row[18]),
    )


def _aware(value: datetime) -> datetime:
    """SQLite keeps no time zone; everything that is stored is UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _aware_or_none(value: datetime | None) -> datetime | None:
    return None if value is None else _aware(value)
