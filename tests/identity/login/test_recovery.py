"""Access comes back to its owner, and to nobody who merely reads their mail."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from identity.factors.model import FactorKind
from identity.login.errors import (
    AnswerRefused,
    HalfSessionGone,
    LinkGone,
    LoginDelayed,
    LoginRefused,
    RecoveryNeedsOfficer,
)
from identity.login.model import Answer, Purpose, Recovering, Recovery, RecoveryState
from identity.people.errors import CodeInvalid, PersonStateForbids
from identity.people.model import PersonState, ProofingLevel
from tests.identity.login.conftest import (
    EMAIL,
    PASSWORD,
    PHONE,
    STRANGER,
    Holder,
    House,
    at_once,
)

NEW_PASSWORD = "sembilan naga terbang"
NIK = "3273015702560003"


def _confirmed(house: House, identifier: str = EMAIL) -> str:
    """Ask for recovery and open the mail; the half session's secret."""
    house.recoveries.start(identifier, STRANGER)
    recovering = house.recoveries.confirm(house.mails.of("recovery_code")[-1].values["code"])
    assert recovering.half.purpose is Purpose.RECOVERY
    return recovering.secret


def _waiting(house: House, siti: Holder) -> Recovery:
    waiting = house.recoveries.prove(_confirmed(house), siti.recovery_code(), STRANGER)
    assert isinstance(waiting, Recovery)
    return waiting


def _ready(house: House, siti: Holder) -> str:
    """The code that ends the waiting."""
    _waiting(house, siti)
    house.clock.advance(timedelta(hours=72))
    assert house.recoveries.remind() == 1
    return house.mails.of("recovery_ready")[-1].values["code"]


def _set_up(house: House, person_id: str, secret: str) -> None:
    """A new password, and an app where there is none."""
    import pyotp

    assert house.login.half_session(secret, Purpose.SETUP).person_id == person_id
    house.factors.set_password(person_id, NEW_PASSWORD)
    if not house.factors.is_complete(person_id):
        setup = house.factors.begin_totp(person_id)
        code = pyotp.TOTP(setup.secret_text.replace(" ", "")).at(house.clock())
        house.factors.confirm_totp(person_id, setup.id, code)
    house.login.finish_setup(secret)


# --- a lost password ------------------------------------------------------------------------------------


def test_mail_and_app_give_a_new_password_at_once(house: House) -> None:
    siti = house.person(proofing=ProofingLevel.IAL2, codes=True)
    opened = house.enter(siti)
    secret = _confirmed(house)
    assert house.recoveries.offered(secret) == (FactorKind.TOTP,)
    recovering = house.recoveries.prove(secret, siti.totp_code(), STRANGER)
    assert isinstance(recovering, Recovering)
    assert recovering.half.purpose is Purpose.SETUP
    assert house.sessions.find(opened.secret) is None
    with pytest.raises(LoginRefused):
        house.login.start(EMAIL, PASSWORD, PHONE)
    _set_up(house, siti.person_id, recovering.secret)
    half = house.login.start(EMAIL, NEW_PASSWORD, PHONE)
    house.login.second(half, siti.totp_code(), PHONE)
    assert len(house.mails.of("recovery_done")) == 1
    assert house.facts("recovery.done") == {"proof": "totp"}


def test_mail_and_passkey_do_as_well(house: House) -> None:
    siti = house.person(passkey=True)
    secret = _confirmed(house)
    assert house.recoveries.offered(secret) == (FactorKind.PASSKEY, FactorKind.TOTP)
    answer = house.passkey_answer(siti, siti.person_id)
    recovering = house.recoveries.prove(secret, answer, STRANGER)
    assert isinstance(recovering, Recovering)


