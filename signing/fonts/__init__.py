"""The fonts that stamps embed, read once per process and kept ready to be written into a PDF.

Only what PDF needs is read from a TrueType file: which character is which glyph (``cmap``), how wide it is
(``hmtx``) and the figures of the font descriptor (``head``, ``hhea``, ``OS/2``). Layout features are left
out of the files on purpose, so one character is one glyph and a width is a sum.
Embedded as Type 0 with Identity-H and a ToUnicode map (ISO 32000-2, 9.7), as PDF/A asks for.
"""

from __future__ import annotations

import struct
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files

from signing.errors import UnprintableCharacter

OBJECTS_PER_FONT = 5


class Face(StrEnum):
    REGULAR = "PlusJakartaSans-Regular"
    SEMIBOLD = "PlusJakartaSans-SemiBold"
    MONO = "IBMPlexMono-Medium"


_TIERS = {Face.REGULAR: ("Basic", "Extended"), Face.SEMIBOLD: ("Basic", "Extended"), Face.MONO: ("Basic",)}


@dataclass(frozen=True, slots=True)
class Font:
    """One embeddable font file. Lengths are in thousandths of the font size.

    Equal by name alone: two threads that need a font first at the same moment each load it, and a line set
    with one must find its place among resources that were made with the other.
    """

    name: str
    glyphs: dict[str, int] = field(compare=False, repr=False)
    widths: dict[str, float] = field(compare=False, repr=False)
    codes: dict[str, str] = field(compare=False, repr=False)  # character → two-byte code in hexadecimal
    bodies: tuple[Callable[[int], bytes], ...] = field(compare=False, repr=False)
    """Its PDF objects. Each takes the number of the first and returns a body without ``obj``/``endobj``."""

    def width(self, text: str, size: float) -> float:
        """Width of ``text`` in points when set at ``size`` points."""
        return sum(map(self.widths.__getitem__, text)) * size / 1000

    def encode(self, text: str) -> str:
        """``text`` as the hexadecimal string that a ``Tj`` shows."""
        return "<" + "".join(map(self.codes.__getitem__, text)) + ">"


def font_for(face: Face, text: str) -> Font:
    """The smallest file of ``face`` that can print ``text`` (in NFC).

    Raises :class:`signing.errors.UnprintableCharacter`, which names the first character it lacks.
    """
    characters = set(text)
    for tier in _TIERS[face]:
        font = _load(face, tier)
        if characters <= font.glyphs.keys():
            return font
    missing = next(character for character in text if character not in font.glyphs)
    raise UnprintableCharacter(missing, text)


