"""Who signs for the agency: proposed by one administrator, confirmed by another or by an auditor."""

from __future__ import annotations

from typing import Any

from identity.operators.desk import Desk
from identity.operators.errors import (
    ActsOnOneself,
    FourEyesNeeded,
    GrantNotOpen,
    GrantUnknown,
    OperatorError,
    OperatorUnfit,
    RoleConflict,
    RoleHeld,
    SearchesDelayed,
)
from identity.operators.model import Grant, Role
from identity.web.agency.parts import Administration
from identity.web.messages import show_refusal
from identity.web.shell import Form, Response, Section, Visit

_WORDS: dict[type[OperatorError], tuple[str, str]] = {
    ActsOnOneself: ("identifier", "signatory_oneself"),
    RoleHeld: ("identifier", "signatory_held"),
    RoleConflict: ("identifier", "signatory_not_possible"),
    OperatorUnfit: ("identifier", "signatory_not_possible"),
    FourEyesNeeded: ("", "four_eyes"),
}
"""One answer for nobody, for somebody unknown and for somebody who may not: who has an account, and what
else they do, is not an administrator's to find out."""


def add_signatories(section: Section, administration: Administration, desk: Desk) -> None:
    operators = administration.operators

    def grants(agency_id: str) -> list[Grant]:
        return [grant for grant in operators.grants(agency_id) if grant.role is Role.SIGNATORY]

    def values(visit: Visit) -> dict[str, Any]:
        agency, me = administration.agency(visit), visit.session.person_id
        listed = grants(agency.id)
        return {
            "title": "signatories_heading",
            "agency": agency,
            "back": f"/agency/{agency.id}",
            "grants": listed,
            "names": {grant.person_id: administration.people.get(grant.person_id).name for grant in listed},
            "confirmable": {grant.id for grant in listed if me not in {grant.granted_by, grant.person_id}},
        }

    @section.page("/agency/{agency}/signatories")
    def signatories_page(visit: Visit) -> Response:
        administration.duty.act(visit)
        return visit.show("signatories.html", **values(visit))

    @section.form("/agency/{agency}/signatories")
    def signatories_posted(visit: Visit, form: Form) -> Response:
        """One address for what can be done; ``act`` tells which."""
        agency, actor = administration.agency(visit), administration.duty.act(visit)
        try:
            if form.text("act") == "propose":
                identifier = form.text("identifier", most=320)
                person = desk.find(identifier, operator_id=actor, role=Role.AGENCY_ADMINISTRATOR)
                if person is None:
                    nobody = {"identifier": "signatory_not_possible"}
                    return visit.show("signatories.html", errors=nobody, typed=form, **values(visit))
                operators.propose(person.id, Role.SIGNATORY, agency.id, actor=actor)
            elif form.text("grant") in {grant.id for grant in grants(agency.id)}:
                if form.text("act") == "confirm":
                    operators.confirm(form.text("grant"), confirmer_id=actor)
                elif form.text("act") == "end":
                    operators.end(form.text("grant"), actor=actor)
        except (GrantNotOpen, GrantUnknown):  # by a colleague, just now: the list says so
            return visit.go(f"/agency/{agency.id}/signatories")
        except SearchesDelayed as error:
            page: dict[str, Any] = {"typed": form, **values(visit)}
            return show_refusal(visit, error, "signatories.html", field="identifier", **page)
        except OperatorError as error:
            if type(error) not in _WORDS:
                raise
            field, words = _WORDS[type(error)]
            if isinstance(error, OperatorUnfit) and form.text("act") == "confirm":
                field, words = "", "confirm_unfit"
            return visit.show("signatories.html", errors={field: words}, typed=form, **values(visit))
        return visit.go(f"/agency/{agency.id}/signatories")
