"""``/recovery``: a code by mail, one more proof, then new factors at once, after a wait, or at a counter."""

from __future__ import annotations

from typing import Any

from identity.factors.service import Factors
from identity.login.errors import HalfSessionGone, LinkGone, LoginDelayed, RecoveryNeedsOfficer
from identity.login.model import Purpose, Recovering, Recovery
from identity.login.recovery import Recoveries
from identity.login.service import Login
from identity.web.answers import NOT_ANSWERED, Question, answer_in, show_link_gone
from identity.web.cookies import Cookie
from identity.web.messages import show_refusal
from identity.web.passkeys import options_answer
from identity.web.shell import Form, Response, Section, Visit
from identity.web.words import shown_moment

_LONGEST_CODE = 64


def add_recovery(section: Section, *, login: Login, factors: Factors, recoveries: Recoveries) -> None:
    """From "I cannot log in" to a set-up, a date, or the way to a counter."""
    _add_start(section, recoveries)
    _add_code(section, recoveries)
    _add_proof(section, login=login, factors=factors, recoveries=recoveries)
    _add_cancel(section, recoveries)


def _add_start(section: Section, recoveries: Recoveries) -> None:
    @section.page("/recovery", anyone=True)
    def recovery_page(visit: Visit) -> Response:
        return visit.show("recovery.html", title="recovery_heading")

    @section.form("/recovery", anyone=True)
    def recovery_posted(visit: Visit, form: Form) -> Response:
        page: dict[str, Any] = {"title": "recovery_heading", "typed": form}
        identifier = form.text("identifier", most=320)
        if not identifier:
            return visit.show("recovery.html", errors={"identifier": "identifier_missing"}, **page)
        try:
            recoveries.start(identifier, visit.device)
        except LoginDelayed as error:
            return show_refusal(visit, error, "recovery.html", **page)
        return visit.go("/recovery/confirm")


def _add_code(section: Section, recoveries: Recoveries) -> None:
    def code_page(visit: Visit) -> dict[str, Any]:
        by_link = visit.query("code") is not None
        return {
            "title": "recovery_resume_heading" if by_link else "recovery_confirm_heading",
            "lead": None if by_link else visit.says("recovery_confirm_lead"),
            "action": "/recovery/confirm",
            "label": visit.says("mail_code_label"),
            "hint": visit.says("mail_code_hint"),
            "code": (visit.query("code") or "")[:_LONGEST_CODE],
            "submit": visit.says("confirm_submit"),
            "after": visit.says("confirm_nothing"),
            "after_text": visit.says("recovery_nothing_text"),
            "again": "/recovery",
        }

    def confirm_page(visit: Visit) -> Response:
        return visit.show("code.html", **code_page(visit))

    section.page("/recovery/confirm", anyone=True)(confirm_page)
    section.page("/recovery/finish", anyone=True)(confirm_page)  # the link that comes after the waiting time

    @section.form("/recovery/confirm", anyone=True)
    def confirm_posted(visit: Visit, form: Form) -> Response:
        code = form.text("code", most=_LONGEST_CODE)
        if not code:
            return visit.show("code.html", errors={"code": "code_missing"}, **code_page(visit))
        try:
            recovering = recoveries.confirm(code)
        except LinkGone:
            wrong = {"code": "code_refused"}
            return visit.show("code.html", errors=wrong, typed=form, **code_page(visit))
        except RecoveryNeedsOfficer:
            return _show_counter(visit)
        return _go_on(visit, recovering)


