"""The words of the pages, one catalogue per language, Indonesian first: plain typed modules, as in verify."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Final, Literal, get_args

from babel.dates import format_date, format_datetime

from identity.web.words import address, en, id

Language = Literal["id", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
Words = Mapping[Language, Mapping[str, str]]

TEXTS: Final[Words] = {"id": {**id.TEXTS, **address.ID}, "en": {**en.TEXTS, **address.EN}}
"""What the shell and the citizen's way in say."""

JAKARTA: Final = timezone(timedelta(hours=7), "WIB")


def as_language(tag: str | None) -> Language | None:
    """``id-ID`` and ``en-GB`` as ours, the old ``in`` and Malay with them; None for any other tag."""
    match (tag or "").split("-")[0].strip().lower():
        case "id" | "in" | "ms":
            return "id"
        case "en":
            return "en"
        case _:
            return None


def choose_language(
    *, asked: str | None, kept: str | None, ui_locales: str | None, accept_language: str | None
) -> Language:
    """The switch on the page wins, then what it was set to before, then what the portal asks for (OpenID
    Connect Core 1.0, 3.1.2.1), then the browser's preference (RFC 9110, 12.5.4), then Indonesian.
    """
    for tag in (asked, kept, *(ui_locales or "")[:200].split()):
        if language := as_language(tag):
            return language
    best: tuple[float, Language] = (0.0, "id")
    for entry in (accept_language or "")[:500].split(","):
        tag, _, parameters = entry.strip().partition(";")
        candidate, weight = as_language(tag), _weight(parameters)
        if candidate and weight > best[0]:
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


def shown_duration(duration: timedelta, language: Language) -> str:
    """``2 menit``, ``1 hour``, ``3 hari``: rounded up, so that nobody comes back too early."""
    seconds = max(1, -int(-duration.total_seconds() // 1))
    for size, indonesian, one, many in (
        (86_400, "hari", "day", "days"),
        (3_600, "jam", "hour", "hours"),
        (60, "menit", "minute", "minutes"),
        (1, "detik", "second", "seconds"),
    ):
        if seconds >= size:
            count = -(-seconds // size)
            return f"{count} {indonesian}" if language == "id" else f"{count} {one if count == 1 else many}"
    raise AssertionError(seconds)


def same_shape(words: Words) -> list[str]:
    """What differs between the languages of a catalogue: missing keys, other placeholders. Empty: nothing.

    Keys that Jinja would find on the mapping itself (``items``, ``copy``) are named too.
    """
    indonesian, english = words["id"], words["en"]
    found = [f"{key} is missing in one language" for key in sorted(indonesian.keys() ^ english.keys())]
    found += [f"{key} is the name of a method" for key in sorted(indonesian) if hasattr(dict, key)]
    for key in sorted(indonesian.keys() & english.keys()):
        places = [sorted(re.findall(r"{(\w*)}", text)) for text in (indonesian[key], english[key])]
        if places[0] != places[1]:
            found.append(f"{key} has other placeholders in the other language")
    return found
