"""Both languages say everything, with the same blanks to fill."""

from __future__ import annotations

import re
from datetime import date

import pytest

from signing.model import StateReason
from verify.verdict import SEVERITY, Outcome, Reason
from verify.words import (
    LANGUAGES,
    NEXT_STEPS,
    OUTCOMES,
    REASONS,
    STATE_REASONS,
    TEXTS,
    choose_language,
    shown_date,
)


def test_every_catalogue_has_every_key() -> None:
    for language in LANGUAGES:
        assert set(OUTCOMES[language]) == set(NEXT_STEPS[language]) == set(Outcome)
        assert set(REASONS[language]) == set(Reason)
        assert set(STATE_REASONS[language]) == {reason.value for reason in StateReason}
        assert set(TEXTS[language]) == set(TEXTS["id"])


def test_every_text_has_the_same_blanks_in_every_language() -> None:
    for key, text in TEXTS["id"].items():
        assert re.findall(r"{\w+}", text) == re.findall(r"{\w+}", TEXTS["en"][key]), key


def test_no_two_outcomes_read_alike() -> None:
    for language in LANGUAGES:
        headlines = [headline for headline, _ in OUTCOMES[language].values()]
        assert len(set(headlines)) == len(headlines)


def test_severity_orders_every_outcome_once() -> None:
    assert sorted(SEVERITY) == sorted(Outcome)
    assert SEVERITY[0] is Outcome.VALID


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        (None, None, "id"),
        ("en", "id", "en"),
        ("id", "en", "id"),
        ("fr", "en", "en"),
        (None, "en-GB,en;q=0.9,id;q=0.8", "en"),
        (None, "fr,en;q=0.2,id;q=0.7", "id"),
        (None, "ms-MY", "id"),
        (None, "de, *;q=0.5", "id"),
        (None, "en;q=nonsense", "id"),
        (None, "," * 10_000, "id"),
    ],
)
def test_the_language_is_what_was_asked_for_then_what_the_browser_prefers(
    asked: str | None, accepted: str | None, language: str
) -> None:
    assert choose_language(asked, accepted) == language


def test_dates_are_written_out() -> None:
    assert shown_date(date(2026, 8, 17), "id") == "17 Agustus 2026"
    assert shown_date(date(2026, 8, 17), "en") == "17 August 2026"
