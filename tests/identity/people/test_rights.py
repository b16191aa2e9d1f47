"""Rights by UU 27/2022: each request has 3 x 24 hours, and erasure leaves the audit trail whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Connection, select

from app.audit import Audit, ChainHead
from app.vault import CustodyVault
from identity.people.errors import (
    CodeInvalid,
    NikTaken,
    PersonDataInvalid,
    PersonStateForbids,
    PersonUnknown,
    PrivacyRequestClosed,
    PrivacyRequestRepeated,
    PrivacyRequestUnknown,
)
from identity.people.model import Person, PersonState, ProofingLevel
from identity.people.policy import PeoplePolicy, PrivacyPolicy
from identity.people.privacy import Refusal, RequestKind, RequestState, Retained
from identity.people.registry import SAMPLE_RESIDENTS
from identity.people.rights import Rights
from identity.people.service import People, SuspensionReason
from identity.people.tables import people as people_table
from identity.people.tables import person_codes, privacy_requests
from tests.identity.people.conftest import Post, ReadableOutbox
from tests.identity.people.test_registration import BUDI, SITI, active, registered
from tests.support.clock import FrozenClock
from tests.support.databases import Begin

BIMA = SAMPLE_RESIDENTS[0]
HOUR = timedelta(hours=1)


class Elsewhere:
    """Another part that holds something about people."""

    def __init__(self) -> None:
        self.keepsakes: dict[str, str] = {}
        self.withdrawn: list[tuple[str, str]] = []
        self.holds_back = False

    def held(self, person_id: str) -> dict[str, object]:
        return {"keepsake": self.keepsakes.get(person_id)}

    def forget(self, _tx: Connection, person_id: str) -> None:
        if self.holds_back:
            raise PersonStateForbids("An operator gives up the role first.")
        self.keepsakes.pop(person_id, None)

    def withdraw(self, _tx: Connection, person_id: str, portal_id: str) -> None:
        self.withdrawn.append((person_id, portal_id))


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
def rights(
    begin: Begin,
    clock: FrozenClock,
    vault: CustodyVault,
    people: People,
    elsewhere: Elsewhere,
    ended: list[str],
) -> Rights:
    return Rights(
        begin=begin,
        read=begin,
        clock=clock,
        audit=Audit(clock=clock),
        vault=vault,
        outbox=ReadableOutbox(),
        held={"account": people.held, "elsewhere": elsewhere.held},
        forget=[elsewhere.forget],
        endings=[lambda _tx, person_id: ended.append(person_id)],
        withdraw=elsewhere.withdraw,
        people_policy=PeoplePolicy(sample_niks=True),
    )


@pytest.fixture
def bima(people: People, post: Post) -> Person:
    """Proofed at a counter, active, with a confirmed mailbox."""
    people.open_proofed(
        officer_id="officer",
        nik=BIMA.nik.reveal(),
        name=BIMA.name,
        birth_date=BIMA.birth_date,
        email=BUDI,
        language="id",
        send=True,
    )
    return people.complete(people.activate(post.code(BUDI)).id)


def test_the_export_holds_everything_that_anybody_holds(
    rights: Rights, bima: Person, elsewhere: Elsewhere
) -> None:
    elsewhere.keepsakes[bima.id] = "a lock of hair"
    rights.request_correction(bima.id, "Nama saya salah eja.")
    exported = json.loads(json.dumps(rights.export(bima.id)))
    assert exported["account"]["nik"] == BIMA.nik.reveal()
    assert exported["account"]["email"] == BUDI
    assert exported["account"]["birth_date"] == "1988-08-12"
    assert exported["elsewhere"] == {"keepsake": "a lock of hair"}
    kinds = {request["kind"]: request for request in exported["privacy_requests"]}
    assert kinds["correction"]["details"] == "Nama saya salah eja."
    assert kinds["access"]["state"] == "answered"


def test_every_request_has_three_times_24_hours(
    rights: Rights, bima: Person, clock: FrozenClock, post: Post
) -> None:
    received = clock()
    request = rights.request_correction(bima.id, "Tanggal lahir saya salah.")
    assert request.due_at == received + 72 * HOUR
    mail = post.to(BUDI)[-1]
    assert mail.template == "privacy_received"
    assert request.due_at.isoformat() in mail.values
    clock.advance(47 * HOUR)
    assert rights.due_soon() == rights.overdue() == []
    clock.advance(2 * HOUR)
    assert [late.id for late in rights.due_soon()] == [request.id]
    clock.advance(23 * HOUR)
    assert rights.overdue() == []
    clock.advance(timedelta(seconds=1))
    assert [late.id for late in rights.overdue()] == [request.id]
    assert rights.overdue()[0].is_overdue(clock())
    rights.refuse(request.id, officer_id="officer", refusal=Refusal.NOT_SHOWN_WRONG)
    assert rights.overdue() == []
    closed = rights.of(bima.id)[0]
    assert (closed.state, closed.refusal, closed.details) == (
        RequestState.REFUSED,
        Refusal.NOT_SHOWN_WRONG,
        None,
    )
    assert closed.is_overdue(clock())


def test_a_letter_counts_from_the_day_it_came_in(rights: Rights, bima: Person, clock: FrozenClock) -> None:
    came_in = clock() - 60 * HOUR
    request = rights.receive(bima.id, RequestKind.ACCESS, actor="officer", received_at=came_in)
    assert request.due_at == came_in + 72 * HOUR
    ahead = rights.receive(bima.id, RequestKind.CORRECTION, actor="officer", received_at=clock() + HOUR)
    assert ahead.due_at == clock() + 72 * HOUR
    assert [one.kind for one in rights.unfinished()] == [RequestKind.ACCESS, RequestKind.CORRECTION]
    rights.answer(request.id, officer_id="officer")
    assert [one.kind for one in rights.unfinished()] == [RequestKind.CORRECTION]


def test_the_law_cannot_be_stretched_by_a_setting() -> None:
    with pytest.raises(ValueError, match="3 x 24"):
        PrivacyPolicy(answer_within=timedelta(hours=73))
    with pytest.raises(ValueError, match="deadline"):
        PrivacyPolicy(erasure_grace=timedelta(hours=72))


def test_a_name_that_nobody_proofed_is_corrected_at_once(
    rights: Rights, people: People, post: Post, bima: Person
) -> None:
    siti = active(people, post, SITI, "Siti")
    assert rights.correct_name(siti.id, "Siti Aminah").name == people.get(siti.id).name == "Siti Aminah"
    assert rights.of(siti.id)[0].state is RequestState.ANSWERED
    with pytest.raises(PersonStateForbids):
        rights.correct_name(bima.id, "Bimo")


def test_an_officer_corrects_what_was_proofed(
    rights: Rights, people: People, bima: Person, post: Post
) -> None:
    request = rights.request_correction(bima.id, "Nama: Bima Arkatama Nugraha")
    assert rights.unfinished()[0].details == "Nama: Bima Arkatama Nugraha"
    corrected = rights.correct(request.id, officer_id="officer", name="Bima Arkatama Nugraha")
    assert people.get(bima.id) == corrected
    assert (corrected.name, corrected.nik, corrected.proofing) == (
        "Bima Arkatama Nugraha",
        bima.nik,
        ProofingLevel.IAL2,
    )
    assert post.to(BUDI)[-1].template == "privacy_answered"
    with pytest.raises(PrivacyRequestClosed):
        rights.correct(request.id, officer_id="officer", name="Bimo")
    assert people.get(bima.id).name == "Bima Arkatama Nugraha"


def test_a_corrected_number_is_found_and_the_old_one_is_not(
    rights: Rights, people: People, bima: Person
) -> None:
    request = rights.request_correction(bima.id, "NIK")
    with pytest.raises(PersonDataInvalid):
        rights.correct(request.id, officer_id="o", nik="9971031308880005")
    rights.correct(request.id, officer_id="o", nik="9971031308880005", birth_date=date(1988, 8, 13))
    found = people.find("9971031308880005")
    assert found is not None
    assert found.id == bima.id
    assert people.find(BIMA.nik.reveal()) is None


def test_a_correction_takes_no_number_from_anybody(
    rights: Rights, people: People, post: Post, bima: Person
) -> None:
    siti = active(people, post, SITI, "Siti")
    request = rights.request_correction(siti.id, "NIK saya")
    with pytest.raises(NikTaken):
        rights.correct(request.id, officer_id="o", nik=BIMA.nik.reveal())
    assert people.find(BIMA.nik.reveal()) == bima
    assert rights.unfinished()[0].id == request.id


def test_a_withdrawn_consent_is_carried_out_and_remembered(
    rights: Rights, bima: Person, elsewhere: Elsewhere
) -> None:
    request = rights.withdraw_consent(bima.id, "portal-1")
    assert elsewhere.withdrawn == [(bima.id, "portal-1")]
    assert rights.of(bima.id) == [request]
    assert (request.kind, request.state, request.target) == (
        RequestKind.WITHDRAWAL,
        RequestState.ANSWERED,
        "portal-1",
    )


def test_an_erasure_waits_can_be_taken_back_and_asked_for_again(
    rights: Rights, people: People, bima: Person, clock: FrozenClock
) -> None:
    request = rights.request_erasure(bima.id)
    with pytest.raises(PrivacyRequestRepeated):
        rights.request_erasure(bima.id)
    clock.advance(23 * HOUR)
    assert rights.erase_due() == 0
    rights.take_back(bima.id, request.id)
    with pytest.raises(PrivacyRequestClosed):
        rights.take_back(bima.id, request.id)
    clock.advance(48 * HOUR)
    assert rights.erase_due() == 0
    assert people.get(bima.id) == bima
    assert rights.request_erasure(bima.id).state is RequestState.WAITING


def test_nobody_takes_back_the_request_of_somebody_else(rights: Rights, bima: Person) -> None:
    request = rights.request_erasure(bima.id)
    for other in ("person-0", ""):
        with pytest.raises(PrivacyRequestUnknown):
            rights.take_back(other, request.id)
    with pytest.raises(PrivacyRequestUnknown):
        rights.take_back(bima.id, "privacy-0")


def test_erasure_leaves_an_id_and_a_whole_audit_trail(
    rights: Rights,
    people: People,
    bima: Person,
    clock: FrozenClock,
    post: Post,
    begin: Begin,
    elsewhere: Elsewhere,
    ended: list[str],
) -> None:
    elsewhere.keepsakes[bima.id] = "a lock of hair"
    people.change_email(bima.id, SITI)
    rights.request_correction(bima.id, "Nama saya salah.")
    rights.request_erasure(bima.id)
    before = _trail(begin, clock)
    clock.advance(24 * HOUR)
    assert rights.erase_due() == 1
    assert rights.erase_due() == 0
    # The person is gone, for everybody and everywhere.
    assert people.find(BIMA.nik.reveal()) is people.find(BUDI) is None
    with pytest.raises(PersonUnknown):
        people.get(bima.id)
    with pytest.raises(CodeInvalid):
        people.confirm_email(post.code(SITI))
    assert elsewhere.keepsakes == {}
    assert bima.id in ended
    assert people.held(bima.id) == {}
    with begin() as tx:
        row = tx.execute(select(people_table).where(people_table.c.id == bima.id)).one()
        assert row.state == "erased"
        assert row.profile is row.email_fingerprint is row.nik_fingerprint is row.email_confirmed_at is None
        assert tx.execute(select(person_codes)).all() == []
        assert set(tx.execute(select(privacy_requests.c.details)).scalars()) == {None}
        assert set(tx.execute(select(privacy_requests.c.state)).scalars()) == {"answered", "taken_back"}
        # The trail goes on where it was.
        Audit(clock=clock).verify(tx, since=before)
    assert post.to(BUDI)[-1].template == "account_erased"
    # The mailbox and the number are free again, for somebody new.
    assert registered(people, post).id != bima.id


def test_an_erased_person_has_no_rights_left_to_use(rights: Rights, bima: Person, clock: FrozenClock) -> None:
    rights.request_erasure(bima.id)
    clock.advance(24 * HOUR)
    rights.erase_due()
    for use in (
        rights.export,
        rights.request_erasure,
        lambda person_id: rights.withdraw_consent(person_id, "p"),
    ):
        with pytest.raises(PersonUnknown):
            use(bima.id)


def test_a_suspended_account_is_erased_only_after_an_officer_looked(
    rights: Rights, people: People, bima: Person, clock: FrozenClock
) -> None:
    request = rights.request_erasure(bima.id)
    people.suspend(bima.id, actor="officer", reason=SuspensionReason.FRAUD)
    clock.advance(24 * HOUR)
    assert rights.erase_due() == 0
    assert rights.unfinished()[0].state is RequestState.OPEN
    assert rights.unfinished()[0].due_at == request.due_at
    rights.answer(request.id, officer_id="officer")
    with pytest.raises(PersonUnknown):
        people.get(bima.id)


def test_whoever_may_not_go_yet_is_handed_to_an_officer(
    rights: Rights, people: People, bima: Person, clock: FrozenClock, elsewhere: Elsewhere
) -> None:
    elsewhere.holds_back = True
    request = rights.request_erasure(bima.id)
    clock.advance(24 * HOUR)
    assert rights.erase_due() == 0
    assert people.get(bima.id) == bima
    assert [one.id for one in rights.unfinished()] == [request.id]
    rights.refuse(request.id, officer_id="officer", refusal=Refusal.LEGAL_DUTY)
    assert rights.unfinished() == []


def test_details_are_bounded_and_lie_sealed(rights: Rights, bima: Person, begin: Begin) -> None:
    for details in ("x" * 2_001, "a\0b"):
        with pytest.raises(PersonDataInvalid):
            rights.request_correction(bima.id, details)
    rights.request_correction(bima.id, "Alamat rumah saya salah \ud800")
    with begin() as tx:
        sealed = tx.execute(select(privacy_requests.c.details)).scalar_one()
    assert b"Alamat" not in bytes(sealed)


def test_what_was_never_finished_is_removed_in_time(
    rights: Rights, people: People, post: Post, clock: FrozenClock, bima: Person
) -> None:
    left = registered(people, post, SITI, "Siti")
    invited = people.open_proofed(
        officer_id="o",
        nik="9971031208880007",
        name="B",
        birth_date=BIMA.birth_date,
        email=None,
        language="id",
    )
    clock.advance(timedelta(days=29))
    assert rights.retain() == Retained(unfinished_accounts=0, codes=3, proofing_attempts=0, requests=0)
    clock.advance(timedelta(days=1, seconds=1))
    assert rights.retain().unfinished_accounts == 1
    with pytest.raises(PersonUnknown):
        people.get(left.id)
    clock.advance(timedelta(days=60))
    assert rights.retain().unfinished_accounts == 1
    with pytest.raises(PersonUnknown):
        people.get(invited.person.id)
    assert people.get(bima.id).state is PersonState.ACTIVE


def test_an_account_that_was_active_is_never_taken_for_unfinished(
    rights: Rights, people: People, bima: Person, clock: FrozenClock
) -> None:
    people.invite_again(officer_id="o", person_id=bima.id)
    clock.advance(timedelta(days=400))
    assert rights.retain().unfinished_accounts == 0
    assert people.get(bima.id).state is PersonState.INVITED


def test_requests_are_kept_as_evidence_and_then_go(rights: Rights, bima: Person, clock: FrozenClock) -> None:
    rights.export(bima.id)
    rights.request_correction(bima.id, "x")
    clock.advance(timedelta(days=1826))
    assert rights.retain().requests == 0
    clock.advance(timedelta(seconds=1))
    assert rights.retain().requests == 1
    assert len(rights.of(bima.id)) == 1


def _trail(begin: Begin, clock: Callable[[], datetime]) -> ChainHead:
    with begin() as tx:
        return Audit(clock=clock).verify(tx)
