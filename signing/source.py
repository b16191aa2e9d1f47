"""The PDF as it arrived: read once, its facts taken, refused with a cause where it cannot be sealed.

pyHanko is the parser of record, in its lenient mode because strict mode refuses hybrid cross-references
(every file of some office suites). What a stranger sends may make it raise nearly anything;
:func:`_reading` turns all of that into :class:`signing.errors.PdfRefused` leaves.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfDecodeLimitError, PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

from signing.errors import (
    BrokenPdf,
    DecompressionBomb,
    EmptyFile,
    EncryptedPdf,
    FileTooLarge,
    NotAPdf,
    PdfRefused,
    TooManyPages,
    TruncatedPdf,
)
from signing.locks import refuse_locked, signatures_in
from signing.pages.inspector import PageInspector, WorkerFailed, inspector
from signing.syntax import entry

_LETTER: Final = (0.0, 0.0, 612.0, 792.0)
_ENCRYPTED: Final = (
    "The PDF is encrypted, even if it opens without a password, and a seal that everyone can verify cannot "
    "be put on it: save it without security and send it again."
)
_MALFORMED = (
    PdfError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    IndexError,
    ArithmeticError,
    OSError,
    RecursionError,
    NotImplementedError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class PdfLimits:
    """What the service takes: bytes and pages."""

    max_bytes: int = 1 << 30
    max_pages: int = 2000


@dataclass(frozen=True, slots=True)
class Page:
    """One page. ``box`` is the visible part (crop box within media box) in default user space units;
    ``rotate`` is 0, 90, 180 or 270, clockwise; ``user_unit`` is the size of a unit in points.
    """

    number: int  # from 1
    reference: tuple[int, int]
    box: tuple[float, float, float, float]
    rotate: int
    user_unit: float

    @property
    def shown_size(self) -> tuple[float, float]:
        """Width and height in points as a reader sees the page."""
        width = (self.box[2] - self.box[0]) * self.user_unit
        height = (self.box[3] - self.box[1]) * self.user_unit
        return (height, width) if self.rotate in (90, 270) else (width, height)


@dataclass(frozen=True, slots=True)
class PdfFacts:
    """What is known about a PDF before it is sealed. Sizes are points as shown; ``rebuilt`` says that the
    file was damaged and what gets sealed is its repaired form.
    """

    size: int
    version: tuple[int, int]
    page_count: int
    page_sizes: tuple[tuple[float, float], ...]
    signatures: int
    rebuilt: bool = False


class RepairableDamage(Exception):
    """Damage against whose repair no signature and no encryption stand. Never leaves this module: it carries
    the refusal for the case that the repair fails too.
    """

    def __init__(self, refusal: PdfRefused) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class PreparedPdf:
    """An opened PDF that can be sealed. The stream must stay open as long as this is used.

    ``digest`` is the SHA-256 of the whole stream: of the rebuilt file, where it had to be rebuilt.
    """

    stream: BinaryIO
    size: int
    digest: bytes
    reader: PdfFileReader
    catalog: generic.DictionaryObject
    pages: tuple[Page, ...]
    facts: PdfFacts

    @property
    def last_xref(self) -> int:
        """Offset of the newest cross-reference section."""
        offset = self.reader.last_startxref
        assert offset is not None
        return int(offset)


def _open(stream: BinaryIO, limits: PdfLimits | None = None) -> PreparedPdf:
    """Read the structure of ``stream`` (seekable, whole PDF) and take its facts.

    Raises :class:`RepairableDamage`, and leaves of :class:`signing.errors.PdfRefused` where no repair helps.
    """
    limits = limits or PdfLimits()
    size = stream.seek(0, os.SEEK_END)
    if size == 0:
        raise EmptyFile("The file is empty (0 bytes): send the PDF itself.")
    if size > limits.max_bytes:
        raise FileTooLarge(f"The file has {size:,} bytes; at most {limits.max_bytes:,} are taken.")
    stream.seek(0)
    if b"%PDF-" not in stream.read(1024):
        raise NotAPdf("The file does not begin as a PDF (no %PDF- in its first 1024 bytes): send a PDF.")
    with _reading(stream):
        reader = PdfFileReader(stream, strict=False)
        if "/Encrypt" in reader.trailer:
            raise EncryptedPdf(_ENCRYPTED)
        catalog: generic.DictionaryObject = reader.root
        pages = tuple(_pages(reader, catalog, limits.max_pages))
        if not pages:
            raise _damaged()
        signatures = tuple(signatures_in(catalog))
        refuse_locked(signatures)
        if not signatures and not _startxref_is_exact(reader, stream):
            raise _damaged()
        version = reader.input_version
    facts = PdfFacts(
        size=size,
        version=version,
        page_count=len(pages),
        page_sizes=tuple(page.shown_size for page in pages),
        signatures=len(signatures),
    )
    stream.seek(0)
    digest = hashlib.sha256()
    while chunk := stream.read(1 << 20):
        digest.update(chunk)
    return PreparedPdf(
        stream=stream,
        size=size,
        digest=digest.digest(),
        reader=reader,
        catalog=catalog,
        pages=pages,
        facts=facts,
    )


@contextmanager
def prepare(
    source: BinaryIO, limits: PdfLimits | None = None, *, inspector: PageInspector = inspector
) -> Iterator[PreparedPdf]:
    """Open ``source`` for sealing, after rebuilding it in the page worker where its structure is damaged.

    A rebuilt file lives in a temporary file until the block ends. Raises leaves of
    :class:`signing.errors.PdfRefused`.
    """
    try:
        opened = _open(source, limits)
    except RepairableDamage as damage:
        with tempfile.TemporaryFile() as rebuilt:
            yield _rebuilt(source, rebuilt, limits, inspector, damage)
    else:
        yield opened


def inspect(source: BinaryIO, limits: PdfLimits | None = None) -> PdfFacts:
    """The facts of a PDF, or the reason for which it cannot be sealed."""
    with prepare(source, limits) as prepared:
        return prepared.facts


def _rebuilt(
    source: BinaryIO,
    target: BinaryIO,
    limits: PdfLimits | None,
    inspector: PageInspector,
    damage: RepairableDamage,
) -> PreparedPdf:
    try:
        readable = inspector.rebuild(source, target)
        if not readable:
            raise EncryptedPdf(_ENCRYPTED)
        opened = _open(target, limits)
    except (WorkerFailed, RepairableDamage):
        raise damage.refusal from damage.__cause__
    return replace(opened, facts=replace(opened.facts, rebuilt=True))


@contextmanager
def _reading(stream: BinaryIO) -> Iterator[None]:
    """What a parser may raise on hostile or damaged bytes, told apart by what the sender can do about it."""
    try:
        yield
    except PdfDecodeLimitError as bomb:
        raise DecompressionBomb(
            "A compressed part of the PDF unpacks into far more than its structure needs; such files are "
            "not taken. Produce the PDF again from its origin."
        ) from bomb
    except _MALFORMED as damage:
        tail, signed = _scan(stream)
        if signed:
            raise BrokenPdf(
                "The PDF carries a signature and its structure is damaged; repairing it would break that "
                "signature. Ask the signer for an intact copy."
            ) from damage
        raise (_damaged() if tail else _truncated()) from damage


def _damaged() -> RepairableDamage:
    return RepairableDamage(
        BrokenPdf(
            "The PDF's structure is damaged and could not be read or rebuilt: produce it again from its "
            "origin."
        )
    )


def _truncated() -> RepairableDamage:
    return RepairableDamage(
        TruncatedPdf(
            "The PDF ends before its end-of-file marker: it was cut off on its way here. Send it again."
        )
    )


def _scan(stream: BinaryIO) -> tuple[bool, bool]:
    """Whether the file has an end-of-file marker near its end, and whether it speaks of a byte range."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - 2048))
    tail = b"%%EOF" in stream.read()
    stream.seek(0)
    kept, signed = b"", False
    while not signed and (chunk := stream.read(1 << 20)):
        signed = b"/ByteRange" in kept + chunk
        kept = chunk[-16:]
    return tail, signed


