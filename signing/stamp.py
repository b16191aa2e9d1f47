"""The stamp that people see: QR code and words, set on a grid, drawn as one appearance stream.

Two forms. Wide (95 mm x 38 mm and taller where the QR code or the text needs it): a band with a kawung motif,
the QR code, and a column that says what happened, who issued, which office signed, when, under which id, and
how to check. Compact: the QR code over two lines. Indonesian stands first, English beneath it in grey.

Colours are CalRGB, which PDF/A allows whatever the document's output intent is; the order of lightness
survives a black-and-white copier. All text is in embedded fonts. The QR modules are 0.4 mm or more.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from signing.fonts import Face, Font, font_for
from signing.ids import grouped
from signing.qr import QrCode
from signing.typesetting import Canvas, Ink, Line, Style, fit, rounded

MM: Final = 72 / 25.4
MODULE: Final = 0.4 * MM
"""Smallest side of a QR module in points: 0.4 mm read 80 times out of 80 at 200 dpi, 0.33 mm 72 times."""

COLOUR_SPACE: Final = (
    b"[/CalRGB<</WhitePoint[0.9505 1 1.089]/Gamma[2.2 2.2 2.2]"
    b"/Matrix[0.4124 0.2126 0.0193 0.3576 0.7152 0.1192 0.1805 0.0722 0.9505]>>]"
)

NAVY: Final = Ink(0.06, 0.12, 0.22)
MAROON: Final = Ink(0.56, 0.07, 0.13)
GREY: Final = Ink(0.36, 0.40, 0.47)
RULE: Final = Ink(0.80, 0.83, 0.87)
WHITE: Final = Ink(1, 1, 1)

_WIDE: Final = 95 * MM
_DATE_SHARE: Final = 0.45  # of the column's width; the rest is for the document id
_LOWEST: Final = 38 * MM
_BAND: Final = 3.2 * MM
_MARGIN: Final = 2.4 * MM
_CORNER: Final = 1.6 * MM

_HEADING = Style(Face.SEMIBOLD, MAROON, 7.6, 6.5, 2)
_BENEATH = Style(Face.REGULAR, GREY, 5.6, 5, 2)
_ISSUER = Style(Face.SEMIBOLD, NAVY, 8.2, 6.2, 3)
_OFFICE = Style(Face.REGULAR, NAVY, 6.8, 5.6, 3)
_LABEL = Style(Face.REGULAR, GREY, 4.8, 4.8, 1)
_DATE = Style(Face.SEMIBOLD, NAVY, 6.2, 5, 1)
_ID = Style(Face.MONO, NAVY, 6.1, 5, 1)
_HOW = Style(Face.REGULAR, NAVY, 5.4, 4.4, 2)
_HOW_BENEATH = Style(Face.REGULAR, GREY, 4.9, 4.2, 2)

MONTHS: Final = (
    *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
    *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
)


class StampForm(StrEnum):
    WIDE = "wide"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True)
class StampText:
    """What is printed. ``signatory`` is an office, never a person's private data; ``issued_on`` is the date
    that the document itself carries; ``document_id`` in its stored form.
    """

    issuer: str
    signatory: str
    issued_on: date
    document_id: str
    is_sample: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """Everything on a stamp but the document id, which is set last, with its baseline at ``id_at``.

    ``fonts`` are those of the whole stamp, with their resource names.
    """

    height: float
    operators: bytes
    fonts: dict[Font, str]
    id_at: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Stamp:
    """A stamp as drawn, in its own space: lower left corner at the origin, upright, in points.

    ``code_at`` is the lower left corner of the QR form (quiet zone included) and ``code_side`` its side.
    """

    form: StampForm
    width: float
    height: float
    card: Card
    document_id: Line
    code_at: tuple[float, float]
    code_side: float

    def operators(self) -> bytes:
        """The content stream; it calls the QR form by the name ``QR`` and the colour space ``C``."""
        return self.card.operators + self._last_line()

    def packed(self) -> bytes:
        """:meth:`operators` for ``/FlateDecode``; what stamps have in common is packed once per process."""
        head, common = _packed(self.card.operators)
        packer = common.copy()
        return b"".join((head, packer.compress(self._last_line()), packer.flush()))

    def _last_line(self) -> bytes:
        name = self.card.fonts[self.document_id.font]
        return self.document_id.operators(name, *self.card.id_at).encode("ascii")


@lru_cache(maxsize=64)
def _packed(operators: bytes) -> tuple[bytes, Any]:
    """The beginning of a packed stream, and the ``zlib`` compressor to copy and go on with."""
    packer = zlib.compressobj(level=9, wbits=13, memLevel=6)  # small, so that a copy costs little
    return packer.compress(operators), packer


def indonesian_date(day: date) -> str:
    """``17 Agustus 2026``."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def compose(form: StampForm, text: StampText, code: QrCode, link: str) -> Stamp:
    """Set the stamp. ``code`` is the QR code of ``link``; the address to check at is the link's own host.

    Raises :class:`signing.errors.UnprintableCharacter` and :class:`signing.errors.StampTextTooLong`.
    """
    side = code.side * MODULE
    if form is StampForm.COMPACT:
        return _compact(text, side)
    inset = 0.5 * MM
    host = urlsplit(link).netloc or link
    card = _wide_card(replace(text, document_id=""), side, host)
    column = _WIDE - _left(side) - _MARGIN
    document_id = fit(grouped(text.document_id), _ID, column * (1 - _DATE_SHARE))[0]
    code_at = (_BAND + inset, (card.height - side) / 2)
    return Stamp(StampForm.WIDE, _WIDE, card.height, card, document_id, code_at, side)