def test_mail_alone_gives_nothing_back(house: House) -> None:
    siti = house.person(codes=True)
    secret = _confirmed(house)
    assert house.sessions.find(secret) is None
    for purpose in (Purpose.SETUP, Purpose.SECOND_FACTOR):
        with pytest.raises(HalfSessionGone):
            house.login.half_session(secret, purpose)
    with pytest.raises(HalfSessionGone):
        house.login.finish_setup(secret)
    with pytest.raises(AnswerRefused):
        house.recoveries.prove(secret, Answer(FactorKind.TOTP, "000000"), STRANGER)
    house.enter(siti)


def test_guessing_behind_the_mail_is_slowed_down(house: House) -> None:
    house.person()
    secret = _confirmed(house)
    with pytest.raises(LoginDelayed):  # noqa: PT012 - which of them is the throttle's to say
        for _ in range(20):
            with pytest.raises(AnswerRefused):
                house.recoveries.prove(secret, Answer(FactorKind.TOTP, "000000"), STRANGER)


# --- password and app lost ------------------------------------------------------------------------------


def test_mail_and_recovery_code_wait_and_are_announced(house: House) -> None:
    siti = house.person(codes=True)
    waiting = _waiting(house, siti)
    assert waiting.state is RecoveryState.WAITING
    assert waiting.ready_at == house.clock() + timedelta(hours=72)
    assert house.recoveries.pending(siti.person_id) == waiting
    assert len(house.mails.of("recovery_started")) == 1
    for _ in range(2):
        house.clock.advance(timedelta(hours=24))
        assert house.recoveries.remind() == 1
        assert house.recoveries.remind() == 0
    assert len(house.mails.of("recovery_started")) == 3
    assert not house.mails.of("recovery_ready")
    house.clock.advance(timedelta(hours=24))
    assert house.recoveries.remind() == 1
    assert len(house.mails.of("recovery_ready")) == 1
    assert house.recoveries.remind() == 0


def test_after_the_waiting_everything_is_set_up_anew(house: House) -> None:
    siti = house.person(codes=True)
    recovering = house.recoveries.confirm(_ready(house, siti))
    assert recovering.half.purpose is Purpose.SETUP
    assert house.factors.of(siti.person_id) == ()
    _set_up(house, siti.person_id, recovering.secret)
    house.login.start(EMAIL, NEW_PASSWORD, PHONE)
    assert house.recoveries.pending(siti.person_id) is None


def test_until_then_the_old_factors_work_and_nothing_changes(house: House) -> None:
    siti = house.person(codes=True)
    _waiting(house, siti)
    house.clock.advance(timedelta(hours=71))
    house.recoveries.remind()
    house.enter(siti)


def test_every_notice_can_stop_it(house: House) -> None:
    siti = house.person(codes=True)
    _waiting(house, siti)
    house.clock.advance(timedelta(hours=24))
    house.recoveries.remind()
    links = {mail.values["code"] for mail in house.mails.of("recovery_started")}
    assert len(links) == 1
    (link,) = links
    assert house.recoveries.is_cancellable(link)
    house.recoveries.cancel(link)
    assert house.recoveries.pending(siti.person_id) is None
    assert len(house.mails.of("recovery_cancelled")) == 1
    house.clock.advance(timedelta(hours=72))
    assert house.recoveries.remind() == 0
    assert not house.recoveries.is_cancellable(link)
    with pytest.raises(LinkGone):
        house.recoveries.cancel(link)
    house.enter(siti)


def test_whoever_is_logged_in_can_stop_it_even_when_it_is_ready(house: House) -> None:
    siti = house.person(codes=True)
    code = _ready(house, siti)
    assert house.recoveries.pending(siti.person_id) is not None
    house.recoveries.cancel_pending(siti.person_id)
    with pytest.raises(LinkGone):
        house.recoveries.confirm(code)
    with pytest.raises(LinkGone):
        house.recoveries.cancel_pending(siti.person_id)


def test_a_recovery_that_nobody_finishes_lapses(house: House) -> None:
    siti = house.person(codes=True)
    code = _ready(house, siti)
    house.clock.advance(timedelta(days=7))
    with pytest.raises(LinkGone):
        house.recoveries.confirm(code)
    assert house.recoveries.pending(siti.person_id) is None
    house.clock.advance(timedelta(days=30))
    assert house.recoveries.forget_over() == 1


