"""The words and passwords that are tried first, as a Bloom filter: small, fast, and no list to read.

A filter says for certain that a word is not in it, and errs the other way once in ten million questions. What
it is asked are the forms that :mod:`identity.factors.guessing` derives from a password.

The file: ``ABF1`` | number of bits (4 bytes, big-endian) | probes per word (1 byte) | the bits.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, Self

SHIPPED: Final = Path(__file__).parent / "words" / "common.filter"

_MAGIC: Final = b"ABF1"
_HEADER: Final = 9
_BITS_PER_WORD: Final = 34
_PROBES: Final = 23  # bits per word times ln 2: the least errors
_MOST_BYTES: Final = 256 * 1024 * 1024


class CommonPasswords:
    """Immutable; safe to share between threads."""

    def __init__(self, packed: bytes) -> None:
        """Raises ``ValueError`` when ``packed`` is not the content of such a file."""
        bits, probes = int.from_bytes(packed[4:8]), packed[8] if len(packed) > 8 else 0
        if packed[:4] != _MAGIC or not probes or len(packed) != _HEADER + (bits + 7) // 8 or not bits:
            raise ValueError("not a filter of common passwords; identity.factors.words.build makes them")
        self._packed = packed
        self._bits = bits
        self._probes = probes

    @classmethod
    def load(cls, path: Path = SHIPPED) -> Self:
        """Raises ``OSError``, or ``ValueError`` for a file that is not a filter."""
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"the filter is larger than {_MOST_BYTES} bytes")
        return cls(path.read_bytes())

    @classmethod
    def of(cls, words: Iterable[str]) -> Self:
        """A filter that holds the folded form of each word."""
        folded = sorted({fold(word) for word in words} - {""})
        bits = max(64, _BITS_PER_WORD * len(folded))
        packed = bytearray(_MAGIC + bits.to_bytes(4) + bytes([_PROBES]) + bytes((bits + 7) // 8))
        for word in folded:
            for position in _positions(word, bits, _PROBES):
                packed[_HEADER + position // 8] |= 1 << position % 8
        return cls(bytes(packed))

    def __contains__(self, folded: str) -> bool:
        """``folded`` as :func:`fold` makes it."""
        return all(
            self._packed[_HEADER + position // 8] >> position % 8 & 1
            for position in _positions(folded, self._bits, self._probes)
        )

    @property
    def packed(self) -> bytes:
        return self._packed


@cache
def shipped() -> CommonPasswords:
    """The filter that comes with the service, read once per process."""
    return CommonPasswords.load()


def fold(text: str) -> str:
    """How words are compared: without case, accents, spaces and hyphens."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(
        character for character in plain if character not in " -_." and not unicodedata.combining(character)
    )


def _positions(word: str, bits: int, probes: int) -> Iterator[int]:
    """Two hashes make all of them (Kirsch and Mitzenmacher, 2006)."""
    digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=16).digest()
    first, second = int.from_bytes(digest[:8]), int.from_bytes(digest[8:]) | 1
    return ((first + probe * second) % bits for probe in range(probes))
