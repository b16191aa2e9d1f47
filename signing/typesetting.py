"""Setting lines of text into a column and onto a PDF content stream. Lengths are points, pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from signing.errors import StampTextTooLong
from signing.fonts import Face, Font, font_for, printable


@dataclass(frozen=True, slots=True)
class Ink:
    """A colour in the stamp's own CalRGB space, each component from 0 to 1."""

    red: float
    green: float
    blue: float

    def operator(self, name: str) -> str:
        return f"{self.red:g} {self.green:g} {self.blue:g} {name}\n"


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    font: Font
    size: float
    ink: Ink

    @property
    def width(self) -> float:
        return self.font.width(self.text, self.size)

    def operators(self, font_name: str, x: float, baseline: float) -> str:
        return (
            f"BT {self.ink.operator('sc')}/{font_name} {self.size:g} Tf {x:.2f} {baseline:.2f} Td "
            f"{self.font.encode(self.text)} Tj ET\n"
        )


@dataclass(frozen=True, slots=True)
class Style:
    """How a text may be set: from ``size`` down to ``smallest``, on at most ``lines`` lines."""

    face: Face
    ink: Ink
    size: float
    smallest: float
    lines: int
    leading: float = 1.18  # line height as a multiple of the size


@lru_cache(maxsize=1024)
def fit(text: str, style: Style, width: float) -> tuple[Line, ...]:
    """Break ``text`` into lines no wider than ``width``, at the largest size that the style allows.

    Fewer lines win over larger letters only as far as the style's sizes go. Raises
    :class:`signing.errors.StampTextTooLong` when it does not fit at the smallest size, and
    :class:`signing.errors.UnprintableCharacter`.
    """
    text = printable(text)
    font = font_for(style.face, text)
    size = style.size
    while True:
        lines = _wrap(text, font, size, width)
        if len(lines) <= style.lines:
            return tuple(Line(line, font, size, style.ink) for line in lines)
        if size <= style.smallest:
            raise StampTextTooLong(text, style.lines)
        size = max(style.smallest, size - 0.25)


def _wrap(text: str, font: Font, size: float, width: float) -> list[str]:
    lines: list[str] = []
    current = ""
    for word in text.split(" "):
        candidate = f"{current} {word}" if current else word
        if font.width(candidate, size) <= width:
            current = candidate
            continue
        if current:
            lines.append(current)
        current = word
        while font.width(current, size) > width:
            kept = max(1, _longest_prefix(current, font, size, width))
            lines.append(current[:kept])
            current = current[kept:]
    return [*lines, current] if current else lines or [""]


def _longest_prefix(word: str, font: Font, size: float, width: float) -> int:
    length = 0
    while length < len(word) and font.width(word[: length + 1], size) <= width:
        length += 1
    return length


@dataclass(slots=True)
class Canvas:
    """Collects operators and the fonts that they use, under resource names F0, F1, …"""

    operators: list[str] = field(default_factory=list)
    fonts: dict[Font, str] = field(default_factory=dict)

    def draw(self, operators: str) -> None:
        self.operators.append(operators)

    def name_of(self, font: Font) -> str:
        return self.fonts.setdefault(font, f"F{len(self.fonts)}")

    def text(self, line: Line, x: float, baseline: float) -> None:
        self.operators.append(line.operators(self.name_of(line.font), x, baseline))

    def block(self, lines: tuple[Line, ...], x: float, top: float, leading: float) -> float:
        """Set ``lines`` downwards from ``top`` and return the height that they took."""
        y = top
        for line in lines:
            y -= line.size * leading
            self.text(line, x, y + line.size * (leading - 1) * 0.5 + line.size * 0.21)
        return top - y


def rounded(x: float, y: float, width: float, height: float, radius: float) -> str:
    """The path of a rectangle with rounded corners, without painting it."""
    k = radius * 0.5523
    right, top = x + width, y + height
    return (
        f"{x + radius:.2f} {y:.2f} m {right - radius:.2f} {y:.2f} l "
        f"{right - radius + k:.2f} {y:.2f} {right:.2f} {y + radius - k:.2f} {right:.2f} {y + radius:.2f} c "
        f"{right:.2f} {top - radius:.2f} l "
        f"{right:.2f} {top - radius + k:.2f} {right - radius + k:.2f} {top:.2f} "
        f"{right - radius:.2f} {top:.2f} c "
        f"{x + radius:.2f} {top:.2f} l "
        f"{x + radius - k:.2f} {top:.2f} {x:.2f} {top - radius + k:.2f} {x:.2f} {top - radius:.2f} c "
        f"{x:.2f} {y + radius:.2f} l "
        f"{x:.2f} {y + radius - k:.2f} {x + radius - k:.2f} {y:.2f} {x + radius:.2f} {y:.2f} c h\n"
    )
