"""A small, strict reader for the last revision of a PDF, written apart from what writes it.

The release check must look at the bytes as a reader would (``startxref`` → cross-reference → objects), and it
must not double the time of a seal, so it does not use the parser of record. It knows only uncompressed
objects of the last revision and raises :class:`Unreadable` for everything else.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

_TOKEN: Final = re.compile(
    rb"[\x00\t\n\x0c\r ]*(?:"
    rb"(/[^\x00\t\n\x0c\r \[\]<>()/{}%]*)"
    rb"|(\d+) (\d+) R(?![^\x00\t\n\x0c\r \[\]<>()/{}%])"
    rb"|([+-]?\d*\.?\d+\.?)"
    rb"|(<<|\[)|(>>|\])"
    rb"|<([0-9A-Fa-f\x00\t\n\x0c\r ]*)>"
    rb"|\(([^\\()]*+(?:\\.[^\\()]*+)*+)\)"
    rb"|(true|false|null))",
    re.DOTALL,
)
_NAME, _REFERENCE, _NUMBER, _OPEN, _CLOSE, _HEX, _STRING, _WORD = 1, 3, 4, 5, 6, 7, 8, 9
"""Number of the last group of each alternative of the token, in the order in which they are tried."""
_WORDS: Final = {b"true": True, b"false": False, b"null": None}
_ESCAPE: Final = re.compile(rb"\\([()\\])")
_HEADER: Final = re.compile(rb"(\d+) (\d+) obj[\x00\t\n\x0c\r ]*")
_STREAM: Final = re.compile(rb"[\x00\t\n\x0c\r ]*stream\r?\n")
_SUBSECTION: Final = re.compile(rb"(\d+) (\d+)[ \r\n]+")
_DEEPEST: Final = 100


class Unreadable(ValueError):
    """The revision is not what this service writes."""


class Ref(NamedTuple):
    number: int
    generation: int


class Name(bytes):
    """A name with its slash. Escapes (``#xx``) stay as written."""


@dataclass(slots=True)
class LastRevision:
    """``data`` is the file from offset ``start`` to its end; offsets in the file are absolute."""

    data: bytes
    start: int
    offsets: dict[int, tuple[int, int]]
    trailer: dict[bytes, Any]
    _read: dict[Ref, Any] = field(default_factory=dict)

    def get(self, value: Any) -> Any:
        """``value``, followed through one reference. Streams come as pairs of dictionary and raw bytes."""
        if not isinstance(value, Ref):
            return value
        if value not in self._read:
            place = self.offsets.get(value.number)
            if place is None or place[1] != value.generation:
                raise Unreadable(f"object {value.number} is not in the last revision")
            self._read[value] = read_object(self.data, place[0] - self.start, value)
        return self._read[value]

    def at(self, value: Any, *path: bytes | int) -> Any:
        """What lies under ``value`` along keys and indices, references followed."""
        value = self.get(value)
        for step in path:
            if isinstance(value, tuple):
                value = value[0]
            try:
                value = self.get(value[step])
            except (KeyError, IndexError, TypeError) as missing:
                raise Unreadable(f"{step!r} is missing") from missing
        return value


def unpack(stream: tuple[dict[bytes, Any], bytes], most: int = 1 << 22) -> bytes:
    """A stream's data, inflated where it is deflated."""
    entries, data = stream
    if b"/Filter" not in entries:
        return data
    if entries[b"/Filter"] != b"/FlateDecode":
        raise Unreadable("a stream has a filter that is not used here")
    try:
        return zlib.decompressobj().decompress(data, most)
    except zlib.error as damage:
        raise Unreadable("a stream cannot be inflated") from damage


def read_last_revision(data: bytes, start: int) -> LastRevision:
    """Read what the final ``startxref`` leads to; it must lie inside ``data``."""
    end = re.search(rb"startxref\n(\d+)\n%%EOF\n\Z", data[-64:])
    if end is None:
        raise Unreadable("the file does not end in startxref and %%EOF")
    at = int(end[1]) - start
    if not 0 <= at < len(data):
        raise Unreadable("startxref leads out of the last revision")
    if data.startswith(b"xref\n", at):
        return _read_table(data, start, at + 5)
    header = _HEADER.match(data, at)
    if header is None:
        raise Unreadable("startxref leads to neither a table nor a stream")
    trailer, rows = read_object(data, at, Ref(int(header[1]), int(header[2])))
    if trailer.get(b"/W") != [1, 6, 2] or b"/Filter" in trailer:
        raise Unreadable("the cross-reference stream is not one of ours")
    offsets: dict[int, tuple[int, int]] = {}
    numbers = [
        first + position
        for first, count in zip(trailer[b"/Index"][::2], trailer[b"/Index"][1::2], strict=True)
        for position in range(count)
    ]
    for number, row in zip(numbers, range(0, len(rows), 9), strict=True):
        if rows[row] != 1:
            raise Unreadable("the cross-reference stream frees or packs objects")
        offsets[number] = (int.from_bytes(rows[row + 1 : row + 7]), int.from_bytes(rows[row + 7 : row + 9]))
    return LastRevision(data, start, offsets, trailer)


def _read_table(data: bytes, start: int, at: int) -> LastRevision:
    offsets: dict[int, tuple[int, int]] = {}
    while subsection := _SUBSECTION.match(data, at):
        first, count = int(subsection[1]), int(subsection[2])
        at = subsection.end()
        for number in range(first, first + count):
            entry = data[at : at + 20]
            if entry[10:11] + entry[16:] != b"  n \n":
                raise Unreadable("an entry of the cross-reference table is not one of ours")
            offsets[number] = (int(entry[:10]), int(entry[11:16]))
            at += 20
    if not data.startswith(b"trailer\n", at):
        raise Unreadable("the trailer is missing")
    trailer, _ = read_value(data, at + 8)
    return LastRevision(data, start, offsets, trailer)


def read_object(data: bytes, at: int, expected: Ref) -> Any:
    """The object whose header stands exactly at ``at``."""
    header = _HEADER.match(data, at) if 0 <= at < len(data) else None
    if header is None or (int(header[1]), int(header[2])) != expected:
        raise Unreadable(f"object {expected.number} is not where the cross-reference says")
    value, end = read_value(data, header.end())
    if isinstance(value, dict) and (begin := _STREAM.match(data, end)):
        length = value.get(b"/Length")
        if not isinstance(length, int) or not data.startswith(b"\nendstream", begin.end() + length):
            raise Unreadable(f"the stream of object {expected.number} has the wrong length")
        return value, data[begin.end() : begin.end() + length]
    return value


def read_value(data: bytes, at: int) -> tuple[Any, int]:
    """One value (ISO 32000-2, 7.3) and where it ends."""
    items: list[Any] = []
    outer: list[tuple[list[Any], bytes]] = []  # what is open around ``items``, and what will close it
    match = _TOKEN.match
    while True:
        token = match(data, at)
        if token is None or len(outer) > _DEEPEST:
            raise Unreadable(f"no value at {at}")
        at = token.end()
        kind = token.lastindex
        if kind == _NAME:
            items.append(Name(token[kind]))
        elif kind == _REFERENCE:
            items.append(Ref(int(token[2]), int(token[3])))
        elif kind == _NUMBER:
            items.append(_number(token[kind]))
        elif kind == _OPEN:
            outer.append((items, b">>" if token[kind] == b"<<" else b"]"))
            items = []
            continue
        elif kind == _CLOSE:
            around, closer = outer.pop() if outer else (items, b"")
            if token[kind] != closer:
                raise Unreadable(f"brackets do not match at {at}")
            around.append(_dictionary(items) if closer == b">>" else items)
            items = around
        elif kind == _HEX:
            items.append(bytes.fromhex(token[kind].decode("ascii")))
        elif kind == _STRING:
            items.append(_ESCAPE.sub(rb"\1", token[kind]))
        else:
            items.append(_WORDS[token[_WORD]])
        if not outer:
            return items[0], at


def _dictionary(items: list[Any]) -> dict[bytes, Any]:
    keys = items[::2]
    entries = dict(zip(keys, items[1::2], strict=False))
    if len(items) % 2 or len(entries) != len(keys) or not {Name}.issuperset(map(type, keys)):
        raise Unreadable("a dictionary has an odd number of parts, a key twice, or a key that is no name")
    return entries


def _number(text: bytes) -> int | float:
    return int(text) if text.lstrip(b"+-").isdigit() else float(text)
