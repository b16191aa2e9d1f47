"""The link in the mail to a mailbox that was replaced: "it was not me", and the old address counts again."""

from __future__ import annotations

from identity.login.errors import LinkGone
from identity.login.service import Login
from identity.web.answers import show_link_gone
from identity.web.shell import Form, Response, Section, Visit


def add_address(section: Section, *, login: Login) -> None:
    """``/not-me/address``. As with every link in a mail, only the button acts."""

    @section.page("/not-me/address", anyone=True)
    def address_page(visit: Visit) -> Response:
        code = visit.query("code") or ""
        if not login.is_address_revertible(code):
            return show_link_gone(visit, way="/login/lost", way_text="login_lost")
        return visit.show(
            "words.html",
            title="address_heading",
            tone="cannot_say",
            icon="question",
            text=visit.says("address_text"),
            action="/not-me/address",
            hidden={"code": code},
            submit=visit.says("address_submit"),
            way=visit.link("/login"),
            way_text=visit.says("address_it_was"),
        )

    @section.form("/not-me/address", anyone=True)
    def address_posted(visit: Visit, form: Form) -> Response:
        try:
            login.repudiate_address(form.text("code"))
        except LinkGone:
            return show_link_gone(visit, way="/login/lost", way_text="login_lost")
        visit.end_session()
        return visit.show(
            "words.html",
            title="address_done_heading",
            tone="valid",
            icon="check",
            text=visit.says("not_me_done_text"),
            steps=[visit.says(f"not_me_done_step_{step}") for step in (1, 2, 3)],
            way=visit.link("/recovery"),
            way_text=visit.says("not_me_new_password"),
        )
