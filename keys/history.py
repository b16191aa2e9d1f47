"""Whether a key's state is the one that the audit trail tells of.

States are rows, and whoever can write to the database could let a stopped key sign. Every move of a key is
in the trail, in the same transaction; so the newest of them has to agree with the row. Whoever appends an
entry as well leaves it there, under the next time-stamp (ADR 25).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from keys.model import KeyRecord, KeyState
from keys.ports import Begin, KeyActs
from keys.tables import KeyRecords

STATE_AFTER: Final[Mapping[str, KeyState]] = MappingProxyType(
    {
        "key.generated": KeyState.PRE_ACTIVATION,
        "key.activated": KeyState.ACTIVE,
        "key.suspended": KeyState.SUSPENDED,
        "key.deactivated": KeyState.DEACTIVATED,
        "key.compromised": KeyState.COMPROMISED,
        "key.destroyed": KeyState.DESTROYED,
    }
)
"""The state that a key is in after each act."""

_GOOD_FOR: Final = 30.0
"""Seconds for which an answer is remembered while the row stays as it was; a row that changed is asked about
at once."""
_LOOKS: Final = 3


class History:
    """Safe to share between threads. ``read`` opens read-only transactions."""

    def __init__(self, *, read: Begin, acts: KeyActs, monotonic: Callable[[], float]) -> None:
        self._read = read
        self._acts = acts
        self._monotonic = monotonic
        self._explained: dict[str, tuple[float, KeyState, datetime]] = {}

    def explains(self, record: KeyRecord) -> bool:
        """Whether the trail has the key in this state, asked anew or a moment ago."""
        now = self._monotonic()
        asked_at, state, since = self._explained.get(record.id, (float("-inf"), None, None))
        if (state, since) == (record.state, record.since) and now - asked_at < _GOOD_FOR:
            return True
        if self._contradiction(record) is not None:
            self._explained.pop(record.id, None)
            return False
        self._explained[record.id] = (now, record.state, record.since)
        return True

    def contradictions(self, keys: Iterable[KeyRecord]) -> list[tuple[KeyRecord, str]]:
        """Those whose state the trail does not tell of, each with the newest act on it, or nothing."""
        asked = ((key, self._contradiction(key)) for key in keys)
        return [(key, act) for key, act in asked if act is not None]

    def _contradiction(self, record: KeyRecord) -> str | None:
        """The newest act on the key where it does not lead to its state; None where it does.

        Two looks are two statements, and somebody may have moved the key in between: then again.
        """
        act = ""
        for _ in range(_LOOKS):
            with self._read() as tx:
                act = self._acts.last_action(tx, subject=record.id, actions=tuple(STATE_AFTER)) or ""
                current = KeyRecords(tx).get(record.id)
            state = record.state if current is None else current.state
            if STATE_AFTER.get(act) is state:
                return None
        return act
