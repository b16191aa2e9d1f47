"""The citizen's way in, in a real browser: both languages, a small phone and a desk, no script, axe-core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from identity.web.words import Language
from tests.pages.faults import faults_of, without_focus_ring
from tests.pages.journey import Journey
from tests.pages.town import PASSWORD, Town, axe_script, served_town
from tests.support.browser import keep_picture
from tests.support.needs import requires

pytestmark = [pytest.mark.network, requires("chromium")]

WIDTHS = {360: 740, 1280: 900}
_SERIOUS = """
async () => {
  // Style sheets and media are loaded; where an element stands is told by what it says.
  const { violations } = await axe.run(
    document, { resultTypes: ['violations'], selectors: false, preload: false },
  );
  return violations
    .filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 120)}`));
}
"""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with served_town(tmp_path_factory.mktemp("town")) as opened:
        yield opened


@pytest.mark.parametrize("language", ["id", pytest.param("en", marks=pytest.mark.soak)])
def test_every_page_works_without_a_script_and_is_whole_for_everybody(
    language: Language, chromium: Any, town: Town, screenshots: Path
) -> None:
    axe, found, seen = axe_script(), [], set()
    context = chromium.new_context(locale="id-ID", timezone_id="Asia/Jakarta")
    page = context.new_page()
    page.on("requestfailed", lambda request: found.extend(refused(request)))
    with scripts_off(page) as allowed:

        def stop(name: str) -> None:
            seen.add(name)
            for width, height in WIDTHS.items():
                page.set_viewport_size({"width": width, "height": height})
                keep_picture(page, screenshots / f"{width}-{name}.png")
                found.extend(f"{name} at {width}: {fault}" for fault in faults_of(page))
            if page.evaluate("document.documentElement.lang") != language:
                found.append(f"{name} is not in {language}")
            with allowed():
                found.extend(f"{name}: {fault}" for fault in violations(page, axe))

        Journey(page, town, language, stop).everything()
    context.close()
    assert found == []
    assert len(seen) >= 40


def test_an_error_begins_the_title_and_has_the_focus(page: Any, town: Town) -> None:
    page.goto(f"{town.url}/login?lang=id")
    page.fill("#identifier", "siti@contoh.id")
    page.click("form[action='/login'] button")
    page.wait_for_load_state()
    assert page.title().startswith("Kesalahan: ")
    assert page.evaluate("document.activeElement.id") == "password"
    described = page.locator("#password").get_attribute("aria-describedby")
    assert page.locator(f"#{described.split()[0]}").inner_text().endswith("Tulis kata sandi Anda.")
    assert page.locator("#identifier").input_value() == "siti@contoh.id"


@pytest.mark.parametrize("path", ["/login", "/register", "/recovery", "/login/lost"])
def test_the_keyboard_reaches_everything_and_shows_where_it_is(path: str, page: Any, town: Town) -> None:
    page.goto(f"{town.url}{path}")
    assert without_focus_ring(page) == []


def test_without_colour_and_without_movement_nothing_is_lost(page: Any, town: Town) -> None:
    page.emulate_media(reduced_motion="reduce", forced_colors="active")
    page.goto(f"{town.url}/login")
    page.click("form[action='/login'] button")
    page.wait_for_load_state()
    assert page.locator(".error-mark:visible").count() == 2
    assert page.evaluate("document.getAnimations().length") == 0


def test_the_fields_tell_browsers_and_password_managers_what_they_are(page: Any, town: Town) -> None:
    def attributes(selector: str, *names: str) -> tuple[str | None, ...]:
        return tuple(page.locator(selector).get_attribute(name) for name in names)

    page.goto(f"{town.url}/login")
    assert attributes("#identifier", "autocomplete") == ("username webauthn",)
    assert attributes("#password", "autocomplete", "type") == ("current-password", "password")
    citizen = town.citizen()
    page.fill("#identifier", citizen.email)
    page.fill("#password", PASSWORD)
    page.click("form[action='/login'] button")
    page.wait_for_url("**/login/second*")
    assert attributes("#code", "autocomplete", "inputmode") == ("one-time-code", "numeric")
    page.goto(f"{town.url}/register")
    assert attributes("#name", "autocomplete") == ("name",)
    assert attributes("#email", "autocomplete", "inputmode") == ("email", "email")


def test_on_paper_the_recovery_codes_stand_alone(page: Any, town: Town, screenshots: Path) -> None:
    email = town.new_email()
    town.core.citizens.people.register(name="Siti", email=email, language="id")
    page.goto(town.link(email, "/register/confirm"))
    page.click("form.card button")
    page.wait_for_url("**/setup/password")
    page.goto(f"{town.url}/setup/codes")
    page.click("form.card button")
    page.wait_for_selector(".codes")
    with page.expect_download() as saved:
        page.click("form[action='/setup/codes/file'] button")
    file = saved.value.path().read_text(encoding="utf-8")
    codes = page.locator(".codes li").all_inner_texts()
    assert len(codes) == 10
    assert all(code in file for code in codes)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 960})
    keep_picture(page, screenshots / "print.png")
    assert page.locator(".codes").is_visible()
    assert not page.locator("form button").first.is_visible()


def refused(request: Any) -> list[str]:
    """A picture that was still on its way when the journey went on is no fault."""
    return [] if "ERR_ABORTED" in str(request.failure) else [f"did not get {request.url}: {request.failure}"]


@contextmanager
def scripts_off(page: Any) -> Iterator[Any]:
    """No script runs on the page, but for what a test runs inside ``with allowed():``."""
    session = page.context.new_cdp_session(page)

    @contextmanager
    def allowed() -> Iterator[None]:
        session.send("Emulation.setScriptExecutionDisabled", {"value": False})
        try:
            yield
        finally:
            session.send("Emulation.setScriptExecutionDisabled", {"value": True})

    session.send("Emulation.setScriptExecutionDisabled", {"value": True})
    yield allowed


def violations(page: Any, axe: str) -> list[str]:
    """What axe-core calls serious or critical, with the element."""
    page.evaluate(axe)
    found: list[str] = page.evaluate(_SERIOUS)
    return found
