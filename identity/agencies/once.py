"""What may be presented once: client assertions and DPoP proofs, remembered until they expire."""

from __future__ import annotations

from datetime import datetime

from identity.agencies.tables import SeenTokenTable
from identity.ports import Begin, Clock


class OnceOnly:
    """Across all processes: the database's primary key decides. Safe to share between threads."""

    def __init__(self, *, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    def is_first(self, digest: bytes, expires_at: datetime) -> bool:
        """True for one caller, whoever else asks at the same moment. Ask after the signature was verified:
        otherwise a stranger could use up another's token."""
        with self._begin() as tx:
            return SeenTokenTable(tx).remember(digest, expires_at)

    def purge(self) -> int:
        """Forget what has expired, which is refused for its age. Returns how many. For upkeep."""
        with self._begin() as tx:
            return SeenTokenTable(tx).purge(self._clock())
