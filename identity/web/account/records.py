"""What others did that concerns the person: documents issued, looks taken, data shared."""

from __future__ import annotations

from typing import Final

from identity.provider.model import SCOPES
from identity.web.account.parts import Account
from identity.web.shell import Form, Response, Section, Visit

_PAGE: Final = 20


def add_records(section: Section, account: Account) -> None:
    @section.page("/account/documents")
    def documents_page(visit: Visit) -> Response:
        holder = account.lookups.holder_of(visit.session.person_id)
        before = visit.query("before") or ""
        cursor = int(before) if before.isascii() and before.isdigit() and len(before) < 18 else None
        found = list(account.documents.to(holder, before=cursor, most=_PAGE + 1)) if holder else []
        return visit.show(
            "documents.html",
            title="documents_heading",
            is_proofed=holder is not None,
            documents=found[:_PAGE],
            older=found[_PAGE - 1].cursor if len(found) > _PAGE else None,
            today=account.clock().date(),
        )

    @section.page("/account/lookups")
    def lookups_page(visit: Visit) -> Response:
        return visit.show(
            "lookups.html",
            title="lookups_heading",
            lookups=account.lookups.about(visit.session.person_id),
        )

    @section.page("/account/consents")
    def consents_page(visit: Visit) -> Response:
        return visit.show(
            "consents.html",
            title="consents_heading",
            shared=account.sharing.of(visit.session.person_id),
            known=set(SCOPES),
        )

    @section.form("/account/consents/{portal}/withdraw")
    def consent_withdrawn(visit: Visit, form: Form) -> Response:
        person_id, portal_id = visit.session.person_id, visit.parameter("portal")
        if any(shared.portal.id == portal_id for shared in account.sharing.of(person_id)):
            account.rights.withdraw_consent(person_id, portal_id)
        return visit.go("/account/consents")
