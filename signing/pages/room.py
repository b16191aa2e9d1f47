"""Finding an empty rectangle in the picture of a page. Pure; rows of pixels are integers.

A row is one ``int`` whose most significant bit is the leftmost pixel, 1 where there is ink. Or-ing a row with
itself, shifted, widens the ink by doubling steps, so a page takes a few thousand machine-speed operations
instead of a loop over its pixels.
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
    blocked = _any_of([_widened(row, width) for row in rows], height)
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
        free = allowed & ~blocked[row]
        if not free:
            continue
        for column in wanted:
            if first <= column <= last and free >> (columns - 1 - column) & 1:
                return column, row
        return columns - (free & -free).bit_length(), row
    return None


def _widened(row: int, width: int) -> int:
    """A bit wherever a run of ``width`` pixels that starts there would meet ink."""
    done = 1
    while done < width:
        step = min(done, width - done)
        row |= row << step
        done += step
    return row


def _any_of(rows: list[int], height: int) -> list[int]:
    """For every row, the union of the ``height`` rows that start with it."""
    done = 1
    while done < height:
        step = min(done, height - done)
        rows = [a | b for a, b in zip(rows, rows[step:], strict=False)]
        done += step
    return rows
