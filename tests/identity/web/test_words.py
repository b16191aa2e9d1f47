"""The two languages say the same things."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from identity.web.words import (
    TEXTS,
    Language,
    choose_language,
    same_shape,
    shown_date,
    shown_duration,
    shown_moment,
)


def test_both_languages_have_every_word_and_the_same_places_to_fill() -> None:
    assert same_shape(TEXTS) == []


def test_a_difference_between_languages_is_named() -> None:
    words = {"id": {"a": "{x}", "b": "", "items": ""}, "en": {"a": "{y}", "items": ""}}
    assert same_shape(words) == [  # type: ignore[arg-type]
        "b is missing in one language",
        "items is the name of a method",
        "a has other placeholders in the other language",
    ]


@pytest.mark.parametrize(
    ("asked", "kept", "locales", "header", "language"),
    [
        (None, None, None, None, "id"),
        (None, None, None, "en-US,en;q=0.9", "en"),
        (None, None, None, "fr, en;q=0.3, id;q=0.4", "id"),
        (None, None, None, "en;q=x, id", "id"),
        (None, None, "fr en id", "id", "en"),
        (None, "id", "en", "en", "id"),
        ("en", "id", "id", "id", "en"),
        ("fr", None, None, None, "id"),
        (None, None, None, "ms-MY", "id"),
        (None, None, None, "in-ID", "id"),
    ],
)
def test_the_switch_wins_then_what_was_kept_then_the_portal_then_the_browser(
    asked: str | None, kept: str | None, locales: str | None, header: str | None, language: Language
) -> None:
    assert choose_language(asked=asked, kept=kept, ui_locales=locales, accept_language=header) == language


def test_times_are_shown_as_people_write_them() -> None:
    moment = datetime(2026, 11, 22, 3, 5, tzinfo=UTC)
    assert shown_moment(moment, "id") == "22 November 2026, 10.05 WIB"
    assert shown_moment(moment, "en") == "22 November 2026, 10:05 WIB"
    assert shown_date(date(1956, 8, 17), "id") == "17 Agustus 1956"


@pytest.mark.parametrize(
    ("seconds", "indonesian", "english"),
    [
        (0, "1 detik", "1 second"),
        (1.2, "2 detik", "2 seconds"),
        (60, "1 menit", "1 minute"),
        (61, "2 menit", "2 minutes"),
        (3_600, "1 jam", "1 hour"),
        (100_000, "2 hari", "2 days"),
    ],
)
def test_a_wait_is_rounded_up(seconds: float, indonesian: str, english: str) -> None:
    assert shown_duration(timedelta(seconds=seconds), "id") == indonesian
    assert shown_duration(timedelta(seconds=seconds), "en") == english
