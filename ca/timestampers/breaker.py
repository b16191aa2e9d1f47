"""A circuit breaker: who fails again and again is left alone for a while. No I/O; the clock is injected."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from threading import Lock

from ca.errors import TimeStamperPaused

_LOG = logging.getLogger(__name__)


class Circuit(StrEnum):
    CLOSED = "closed"  # asked whenever it is wanted
    OPEN = "open"  # failed too often: not asked until the pause is over
    HALF_OPEN = "half-open"  # the pause is over, and one attempt is under way to find out


class Breaker:
    """Opens after ``failures`` failed attempts in a row, for ``pause`` seconds; then lets one attempt
    through, which decides. Safe to use from several threads."""

    def __init__(self, name: str, *, failures: int, pause: float, monotonic: Callable[[], float]) -> None:
        self.name = name
        self._most = failures
        self._pause = pause
        self._monotonic = monotonic
        self._lock = Lock()
        self._failures = 0
        self._opened_at: float | None = None
        self._is_probing = False

    @property
    def circuit(self) -> Circuit:
        with self._lock:
            if self._opened_at is None:
                return Circuit.CLOSED
            return Circuit.HALF_OPEN if self._is_probing else Circuit.OPEN

    @property
    def lets_through(self) -> bool:
        """Whether an attempt would be made now. Takes nothing: another thread may be faster."""
        with self._lock:
            return self._may_try()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around one attempt: it failed when the block raises.

        Raises :class:`ca.errors.TimeStamperPaused` in place of an attempt that is not to be made.
        """
        with self._lock:
            if not self._may_try():
                raise TimeStamperPaused(f"{self.name} failed too often and is not asked for a while")
            self._is_probing = self._opened_at is not None
        try:
            yield
        except BaseException:
            self._failed()
            raise
        self._succeeded()

    def _may_try(self) -> bool:
        if self._opened_at is None:
            return True
        return not self._is_probing and self._monotonic() - self._opened_at >= self._pause

    def _failed(self) -> None:
        with self._lock:
            self._failures += 1
            if self._is_probing or self._failures >= self._most:
                if self._opened_at is None:
                    _LOG.warning(
                        "%s failed %d times and is left alone for a while", self.name, self._failures
                    )
                self._opened_at = self._monotonic()
            self._is_probing = False

    def _succeeded(self) -> None:
        with self._lock:
            if self._opened_at is not None:
                _LOG.warning("%s answers again", self.name)
            self._failures, self._opened_at, self._is_probing = 0, None, False