@lru_cache(maxsize=64)
def _wide_card(text: StampText, side: float, host: str) -> Card:
    """Agencies seal by the thousand with the same words on the same day, so cards without id are kept."""
    inset = 0.5 * MM
    left = _left(side)
    column = _WIDE - left - _MARGIN

    # 1. Everything that has a height, so that the card can grow around it.
    heading, beneath = _headline(text)
    upper = [
        (fit(heading, _HEADING, column), _HEADING, 0.0),
        (fit(beneath, _BENEATH, column), _BENEATH, 4.2),
        (fit(text.issuer, _ISSUER, column), _ISSUER, 0.8),
        (fit(text.signatory, _OFFICE, column), _OFFICE, 0.0),
    ]
    half = column * _DATE_SHARE
    dated = fit(indonesian_date(text.issued_on), _DATE, half - 4)[0]
    labels = [
        (fit("Tanggal dokumen / Date", _LABEL, half)[0], left),
        (fit("Nomor segel / Seal ID", _LABEL, column - half)[0], left + half),
    ]
    address = host + "/verify"
    lower = [
        (fit(f"Periksa: pindai kode, atau buka {address}", _HOW, column), _HOW),
        (fit("To check, scan the code or open that address.", _HOW_BENEATH, column), _HOW_BENEATH),
    ]
    height_above = sum(_height(lines, style) + gap for lines, style, gap in upper)
    height_below = sum(_height(lines, style) for lines, style in lower) + 5.0 + 5.7 + 8.4
    height = max(_LOWEST, side + 2 * inset, height_above + height_below + 2 * _MARGIN + 2)

    # 2. Ground, band, code.
    canvas = Canvas()
    _ground(canvas, _WIDE, height)
    canvas.draw(_kawung_band(height))
    _place_code(canvas, (_BAND + inset, (height - side) / 2))

    # 3. The column: who and what from the top, how to check from the bottom, the id between them.
    y = height - _MARGIN
    for lines, style, gap in upper:
        y -= canvas.block(lines, left, y, style.leading) + gap
    floor = _MARGIN - 1.2
    for lines, style in reversed(lower):
        floor += _height(lines, style)
        canvas.block(lines, left, floor, style.leading)
    floor += 2.6
    canvas.draw(f"{RULE.operator('SC')}0.5 w {left:.2f} {floor:.2f} m {left + column:.2f} {floor:.2f} l S\n")
    for label, x in labels:
        canvas.text(label, x, floor + 11.0)
    canvas.text(dated, left, floor + 3.6)
    _frame(canvas, _WIDE, height)
    return _finish(canvas, height, font_for(_ID.face, ""), (left + half, floor + 3.6))


def _left(side: float) -> float:
    """Where the column of words begins, beside a QR code of that side."""
    return _BAND + 0.5 * MM + side + 1.2 * MM


