"""The parts of a mail's words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """Paragraphs before and after a button that leads to the mail's link. ``{…}`` are its values."""

    subject: str
    text: tuple[str, ...]
    button: str = ""
    after: tuple[str, ...] = ()
