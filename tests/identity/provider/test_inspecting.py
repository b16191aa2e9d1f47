"""What tokens are worth: UserInfo, introspection, revocation, and what is forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from identity.agencies.authentication import AuthenticatedClient
from identity.agencies.model import Method
from identity.login.model import Session
from identity.people.model import Person
from identity.provider import tables
from identity.provider.errors import GrantInvalid, RevocationNotSupported, TokenGrantGone, TokenScopeMissing
from identity.provider.model import Portal, PortalKind
from identity.provider.upkeep import forget_ended
from tests.identity.provider.house import House, claims_of

EVERYTHING = "openid profile email birthdate nik"


def test_userinfo_tells_what_was_agreed_to_and_nothing_else(
    house: House, portal: Portal, session: Session
) -> None:
    least = house.tokens(portal, session, scope="openid")
    everything = house.tokens(portal, session, scope=EVERYTHING)
    sub = claims_of(least["id_token"])["sub"]
    assert house.userinfo(least["access_token"]) == {"sub": sub, "ial": "ial1"}
    assert house.userinfo(everything["access_token"]) == {
        "sub": sub,
        "ial": "ial1",
        "name": "Siti Rahmawati",
        "locale": "id",
        "email": "siti@contoh.example",
        "email_verified": True,
        "birthdate": "1956-02-17",
        "nik": "9901015702560001",
    }


def test_what_is_not_known_is_left_out(house: House, portal: Portal) -> None:
    person = house.person(email="b@contoh.example", nik=None, birth_date=None)
    told = house.userinfo(house.tokens(portal, house.login(person), scope=EVERYTHING)["access_token"])
    assert {"nik", "birthdate"} & told.keys() == set()


def test_an_agencys_own_token_and_one_without_openid_get_no_userinfo(
    house: House, portal: Portal, session: Session
) -> None:
    own = house.access.issue(client_id="client-1", scopes=frozenset({"openid"}), token_id="t")
    with pytest.raises(TokenScopeMissing):
        house.userinfo(own)
    refresh = house.tokens(portal, session)["refresh_token"]
    with pytest.raises(TokenScopeMissing):
        house.userinfo(house.refresh(portal, refresh, scope="profile")["access_token"])


def test_a_token_that_names_another_portals_grant_is_not_honoured(
    house: House, portal: Portal, session: Session
) -> None:
    claims = house.access.read(house.tokens(portal, session)["access_token"])
    for forged in (replace(claims, client_id="portal-x"), replace(claims, token_id="x.y")):
        with pytest.raises(TokenGrantGone):
            house.inspecting.standing(forged)
    assert house.inspecting.standing(claims).portal_id == portal.id


def test_introspection_says_how_the_person_logged_in(house: House, portal: Portal, session: Session) -> None:
    answer = house.tokens(portal, session)
    told = house.introspect(portal, answer["access_token"])
    assert (told["active"], told["client_id"], told["acr"], told["ial"]) == (True, portal.id, "aal2", "ial1")
    assert told["auth_time"] == int(session.auth_time.timestamp())
    told = house.introspect(portal, answer["refresh_token"])
    assert (told["active"], told["client_id"], told["acr"]) == (True, portal.id, "aal2")


def test_whoever_is_not_of_the_agency_learns_nothing(house: House, portal: Portal, session: Session) -> None:
    answer = house.tokens(portal, session)
    colleague = house.portal(name="Lain").portal
    stranger = house.portal(agency_id="lain", redirect_uris=("https://lain.example/cb",)).portal
    app = house.portal(kind=PortalKind.NATIVE, redirect_uris=("id.contoh.app:/cb",)).portal
    for token in (answer["access_token"], answer["refresh_token"]):
        assert house.introspect(colleague, token)["active"] is True
        assert house.introspect(stranger, token) == {"active": False}
        nobody = AuthenticatedClient(app.id, Method.NONE)
        assert house.inspecting.introspect(nobody, token) == {"active": False}
    for nonsense in ("", "x", "é", "a.b.c", "x" * 100_000, answer["access_token"][:-2]):
        assert house.introspect(portal, nonsense) == {"active": False}


def test_a_revoked_refresh_token_takes_its_family_and_an_access_token_itself_alone(
    house: House, portal: Portal, session: Session
) -> None:
    first = house.tokens(portal, session)
    house.inspecting.revoke(portal.id, first["access_token"])
    house.inspecting.revoke(portal.id, first["access_token"])
    assert house.introspect(portal, first["access_token"]) == {"active": False}
    second = house.refresh(portal, first["refresh_token"])
    house.inspecting.revoke(portal.id, first["refresh_token"])
    with pytest.raises(GrantInvalid):
        house.refresh(portal, second["refresh_token"])
    assert house.introspect(portal, second["access_token"]) == {"active": False}


def test_nobody_revokes_anothers_tokens_and_nonsense_is_no_error(
    house: House, portal: Portal, session: Session
) -> None:
    answer = house.tokens(portal, session)
    other = house.portal(name="Lain").portal
    for token in (answer["access_token"], answer["refresh_token"], "x", "", "é", "a.b.c"):
        house.inspecting.revoke(other.id, token)
    assert house.introspect(portal, answer["access_token"])["active"] is True
    house.refresh(portal, answer["refresh_token"])
    own = house.access.issue(client_id="client-1", scopes=frozenset({"documents.read"}), token_id="t")
    with pytest.raises(RevocationNotSupported):
        house.inspecting.revoke("client-1", own)


def test_what_has_ended_is_forgotten_and_what_lives_stays(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    def counts() -> dict[str, int]:
        names = ("portal_flows", "portal_grants", "refresh_tokens", "revoked_access_tokens", "logout_notices")
        with house.database.read() as tx:
            return {
                name: tx.execute(select(func.count()).select_from(getattr(tables, name))).scalar_one()
                for name in names
            }

    def round_of_upkeep() -> None:
        forget_ended(begin=house.database.begin, clock=house.clock, policy=house.policy)

    house.code(portal, session)  # never redeemed
    ending = house.tokens(portal, session)
    house.inspecting.revoke(portal.id, ending["access_token"])
    lasting = house.tokens(portal, session, scope="openid offline_access")["refresh_token"]
    house.sessions.end(siti.id, session.id, actor=siti.id)
    house.logouts.deliver()
    round_of_upkeep()
    assert counts()["portal_grants"] == 3
    for _ in range(5):
        house.clock.advance(timedelta(days=20))
        lasting = house.refresh(portal, lasting)["refresh_token"]
        round_of_upkeep()
    assert counts() == {
        "portal_flows": 0,
        "portal_grants": 1,
        "refresh_tokens": 6,
        "revoked_access_tokens": 0,
        "logout_notices": 0,
    }
    house.refresh(portal, lasting)


def test_people_find_out_which_portal_learnt_what(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    for _ in range(2):
        house.userinfo(house.tokens(portal, session)["access_token"])
    seen = [(line.kind.value, line.actor.name, line.thing) for line in house.lookups.about(siti.id)]
    assert sorted(seen) == [
        ("claims_shared", "Izin Bandung", "email openid profile"),
        ("portal_login", "Izin Bandung", "email openid profile"),
    ]
