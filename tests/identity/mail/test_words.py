"""Every mail says the same in both languages, and says everything that it was told."""

from __future__ import annotations

import string

import pytest

from identity.mail.model import LETTERS
from identity.mail.words import FRAME, WORDINGS
from identity.mail.words.wording import Wording
from identity.web.words import LANGUAGES, Language


def words_of(wording: Wording) -> str:
    return "\n".join((wording.subject, *wording.text, wording.button, *wording.after))


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_words_for_every_mail_and_for_nothing_else(language: Language) -> None:
    assert WORDINGS[language].keys() == LETTERS.keys()
    assert FRAME[language].keys() == FRAME["id"].keys()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", LETTERS)
def test_every_value_is_shown_or_ends_the_link_and_no_other_is_asked_for(
    template: str, language: Language
) -> None:
    letter, words = LETTERS[template], words_of(WORDINGS[language][template])
    used = placeholders(words) | placeholders(letter.path)
    assert used == set(letter.values)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", LETTERS)
def test_a_mail_has_a_button_exactly_when_it_leads_somewhere(template: str, language: Language) -> None:
    assert bool(WORDINGS[language][template].button) == bool(LETTERS[template].path)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", LETTERS)
def test_words_are_short_plain_and_without_addresses(template: str, language: Language) -> None:
    wording = WORDINGS[language][template]
    assert 8 <= len(wording.subject) <= 60
    assert "{" not in wording.subject, "subjects show on locked phones"
    assert words_of(wording).isascii(), "every mail program shows ASCII right"
    assert "http" not in words_of(wording)
    assert all(len(paragraph) <= 160 for paragraph in (*wording.text, *wording.after))


def test_languages_use_the_same_values_in_the_same_mails() -> None:
    for template in LETTERS:
        assert placeholders(words_of(WORDINGS["id"][template])) == placeholders(
            words_of(WORDINGS["en"][template])
        ), template
