"""All SQL of the sealing slice. Key-free: the public process reads issued documents through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, false, insert, or_, select, text, update

from signing.archive import ArchiveStamp
from signing.model import Document, DocumentState, Release, SealedBy, SealRecord, StateReason
from signing.rows import (
    RELEASE,
    RELEASED_BY_DIGEST,
    RELEASED_BY_ID,
    SEAL_RECORD,
    aware,
    document_of,
    release_of,
    seal_record_of,
    values_of,
)
from signing.schema import PENDING, archive_stamps, archived_documents, documents, metadata

__all__ = ["DocumentTable", "archive_stamps", "archived_documents", "documents", "metadata"]


class DocumentTable:
    """Documents within one transaction. Every change of state is conditional on the state it leaves."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def reserve(self, document: Document, *, lease_token: str) -> int:
        """Insert the intent and return its status index.

        Raises ``sqlalchemy.exc.IntegrityError`` when the client used this idempotency key before.
        """
        values = values_of(document) | {"lease_token": lease_token}
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
                text(f"documents.{PENDING}"),
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
        return {row.id: document_of(row) for row in rows}

    def by_id(self, document_id: str) -> Document | None:
        row = self._tx.execute(select(documents).where(documents.c.id == document_id)).one_or_none()
        return None if row is None else document_of(row)

    def released(self, ids: Sequence[str]) -> dict[str, Release]:
        """Released documents among ``ids``, in one query."""
        found = self._tx.execute(RELEASED_BY_ID[self._tx.dialect.name], {"ids": list(ids)})
        return {row[0]: release_of(row) for row in found}

    def released_by_digest(self, sealed_digest: bytes) -> Release | None:
        """The released document whose file has this SHA-256."""
        row = self._tx.execute(RELEASED_BY_DIGEST, {"digest": sealed_digest}).first()
        return None if row is None else release_of(row)

    def of_holder(self, fingerprint: bytes, *, before: int | None, limit: int) -> list[tuple[int, Release]]:
        """What was released to a person, newest first, with its status index; samples are nobody's."""
        conditions = [documents.c.holder_fingerprint == fingerprint, documents.c.is_sample.is_(False)]
        if before is not None:
            conditions.append(documents.c.status_index < before)
        rows = self._tx.execute(
            RELEASE.add_columns(documents.c.status_index)
            .where(*conditions)
            .order_by(documents.c.status_index.desc())
            .limit(limit)
        )
        return [(row[-1], release_of(row)) for row in rows]

    def by_idempotency_key(self, client_id: str, key: str) -> Document | None:
        row = self._tx.execute(
            select(documents).where(documents.c.client_id == client_id, documents.c.idempotency_key == key)
        ).one_or_none()
        return None if row is None else document_of(row)

    def unfinished(self, *, now: datetime, limit: int) -> list[Document]:
        """Pending documents that nobody works on and whose next attempt is due: fewest attempts first."""
        rows = self._tx.execute(
            select(documents)
            .where(
                text(f"documents.{PENDING}"),
                or_(documents.c.lease_until.is_(None), documents.c.lease_until < now),
                or_(documents.c.retry_at.is_(None), documents.c.retry_at < now),
            )
            .order_by(documents.c.attempts, documents.c.status_index)
            .limit(limit)
        )
        return [document_of(row) for row in rows]

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
            select(*SEAL_RECORD)
            .where(
                or_(false(), *stand_on),
                documents.c.status_index > after,
                state == DocumentState.ISSUED.value if in_force else state != DocumentState.PENDING.value,
            )
            .order_by(documents.c.status_index)
            .limit(limit)
        ).all()
        again = self._archived([row.status_index for row in rows])
        return [seal_record_of(row, again.get(row.status_index, ())) for row in rows]

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
            found[index] = (*found.get(index, ()), (aware(at), bytes(unit)))
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
        return [document_of(row) for row in rows]

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
