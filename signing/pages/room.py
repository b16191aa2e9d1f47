"""Finding an empty rectangle in the picture of a page. Pure; rows of pixels are integers.

A row is one ``int`` whose most significant bit is the leftmost pixel, 1 where there is ink. For the search
the whole page becomes one ``int``: or-ing it with itself, shifted, widens all ink at once by doubling steps,
so a page takes a few dozen machine-speed operations instead of a loop over its pixels or its rows.
"""

from __future__ import annotations


def find_room(
    rows: list[int],
    columns: int,
    *,
    width: int,
    height: int,
    margin: tuple[int, int],
    overhang: int = 0,
) -> tuple[int, int] | None:
    """The upper left corner (column, row) of a free ``width`` by ``height`` rectangle, or None.

    Lowest place first, because people look for a stamp at the foot of a page. At that height: flush with the
    right edge of what is printed, else flush with its left edge, else as far right as possible.
    ``margin`` is what to keep free at the page's sides and at its top and bottom; ``overhang`` is how much of
    the rectangle's width, on each side, is clearance that does not count when it is set flush.
    """
    side, foot = margin
    first, last = side, columns - side - width
    lowest = len(rows) - foot - height
    if last < first or lowest < foot:
        return None
    blocked = _Blocked(rows, columns, width=width, height=height)
    allowed = ((1 << (last - first + 1)) - 1) << (columns - 1 - last)
    everything = 0
    for row in rows:
        everything |= row
    wanted = []
    if everything:
        leftmost = columns - everything.bit_length()
        rightmost = columns - (everything & -everything).bit_length()
        wanted = [rightmost + 1 - width + overhang, leftmost - overhang]
    for row in range(lowest, foot - 1, -1):
        free = allowed & ~blocked.at(row)
        if not free:
            continue
        for column in wanted:
            if first <= column <= last and free >> (columns - 1 - column) & 1:
                return column, row
        return columns - (free & -free).bit_length(), row
    return None


class _Blocked:
    """A bit wherever a ``width`` by ``height`` rectangle whose upper left corner is there would meet ink."""

    def __init__(self, rows: list[int], columns: int, *, width: int, height: int) -> None:
        # Every row is followed by at least `width` pixels without ink; what is widened to the left comes from
        # the same row, and what leaves a row ends in the free pixels of the one before it.
        self._spare = width + -(columns + width) % 8
        self._bytes = (columns + self._spare) // 8
        page = int.from_bytes(b"".join((row << self._spare).to_bytes(self._bytes) for row in rows))
        page = _widened(page, width, by=1)
        page = _widened(page, height, by=8 * self._bytes)
        self._mask = (1 << columns) - 1
        self._page = (page & (1 << 8 * self._bytes * len(rows)) - 1).to_bytes(self._bytes * len(rows))

    def at(self, row: int) -> int:
        start = row * self._bytes
        return int.from_bytes(self._page[start : start + self._bytes]) >> self._spare & self._mask


def _widened(page: int, times: int, *, by: int) -> int:
    """The union of ``times`` copies of the page, each ``by`` bits further ahead than the one before."""
    done = 1
    while done < times:
        step = min(done, times - done)
        page |= page << step * by
        done += step
    return page
