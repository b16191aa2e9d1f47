"""The page that is added when no page of the document has room: “Lembar pengesahan elektronik”."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from signing.fonts import Face
from signing.stamp import GREY, MAROON, MM, NAVY, RULE, Stamp
from signing.typesetting import Canvas, Style, fit

_SMALLEST_WIDTH: Final = 125 * MM
_SMALLEST_HEIGHT: Final = 120 * MM
_LARGEST: Final = 1200.0  # points: a sheet for a poster would hide the stamp

_TITLE = Style(Face.SEMIBOLD, NAVY, 17, 12, 2)
_SUBTITLE = Style(Face.REGULAR, GREY, 10.5, 8, 2)
_BODY = Style(Face.REGULAR, NAVY, 9.5, 8, 6, leading=1.45)
_BODY_BENEATH = Style(Face.REGULAR, GREY, 8.5, 7, 6, leading=1.45)

_WORDS: Final = (
    "Halaman ini ditambahkan secara otomatis karena halaman dokumen tidak menyediakan ruang untuk segel. "
    "Segel di bawah ini berlaku untuk seluruh halaman dokumen; setiap perubahan sesudahnya akan terdeteksi."
)
_WORDS_BENEATH: Final = (
    "This page was added automatically because the document leaves no room for the seal. The seal below "
    "covers every page of the document; any later change will be detected."
)


@dataclass(frozen=True, slots=True)
class AttestationPage:
    """Its size, its drawing, and where the stamp's lower left corner belongs, in points."""

    width: float
    height: float
    canvas: Canvas
    stamp_at: tuple[float, float]


def compose_page(last_page: tuple[float, float], stamp: Stamp) -> AttestationPage:
    """A page of the last page's size as shown, but large enough for words and stamp, within reason."""
    width = min(max(last_page[0], _SMALLEST_WIDTH, stamp.width + 30 * MM), _LARGEST)
    height = min(max(last_page[1], _SMALLEST_HEIGHT), _LARGEST)
    margin = max(15 * MM, width * 0.095)
    column = min(width - 2 * margin, 150 * MM)
    canvas = Canvas()
    canvas.draw("/C cs /C CS\n")
    y = height - max(18 * MM, height * 0.11)
    canvas.draw(f"{MAROON.operator('sc')}{margin:.2f} {y + 8:.2f} {14 * MM:.2f} 2.2 re f\n")
    for text, style, gap in (
        ("Lembar pengesahan elektronik", _TITLE, 1.0),
        ("Electronic attestation page", _SUBTITLE, 12.0),
        (_WORDS, _BODY, 4.0),
        (_WORDS_BENEATH, _BODY_BENEATH, 14.0),
    ):
        y -= canvas.block(fit(text, style, column), margin, y, style.leading) + gap
    canvas.draw(f"{RULE.operator('SC')}0.6 w {margin:.2f} {y:.2f} m {width - margin:.2f} {y:.2f} l S\n")
    return AttestationPage(width, height, canvas, (margin, y - 16 - stamp.height))
