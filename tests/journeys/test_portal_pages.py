"""What people see when a portal asks for them: in Chromium, on a small screen, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from identity.provider.model import Portal
from identity.provider.pkce import s256
from identity.provider.portals import PortalRegistration
from identity.provider.words import WORDS
from identity.web.words import TEXTS, Language
from tests.journeys.portals import PortalServer
from tests.pages.faults import faults_of
from tests.pages.town import PASSWORD, Citizen, Town, axe_script, served_town
from tests.support.browser import keep_picture
from tests.support.needs import requires

pytestmark = requires("chromium")

PHONE = {"width": 360, "height": 740}
VERIFIER = "v" * 43


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with served_town(tmp_path_factory.mktemp("portal-pages")) as served:
        served.core.agencies.add_agency(
            "dinas",
            name="Dinas Penanaman Modal dan Pelayanan Terpadu Satu Pintu Kabupaten Nusa Permata",
            certified_name="DPMPTSP Nusa Permata",
            organization_identifier="NTRID-1",
            actor="test",
        )
        yield served


@pytest.fixture
def server() -> Iterator[PortalServer]:
    made = PortalServer()
    yield made
    made.close()


@pytest.fixture
def portal(town: Town, server: PortalServer) -> Portal:
    return town.core.provider.portals.add(
        PortalRegistration(
            agency_id="dinas",
            name="Izin Usaha Nusa Permata",
            redirect_uris=(f"{server.url}/callback",),
            post_logout_redirect_uris=(f"{server.url}/left",),
            scopes=frozenset({"profile", "email", "birthdate", "nik", "offline_access"}),
        ),
        actor="test",
    ).portal


def request(town: Town, portal: Portal, **changes: str) -> str:
    asked = {
        "client_id": portal.id,
        "redirect_uri": portal.redirect_uris[0],
        "response_type": "code",
        "scope": "openid profile email birthdate nik offline_access",
        "state": "s&1",
        "code_challenge": s256(VERIFIER),
        "code_challenge_method": "S256",
    } | changes
    return f"{town.url}/oauth2/authorize?{urlencode(asked)}"


def log_in(page: Any, citizen: Citizen, language: Language) -> None:
    page.fill("[name=identifier]", citizen.email)
    page.fill("[name=password]", PASSWORD)
    page.click(f"button:has-text('{TEXTS[language]['login_submit']}')")
    page.fill("[name=code]", citizen.code())
    page.locator("form:has([name=code]) button[type=submit]").click()


@pytest.mark.parametrize("language", ["id", pytest.param("en", marks=pytest.mark.soak)])
def test_the_pages_are_clear_on_a_phone_and_to_a_screen_reader(
    language: Language, chromium: Any, town: Town, portal: Portal, server: PortalServer, screenshots: Path
) -> None:
    axe = axe_script()
    words, citizen = WORDS[language], town.citizen(codes=False)
    person = town.core.citizens.people.find(citizen.email)
    assert person is not None
    town.core.citizens.people.choose_language(person.id, language)
    context = chromium.new_context(locale=f"{language}-ID", viewport=PHONE, bypass_csp=True)
    page = context.new_page()
    page.set_default_timeout(15_000)

    def stop(name: str) -> None:
        keep_picture(page, screenshots / f"{name}.png")
        page.add_script_tag(content=axe)
        result = page.evaluate("axe.run()")
        serious = [
            (one["id"], one["nodes"][0]["html"])
            for one in result["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
        assert serious == [], name
        assert faults_of(page) == [], name
        assert page.locator("html").get_attribute("lang") == language

    page.goto(request(town, portal, ui_locales=language))
    stop("login")
    log_in(page, citizen, language)
    stop("consent")
    shown = page.locator("main").inner_text()
    for scope in ("openid", "profile", "email", "birthdate", "nik", "offline_access"):
        assert words[f"scope_{scope}"] in shown
    assert "Siti Rahmawati" in shown
    assert citizen.email in shown
    page.click(f"text={words['consent_agree']}")
    page.wait_for_url(f"{server.url}/callback*")
    page.goto(f"{town.url}/oauth2/logout?client_id={portal.id}")
    stop("leave")
    page.click(f"main >> text='{words['leave_submit']}'")
    stop("left")
    page.goto(request(town, portal, redirect_uri=f"{server.url}/elsewhere"))
    stop("untrusted")
    assert len(server.answers) == 1, "nothing went to an address that is not registered"
    context.close()


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_chromium_goes_from_the_portal_and_back_under_our_policy(
    mode: str, script: bool, chromium: Any, town: Town, portal: Portal, server: PortalServer
) -> None:
    """Browsers hold redirects after a form against ``form-action``, too: login, step-up and consent name the
    portal's origin in it."""
    citizen = town.citizen(codes=False)
    context = chromium.new_context(locale="id-ID", viewport=PHONE, java_script_enabled=script)
    page = context.new_page()
    page.set_default_timeout(15_000)
    words = WORDS["id"]

    def forward() -> None:
        if mode == "form_post" and not script:
            page.click(f"text={words['forward_submit'].format(portal=portal.name)}")
        page.wait_for_url(f"{server.url}/callback*")

    page.goto(request(town, portal, response_mode=mode, ui_locales="id"))
    log_in(page, citizen, "id")
    page.click(f"text={words['consent_agree']}")
    forward()
    # Agreed before: from the form of the second factor straight to the portal.
    page.goto(request(town, portal, response_mode=mode, prompt="login"))
    page.fill("[name=code]", citizen.code())
    page.locator("form:has([name=code]) button[type=submit]").click()
    forward()
    # Declined.
    page.goto(request(town, portal, response_mode=mode, prompt="consent"))
    page.click(f"main >> text='{words['consent_decline']}'")
    forward()
    # Turned back at the step-up.
    page.goto(request(town, portal, response_mode=mode, prompt="login"))
    page.click(f"text={TEXTS['id']['back_to_portal'].format(portal=portal.name)}")
    forward()
    assert ["code" in answer for answer in server.answers] == [True, True, False, False]
    assert [answer["error"] for answer in server.answers[2:]] == ["access_denied"] * 2
    assert all(answer["state"] == "s&1" for answer in server.answers)
    assert all(answer["iss"] == town.url for answer in server.answers)
    # Out again, back to the portal.
    left = f"{server.url}/left"
    page.goto(
        f"{town.url}/oauth2/logout?{urlencode({'client_id': portal.id, 'post_logout_redirect_uri': left})}"
    )
    page.click(f"main >> text='{words['leave_submit']}'")
    page.wait_for_url(left)
    context.close()


def test_another_account_means_another_login(
    chromium: Any, town: Town, portal: Portal, server: PortalServer
) -> None:
    first, second = town.citizen(codes=False), town.citizen(codes=False)
    context = chromium.new_context(locale="id-ID", viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.goto(request(town, portal, ui_locales="id", prompt="select_account"))
    log_in(page, first, "id")
    assert first.email in page.locator("main").inner_text()
    page.click(f"text={WORDS['id']['consent_other']}")
    log_in(page, second, "id")
    assert second.email in page.locator("main").inner_text()
    page.click(f"text={WORDS['id']['consent_agree']}")
    page.wait_for_url(f"{server.url}/callback*")
    context.close()
