"""What an examination finds. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """``remedy`` is empty when there is nothing to do."""

    health: Health
    part: str
    found: str
    remedy: str = ""
