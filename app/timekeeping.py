"""Whom the time is taken from, and who vouches for it: the ports of time, filled from settings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from app.clock import Clock
from app.database import Database
from app.settings import Settings
from app.telemetry import Reading
from ca.clockwatch import ClockWatch, DatabaseClock, WatchRules
from ca.sntp import SntpServer


def build_clock_watch(settings: Settings, *, database: Database, clock: Clock) -> ClockWatch | None:
    """What holds ``clock`` against the sources that the settings name; None when they name none."""
    if not settings.clock.is_watched:
        return None
    return ClockWatch(
        sources=[SntpServer(address) for address in settings.clock.servers.split()],
        fallback=DatabaseClock(database.read) if settings.clock.database else None,
        rules=WatchRules(
            accuracy=timedelta(milliseconds=settings.tsa.accuracy_ms),
            interval=timedelta(seconds=settings.clock.interval_seconds),
            silence=timedelta(seconds=settings.clock.silence_seconds),
        ),
        clock=clock,
    )


def clock_readings(watch: ClockWatch | None) -> Iterator[Reading]:
    """How the clock stands now, in this process. Nothing while it is not watched or no source was heard."""
    if watch is None:
        return
    yield Reading("absah_clock_jumps", "Jumps of the clock seen since the process started.", watch.jumps)
    state = watch.state()
    if state is None:
        return
    meaning = "Seconds by which the clock is ahead of its second source."
    yield Reading("absah_clock_offset_seconds", meaning, state.offset)
    yield Reading(
        "absah_clock_uncertainty_seconds", "By how many seconds that may be wrong.", state.uncertainty
    )
    yield Reading(
        "absah_clock_heard_seconds_ago", "Seconds since the second source was heard last.", state.age
    )
