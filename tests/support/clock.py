"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)


class FrozenClock:
    """Satisfies the ``Clock`` port: call it for the current time, aware, in UTC."""

    def __init__(self, now: datetime = START) -> None:
        self.set(now)

    def __call__(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        """Move to ``now``, backwards too. A naive time is refused: the services would store it as UTC."""
        if now.tzinfo is None:
            raise ValueError("the clock needs an aware datetime; pass tzinfo=UTC")
        self._now = now.astimezone(UTC)

    def advance(self, by: timedelta) -> datetime:
        """Move by ``by`` and return the new time."""
        self._now += by
        return self._now
