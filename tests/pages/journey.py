"""One citizen's way through every page, in the order in which they come; each page is a stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyotp

from identity.web.words import TEXTS, Language
from tests.pages.town import PASSWORD, Citizen, Town

Stop = Callable[[str], None]
"""Called on every page with its name."""


class Journey:
    """``page`` is a Playwright page in a fresh context."""

    def __init__(self, page: Any, town: Town, language: Language, stop: Stop) -> None:
        self.page = page
        self.town = town
        self.words = TEXTS[language]
        self.language = language
        self.stop = stop

    def everything(self) -> None:
        """Every page that needs no script."""
        self.go("/login", f"lang={self.language}")
        self.look_around()
        self.register()
        citizen = self.town.citizen()
        self.log_in(citizen)
        self.step_up(citizen)
        self.log_out()
        self.not_me(citizen)
        self.recover(self.town.citizen())
        self.activate()
        self.lose_the_way()

    def look_around(self) -> None:
        self.stop("login")
        self.press("login_submit")
        self.stop("login-empty")
        self.fill(identifier="siti@contoh.id", password="salah sekali")
        self.press("login_submit")
        self.stop("login-refused")
        self.go("/login/lost")
        self.stop("lost")

    def register(self) -> None:
        email = self.town.new_email()
        self.go("/register")
        self.stop("register")
        self.fill(name=" ", email="siti@")
        self.press("register_submit")
        self.stop("register-wrong")
        self.fill(name="Siti Rahmawati", email=email)
        self.press("register_submit")
        self.stop("confirm")
        self.fill(code="7K3M-9QXF-2T8W-ABCD")
        self.press("confirm_submit")
        self.stop("confirm-refused")
        self.page.goto(self.town.link(email, "/register/confirm"))
        self.stop("confirm-by-link")
        self.press("confirm_submit")
        self.set_up()

    def set_up(self) -> None:
        self.stop("setup-password")
        self.fill(password="rahasia", again="rahasia")
        self.press("next")
        self.stop("setup-password-refused")
        self.fill(password=PASSWORD, again="lain")
        self.press("next")
        self.stop("setup-password-differs")
        self.fill(password=PASSWORD, again=PASSWORD)
        self.press("next")
        self.stop("setup-second")
        self.go("/setup/passkey")
        self.stop("setup-passkey")
        self.go("/setup/totp")
        self.stop("setup-totp")
        secret = self.page.locator(".secret").inner_text()
        citizen = Citizen("", pyotp.TOTP("".join(secret.split())))
        self.fill(code=citizen.wrong_code())
        self.press("next")
        self.stop("setup-totp-refused")
        self.fill(code=citizen.code())
        self.press("next")
        self.stop("setup-codes-first")
        self.press("codes_show")
        self.stop("setup-codes")
        self.press("codes_done")
        self.stop("setup-codes-not-kept")
        self.page.check("#kept")
        self.press("codes_done")
        self.stop("setup-done")

    def log_in(self, citizen: Citizen) -> None:
        self.go("/login")
        self.fill(identifier=citizen.email, password=PASSWORD)
        self.press("login_submit")
        self.stop("second")
        self.fill(code=citizen.wrong_code())
        self.press("login_heading")
        self.stop("second-refused")
        self.page.click(f"text={self.words['answer_with_recovery_code']}")
        self.stop("second-recovery-code")
        self.fill(code="7K3M-9QXF-2T8W-ABCD")
        self.press("login_heading")
        self.stop("second-recovery-code-refused")
        self.page.click(f"text={self.words['answer_with_totp']}")
        self.fill(code=citizen.code())
        self.press("login_heading")

    def step_up(self, citizen: Citizen) -> None:
        self.go("/step-up", "acr=phr")
        self.stop("step-up-no-passkey")
        self.go("/step-up", "next=/logout")
        self.stop("step-up")
        self.fill(code=citizen.code())
        self.press("next")

    def log_out(self) -> None:
        self.stop("logout")
        self.press("logout_submit")
        self.stop("logged-out")

    def not_me(self, citizen: Citizen) -> None:
        link = self.town.link(citizen.email, "/not-me")
        self.page.goto(link)
        self.stop("not-me")
        self.press("not_me_submit")
        self.stop("not-me-done")
        self.page.goto(link)
        self.stop("link-gone")

    def recover(self, citizen: Citizen) -> None:
        self.go("/recovery")
        self.stop("recovery")
        self.fill(identifier=citizen.email)
        self.press("recovery_submit")
        self.stop("recovery-confirm")
        self.page.goto(self.town.link(citizen.email, "/recovery/confirm"))
        self.stop("recovery-by-link")
        self.press("confirm_submit")
        self.stop("recovery-proof")
        self.page.click(f"text={self.words['answer_with_recovery_code']}")
        self.fill(code=citizen.codes[0])
        self.press("next")
        self.stop("recovery-waiting")
        self.page.goto(self.town.link(citizen.email, "/recovery/cancel"))
        self.stop("recovery-cancel")
        self.press("recovery_cancel_submit")
        self.stop("recovery-cancelled")

    def activate(self) -> None:
        self.go("/activate")
        self.stop("activate")
        self.fill(code=self.town.code_from_counter())
        self.press("confirm_submit")
        self.stop("setup-password-without-mailbox")

    def lose_the_way(self) -> None:
        self.page.context.clear_cookies(name="absah-login")
        self.press("next")
        self.stop("refused")
        self.go("/setup/totp", f"lang={self.language}")
        self.stop("setup-over")
        self.go("/nowhere", f"lang={self.language}")
        self.stop("unknown-address")

    def go(self, path: str, query: str = "") -> None:
        self.page.goto(f"{self.town.url}{path}{'?' if query else ''}{query}")

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            self.page.fill(f"#{name}", value)

    def press(self, word: str) -> None:
        with self.page.expect_navigation(wait_until="load"):
            self.page.locator(f"button:visible:text-is({self.words[word]!r})").click()
