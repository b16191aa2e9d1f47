"""Times that rise from token to token, in every process of one machine (RFC 3161 2.4.2, ordering)."""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock

from ca.errors import TimeNotAvailable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_BYTES = 8


class RisingTime:
    """Hands out each microsecond at most once. Safe to use from several threads and processes.

    The time handed out last stands in a file that all processes of a machine lock in turn; the operating
    system lets go of the lock when one of them dies. Processes on other machines know nothing of it: whoever
    stamps on several machines with one unit must not promise ordering.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()  # flock holds between open files, not between threads that share one
        self._file: int | None = None

    def at(self, moment: datetime, *, tolerance: timedelta) -> datetime:
        """``moment``, or the next microsecond that nobody was given.

        Raises :class:`ca.errors.TimeNotAvailable` when that would be more than ``tolerance`` later: the clock
        went back, in this process or before it started.
        """
        with self._lock:
            if self._file is None:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                last = _EPOCH + _TICK * int.from_bytes(os.pread(self._file, _BYTES, 0), "big")
                rising = max(moment, last + _TICK)
                if rising - moment > tolerance:
                    raise TimeNotAvailable(
                        f"the clock went back from {last:%Y-%m-%d %H:%M:%S} to {moment:%Y-%m-%d %H:%M:%S}, "
                        "and tokens promise an order: check the time service of this machine"
                    )
                os.pwrite(self._file, ((rising - _EPOCH) // _TICK).to_bytes(_BYTES, "big"), 0)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        return rising