def _finish(canvas: Canvas, height: float, document_id: Font, id_at: tuple[float, float]) -> Card:
    fonts = canvas.fonts | {document_id: canvas.name_of(document_id)}
    return Card(height, "".join(canvas.operators).encode("ascii"), fonts, id_at)


def _compact(text: StampText, side: float) -> Stamp:
    inset = 0.5 * MM
    width = side + 2 * inset
    column = width - 2 * inset - 2
    heading = "CONTOH · SAMPLE" if text.is_sample else "Segel elektronik · E-seal"
    upper = fit(heading, Style(Face.SEMIBOLD, MAROON, 6.4, 3.6, 1), column)[0]
    lower = fit(grouped(text.document_id), Style(Face.MONO, NAVY, 6.4, 3.6, 1), column)[0]
    words = (upper.size + lower.size) * 1.25
    height = side + 2 * inset + words + 1.5
    canvas = Canvas()
    _ground(canvas, width, height)
    code_at = (inset, inset + words + 1.5)
    _place_code(canvas, code_at)
    y = code_at[1] + 0.6 - upper.size * 1.2
    canvas.text(upper, (width - upper.width) / 2, y + upper.size * 0.22)
    y -= lower.size * 1.2
    _frame(canvas, width, height)
    id_at = ((width - lower.width) / 2, y + lower.size * 0.22)
    card = _finish(canvas, height, lower.font, id_at)
    return Stamp(StampForm.COMPACT, width, height, card, lower, code_at, side)


def _headline(text: StampText) -> tuple[str, str]:
    if text.is_sample:
        return "CONTOH: bukan dokumen resmi", "SAMPLE: not an official document"
    return "Dokumen ini disegel secara elektronik", "This document is electronically sealed"


def _height(lines: tuple[Line, ...], style: Style) -> float:
    return sum(line.size for line in lines) * style.leading


def _ground(canvas: Canvas, width: float, height: float) -> None:
    """White ground: the code needs white around it whatever lies below the stamp."""
    canvas.draw(f"/C cs /C CS {WHITE.operator('sc')}{_outline(width, height)}f\n")


def _frame(canvas: Canvas, width: float, height: float) -> None:
    """The hairline comes last, so that no ground covers it."""
    canvas.draw(f"{RULE.operator('SC')}0.6 w {_outline(width, height)}S\n")


def _outline(width: float, height: float) -> str:
    return rounded(0.3, 0.3, width - 0.6, height - 0.6, _CORNER)


@lru_cache(maxsize=64)
def _kawung_band(height: float) -> str:
    """The band on the left: four-petalled kawung flowers, an old Javanese pattern, one above the other."""
    clip = rounded(0.3, 0.3, 4 * _BAND, height - 0.6, _CORNER)
    count = int(height / _BAND)
    first = (height - (count - 1) * _BAND) / 2
    flowers = "".join(_kawung(_BAND / 2, first + index * _BAND, _BAND * 0.36) for index in range(count))
    return (
        f"q {clip}W n {MAROON.operator('sc')}0 0 {_BAND:.2f} {height:.2f} re f\n"
        f"{WHITE.operator('sc')}{flowers}Q\n"
    )


def _kawung(x: float, y: float, reach: float) -> str:
    """Four petals along the diagonals around a point."""
    petals = []
    for right, up in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
        # A petal is two curves between its tips; ``along`` runs on the diagonal, ``aside`` across it.
        def at(along: float, aside: float, right: int = right, up: int = up) -> str:
            return f"{x + right * along - up * aside:.2f} {y + up * along + right * aside:.2f}"

        near, far, bulge = reach * 0.10, reach * 0.95, reach * 0.40
        thick, thin = reach * 0.72, reach * 0.36
        petals.append(
            f"{at(near, 0)} m {at(thin, bulge)} {at(thick, bulge)} {at(far, 0)} c "
            f"{at(thick, -bulge)} {at(thin, -bulge)} {at(near, 0)} c f\n"
        )
    return "".join(petals)


def _place_code(canvas: Canvas, at: tuple[float, float]) -> None:
    canvas.draw(f"q {MODULE:.5f} 0 0 {MODULE:.5f} {at[0]:.3f} {at[1]:.3f} cm /QR Do Q\n")
