"""Facts remembered for a moment, so that the hot path does not ask the database for each signature."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

MAX_STALENESS: Final = 1.0
"""Seconds for which certificates and public keys are remembered; as long as custody itself does."""

_MOST: Final = 4096
"""Values kept. Far more agencies than seal within a second; beyond it everything is forgotten at once."""

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """One value per key for a moment. Races between threads cost a second look, never a stale answer."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._values: dict[Hashable, tuple[float, Value]] = {}

    def get(self, key: Hashable, look: Callable[[], Value]) -> Value:
        now = self._monotonic()
        known = self._values.get(key)
        if known is not None and now - known[0] < MAX_STALENESS:
            return known[1]
        value = look()
        if len(self._values) >= _MOST:
            self._values.clear()
        self._values[key] = (now, value)
        return value

    def forget(self, key: Hashable) -> None:
        """The next question is asked anew."""
        self._values.pop(key, None)
