"""Accounts at the counter: found by NIK, opened against the card, given a new code on a sheet of paper."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from markupsafe import Markup

from identity.factors.totp import qr_svg
from identity.operators.desk import Desk
from identity.operators.errors import ActsOnOneself, SearchesDelayed
from identity.operators.model import Role
from identity.people.errors import NikInvalid, NikTaken, PersonDataInvalid, PersonStateForbids
from identity.people.model import PersonState, ProofingLevel
from identity.people.service import Opened
from identity.ports import Clock
from identity.web.dates import typed_date
from identity.web.duty import Duty
from identity.web.messages import show_refusal
from identity.web.shell import Form, Response, Section, Visit
from identity.web.words import Language, shown_moment

_ON_SHEET: Final = ("for", "code", "until", "step_1", "step_2", "step_3", "qr", "secret")


class Sheets:
    """What is printed for the citizen. ``lifetime`` is how long a code works."""

    def __init__(self, *, clock: Clock, lifetime: timedelta) -> None:
        self._clock = clock
        self._lifetime = lifetime

    def show(self, visit: Visit, opened: Opened) -> Response:
        """The only time that the code is shown: it goes to paper, and is kept nowhere."""
        link = f"{visit.shell.public_url}/activate"
        language: Language = "en" if opened.person.language == "en" else "id"
        until = shown_moment(self._clock() + self._lifetime, language)
        filled = {"name": opened.person.name, "moment": until}
        code = opened.activation_code
        return visit.show(
            "sheet.html",
            title="sheet_heading" if code else "sheet_sent_heading",
            # The officer reads the page, the citizen the sheet.
            sheet={name: visit.pages.says(language, f"sheet_{name}", **filled) for name in _ON_SHEET},
            sheet_language=language,
            code=code,
            address=link,
            qr=Markup(qr_svg(f"{link}?code={code}")) if code else None,  # noqa: S704 - our own drawing
        )


def add_accounts(section: Section, *, desk: Desk, duty: Duty, sheets: Sheets) -> None:
    _add_search(section, desk=desk)
    _add_opening(section, desk=desk, duty=duty, sheets=sheets)
    _add_codes(section, desk=desk, duty=duty, sheets=sheets)


def _add_search(section: Section, *, desk: Desk) -> None:
    @section.page("/counter")
    def counter_page(visit: Visit) -> Response:
        return visit.show("counter.html", title="counter_heading")

    @section.form("/counter")
    def searched(visit: Visit, form: Form) -> Response:
        """A NIK stands in no address, so it comes by a form and the account is shown under its own id."""
        try:
            person = desk.by_nik(form.text("nik"), operator_id=visit.session.person_id, role=Role.OFFICER)
        except SearchesDelayed as error:
            page: dict[str, Any] = {"title": "counter_heading", "typed": form}
            return show_refusal(visit, error, "counter.html", field="nik", **page)
        except NikInvalid:
            wrong = {"nik": "nik_wrong"}
            return visit.show("counter.html", title="counter_heading", errors=wrong, typed=form)
        if person is None:
            return visit.show("open.html", title="open_heading", typed=form, may_displace=False, is_new=True)
        return visit.go(f"/counter/people/{person.id}")


def _add_opening(section: Section, *, desk: Desk, duty: Duty, sheets: Sheets) -> None:
    def again(visit: Visit, form: Form, errors: dict[str, str], *, may_displace: bool = False) -> Response:
        values: dict[str, Any] = {"typed": form, "may_displace": may_displace, "is_new": False}
        return visit.show("open.html", title="open_heading", errors=errors, **values)

    @section.page("/counter/open")
    def open_page(visit: Visit) -> Response:
        duty.act(visit)
        return visit.show("open.html", title="open_heading", may_displace=False, is_new=False)

    @section.form("/counter/open")
    def opened(visit: Visit, form: Form) -> Response:
        officer_id = duty.act(visit)
        born = typed_date(form.text("birth_date"))
        missing = {
            field: words
            for field, words, is_there in (
                ("nik", "nik_wrong", form.text("nik")),
                ("name", "name_wrong", form.text("name")),
                ("birth_date", "birth_date_wrong", born),
                ("seen", "seen_missing", form.text("seen")),
            )
            if not is_there
        }
        if missing or born is None:
            return again(visit, form, missing)
        try:
            made = desk.open(
                officer_id=officer_id,
                nik=form.text("nik"),
                name=form.text("name"),
                birth_date=born,
                email=form.text("email", most=320) or None,
                language="en" if form.text("language") == "en" else "id",
                send=form.text("hand_over") == "send",
                displace=bool(form.text("displace")),
            )
        except PersonDataInvalid as error:
            return again(visit, form, {error.field: f"{error.field}_wrong"})
        except NikTaken as error:
            key = "nik_taken_weaker" if error.may_displace else "nik_taken"
            return again(visit, form, {"nik": key}, may_displace=error.may_displace)
        except ActsOnOneself:
            return again(visit, form, {"nik": "own_account"})
        return sheets.show(visit, made)


def _add_codes(section: Section, *, desk: Desk, duty: Duty, sheets: Sheets) -> None:
    def viewed(visit: Visit) -> dict[str, Any]:
        found = desk.view(visit.parameter("person"), operator_id=visit.session.person_id, role=Role.OFFICER)
        person = found.person
        return {
            "title": "person_heading",
            "found": found,
            "may_give_code": not found.is_own
            and person.proofing is ProofingLevel.IAL2
            and person.state is not PersonState.SUSPENDED,
        }

    @section.page("/counter/people/{person}")
    def person_page(visit: Visit) -> Response:
        return visit.show("person.html", **viewed(visit))

    @section.page("/counter/people/{person}/code")
    def code_page(visit: Visit) -> Response:
        duty.act(visit)
        return visit.show("give_code.html", **viewed(visit) | {"title": "give_code_heading"})

    @section.form("/counter/people/{person}/code")
    def code_given(visit: Visit, form: Form) -> Response:
        officer_id = duty.act(visit)

        def again(errors: dict[str, str]) -> Response:
            values = viewed(visit) | {"title": "give_code_heading"}
            return visit.show("give_code.html", errors=errors, typed=form, **values)

        if not form.text("seen"):
            return again({"seen": "seen_missing"})
        try:
            made = desk.give_code(
                visit.parameter("person"), officer_id=officer_id, send=form.text("hand_over") == "send"
            )
        except ActsOnOneself:
            return again({"": "own_account"})
        except PersonStateForbids:
            return again({"": "code_not_possible"})
        except PersonDataInvalid:
            return again({"hand_over": "email_wrong"})
        return sheets.show(visit, made)