def _startxref_is_exact(reader: PdfFileReader, stream: BinaryIO) -> bool:
    """pyHanko forgives an offset that is off by a few bytes; ``/Prev`` of our update must not be."""
    stream.seek(reader.last_startxref or 0)
    found = stream.read(12).lstrip()
    return found.startswith(b"xref") or found[:1].isdigit()


# --- pages ------------------------------------------------------------------------------------------


def _pages(reader: PdfFileReader, catalog: generic.DictionaryObject, most: int) -> Iterator[Page]:
    """The leaves of the page tree in reading order. Loops are cut, broken kids left out."""
    root = catalog.raw_get("/Pages")
    if not isinstance(root, generic.IndirectObject):
        raise _damaged()
    declared = entry(_resolve(reader, root), "/Count")
    if isinstance(declared, int) and declared > most:
        raise _too_many(declared, most)
    seen: set[int] = set()
    stack: list[tuple[Any, dict[str, Any]]] = [(root, {})]
    number = 0
    while stack:
        reference, inherited = stack.pop()
        if not isinstance(reference, generic.IndirectObject):
            if isinstance(reference, generic.DictionaryObject):
                raise _damaged()
            continue
        node: Any = _resolve(reader, reference)
        if reference.idnum in seen or not isinstance(node, generic.DictionaryObject):
            continue
        seen.add(reference.idnum)
        attributes = inherited | {key: node[key] for key in _INHERITABLE if key in node}
        kids = entry(node, "/Kids")
        if isinstance(kids, generic.ArrayObject):
            if len(kids) > 4 * most:
                raise _too_many(len(kids), most)
            stack.extend((kids.raw_get(index), attributes) for index in range(len(kids) - 1, -1, -1))
            continue
        number += 1
        if number > most:
            raise _too_many(number, most)
        yield _page(number, reference, node, attributes)


