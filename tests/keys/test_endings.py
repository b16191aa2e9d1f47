"""What is noted of how an act ended is recognised again, whatever it was filled with."""

from __future__ import annotations

import re

import pytest

from app.approving.telling import ENDINGS, told_ending
from keys.endings import Ending, ending_of

VALUES = {
    "keys": "token-1a2b token-3c4d",
    "retired": "none",
    "moment": "2026-11-22 08:00",
    "count": "1000",
    "case": "case-0011223344ff",
    "version": "12",
    "actor": "cli:root",
    "why": "rapat: batal; lain kali",
}


@pytest.mark.parametrize("ending", Ending)
def test_every_ending_is_read_as_it_was_said_and_told_in_every_language(ending: Ending) -> None:
    named = set(re.findall(r"\{(\w+)\}", ending.value))
    given = {name: value for name, value in VALUES.items() if name in named}
    assert set(given) == named
    said = ending.said(**given)
    assert len(said) <= 500, "longer details are cut"
    assert ending_of(said) == (ending, given)
    for language, words in ENDINGS.items():
        assert set(re.findall(r"\{(\w+)\}", words[ending])) == named
        told = told_ending(said, language)
        assert told == words[ending].format(**given)


def test_words_of_the_machine_are_nobodys_ending() -> None:
    for words in ("", "The key could not be tried: in use: seal-1", "in use", "version 12"):
        assert ending_of(words) is None
        assert told_ending(words, "id") is None
