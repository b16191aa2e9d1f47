"""The structural rules for PDF signatures that no cryptography replaces. Pure over a seekable file.

They close the attacks that leave every signature mathematically intact: wrapping (SWA), incremental saving
(ISA), universal forgery (USF) and shadow documents. See ISO 32000-2 12.8.1 and https://pdf-insecurity.org.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

_HEX = re.compile(rb"<([0-9A-Fa-f\s]*)>")
_END = re.compile(rb"startxref\s+\d+\s+%%EOF\s*\Z")
_LARGEST_TAIL = 65_536


class ByteRangeInvalid(Exception):
    """The byte range is not one contiguous block around the signature value. The message says how."""


@dataclass(frozen=True, slots=True)
class SignedSpan:
    """``[0, before)`` and ``[after, end)`` are signed; between them stands the value as ``<hex>``."""

    before: int
    after: int
    end: int


def signed_span(byte_range: Sequence[object], contents: bytes, file: BinaryIO, size: int) -> SignedSpan:
    """The span of a ``/ByteRange`` whose only gap is exactly this signature's own value.

    ``contents`` is the value as the PDF reader understood it; what stands in the gap must be the same bytes,
    or the reader and the digest look at different signatures. Raises :class:`ByteRangeInvalid`.
    """
    numbers = [int(value) for value in byte_range if isinstance(value, int)]
    if len(numbers) != 4 or len(byte_range) != 4:
        raise ByteRangeInvalid("it does not consist of four numbers")
    start, before, after, rest = numbers
    if start != 0 or before <= 0 or rest <= 0 or after <= before:
        raise ByteRangeInvalid("it does not start at 0, is empty, or overlaps")
    end = after + rest
    if end > size:
        raise ByteRangeInvalid("it reaches behind the end of the file")
    file.seek(before)
    gap = file.read(after - before)
    match = _HEX.fullmatch(gap)
    if match is None:
        raise ByteRangeInvalid("the gap holds more than the signature value")
    digits = b"".join(match[1].split())
    try:
        value = bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
    except ValueError as cause:
        raise ByteRangeInvalid("the signature value is not hexadecimal") from cause
    if value != contents:
        raise ByteRangeInvalid("the gap does not hold this signature's value")
    return SignedSpan(before, after, end)


def ends_with_its_cross_reference(file: BinaryIO, size: int, cross_reference_end: int) -> bool:
    """Whether nothing stands behind the last revision that a reader can reach.

    A reader follows the last ``startxref`` that it finds; bytes that an attacker put between the
    cross-reference section it leads to and the end of the file are seen by other readers, and by none of the
    checks.
    """
    length = size - cross_reference_end
    if not 0 < length <= _LARGEST_TAIL:
        return False
    file.seek(cross_reference_end)
    tail = file.read(length)
    return _END.search(tail) is not None and tail.count(b"startxref") == 1 and tail.count(b"%%EOF") == 1
