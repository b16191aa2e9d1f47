"""An error as the table of problems knows it. Apart from the shell: who maps errors needs no login for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explained:
    """``incident`` is the error's name in the log if it is our fault."""

    status: int
    title: str
    judul: str
    incident: str | None = None
