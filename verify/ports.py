"""What verification needs from others. Nothing here may reach ``keys``: the public process has no key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

Clock = Callable[[], datetime]
"""Returns the current time, aware, in UTC."""


@dataclass(frozen=True, slots=True)
class PublicRecord:
    """What anyone may know about a document. Holder names of persons arrive here already masked.

    ``state`` is one of ``issued``, ``superseded``, ``revoked``; ``state_reason`` a code of
    :class:`signing.model.StateReason`.
    """

    id: str
    type: str
    number: str
    title: str
    holder: str | None
    issuer: str
    signatory: str
    issued_on: date
    valid_until: date | None
    state: str
    is_sample: bool
    issued_at: datetime
    state_changed_at: datetime | None
    state_reason: str | None
    superseded_by: str | None
    sealed_digest: bytes


class IssuedDocuments(Protocol):
    """Look-up of released documents. Pending and refused ones do not exist here."""

    def by_ids(self, ids: Sequence[str]) -> dict[str, PublicRecord]:
        """Known documents among ``ids``, by id, in one query."""
        ...

    def by_digest(self, sha256: bytes) -> PublicRecord | None:
        """The document whose sealed file has this SHA-256."""
        ...
