"""Logging out: who may ask for it, where it leads, and that portals hear of it whatever happens."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.upkeep import tell_portals_forever
from identity import tokens as jws
from identity.login.model import Session
from identity.people.model import Person
from identity.provider.backchannel import BackChannel
from identity.provider.claims import LOGOUT_EVENT
from identity.provider.errors import LogoutNotTrusted
from identity.provider.model import Portal, ProviderPolicy
from identity.provider.requests import Parameters
from identity.provider.tables import portals
from tests.identity.conftest import TokenKeys
from tests.identity.provider.house import BACKCHANNEL, ISSUER, LEFT, House, at_once, claims_of
from tests.journeys.portals import PortalServer


def asked(**parameters: str) -> Parameters:
    return Parameters.of(parameters.items())


def leave(house: House, person: Person, session: Session) -> None:
    house.sessions.end(person.id, session.id, actor=person.id)


# --- a portal asks ---------------------------------------------------------------------------------------


def test_the_portal_that_shows_this_very_login_needs_no_question(
    house: House, portal: Portal, session: Session
) -> None:
    token = house.tokens(portal, session)["id_token"]
    house.clock.advance(timedelta(hours=1))
    request = house.logouts.requested(
        asked(id_token_hint=token, post_logout_redirect_uri=LEFT, state="x y"), session
    )
    assert request.is_certain
    assert request.return_to == f"{LEFT}?state=x+y"


def test_another_login_of_the_same_person_is_not_this_one(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    token = house.tokens(portal, session)["id_token"]
    second = house.login(siti)
    assert not house.logouts.requested(asked(id_token_hint=token), second).is_certain
    house.tokens(portal, second)
    assert not house.logouts.requested(asked(id_token_hint=token), second).is_certain
    assert not house.logouts.requested(asked(id_token_hint=token), None).is_certain


def test_without_a_hint_somebody_has_to_be_asked(house: House, portal: Portal, session: Session) -> None:
    request = house.logouts.requested(asked(client_id=portal.id, post_logout_redirect_uri=LEFT), session)
    assert not request.is_certain
    assert request.return_to == LEFT
    assert not house.logouts.requested(asked(), session).is_certain


def test_nobody_is_sent_to_an_address_that_is_not_registered(
    house: House, portal: Portal, session: Session
) -> None:
    token = house.tokens(portal, session)["id_token"]
    other = house.portal(name="Lain", post_logout_redirect_uris=()).portal
    hint = {"id_token_hint": token}
    for wrong in (
        hint | {"post_logout_redirect_uri": LEFT + "/"},
        hint | {"post_logout_redirect_uri": LEFT + "?x=1"},
        hint | {"post_logout_redirect_uri": "https://evil.example/left"},
        hint | {"client_id": other.id},
        {"post_logout_redirect_uri": LEFT},
        {"client_id": other.id, "post_logout_redirect_uri": LEFT},
        {"client_id": "nobody", "post_logout_redirect_uri": LEFT},
        {"id_token_hint": "forged", "client_id": portal.id, "post_logout_redirect_uri": LEFT},
        {"id_token_hint": house.access.issue(client_id="c", scopes=frozenset(), token_id="t")},
    ):
        with pytest.raises(LogoutNotTrusted):
            house.logouts.requested(asked(**wrong), session)
    with pytest.raises(LogoutNotTrusted):
        house.logouts.requested(Parameters.of([("client_id", portal.id), ("client_id", other.id)]), session)


def test_a_logout_token_is_no_hint(house: House, portal: Portal, siti: Person, session: Session) -> None:
    house.tokens(portal, session)
    leave(house, siti, session)
    house.logouts.deliver()
    with pytest.raises(LogoutNotTrusted):
        house.logouts.requested(asked(id_token_hint=house.posted.sent[0][1]), None)


# --- portals are told ------------------------------------------------------------------------------------


def test_every_portal_of_the_login_is_told_by_the_name_it_knows(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    other = house.portal(name="Lain", backchannel_logout_uri="https://izin.bandung.example/other").portal
    silent = house.portal(name="Diam", backchannel_logout_uri=None).portal
    known = {one.id: claims_of(house.tokens(one, session)["id_token"]) for one in (portal, other, silent)}
    leave(house, siti, session)
    assert house.logouts.deliver() == 2
    assert {address for address, _ in house.posted.sent} == {
        BACKCHANNEL,
        "https://izin.bandung.example/other",
    }
    for _, token in house.posted.sent:
        header, claims = jws.verify(
            token, typ="logout+jwt", keys=jws.own_keys(TokenKeys()), algorithms=jws.OWN_ALGORITHMS
        )
        assert header["alg"] == "RS256"
        assert set(claims) == {"iss", "sub", "aud", "iat", "exp", "jti", "sid", "events"}
        assert claims["iss"] == ISSUER
        assert claims["events"] == {LOGOUT_EVENT: {}}
        assert claims["exp"] - claims["iat"] == 120
        expected = known[claims["aud"]]
        assert (claims["sub"], claims["sid"]) == (expected["sub"], expected["sid"])
    assert house.logouts.deliver() == 0


def test_the_other_logins_of_the_person_go_on(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    second = house.login(siti)
    ended, lasting = (house.tokens(portal, one)["refresh_token"] for one in (session, second))
    leave(house, siti, session)
    assert house.logouts.deliver() == 1
    house.refresh(portal, lasting)
    assert ended != lasting


def test_a_portal_that_is_down_is_told_when_it_is_up_and_in_the_end_given_up(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    house.tokens(portal, session)
    leave(house, siti, session)
    house.posted.takes = False
    assert house.logouts.deliver() == 0
    assert house.logouts.deliver() == 0
    assert len(house.posted.sent) == 1, "not before its pause is over"
    for seconds in (10, 60, 360):
        house.clock.advance(timedelta(seconds=seconds))
        house.logouts.deliver()
    assert len(house.posted.sent) == 4
    assert len({claims_of(token)["jti"] for _, token in house.posted.sent}) == 1
    for _ in range(40):
        house.clock.advance(timedelta(hours=2))
        house.logouts.deliver()
    assert len(house.posted.sent) < 20
    assert house.audited().count("portal.logout_undelivered") == 1
    house.posted.takes = True
    house.clock.advance(timedelta(days=1))
    assert house.logouts.deliver() == 0


def test_a_worker_that_dies_while_it_tells_leaves_the_notice_to_another(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    house.tokens(portal, session)
    leave(house, siti, session)

    def dies(address: str, token: str) -> bool:
        raise SystemExit

    working, house.logouts._send = house.logouts._send, dies
    with pytest.raises(SystemExit):
        house.logouts.deliver()
    house.logouts._send = working
    assert house.logouts.deliver() == 0, "its time has not come"
    house.clock.advance(timedelta(seconds=10))
    assert house.logouts.deliver() == 1


def test_twenty_workers_tell_a_portal_once(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    house.tokens(portal, session)
    leave(house, siti, session)
    assert sorted(at_once(20, house.logouts.deliver))[-2:] == [0, 1]  # type: ignore[type-var]
    assert len(house.posted.sent) == 1


def test_where_a_portal_is_told_is_looked_up_at_the_last_moment(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    """An address that may not be called any more, such as one left over from development, is not called."""
    house.tokens(portal, session)
    leave(house, siti, session)
    with house.database.begin() as tx:
        tx.execute(update(portals).values(backchannel_logout_uri="http://127.0.0.1:1/ended"))
    house.logouts.deliver()
    house.clock.advance(timedelta(days=1))
    house.logouts.deliver()
    assert house.posted.sent == []


def test_consent_taken_back_ends_tokens_and_is_told(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    answer = house.tokens(portal, session, scope="openid offline_access")
    (shared,) = house.sharing.of(siti.id)
    assert shared.portal.name == "Izin Bandung"
    assert shared.consent.scopes == {"openid", "offline_access"}
    assert house.sharing.withdraw(siti.id, portal.id, actor=siti.id)
    assert not house.sharing.withdraw(siti.id, portal.id, actor=siti.id)
    assert house.sharing.of(siti.id) == ()
    assert house.introspect(portal, answer["access_token"]) == {"active": False}
    assert house.introspect(portal, answer["refresh_token"]) == {"active": False}
    assert house.logouts.deliver() == 1
    assert house.audited()[-1] == "consent.withdrawn"


def test_whoever_is_forgotten_leaves_no_sub_that_leads_to_them(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    answer = house.tokens(portal, session)
    before = claims_of(answer["id_token"])["sub"]
    held = house.sharing.held(siti.id)
    assert held["shared_with_portals"][0]["portal"] == "Izin Bandung"
    assert len(held["logins_at_portals"]) == 1
    with house.database.begin() as tx:
        house.sharing.forget(tx, siti.id)
    assert house.introspect(portal, answer["access_token"]) == {"active": False}
    assert house.sharing.held(siti.id)["shared_with_portals"] == []
    assert claims_of(house.tokens(portal, session)["id_token"])["sub"] != before


# --- over the network ------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[PortalServer]:
    made = PortalServer()
    yield made
    made.close()


@pytest.mark.network
@pytest.mark.parametrize(
    ("status", "headers", "taken"),
    [
        (200, {}, True),
        (204, {}, True),
        (400, {}, False),
        (500, {}, False),
        (302, {"Location": "/elsewhere"}, False),
        (307, {"Location": "/elsewhere"}, False),
    ],
)
def test_only_a_yes_counts_and_no_redirect_is_followed(
    status: int, headers: dict[str, str], taken: bool, server: PortalServer
) -> None:
    send = BackChannel(replace(ProviderPolicy(issuer=ISSUER), logout_timeout=timedelta(seconds=2)))
    server.status, server.headers = status, headers
    assert send(f"{server.url}/ended", "token") is taken
    assert server.tokens == ["token"], "one request, whatever was answered"
    send.close()


@pytest.mark.network
def test_a_portal_that_is_not_there_or_never_answers_is_no_error() -> None:
    send = BackChannel(replace(ProviderPolicy(issuer=ISSUER), logout_timeout=timedelta(milliseconds=200)))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not send(f"http://127.0.0.1:{silent.getsockname()[1]}/", "token")
    assert not send("http://127.0.0.1:1/", "token")
    send.close()


def test_portals_hear_of_a_logout_at_once_and_again_when_they_did_not_take_it(
    house: House, portal: Portal, session: Session
) -> None:
    house.tokens(portal, session)
    house.posted.takes = False
    stopping = threading.Event()
    telling = threading.Thread(
        target=tell_portals_forever, args=(house.logouts, stopping), kwargs={"interval": 0.05}
    )
    telling.start()
    try:
        house.sessions.end_all(session.person_id, actor=session.person_id)
        assert _until(lambda: len(house.posted.sent) == 1)
        house.posted.takes = True
        house.clock.advance(timedelta(seconds=10))
        assert _until(lambda: len(house.posted.sent) == 2)
        house.clock.advance(timedelta(hours=2))
        time.sleep(0.3)
    finally:
        stopping.set()
        telling.join(10)
    assert len(house.posted.sent) == 2
    assert not telling.is_alive()


def _until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()
