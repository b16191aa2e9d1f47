"""Where the person is logged in, and how to end it."""

from __future__ import annotations

from identity.login.errors import SessionGone
from identity.web.account.parts import Account
from identity.web.shell import Form, Response, Section, Visit


def add_sessions(section: Section, account: Account) -> None:
    @section.page("/account/sessions")
    def sessions_page(visit: Visit) -> Response:
        mine = visit.session
        listed = account.sessions.of(mine.person_id)
        return visit.show(
            "sessions.html",
            title="sessions_heading",
            sessions=sorted(listed, key=lambda session: session.id != mine.id),
            current=mine.id,
        )

    @section.form("/account/sessions/others/end")
    def others_ended(visit: Visit, form: Form) -> Response:
        person_id = visit.session.person_id
        account.sessions.end_all(person_id, actor=person_id, keep=visit.session.id)
        return visit.go("/account/sessions")

    @section.form("/account/sessions/{session}/end")
    def session_ended(visit: Visit, form: Form) -> Response:
        mine, ended = visit.session, visit.parameter("session")
        try:
            account.sessions.end(mine.person_id, ended, actor=mine.person_id)
        except SessionGone:  # it ended a moment ago: the list says so
            return visit.go("/account/sessions")
        if ended == mine.id:
            visit.end_session()
            return visit.go("/logout/done")
        return visit.go("/account/sessions")
