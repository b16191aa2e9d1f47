"""The ways to log in: added, changed and taken away by whoever has shown one of them a moment ago."""

from __future__ import annotations

from typing import Any, Final

from identity.factors.errors import FactorNeeded, FactorUnknown, PasswordRefused, PasswordsBusy
from identity.factors.model import Factor, FactorKind, may_remove
from identity.web.account.parts import Account
from identity.web.errors import PageUnknown
from identity.web.messages import show_refusal
from identity.web.passkeys import options_answer
from identity.web.setup import (
    codes_as_file,
    codes_in,
    confirm_passkey,
    confirm_totp,
    show_codes,
    show_new_passkey,
    show_totp,
)
from identity.web.shell import Form, Response, Section, Visit

_HOME: Final = "/account/factors"
_TOTP: Final[dict[str, Any]] = {"action": f"{_HOME}/totp", "other": _HOME}
_PASSKEY: Final[dict[str, Any]] = {"action": f"{_HOME}/passkey", "other": _HOME}
_CODES: Final[dict[str, Any]] = {"action": f"{_HOME}/codes/kept", "file_action": f"{_HOME}/codes/file"}


def add_factors(section: Section, account: Account) -> None:
    _add_list(section, account)
    _add_password(section, account)
    _add_totp(section, account)
    _add_passkey(section, account)
    _add_codes(section, account)
    _add_removal(section, account)


def _add_list(section: Section, account: Account) -> None:
    @section.page(_HOME)
    def factors_page(visit: Visit) -> Response:
        held = account.factors.of(visit.session.person_id)
        return visit.show(
            "factors.html",
            title="factors_heading",
            factors=held,
            removable={factor.id for factor in held if may_remove(factor.id, held)},
            kinds={factor.kind.value for factor in held},
        )


def _add_password(section: Section, account: Account) -> None:
    def values(visit: Visit) -> dict[str, Any]:
        person = account.person(visit)
        return {"title": "password_heading", "username": person.email or person.name}

    @section.page(f"{_HOME}/password")
    def password_page(visit: Visit) -> Response:
        account.require_fresh(visit)
        return visit.show("password.html", **values(visit))

    @section.form(f"{_HOME}/password")
    def password_posted(visit: Visit, form: Form) -> Response:
        person_id = account.require_fresh(visit)
        password, errors = form.secret("password"), {}
        if not password:
            errors = {"password": "password_missing"}
        elif password != form.secret("again"):
            errors = {"again": "again_differs"}
        if errors:
            return visit.show("password.html", errors=errors, **values(visit))
        try:
            account.factors.set_password(person_id, password)
        except (PasswordRefused, PasswordsBusy) as error:
            field = "password" if isinstance(error, PasswordRefused) else ""
            return show_refusal(visit, error, "password.html", field=field, **values(visit))
        # Every session has ended, this one too: whoever else knew the old password is out.
        visit.end_session()
        return visit.show(
            "words.html",
            title="password_done_heading",
            tone="valid",
            icon="check",
            text=visit.says("password_done_text"),
            way="/login",
            way_text=visit.says("login_again"),
        )


def _add_totp(section: Section, account: Account) -> None:
    @section.page(f"{_HOME}/totp")
    def totp_page(visit: Visit) -> Response:
        return show_totp(visit, account.factors.begin_totp(account.require_fresh(visit)), **_TOTP)

    @section.form(f"{_HOME}/totp")
    def totp_posted(visit: Visit, form: Form) -> Response:
        person_id = account.require_fresh(visit)
        return confirm_totp(visit, form, account.factors, person_id, **_TOTP) or visit.go(_HOME)


def _add_passkey(section: Section, account: Account) -> None:
    @section.page(f"{_HOME}/passkey")
    def passkey_page(visit: Visit) -> Response:
        account.require_fresh(visit)
        return show_new_passkey(visit, **_PASSKEY)

    @section.form(f"{_HOME}/passkey/options")
    def passkey_options(visit: Visit, form: Form) -> Response:
        return options_answer(account.factors.begin_passkey(account.require_fresh(visit)))

    @section.form(f"{_HOME}/passkey")
    def passkey_posted(visit: Visit, form: Form) -> Response:
        person_id = account.require_fresh(visit)
        return confirm_passkey(visit, form, account.factors, person_id, **_PASSKEY) or visit.go(_HOME)


def _add_codes(section: Section, account: Account) -> None:
    @section.page(f"{_HOME}/codes")
    def codes_page(visit: Visit) -> Response:
        account.require_fresh(visit)
        return visit.show("codes_first.html", title="codes_title", action=f"{_HOME}/codes", step=None)

    @section.form(f"{_HOME}/codes")
    def codes_posted(visit: Visit, form: Form) -> Response:
        codes = account.factors.renew_recovery_codes(account.require_fresh(visit))
        return show_codes(visit, codes, now=account.clock(), **_CODES)

    @section.form(f"{_HOME}/codes/file")
    def codes_file(visit: Visit, form: Form) -> Response:
        return codes_as_file(visit, form, now=account.clock())

    @section.form(f"{_HOME}/codes/kept")
    def codes_kept(visit: Visit, form: Form) -> Response:
        if form.text("kept"):
            return visit.go(_HOME)
        errors = {"kept": "codes_not_kept"}
        return show_codes(visit, codes_in(form), now=account.clock(), errors=errors, **_CODES)


def _add_removal(section: Section, account: Account) -> None:
    def wanted(visit: Visit) -> Factor:
        person_id = account.require_fresh(visit)
        for factor in account.factors.of(person_id):
            if factor.id == visit.parameter("factor"):
                return factor
        raise PageUnknown

    @section.page(f"{_HOME}/remove/{{factor}}")
    def removal_page(visit: Visit) -> Response:
        return visit.show("remove.html", title="remove_heading", factor=wanted(visit))

    @section.form(f"{_HOME}/remove/{{factor}}")
    def removal_posted(visit: Visit, form: Form) -> Response:
        factor = wanted(visit)
        try:
            account.factors.remove(visit.session.person_id, factor.id)
        except FactorNeeded:
            needed = {"": "factor_needed"}
            return visit.show("remove.html", title="remove_heading", factor=factor, errors=needed)
        except FactorUnknown:  # removed a moment ago
            pass
        if factor.kind is FactorKind.PASSWORD:
            account.sessions.end_all(
                visit.session.person_id, actor=visit.session.person_id, keep=visit.session.id
            )
        return visit.go(_HOME)
