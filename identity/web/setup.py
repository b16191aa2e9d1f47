"""``/setup``: the first factors of an account, or new ones after a recovery. One page, one task.

Between the code and the last page stands a half session whose purpose is set-up. It opens nothing else, and
every page asks anew what is there already: a person may leave and come back, reload, or use two tabs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup
from starlette.responses import PlainTextResponse

from identity.factors.errors import PasskeyRefused, PasswordRefused, PasswordsBusy, TotpRefused, TotpSetupGone
from identity.factors.model import FactorKind
from identity.factors.service import Factors
from identity.factors.totp import TotpSetup
from identity.login.devices import device_name
from identity.login.errors import HalfSessionGone, SetupIncomplete
from identity.login.model import Purpose
from identity.login.service import Login
from identity.people.errors import PersonUnknown
from identity.people.model import Person
from identity.people.service import People
from identity.web.cookies import Cookie
from identity.web.messages import in_words, show_refusal
from identity.web.passkeys import answer_of, options_answer
from identity.web.shell import Form, Response, Section, Visit
from identity.web.words import shown_moment

_Work = Callable[[Visit, Person], Response]
_FormWork = Callable[[Visit, Person, Form], Response]

_STEPS: Final = 3
_CODE: Final = re.compile(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}")
_MOST_CODES: Final = 10


@dataclass(frozen=True, slots=True)
class Enrolling:
    """What the pages of a set-up stand on."""

    people: People
    factors: Factors
    login: Login
    clock: Callable[[], datetime]

    def person(self, visit: Visit) -> Person:
        """Whose set-up this is. Raises :class:`identity.login.errors.HalfSessionGone`."""
        half = self.login.half_session(visit.jar.get(Cookie.HALF_SESSION), Purpose.SETUP)
        try:
            return self.people.get(half.person_id)
        except PersonUnknown as cause:
            raise HalfSessionGone from cause

    def next_path(self, person_id: str) -> str:
        """The first thing that is missing; where nothing is, the end."""
        held = {factor.kind for factor in self.factors.of(person_id) if factor.left != 0}
        if not held & {FactorKind.PASSWORD, FactorKind.PASSKEY}:
            return "/setup/password"
        if not held & {FactorKind.TOTP, FactorKind.PASSKEY}:
            return "/setup/second"
        if FactorKind.RECOVERY_CODE not in held:
            return "/setup/codes"
        return "/setup/finish"


class _Pages:
    """Pages of a section for whoever is in the middle of a set-up."""

    def __init__(self, section: Section, enrolling: Enrolling) -> None:
        self._section = section
        self._enrolling = enrolling

    def page(self, path: str) -> Callable[[_Work], _Work]:
        def add(work: _Work) -> _Work:
            @self._section.page(path, anyone=True)
            def shown(visit: Visit) -> Response:
                try:
                    return work(visit, self._enrolling.person(visit))
                except HalfSessionGone:
                    return _over(visit)

            return work

        return add

    def form(self, path: str) -> Callable[[_FormWork], _FormWork]:
        def add(work: _FormWork) -> _FormWork:
            @self._section.form(path, anyone=True)
            def posted(visit: Visit, form: Form) -> Response:
                try:
                    return work(visit, self._enrolling.person(visit), form)
                except HalfSessionGone:
                    return _over(visit)

            return work

        return add


def add_setup(section: Section, enrolling: Enrolling) -> None:
    """The pages behind a code that was accepted."""
    pages = _Pages(section, enrolling)
    _add_password(pages, enrolling)
    _add_second(pages, enrolling)
    _add_codes(pages, enrolling)
    _add_end(section, pages, enrolling)


def _add_password(pages: _Pages, enrolling: Enrolling) -> None:
    def values(person: Person) -> dict[str, Any]:
        # Password managers keep a password under the name that stands beside it.
        return {"title": "setup_password_heading", "username": person.email or person.name}

    @pages.page("/setup")
    def next_step(visit: Visit, person: Person) -> Response:
        return visit.go(enrolling.next_path(person.id))

    @pages.page("/setup/password")
    def password_page(visit: Visit, person: Person) -> Response:
        return visit.show("setup_password.html", **values(person))

    @pages.form("/setup/password")
    def password_posted(visit: Visit, person: Person, form: Form) -> Response:
        password, errors = form.secret("password"), {}
        if not password:
            errors = {"password": "password_missing"}
        elif password != form.secret("again"):
            errors = {"again": "again_differs"}
        if errors:
            return visit.show("setup_password.html", errors=errors, **values(person))
        try:
            enrolling.factors.set_password(person.id, password)
        except PasswordRefused as error:
            return show_refusal(visit, error, "setup_password.html", field="password", **values(person))
        except PasswordsBusy as error:
            return show_refusal(visit, error, "setup_password.html", **values(person))
        return visit.go("/setup")


def _add_second(pages: _Pages, enrolling: Enrolling) -> None:
    factors = enrolling.factors

    @pages.page("/setup/second")
    def second_page(visit: Visit, person: Person) -> Response:
        return visit.show("setup_second.html", title="setup_second_heading")

    @pages.page("/setup/totp")
    def totp_page(visit: Visit, person: Person) -> Response:
        return show_totp(visit, factors.begin_totp(person.id), **_TOTP_PLACES)

    @pages.form("/setup/totp")
    def totp_posted(visit: Visit, person: Person, form: Form) -> Response:
        refused = confirm_totp(visit, form, factors, person.id, **_TOTP_PLACES)
        return refused or visit.go("/setup")

    @pages.page("/setup/passkey")
    def passkey_page(visit: Visit, person: Person) -> Response:
        return show_new_passkey(visit, **_PASSKEY_PLACES)

    @pages.form("/setup/passkey/options")
    def passkey_options(visit: Visit, person: Person, form: Form) -> Response:
        return options_answer(factors.begin_passkey(person.id))

    @pages.form("/setup/passkey")
    def passkey_posted(visit: Visit, person: Person, form: Form) -> Response:
        refused = confirm_passkey(visit, form, factors, person.id, **_PASSKEY_PLACES)
        return refused or visit.go("/setup")


def _add_codes(pages: _Pages, enrolling: Enrolling) -> None:
    @pages.page("/setup/codes")
    def codes_page(visit: Visit, person: Person) -> Response:
        return visit.show("codes_first.html", title="codes_title", action="/setup/codes", step=_STEPS)

    @pages.form("/setup/codes")
    def codes_posted(visit: Visit, person: Person, form: Form) -> Response:
        codes = enrolling.factors.renew_recovery_codes(person.id)
        return show_codes(visit, codes, now=enrolling.clock(), **_CODES_PLACES)

    @pages.form("/setup/codes/file")
    def codes_file(visit: Visit, person: Person, form: Form) -> Response:
        return codes_as_file(visit, form, now=enrolling.clock())

    @pages.form("/setup/finish")
    def codes_kept(visit: Visit, person: Person, form: Form) -> Response:
        if form.text("kept"):
            return visit.go("/setup/finish")
        errors = {"kept": "codes_not_kept"}
        return show_codes(visit, codes_in(form), now=enrolling.clock(), errors=errors, **_CODES_PLACES)


def _add_end(section: Section, pages: _Pages, enrolling: Enrolling) -> None:
    @pages.page("/setup/finish")
    def finish(visit: Visit, person: Person) -> Response:
        try:
            enrolling.login.finish_setup(visit.jar.get(Cookie.HALF_SESSION))
        except SetupIncomplete:
            return visit.go("/setup")
        visit.jar.drop(Cookie.HALF_SESSION)
        return visit.go("/setup/done")

    @section.page("/setup/done", anyone=True)
    def done_page(visit: Visit) -> Response:
        return visit.show(
            "words.html",
            title="setup_done_heading",
            tone="valid",
            icon="check",
            text=visit.says("setup_done_text"),
            way=visit.link("/login"),
            way_text=visit.says("login_heading"),
        )


# The same pages serve whoever adds a factor later, from the account's own pages.


def show_totp(
    visit: Visit, setup: TotpSetup, *, action: str, other: str, step: int | None = None, **values: Any
) -> Response:
    """The QR code, the same as text in groups, and the field for the first code.

    ``action`` takes the form, ``other`` leads to another way, ``step`` of three is where the person stands.
    """
    return visit.show(
        "setup_totp.html",
        title="setup_totp_heading",
        action=action,
        other=other,
        step=step,
        setup=setup.id,
        qr=Markup(setup.qr_svg),  # noqa: S704 - our own drawing; the text in it is only in its shape
        uri=setup.uri,
        groups=setup.secret_text.split(),
        **values,
    )


def confirm_totp(
    visit: Visit, form: Form, factors: Factors, person_id: str, **places: Any
) -> Response | None:
    """None once the app works; else the page again, with the same secret as long as that can be."""
    setup_id, code = form.text("setup", most=80), form.code("code")
    try:
        if code:
            factors.confirm_totp(person_id, setup_id, code)
            return None
        errors = {"code": visit.says("code_missing")}
        setup = factors.totp_setup(person_id, setup_id)
    except TotpSetupGone as error:
        errors, setup = {"code": in_words(visit, error)}, factors.begin_totp(person_id)
    except TotpRefused as error:
        errors, setup = {"code": in_words(visit, error)}, factors.totp_setup(person_id, setup_id)
    return show_totp(visit, setup, errors=errors, **places)


def show_new_passkey(
    visit: Visit, *, action: str, other: str, step: int | None = None, **values: Any
) -> Response:
    """The button that registers this device. ``action`` with ``/options`` behind it gives the challenge."""
    return visit.show(
        "setup_passkey.html",
        title="setup_passkey_title",
        action=action,
        other=other,
        step=step,
        device=device_name(visit.device.user_agent).in_words(visit.language),
        **values,
    )


def confirm_passkey(
    visit: Visit, form: Form, factors: Factors, person_id: str, **places: Any
) -> Response | None:
    """None once the passkey is registered; else the page again with what was wrong."""
    answer = answer_of(form)
    try:
        factors.confirm_passkey(person_id, answer.challenge_id, answer.value, name=form.text("name", most=60))
    except PasskeyRefused as error:
        return show_new_passkey(visit, errors={"": in_words(visit, error)}, **places)
    return None


def show_codes(
    visit: Visit,
    codes: Sequence[str],
    *,
    now: datetime,
    action: str,
    file_action: str,
    step: int | None = None,
    **values: Any,
) -> Response:
    """The recovery codes, the only time; ``file_action`` gives them back as a file, ``action`` goes on."""
    return visit.show(
        "codes.html",
        title="codes_title",
        codes=codes,
        now=now,
        action=action,
        file_action=file_action,
        step=step,
        **values,
    )


def codes_in(form: Form) -> list[str]:
    """The codes that the page was shown with and sends along, because nobody else has them in clear."""
    codes = form.block("codes", most=400).split()[:_MOST_CODES]
    return [code for code in codes if _CODE.fullmatch(code)]


def codes_as_file(visit: Visit, form: Form, *, now: datetime) -> Response:
    """A text file to save. A form and not a link, so that no address ever holds the codes."""
    head = visit.says(
        "codes_file_head",
        host=visit.shell.public_url.partition("://")[2],
        moment=shown_moment(now, visit.language),
    )
    lines = [head, "", *(f"{number:2}. {code}" for number, code in enumerate(codes_in(form), start=1)), ""]
    name = visit.says("codes_file_name")
    return PlainTextResponse(
        "\r\n".join(lines), headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


_TOTP_PLACES: Final[dict[str, Any]] = {"action": "/setup/totp", "other": "/setup/second", "step": 2}
_PASSKEY_PLACES: Final[dict[str, Any]] = {"action": "/setup/passkey", "other": "/setup/second", "step": 2}
_CODES_PLACES: Final[dict[str, Any]] = {
    "action": "/setup/finish",
    "file_action": "/setup/codes/file",
    "step": _STEPS,
}


def _over(visit: Visit) -> Response:
    visit.jar.drop(Cookie.HALF_SESSION)
    return visit.show(
        "words.html",
        title="setup_over_heading",
        status=410,
        tone="unreadable",
        icon="clock",
        text=visit.says("setup_over_text"),
        steps=[visit.says("setup_over_step_1"), visit.says("setup_over_step_2")],
        way=visit.link("/login"),
        way_text=visit.says("to_login"),
    )
