"""All SQL of privacy requests. Details are sealed by the caller; times are aware UTC at this edge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from identity.people.privacy import UNFINISHED, PrivacyRequest, Refusal, RequestKind, RequestState
from identity.people.tables import maybe_utc, privacy_requests, utc

_UNFINISHED = sorted(state.value for state in UNFINISHED)


@dataclass(frozen=True, slots=True, repr=False)
class StoredRequest:
    """A request beside its sealed details."""

    request: PrivacyRequest
    sealed_details: bytes | None


class RequestTable:
    """Privacy requests within one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, request: PrivacyRequest, sealed_details: bytes | None) -> None:
        """Raises ``sqlalchemy.exc.IntegrityError`` when the same one is open already."""
        is_open = request.state in UNFINISHED
        self._tx.execute(
            insert(privacy_requests).values(
                id=request.id,
                person_id=request.person_id,
                kind=request.kind.value,
                state=request.state.value,
                target=request.target,
                details=sealed_details if is_open else None,
                received_at=request.received_at,
                due_at=request.due_at,
                executes_at=request.executes_at,
                closed_at=request.closed_at,
                decided_by=request.decided_by,
                refusal=request.refusal,
                open_key=_open_key(request.person_id, request.kind, request.target) if is_open else None,
            )
        )

    def get(self, request_id: str) -> StoredRequest | None:
        row = self._tx.execute(
            select(privacy_requests).where(privacy_requests.c.id == request_id)
        ).one_or_none()
        return _stored(row) if row else None

    def has_open(self, person_id: str, kind: RequestKind, target: str) -> bool:
        query = select(privacy_requests.c.id).where(
            privacy_requests.c.open_key == _open_key(person_id, kind, target)
        )
        return self._tx.execute(query).one_or_none() is not None

    def of(self, person_id: str) -> list[StoredRequest]:
        """Newest first."""
        query = (
            select(privacy_requests)
            .where(privacy_requests.c.person_id == person_id)
            .order_by(privacy_requests.c.received_at.desc(), privacy_requests.c.id)
        )
        return [_stored(row) for row in self._tx.execute(query)]

    def unfinished(self, *, due_before: datetime | None = None, most: int) -> list[StoredRequest]:
        """Those that are due first, first."""
        query = select(privacy_requests).where(privacy_requests.c.state.in_(_UNFINISHED))
        if due_before is not None:
            query = query.where(privacy_requests.c.due_at < due_before)
        query = query.order_by(privacy_requests.c.due_at, privacy_requests.c.id).limit(most)
        return [_stored(row) for row in self._tx.execute(query)]

    def to_execute(self, now: datetime, *, most: int) -> list[PrivacyRequest]:
        """Waiting erasures whose time has come."""
        query = (
            select(privacy_requests)
            .where(
                privacy_requests.c.state == RequestState.WAITING.value,
                privacy_requests.c.executes_at <= now,
            )
            .order_by(privacy_requests.c.executes_at, privacy_requests.c.id)
            .limit(most)
        )
        return [_stored(row).request for row in self._tx.execute(query)]

    def close(
        self,
        request_id: str,
        state: RequestState,
        *,
        at: datetime,
        decided_by: str,
        refusal: Refusal | None = None,
        among: Iterable[RequestState] = UNFINISHED,
    ) -> bool:
        """End a request whose state is ``among`` these; False when somebody else did. Its details go."""
        result = self._tx.execute(
            update(privacy_requests)
            .where(
                privacy_requests.c.id == request_id,
                privacy_requests.c.state.in_([one.value for one in among]),
            )
            .values(
                state=state.value,
                closed_at=at,
                decided_by=decided_by,
                refusal=refusal,
                details=None,
                open_key=None,
            )
        )
        return result.rowcount == 1

    def close_all(self, person_id: str, state: RequestState, *, at: datetime, decided_by: str) -> None:
        """End what is unfinished of a person."""
        self._tx.execute(
            update(privacy_requests)
            .where(privacy_requests.c.person_id == person_id, privacy_requests.c.state.in_(_UNFINISHED))
            .values(state=state.value, closed_at=at, decided_by=decided_by, details=None, open_key=None)
        )

    def hand_over(self, request_id: str) -> bool:
        """A waiting request becomes an officer's to decide."""
        result = self._tx.execute(
            update(privacy_requests)
            .where(
                privacy_requests.c.id == request_id,
                privacy_requests.c.state == RequestState.WAITING.value,
            )
            .values(state=RequestState.OPEN.value, executes_at=None)
        )
        return result.rowcount == 1

    def discard(self, before: datetime) -> int:
        """Delete what was closed before then; returns how many."""
        return self._tx.execute(
            delete(privacy_requests).where(privacy_requests.c.closed_at < before)
        ).rowcount


def _open_key(person_id: str, kind: RequestKind, target: str) -> str:
    return f"{person_id}/{kind}/{target}"


def _stored(row: Row[Any]) -> StoredRequest:
    request = PrivacyRequest(
        id=row.id,
        person_id=row.person_id,
        kind=RequestKind(row.kind),
        state=RequestState(row.state),
        target=row.target,
        received_at=utc(row.received_at),
        due_at=utc(row.due_at),
        executes_at=maybe_utc(row.executes_at),
        closed_at=maybe_utc(row.closed_at),
        decided_by=row.decided_by,
        refusal=None if row.refusal is None else Refusal(row.refusal),
    )
    return StoredRequest(request, None if row.details is None else bytes(row.details))
