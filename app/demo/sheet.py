"""One printed document: fonts, letterhead, running text, tables, the signature block, the footer.

Lengths are PDF points. Text is set downwards: a method takes the height at which its block begins and
returns the height at which the next may begin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final, Literal

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY, TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

from signing.model import StampPlace

SERIF: Final = "STIXTwoText-Regular"
SERIF_BOLD: Final = "STIXTwoText-SemiBold"
SERIF_ITALIC: Final = "STIXTwoText-Italic"
SANS: Final = "PlusJakartaSans-Regular"
SANS_BOLD: Final = "PlusJakartaSans-SemiBold"

INK: Final = HexColor("#16191D")
SOFT: Final = HexColor("#5B646E")
HAIR: Final = HexColor("#B9C0C7")
TINT: Final = HexColor("#F1F5F5")

PORTRAIT: Final = A4
LANDSCAPE: Final = (A4[1], A4[0])
FOLIO: Final = (215 * mm, 330 * mm)  # the paper of Indonesian decrees

_ALIGN: Final[dict[str, Literal[0, 1, 2, 4]]] = {
    "left": TA_LEFT,
    "centre": TA_CENTER,
    "right": TA_RIGHT,
    "justify": TA_JUSTIFY,
}

_NOTICE: Final = (
    "Dokumen contoh. Wilayah, lembaga, nama dan nomor di dalamnya rekaan.",
    "Sample document. Places, offices, names and numbers are made up.",
)


@dataclass(frozen=True, slots=True)
class Office:
    """What a letterhead says. ``lines`` are set below each other, the last one largest."""

    lines: tuple[str, ...]
    address: str
    emblem: Callable[[Canvas, float, float, float], None]
    emblem_width: float  # for a height of 1


class Sheet:
    """A document of one page size. The same calls give the same bytes: no clock, no random ids."""

    def __init__(self, size: tuple[float, float], *, title: str, author: str, margin: float = 62) -> None:
        _register_fonts()
        self.width, self.height = size
        self.left = self.margin = margin
        self.right = self.width - margin
        self.page = 1
        self._buffer = BytesIO()
        self.canvas = Canvas(
            self._buffer,
            pagesize=size,
            invariant=1,
            pageCompression=1,
            lang="id-ID",
            initialFontName=SERIF,  # type: ignore[arg-type]  # the stub errs; the default is not embedded
        )
        self.canvas.setTitle(title)
        self.canvas.setAuthor(author)
        self.canvas.setSubject(_NOTICE[1])
        self.canvas.setCreator("Absah demo")

    @property
    def measure(self) -> float:
        """Width of the text."""
        return self.right - self.left

    def text(
        self,
        x: float,
        y: float,
        line: str,
        *,
        font: str = SERIF,
        size: float = 11,
        colour: Color = INK,
        align: str = "left",
        spacing: float = 0,
    ) -> None:
        """One line on the baseline ``y``; ``x`` is its left end, centre or right end."""
        width = pdfmetrics.stringWidth(line, font, size) + spacing * (len(line) - 1)
        start = {"left": x, "centre": x - width / 2, "right": x - width}[align]
        self.canvas.setFont(font, size)
        self.canvas.setFillColor(colour)
        self.canvas.drawString(start, y, line, charSpace=spacing)

    def paragraph(
        self,
        x: float,
        y: float,
        width: float,
        words: str,
        *,
        font: str = SERIF,
        size: float = 11,
        leading: float | None = None,
        align: str = "left",
        colour: Color = INK,
    ) -> float:
        """Set ``words`` (with ``<b>`` and ``<i>``) below ``y``; returns the height of its lower edge."""
        block = _block(words, font, size, leading, align=align, colour=colour)
        _, used = block.wrap(width, self.height)
        block.drawOn(self.canvas, x, y - used)
        return float(y - used)

    def height_of(
        self,
        width: float,
        words: str,
        *,
        font: str = SERIF,
        size: float = 11,
        leading: float | None = None,
        align: str = "left",
    ) -> float:
        """How much :meth:`paragraph` would take."""
        return float(_block(words, font, size, leading, align=align).wrap(width, self.height)[1])

    def rule(
        self,
        y: float,
        *,
        weight: float = 0.6,
        colour: Color = INK,
        x0: float | None = None,
        x1: float | None = None,
    ) -> None:
        self.canvas.setStrokeColor(colour)
        self.canvas.setLineWidth(weight)
        self.canvas.setLineCap(0)
        self.canvas.line(self.left if x0 is None else x0, y, self.right if x1 is None else x1, y)

    def letterhead(self, office: Office, *, top: float | None = None, font: str = SERIF) -> float:
        """Emblem, the office's names, its address and the double rule beneath."""
        bold = SERIF_BOLD if font == SERIF else SANS_BOLD
        y = (self.height - 40) if top is None else top
        emblem_height = 66.0
        office.emblem(self.canvas, self.left, y - emblem_height + 2, emblem_height)
        inset = emblem_height * office.emblem_width
        centre = (self.left + inset + self.right) / 2
        line_y = y - 11
        *above, name = office.lines
        for line in above:
            self.text(centre, line_y, line, font=font, size=12, align="centre", spacing=0.3)
            line_y -= 15
        for part in name.split("\n"):
            self.text(centre, line_y, part, font=bold, size=13, align="centre", spacing=0.2)
            line_y -= 15.5
        self.text(centre, line_y + 2.5, office.address, font=font, size=8.3, colour=SOFT, align="centre")
        foot = min(y - emblem_height - 4, line_y - 7)
        self.rule(foot, weight=1.8)
        self.rule(foot - 2.6, weight=0.5)
        return foot - 2.6

    def pairs(
        self,
        x: float,
        y: float,
        rows: Sequence[tuple[str, str]],
        *,
        label: float,
        width: float,
        font: str = SERIF,
        size: float = 11,
        gap: float = 5,
    ) -> float:
        """``label : value`` rows; values wrap."""
        for name, value in rows:
            self.paragraph(x, y, label - 8, name, font=font, size=size, colour=SOFT if font == SANS else INK)
            if font == SERIF:
                self.paragraph(x + label - 8, y, 8, ":", font=font, size=size)
            y = self.paragraph(x + label, y, width - label, value, font=font, size=size) - gap
        return y

    def table(
        self,
        y: float,
        widths: Sequence[float],
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        font: str = SANS,
        size: float = 8,
        align: Sequence[str] | None = None,
        x: float | None = None,
        numbered: bool = False,
    ) -> float:
        """A ruled table. With ``numbered`` a row of column numbers follows the header, as registers have."""
        left = self.left if x is None else x
        bold = SERIF_BOLD if font == SERIF else SANS_BOLD
        aligns = list(align or ["left"] * len(widths))
        centred = ["centre"] * len(widths)
        y = self._row(left, y, widths, header, font=bold, size=size - 0.4, aligns=centred, fill=TINT)
        if numbered:
            numbers = [f"({column})" for column in range(1, len(widths) + 1)]
            y = self._row(left, y, widths, numbers, font=font, size=size - 1.6, aligns=centred, pad=1.5)
        for row in rows:
            y = self._row(left, y, widths, row, font=font, size=size, aligns=aligns)
        return y

    def signature(
        self, y: float, lines: Sequence[str], name: str, below: str, *, width: float = 292, font: str = SERIF
    ) -> StampPlace:
        """The block at the lower right: place and office, room for the stamp, then the name.

        The room is what an office leaves for a wet stamp and a signature; the seal's stamp goes there.
        """
        bold = SERIF_BOLD if font == SERIF else SANS_BOLD
        size = 10.6 if font == SERIF else 9.4
        x = self.right - width
        for line in lines:
            y = self.paragraph(x, y, width, line, font=font, size=size, leading=14)
        y -= 6 + STAMP_ROOM
        place = StampPlace(page=self.page, x=round(x, 2), y=round(y, 2))
        y = self.paragraph(x, y - 7, width, f"<u>{name}</u>" if font == SERIF else name, font=bold, size=size)
        self.paragraph(x, y - 1, width, below, font=font, size=size - 1.6, colour=SOFT)
        return place

    def footer(self, note: str = "") -> None:
        """The notice that everything is made up, and the page's own note (number of pages, form number)."""
        self.rule(46, weight=0.4, colour=HAIR)
        self.text(self.left, 35.5, _NOTICE[0], font=SANS, size=6.4, colour=SOFT)
        self.text(self.left, 27, _NOTICE[1], font=SANS, size=6.4, colour=SOFT)
        self.text(self.right, 35.5, note, font=SANS, size=6.4, colour=SOFT, align="right")

    def next_page(self) -> None:
        self.canvas.showPage()
        self.page += 1

    def finish(self) -> bytes:
        self.canvas.showPage()
        self.canvas.save()
        return self._buffer.getvalue()

    def _row(
        self,
        x: float,
        y: float,
        widths: Sequence[float],
        cells: Sequence[str],
        *,
        font: str,
        size: float,
        aligns: Sequence[str],
        fill: Color | None = None,
        pad: float = 4,
    ) -> float:
        side = 4.0
        blocks = [
            _block(cell, font, size, size * 1.28, align=how) for cell, how in zip(cells, aligns, strict=True)
        ]
        heights = [
            block.wrap(width - 2 * side, self.height)[1] for block, width in zip(blocks, widths, strict=True)
        ]
        tall = max(heights) + 2 * pad
        self.canvas.setStrokeColor(HAIR)
        self.canvas.setLineWidth(0.5)
        for block, width, used in zip(blocks, widths, heights, strict=True):
            if fill is not None:
                self.canvas.setFillColor(fill)
            self.canvas.rect(x, y - tall, width, tall, fill=0 if fill is None else 1, stroke=1)
            top = y - pad if fill is None else y - (tall - used) / 2
            block.drawOn(self.canvas, x + side, top - used)
            x += width
        return float(y - tall)


