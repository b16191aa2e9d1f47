"""Passkeys in a real browser, with an authenticator that Chromium plays itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.custodians import passkey_of_custodian
from identity.factors.model import FactorKind
from identity.operators.model import Role
from keys.approvals import KeyAct
from keys.custodians import Change, parameters_of
from tests.app.walker import Walker, appoint, log_in, person
from tests.pages.faults import faults_of
from tests.pages.test_citizen_pages import violations
from tests.pages.town import PASSWORD, Town, axe_script, served_town
from tests.support.asgi import InProcess
from tests.support.browser import keep_picture
from tests.support.clock import FrozenClock
from tests.support.needs import requires

pytestmark = [pytest.mark.network, requires("chromium")]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with served_town(tmp_path_factory.mktemp("town")) as opened:
        yield opened


@dataclass
class Phone:
    """A browser with an authenticator built in, as phones have one."""

    page: Any
    session: Any
    authenticator: str = ""

    def verifies(self, does: bool) -> None:
        """Whether its owner passes the fingerprint sensor from now on."""
        self._set("WebAuthn.setUserVerified", isUserVerified=does)

    def waits_to_be_asked(self) -> None:
        """Offer nothing in the name field: the authenticator would agree by itself and log in first."""
        self.page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false")

    def credentials(self) -> list[Any]:
        found: list[Any] = self._set("WebAuthn.getCredentials")["credentials"]
        return found

    def _set(self, command: str, **values: object) -> Any:
        return self.session.send(command, {"authenticatorId": self.authenticator, **values})

    def swap(self, *, sensor: bool) -> None:
        """Another authenticator, with or without a way to verify its owner at all."""
        if self.authenticator:
            self._set("WebAuthn.removeVirtualAuthenticator")
        options = {
            "protocol": "ctap2",
            "transport": "internal" if sensor else "usb",
            "hasResidentKey": True,
            "hasUserVerification": sensor,
            "isUserVerified": sensor,
            "automaticPresenceSimulation": True,
        }
        made = self.session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.authenticator = made["authenticatorId"]


@pytest.fixture
def phone(page: Any) -> Phone:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable", {"enableUI": False})
    made = Phone(page, session)
    made.swap(sensor=True)
    return made


def register(phone: Phone, town: Town) -> str:
    """A new account that ends its set-up with a passkey; returns its address."""
    page, email = phone.page, town.new_email()
    town.core.citizens.people.register(name="Siti Rahmawati", email=email, language="id")
    page.goto(town.link(email, "/register/confirm"))
    page.click("form.card button")
    page.wait_for_url("**/setup/password")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("form.card button")
    page.wait_for_url("**/setup/second")
    page.goto(f"{town.url}/setup/passkey")
    return email


def finish(phone: Phone) -> None:
    page = phone.page
    page.wait_for_url("**/setup/codes")
    page.click("form.card button")
    page.wait_for_selector(".codes")
    page.check("#kept")
    page.click("form.card button")
    page.wait_for_url("**/setup/done")


def account(phone: Phone, town: Town) -> str:
    email = register(phone, town)
    phone.page.click("form[data-passkey] button")
    finish(phone)
    return email


def keeper(phone: Phone, town: Town) -> Walker:
    """A key custodian whose passkey is in this browser and in the register."""
    core, clock = town.core, FrozenClock(datetime.now(UTC))
    auditor, made = (
        person(core, InProcess(FastAPI()), clock, serial, name=name)
        for serial, name in ((1, "Pengawas"), (2, "Ani"))
    )
    appoint(core, auditor, Role.AUDITOR)
    enter(phone, town, made)
    phone.page.goto(f"{town.url}/account/factors/passkey")
    with phone.page.expect_navigation():
        phone.page.click("form[data-passkey] button")
    (passkey,) = core.citizens.factors.passkeys_of(made.person_id)
    grant = core.office.operators.propose(made.person_id, Role.KEY_CUSTODIAN, actor="cli:test")
    core.office.operators.confirm(grant.id, confirmer_id=auditor.person_id)
    joining = parameters_of(Change.ADD, "ani", key=passkey_of_custodian(passkey), person_id=made.person_id)
    core.custodians.change_freely(joining, actor="cli:test")
    enter(phone, town, made, FactorKind.PASSKEY)
    return made


def enter(phone: Phone, town: Town, walker: Walker, *used: FactorKind) -> None:
    """Logged in, by password and app unless something else is named."""
    log_in(town.core, walker, used or (FactorKind.PASSWORD, FactorKind.TOTP))
    phone.page.context.add_cookies([{"name": "absah", "value": walker.cookies["absah"], "url": town.url}])


def test_a_custodian_approves_requests_with_the_passkey_on_every_screen(
    phone: Phone, town: Town, screenshots: Path
) -> None:
    keeper(phone, town)
    page, control, key = phone.page, town.core.dual_control, town.core.keys.list()[0].id
    for width, act in {360: KeyAct.RETIRE, 1280: KeyAct.DESTROY}.items():
        request = control.request(act, {"key": key, "reason": "pindah ke HSM baru"}, requester="cli:root")
        page.set_viewport_size({"width": width, "height": 740})
        page.goto(f"{town.url}/custody")
        keep_picture(page, screenshots / f"{width}-list.png")
        page.goto(f"{town.url}/custody/{request.id}")
        keep_picture(page, screenshots / f"{width}-request.png")
        assert faults_of(page) == []
        assert violations(page, axe_script()) == []
        with page.expect_navigation(url=f"**/custody/{request.id}"):
            page.click("form[data-options$='/options/approve'] button")
        assert control.standing(request.id).approved_by == ("ani",)
        assert "Anda sudah memutuskan" in page.content()
        keep_picture(page, screenshots / f"{width}-decided.png")


def is_logged_in(phone: Phone) -> bool:
    return any(cookie["name"] == "absah" for cookie in phone.page.context.cookies())


def test_a_passkey_is_registered_and_then_logs_in_alone(phone: Phone, town: Town, screenshots: Path) -> None:
    register(phone, town)
    page = phone.page
    page.set_viewport_size({"width": 360, "height": 740})
    assert not page.locator("[data-unsupported]").is_visible()
    keep_picture(page, screenshots / "register.png")
    assert faults_of(page) == []
    assert violations(page, axe_script()) == []
    page.click("form[data-passkey] button")
    finish(phone)
    assert len(phone.credentials()) == 1
    phone.waits_to_be_asked()
    page.goto(f"{town.url}/login")
    keep_picture(page, screenshots / "login.png")
    assert faults_of(page) == []
    assert violations(page, axe_script()) == []
    assert not is_logged_in(phone)
    page.click("form[data-passkey] button")
    page.wait_for_url("**/account*")
    assert is_logged_in(phone)


def test_the_browser_offers_the_passkey_in_the_name_field(phone: Phone, town: Town) -> None:
    account(phone, town)
    phone.page.goto(f"{town.url}/login")
    phone.page.wait_for_url("**/account*")  # the authenticator agrees by itself, nothing was pressed
    assert is_logged_in(phone)


def test_after_the_password_the_passkey_is_asked_for(phone: Phone, town: Town, screenshots: Path) -> None:
    email = account(phone, town)
    page = phone.page
    phone.waits_to_be_asked()
    page.goto(f"{town.url}/login?lang=en")
    page.fill("#identifier", email)
    page.fill("#password", PASSWORD)
    page.click("form[action='/login'] button")
    page.wait_for_url("**/login/second*")
    page.set_viewport_size({"width": 360, "height": 740})
    keep_picture(page, screenshots / "second.png")
    assert faults_of(page) == []
    page.click("form[data-passkey] button")
    page.wait_for_url("**/account*")
    assert is_logged_in(phone)


def test_who_does_not_pass_the_sensor_is_refused_by_the_browser_and_may_try_again(
    phone: Phone, town: Town, screenshots: Path
) -> None:
    register(phone, town)
    page = phone.page
    phone.verifies(False)
    page.click("form[data-passkey] button")
    page.wait_for_selector("[data-failed]:visible")
    keep_picture(page, screenshots / "failed.png")
    assert phone.credentials() == []
    phone.verifies(True)
    page.click("form[data-passkey] button")
    finish(phone)


@pytest.mark.parametrize("act", ["registration", "login"])
def test_without_user_verification_the_service_refuses_whatever_the_browser_was_told(
    act: str, phone: Phone, town: Town
) -> None:
    page = phone.page

    def ask_for_less(route: Any) -> None:
        """Somebody changes what the page asks its authenticator for."""
        asked = route.fetch()
        body = asked.json()
        options = body["options"]
        options["userVerification"] = "discouraged"
        if "authenticatorSelection" in options:
            options["authenticatorSelection"] = {"userVerification": "discouraged"}
        route.fulfill(response=asked, body=json.dumps(body))

    if act == "login":
        account(phone, town)
        phone.waits_to_be_asked()
        page.goto(f"{town.url}/login")
    else:
        register(phone, town)
        phone.swap(sensor=False)  # one with a sensor keeps no passkey for whoever does not pass it
    page.route("**/options", ask_for_less)
    phone.verifies(False)
    page.click("form[data-passkey] button")
    page.wait_for_selector(".problems")
    assert "tidak diterima" in page.locator(".problems").inner_text()
    assert not is_logged_in(phone)
