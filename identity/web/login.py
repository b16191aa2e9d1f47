"""In and out: ``/login``, its second step, ``/step-up``, ``/logout``, and the link "it was not me"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from identity.factors.errors import PasswordsBusy
from identity.factors.model import FactorKind
from identity.factors.service import Factors
from identity.login.errors import (
    AccountSuspended,
    AnswerRefused,
    HalfSessionGone,
    LinkGone,
    LoginDelayed,
    LoginRefused,
)
from identity.login.model import SECOND_FACTORS, Acr, Answer, Purpose
from identity.login.service import Login
from identity.web.cookies import Cookie
from identity.web.messages import show_refusal
from identity.web.passkeys import answer_of, options_answer
from identity.web.shell import Form, Response, Section, Visit

_REFUSED: Final = (LoginRefused, LoginDelayed, AccountSuspended, PasswordsBusy)
_NOT_ANSWERED: Final = (AnswerRefused, LoginRefused, LoginDelayed, AccountSuspended, PasswordsBusy)
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
        return options_answer(factors.passkey_options(None))

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
    def page(offered: Sequence[FactorKind], kind: FactorKind) -> dict[str, Any]:
        return {"title": "second_heading", "action": "/login/second", "lead": None, "lost": True} | (
            _ways(offered, kind)
        )

    @section.page("/login/second", anyone=True)
    def second_page(visit: Visit) -> Response:
        try:
            offered = login.offered(visit.jar.get(Cookie.HALF_SESSION))
        except HalfSessionGone:
            return visit.go("/login", notice="half_gone")
        return visit.show("answer.html", **page(offered, _chosen(visit.query("with"), offered)))

    @section.form("/login/second", anyone=True)
    def second_posted(visit: Visit, form: Form) -> Response:
        half = visit.jar.get(Cookie.HALF_SESSION)
        answer = _answer(form)
        try:
            offered = login.offered(half)
            if not answer.value:
                shown = page(offered, answer.kind)
                return visit.show("answer.html", errors={"code": "code_missing"}, **shown)
            opened = login.second(half, answer, visit.device)
        except HalfSessionGone:
            return visit.go("/login", notice="half_gone")
        except _NOT_ANSWERED as error:
            return _not_answered(visit, error, answer, page(offered, answer.kind))
        visit.open_session(opened)
        return visit.finish()

    @section.form("/login/second/options", anyone=True)
    def second_options(visit: Visit, form: Form) -> Response:
        half = login.half_session(visit.jar.get(Cookie.HALF_SESSION), Purpose.SECOND_FACTOR)
        return options_answer(factors.passkey_options(half.person_id))


def _add_step_up(section: Section, *, login: Login, factors: Factors) -> None:
    def offered_to(visit: Visit) -> tuple[FactorKind, ...]:
        """The person's factors that reach what is asked for, the best one first."""
        held = {factor.kind for factor in factors.of(visit.session.person_id) if factor.left != 0}
        wanted = {FactorKind.PASSKEY} if visit.query("acr") == Acr.PHR else set(SECOND_FACTORS)
        return tuple(kind for kind in SECOND_FACTORS if kind in held & wanted)

    def page(visit: Visit, offered: Sequence[FactorKind], kind: FactorKind) -> dict[str, Any]:
        action = "/step-up?acr=phr" if visit.query("acr") == Acr.PHR else "/step-up"
        lead = visit.says("stepup_lead")
        return {"title": "stepup_heading", "action": action, "lead": lead, "lost": False} | (
            _ways(offered, kind)
        )

    @section.page("/step-up")
    def step_up_page(visit: Visit) -> Response:
        offered = offered_to(visit)
        if not offered:
            return visit.show("no_passkey.html", title="stepup_heading", status=403)
        return visit.show("answer.html", **page(visit, offered, _chosen(visit.query("with"), offered)))

    @section.form("/step-up")
    def step_up_posted(visit: Visit, form: Form) -> Response:
        answer, offered = _answer(form), offered_to(visit)
        if answer.kind not in offered:
            return visit.go("/step-up", **({"acr": "phr"} if visit.query("acr") == Acr.PHR else {}))
        if not answer.value:
            shown = page(visit, offered, answer.kind)
            return visit.show("answer.html", errors={"code": "code_missing"}, **shown)
        try:
            opened = login.step_up(visit.jar.get(Cookie.SESSION), answer, visit.device)
        except _NOT_ANSWERED as error:
            return _not_answered(visit, error, answer, page(visit, offered, answer.kind))
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
            steps=[visit.says("not_me_done_step_1"), visit.says("not_me_done_step_2")],
            way=visit.link("/recovery"),
            way_text=visit.says("not_me_new_password"),
        )


def show_link_gone(visit: Visit, *, way: str, way_text: str) -> Response:
    """A link from a mail that was used, or is too old; ``way`` is where a new one is to be had."""
    return visit.show(
        "words.html",
        title="link_gone_heading",
        status=410,
        tone="unreadable",
        icon="pause",
        text=visit.says("link_gone"),
        way=visit.link(way),
        way_text=visit.says(way_text),
    )


def _answer(form: Form) -> Answer:
    match form.text("kind"):
        case FactorKind.PASSKEY:
            return answer_of(form)
        case FactorKind.RECOVERY_CODE:
            return Answer(FactorKind.RECOVERY_CODE, form.text("code", most=64))
        case _:
            return Answer(FactorKind.TOTP, form.code("code"))


def _chosen(asked: str | None, offered: Sequence[FactorKind]) -> FactorKind:
    """What the person chose, or the best there is; there is always one, or nobody would have come so far."""
    return next((kind for kind in offered if kind == asked), offered[0] if offered else FactorKind.TOTP)


def _ways(offered: Sequence[FactorKind], kind: FactorKind) -> dict[str, Any]:
    return {"kind": kind.value, "others": [other.value for other in offered if other is not kind]}


def _not_answered(visit: Visit, error: Any, answer: Answer, page: dict[str, Any]) -> Response:
    """Beside the field that was typed into; above the page for a passkey, which has none."""
    if isinstance(error, AnswerRefused | LoginRefused) and answer.kind is not FactorKind.TOTP:
        key = "passkey_refused" if answer.kind is FactorKind.PASSKEY else "recovery_code_refused"
        field = "" if answer.kind is FactorKind.PASSKEY else "code"
        return visit.show("answer.html", errors={field: key}, **page)
    field = "code" if isinstance(error, AnswerRefused) else ""
    return show_refusal(visit, error, "answer.html", field=field, **page)
