"""A login that ends while a portal is being answered: no code comes of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from identity.login.model import Session
from identity.people.model import Person, PersonState
from identity.people.service import SuspensionReason
from identity.provider.authorizing import Answered, Waiting
from identity.provider.decisions import LogIn
from identity.provider.errors import GrantInvalid
from identity.provider.model import Portal
from tests.identity.provider.house import House
from tests.support.meanwhile import meanwhile


def _logged_out(house: House, session: Session) -> None:
    house.sessions.end(session.person_id, session.id, actor=session.person_id)


def _suspended(house: House, session: Session) -> None:
    house.people.suspend(session.person_id, actor="operator", reason=SuspensionReason.REPORTED)


ENDINGS = {"logout": _logged_out, "suspension": _suspended}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("agreed", [False, True], ids=["at once", "after the page"])
def test_a_code_that_is_made_while_the_login_ends_gives_nothing(
    house: House, portal: Portal, session: Session, agreed: bool, end: Callable[[House, Session], None]
) -> None:
    if not agreed:
        house.agree(portal, session, scope="openid")  # so that nothing is asked the next time
    codes: list[str] = []
    with meanwhile(house.database.engine, "INSERT INTO portal_grants", lambda: end(house, session)):
        codes.append(house.code(portal, session, scope="openid"))
    with pytest.raises(GrantInvalid):
        house.redeem(portal, codes[0])


def test_a_session_that_has_ended_since_it_was_found_answers_nobody(
    house: House, portal: Portal, session: Session, siti: Person
) -> None:
    asked = house.authorizing.begin(house.request(portal), session)
    assert isinstance(asked, Waiting)
    house.sessions.end_all(siti.id, actor=siti.id)
    again = house.authorizing.proceed(asked.handle, session, agreed=True)
    assert isinstance(again, Waiting)
    assert again.step == LogIn()
    at_once = house.authorizing.begin(house.request(portal, prompt="none"), session)
    assert isinstance(at_once, Answered)
    assert at_once.members["error"] == "login_required"
    assert house.people.get(siti.id).state is PersonState.ACTIVE
