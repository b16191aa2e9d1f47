"""Packs word lists into a filter of common passwords. Run it after a list was changed:

    python -m identity.factors.words.build

One password to a line, in UTF-8; case, spaces, and digits at the ends need not be listed. For long lists of
breached passwords there is :mod:`identity.factors.breached`.
"""

from __future__ import annotations

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


def build() -> CommonPasswords:
    return CommonPasswords.of(shipped_words())


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                yield line.strip()


def main() -> None:
    SHIPPED.write_bytes(build().packed)


if __name__ == "__main__":
    main()
