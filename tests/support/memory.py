"""Temporary files in memory where there is room for them: a database that nobody keeps waits for no disk."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")
_ROOM: Final = 6 << 30
"""Bytes. A whole run keeps well under a quarter of it at any moment."""


def use_memory() -> None:
    """For this process and those that it starts, unless ``TMPDIR`` names another place."""
    if "TMPDIR" not in os.environ and _has_room():
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None  # what was looked up before is looked up again


def _has_room() -> bool:
    try:
        mounted = os.statvfs(_MEMORY)
        available = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return False
    return (
        os.access(_MEMORY, os.W_OK)
        and not mounted.f_flag & os.ST_NOEXEC  # as in containers; some tests make programs
        and mounted.f_bavail * mounted.f_frsize >= _ROOM
        and available is not None
        and int(available[1]) << 10 >= _ROOM
    )
