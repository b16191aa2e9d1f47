"""Whoever has an account for an hour does not own its mail: the old mailbox can take it back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from identity.factors.model import FactorKind
from identity.login.errors import LinkGone, LoginRefused
from identity.login.model import Opened
from identity.people.errors import CodeInvalid
from identity.people.model import PersonState
from identity.people.reverting import Asking
from identity.people.service import SuspensionReason
from tests.identity.login.conftest import (
    EMAIL,
    ORIGIN,
    PASSWORD,
    PHONE,
    STRANGER,
    Holder,
    House,
    at_once,
)
from tests.support.authenticator import SoftwareAuthenticator

THIEF, ACCOMPLICE = "pencuri@contoh.id", "penadah@contoh.id"


def _change(house: House, siti: Holder, email: str, thief: Opened | None = None) -> str:
    """Move the account to another mailbox; the link that the one before it got."""
    house.clock.advance(timedelta(minutes=1))
    asking = Asking(thief.session.created_at, thief.session.amr) if thief else None
    house.people.change_email(siti.person_id, email, asking=asking)
    house.people.confirm_email(house.mails.of("email_change")[-1].values["code"])
    return house.mails.of("email_changed")[-1].values["code"]


def _address(house: House, siti: Holder) -> str | None:
    return house.people.get(siti.person_id).confirmed_email


def test_the_old_mailbox_takes_the_account_back_and_the_thief_keeps_nothing(house: House) -> None:
    siti = house.person(codes=True)
    thief = house.enter(siti, STRANGER)
    link = _change(house, siti, THIEF, thief)
    phone = SoftwareAuthenticator(ORIGIN)
    challenge = house.factors.begin_passkey(siti.person_id)
    house.factors.confirm_passkey(siti.person_id, challenge.id, phone.create(challenge.options_json))
    house.factors.set_password(siti.person_id, "sembilan naga terbang")
    assert house.login.is_address_revertible(link)
    house.login.repudiate_address(link)
    assert _address(house, siti) == EMAIL
    assert house.sessions.of(siti.person_id) == ()
    left = {factor.kind for factor in house.factors.of(siti.person_id)}
    assert left == {FactorKind.TOTP, FactorKind.RECOVERY_CODE}
    asked = house.factors.passkey_options(None)
    with pytest.raises(LoginRefused):
        house.login.with_passkey(asked.id, phone.get(asked.options_json), STRANGER)
    for password in (PASSWORD, "sembilan naga terbang"):
        with pytest.raises(LoginRefused):
            house.login.start(EMAIL, password, PHONE)
    # The way on is told to the old mailbox, and leads through it.
    assert [mail.to for mail in house.mails.of("not_me")] == [EMAIL]
    assert [mail.to for mail in house.mails.of("email_reverted")] == [THIEF]
    house.recoveries.start(EMAIL, PHONE)
    assert house.mails.of("recovery_code")[-1].to == EMAIL
    assert house.facts("email.reverted") == {"amr": "pwd otp mfa"}


def test_the_link_goes_to_the_old_mailbox_alone(house: House) -> None:
    siti = house.person()
    link = _change(house, siti, THIEF)
    assert {mail.to for mail in house.mails.queued if link in mail.values.values()} == {EMAIL}


def test_the_link_works_once_for_three_days_whatever_the_thief_does(house: House) -> None:
    siti = house.person()
    link = _change(house, siti, THIEF)
    house.factors.set_password(siti.person_id, "sembilan naga terbang")
    house.people.change_email(siti.person_id, ACCOMPLICE)
    house.sessions.end_all(siti.person_id, actor=siti.person_id)
    house.clock.advance(timedelta(hours=71))
    assert house.login.is_address_revertible(link)
    outcomes = at_once(4, lambda: house.login.repudiate_address(link))
    assert [outcome for outcome in outcomes if outcome is None] == [None]
    assert all(isinstance(outcome, LinkGone) for outcome in outcomes if outcome is not None)
    assert not house.login.is_address_revertible(link)
    with pytest.raises(CodeInvalid):  # what the thief had begun is void
        house.people.confirm_email(house.mails.of("email_change")[-1].values["code"])


def test_after_its_time_the_link_does_nothing(house: House) -> None:
    siti = house.person()
    link = _change(house, siti, THIEF)
    house.clock.advance(timedelta(hours=72))
    for gone in (link, "", "AAAA-BBBB-CCCC-DDDD", "x" * 10_000, "\ud800"):
        assert not house.login.is_address_revertible(gone)
        with pytest.raises(LinkGone):
            house.login.repudiate_address(gone)
    assert _address(house, siti) == THIEF


def test_of_a_chain_of_mailboxes_the_first_has_the_last_word(house: House) -> None:
    siti = house.person()
    first = _change(house, siti, THIEF)
    second = _change(house, siti, ACCOMPLICE)
    house.login.repudiate_address(second)
    assert _address(house, siti) == THIEF
    house.login.repudiate_address(first)
    assert _address(house, siti) == EMAIL
    assert not house.login.is_address_revertible(second)


def test_what_the_first_mailbox_took_back_no_later_one_gets_again(house: House) -> None:
    siti = house.person()
    first = _change(house, siti, THIEF)
    second = _change(house, siti, ACCOMPLICE)
    house.login.repudiate_address(first)
    with pytest.raises(LinkGone):
        house.login.repudiate_address(second)
    assert _address(house, siti) == EMAIL


def test_a_code_from_the_notice_opens_nothing_else(house: House) -> None:
    siti = house.person()
    link = _change(house, siti, THIEF)
    for use in (house.people.confirm_email, house.people.activate):
        with pytest.raises(CodeInvalid):
            use(link)
    with pytest.raises(LinkGone):
        house.login.repudiate(link)
    assert house.login.is_address_revertible(link)


def test_a_suspended_account_gets_its_address_back_and_stays_suspended(house: House) -> None:
    siti = house.person()
    link = _change(house, siti, THIEF)
    house.people.suspend(siti.person_id, actor="operator", reason=SuspensionReason.REPORTED)
    house.login.repudiate_address(link)
    assert _address(house, siti) == EMAIL
    assert house.people.get(siti.person_id).state is PersonState.SUSPENDED


def test_an_address_that_is_somebody_elses_by_now_stays_theirs(house: House) -> None:
    siti = house.person()
    link = _change(house, siti, THIEF)
    other = house.person(email=EMAIL)
    with pytest.raises(LinkGone):
        house.login.repudiate_address(link)
    assert (_address(house, siti), _address(house, other)) == (THIEF, EMAIL)
