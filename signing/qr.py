"""The QR code as modules, as PDF drawing operators, and back again from the operators to its text.

ISO/IEC 18004: level M for a bare URL, Q for a link that carries a signed receipt. The decimal digits of a
receipt land in a numeric segment (3 1/3 bits a digit) because the encoder splits the text into the cheapest
segments. One module is one unit of the form's space; the quiet zone of four modules is part of the form.
"""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final, Literal

import zxingcpp

QUIET_ZONE: Final = 4
"""Modules of white on every side (ISO/IEC 18004, 5.3.8)."""

_INVERT = bytes(255 - value for value in range(256))
_DATA_MASK: Final = 3
"""One mask for all codes. A signature's digits are as good as random under any of them: of 120 codes that
were turned, blurred and sprinkled with noise 55 read with this mask and 48 with the one that ISO/IEC 18004
(7.8.3) would pick. Trying all eight takes 2.2 ms instead of 0.2 for 650 digits."""

_GROUND = re.compile(rb"/C cs\n1 1 1 sc\n0 0 (\d{1,3}) \1 re f\n0 0 0 sc\n")
_RUN = re.compile(rb"(\d{1,3}) Y ([1-8]) 1 re")
_QR_ONLY = zxingcpp.barcode_formats_from_str("QRCode")
_BLACK_OR_WHITE = zxingcpp.Binarizer.FixedThreshold
_WIDEST: Final = 177 + 2 * QUIET_ZONE
_AS_GREY = bytes(0x00 if value == 0x31 else 0xFF for value in range(256))


@dataclass(frozen=True, slots=True)
class QrCode:
    """``rows`` holds one byte a module, 0xFF where it is dark, top row first, without the quiet zone."""

    rows: tuple[bytes, ...]

    @property
    def side(self) -> int:
        """Modules a side, quiet zone included."""
        return len(self.rows) + 2 * QUIET_ZONE


def qr_code(link: str, level: Literal["M", "Q"]) -> QrCode:
    """Encode ``link`` (ASCII). Raises ``ValueError`` when it is too long for any QR symbol."""
    symbol = zxingcpp.create_barcode(link, zxingcpp.BarcodeFormat.QRCode, ec_level=level, dataMask=_DATA_MASK)
    image: Any = symbol.to_image(scale=1, add_quiet_zones=False)
    pixels = memoryview(image).cast("B")
    flat = bytes(pixels).translate(_INVERT)
    width = math.isqrt(len(flat))
    return QrCode(tuple(flat[start : start + width] for start in range(0, len(flat), width)))


def draw(code: QrCode) -> bytes:
    """Operators that fill the dark modules in a space of ``side`` by ``side`` units, over white ground,
    in the colour space that the form's resources call ``C``.

    Runs of dark modules become rectangles of one path, and one ``f`` fills it: coverage is then summed over
    the whole path and no renderer leaves hairlines between neighbours. The rectangles of every possible
    group of eight modules are kept ready, so a row is ten look-ups instead of twenty formattings. White space
    shows the grain to whoever reads it back: a tab within a group, a line per group, a blank line per row.
    """
    modules = len(code.rows)
    groups = (modules + 7) // 8
    unused = 8 * groups - modules
    tables = [_rectangles_of(group) for group in range(groups)]
    drawn = []
    for height, row in zip(range(modules + QUIET_ZONE - 1, QUIET_ZONE - 1, -1), code.rows, strict=True):
        packed_row = (int(row.translate(_AS_BINARY), 2) << unused).to_bytes(groups, "big")
        line = b"".join([table[byte] for table, byte in zip(tables, packed_row, strict=True)])
        drawn.append(line.replace(b"Y", b"%d" % height))
    ground = b"/C cs\n1 1 1 sc\n0 0 %d %d re f\n0 0 0 sc\n" % (code.side, code.side)
    return ground + b"\n".join(drawn) + b"f\n"


_AS_BINARY = bytes(0x31 if value else 0x30 for value in range(256))


@cache
def _rectangles_of(group: int) -> tuple[bytes, ...]:
    """For each value of the ``group``-th byte of a row: the rectangles of its runs, ``Y`` for the height."""
    left = 8 * group + QUIET_ZONE
    return tuple(
        b"\t".join(
            b"%d Y %d 1 re" % (left + run.start(), run.end() - run.start())
            for run in re.finditer("1+", f"{byte:08b}")
        )
        + b"\n" * (byte > 0)
        for byte in range(256)
    )


def read_drawing(operators: bytes) -> str | None:
    """Decode what :func:`draw` has drawn: rasterise the rectangles, one pixel a module, and read the symbol.

    Returns None when there is no readable symbol or anything else is drawn. Nothing is remembered from
    drawing: this is the check before release, and its input comes out of the finished file. The bits of a
    group of rectangles depend on its text alone, so each distinct text is parsed once per process.
    """
    ground = _GROUND.match(operators)
    side = int(ground[1]) if ground else 0
    if ground is None or side > _WIDEST or not operators.endswith(b"\nf\n"):
        return None
    lines = [""] * side
    blank, beyond = "0" * side, 1 << (_WIDEST - side)
    for path in operators[ground.end() : -3].split(b"\n\n"):
        try:
            _, height, _ = path.split(b" ", 2)
            groups = path.replace(b" %b " % height, b" Y ").split(b"\n")
            inside, outside = divmod(sum(map(_covered, groups)), beyond)
            up = int(height)
        except ValueError:
            return None
        if outside or not 0 <= up < side or lines[side - 1 - up]:
            return None
        lines[side - 1 - up] = f"{inside:0{side}b}"
    pixels = "".join(line or blank for line in lines).encode("ascii").translate(_AS_GREY)
    if len(pixels) != side * side:
        return None
    image = memoryview(pixels).cast("B", (side, side))
    found = zxingcpp.read_barcodes(image, _QR_ONLY, is_pure=True, binarizer=_BLACK_OR_WHITE)
    return found[0].text if len(found) == 1 and found[0].valid else None


@lru_cache(maxsize=1 << 13)  # the widest symbol has 23 groups a row, 255 texts each
def _covered(rectangles: bytes) -> int:
    """The bits that rectangles of one row cover in the widest symbol's row. Raises ``ValueError``."""
    bits = 0
    for rectangle in rectangles.split(b"\t"):
        run = _RUN.fullmatch(rectangle)
        if run is None:
            raise ValueError("something else than a run of modules is drawn")
        left, width = int(run[1]), int(run[2])
        covered = ((1 << width) - 1) << (_WIDEST - left - width)  # ValueError when it lies outside
        if bits & covered:
            raise ValueError("two rectangles overlap")
        bits |= covered
    return bits


def packed(operators: bytes) -> bytes:
    """Deflated for the file. Level 1: runs of digits gain little from more, and time counts here."""
    return zlib.compress(operators, 1)
