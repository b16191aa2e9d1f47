"""The link in the mail to a mailbox that was replaced, as a browser without scripts walks it."""

from __future__ import annotations

from identity.people.reverting import Asking
from tests.identity.login.conftest import EMAIL, House
from tests.identity.web.conftest import Browser
from tests.identity.web.walks import SESSION, log_in


def test_the_old_mailbox_takes_the_address_back_by_the_button_only_and_once(
    house: House, visitor: Browser
) -> None:
    holder = house.person()
    log_in(visitor, holder.totp_code().value)
    session = house.sessions.find(visitor.cookies[SESSION])
    assert session is not None
    asking = Asking(session.created_at, session.amr)
    house.people.change_email(holder.person_id, "pencuri@contoh.id", asking=asking)
    house.people.confirm_email(house.mails.of("email_change")[-1].values["code"])
    code = house.mails.of("email_changed")[-1].values["code"]
    owner = Browser(visitor.application)
    page = f"/not-me/address?code={code}"
    assert owner.get(page).status_code == 200
    assert house.people.get(holder.person_id).confirmed_email == "pencuri@contoh.id"
    done = owner.send("/not-me/address", code=code)
    assert done.status_code == 200
    assert 'href="/recovery"' in done.text
    assert house.people.get(holder.person_id).confirmed_email == EMAIL
    assert house.sessions.find(visitor.cookies[SESSION]) is None
    assert owner.get(page).status_code == 410
    assert owner.get("/not-me/address").status_code == 410
