"""Watching the machine's clock against a second source (EN 319 421 7.7.2: within accuracy, or no tokens)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from ca.errors import ClockNotHeard, ClockOutOfAccuracy, TimeNotAvailable, TimeSourceSilent
from ca.ports import Begin, Clock
from ca.sntp import Measurement
from ca.tables import database_time

_LOG = logging.getLogger(__name__)
_DRIFT = 50e-6
"""Seconds per second by which two clocks may part between measurements: more than crystals do."""
_TICK = 1.0
"""Seconds between two looks for a jump."""


class TimeSource(Protocol):
    """Somebody else's clock."""

    @property
    def name(self) -> str: ...

    def measure(self, clock: Clock, monotonic: Callable[[], float]) -> Measurement:
        """Compare ``clock`` with theirs, now. Raises :class:`ca.errors.TimeSourceSilent`."""
        ...


@dataclass(frozen=True, slots=True)
class WatchRules:
    """``accuracy`` is what the clock is held to. ``interval`` passes between two measurements; when none has
    succeeded for ``silence``, nobody vouches for the clock any more."""

    accuracy: timedelta
    interval: timedelta = timedelta(seconds=64)
    silence: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class ClockState:
    """What is known of the clock at one moment; all in seconds. ``offset`` is how far it is ahead of the
    source, ``uncertainty`` by how much that may be wrong, ``age`` how long ago the source was heard."""

    offset: float
    uncertainty: float
    age: float
    source: str

    @property
    def worst(self) -> float:
        return abs(self.offset) + self.uncertainty


@dataclass(frozen=True, slots=True)
class _Heard:
    """It was ``true`` (within ``uncertainty`` s) when the monotonic clock showed ``at``."""

    true: datetime
    at: float
    uncertainty: float
    source: str


