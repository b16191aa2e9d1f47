"""What verification needs from others. Nothing here may reach ``keys``: the public process has no key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from signing.model import Release

Clock = Callable[[], datetime]
"""Returns the current time, aware, in UTC."""


class IssuedDocuments(Protocol):
    """Look-up of released documents. Pending and refused ones do not exist here."""

    def by_ids(self, ids: Sequence[str]) -> dict[str, Release]:
        """Known documents among ``ids``, by id, in one query."""
        ...

    def by_digest(self, sha256: bytes) -> Release | None:
        """The document whose sealed file has this SHA-256."""
        ...
