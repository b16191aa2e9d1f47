"""Codes and refresh tokens: what happens once happens once, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from identity.errors import ScopeNotGranted, TokenRequestInvalid
from identity.login.model import Session
from identity.people.model import Person
from identity.people.service import SuspensionReason
from identity.provider.errors import GrantInvalid, GrantNotForClient, TokenGrantGone
from identity.provider.model import Portal, PortalKind
from tests.identity.provider.house import CALLBACK, ISSUER, House, at_once, claims_of

OFFLINE = "openid profile offline_access"


def test_a_code_becomes_tokens_that_say_who_logged_in_and_how(
    house: House, portal: Portal, session: Session
) -> None:
    answer = house.tokens(portal, session)
    claims = claims_of(answer["id_token"])
    assert claims["iss"] == ISSUER
    assert claims["aud"] == portal.id
    assert (claims["nonce"], claims["acr"], claims["amr"]) == ("n-1", "aal2", ["pwd", "otp", "mfa"])
    assert claims["ial"] == "ial1"
    assert claims["auth_time"] == int(session.auth_time.timestamp())
    assert session.id not in {claims["sid"], claims["sub"]}
    assert set(claims) == {
        "iss", "sub", "aud", "iat", "exp", "auth_time", "acr", "amr", "ial", "sid", "at_hash", "nonce",
    }  # fmt: skip
    access = house.access.read(answer["access_token"])
    assert access.subject == claims["sub"]
    assert access.authentication is not None
    assert access.authentication.acr == "aal2"
    assert answer["token_type"] == "Bearer"


def test_nothing_that_leaves_us_names_the_person_by_our_own_id(
    house: House, portal: Portal, session: Session, siti: Person
) -> None:
    answer = house.tokens(portal, session)
    said = [claims_of(answer["id_token"]), house.userinfo(answer["access_token"])]
    assert not any(siti.id in str(part) for part in (*said, house.access.read(answer["access_token"])))


def test_people_have_one_sub_per_sector_and_another_elsewhere(
    house: House, portal: Portal, session: Session
) -> None:
    same = house.portal(name="Pajak Bandung").portal
    other = house.portal(
        name="Pajak Jakarta", redirect_uris=("https://pajak.jakarta.example/cb",), agency_id="lain"
    ).portal
    callbacks = {portal.id: CALLBACK, same.id: CALLBACK, other.id: "https://pajak.jakarta.example/cb"}
    subs, sids = [], []
    for one in (portal, same, other):
        code = house.code(one, session, redirect_uri=callbacks[one.id])
        claims = claims_of(house.redeem(one, code, redirect_uri=callbacks[one.id])["id_token"])
        subs.append(claims["sub"])
        sids.append(claims["sid"])
    assert subs[0] == subs[1] != subs[2]
    assert len(set(sids)) == 3


def test_of_twenty_redemptions_at_once_exactly_one_succeeds_and_its_tokens_are_taken_back(
    house: House, portal: Portal, session: Session
) -> None:
    code = house.code(portal, session)
    results = at_once(20, lambda: house.redeem(portal, code))
    granted = [result for result in results if not isinstance(result, Exception)]
    assert len(granted) == 1
    assert sum(isinstance(result, GrantInvalid) for result in results) == 19
    with pytest.raises(TokenGrantGone):
        house.userinfo(granted[0]["access_token"])


def test_a_code_that_comes_back_takes_back_what_it_gave(
    house: House, portal: Portal, session: Session
) -> None:
    code = house.code(portal, session)
    answer = house.redeem(portal, code)
    house.clock.advance(timedelta(hours=1))
    with pytest.raises(GrantInvalid):
        house.redeem(portal, code)
    with pytest.raises(GrantInvalid):
        house.refresh(portal, answer["refresh_token"])
    assert house.audited()[-1] == "portal.grant_reused"


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "x" * 43},
        {"code_verifier": ""},
        {"code_verifier": "é" * 43},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": ""},
        {"code": "guessed"},
    ],
    ids=str,
)
def test_whoever_cannot_prove_a_code_theirs_gets_nothing_and_breaks_nothing(
    changes: dict[str, str], house: House, portal: Portal, session: Session
) -> None:
    code = house.code(portal, session)
    with pytest.raises(GrantInvalid):
        house.redeem(portal, **{"code": code} | changes)
    house.redeem(portal, code)


def test_a_missing_code_is_an_invalid_request(house: House, portal: Portal) -> None:
    with pytest.raises(TokenRequestInvalid):
        house.redeem(portal, "")


def test_a_code_of_another_portal_is_none(house: House, portal: Portal, session: Session) -> None:
    code = house.code(portal, session)
    other = house.portal(name="Lain").portal
    with pytest.raises(GrantInvalid):
        house.redeem(other, code)
    house.redeem(portal, code)


def test_a_code_expires(house: House, portal: Portal, session: Session) -> None:
    code = house.code(portal, session)
    house.clock.advance(house.policy.code_life)
    with pytest.raises(GrantInvalid):
        house.redeem(portal, code)


def test_an_agencys_system_has_no_codes(house: House, portal: Portal, session: Session) -> None:
    code = house.code(portal, session)
    house.portals.disable(portal.id, actor="test")
    with pytest.raises(GrantNotForClient):
        house.redeem(portal, code)


# --- refreshing ------------------------------------------------------------------------------------------


def test_a_refresh_rotates(house: House, portal: Portal, session: Session) -> None:
    first = house.tokens(portal, session)
    second = house.refresh(portal, first["refresh_token"])
    third = house.refresh(portal, second["refresh_token"])
    assert len({first["refresh_token"], second["refresh_token"], third["refresh_token"]}) == 3
    assert claims_of(third["id_token"])["sub"] == claims_of(first["id_token"])["sub"]
    assert "nonce" not in claims_of(third["id_token"])


def test_of_twenty_refreshes_at_once_all_get_the_one_successor(
    house: House, portal: Portal, session: Session
) -> None:
    first = house.tokens(portal, session)
    results = at_once(20, lambda: house.refresh(portal, first["refresh_token"]))
    assert not [result for result in results if isinstance(result, Exception)]
    successors = {result["refresh_token"] for result in results if not isinstance(result, Exception)}
    assert len(successors) == 1
    house.refresh(portal, successors.pop())


def test_a_lost_answer_is_repeated_within_the_grace_and_a_theft_after_it(
    house: House, portal: Portal, session: Session
) -> None:
    first = house.tokens(portal, session)["refresh_token"]
    successor = house.refresh(portal, first)["refresh_token"]
    house.clock.advance(house.policy.refresh_grace)
    assert house.refresh(portal, first)["refresh_token"] == successor
    house.clock.advance(timedelta(microseconds=1))
    with pytest.raises(GrantInvalid):
        house.refresh(portal, first)
    with pytest.raises(GrantInvalid):
        house.refresh(portal, successor)
    assert house.audited()[-1] == "portal.grant_reused"


def test_an_old_token_ends_the_family_even_within_the_grace_once_its_successor_was_used(
    house: House, portal: Portal, session: Session
) -> None:
    first = house.tokens(portal, session)
    second = house.refresh(portal, first["refresh_token"])
    third = house.refresh(portal, second["refresh_token"])
    with pytest.raises(GrantInvalid):
        house.refresh(portal, first["refresh_token"])
    for answer in (first, second, third):
        with pytest.raises(TokenGrantGone):
            house.userinfo(answer["access_token"])


def test_the_successor_is_not_readable_in_the_register(
    house: House, portal: Portal, session: Session
) -> None:
    from sqlalchemy import select

    from identity.provider.tables import refresh_tokens

    first = house.tokens(portal, session)["refresh_token"]
    successor = house.refresh(portal, first)["refresh_token"]
    with house.database.read() as tx:
        rows = str([tuple(row) for row in tx.execute(select(refresh_tokens))])
    assert first not in rows
    assert successor not in rows


def test_a_refresh_may_ask_for_less_and_never_for_more(
    house: House, portal: Portal, session: Session
) -> None:
    first = house.tokens(portal, session)
    less = house.refresh(portal, first["refresh_token"], scope="openid")
    assert set(house.userinfo(less["access_token"])) == {"sub", "ial"}
    with pytest.raises(ScopeNotGranted):
        house.refresh(portal, less["refresh_token"], scope="openid nik")
    # A refusal rotates nothing, and less once is not less for ever (RFC 6749, 6).
    again = house.refresh(portal, less["refresh_token"])
    assert "name" in house.userinfo(again["access_token"])


def test_a_refresh_token_of_another_portal_is_none(house: House, portal: Portal, session: Session) -> None:
    token = house.tokens(portal, session)["refresh_token"]
    other = house.portal(name="Lain").portal
    with pytest.raises(GrantInvalid):
        house.refresh(other, token)
    house.refresh(portal, token)


def test_without_offline_access_the_family_ends_with_the_login(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    online = house.tokens(portal, session)
    offline = house.tokens(portal, session, scope=OFFLINE)
    house.sessions.end(siti.id, session.id, actor=siti.id)
    with pytest.raises(GrantInvalid):
        house.refresh(portal, online["refresh_token"])
    with pytest.raises(TokenGrantGone):
        house.userinfo(online["access_token"])
    assert house.userinfo(offline["access_token"])["name"] == "Siti Rahmawati"
    house.refresh(portal, offline["refresh_token"])


def test_a_family_ends_when_unused_and_at_its_last_day(
    house: House, portal: Portal, session: Session
) -> None:
    token = house.tokens(portal, session, scope=OFFLINE)["refresh_token"]
    days = 0
    while days + 29 < house.policy.offline_life.days:
        house.clock.advance(timedelta(days=29))
        days += 29
        token = house.refresh(portal, token)["refresh_token"]
    house.clock.advance(house.policy.offline_life - timedelta(days=days))
    with pytest.raises(GrantInvalid):
        house.refresh(portal, token)


def test_a_refresh_token_that_rests_too_long_is_dead(house: House, portal: Portal, session: Session) -> None:
    token = house.tokens(portal, session, scope=OFFLINE)["refresh_token"]
    house.clock.advance(house.policy.refresh_idle)
    with pytest.raises(GrantInvalid):
        house.refresh(portal, token)


def test_a_suspended_persons_tokens_are_dead(
    house: House, portal: Portal, siti: Person, session: Session
) -> None:
    answer = house.tokens(portal, session, scope=OFFLINE)
    house.people.suspend(siti.id, reason=SuspensionReason.REPORTED, actor="help-desk")
    with pytest.raises(GrantInvalid):
        house.refresh(portal, answer["refresh_token"])
    with pytest.raises(TokenGrantGone):
        house.userinfo(answer["access_token"])


# --- keys ------------------------------------------------------------------------------------------------


def test_a_request_that_named_a_proof_key_is_redeemed_by_that_key_alone(
    house: House, portal: Portal, session: Session
) -> None:
    key, other = "k" * 43, "o" * 43
    code = house.code(portal, session, dpop_jkt=key)
    form = {"code": code, "redirect_uri": CALLBACK, "code_verifier": house.verifier}
    for wrong in (None, other):
        with pytest.raises(GrantInvalid):
            house.grants.redeem(house.token_request(portal, form, wrong))
    answer = house.grants.redeem(house.token_request(portal, form, key))
    assert answer["token_type"] == "DPoP"
    confirmation = house.access.read(answer["access_token"]).confirmation
    assert confirmation is not None
    assert confirmation.jkt == key


def test_an_app_that_keeps_no_secret_binds_its_refresh_tokens_to_the_key_it_brings(
    house: House, session: Session
) -> None:
    app = house.portal(kind=PortalKind.NATIVE, redirect_uris=("id.contoh.app:/cb",)).portal
    code = house.code(app, session, redirect_uri="id.contoh.app:/cb")
    form = {"code": code, "redirect_uri": "id.contoh.app:/cb", "code_verifier": house.verifier}
    answer = house.grants.redeem(house.token_request(app, form, "k" * 43))
    with pytest.raises(GrantInvalid):
        house.refresh(app, answer["refresh_token"])
    house.grants.refresh(house.token_request(app, {"refresh_token": answer["refresh_token"]}, "k" * 43))
