"""DER by hand (X.690), for the paths where thousands of structures a second are assembled.

Writing: every function returns a complete TLV and is trusted to be given sane values by its caller.
Reading: :func:`read_tlv` and the ``read_*`` helpers accept only the one DER encoding of a value and raise
:class:`ca.errors.MalformedDer` for anything else, so they can face bytes from strangers.
Tags are single octets (tag numbers up to 30), which is all that X.509, CMS and RFC 3161 use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from ca.errors import MalformedDer

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
ENUMERATED, UTF8_STRING, PRINTABLE_STRING, IA5_STRING = 0x0A, 0x0C, 0x13, 0x16
UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x17, 0x18, 0x30, 0x31


# --- writing -----------------------------------------------------------------------------------------


def tlv(tag: int, *parts: bytes) -> bytes:
    """Identifier octet ``tag``, the length in its shortest form, and ``parts`` joined."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    if size < 0x100:
        return bytes((tag, 0x81, size)) + content
    if size < 0x10000:
        return bytes((tag, 0x82, size >> 8, size & 0xFF)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE of the given TLVs, in the given order."""
    return tlv(SEQUENCE, *parts)


def set_of(*parts: bytes) -> bytes:
    """SET OF the given TLVs, in DER order: ascending encodings (X.690 11.6)."""
    return tlv(SET, *sorted(parts))


def integer(value: int) -> bytes:
    """INTEGER in the fewest octets of two's complement."""
    return tlv(INTEGER, _integer_content(value))


def enumerated(value: int) -> bytes:
    """ENUMERATED, encoded as an INTEGER under its own tag."""
    return tlv(ENUMERATED, _integer_content(value))


def _integer_content(value: int) -> bytes:
    bits = value.bit_length() if value >= 0 else (value + 1).bit_length()
    return value.to_bytes(bits // 8 + 1, "big", signed=True)


@lru_cache(maxsize=512)
def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER from its dotted form. Raises ``ValueError`` for impossible first arcs."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    if first > 2 or (first < 2 and second > 39) or min(first, second, *rest, 0) < 0:
        raise ValueError(f"{dotted} is not an object identifier: arcs are 0-2, then 0-39 under 0 and 1")
    return tlv(OID, *(_base128(arc) for arc in (first * 40 + second, *rest)))


def _base128(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(0x80 | (arc & 0x7F))
    return bytes(reversed(octets))


def octet_string(value: bytes) -> bytes:
    return tlv(OCTET_STRING, value)


def bit_string(value: bytes, unused: int = 0) -> bytes:
    """BIT STRING whose last ``unused`` (0-7) bits are padding; the caller keeps those bits zero."""
    return tlv(BIT_STRING, bytes((unused,)), value)


def null() -> bytes:
    return b"\x05\x00"


def boolean(value: bool) -> bytes:
    return b"\x01\x01\xff" if value else b"\x01\x01\x00"


def utf8_string(value: str) -> bytes:
    return tlv(UTF8_STRING, value.encode("utf-8"))


def generalized_time(moment: datetime, fraction_digits: int = 0) -> bytes:
    """GeneralizedTime in UTC, cut (not rounded) to 0-6 ``fraction_digits``, trailing zeros left out (11.7).

    ``moment`` must be aware.
    """
    utc = _utc(moment)
    text = _PAIRS[utc.year // 100] + _to_the_second(utc)
    if fraction_digits:
        fraction = (b"%06d" % utc.microsecond)[:fraction_digits].rstrip(b"0")
        text += b"." + fraction if fraction else b""
    return tlv(GENERALIZED_TIME, text, b"Z")


def utc_time(moment: datetime) -> bytes:
    """UTCTime; only for years 1950 to 2049 (RFC 5280 4.1.2.5.1). ``moment`` must be aware."""
    utc = _utc(moment)
    if not 1950 <= utc.year <= 2049:
        raise ValueError(f"UTCTime cannot say the year {utc.year}: use generalized_time")
    return tlv(UTC_TIME, _to_the_second(utc), b"Z")


def time(moment: datetime) -> bytes:
    """The Time choice of RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050."""
    return utc_time(moment) if 1950 <= _utc(moment).year <= 2049 else generalized_time(moment)


_PAIRS = tuple(b"%02d" % number for number in range(100))


def _to_the_second(utc: datetime) -> bytes:
    """YYMMDDhhmmss. Looked up, not formatted: a list of revoked certificates is mostly times."""
    year, month, day = _PAIRS[utc.year % 100], _PAIRS[utc.month], _PAIRS[utc.day]
    return b"".join((year, month, day, _PAIRS[utc.hour], _PAIRS[utc.minute], _PAIRS[utc.second]))


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be encoded: pass an aware datetime")
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def explicit(number: int, content: bytes) -> bytes:
    """``[number] EXPLICIT`` around a complete TLV."""
    return tlv(0xA0 | number, content)


def implicit(number: int, constructed: bool, content: bytes) -> bytes:
    """``[number] IMPLICIT``: ``content`` is the bare content, without the tag and length it replaces."""
    return tlv((0xA0 if constructed else 0x80) | number, content)


# --- reading -----------------------------------------------------------------------------------------


class Element(NamedTuple):
    """One TLV inside ``data``: ``data[start:end]`` is all of it, ``data[content_start:end]`` its content."""

    data: bytes
    tag: int
    start: int
    content_start: int
    end: int

    @property
    def content(self) -> bytes:
        return self.data[self.content_start : self.end]

    @property
    def encoded(self) -> bytes:
        return self.data[self.start : self.end]

    def children(self) -> Iterator[Element]:
        """The TLVs inside a constructed element, in order."""
        if not self.tag & 0x20:
            raise MalformedDer(f"tag 0x{self.tag:02x} is primitive and holds no elements")
        offset = self.content_start
        while offset < self.end:
            child = read_tlv(self.data, offset, self.end)
            offset = child.end
            yield child


def read_tlv(data: bytes, offset: int = 0, limit: int | None = None) -> Element:
    """The TLV at ``offset``, which must end at or before ``limit`` (default: the end of ``data``).

    Raises :class:`ca.errors.MalformedDer` for indefinite or padded lengths, multi-octet tags and truncation.
    """
    limit = len(data) if limit is None else limit
    if offset + 2 > limit:
        raise MalformedDer(f"data ends inside the header of an element at offset {offset}")
    tag, size = data[offset], data[offset + 1]
    start = offset + 2
    if tag & 0x1F == 0x1F:
        raise MalformedDer(f"tag of more than one octet at offset {offset}")
    if size >= 0x80:
        octets = size & 0x7F
        if not 1 <= octets <= 4 or start + octets > limit:
            raise MalformedDer(f"indefinite, oversized or truncated length at offset {offset}")
        size = int.from_bytes(data[start : start + octets], "big")
        start += octets
        if size < 0x80 or size.bit_length() <= 8 * (octets - 1):
            raise MalformedDer(f"length at offset {offset} is not in its shortest form")
    if start + size > limit:
        raise MalformedDer(f"element at offset {offset} is longer than what holds it")
    return Element(data, tag, offset, start, start + size)


def read_whole(data: bytes, tag: int) -> Element:
    """The one element that ``data`` consists of, which must carry ``tag``."""
    element = expect(read_tlv(data), tag)
    if element.end != len(data):
        raise MalformedDer(f"{len(data) - element.end} bytes follow the end of the structure")
    return element


def expect(element: Element | None, tag: int) -> Element:
    """``element`` itself, if it is there and carries ``tag``."""
    if element is None:
        raise MalformedDer(f"an element with tag 0x{tag:02x} is missing")
    if element.tag != tag:
        raise MalformedDer(f"tag 0x{element.tag:02x} where 0x{tag:02x} belongs")
    return element


def read_integer(element: Element | None, tag: int = INTEGER) -> int:
    content = expect(element, tag).content
    padded = len(content) > 1 and (
        (content[0] == 0 and content[1] < 0x80) or (content[0] == 0xFF and content[1] >= 0x80)
    )
    if not content or padded:
        raise MalformedDer("INTEGER is empty or has superfluous leading octets")
    return int.from_bytes(content, "big", signed=True)


def read_boolean(element: Element | None) -> bool:
    content = expect(element, BOOLEAN).content
    if content not in (b"\x00", b"\xff"):
        raise MalformedDer("BOOLEAN is neither 00 nor FF")
    return content == b"\xff"


def read_oid(element: Element | None) -> str:
    return _dotted(expect(element, OID).content)


@lru_cache(maxsize=512)
def _dotted(content: bytes) -> str:
    if not 1 <= len(content) <= 64:  # before the loop: its cost grows with the square of an arc's length
        raise MalformedDer("object identifier is empty or longer than 64 octets")
    arcs: list[int] = []
    arc, fresh = 0, True
    for octet in content:
        if fresh and octet == 0x80:
            raise MalformedDer("object identifier has a padded arc")
        arc = arc << 7 | octet & 0x7F
        fresh = octet < 0x80
        if fresh:
            arcs.append(arc)
            arc = 0
    if not fresh:
        raise MalformedDer("object identifier is cut off")
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))


_GENERALIZED = re.compile(rb"(\d{14})(?:\.(\d*[1-9]))?Z")


def read_generalized_time(element: Element | None) -> datetime:
    """An aware UTC time; digits beyond microseconds are cut off."""
    match = _GENERALIZED.fullmatch(expect(element, GENERALIZED_TIME).content)
    if match is None:
        raise MalformedDer("GeneralizedTime is not YYYYMMDDHHMMSS[.f]Z without trailing zeros")
    whole, fraction = match[1].decode("ascii"), (match[2] or b"0").decode("ascii")
    try:
        moment = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as impossible:
        raise MalformedDer("GeneralizedTime names a date or hour that does not exist") from impossible
    return moment.replace(microsecond=int(fraction[:6].ljust(6, "0")))
