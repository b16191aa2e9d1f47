"""Emblems of a regency and a province that do not exist. Drawn here, so that nobody's arms are copied."""

from __future__ import annotations

from math import cos, pi, sin
from typing import Final

from reportlab.lib.colors import Color, HexColor
from reportlab.pdfgen.canvas import Canvas

DEEP: Final = HexColor("#0B4F5C")
GOLD: Final = HexColor("#B98A2F")
PAPER: Final = HexColor("#FFFFFF")
SHALLOW: Final = HexColor("#CFE3E4")
FOREST: Final = HexColor("#1F4A33")


def regency(canvas: Canvas, x: float, y: float, height: float) -> None:
    """Kabupaten Nusa Permata: a cut gem above three waves. Lower left corner at ``x, y``, in points."""
    canvas.saveState()
    canvas.translate(x, y)
    canvas.scale(height / 120, height / 120)
    _shield(canvas, DEEP, GOLD)
    _waves(canvas)
    _gem(canvas, 50, 72)
    canvas.restoreState()


def province(canvas: Canvas, x: float, y: float, height: float) -> None:
    """Provinsi Tirta Kencana: a spring between two hills, in a ring of grain."""
    canvas.saveState()
    canvas.translate(x, y)
    canvas.scale(height / 120, height / 120)
    canvas.setFillColor(FOREST)
    canvas.setStrokeColor(GOLD)
    canvas.setLineWidth(3)
    canvas.circle(60, 60, 57, fill=1, stroke=1)
    canvas.setLineWidth(1)
    canvas.circle(60, 60, 39, fill=0, stroke=1)
    _grain(canvas)
    _hills(canvas)
    canvas.restoreState()


def width_of_regency(height: float) -> float:
    return height * 100 / 120


def _shield(canvas: Canvas, fill: Color, edge: Color) -> None:
    for inset, colour in ((0.0, edge), (3.2, PAPER), (4.6, fill)):
        path = canvas.beginPath()
        left, right, top, bottom = inset, 100 - inset, 118 - inset, 1 + inset * 1.15
        path.moveTo(left, top - 8)
        path.curveTo(left + 16, top - 6, 40, top - 4, 50, top)
        path.curveTo(60, top - 4, right - 16, top - 6, right, top - 8)
        path.lineTo(right, 58)
        path.curveTo(right, 32, 74, 14, 50, bottom)
        path.curveTo(26, 14, left, 32, left, 58)
        path.close()
        canvas.setFillColor(colour)
        canvas.drawPath(path, fill=1, stroke=0)


def _gem(canvas: Canvas, cx: float, cy: float) -> None:
    crown, girdle, table, depth = 17.0, 27.0, 15.0, 30.0
    facets = (
        ((-table, crown), (-girdle, 3), (-9, 3), SHALLOW),
        ((-table, crown), (-9, 3), (0, crown), PAPER),
        ((0, crown), (-9, 3), (9, 3), SHALLOW),
        ((0, crown), (9, 3), (table, crown), PAPER),
        ((table, crown), (9, 3), (girdle, 3), SHALLOW),
        ((-girdle, 3), (-9, 3), (0, -depth), PAPER),
        ((-9, 3), (9, 3), (0, -depth), SHALLOW),
        ((9, 3), (girdle, 3), (0, -depth), PAPER),
    )
    canvas.setLineWidth(1.1)
    canvas.setStrokeColor(GOLD)
    canvas.setLineJoin(1)
    for first, second, third, colour in facets:
        path = canvas.beginPath()
        path.moveTo(cx + first[0], cy + first[1])
        path.lineTo(cx + second[0], cy + second[1])
        path.lineTo(cx + third[0], cy + third[1])
        path.close()
        canvas.setFillColor(colour)
        canvas.drawPath(path, fill=1, stroke=1)


def _waves(canvas: Canvas) -> None:
    canvas.setStrokeColor(PAPER)
    canvas.setLineWidth(2.4)
    canvas.setLineCap(1)
    for level, half in ((36.0, 30.0), (28.0, 21.0), (20.0, 11.5)):
        path = canvas.beginPath()
        step = half / 2
        path.moveTo(50 - half, level)
        for crest in range(4):
            start = 50 - half + crest * step
            lift = 3.4 if crest % 2 == 0 else -3.4
            path.curveTo(
                start + step / 3, level + lift, start + 2 * step / 3, level + lift, start + step, level
            )
        canvas.drawPath(path, fill=0, stroke=1)


def _grain(canvas: Canvas) -> None:
    """Kernels along the ring, mirrored, open at the top where a star stands."""
    canvas.setFillColor(GOLD)
    for number in range(12):
        for side in (-1, 1):
            angle = -pi / 2 + side * (0.16 + number * 0.225)
            canvas.saveState()
            canvas.translate(60 + 48 * cos(angle), 60 + 48 * sin(angle))
            canvas.rotate(angle * 180 / pi + side * 55)
            canvas.ellipse(-5.4, -2.1, 5.4, 2.1, fill=1, stroke=0)
            canvas.restoreState()
    _star(canvas, 60, 108, 7)


def _star(canvas: Canvas, cx: float, cy: float, radius: float) -> None:
    path = canvas.beginPath()
    for number in range(10):
        reach = radius if number % 2 == 0 else radius * 0.42
        angle = pi / 2 + number * pi / 5
        point = (cx + reach * cos(angle), cy + reach * sin(angle))
        if number == 0:
            path.moveTo(*point)
        else:
            path.lineTo(*point)
    path.close()
    canvas.drawPath(path, fill=1, stroke=0)


def _hills(canvas: Canvas) -> None:
    canvas.saveState()
    clip = canvas.beginPath()
    clip.circle(60, 60, 38.5)
    canvas.clipPath(clip, stroke=0, fill=0)
    canvas.setFillColor(SHALLOW)
    canvas.rect(20, 20, 80, 80, fill=1, stroke=0)
    canvas.setFillColor(GOLD)
    canvas.circle(60, 72, 9, fill=1, stroke=0)
    for colour, points in (
        (HexColor("#2F6B4B"), ((18, 40), (42, 78), (66, 40))),
        (HexColor("#275C40"), ((54, 40), (80, 80), (104, 40))),
        (FOREST, ((18, 40), (104, 40), (104, 18), (18, 18))),
    ):
        path = canvas.beginPath()
        path.moveTo(*points[0])
        for point in points[1:]:
            path.lineTo(*point)
        path.close()
        canvas.setFillColor(colour)
        canvas.drawPath(path, fill=1, stroke=0)
    path = canvas.beginPath()  # the river widens towards the reader
    path.moveTo(59, 44)
    path.curveTo(66, 38, 50, 34, 44, 18)
    path.lineTo(76, 18)
    path.curveTo(66, 30, 72, 38, 61, 44)
    path.close()
    canvas.setFillColor(PAPER)
    canvas.drawPath(path, fill=1, stroke=0)
    canvas.restoreState()