def printable(text: str) -> str:
    """``text`` as it will be set: composed (NFC), white space folded into single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@cache
def _load(face: Face, tier: str) -> Font:
    data = files(__package__).joinpath(f"{face}.{tier}.ttf").read_bytes()
    tables = _table_directory(data)
    units, x_min, y_min, x_max, y_max = struct.unpack_from(
        ">H", data, tables["head"] + 18
    ) + struct.unpack_from(">4h", data, tables["head"] + 36)
    ascent, descent = struct.unpack_from(">2h", data, tables["hhea"] + 4)
    (metric_count,) = struct.unpack_from(">H", data, tables["hhea"] + 34)
    (cap_height,) = struct.unpack_from(">h", data, tables["OS/2"] + 88)
    (weight,) = struct.unpack_from(">H", data, tables["OS/2"] + 4)
    (glyph_count,) = struct.unpack_from(">H", data, tables["maxp"] + 4)
    scale = 1000 / units
    advances = [
        struct.unpack_from(">H", data, tables["hmtx"] + 4 * i)[0] * scale for i in range(metric_count)
    ]
    advances += [advances[-1]] * (glyph_count - metric_count)
    glyphs = _character_map(data, tables["cmap"])

    packed = zlib.compress(data, 9)
    to_unicode = zlib.compress(_to_unicode(glyphs), 9)
    name = f"{_subset_tag(face, tier)}+{face}"
    fixed_pitch = 1 if face is Face.MONO else 0
    descriptor = (
        f"/Type/FontDescriptor/FontName/{name}/Flags {32 | fixed_pitch}/ItalicAngle 0/StemV {weight // 5}"
        f"/FontBBox[{x_min * scale:.0f} {y_min * scale:.0f} {x_max * scale:.0f} {y_max * scale:.0f}]"
        f"/Ascent {ascent * scale:.0f}/Descent {descent * scale:.0f}/CapHeight {cap_height * scale:.0f}"
    )
    widths = " ".join(f"{advance:g}" for advance in advances)
    info = "/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
    return Font(
        name=name,
        glyphs=glyphs,
        widths={character: advances[glyph] for character, glyph in glyphs.items()},
        codes={character: f"{glyph:04X}" for character, glyph in glyphs.items()},
        bodies=(
            lambda first: (
                f"<</Type/Font/Subtype/Type0/BaseFont/{name}/Encoding/Identity-H"
                f"/DescendantFonts[{first + 1} 0 R]/ToUnicode {first + 4} 0 R>>"
            ).encode(),
            lambda first: (
                f"<</Type/Font/Subtype/CIDFontType2/BaseFont/{name}{info}/FontDescriptor {first + 2} 0 R"
                f"/CIDToGIDMap/Identity/W[0[{widths}]]>>"
            ).encode(),
            lambda first: f"<<{descriptor}/FontFile2 {first + 3} 0 R>>".encode(),
            lambda _: (
                b"<</Length %d/Length1 %d/Filter/FlateDecode>>stream\n%b\nendstream"
                % (len(packed), len(data), packed)
            ),
            lambda _: (
                b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(to_unicode), to_unicode)
            ),
        ),
    )


def _table_directory(data: bytes) -> dict[str, int]:
    (count,) = struct.unpack_from(">H", data, 4)
    return {
        data[entry : entry + 4].decode("ascii"): struct.unpack_from(">I", data, entry + 8)[0]
        for entry in range(12, 12 + 16 * count, 16)
    }


def _character_map(data: bytes, cmap: int) -> dict[str, int]:
    """Format 4 of ``cmap``, the only one that fontTools writes for the Basic Multilingual Plane."""
    (count,) = struct.unpack_from(">H", data, cmap + 2)
    for record in range(cmap + 4, cmap + 4 + 8 * count, 8):
        table = cmap + struct.unpack_from(">I", data, record + 4)[0]
        if struct.unpack_from(">H", data, table)[0] == 4:
            break
    else:
        raise ValueError("the font file has no cmap of format 4: make it with signing/fonts/build.py")
    doubled = struct.unpack_from(">H", data, table + 6)[0]
    ends, starts = table + 14, table + 16 + doubled
    deltas, offsets = starts + doubled, starts + 2 * doubled
    glyphs: dict[str, int] = {}
    for at in range(0, doubled, 2):
        first, last = (struct.unpack_from(">H", data, column + at)[0] for column in (starts, ends))
        delta, offset = (struct.unpack_from(">H", data, column + at)[0] for column in (deltas, offsets))
        for code in range(first, min(last, 0xFFFE) + 1):
            glyph = code
            if offset:
                glyph = struct.unpack_from(">H", data, offsets + at + offset + 2 * (code - first))[0]
            glyphs[chr(code)] = (glyph + delta) & 0xFFFF
    return glyphs


def _to_unicode(glyphs: dict[str, int]) -> bytes:
    lines = [f"<{glyph:04X}> <{ord(character):04X}>" for character, glyph in sorted(glyphs.items())]
    blocks = [lines[start : start + 100] for start in range(0, len(lines), 100)]
    ranges = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        f"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n{ranges}\n"
        "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend"
    ).encode()


def _subset_tag(face: Face, tier: str) -> str:
    """Six capitals that tell subsets of one font apart (ISO 32000-2, 9.9.2)."""
    number = zlib.crc32(f"{face}.{tier}".encode())
    return "".join(chr(65 + number // 26**place % 26) for place in range(6))
