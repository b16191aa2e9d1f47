"""In and out: ``/login``, its second step, ``/step-up``, ``/logout``, and the link "it was not me"."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import JSONResponse

from identity.factors.errors import PasswordsBusy
from identity.factors.model import FactorKind
from identity.factors.service import Factors
from identity.login.errors import (
    AccountSuspended,
    HalfSessionGone,
    LinkGone,
    LoginDelayed,
    LoginRefused,
)
from identity.login.model import SECOND_FACTORS, Acr, Purpose
from identity.login.service import Login
from identity.web.answers import NOT_ANSWERED, Question, answer_in, show_link_gone
from identity.web.cookies import Cookie
from identity.web.messages import show_refusal
from identity.web.passkeys import answer_of, options_answer
from identity.web.shell import Form, Response, Section, Visit

_REFUSED: Final = (LoginRefused, LoginDelayed, AccountSuspended, PasswordsBusy)
_NOTICES: Final = ("half_gone", "session_gone")


def add_login(section: Section, *, login: Login, factors: Factors) -> None:
    """Every page on the way in and out."""
    _add_first_step(section, login=login, factors=factors)
    _add_second_step(section, login=login, factors=factors)
    _add_step_up(section, login=login, factors=factors)
    _add_logout(section, login=login)
    _add_repudiation(section, login=login)


def _add_first_step(section: Section, *, login: Login, factors: Factors) -> None:
    @section.page("/login", anyone=True)
    def login_page(visit: Visit) -> Response:
        if visit.session_or_none is not None and visit.flow is None:
            return visit.finish()
        notice = visit.query("notice")
        return visit.show(
            "login.html",
            title="login_heading",
            notice=visit.says(notice) if notice in _NOTICES else None,
        )

    @section.form("/login", anyone=True)
    def login_posted(visit: Visit, form: Form) -> Response:
        identifier, password = form.text("identifier", most=320), form.secret("password")
        missing = {
            f"{name}": f"{name}_missing"
            for name, value in (("identifier", identifier), ("password", password))
            if not value
        }
        page: dict[str, Any] = {"title": "login_heading", "typed": form, "notice": None}
        if missing:
            return visit.show("login.html", errors=missing, **page)
        try:
            half = login.start(identifier, password, visit.device)
        except _REFUSED as error:
            return show_refusal(visit, error, "login.html", **page)
        visit.jar.set(Cookie.HALF_SESSION, half)
        return visit.go("/login/second")

    @section.form("/login/passkey/options", anyone=True)
    def login_passkey_options(visit: Visit, form: Form) -> Response:
        try:
            return options_answer(login.passkey_challenge(visit.device))
        except LoginDelayed as error:  # read by the script, which leaves the password to be used
            return JSONResponse({}, 429, headers={"Retry-After": str(error.retry_after)})

    @section.form("/login/passkey", anyone=True)
    def login_passkey(visit: Visit, form: Form) -> Response:
        answer = answer_of(form)
        try:
            opened = login.with_passkey(answer.challenge_id, answer.value, visit.device)
        except LoginRefused:
            refused = {"": "passkey_refused"}
            return visit.show("login.html", title="login_heading", errors=refused, notice=None)
        except _REFUSED as error:
            return show_refusal(visit, error, "login.html", title="login_heading", notice=None)
        visit.open_session(opened)
        return visit.finish()

    @section.page("/login/lost", anyone=True)
    def lost_page(visit: Visit) -> Response:
        return visit.show("lost.html", title="lost_heading")


def _add_second_step(section: Section, *, login: Login, factors: Factors) -> None:
    def question(visit: Visit) -> Question:
        """Raises :class:`identity.login.errors.HalfSessionGone`."""
        offered = login.offered(visit.jar.get(Cookie.HALF_SESSION))
        return Question(visit, offered, "second_heading", "/login/second", "login_heading", lost=True)

    @section.page("/login/second", anyone=True)
    def second_page(visit: Visit) -> Response:
        try:
            return question(visit).show()
        except HalfSessionGone:
            return visit.go("/login", notice="half_gone")

    @section.form("/login/second", anyone=True)
    def second_posted(visit: Visit, form: Form) -> Response:
        answer = answer_in(form)
        try:
            if not answer.value:
                return question(visit).missing(answer.kind)
            try:
                opened = login.second(visit.jar.get(Cookie.HALF_SESSION), answer, visit.device)
            except NOT_ANSWERED as error:
                return question(visit).refuse(error, answer.kind)
        except HalfSessionGone:
            return visit.go("/login", notice="half_gone")
        visit.open_session(opened)
        return visit.finish()

    @section.form("/login/second/options", anyone=True)
    def second_options(visit: Visit, form: Form) -> Response:
        half = login.half_session(visit.jar.get(Cookie.HALF_SESSION), Purpose.SECOND_FACTOR)
        return options_answer(factors.passkey_options(half.person_id))


def _add_step_up(section: Section, *, login: Login, factors: Factors) -> None:
    def question(visit: Visit) -> Question:
        held = {factor.kind for factor in factors.of(visit.session.person_id) if factor.left != 0}
        only_best = visit.query("acr") == Acr.PHR
        wanted = {FactorKind.PASSKEY} if only_best else set(SECOND_FACTORS)
        offered = tuple(kind for kind in SECOND_FACTORS if kind in held & wanted)
        action = "/step-up?acr=phr" if only_best else "/step-up"
        return Question(visit, offered, "stepup_heading", action, "next", lead="stepup_lead")

    @section.page("/step-up")
    def step_up_page(visit: Visit) -> Response:
        asked = question(visit)
        if not asked.offered:
            return visit.show("no_passkey.html", title="stepup_heading", status=403)
        return asked.show()

    @section.form("/step-up")
    def step_up_posted(visit: Visit, form: Form) -> Response:
        answer, asked = answer_in(form), question(visit)
        if answer.kind not in asked.offered:
            return visit.go(asked.action)
        if not answer.value:
            return asked.missing(answer.kind)
        try:
            opened = login.step_up(visit.jar.get(Cookie.SESSION), answer, visit.device)
        except NOT_ANSWERED as error:
            return asked.refuse(error, answer.kind)
        visit.open_session(opened)
        return visit.finish()

    @section.form("/step-up/options")
    def step_up_options(visit: Visit, form: Form) -> Response:
        return options_answer(factors.passkey_options(visit.session.person_id))


def _add_logout(section: Section, *, login: Login) -> None:
    @section.page("/logout", anyone=True)
    def logout_page(visit: Visit) -> Response:
        if visit.session_or_none is None:
            return visit.go("/logout/done")
        return visit.show("logout.html", title="logout_heading")

    @section.form("/logout", anyone=True)
    def logout_posted(visit: Visit, form: Form) -> Response:
        login.logout(visit.jar.get(Cookie.SESSION))
        visit.end_session()
        return visit.go("/logout/done")

    @section.page("/logout/done", anyone=True)
    def logged_out_page(visit: Visit) -> Response:
        return visit.show(
            "words.html",
            title="logged_out_heading",
            tone="valid",
            icon="check",
            text=visit.says("logged_out_text"),
            way=visit.link("/login"),
            way_text=visit.says("login_again"),
        )


def _add_repudiation(section: Section, *, login: Login) -> None:
    """The link stands in a mail: mail programs open links by themselves, so only the button acts."""

    @section.page("/not-me", anyone=True)
    def not_me_page(visit: Visit) -> Response:
        code = visit.query("code") or ""
        if not login.is_repudiable(code):
            return show_link_gone(visit, way="/login/lost", way_text="login_lost")
        return visit.show(
            "words.html",
            title="not_me_heading",
            tone="cannot_say",
            icon="question",
            text=visit.says("not_me_text"),
            action="/not-me",
            hidden={"code": code},
            submit=visit.says("not_me_submit"),
            way=visit.link("/login"),
            way_text=visit.says("not_me_it_was"),
        )

    @section.form("/not-me", anyone=True)
    def not_me_posted(visit: Visit, form: Form) -> Response:
        try:
            login.repudiate(form.text("code"))
        except LinkGone:
            return show_link_gone(visit, way="/login/lost", way_text="login_lost")
        visit.end_session()
        return visit.show(
            "words.html",
            title="not_me_done_heading",
            tone="valid",
            icon="check",
            text=visit.says("not_me_done_text"),
            steps=[visit.says(f"not_me_done_step_{step}") for step in (1, 2, 3)],
            way=visit.link("/recovery"),
            way_text=visit.says("not_me_new_password"),
        )