class ClockWatch:
    """A clock that raises rather than tell a time that nobody vouches for. Safe to use from several threads.

    Between measurements the machine's monotonic clock, which nobody can set, carries the time on. So a wall
    clock that is set or jumps is noticed by the very next token, and not by the next measurement.

    ``sources`` are asked all. More than half of those that answer must vouch for the clock, so that one that
    is wrong decides nothing; of two, both must. ``fallback`` is asked when none of them answers.

    :meth:`start` measures on a thread. Where it was not called (a command that runs once), whoever asks for
    the time waits for the measurement.
    """

    def __init__(
        self,
        *,
        sources: Sequence[TimeSource],
        fallback: TimeSource | None = None,
        rules: WatchRules,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources = tuple(sources)
        self._fallback = fallback
        self._rules = rules
        self._accuracy = rules.accuracy.total_seconds()
        self._clock = clock
        self._monotonic = monotonic
        self._measuring = Lock()
        self._heard: _Heard | None = None
        self._watching = False
        self._stopping = Event()
        self.jumps = 0

    def __call__(self) -> datetime:
        """The time of the machine's clock, within the accuracy that was promised.

        Raises :class:`ca.errors.ClockOutOfAccuracy` or :class:`ca.errors.ClockNotHeard`.
        """
        if not self._watching:
            self._catch_up()
        now, at = self._clock(), self._monotonic()
        state = self._state(now, at)
        if state is None:
            raise ClockNotHeard(
                f"no source of time was heard yet ({self._names}): check ABSAH_CLOCK_SERVERS and the network"
            )
        if state.age > self._rules.silence.total_seconds():
            raise ClockNotHeard(
                f"no source of time was heard for {state.age:.0f} s ({self._names}): "
                "check ABSAH_CLOCK_SERVERS and the network"
            )
        if state.worst > self._accuracy:
            raise ClockOutOfAccuracy(
                f"the clock is {state.offset:+.3f} s (± {state.uncertainty:.3f} s) from {state.source}, and "
                f"tokens promise {self._accuracy:g} s: check the time service of this machine"
            )
        return now

    def state(self) -> ClockState | None:
        """What is known of the clock now; None when no source was heard yet."""
        return self._state(self._clock(), self._monotonic())

    def measure(self) -> bool:
        """Ask the sources now; whether any was heard. What was known before stays when none was."""
        with self._measuring:
            return self._measure()

    def start(self, closing: ExitStack) -> None:
        """Measure on a thread from now on; ``closing`` stops it."""
        self._watching = True
        thread = Thread(target=self._watch, name="clock", daemon=True)
        closing.callback(thread.join, 10.0)
        closing.callback(self._stopping.set)
        thread.start()

    @property
    def _names(self) -> str:
        sources = (*self._sources, self._fallback) if self._fallback else self._sources
        return ", ".join(source.name for source in sources)

    def _state(self, now: datetime, at: float) -> ClockState | None:
        heard = self._heard
        if heard is None:
            return None
        age = at - heard.at
        offset = (now - heard.true).total_seconds() - age
        return ClockState(offset, heard.uncertainty + _DRIFT * age, age, heard.source)

    def _catch_up(self) -> None:
        with self._measuring:
            interval = self._rules.interval.total_seconds()
            if self._heard is None or self._monotonic() - self._heard.at >= interval:
                self._measure()

    def _measure(self) -> bool:
        began, at = self._clock(), self._monotonic()
        found = [heard for source in self._sources if (heard := self._ask(source))]
        if not found and self._fallback is not None:
            found = [heard] if (heard := self._ask(self._fallback)) else []
        if not found:
            return False
        passed, elapsed = self._clock() - began, self._monotonic() - at
        if abs(passed.total_seconds() - elapsed) > self._accuracy / 10:
            _LOG.warning("the clock moved while it was measured; the measurement does not count")
            return False
        measured, name = sorted(found, key=lambda one: one[0].worst)[len(found) // 2]
        # Anchored where measuring began: that the wall clock kept its pace since then has just been seen.
        true = began + timedelta(seconds=measured.offset)
        self._heard = _Heard(true, at, measured.uncertainty + _DRIFT * elapsed, name)
        return True

    def _ask(self, source: TimeSource) -> tuple[Measurement, str] | None:
        try:
            return source.measure(self._clock, self._monotonic), source.name
        except TimeSourceSilent as cause:
            _LOG.warning("source of time %s was not heard: %s", source.name, cause)
            return None

    def _watch(self) -> None:
        """Measure every interval, and at once when the clock has jumped."""
        interval, due, fit = self._rules.interval.total_seconds(), float("-inf"), True
        now, at = self._clock(), self._monotonic()
        while True:
            before = (now, at)
            now, at = self._clock(), self._monotonic()
            jump = (now - before[0]).total_seconds() - (at - before[1])
            if abs(jump) > self._accuracy / 2:
                self.jumps += 1
                _LOG.warning("the clock jumped by %+.3f s against the monotonic clock", jump)
                due = at
            if at >= due:
                try:
                    self.measure()
                except Exception:  # noqa: BLE001 - whatever it is, the watch goes on
                    _LOG.exception("measuring the clock failed; the next round tries again")
                due = at + interval
                fit = self._report(fit)
                now, at = self._clock(), self._monotonic()
            if self._stopping.wait(_TICK):
                return

    def _report(self, was_fit: bool) -> bool:
        """Say it once when time-stamps stop, and once when they go on."""
        try:
            self()
        except TimeNotAvailable as cause:
            if was_fit:
                _LOG.error("no time-stamp is issued: %s", cause)
            return False
        if not was_fit:
            _LOG.warning("the clock is within its accuracy again")
        return True


class DatabaseClock:
    """The clock of the machine that PostgreSQL runs on: a second source only where that is another one."""

    name = "the database's clock"

    def __init__(self, read: Begin) -> None:
        self._read = read

    def measure(self, clock: Clock, monotonic: Callable[[], float]) -> Measurement:
        """Ask once. Raises :class:`ca.errors.TimeSourceSilent`."""
        try:
            with self._read() as tx:
                database_time(tx)  # opens the connection, so that it is not measured
                asked, started = clock(), monotonic()
                theirs = database_time(tx)
                elapsed = monotonic() - started
        except SQLAlchemyError as cause:
            raise TimeSourceSilent(f"it does not answer: {type(cause).__name__}") from cause
        return Measurement((theirs - asked).total_seconds() - elapsed / 2, elapsed / 2)
