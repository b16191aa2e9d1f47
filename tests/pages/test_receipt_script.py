"""The page checks the code that was scanned, in the browser: the server never sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from signing.receipt import from_digits, to_digits
from tests.pages.conftest import Library
from tests.pages.faults import faults_of
from tests.support.browser import keep_picture
from tests.support.needs import requires

pytestmark = [pytest.mark.network, requires("chromium")]


def scanned(page: Any, url: str) -> str:
    """What the page says about the code: ``signed`` or ``differs``."""
    page.goto("about:blank")  # a change of the fragment alone would not load the page again
    page.goto(url)
    page.wait_for_selector("#receipt-signed:visible, #receipt-differs:visible")
    shown = page.locator("#receipt-signed").is_visible(), page.locator("#receipt-differs").is_visible()
    assert page.locator("h1:visible").count() == 1
    return {(True, False): "signed", (False, True): "differs"}[shown]


@pytest.mark.parametrize("situation", ["valid", "expired", "revoked", "markup", "right-to-left"])
def test_a_genuine_code_is_called_signed_by_the_issuer(situation: str, page: Any, library: Library) -> None:
    assert scanned(page, library.links[situation]) == "signed"


@pytest.mark.parametrize("step", [41, pytest.param(7, marks=pytest.mark.soak)])
def test_a_flipped_bit_anywhere_in_the_code_is_seen(
    step: int, page: Any, library: Library, screenshots: Path
) -> None:
    address, digits = library.links["valid"].split("#")
    encoded = from_digits(digits)
    for place in range(0, len(encoded), step):
        changed = bytearray(encoded)
        changed[place] ^= 1 << place % 8
        assert scanned(page, f"{address}#{to_digits(bytes(changed))}") == "differs", place
    page.set_viewport_size({"width": 360, "height": 740})
    keep_picture(page, screenshots / "differs.png")
    assert faults_of(page) == []


def test_the_code_of_another_document_and_nonsense_are_seen(page: Any, library: Library) -> None:
    address, digits = library.links["valid"].split("#")
    other = library.links["expired"].partition("#")[2]
    for fragment in (other, digits[:-1], digits + "0", "0" + digits, "main", "1" * 3000):
        assert scanned(page, f"{address}#{fragment}") == "differs"


def test_without_a_code_or_without_javascript_nothing_is_said_about_it(
    chromium: Any, library: Library
) -> None:
    for enabled, url in ((True, library.links["valid"].partition("#")[0]), (False, library.links["valid"])):
        context = chromium.new_context(java_script_enabled=enabled)
        page = context.new_page()
        page.goto(url, wait_until="networkidle")
        assert not page.locator("#receipt-signed").is_visible()
        assert not page.locator("#receipt-differs").is_visible()
        context.close()


def test_keys_that_cannot_be_fetched_leave_the_code_unmentioned(page: Any, library: Library) -> None:
    page.route("**/v1/receipt-keys", lambda route: route.abort())
    page.goto(library.links["valid"], wait_until="networkidle")
    assert not page.locator("#receipt-signed").is_visible()
    assert not page.locator("#receipt-differs").is_visible()
