"""My data: seen, taken along, corrected, erased. UU PDP 27/2022, with its clock in sight."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from identity.people.errors import (
    PersonDataInvalid,
    PersonStateForbids,
    PrivacyRequestClosed,
    PrivacyRequestRepeated,
    PrivacyRequestUnknown,
)
from identity.people.model import ProofingLevel
from identity.people.reverting import Asking
from identity.web.account.parts import Account
from identity.web.shell import Form, Response, Section, Visit


def add_privacy(section: Section, account: Account) -> None:
    _add_overview(section, account)
    _add_export(section, account)
    _add_correction(section, account)
    _add_address(section, account)
    _add_erasure(section, account)


def _add_overview(section: Section, account: Account) -> None:
    @section.page("/account/privacy")
    def privacy_page(visit: Visit) -> Response:
        person = account.person(visit)
        return visit.show(
            "privacy.html",
            title="privacy_heading",
            person=person,
            requests=account.rights.of(person.id),
            now=account.clock(),
        )

    @section.form("/account/privacy/requests/{request}/take-back")
    def taken_back(visit: Visit, form: Form) -> Response:
        with suppress(PrivacyRequestClosed, PrivacyRequestUnknown):  # the list says what became of it
            account.rights.take_back(visit.session.person_id, visit.parameter("request"))
        return visit.go("/account/privacy")


def _add_export(section: Section, account: Account) -> None:
    @section.page("/account/privacy/export")
    def export_page(visit: Visit) -> Response:
        account.require_fresh(visit)
        return visit.show("export.html", title="export_heading")

    @section.form("/account/privacy/export")
    def exported(visit: Visit, form: Form) -> Response:
        everything = account.rights.export(account.require_fresh(visit))
        name = visit.says("export_file_name")
        return Response(
            json.dumps(everything, ensure_ascii=False, indent=2).encode(),
            media_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _add_correction(section: Section, account: Account) -> None:
    def values(visit: Visit) -> dict[str, Any]:
        person = account.person(visit)
        return {
            "title": "correction_heading",
            "person": person,
            "is_free": person.proofing is ProofingLevel.IAL0,
        }

    @section.page("/account/privacy/correction")
    def correction_page(visit: Visit) -> Response:
        account.require_fresh(visit)
        return visit.show("correction.html", **values(visit))

    @section.form("/account/privacy/correction")
    def correction_posted(visit: Visit, form: Form) -> Response:
        person_id = account.require_fresh(visit)
        try:
            if "name" in form:
                account.rights.correct_name(person_id, form.text("name"))
                return visit.go("/account/privacy")
            details = form.text("details", most=2_000)
            if not details:
                missing = {"details": "details_missing"}
                return visit.show("correction.html", errors=missing, typed=form, **values(visit))
            account.rights.request_correction(person_id, details)
        except PersonDataInvalid as error:
            wrong = {error.field: f"{error.field}_wrong"}
            return visit.show("correction.html", errors=wrong, typed=form, **values(visit))
        except PrivacyRequestRepeated:
            repeated = {"": "request_repeated"}
            return visit.show("correction.html", errors=repeated, typed=form, **values(visit))
        except PersonStateForbids:  # proofed in the meantime: the page shows the other way
            return visit.go("/account/privacy/correction")
        return visit.go("/account/privacy")


def _add_address(section: Section, account: Account) -> None:
    @section.page("/account/privacy/email")
    def address_page(visit: Visit) -> Response:
        account.require_fresh(visit)
        return visit.show("email.html", title="address_heading", person=account.person(visit))

    @section.form("/account/privacy/email")
    def address_posted(visit: Visit, form: Form) -> Response:
        person_id = account.require_fresh(visit)
        try:
            account.people.change_email(
                person_id,
                form.text("email", most=320),
                asking=Asking(visit.session.created_at, visit.session.amr),
            )
        except PersonDataInvalid:
            wrong = {"email": "email_wrong"}
            page: dict[str, Any] = {"title": "address_heading", "person": account.person(visit)}
            return visit.show("email.html", errors=wrong, typed=form, **page)
        return visit.go("/register/confirm")


def _add_erasure(section: Section, account: Account) -> None:
    @section.page("/account/privacy/erasure")
    def erasure_page(visit: Visit) -> Response:
        account.require_fresh(visit)
        return visit.show("erasure.html", title="erasure_heading")

    @section.form("/account/privacy/erasure")
    def erasure_posted(visit: Visit, form: Form) -> Response:
        person_id = account.require_fresh(visit)
        if not form.text("sure"):
            unsure = {"sure": "erasure_unsure"}
            return visit.show("erasure.html", title="erasure_heading", errors=unsure)
        with suppress(PrivacyRequestRepeated):  # the list shows the one whose clock runs
            account.rights.request_erasure(person_id)
        return visit.go("/account/privacy")
