"""Dates as people type them: day first, any common separator. Pure."""

from __future__ import annotations

import re
from datetime import date

_TYPED = re.compile(r"([0-9]{1,2})[\s./-]+([0-9]{1,2})[\s./-]+([0-9]{4})")


def typed_date(text: str) -> date | None:
    """``17-08-1955``, ``17/8/1955`` or ``17 8 1955``; None for what is no date."""
    match = _TYPED.fullmatch(text.strip())
    if match is None:
        return None
    day, month, year = (int(part) for part in match.groups())
    try:
        return date(year, month, day)
    except ValueError:
        return None
