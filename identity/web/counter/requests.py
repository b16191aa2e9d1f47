"""Privacy requests that wait for an officer, what is due first first: UU PDP 27/2022, 3 x 24 hours each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from identity.operators.desk import Desk
from identity.operators.model import Role
from identity.people.errors import (
    NikTaken,
    PersonDataInvalid,
    PersonUnknown,
    PrivacyRequestClosed,
    PrivacyRequestUnknown,
)
from identity.people.privacy import PrivacyRequest, Refusal, RequestKind
from identity.people.rights import Rights
from identity.web.dates import typed_date
from identity.web.duty import Duty
from identity.web.errors import PageUnknown
from identity.web.shell import Form, Response, Section, Visit


def add_requests(
    section: Section, *, rights: Rights, desk: Desk, duty: Duty, clock: Callable[[], datetime]
) -> None:
    def wanted(visit: Visit) -> PrivacyRequest:
        for request in rights.unfinished():
            if request.id == visit.parameter("request") and request.person_id != visit.session.person_id:
                return request
        raise PageUnknown

    def values(visit: Visit, request: PrivacyRequest) -> dict[str, Any]:
        found = desk.view(request.person_id, operator_id=visit.session.person_id, role=Role.OFFICER)
        return {
            "title": f"request_{request.kind}",
            "request": request,
            "person": found.person,
            "refusals": [(refusal.value, visit.says(f"refusal_{refusal}")) for refusal in Refusal],
            "now": clock(),
        }

    @section.page("/counter/requests")
    def requests_page(visit: Visit) -> Response:
        return visit.show(
            "requests.html",
            title="requests_heading",
            requests=rights.unfinished(),
            now=clock(),
            own=visit.session.person_id,
        )

    @section.page("/counter/requests/{request}")
    def request_page(visit: Visit) -> Response:
        duty.act(visit)
        return visit.show("request.html", **values(visit, wanted(visit)))

    @section.form("/counter/requests/{request}")
    def request_posted(visit: Visit, form: Form) -> Response:
        """One address for the three answers; ``answer`` tells which."""
        officer_id, request = duty.act(visit), wanted(visit)
        try:
            errors = _decide(rights, request, form, officer_id)
        except PersonDataInvalid as error:
            errors = {error.field: f"{error.field}_wrong"}
        except NikTaken:
            errors = {"nik": "nik_taken"}
        except (PrivacyRequestClosed, PrivacyRequestUnknown, PersonUnknown):  # by a colleague, just now
            errors = {}
        if errors:
            return visit.show("request.html", errors=errors, typed=form, **values(visit, request))
        return visit.go("/counter/requests")


def _decide(rights: Rights, request: PrivacyRequest, form: Form, officer_id: str) -> dict[str, str]:
    """What is wrong with the form; empty once the request is decided."""
    match form.text("answer"):
        case "refuse":
            if form.text("refusal") not in {refusal.value for refusal in Refusal}:
                return {"refusal": "refusal_missing"}
            rights.refuse(request.id, officer_id=officer_id, refusal=Refusal(form.text("refusal")))
        case "correct" if request.kind is RequestKind.CORRECTION:
            typed = form.text("birth_date")
            born = typed_date(typed) if typed else None
            if typed and born is None:
                return {"birth_date": "birth_date_wrong"}
            rights.correct(
                request.id,
                officer_id=officer_id,
                name=form.text("name") or None,
                birth_date=born,
                nik=form.text("nik") or None,
            )
        case "done":
            rights.answer(request.id, officer_id=officer_id)
        case _:
            return {"": "answer_missing"}
    return {}
