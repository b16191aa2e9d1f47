"""The time of day, from one place, so that everything else can be given another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current time, aware, in UTC."""


def system_clock() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)
