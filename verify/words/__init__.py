"""The words that people read, one catalogue per language, Indonesian first.

A catalogue is a plain typed module: no extraction step, no compiled files, and mypy reads it. A test asserts
that every catalogue has every key and the same placeholders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, get_args

from babel.dates import format_date, format_datetime

from verify.verdict import JAKARTA, Outcome, Reason
from verify.words import en, id

Language = Literal["id", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

OUTCOMES: dict[Language, dict[Outcome, tuple[str, str]]] = {"id": id.OUTCOMES, "en": en.OUTCOMES}
"""Per outcome: the headline, and one sentence that says what it means."""
NEXT_STEPS: dict[Language, dict[Outcome, tuple[str, ...]]] = {"id": id.NEXT_STEPS, "en": en.NEXT_STEPS}
REASONS: dict[Language, dict[Reason, str]] = {"id": id.REASONS, "en": en.REASONS}
IN_DOUBT: dict[Language, dict[Reason, tuple[str, tuple[str, ...]]]] = {"id": id.IN_DOUBT, "en": en.IN_DOUBT}
"""What to say instead of the outcome's own sentence and steps where a lost key is the first reason."""
STATE_REASONS: dict[Language, dict[str, str]] = {"id": id.STATE_REASONS, "en": en.STATE_REASONS}
"""By the codes of :class:`signing.model.StateReason`."""
TEXTS: dict[Language, dict[str, str]] = {"id": id.TEXTS, "en": en.TEXTS}


@dataclass(frozen=True, slots=True)
class Said:
    """The headline, one sentence that says what it means, and what to do."""

    headline: str
    meaning: str
    steps: tuple[str, ...]


def said(outcome: Outcome, reasons: Sequence[Reason], language: Language) -> Said:
    """A verdict in words. The first of ``reasons`` is the one that decides."""
    headline, meaning = OUTCOMES[language][outcome]
    steps = NEXT_STEPS[language][outcome]
    if reasons and reasons[0] in IN_DOUBT[language]:
        meaning, steps = IN_DOUBT[language][reasons[0]]
    return Said(headline, meaning, steps)


def choose_language(asked: str | None, accept_language: str | None) -> Language:
    """``?lang=`` wins, then the browser's first preference among ours (RFC 9110, 12.5.4), then Indonesian."""
    if asked in LANGUAGES:
        return "en" if asked == "en" else "id"
    best: tuple[float, Language] = (0.0, "id")
    for entry in (accept_language or "")[:500].split(","):
        tag, _, parameters = entry.strip().partition(";")
        weight = _weight(parameters)
        match tag.split("-")[0].strip().lower():
            case "id" | "in" | "ms":
                candidate: Language = "id"
            case "en":
                candidate = "en"
            case _:
                continue
        if weight > best[0]:
            best = (weight, candidate)
    return best[1]


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def shown_date(day: date, language: Language) -> str:
    """``22 November 2026`` in both languages' own spelling."""
    return format_date(day, "d MMMM y", locale=language)


def shown_moment(moment: datetime, language: Language) -> str:
    """A moment in Jakarta's time, with its zone named."""
    pattern = "d MMMM y, HH.mm 'WIB'" if language == "id" else "d MMMM y, HH:mm 'WIB'"
    return format_datetime(moment.astimezone(JAKARTA), pattern, locale=language)