def test_one_recovery_waits_at_a_time(house: House) -> None:
    siti = house.person(codes=True)
    _waiting(house, siti)
    house.clock.advance(timedelta(hours=3))
    second = house.recoveries.prove(_confirmed(house), siti.recovery_code(1), STRANGER)
    assert isinstance(second, Recovery)
    assert house.recoveries.pending(siti.person_id) == second
    house.clock.advance(timedelta(hours=72))
    assert house.recoveries.remind() == 1


# --- proofing levels ------------------------------------------------------------------------------------


def test_who_was_proofed_at_a_counter_and_lost_both_goes_to_a_counter(house: House) -> None:
    siti = house.person(proofing=ProofingLevel.IAL2, nik=NIK, totp=False, codes=True)
    secret = _confirmed(house, NIK)
    assert house.recoveries.offered(secret) == ()
    with pytest.raises(RecoveryNeedsOfficer):
        house.recoveries.prove(secret, siti.recovery_code(), STRANGER)
    assert house.factors.of(siti.person_id)[-1].left == 10


def test_who_was_proofed_while_a_recovery_ripened_goes_to_a_counter_too(house: House) -> None:
    siti = house.person(codes=True)
    code = _ready(house, siti)
    opened = house.people.open_proofed(
        officer_id="petugas",
        nik=NIK,
        name="Siti Rahmawati",
        birth_date=date(1956, 2, 17),
        email=None,
        language="id",
    )
    assert opened.activation_code is not None
    house.people.attach(siti.person_id, opened.activation_code)
    with pytest.raises(RecoveryNeedsOfficer):
        house.recoveries.confirm(code)
    assert house.factors.is_complete(siti.person_id)


def test_a_recovery_stops_an_address_change_under_way(house: House) -> None:
    siti = house.person()
    house.people.change_email(siti.person_id, "pencuri@contoh.id")
    change = house.mails.of("email_change")[-1].values["code"]
    house.recoveries.prove(_confirmed(house), siti.totp_code(), STRANGER)
    with pytest.raises(CodeInvalid):
        house.people.confirm_email(change)


def test_an_officer_gives_access_back_with_a_code(house: House) -> None:
    siti = house.person(proofing=ProofingLevel.IAL2, nik=NIK, codes=True)
    opened = house.enter(siti)
    given = house.recoveries.by_officer(officer_id="person-officer", person_id=siti.person_id)
    assert given.activation_code is not None
    assert house.sessions.find(opened.secret) is None
    assert house.factors.of(siti.person_id) == ()
    with pytest.raises(LoginRefused):
        house.login.start(EMAIL, PASSWORD, PHONE)
    person = house.people.activate(given.activation_code)
    _set_up(house, siti.person_id, house.login.begin_setup(person.id))
    assert house.people.get(siti.person_id).state is PersonState.ACTIVE
    house.login.start(EMAIL, NEW_PASSWORD, PHONE)
    assert len(house.mails.of("recovery_done")) == 1
    assert "recovery.by_officer" in house.audited()


def test_an_officer_takes_nothing_away_from_whom_they_cannot_give_it_back(house: House) -> None:
    siti = house.person()
    with pytest.raises(PersonStateForbids):
        house.recoveries.by_officer(officer_id="person-officer", person_id=siti.person_id)
    house.enter(siti)


@pytest.mark.parametrize(
    ("proofing", "may"), [(ProofingLevel.IAL0, True), (ProofingLevel.IAL1, True), (ProofingLevel.IAL2, False)]
)
def test_a_set_up_that_was_broken_off_goes_on_by_mail(
    house: House, proofing: ProofingLevel, may: bool
) -> None:
    siti = house.person(state=PersonState.REGISTERED, proofing=proofing, totp=False)
    house.recoveries.start(EMAIL, PHONE)
    code = house.mails.of("recovery_code")[-1].values["code"]
    if not may:
        with pytest.raises(RecoveryNeedsOfficer):
            house.recoveries.confirm(code)
        return
    recovering = house.recoveries.confirm(code)
    assert recovering.half.purpose is Purpose.SETUP
    _set_up(house, siti.person_id, recovering.secret)


