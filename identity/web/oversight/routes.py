"""The auditors' pages as one router."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from identity.agencies.service import Agencies
from identity.operators.errors import FourEyesNeeded, GrantNotOpen, GrantUnknown, OperatorUnfit
from identity.operators.model import Grant, GrantState
from identity.operators.service import Operators
from identity.people.errors import PersonUnknown
from identity.people.service import People
from identity.web.duty import Duty
from identity.web.errors import PageUnknown
from identity.web.oversight.words import WORDS
from identity.web.shell import Form, Response, Shell, Visit


def router(
    shell: Shell, *, operators: Operators, people: People, agencies: Agencies, duty: Duty
) -> APIRouter:
    """Everything under ``/operators``; ``duty`` is that of auditors."""
    section = shell.section("identity.web.oversight", words=WORDS, guard=duty.guard)

    def name(person_id: str) -> str:
        """The command line and people who are gone keep the id that the audit trail knows them by."""
        try:
            return people.get(person_id).name
        except PersonUnknown:
            return person_id

    def office(grant: Grant) -> str | None:
        return agencies.agency(grant.agency_id).name if grant.agency_id is not None else None

    def values(visit: Visit) -> dict[str, Any]:
        try:
            grant: Grant = operators.grant(visit.parameter("grant"))
        except GrantUnknown:
            raise PageUnknown from None
        me = visit.session.person_id
        waits = grant.state is GrantState.PROPOSED
        return {
            "title": f"role_{grant.role}",
            "grant": grant,
            "holder": name(grant.person_id),
            "grantor": name(grant.granted_by),
            "agency": office(grant),
            "waits": waits,
            "may_confirm": waits and me not in {grant.person_id, grant.granted_by},
        }

    @section.page("/operators")
    def operators_page(visit: Visit) -> Response:
        grants = operators.grants()
        return visit.show(
            "operators.html",
            title="operators_heading",
            waiting=[grant for grant in grants if grant.state is GrantState.PROPOSED],
            active=[grant for grant in grants if grant.state is GrantState.ACTIVE],
            names={grant.person_id: name(grant.person_id) for grant in grants},
            agencies={grant.agency_id: office(grant) for grant in grants},
        )

    @section.page("/operators/{grant}")
    def grant_page(visit: Visit) -> Response:
        duty.act(visit)
        return visit.show("grant.html", **values(visit))

    @section.form("/operators/{grant}")
    def grant_posted(visit: Visit, form: Form) -> Response:
        actor, grant_id = duty.act(visit), visit.parameter("grant")
        try:
            if form.text("act") == "confirm":
                operators.confirm(grant_id, confirmer_id=actor)
            elif form.text("act") == "end":
                operators.end(grant_id, actor=actor)
        except FourEyesNeeded:
            return visit.show("grant.html", errors={"": "four_eyes"}, **values(visit))
        except OperatorUnfit:
            return visit.show("grant.html", errors={"": "confirm_unfit"}, **values(visit))
        except (GrantNotOpen, GrantUnknown):  # by a colleague, just now: the list says so
            pass
        return visit.go("/operators")

    return section.router