STAMP_ROOM: Final = 118.0
"""Height that a signature block leaves for the stamp."""


def _block(
    words: str, font: str, size: float, leading: float | None, *, align: str, colour: Color = INK
) -> Paragraph:
    return Paragraph(
        words,
        ParagraphStyle(
            "block",
            fontName=font,
            fontSize=size,
            leading=size * 1.32 if leading is None else leading,
            alignment=_ALIGN[align],
            textColor=colour,
            underlineWidth=0.6,
            underlineOffset=-1.8,
        ),
    )


@cache
def _register_fonts() -> None:
    folder = Path(__file__).parent / "fonts"
    for name in (SERIF, SERIF_BOLD, SERIF_ITALIC, SANS, SANS_BOLD):
        pdfmetrics.registerFont(TTFont(name, folder / f"{name}.ttf"))
    pdfmetrics.registerFontFamily(SERIF, SERIF, SERIF_BOLD, SERIF_ITALIC, SERIF_BOLD)
    pdfmetrics.registerFontFamily(SERIF_BOLD, SERIF_BOLD, SERIF_BOLD, SERIF_BOLD, SERIF_BOLD)
    pdfmetrics.registerFontFamily(SANS, SANS, SANS_BOLD, SANS, SANS_BOLD)
    pdfmetrics.registerFontFamily(SANS_BOLD, SANS_BOLD, SANS_BOLD, SANS_BOLD, SANS_BOLD)
