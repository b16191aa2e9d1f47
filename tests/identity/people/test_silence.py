"""What is told to nobody: who is known, which code was right, and anything personal in tables and trail."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest
from sqlalchemy import MetaData, select

from app import audit
from app.audit import Audit
from app.database import Database
from app.vault import CustodyVault
from identity.people.errors import CodeInvalid, PersonChanged, PersonError, ProofingRefused, TooManyProofings
from identity.people.model import Person
from identity.people.policy import PeoplePolicy
from identity.people.registry import SAMPLE_RESIDENTS, SimulatedRegistry
from identity.people.rights import Rights
from identity.people.service import People
from identity.people.tables import people as people_table
from identity.people.tables import proofing_attempts
from identity.tables import metadata
from tests.conftest import Lend
from tests.identity.people.conftest import Post, ReadableOutbox, mails_metadata
from tests.identity.people.test_registration import BUDI, SITI, active
from tests.support.clock import FrozenClock
from tests.support.databases import Begin

BIMA = SAMPLE_RESIDENTS[0]
Result = TypeVar("Result")


@pytest.fixture
def served(lend: Lend, clock: FrozenClock, vault: CustodyVault) -> Iterator[Callable[[PeoplePolicy], People]]:
    """People over the service's own database access, for many at once."""
    database = Database(lend(audit.metadata, metadata, mails_metadata))

    def made(policy: PeoplePolicy) -> People:
        return People(
            begin=database.begin,
            read=database.read,
            clock=clock,
            audit=Audit(clock=clock),
            vault=vault,
            outbox=ReadableOutbox(),
            registry=SimulatedRegistry(is_production=False),
            policy=policy,
        )

    yield made
    database.close()


def at_once(times: int, act: Callable[[], Result]) -> list[Result | PersonError]:
    def attempt(_: int) -> Result | PersonError:
        try:
            return act()
        except PersonError as refused:
            return refused

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(attempt, range(times)))


def test_a_code_posted_twenty_times_at_once_works_once(
    served: Callable[[PeoplePolicy], People], post: Post
) -> None:
    people = served(PeoplePolicy(sample_niks=True))
    people.register(name="Budi", email=BUDI, language="id")
    code = post.code(BUDI)
    answers = at_once(20, lambda: people.confirm_email(code))
    assert sum(isinstance(answer, Person) for answer in answers) == 1
    assert sum(isinstance(answer, CodeInvalid) for answer in answers) == 19

    opened = people.open_proofed(
        officer_id="o", nik=BIMA.nik.reveal(), name="B", birth_date=BIMA.birth_date, email=None, language="id"
    )
    activation = opened.activation_code
    assert activation is not None
    answers = at_once(20, lambda: people.activate(activation))
    assert sum(isinstance(answer, Person) for answer in answers) == 1


def test_two_codes_for_one_mailbox_make_one_person(
    served: Callable[[PeoplePolicy], People], post: Post
) -> None:
    people = served(PeoplePolicy(mails_per_address=8))
    for _ in range(8):
        people.register(name="Budi", email=BUDI, language="id")
    codes = [mail.code for mail in post.to(BUDI) if mail.code]
    remaining = list(codes)
    answers = at_once(8, lambda: people.confirm_email(remaining.pop()))
    made = {answer.id for answer in answers if isinstance(answer, Person)}
    assert len(made) == 1
    assert all(isinstance(answer, Person | PersonChanged) for answer in answers)


def test_a_mailbox_is_not_flooded_by_twenty_forms_at_once(
    served: Callable[[PeoplePolicy], People], post: Post
) -> None:
    people = served(PeoplePolicy())
    answers = at_once(20, lambda: people.register(name="Budi", email=BUDI, language="id"))
    assert answers == [None] * 20
    assert len(post.to(BUDI)) == 3


def test_one_number_opened_at_ten_counters_at_once_is_one_account(
    served: Callable[[PeoplePolicy], People], begin: Begin
) -> None:
    people = served(PeoplePolicy(sample_niks=True))
    at_once(
        10,
        lambda: people.open_proofed(
            officer_id="o",
            nik=BIMA.nik.reveal(),
            name="B",
            birth_date=BIMA.birth_date,
            email=None,
            language="id",
        ),
    )
    with begin() as tx:
        assert len(tx.execute(select(people_table.c.id)).all()) == 1


def test_twenty_questions_at_once_are_counted_one_by_one(
    served: Callable[[PeoplePolicy], People], post: Post, begin: Begin
) -> None:
    people = served(PeoplePolicy(sample_niks=True))
    person = active(people, post)
    answers = at_once(
        20,
        lambda: people.prove_by_registry(
            person.id, nik=BIMA.nik.reveal(), name="Bukan", birth_date=BIMA.birth_date
        ),
    )
    refused = (ProofingRefused, TooManyProofings, PersonChanged)
    assert all(isinstance(answer, refused) for answer in answers)
    with begin() as tx:
        assert len(tx.execute(select(proofing_attempts.c.id)).all()) <= 5


