"""Where the stamp goes: where the caller wants it, where there is room, or on a page of its own.

Order of preference, when no place is named: the wide stamp at the foot of the last page, then on the other
pages from the back; the compact stamp on the same pages; then a page is added for it, which only a file
without signatures allows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from signing.errors import DecompressionBomb, NoRoomForStamp
from signing.model import StampPlace
from signing.pages.inspector import PageBomb, PageInspector, WorkerFailed
from signing.source import Page, PreparedPdf
from signing.stamp import MM, Stamp, StampForm

PAGES_SEARCHED: Final = 6
"""Looking further than this costs seconds, and nobody looks for a stamp there."""

_TURNS: Final = {
    0: (1, 0, 0, 1),
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
}
_ROUNDING: Final = 0.01  # points forgiven at the edge of a page


@dataclass(frozen=True, slots=True)
class Placement:
    """A stamp on a page. ``rectangle`` is in the page's user space, as an annotation wants it; ``matrix``
    turns the appearance so that it stands upright on the page as shown; ``scale`` is the printed size over
    the stamp's natural one.
    """

    stamp: Stamp
    page: Page
    x: float
    y: float
    scale: float = 1.0

    @property
    def rectangle(self) -> tuple[float, float, float, float]:
        return self.area(0, 0, self.stamp.width, self.stamp.height)

    @property
    def code_rectangle(self) -> tuple[float, float, float, float]:
        """The QR code's part of the rectangle, quiet zone included."""
        (x, y), side = self.stamp.code_at, self.stamp.code_side
        return self.area(x, y, side, side)

    def area(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
        """A rectangle of the stamp's own space in the user space of the page."""
        x, y = self.x + x * self.scale, self.y + y * self.scale
        corners = [
            self._to_user_space(x, y),
            self._to_user_space(x + width * self.scale, y + height * self.scale),
        ]
        (ax, ay), (bx, by) = corners
        return (min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))

    @property
    def matrix(self) -> tuple[int, int, int, int]:
        return _TURNS[self.page.rotate]

    def _to_user_space(self, x: float, y: float) -> tuple[float, float]:
        """From points on the page as shown to its default user space (ISO 32000-2, 7.7.3.3, 8.3.2.3)."""
        across, up = x / self.page.user_unit, y / self.page.user_unit
        left, bottom, right, top = self.page.box
        return {
            0: (left + across, bottom + up),
            90: (right - up, bottom + across),
            180: (right - across, top - up),
            270: (left + up, top - across),
        }[self.page.rotate]


def at_named_place(
    source: PreparedPdf, place: StampPlace, compose: Callable[[StampForm], Stamp]
) -> Placement:
    """The caller's place, checked. The compact stamp is taken where only it fits.

    Nothing on the page is looked at: a decompression bomb in its content is neither unpacked nor noticed.

    Raises :class:`signing.errors.NoRoomForStamp` when the page does not exist or neither stamp fits.
    """
    count = len(source.pages)
    index = place.page - 1 if place.page > 0 else count + place.page
    if place.page == 0 or not 0 <= index < count:
        raise NoRoomForStamp(f"place.page: page {place.page} does not exist, the document has {count}.")
    page = source.pages[index]
    width, height = page.shown_size
    tried = []
    for form in StampForm:
        stamp = compose(form)
        tried.append(_millimetres(stamp))
        scale = (place.width or stamp.width) / stamp.width
        if scale < 1 - 1e-9:
            continue
        right, top = place.x + stamp.width * scale, place.y + stamp.height * scale
        inside = place.x >= -_ROUNDING and place.y >= -_ROUNDING
        if inside and right <= width + _ROUNDING and top <= height + _ROUNDING:
            return Placement(stamp, page, place.x, place.y, scale)
    raise NoRoomForStamp(
        f"place: neither the stamp ({tried[0]}) nor its compact form ({tried[1]}) lies inside "
        f"page {index + 1}, which shows {width / MM:.0f} x {height / MM:.0f} mm, at ({place.x:g}, "
        f"{place.y:g}){_at_width(place)}: name another place or leave it out."
    )


def find_place(
    source: PreparedPdf, compose: Callable[[StampForm], Stamp], inspector: PageInspector
) -> Placement | None:
    """A free place on an existing page, or None when the stamp needs a page of its own.

    Raises :class:`signing.errors.NoRoomForStamp` when a signature forbids adding a page, and
    :class:`signing.errors.DecompressionBomb`.
    """
    stamps = [compose(form) for form in StampForm]
    pages = [(page.number, *page.shown_size) for page in reversed(source.pages[-PAGES_SEARCHED:])]
    why = "no free room was found"
    room = None
    try:
        room = inspector.find_room(source.stream, pages, [(stamp.width, stamp.height) for stamp in stamps])
    except PageBomb as bomb:
        raise DecompressionBomb(
            f"The content of {bomb} unpacks into far more than a page needs; such files are not taken. "
            "Produce the PDF again from its origin."
        ) from bomb
    except WorkerFailed:
        why = "its pages cannot be drawn within the limits of time and memory"
    if room is not None:
        return Placement(stamps[room.size], source.pages[room.page - 1], room.x, room.y)
    if source.facts.signatures:
        raise NoRoomForStamp(
            f"The PDF carries signatures, so no page may be added for the stamp, and {why} on its last "
            f"{len(pages)} pages: name a place for the stamp."
        )
    return None


def _millimetres(stamp: Stamp) -> str:
    return f"{stamp.width / MM:.0f} x {stamp.height / MM:.0f} mm"


def _at_width(place: StampPlace) -> str:
    return "" if place.width is None else f" with a width of {place.width / MM:.0f} mm"
