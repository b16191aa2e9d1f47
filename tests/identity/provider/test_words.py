"""The words of the provider's pages."""

from __future__ import annotations

from identity.provider.model import SCOPES
from identity.provider.words import WORDS
from identity.web.words import same_shape


def test_both_languages_say_the_same_things() -> None:
    assert same_shape(WORDS) == []


def test_every_scope_has_words() -> None:
    assert {f"scope_{scope}" for scope in SCOPES} <= WORDS["id"].keys()
