"""From nothing to an account: ``/register`` or ``/activate``, each ending with a code that begins a set-up.

Links stand in mails, and mail programs open links by themselves: a link only fills in the code, and nothing
happens before the button.
"""

from __future__ import annotations

from typing import Any

from identity.login.service import Login
from identity.people.errors import CodeInvalid, PersonDataInvalid
from identity.people.model import PersonState
from identity.people.service import People
from identity.web.cookies import Cookie
from identity.web.messages import show_refusal
from identity.web.shell import Form, Response, Section, Visit

_LONGEST_CODE = 64


def add_enrolment(section: Section, *, people: People, login: Login) -> None:
    """The pages up to the code; :mod:`identity.web.setup` has those behind it."""
    _add_register(section, people=people, login=login)
    _add_activate(section, people=people, login=login)


def _add_register(section: Section, *, people: People, login: Login) -> None:
    @section.page("/register", anyone=True)
    def register_page(visit: Visit) -> Response:
        return visit.show("register.html", title="register_heading")

    @section.form("/register", anyone=True)
    def register_posted(visit: Visit, form: Form) -> Response:
        try:
            people.register(
                name=form.text("name"), email=form.text("email", most=320), language=visit.language
            )
        except PersonDataInvalid as error:
            wrong = {error.field: f"{error.field}_wrong"}
            return visit.show("register.html", title="register_heading", errors=wrong, typed=form)
        return visit.go("/register/confirm")

    def code_page(visit: Visit) -> dict[str, Any]:
        by_link = visit.query("code") is not None
        return {
            "title": "confirm_link_heading" if by_link else "confirm_heading",
            "lead": None if by_link else visit.says("confirm_lead"),
            "action": "/register/confirm",
            "label": visit.says("mail_code_label"),
            "hint": visit.says("mail_code_hint"),
            "code": _code_in(visit),
            "submit": visit.says("confirm_submit"),
            "after": visit.says("confirm_nothing"),
            "after_text": visit.says("confirm_nothing_text"),
            "again": "/register",
        }

    @section.page("/register/confirm", anyone=True)
    def confirm_page(visit: Visit) -> Response:
        return visit.show("code.html", **code_page(visit))

    @section.form("/register/confirm", anyone=True)
    def confirm_posted(visit: Visit, form: Form) -> Response:
        code = form.text("code", most=_LONGEST_CODE)
        if not code:
            missing = {"code": "code_missing"}
            return visit.show("code.html", errors=missing, typed=form, **code_page(visit))
        try:
            person = people.confirm_email(code)
        except CodeInvalid as error:
            return show_refusal(visit, error, "code.html", field="code", typed=form, **code_page(visit))
        if person.state is PersonState.REGISTERED:
            return _begin_setup(visit, login, person.id)
        return visit.show(
            "words.html",
            title="email_confirmed_heading",
            tone="valid",
            icon="check",
            text=visit.says("email_confirmed_text"),
            way=visit.link("/account"),
            way_text=visit.says("nav_account"),
        )


def _add_activate(section: Section, *, people: People, login: Login) -> None:
    def code_page(visit: Visit) -> dict[str, Any]:
        return {
            "title": "activate_heading",
            "lead": visit.says("activate_lead"),
            "action": "/activate",
            "label": visit.says("activate_label"),
            "hint": visit.says("mail_code_hint"),
            "code": _code_in(visit),
            "submit": visit.says("confirm_submit"),
            "after": visit.says("activate_lost"),
            "after_text": visit.says("activate_lost_text"),
            "again": None,
        }

    @section.page("/activate", anyone=True)
    def activate_page(visit: Visit) -> Response:
        return visit.show("code.html", **code_page(visit))

    @section.form("/activate", anyone=True)
    def activate_posted(visit: Visit, form: Form) -> Response:
        code = form.text("code", most=_LONGEST_CODE)
        if not code:
            missing = {"code": "code_missing"}
            return visit.show("code.html", errors=missing, typed=form, **code_page(visit))
        try:
            person = people.activate(code)
        except CodeInvalid as error:
            return show_refusal(visit, error, "code.html", field="code", typed=form, **code_page(visit))
        return _begin_setup(visit, login, person.id)


def _begin_setup(visit: Visit, login: Login, person_id: str) -> Response:
    visit.end_session()  # of whoever used this browser before
    visit.jar.set(Cookie.HALF_SESSION, login.begin_setup(person_id))
    return visit.go("/setup")


def _code_in(visit: Visit) -> str:
    return (visit.query("code") or "")[:_LONGEST_CODE]