def _add_proof(section: Section, *, login: Login, factors: Factors, recoveries: Recoveries) -> None:
    def question(visit: Visit) -> Question:
        """Raises :class:`identity.login.errors.HalfSessionGone`."""
        offered = recoveries.offered(visit.jar.get(Cookie.HALF_SESSION))
        lead = "recovery_answer_lead"
        return Question(visit, offered, "recovery_answer_heading", "/recovery/proof", "next", lead=lead)

    @section.page("/recovery/proof", anyone=True)
    def proof_page(visit: Visit) -> Response:
        try:
            asked = question(visit)
        except HalfSessionGone:
            return show_link_gone(visit, way="/recovery", way_text="recovery_heading")
        return asked.show() if asked.offered else _show_counter(visit)

    @section.form("/recovery/proof", anyone=True)
    def proof_posted(visit: Visit, form: Form) -> Response:
        answer = answer_in(form)
        try:
            asked = question(visit)
            if not answer.value:
                return asked.missing(answer.kind)
            found = recoveries.prove(visit.jar.get(Cookie.HALF_SESSION), answer, visit.device)
        except HalfSessionGone:
            return show_link_gone(visit, way="/recovery", way_text="recovery_heading")
        except RecoveryNeedsOfficer:
            return _show_counter(visit)
        except NOT_ANSWERED as error:
            return asked.refuse(error, answer.kind)
        return _go_on(visit, found) if isinstance(found, Recovering) else _show_waiting(visit, found)

    @section.form("/recovery/proof/options", anyone=True)
    def proof_options(visit: Visit, form: Form) -> Response:
        half = login.half_session(visit.jar.get(Cookie.HALF_SESSION), Purpose.RECOVERY)
        return options_answer(factors.passkey_options(half.person_id))


def _add_cancel(section: Section, recoveries: Recoveries) -> None:
    """As with every link in a mail, only the button acts."""

    @section.page("/recovery/cancel", anyone=True)
    def cancel_page(visit: Visit) -> Response:
        code = visit.query("code") or ""
        if not recoveries.is_cancellable(code):
            return show_link_gone(visit, way="/login", way_text="login_heading")
        return visit.show(
            "words.html",
            title="recovery_cancel_heading",
            tone="cannot_say",
            icon="question",
            text=visit.says("recovery_cancel_text"),
            action="/recovery/cancel",
            hidden={"code": code},
            submit=visit.says("recovery_cancel_submit"),
            way=visit.link("/login"),
            way_text=visit.says("recovery_cancel_not"),
        )

    @section.form("/recovery/cancel", anyone=True)
    def cancel_posted(visit: Visit, form: Form) -> Response:
        try:
            recoveries.cancel(form.text("code", most=_LONGEST_CODE))
        except LinkGone:
            return show_link_gone(visit, way="/login", way_text="login_heading")
        return visit.show(
            "words.html",
            title="recovery_cancelled_heading",
            tone="valid",
            icon="check",
            text=visit.says("recovery_cancelled_text"),
            steps=[visit.says("recovery_cancelled_step_1"), visit.says("recovery_cancelled_step_2")],
            way=visit.link("/login"),
            way_text=visit.says("login_heading"),
        )


def _go_on(visit: Visit, recovering: Recovering) -> Response:
    visit.end_session()  # of whoever used this browser before
    visit.jar.set(Cookie.HALF_SESSION, recovering.secret)
    return visit.go("/setup" if recovering.half.purpose is Purpose.SETUP else "/recovery/proof")


def _show_waiting(visit: Visit, recovery: Recovery) -> Response:
    assert recovery.ready_at is not None
    visit.end_session()
    return visit.show(
        "words.html",
        title=visit.says("recovery_waiting_heading", moment=shown_moment(recovery.ready_at, visit.language)),
        tone="expired",
        icon="clock",
        text=visit.says("recovery_waiting_text"),
        steps=[visit.says("recovery_waiting_step_1"), visit.says("recovery_waiting_step_2")],
    )


def _show_counter(visit: Visit) -> Response:
    return visit.show(
        "words.html",
        title="recovery_none_heading",
        tone="unreadable",
        icon="stop",
        text=visit.says("recovery_none_text"),
        steps=[visit.says("recovery_none_step_1"), visit.says("recovery_none_step_2")],
        way=visit.link("/activate"),
        way_text=visit.says("login_activate"),
    )
