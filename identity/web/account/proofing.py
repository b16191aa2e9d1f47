"""How a self-made account becomes one of a known person: by a counter's code, or by the registry."""

from __future__ import annotations

from typing import Any, Final

from identity.errors import IdentityError, RegistryUnavailable
from identity.people.errors import (
    CodeInvalid,
    PersonDataInvalid,
    PersonStateForbids,
    ProofingRefused,
    TooManyProofings,
)
from identity.people.model import ProofingLevel
from identity.web.account.parts import Account
from identity.web.dates import typed_date
from identity.web.shell import Form, Response, Section, Visit

_REFUSALS: Final[dict[type[IdentityError], tuple[str, str, int]]] = {
    CodeInvalid: ("code", "code_refused", 422),
    ProofingRefused: ("", "proofing_refused", 422),
    TooManyProofings: ("", "proofing_often", 429),
    RegistryUnavailable: ("", "registry_unavailable", 503),
}
"""Beside which field, in which words, with which status."""


def add_proofing(section: Section, account: Account) -> None:
    def values(visit: Visit) -> dict[str, Any]:
        person = account.person(visit)
        is_done = person.proofing is ProofingLevel.IAL2
        return {"title": "ial_ial2_heading" if is_done else "proofing_heading", "person": person}

    def refused(visit: Visit, form: Form, errors: dict[str, str], status: int = 422) -> Response:
        return visit.show("proofing.html", status=status, errors=errors, typed=form, **values(visit))

    @section.page("/account/proofing")
    def proofing_page(visit: Visit) -> Response:
        account.require_fresh(visit)
        return visit.show("proofing.html", **values(visit))

    @section.form("/account/proofing")
    def proofing_posted(visit: Visit, form: Form) -> Response:
        """One address, so that a step-up on the way leads back to it; the field that is there tells which."""
        person_id = account.require_fresh(visit)
        try:
            if "code" in form:
                account.people.attach(person_id, form.text("code", most=64))
            else:
                _prove(account, person_id, form)
        except PersonDataInvalid as error:
            return refused(visit, form, {error.field: f"{error.field}_wrong"})
        except (CodeInvalid, ProofingRefused, TooManyProofings, RegistryUnavailable) as error:
            field, words, status = _REFUSALS[type(error)]
            return refused(visit, form, {field: words}, status)
        except PersonStateForbids:  # proofed already: the page says so
            return visit.go("/account/proofing")
        return visit.go("/account")


def _prove(account: Account, person_id: str, form: Form) -> None:
    born = typed_date(form.text("birth_date"))
    if born is None:
        raise PersonDataInvalid("birth_date", "This is not a date such as 17-08-1955.")
    account.people.prove_by_registry(person_id, nik=form.text("nik"), name=form.text("name"), birth_date=born)
