"""The way in: two factors or none, one answer for everybody else, and nothing that works twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from identity.factors.model import FactorKind
from identity.login.errors import (
    AccountSuspended,
    AnswerRefused,
    HalfSessionGone,
    LoginRefused,
    SessionGone,
    SetupIncomplete,
)
from identity.login.model import Acr, Answer, Opened, Purpose
from identity.people.model import PersonState
from identity.people.service import SuspensionReason
from tests.identity.login.conftest import (
    EMAIL,
    PASSWORD,
    PHONE,
    STRANGER,
    House,
    at_once,
)


def test_a_password_and_an_app_open_a_session_that_says_so(house: House) -> None:
    siti = house.person()
    opened = house.enter(siti)
    session = house.sessions.find(opened.secret)
    assert session == opened.session
    assert session.person_id == siti.person_id
    assert session.acr is Acr.AAL2
    assert set(session.amr) == {"pwd", "otp", "mfa"}
    assert session.device.in_words("id") == "Chrome di Android"
    assert session.place.in_words("id") == "Jaringan 103.10.66.*"
    assert house.facts("session.opened")["session"] == session.id


def test_a_passkey_alone_is_two_factors_and_resists_phishing(house: House) -> None:
    siti = house.person(passkey=True)
    answer = house.passkey_answer(siti)
    session = house.login.with_passkey(answer.challenge_id, answer.value, PHONE).session
    assert session.acr is Acr.PHR
    assert set(session.amr) == {"pop", "user", "mfa"}


def test_a_passkey_answers_after_a_password_too(house: House) -> None:
    siti = house.person(passkey=True)
    half = house.login.start(EMAIL, PASSWORD, PHONE)
    assert house.login.offered(half) == (FactorKind.PASSKEY, FactorKind.TOTP)
    session = house.login.second(half, house.passkey_answer(siti, siti.person_id), PHONE).session
    assert session.acr is Acr.PHR
    assert set(session.amr) == {"pwd", "pop", "user", "mfa"}


def test_a_nik_logs_in_like_an_address(house: House) -> None:
    siti = house.person(nik="3273015702560003")
    half = house.login.start(" 3273015702560003 ", PASSWORD, PHONE)
    house.login.second(half, siti.totp_code(), PHONE)


def test_a_half_session_opens_nothing(house: House) -> None:
    house.person()
    half = house.login.start(EMAIL, PASSWORD, PHONE)
    assert house.sessions.find(half) is None
    with pytest.raises(SessionGone):
        house.login.step_up(half, Answer(FactorKind.TOTP, "000000"), PHONE)


def test_a_half_session_ends_with_its_time_and_with_its_use(house: House) -> None:
    siti = house.person()
    half = house.login.start(EMAIL, PASSWORD, PHONE)
    house.login.second(half, siti.totp_code(), PHONE)
    with pytest.raises(HalfSessionGone):
        house.login.second(half, siti.totp_code(), PHONE)
    late = house.login.start(EMAIL, PASSWORD, PHONE)
    house.clock.advance(timedelta(minutes=10))
    with pytest.raises(HalfSessionGone):
        house.login.second(late, siti.totp_code(), PHONE)
    for nonsense in (None, "", "x" * 43, "x" * 10_000):
        with pytest.raises(HalfSessionGone):
            house.login.second(nonsense, siti.totp_code(), PHONE)


def test_only_the_right_second_answer_counts_and_only_once(house: House) -> None:
    siti = house.person()
    half = house.login.start(EMAIL, PASSWORD, PHONE)
    for wrong in (
        Answer(FactorKind.TOTP, "000000"),
        Answer(FactorKind.RECOVERY_CODE, "AAAA-BBBB-CCCC-DDDD"),
        Answer(FactorKind.PASSKEY, "{}", "challenge-1"),
        Answer(FactorKind.PASSWORD, PASSWORD),
    ):
        with pytest.raises(AnswerRefused):
            house.login.second(half, wrong, PHONE)
    answer = siti.totp_code()
    house.login.second(half, answer, PHONE)
    again = house.login.start(EMAIL, PASSWORD, PHONE)
    with pytest.raises(AnswerRefused):
        house.login.second(again, answer, PHONE)


def test_twenty_posts_of_one_code_open_one_session(house: House) -> None:
    siti = house.person()
    half = house.login.start(EMAIL, PASSWORD, PHONE)
    known = replace(PHONE, known=house.enter(siti).device_secret)
    half = house.login.start(EMAIL, PASSWORD, known)
    answer = siti.totp_code()
    outcomes = at_once(20, lambda: house.login.second(half, answer, known))
    assert sum(isinstance(outcome, Opened) for outcome in outcomes) == 1
    assert len(house.sessions.of(siti.person_id)) == 2


def test_a_half_session_becomes_one_session_whatever_answers_it_at_once(house: House) -> None:
    siti = house.person(codes=True)
    half = house.login.start(EMAIL, PASSWORD, PHONE)
    answers = [siti.recovery_code(number) for number in range(4)]
    outcomes = at_once(4, lambda: house.login.second(half, answers.pop(), PHONE))
    assert sum(isinstance(outcome, Opened) for outcome in outcomes) == 1


def test_a_recovery_code_stands_in_for_the_app_but_not_for_the_password(house: House) -> None:
    siti = house.person(codes=True)
    with pytest.raises(LoginRefused):
        house.login.start(EMAIL, siti.codes[0], PHONE)
    half = house.login.start(EMAIL, PASSWORD, PHONE)
    session = house.login.second(half, siti.recovery_code(), PHONE).session
    assert set(session.amr) == {"pwd", "otp", "mfa"}


@pytest.mark.parametrize("state", [PersonState.REGISTERED, PersonState.INVITED])
def test_accounts_that_are_not_complete_answer_like_unknown_ones(house: House, state: PersonState) -> None:
    house.person(state=state)
    for identifier, password in ((EMAIL, PASSWORD), ("nobody@contoh.id", PASSWORD), ("x", "y"), ("", "")):
        with pytest.raises(LoginRefused) as refused:
            house.login.start(identifier, password, PHONE)
        assert str(refused.value) == str(LoginRefused())


def test_suspension_is_told_to_the_proven_holder_only(house: House) -> None:
    siti = house.person(passkey=True)
    opened = house.enter(siti)
    half = house.login.start(EMAIL, PASSWORD, PHONE)
    house.people.suspend(siti.person_id, actor="operator", reason=SuspensionReason.REPORTED)
    assert house.sessions.find(opened.secret) is None
    with pytest.raises(HalfSessionGone):
        house.login.second(half, siti.totp_code(), PHONE)
    with pytest.raises(LoginRefused):
        house.login.start(EMAIL, "another password", PHONE)
    half = house.login.start(EMAIL, PASSWORD, PHONE)
    with pytest.raises(AnswerRefused):
        house.login.second(half, Answer(FactorKind.TOTP, "000000"), PHONE)
    with pytest.raises(AccountSuspended):
        house.login.second(half, siti.totp_code(), PHONE)
    answer = house.passkey_answer(siti)
    with pytest.raises(AccountSuspended):
        house.login.with_passkey(answer.challenge_id, answer.value, PHONE)


def test_hostile_identifiers_and_passwords_are_only_refused(house: House) -> None:
    for hostile in ("\ud800", "a" * 100_000, "\0", "' OR 1=1 --", "３２７３０１", "ä" * 300 + "@x.id"):
        with pytest.raises(LoginRefused):
            house.login.start(hostile, "password long enough", PHONE)
        with pytest.raises(LoginRefused):
            house.login.start(EMAIL, hostile, STRANGER)


def test_a_login_over_a_session_goes_on_with_it_under_a_new_secret(house: House) -> None:
    siti = house.person(passkey=True)
    before = house.enter(siti)
    house.clock.advance(timedelta(minutes=30))
    answer = house.passkey_answer(siti)
    after = house.login.with_passkey(
        answer.challenge_id, answer.value, replace(STRANGER, session=before.secret)
    )
    assert house.sessions.find(before.secret) is None
    assert after.session.id == before.session.id
    assert house.sessions.find(after.secret) == after.session
    assert after.session.auth_time == house.clock()
    assert set(after.session.amr) == {"pop", "user", "mfa"}
    assert after.session.expires_at > before.session.expires_at
    assert house.sessions.of(siti.person_id) == (after.session,)
    assert house.ended == []


def test_a_login_ends_the_session_of_whoever_was_there_before(house: House) -> None:
    siti, budi = house.person(), house.person(email="budi@contoh.id", passkey=True)
    hers = house.enter(siti)
    answer = house.passkey_answer(budi)
    his = house.login.with_passkey(answer.challenge_id, answer.value, replace(PHONE, session=hers.secret))
    assert house.sessions.find(hers.secret) is None
    assert house.ended == [hers.session.id]
    assert his.session.id != hers.session.id


def test_a_session_that_is_over_or_invented_is_not_gone_on_with(house: House) -> None:
    siti = house.person(passkey=True)
    over = house.enter(siti)
    house.clock.advance(timedelta(hours=1))
    for secret in (over.secret, "x" * 43, "", "\ud800"):
        answer = house.passkey_answer(siti)
        opened = house.login.with_passkey(answer.challenge_id, answer.value, replace(PHONE, session=secret))
        assert opened.session.id != over.session.id
        assert opened.secret != secret


# --- leaving, and the first set-up ----------------------------------------------------------------------


def test_logout_ends_this_session_and_no_other(house: House) -> None:
    siti = house.person()
    here, there = house.enter(siti), house.enter(siti, STRANGER)
    house.login.logout(here.secret)
    assert house.sessions.find(here.secret) is None
    assert house.sessions.find(there.secret) is not None
    assert house.ended == [here.session.id]
    for gone in (here.secret, None, "", "x" * 43):
        house.login.logout(gone)


def test_a_new_password_ends_sessions_logins_under_way_and_trust_in_devices(house: House) -> None:
    siti = house.person()
    opened = house.enter(siti)
    half = house.login.start(EMAIL, PASSWORD, PHONE)
    house.factors.set_password(siti.person_id, "sembilan naga terbang")
    assert house.sessions.find(opened.secret) is None
    with pytest.raises(HalfSessionGone):
        house.login.second(half, siti.totp_code(), PHONE)
    known = replace(PHONE, known=opened.device_secret)
    assert house.enter(siti, known, password="sembilan naga terbang").device_secret is not None


def test_a_first_set_up_ends_with_factors_and_without_a_session(house: House) -> None:
    siti = house.person(state=PersonState.REGISTERED, password=False, totp=False)
    secret = house.login.begin_setup(siti.person_id)
    assert house.login.half_session(secret, Purpose.SETUP).person_id == siti.person_id
    with pytest.raises(HalfSessionGone):
        house.login.second(secret, Answer(FactorKind.TOTP, "000000"), PHONE)
    with pytest.raises(SetupIncomplete):
        house.login.finish_setup(secret)
    house.factors.set_password(siti.person_id, PASSWORD)
    with pytest.raises(SetupIncomplete):
        house.login.finish_setup(secret)
    setup = house.factors.begin_totp(siti.person_id)
    import pyotp

    siti.totp = pyotp.TOTP(setup.secret_text.replace(" ", ""))
    confirming = Answer(FactorKind.TOTP, siti.totp.at(house.clock()))
    house.factors.confirm_totp(siti.person_id, setup.id, confirming.value)
    assert house.login.finish_setup(secret).state is PersonState.ACTIVE
    with pytest.raises(HalfSessionGone):
        house.login.finish_setup(secret)
    half = house.login.start(EMAIL, PASSWORD, PHONE)
    with pytest.raises(AnswerRefused):
        house.login.second(half, confirming, PHONE)
    house.login.second(half, siti.totp_code(), PHONE)


def test_what_logging_in_leaves_in_the_database_tells_nobody_where_somebody_was(house: House) -> None:
    siti = house.person()
    opened = house.enter(siti)
    with house.database.read() as tx:
        for table in ("sessions", "half_sessions", "known_devices", "repudiations", "login_delays"):
            rows = repr(tx.exec_driver_sql(f"SELECT * FROM {table}").all())
            for secret in (opened.secret, opened.device_secret, "103.10.66", "Android", EMAIL):
                assert str(secret) not in rows
