"""The first page of the account: where everything is, and which language it speaks."""

from __future__ import annotations

from typing import Final

from identity.operators.model import Role
from identity.web.account.parts import Account
from identity.web.cookies import Cookie
from identity.web.shell import Form, Response, Section, Visit

TASKS: Final[dict[Role, tuple[str, str]]] = {
    Role.OFFICER: ("/counter", "task_counter"),
    Role.HELP_DESK: ("/help-desk", "task_help_desk"),
    Role.AGENCY_ADMINISTRATOR: ("/agency", "task_agency"),
    Role.KEY_CUSTODIAN: ("/custody", "task_custody"),
    Role.CA_ADMINISTRATOR: ("/certificates", "task_certificates"),
    Role.AUDITOR: ("/operators", "task_operators"),
}
"""Where an operator works. Signatories work in portals."""


def add_overview(section: Section, account: Account) -> None:
    @section.page("/account")
    def overview_page(visit: Visit) -> Response:
        person = account.person(visit)
        roles = account.operators.powers(person.id).roles
        return visit.show(
            "overview.html",
            title="overview_heading",
            person=person,
            sessions=len(account.sessions.of(person.id)),
            tasks=[TASKS[role] for role in Role if role in roles and role in TASKS],
        )

    @section.page("/account/language")
    def language_page(visit: Visit) -> Response:
        return visit.show("language.html", title="language_heading", chosen=account.person(visit).language)

    @section.form("/account/language")
    def language_posted(visit: Visit, form: Form) -> Response:
        chosen = form.text("language")
        if chosen not in {"id", "en"}:
            return visit.go("/account/language")
        account.people.choose_language(visit.session.person_id, chosen)
        visit.jar.set(Cookie.LANGUAGE, chosen)
        return visit.go("/account")