# --- codes, and people who do not exist -----------------------------------------------------------------


@pytest.mark.parametrize(
    "identifier", [EMAIL, "nobody@contoh.id", NIK, "3273015702560004", "no identifier", "\ud800", "a" * 9999]
)
def test_asking_answers_everybody_alike(house: House, identifier: str) -> None:
    house.person(nik=NIK, email=None)
    house.person()
    answers: list[None] = []
    for _ in range(4):
        answers.append(house.recoveries.start(identifier, PHONE))  # type: ignore[func-returns-value]
    assert answers == [None] * 4
    with pytest.raises(LoginDelayed) as delayed:
        house.recoveries.start(identifier, STRANGER)
    assert delayed.value.retry_after == 300
    assert len(house.mails.queued) == (4 if identifier == EMAIL else 0)
    with house.database.read() as tx:
        (rows,) = tx.exec_driver_sql("SELECT count(*) FROM recoveries").one()
    assert rows == 4


def test_a_code_works_once_for_an_hour_and_as_people_type_it(house: House) -> None:
    house.person()
    house.recoveries.start(EMAIL, PHONE)
    code = house.mails.of("recovery_code")[-1].values["code"]
    house.recoveries.confirm(f" {code.lower().replace('-', ' ')} ")
    with pytest.raises(LinkGone):
        house.recoveries.confirm(code)
    house.recoveries.start(EMAIL, PHONE)
    house.clock.advance(timedelta(hours=1))
    late = house.mails.of("recovery_code")[-1].values["code"]
    for gone in (late, "", "AAAA-BBBB-CCCC-DDDD", "x" * 10_000, "\ud800"):
        with pytest.raises(LinkGone):
            house.recoveries.confirm(gone)


def test_of_twenty_who_send_one_code_one_goes_on(house: House) -> None:
    siti = house.person(codes=True)
    house.recoveries.start(EMAIL, PHONE)
    code = house.mails.of("recovery_code")[-1].values["code"]
    outcomes = at_once(20, lambda: house.recoveries.confirm(code))
    assert sum(isinstance(outcome, Recovering) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, LinkGone) for outcome in outcomes) == 19
    final = _ready(house, siti)
    outcomes = at_once(20, lambda: house.recoveries.confirm(final))
    assert sum(isinstance(outcome, Recovering) for outcome in outcomes) == 1


def test_of_many_who_answer_one_recovery_one_goes_on(house: House) -> None:
    siti = house.person(codes=True)
    secret = _confirmed(house)
    answers = [siti.recovery_code(number) for number in range(4)]
    outcomes = at_once(4, lambda: house.recoveries.prove(secret, answers.pop(), STRANGER))
    assert sum(isinstance(outcome, Recovery) for outcome in outcomes) == 1


def test_a_notice_is_sent_once_however_many_workers_there_are(house: House) -> None:
    siti = house.person(codes=True)
    _waiting(house, siti)
    house.clock.advance(timedelta(hours=24))
    at_once(5, house.recoveries.remind)
    assert len(house.mails.of("recovery_started")) == 2
    house.clock.advance(timedelta(hours=48))
    at_once(5, house.recoveries.remind)
    assert len(house.mails.of("recovery_ready")) == 1
    assert siti.person_id


def test_this_was_not_me_stops_a_recovery_too(house: House) -> None:
    siti = house.person(codes=True)
    house.enter(siti)
    link = house.mails.of("new_device")[-1].values["code"]
    code = _ready(house, siti)
    house.login.repudiate(link)
    with pytest.raises(LinkGone):
        house.recoveries.confirm(code)
    assert house.recoveries.pending(siti.person_id) is None
