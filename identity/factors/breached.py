"""Passwords known from breaches, in a list that the operator brings along and that is never read as a whole.

The list is a text file of SHA-1 hashes in hexadecimal, in ascending order, one to a line, as the downloads
of "Pwned Passwords, ordered by hash" are: ``HASH`` or ``HASH:COUNT``. Those hold a billion lines; a look-up
reads some thirty places of the file and keeps none of it. SHA-1 protects nothing here; the list is spelt so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final, Self

_LINE: Final = re.compile(rb"[0-9A-Fa-f]{40}(?::[0-9]{1,12})?\r?")
_HASH: Final = 40
_LONGEST: Final = 64
"""Bytes of a line, with its end."""
_BLOCK: Final = 4096
_SAMPLES: Final = 64


@dataclass(frozen=True, slots=True)
class BreachedPasswords:
    """Safe to share between threads and processes: every look-up opens the file anew, so that a newer list
    may be moved into its place at any time.
    """

    path: Path

    @classmethod
    def open(cls, path: Path) -> Self:
        """Looks at lines all over the file. Raises ``OSError``, or ``ValueError`` for another file."""
        previous = b""
        with FileIO(path) as file:
            for start, line in _samples(file):
                if not _LINE.fullmatch(line):
                    raise ValueError(f"{path} has a line at byte {start} that is not a SHA-1 hash")
                if line[:_HASH].upper() < previous:
                    raise ValueError(f"{path} is not in the order of its hashes")
                previous = line[:_HASH].upper()
        return cls(path)

    def estimate(self) -> int:
        """About how many passwords the list holds, by its size and its first line."""
        with FileIO(self.path) as file:
            return int(file.seek(0, 2)) // (len(_line_at(file, 0)) + 1)

    def __contains__(self, password: str) -> bool:
        """Whether the list holds exactly this password. Raises ``OSError`` when the file is gone."""
        wanted = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
        with FileIO(self.path) as file:
            # The line, if there is one, begins at `low` or behind it, and before `high`.
            low, high = 0, file.seek(0, 2)
            while high - low > _BLOCK:
                start = _line_from(file, (low + high) // 2)
                if _line_at(file, start)[:_HASH].upper() <= wanted:
                    low = start
                else:
                    high = start
            file.seek(low)
            block = _read(file, high - low + _LONGEST)
        return any(line[:_HASH].upper() == wanted for line in block.split(b"\n"))


def _samples(file: FileIO) -> Iterator[tuple[int, bytes]]:
    """Lines with where they begin: the first ones, and some of a long file."""
    size, start = file.seek(0, 2), 0
    file.seek(0)
    for line in _read(file, _BLOCK).removesuffix(b"\n").split(b"\n")[:_SAMPLES]:
        yield start, line
        start += len(line) + 1
    for sample in range(_SAMPLES if size > 2 * _BLOCK else 0):
        start = _line_from(file, _BLOCK + (size - 2 * _BLOCK) * sample // _SAMPLES)
        yield start, _line_at(file, start)


def _line_from(file: FileIO, position: int) -> int:
    """Where the first line behind ``position`` begins. Raises ``ValueError`` where none does."""
    file.seek(position)
    end = _read(file, 2 * _LONGEST).find(b"\n")
    if end < 0:
        raise ValueError(f"{file.name!r} has a line at byte {position} that is not a SHA-1 hash")
    return position + end + 1


def _line_at(file: FileIO, start: int) -> bytes:
    file.seek(start)
    return _read(file, 2 * _LONGEST).split(b"\n", 1)[0]


def _read(file: FileIO, most: int) -> bytes:
    """A raw read may end early; what the file still has is asked for again."""
    found = bytearray()
    while len(found) < most and (chunk := file.read(most - len(found))):
        found += chunk
    return bytes(found)
