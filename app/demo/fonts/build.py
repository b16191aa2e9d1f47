"""Makes the font files that the sample documents embed. Run by hand when the fonts change; needs fontTools.

    python app/demo/fonts/build.py SOURCES app/demo/fonts

``SOURCES`` holds the ``latin`` WOFF files of STIX Two Text and Plus Jakarta Sans as the Fontsource packages
ship them. Hints and layout tables go: ReportLab does not read them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

CHARACTERS = [*range(0x20, 0x7F), *range(0xA0, 0x100), *range(0x2010, 0x2027)]
FACES = {
    "STIXTwoText-Regular": "stix-two-text-latin-400-normal",
    "STIXTwoText-SemiBold": "stix-two-text-latin-600-normal",
    "STIXTwoText-Italic": "stix-two-text-latin-400-italic",
    "PlusJakartaSans-Regular": "plus-jakarta-sans-latin-400-normal",
    "PlusJakartaSans-SemiBold": "plus-jakarta-sans-latin-600-normal",
}


def build(sources: Path, target: Path) -> None:
    for face, source in FACES.items():
        font = TTFont(sources / f"{source}.woff")
        font.flavor = None
        options = subset.Options(
            hinting=False, layout_features=[], name_IDs=[0, 1, 2, 4, 6, 13, 14], notdef_outline=True
        )
        options.drop_tables += ["GSUB", "GPOS", "GDEF", "DSIG", "STAT", "gasp", "prep", "fpgm", "cvt "]
        worker = subset.Subsetter(options)
        worker.populate(unicodes=CHARACTERS)
        worker.subset(font)
        font["head"].modified = font["head"].created
        font.recalcTimestamp = False
        font.save(target / f"{face}.ttf", reorderTables=True)


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
