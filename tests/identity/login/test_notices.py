"""New devices are announced, known ones are not, and "this wasn't me" takes back what a thief has."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from identity.factors.model import FactorKind
from identity.login.errors import (
    LinkGone,
    LoginRefused,
)
from identity.people.errors import CodeInvalid
from tests.identity.login.conftest import (
    EMAIL,
    ORIGIN,
    PASSWORD,
    PHONE,
    STRANGER,
    House,
)
from tests.support.authenticator import SoftwareAuthenticator


def test_a_new_device_is_announced_and_a_known_one_is_not(house: House) -> None:
    siti = house.person()
    first = house.enter(siti)
    assert first.device_secret is not None
    assert len(house.mails.of("new_device")) == 1
    notice = house.mails.of("new_device")[0]
    assert notice.to == EMAIL
    assert notice.values["device"] == "Chrome di Android"
    again = house.enter(siti, replace(PHONE, known=first.device_secret))
    assert again.device_secret is None
    assert len(house.mails.of("new_device")) == 1
    house.enter(siti, STRANGER)
    assert len(house.mails.of("new_device")) == 2


def test_a_secret_that_came_along_is_never_adopted(house: House) -> None:
    siti = house.person()
    planted = "p" * 43
    opened = house.enter(siti, replace(PHONE, known=planted))
    assert opened.device_secret not in (None, planted)
    assert len(house.mails.of("new_device")) == 1


def test_a_familys_phone_is_known_to_all_of_them(house: House) -> None:
    siti, budi = house.person(), house.person(email="budi@contoh.id", totp=False, passkey=True)
    hers = house.enter(siti).device_secret
    answer = house.passkey_answer(budi)
    his = house.login.with_passkey(
        answer.challenge_id, answer.value, replace(PHONE, known=hers)
    ).device_secret
    assert his not in (None, hers)
    assert house.enter(siti, replace(PHONE, known=his)).device_secret is None
    assert house.enter(siti, replace(PHONE, known=hers)).device_secret is not None


def test_a_device_is_forgotten_when_it_was_not_used_for_long(house: House) -> None:
    siti = house.person()
    known = house.enter(siti).device_secret
    house.clock.advance(timedelta(days=181))
    assert house.enter(siti, replace(PHONE, known=known)).device_secret is not None
    house.login.forget_over()


def test_this_was_not_me_ends_everything_and_the_password_too(house: House) -> None:
    siti = house.person()
    known = replace(PHONE, known=house.enter(siti).device_secret)
    thief = house.enter(siti, STRANGER)
    link = house.mails.of("new_device")[-1].values["code"]
    assert house.login.is_repudiable(link)
    house.login.repudiate(link)
    assert house.sessions.of(siti.person_id) == ()
    assert house.sessions.find(thief.secret) is None
    with pytest.raises(LoginRefused):
        house.login.start(EMAIL, PASSWORD, known)
    assert [mail.template for mail in house.mails.queued][-1] == "not_me"
    assert not house.login.is_repudiable(link)
    with pytest.raises(LinkGone):
        house.login.repudiate(link)


def test_this_was_not_me_takes_the_passkey_that_was_used(house: House) -> None:
    siti = house.person(passkey=True)
    answer = house.passkey_answer(siti)
    house.login.with_passkey(answer.challenge_id, answer.value, STRANGER)
    house.login.repudiate(house.mails.of("new_device")[-1].values["code"])
    assert {factor.kind for factor in house.factors.of(siti.person_id)} == {
        FactorKind.PASSWORD,
        FactorKind.TOTP,
    }


def test_this_was_not_me_takes_what_was_set_up_since(house: House) -> None:
    siti = house.person(codes=True)
    thief = house.enter(siti, STRANGER)
    house.clock.advance(timedelta(minutes=1))
    phone = SoftwareAuthenticator(ORIGIN)
    challenge = house.factors.begin_passkey(siti.person_id)
    house.factors.confirm_passkey(siti.person_id, challenge.id, phone.create(challenge.options_json))
    house.login.repudiate(house.mails.of("new_device")[-1].values["code"])
    assert house.sessions.find(thief.secret) is None
    asked = house.factors.passkey_options(None)
    with pytest.raises(LoginRefused):
        house.login.with_passkey(asked.id, phone.get(asked.options_json), STRANGER)
    left = {factor.kind for factor in house.factors.of(siti.person_id)}
    assert left == {FactorKind.TOTP, FactorKind.RECOVERY_CODE}


def test_this_was_not_me_stops_an_address_change_under_way(house: House) -> None:
    siti = house.person()
    house.enter(siti, STRANGER)
    house.people.change_email(siti.person_id, "pencuri@contoh.id")
    code = house.mails.of("email_change")[-1].values["code"]
    house.login.repudiate(house.mails.of("new_device")[-1].values["code"])
    with pytest.raises(CodeInvalid):
        house.people.confirm_email(code)
    assert house.people.get(siti.person_id).email == EMAIL


def test_links_of_nobody_and_old_links_do_nothing(house: House) -> None:
    siti = house.person()
    house.enter(siti)
    link = house.mails.of("new_device")[-1].values["code"]
    house.clock.advance(timedelta(days=14))
    for gone in (link, "x" * 43, "", "\ud800"):
        assert not house.login.is_repudiable(gone)
        with pytest.raises(LinkGone):
            house.login.repudiate(gone)
