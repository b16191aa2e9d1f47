"""The help desk as one router. It closes and reopens; giving access to somebody is for officers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from identity.operators.desk import Desk
from identity.operators.errors import ActsOnOneself, SearchesDelayed
from identity.operators.model import Role
from identity.people.errors import PersonStateForbids
from identity.people.service import SuspensionReason
from identity.web.duty import Duty
from identity.web.helpdesk.words import WORDS
from identity.web.messages import show_refusal
from identity.web.shell import Form, Response, Section, Shell, Visit


def router(shell: Shell, *, desk: Desk, duty: Duty) -> APIRouter:
    """Everything under ``/help-desk``; ``duty`` is that of the help desk."""
    section = shell.section("identity.web.helpdesk", words=WORDS, guard=duty.guard)
    _add_search(section, desk=desk)
    _add_person(section, desk=desk, duty=duty)
    return section.router


def _add_search(section: Section, *, desk: Desk) -> None:
    @section.page("/help-desk")
    def search_page(visit: Visit) -> Response:
        return visit.show("search.html", title="help_desk_heading")

    @section.form("/help-desk")
    def searched(visit: Visit, form: Form) -> Response:
        identifier, helper_id = form.text("identifier", most=320), visit.session.person_id
        try:
            person = desk.find(identifier, operator_id=helper_id, role=Role.HELP_DESK)
        except SearchesDelayed as error:
            page: dict[str, Any] = {"title": "help_desk_heading", "typed": form}
            return show_refusal(visit, error, "search.html", field="identifier", **page)
        if person is None:
            nobody = {"identifier": "nobody_found"}
            return visit.show("search.html", title="help_desk_heading", errors=nobody, typed=form)
        return visit.go(f"/help-desk/people/{person.id}")


def _add_person(section: Section, *, desk: Desk, duty: Duty) -> None:
    def values(visit: Visit) -> dict[str, Any]:
        found = desk.view(visit.parameter("person"), operator_id=visit.session.person_id, role=Role.HELP_DESK)
        reasons = [(reason.value, visit.says(f"reason_{reason}")) for reason in SuspensionReason]
        return {"title": "person_heading", "found": found, "reasons": reasons}

    @section.page("/help-desk/people/{person}")
    def person_page(visit: Visit) -> Response:
        duty.act(visit)
        return visit.show("person.html", **values(visit))

    @section.form("/help-desk/people/{person}")
    def person_posted(visit: Visit, form: Form) -> Response:
        """One address for what can be done; ``act`` tells which."""
        operator_id, person_id = duty.act(visit), visit.parameter("person")
        errors: dict[str, str] = {}
        try:
            match form.text("act"):
                case "suspend" if form.text("reason") in set(SuspensionReason):
                    reason = SuspensionReason(form.text("reason"))
                    desk.suspend(person_id, operator_id=operator_id, reason=reason)
                case "suspend":
                    errors = {"reason": "reason_missing"}
                case "resume":
                    desk.resume(person_id, operator_id=operator_id)
                case "end_sessions":
                    desk.end_sessions(person_id, operator_id=operator_id)
        except ActsOnOneself:
            errors = {"": "own_account"}
        except PersonStateForbids:
            errors = {"": "state_forbids"}
        if errors:
            return visit.show("person.html", errors=errors, typed=form, **values(visit))
        return visit.go(f"/help-desk/people/{person_id}")