def test_known_and_unknown_addresses_take_the_same_time(
    served: Callable[[PeoplePolicy], People], post: Post
) -> None:
    people = served(PeoplePolicy(mails_per_address=1_000))
    active(people, post)
    taken: dict[bool, list[float]] = {True: [], False: []}
    for number in range(150):
        for is_known in (True, False) if number % 2 else (False, True):
            email = BUDI if is_known else f"siapa{number}@contoh.id"
            started = time.perf_counter()
            people.register(name="Budi", email=email, language="id")
            taken[is_known].append(time.perf_counter() - started)
    known, unknown = (statistics.median(taken[which][10:]) for which in (True, False))
    assert abs(known - unknown) < 0.005


def test_known_and_unknown_addresses_leave_the_same_kinds_of_rows(
    people: People, post: Post, begin: Begin
) -> None:
    active(people, post)
    for email in (BUDI, SITI):
        before = _everything(begin, metadata), _everything(begin, audit.metadata)
        people.register(name="Budi", email=email, language="id")
        after = _everything(begin, metadata), _everything(begin, audit.metadata)
        assert [len(new) - len(old) for new, old in zip(after, before, strict=True)] == [1, 1]
    assert [mail.to for mail in post.all()[-2:]] == [BUDI, SITI]


def test_nothing_personal_is_in_any_table_or_in_the_trail(
    people: People,
    post: Post,
    begin: Begin,
    clock: FrozenClock,
    vault: CustodyVault,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    # 1. A life with every event in it.
    people.open_proofed(
        officer_id="officer",
        nik=BIMA.nik.reveal(),
        name=BIMA.name,
        birth_date=BIMA.birth_date,
        email=BUDI,
        language="id",
        send=True,
    )
    bima = people.complete(people.activate(post.code(BUDI)).id)
    people.change_email(bima.id, SITI)
    people.confirm_email(post.code(SITI))
    people.register(name=BIMA.name, email=SITI, language="id")
    people.register(name=BIMA.name, email=BUDI, language="id")
    other = people.complete(people.confirm_email(post.code(BUDI)).id)
    with pytest.raises(ProofingRefused):
        people.prove_by_registry(other.id, nik=BIMA.nik.reveal(), name=BIMA.name, birth_date=BIMA.birth_date)
    rights = Rights(
        begin=begin,
        read=begin,
        clock=clock,
        audit=Audit(clock=clock),
        vault=vault,
        outbox=ReadableOutbox(),
        held={"account": people.held},
    )
    rights.request_correction(bima.id, f"{BIMA.name} {BIMA.nik.reveal()}")
    rights.export(bima.id)
    rights.request_erasure(other.id)
    clock.advance(timedelta(hours=24))
    rights.erase_due()
    # 2. Read every table as whoever steals the database would.
    codes = [mail.code for mail in post.all() if mail.code]
    seen = "".join(_everything(begin, metadata) + _everything(begin, audit.metadata)).lower() + caplog.text
    secrets = [BIMA.nik.reveal(), BIMA.name, BUDI, SITI, "1988-08-12", *codes]
    assert len(codes) == 4
    for secret in secrets:
        plain = secret.lower()
        for spelling in (plain, plain.replace("-", ""), plain.encode().hex(), secret.encode().hex()):
            assert spelling not in seen
    with begin() as tx:
        Audit(clock=clock).verify(tx)


def test_a_profile_copied_to_another_row_does_not_open(people: People, post: Post, begin: Begin) -> None:
    budi, siti = active(people, post), active(people, post, SITI, "Siti")
    with begin() as tx:
        sealed = tx.execute(select(people_table.c.profile).where(people_table.c.id == siti.id)).scalar_one()
        tx.execute(people_table.update().where(people_table.c.id == budi.id).values(profile=sealed))
    with pytest.raises(Exception, match="another row"):
        people.get(budi.id)


def test_a_person_shows_only_what_is_not_personal(people: People, post: Post) -> None:
    person = replace(active(people, post), nik=BIMA.nik, birth_date=BIMA.birth_date)
    for secret in (person.name, BUDI, BIMA.nik.reveal(), "1988"):
        assert secret not in repr(person)


def _everything(begin: Begin, schema: MetaData) -> list[str]:
    """All rows of all tables, bytes as hex. The readable outbox is in a schema of its own."""
    with begin() as tx:
        return [
            f"{table.name}: "
            + " ".join(value.hex() if isinstance(value, bytes) else str(value) for value in row)
            for table in schema.sorted_tables
            for row in tx.execute(select(table))
        ]
