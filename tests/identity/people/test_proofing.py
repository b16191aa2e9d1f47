"""How sure we are who somebody is: counters, one-time codes, the population registry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from app.audit import Audit
from app.vault import CustodyVault
from identity.errors import RegistryUnavailable
from identity.people.errors import (
    CodeInvalid,
    NikInvalid,
    NikTaken,
    PersonDataInvalid,
    PersonStateForbids,
    PersonUnknown,
    ProofingRefused,
    SimulatorForbidden,
    TooManyProofings,
)
from identity.people.model import PersonState, ProofingLevel
from identity.people.policy import PeoplePolicy
from identity.people.registry import SAMPLE_RESIDENTS, SimulatedRegistry
from identity.people.service import Opened, People
from tests.identity.people.conftest import Post, ReadableOutbox
from tests.identity.people.test_registration import BUDI, SITI, active
from tests.support.clock import FrozenClock
from tests.support.databases import Begin

BIMA = SAMPLE_RESIDENTS[0]
LARAS = SAMPLE_RESIDENTS[1]
Open = Callable[..., Opened]


@pytest.fixture
def at_counter(people: People) -> Open:
    def opened(email: str | None = BUDI, **choices: bool) -> Opened:
        return people.open_proofed(
            officer_id="officer",
            nik=BIMA.nik.reveal(),
            name=BIMA.name,
            birth_date=BIMA.birth_date,
            email=email,
            language="id",
            **choices,
        )

    return opened


def proofed_by_registry(people: People, post: Post, email: str = BUDI) -> str:
    person = active(people, post, email)
    people.prove_by_registry(person.id, nik=BIMA.nik.reveal(), name=BIMA.name, birth_date=BIMA.birth_date)
    return person.id


def test_a_printed_code_activates_once(people: People, post: Post, at_counter: Open) -> None:
    opened = at_counter()
    assert opened.person.state is PersonState.INVITED
    assert opened.person.proofing is ProofingLevel.IAL2
    assert opened.activation_code is not None
    assert post.all() == []
    with pytest.raises(PersonStateForbids):
        people.complete(opened.person.id)
    person = people.activate(opened.activation_code)
    assert (person.id, person.state, person.name) == (opened.person.id, PersonState.REGISTERED, BIMA.name)
    assert people.find(BIMA.nik.reveal()) == person
    with pytest.raises(CodeInvalid):
        people.activate(opened.activation_code)
    assert people.complete(person.id).state is PersonState.ACTIVE


def test_an_address_written_down_at_the_counter_is_theirs_only_after_it_answers(
    people: People, post: Post, at_counter: Open
) -> None:
    opened = at_counter()
    assert opened.activation_code is not None
    person = people.activate(opened.activation_code)
    assert post.all() == []  # it may be misspelt, and the account is not complete
    person = people.complete(person.id)
    assert people.find(BUDI) is None
    assert person.confirmed_email is None
    assert [mail.template for mail in post.to(BUDI)] == ["email_change"]
    confirmed = people.confirm_email(post.code(BUDI))
    assert confirmed.id == person.id
    assert people.find(BUDI) == confirmed


def test_a_mailbox_alone_leads_nobody_to_the_set_up_of_a_proofed_account(
    people: People, post: Post, at_counter: Open, clock: FrozenClock
) -> None:
    at_counter(send=True)
    person = people.complete(people.activate(post.code(BUDI)).id)
    people.change_email(person.id, SITI)
    clock.advance(timedelta(hours=1))
    again = people.invite_again(officer_id="officer", person_id=person.id)
    assert again.activation_code is not None
    people.activate(again.activation_code)
    with pytest.raises(CodeInvalid):
        people.confirm_email(post.code(SITI))
    with pytest.raises(PersonStateForbids):
        people.change_email(person.id, SITI)
    # Nor does the mailbox that was theirs: the visit may have been made because somebody else reads it.
    people.register(name="Bima", email=BUDI, language="id")
    assert post.to(BUDI)[-1].template == "registration_known"


def test_a_mailed_activation_that_was_broken_off_is_resumed_by_mail(
    people: People, post: Post, at_counter: Open, clock: FrozenClock
) -> None:
    at_counter(send=True)
    person = people.activate(post.code(BUDI))
    clock.advance(timedelta(days=2))
    people.register(name="Orang Lain", email=BUDI, language="en")
    again = people.confirm_email(post.code(BUDI))
    assert (again.id, again.state, again.name) == (person.id, PersonState.REGISTERED, BIMA.name)


def test_a_code_that_was_mailed_is_shown_to_no_officer_and_confirms_the_mailbox(
    people: People, post: Post, at_counter: Open, clock: FrozenClock
) -> None:
    opened = at_counter(send=True)
    assert opened.activation_code is None
    person = people.activate(post.code(BUDI))
    assert person.email_confirmed_at == clock()
    assert people.find(BUDI) == person


def test_a_mailed_code_takes_no_address_from_anybody(people: People, post: Post, at_counter: Open) -> None:
    owner = active(people, post)
    at_counter(send=True)
    person = people.activate(post.code(BUDI))
    assert person.confirmed_email is None
    assert people.find(BUDI) == owner


def test_without_an_address_there_is_nothing_to_send_to(people: People, at_counter: Open) -> None:
    with pytest.raises(PersonDataInvalid):
        at_counter(email=None, send=True)
    opened = at_counter(email=None)
    assert opened.activation_code is not None
    assert people.activate(opened.activation_code).email is None


def test_an_activation_code_ends(people: People, at_counter: Open, clock: FrozenClock) -> None:
    code = at_counter().activation_code
    assert code is not None
    clock.advance(timedelta(days=14))
    with pytest.raises(CodeInvalid):
        people.activate(code)


def test_an_activation_code_confirms_no_mail_and_a_mail_activates_nothing(
    people: People, post: Post, at_counter: Open
) -> None:
    code = at_counter().activation_code
    assert code is not None
    with pytest.raises(CodeInvalid):
        people.confirm_email(code)
    people.register(name="Siti", email=SITI, language="id")
    with pytest.raises(CodeInvalid):
        people.activate(post.code(SITI))
    assert people.activate(code).state is PersonState.REGISTERED
    assert people.confirm_email(post.code(SITI)).email == SITI


def test_a_new_code_voids_the_one_before(people: People, at_counter: Open) -> None:
    opened = at_counter()
    again = people.invite_again(officer_id="officer", person_id=opened.person.id)
    assert opened.activation_code is not None
    assert again.activation_code is not None
    with pytest.raises(CodeInvalid):
        people.activate(opened.activation_code)
    assert people.activate(again.activation_code).id == opened.person.id


def test_inviting_somebody_again_closes_the_account_until_the_code_is_used(
    people: People, post: Post, at_counter: Open, ended: list[str]
) -> None:
    at_counter(send=True)
    person = people.complete(people.activate(post.code(BUDI)).id)
    again = people.invite_again(officer_id="officer", person_id=person.id, send=True)
    assert again.person.state is PersonState.INVITED
    assert ended == [person.id]
    back = people.complete(people.activate(post.code(BUDI)).id)
    assert back.activated_at == person.activated_at


def test_only_people_who_were_at_a_counter_are_invited_again(people: People, post: Post) -> None:
    person = active(people, post)
    with pytest.raises(PersonStateForbids):
        people.invite_again(officer_id="officer", person_id=person.id)


@pytest.mark.parametrize(
    ("nik", "birth_date", "refusal"),
    [
        (BIMA.nik.reveal(), date(1988, 8, 13), PersonDataInvalid),
        (BIMA.nik.reveal(), date(2088, 8, 12), PersonDataInvalid),
        (BIMA.nik.reveal()[:-1], BIMA.birth_date, NikInvalid),
        ("9971031208260001", date(1826, 8, 12), PersonDataInvalid),
        ("9971031208270001", date(2027, 8, 12), PersonDataInvalid),
    ],
)
def test_a_number_and_a_birth_date_that_cannot_be_of_one_person_are_refused(
    people: People, post: Post, nik: str, birth_date: date, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        people.open_proofed(
            officer_id="o", nik=nik, name="Bima", birth_date=birth_date, email=None, language="id"
        )
    person = active(people, post)
    with pytest.raises(refusal):
        people.prove_by_registry(person.id, nik=nik, name="Bima", birth_date=birth_date)


def test_one_number_has_one_account(people: People, at_counter: Open) -> None:
    at_counter()
    with pytest.raises(NikTaken) as taken:
        at_counter(displace=True)
    assert not taken.value.may_displace


def test_a_visit_outweighs_the_registry_and_its_holder_is_told(
    people: People, post: Post, at_counter: Open
) -> None:
    displaced = proofed_by_registry(people, post, SITI)
    with pytest.raises(NikTaken) as taken:
        at_counter()
    assert taken.value.may_displace
    opened = at_counter(displace=True)
    assert people.find(BIMA.nik.reveal()) == opened.person
    loser = people.get(displaced)
    assert (loser.proofing, loser.nik, loser.birth_date) == (ProofingLevel.IAL0, None, None)
    assert post.to(SITI)[-1].template == "proofing_lost"


def test_the_registry_confirms_and_the_account_is_ial1(people: People, post: Post) -> None:
    person = people.get(proofed_by_registry(people, post))
    assert (person.proofing, person.name, person.nik) == (ProofingLevel.IAL1, BIMA.name, BIMA.nik)
    assert people.find(BIMA.nik.reveal()) == people.by_nik(BIMA.nik) == person
    with pytest.raises(PersonStateForbids):
        people.prove_by_registry(person.id, nik=BIMA.nik.reveal(), name=BIMA.name, birth_date=BIMA.birth_date)


def test_a_refusal_is_the_same_whatever_the_reason(people: People, post: Post) -> None:
    proofed_by_registry(people, post)
    siti = active(people, post, SITI, "Siti")
    words = set()
    for nik, name, birth_date in (
        (BIMA.nik.reveal(), BIMA.name, BIMA.birth_date),  # confirmed, but somebody's here
        (LARAS.nik.reveal(), "Laras Pertama", LARAS.birth_date),
        ("9971036302910003", LARAS.name, LARAS.birth_date),  # nobody's
    ):
        with pytest.raises(ProofingRefused) as refused:
            people.prove_by_registry(siti.id, nik=nik, name=name, birth_date=birth_date)
        words.add(str(refused.value))
    assert len(words) == 1
    assert people.get(siti.id).proofing is ProofingLevel.IAL0
    assert post.to(BUDI)[-1].template == "nik_tried_elsewhere"


def test_the_registry_is_asked_a_few_times_a_day(people: People, post: Post, clock: FrozenClock) -> None:
    person = active(people, post)

    def ask() -> None:
        people.prove_by_registry(person.id, nik=LARAS.nik.reveal(), name="Bukan", birth_date=LARAS.birth_date)

    for _ in range(5):
        with pytest.raises(ProofingRefused):
            ask()
        clock.advance(timedelta(hours=1))
    with pytest.raises(TooManyProofings) as refused:
        ask()
    assert refused.value.retry_after == 19 * 3600
    clock.advance(timedelta(hours=19, seconds=1))
    with pytest.raises(ProofingRefused):
        ask()


def test_an_outage_decides_nothing_and_costs_no_question(people: People, post: Post) -> None:
    person = active(people, post)
    for _ in range(7):
        with pytest.raises(RegistryUnavailable):
            people.prove_by_registry(
                person.id, nik="9971031208889999", name=BIMA.name, birth_date=BIMA.birth_date
            )
    assert people.get(person.id) == person


def test_without_a_registry_there_are_counters(
    begin: Begin, clock: FrozenClock, vault: CustodyVault, people: People, post: Post
) -> None:
    person = active(people, post)
    without = People(
        begin=begin,
        read=begin,
        clock=clock,
        audit=Audit(clock=clock),
        vault=vault,
        outbox=ReadableOutbox(),
        policy=PeoplePolicy(sample_niks=True),
    )
    with pytest.raises(RegistryUnavailable):
        without.prove_by_registry(
            person.id, nik=BIMA.nik.reveal(), name=BIMA.name, birth_date=BIMA.birth_date
        )


def test_invented_residents_stay_out_unless_they_are_let_in(
    begin: Begin, clock: FrozenClock, vault: CustodyVault
) -> None:
    strict = People(
        begin=begin, read=begin, clock=clock, audit=Audit(clock=clock), vault=vault, outbox=ReadableOutbox()
    )
    with pytest.raises(NikInvalid):
        strict.open_proofed(
            officer_id="o",
            nik=BIMA.nik.reveal(),
            name=BIMA.name,
            birth_date=BIMA.birth_date,
            email=None,
            language="id",
        )
    with pytest.raises(SimulatorForbidden):
        SimulatedRegistry(is_production=True)


def test_somebody_who_is_logged_in_takes_over_the_account_from_the_counter(
    people: People, post: Post, at_counter: Open
) -> None:
    mine = active(people, post, SITI, "Bima")
    opened = at_counter()
    assert opened.activation_code is not None
    attached = people.attach(mine.id, opened.activation_code)
    assert (attached.id, attached.proofing, attached.nik) == (mine.id, ProofingLevel.IAL2, BIMA.nik)
    assert (attached.name, attached.birth_date) == (BIMA.name, BIMA.birth_date)
    assert people.find(BIMA.nik.reveal()) == people.find(SITI) == attached
    with pytest.raises(PersonUnknown):
        people.get(opened.person.id)
    with pytest.raises(CodeInvalid):
        people.activate(opened.activation_code)


def test_a_proofed_account_takes_over_no_other_and_the_code_stays_good(
    people: People, post: Post, at_counter: Open
) -> None:
    opened = at_counter()
    code = opened.activation_code
    assert code is not None
    other = people.open_proofed(
        officer_id="o",
        nik=LARAS.nik.reveal(),
        name=LARAS.name,
        birth_date=LARAS.birth_date,
        email=SITI,
        language="id",
        send=True,
    )
    people.complete(people.activate(post.code(SITI)).id)
    with pytest.raises(PersonStateForbids):
        people.attach(other.person.id, code)
    assert people.activate(code).id == opened.person.id


def test_somebody_registry_proofed_is_displaced_by_their_own_visit_and_attaches(
    people: People, post: Post, at_counter: Open
) -> None:
    mine = proofed_by_registry(people, post, SITI)
    code = at_counter(displace=True).activation_code
    assert code is not None
    assert people.attach(mine, code).proofing is ProofingLevel.IAL2


def test_codes_and_numbers_show_themselves_nowhere(at_counter: Open) -> None:
    opened = at_counter()
    assert opened.activation_code is not None
    shown = repr(opened) + repr(opened.person) + str(opened.person)
    for secret in (opened.activation_code, BIMA.nik.reveal(), BIMA.name, BUDI, "1988"):
        assert secret not in shown