def _resolve(reader: PdfFileReader, reference: generic.IndirectObject) -> Any:
    return reader.get_object(reference.reference)  # type: ignore[no-untyped-call]


_INHERITABLE = ("/MediaBox", "/CropBox", "/Rotate")


def _too_many(count: int, most: int) -> TooManyPages:
    return TooManyPages(f"The PDF has {count:,} pages or more; at most {most:,} are taken: split it.")


def _page(number: int, reference: Any, node: generic.DictionaryObject, attributes: dict[str, Any]) -> Page:
    media = _box(attributes.get("/MediaBox")) or _LETTER
    crop = _box(attributes.get("/CropBox")) or media
    box = (max(media[0], crop[0]), max(media[1], crop[1]), min(media[2], crop[2]), min(media[3], crop[3]))
    if box[2] - box[0] <= 0 or box[3] - box[1] <= 0:
        box = media
    rotate = attributes.get("/Rotate")
    turn = int(rotate) % 360 if isinstance(rotate, int | generic.FloatObject) else 0
    unit = entry(node, "/UserUnit")
    scale = float(unit) if isinstance(unit, int | generic.FloatObject) and 0 < float(unit) < 1e6 else 1.0
    return Page(
        number=number,
        reference=(reference.idnum, reference.generation),
        box=box,
        rotate=turn if turn % 90 == 0 else 0,
        user_unit=scale,
    )


def _box(value: Any) -> tuple[float, float, float, float] | None:
    """A rectangle with its corners put in order; None when it is not one (ISO 32000-2, 7.9.5)."""
    if not isinstance(value, generic.ArrayObject) or len(value) != 4:
        return None
    try:
        a, b, c, d = (float(value[index]) for index in range(4))
    except (TypeError, ValueError):
        return None
    box = (min(a, c), min(b, d), max(a, c), max(b, d))
    usable = all(abs(edge) < 1e7 for edge in box) and box[2] - box[0] > 0 and box[3] - box[1] > 0
    return box if usable else None
