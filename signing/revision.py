"""One incremental update (ISO 32000-2, 7.5.6): new and replaced objects behind the untouched original.

The cross-reference of the update has the kind that the original ends with, table or stream.
"""

from __future__ import annotations

import secrets
from typing import Final

from pyhanko.pdf_utils import generic

from signing.source import PreparedPdf
from signing.syntax import Entries, dictionary, written

_LARGEST_TABLE_OFFSET: Final = 10**10


class Revision:
    """Collects objects, then lays them out behind a source of known length."""

    def __init__(self, source: PreparedPdf) -> None:
        self._source = source
        sections = source.reader.xrefs._xref_sections
        used = max(
            (
                max(kind, default=0)
                for section in sections
                for kind in (
                    section.xref_data.standard_xrefs,
                    section.xref_data.xrefs_in_objstm,
                    section.xref_data.freed,
                )
            ),
            default=0,
        )
        declared = source.reader.trailer["/Size"]
        # A /Size that is too small is common, and trusting it would overwrite objects that exist.
        self._next = max(int(declared), used + 1)
        self._bodies: dict[tuple[int, int], bytes] = {}

    def allocate(self, count: int = 1) -> int:
        """Reserve ``count`` consecutive object numbers and return the first."""
        first = self._next
        self._next += count
        return first

    def add(self, body: bytes) -> int:
        """Put a new object and return its number."""
        number = self.allocate()
        self.put(number, body)
        return number

    def put(self, number: int, body: bytes, generation: int = 0) -> None:
        """Write ``body`` as object ``number``, replacing what the original has under that number."""
        self._bodies[number, generation] = body

    def body(self, number: int, generation: int = 0) -> bytes | None:
        """What this revision holds under a number so far."""
        return self._bodies.get((number, generation))

    def lay_out(self, start: int, newline_first: bool) -> tuple[bytearray, dict[int, int]]:
        """The bytes of the update when it begins at file offset ``start``, and where each object's body lies
        in the whole file, by object number.
        """
        out = bytearray(b"\n" if newline_first else b"")
        offsets: dict[tuple[int, int], int] = {}
        bodies: dict[int, int] = {}
        for (number, generation), body in sorted(self._bodies.items()):
            offsets[number, generation] = start + len(out)
            out += b"%d %d obj\n" % (number, generation)
            bodies[number] = start + len(out)
            out += body
            out += b"\nendobj\n"
        xref_at = start + len(out)
        if self._source.reader.has_xref_stream and not self._ends_in_table():
            offsets[self._next, 0] = xref_at
            out += self._xref_stream(offsets)
        else:
            out += self._xref_table(offsets)
        out += b"startxref\n%d\n%%%%EOF\n" % xref_at
        return out, bodies

    def _ends_in_table(self) -> bool:
        kind = self._source.reader.xrefs._xref_sections[-1].meta_info.xref_section_type
        return kind.name in ("STANDARD", "HYBRID_MAIN")

    def _xref_table(self, offsets: dict[tuple[int, int], int]) -> bytes:
        if max(offsets.values()) >= _LARGEST_TABLE_OFFSET:
            raise ValueError("a cross-reference table cannot address more than ten digits")
        parts = [b"xref\n"]
        for first, run in _runs(offsets):
            parts.append(b"%d %d\n" % (first, len(run)))
            parts += [b"%010d %05d n \n" % (offsets[key], key[1]) for key in run]
        parts.append(b"trailer\n%b\n" % dictionary(self._trailer(self._next)))
        return b"".join(parts)

    def _xref_stream(self, offsets: dict[tuple[int, int], int]) -> bytes:
        runs = _runs(offsets)
        rows = b"".join(
            b"\x01" + offsets[key].to_bytes(6, "big") + key[1].to_bytes(2, "big")
            for _, run in runs
            for key in run
        )
        index = " ".join(f"{first} {len(run)}" for first, run in runs).encode()
        entries = {"/Type": b"/XRef", "/W": b"[1 6 2]", "/Index": b"[%b]" % index}
        entries |= self._trailer(self._next + 1) | {"/Length": b"%d" % len(rows)}
        return b"%d 0 obj\n%b\nstream\n%b\nendstream\nendobj\n" % (self._next, dictionary(entries), rows)

    def _trailer(self, size: int) -> Entries:
        trailer = self._source.reader.trailer
        entries = {
            "/Size": b"%d" % size,
            "/Root": written(trailer.raw_get("/Root")),
            "/Prev": b"%d" % self._source.last_xref,
            "/ID": self._file_identifier(),
        }
        if "/Info" in trailer and isinstance(info := trailer.raw_get("/Info"), generic.IndirectObject):
            entries["/Info"] = written(info)
        return entries

    def _file_identifier(self) -> bytes:
        """The first half stays for the file's life, the second is new with every change (14.4)."""
        changed = secrets.token_bytes(16)
        kept = changed
        trailer = self._source.reader.trailer
        identifier = trailer["/ID"] if "/ID" in trailer else None  # noqa: SIM401 - it has no get()
        if isinstance(identifier, generic.ArrayObject) and identifier:
            first = identifier[0]
            if isinstance(first, generic.TextStringObject | generic.ByteStringObject):
                kept = first.original_bytes
        return b"[<%b><%b>]" % (kept.hex().encode(), changed.hex().encode())


def _runs(offsets: dict[tuple[int, int], int]) -> list[tuple[int, list[tuple[int, int]]]]:
    """Keys in ascending order, grouped into runs of consecutive object numbers."""
    runs: list[tuple[int, list[tuple[int, int]]]] = []
    for key in sorted(offsets):
        if runs and runs[-1][1][-1][0] + 1 == key[0]:
            runs[-1][1].append(key)
        else:
            runs.append((key[0], [key]))
    return runs
