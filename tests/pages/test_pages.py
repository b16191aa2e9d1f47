"""Every page of verification, on a small phone and a desk, in both languages, with and without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pages.conftest import HOSTILE_TITLES, Library
from tests.pages.faults import faults_of, without_focus_ring
from tests.pages.test_citizen_pages import violations
from tests.pages.town import axe_script
from tests.pages.visits import VISITS, visit
from tests.support.browser import keep_picture
from tests.support.needs import requires
from verify.words import LANGUAGES, Language

pytestmark = [pytest.mark.network, requires("chromium")]

WIDTHS = {360: 740, 1280: 900}


SCRIPTS = ["without JavaScript", "with JavaScript"]


@pytest.fixture(scope="module", params=SCRIPTS)
def context(request: pytest.FixtureRequest, chromium: Any) -> Iterator[Any]:
    opened = chromium.new_context(java_script_enabled=request.param == SCRIPTS[1], locale="id-ID")
    yield opened
    opened.close()


@pytest.fixture
def watched(context: Any) -> Iterator[Any]:
    """A page on which nothing may go wrong: no script error, no refused resource, no foreign host."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type != "log" else None)
    page.on("requestfailed", lambda request: wrong.append(request.url))
    yield page
    page.close()
    # Chromium reports the status of the page itself as a console error; the tests assert that status.
    assert not [words for words in wrong if "the server responded with a status of" not in words]


@pytest.mark.parametrize(
    "context", [SCRIPTS[0], pytest.param(SCRIPTS[1], marks=pytest.mark.soak)], indirect=True
)
@pytest.mark.parametrize("name", list(VISITS))
def test_a_page_is_whole_on_every_screen_and_in_every_language(
    name: str, watched: Any, library: Library, screenshots: Path
) -> None:
    for language in LANGUAGES:
        assert visit(watched, library, name, language) == VISITS[name].status
        for width, height in WIDTHS.items():
            watched.set_viewport_size({"width": width, "height": height})
            keep_picture(watched, screenshots / f"{language}-{width}.png")
            assert watched.locator("h1:visible").inner_text() == VISITS[name].words(language)
            assert watched.evaluate("document.documentElement.lang") == language
            assert VISITS[name].words(language) in watched.title()
            assert faults_of(watched) == []


@pytest.mark.parametrize("language", ["id", pytest.param("en", marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", list(VISITS))
def test_a_page_has_nothing_that_axe_calls_serious(
    name: str, language: Language, page: Any, library: Library
) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    visit(page, library, name, language)
    assert violations(page, axe_script()) == []


def test_no_two_outcomes_share_words_or_silhouette(page: Any, library: Library) -> None:
    seen: dict[str, set[str]] = {"words": set(), "icon": set()}
    outcomes = [name for name in VISITS if name not in {"form", "genuine", "too_large", "incomplete"}]
    for name in outcomes:
        visit(page, library, name, "id")
        seen["words"].add(page.locator("h1:visible").inner_text())
        seen["icon"].add(page.locator(".verdict:visible .icon").inner_html().replace("currentColor", ""))
    assert {kind: len(values) for kind, values in seen.items()} == dict.fromkeys(seen, len(outcomes))


@pytest.mark.parametrize("name", ["valid", "form", "unknown"])
def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    name: str, page: Any, library: Library
) -> None:
    visit(page, library, name, "en")
    assert without_focus_ring(page) == []


@pytest.mark.parametrize("name", list(HOSTILE_TITLES))
def test_a_hostile_title_is_only_text(name: str, watched: Any, library: Library, screenshots: Path) -> None:
    watched.set_viewport_size({"width": 360, "height": 740})
    assert visit(watched, library, name, "en") == 200
    keep_picture(watched, screenshots / "360.png")
    assert HOSTILE_TITLES[name] in watched.locator(".facts").inner_text()
    assert watched.locator("main img").count() == 0
    assert faults_of(watched) == []


@pytest.mark.parametrize("name", ["valid", "revoked", "unknown", "not_signed"])
def test_on_paper_it_says_the_same_and_leaves_out_what_cannot_be_pressed(
    name: str, page: Any, library: Library, screenshots: Path
) -> None:
    visit(page, library, name, "id")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 960})
    keep_picture(page, screenshots / "print.png")
    assert page.locator("h1:visible").is_visible()
    for pressed in (".language", ".again", ".skip", "summary"):
        assert not page.locator(pressed).first.is_visible()


def test_the_technical_part_opens_without_a_script(context: Any, library: Library) -> None:
    page = context.new_page()
    visit(page, library, "genuine", "en")
    assert not page.locator(".folded").is_visible()
    page.locator("summary").click()
    assert page.locator(".folded").is_visible()
    page.set_viewport_size({"width": 360, "height": 740})
    assert faults_of(page) == []
    page.close()
