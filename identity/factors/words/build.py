"""Packs word lists into a filter of common passwords. Run it after a list was changed:

    python -m identity.factors.words.build

With lists of your own it makes another filter, which the service reads beside ours when the settings name it.
One password to a line, in UTF-8; case, spaces, and digits at the ends need not be listed:

    python -m identity.factors.words.build --output breached.filter LIST...
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from identity.factors.common import SHIPPED, CommonPasswords

HERE: Final = Path(__file__).parent
LISTS: Final = ("passwords", "indonesian", "names", "places", "english")
PHRASES: Final = "phrases"


def shipped_words() -> Iterator[str]:
    """Everything in our own lists; in ``phrases.txt`` a line is one entry."""
    for name in LISTS:
        for line in _lines(HERE / f"{name}.txt"):
            yield from line.split()
    yield from _lines(HERE / f"{PHRASES}.txt")


def build(lists: list[Path]) -> CommonPasswords:
    """Our own words without ``lists``."""
    if not lists:
        return CommonPasswords.of(shipped_words())
    return CommonPasswords.of(line for path in lists for line in _lines(path))


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                yield line.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description="Pack word lists into a filter of common passwords.")
    parser.add_argument("lists", nargs="*", type=Path)
    parser.add_argument("--output", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    arguments.output.write_bytes(build(arguments.lists).packed)


if __name__ == "__main__":
    main()
