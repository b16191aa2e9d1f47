"""Makes the font files that stamps embed. Run by hand when the fonts change; needs fontTools.

    python signing/fonts/build.py SOURCES signing/fonts

``SOURCES`` holds the WOFF files of Plus Jakarta Sans (400, 600) and IBM Plex Mono (500), split into
``latin`` and ``latin-ext`` as the Fontsource packages ship them. Every face comes out twice: ``Basic``,
which is enough for nearly every Indonesian name and keeps a sealed file small, and ``Extended``, which
covers the Latin script. Hints and layout tables go: print and screens at the size of a stamp gain nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools import merge, subset
from fontTools.ttLib import TTFont

BASIC = [
    *range(0x20, 0x7F),
    *map(ord, "\u00a0©«·»×Éé–—‘’“”…"),
]
EXTENDED = [
    *range(0x20, 0x7F),
    *range(0xA0, 0x180),
    *range(0x18F, 0x190),
    *range(0x1A0, 0x1B1),
    *range(0x1CD, 0x1DD),
    *range(0x1E6, 0x220),
    *range(0x1E00, 0x1F00),
    *range(0x2010, 0x2027),
    0x2032,
    0x2033,
    0x20AC,
    0x2116,
    0x2122,
]
_MADE = 3_850_000_000  # seconds since 1904, fixed so that the same sources give the same files
FACES = {
    "PlusJakartaSans-Regular": ("plus-jakarta-sans", 400, (BASIC, EXTENDED)),
    "PlusJakartaSans-SemiBold": ("plus-jakarta-sans", 600, (BASIC, EXTENDED)),
    "IBMPlexMono-Medium": ("ibm-plex-mono", 500, ([*b"-0123456789ABCDEFGHJKMNPQRSTVWXYZ "],)),
}


def build(sources: Path, target: Path) -> None:
    for face, (family, weight, tiers) in FACES.items():
        parts = [sources / f"{family}-{part}-{weight}-normal.woff" for part in ("latin", "latin-ext")]
        for tier, characters in zip(("Basic", "Extended"), tiers, strict=False):
            font = _merged(parts, target) if len(tiers) > 1 else TTFont(parts[0])
            font.flavor = None
            options = subset.Options(
                hinting=False, layout_features=[], name_IDs=[0, 1, 2, 4, 6, 13, 14], notdef_outline=True
            )
            options.drop_tables += ["GSUB", "GPOS", "GDEF", "DSIG", "STAT", "gasp", "prep", "fpgm", "cvt "]
            worker = subset.Subsetter(options)
            worker.populate(unicodes=characters)
            worker.subset(font)
            font["head"].created = font["head"].modified = _MADE
            font.recalcTimestamp = False
            font.save(target / f"{face}.{tier}.ttf", reorderTables=True)


def _merged(parts: list[Path], scratch: Path) -> TTFont:
    plain = []
    for number, part in enumerate(parts):
        font = TTFont(part)
        font.flavor = None
        for table in ("GSUB", "GPOS", "GDEF", "STAT"):
            if table in font:
                del font[table]
        plain.append(scratch / f".part{number}.ttf")
        font.save(plain[-1])
    merged = merge.Merger().merge([str(path) for path in plain])
    for path in plain:
        path.unlink()
    return merged


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
