"""The states of an account as a machine: whatever is done in whatever order, only what the table allows."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from app import audit
from app.audit import Audit
from identity.people.errors import CodeInvalid, NikTaken, PersonError, PersonStateForbids, PersonUnknown
from identity.people.model import TRANSITIONS, Person, PersonState, ProofingLevel
from identity.people.nik import Nik
from identity.people.policy import PeoplePolicy
from identity.people.registry import SAMPLE_RESIDENTS, Resident
from identity.people.rights import Rights
from identity.people.service import People, SuspensionReason
from identity.tables import metadata
from tests.identity.people.conftest import Post, ReadableOutbox, mails_metadata
from tests.support.clock import FrozenClock
from tests.support.databases import tables_in
from tests.support.vault import vault_in

MAILBOXES = ["a@contoh.id", "b@contoh.id", "c@contoh.id"]
HOUR = timedelta(hours=1)


class Accounts(RuleBasedStateMachine):
    """Beside the service stands a model of it: who is in which state, whose number and mailbox is whose."""

    persons = Bundle("persons")
    codes = Bundle("codes")
    activations = Bundle("activations")

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp())
        self._clock = FrozenClock()
        self._database = tables_in(
            f"sqlite:///{self._folder / 'absah.db'}", audit.metadata, metadata, mails_metadata
        )
        self._vault = vault_in(self._folder, self._clock)
        begin, vault = self._database.__enter__(), self._vault.__enter__()
        self._begin = begin
        self._post = Post(begin)
        ports = {
            "begin": begin,
            "read": begin,
            "clock": self._clock,
            "audit": Audit(clock=self._clock),
            "vault": vault,
            "outbox": ReadableOutbox(),
        }
        policy = PeoplePolicy(sample_niks=True, mails_per_address=10_000)
        self._people = People(**ports, policy=policy)  # type: ignore[arg-type]
        self._rights = Rights(**ports, held={}, people_policy=policy)  # type: ignore[arg-type]
        self._states: dict[str, PersonState] = {}
        self._used: set[str] = set()

    def teardown(self) -> None:
        self._vault.__exit__(None, None, None)
        self._database.__exit__(None, None, None)
        shutil.rmtree(self._folder)

    # --- what can happen -----------------------------------------------------------------------------

    @rule(target=codes, email=st.sampled_from(MAILBOXES))
    def register(self, email: str) -> object:
        self._people.register(name="Siapa Saja", email=email, language="id")
        code = self._post.to(email)[-1].code
        return multiple() if code is None else code

    @rule(target=persons, code=codes)
    def confirm(self, code: str) -> object:
        try:
            person = self._people.confirm_email(code)
        except CodeInvalid:
            return multiple()
        assert code not in self._used
        self._used.add(code)
        return self._reached(person, {None, PersonState.REGISTERED, PersonState.ACTIVE})

    @rule(target=activations, somebody=st.sampled_from(SAMPLE_RESIDENTS[:2]), displace=st.booleans())
    def open_at_counter(self, somebody: Resident, displace: bool) -> object:
        try:
            opened = self._people.open_proofed(
                officer_id="officer",
                nik=somebody.nik.reveal(),
                name=somebody.name,
                birth_date=somebody.birth_date,
                email=None,
                language="id",
                displace=displace,
            )
        except NikTaken:
            assert self._holder(somebody.nik) is not None
            return multiple()
        self._states[opened.person.id] = PersonState.INVITED
        assert opened.activation_code is not None
        return opened.activation_code

    @rule(target=persons, code=activations)
    def activate(self, code: str) -> object:
        try:
            person = self._people.activate(code)
        except CodeInvalid:
            return multiple()
        assert code not in self._used
        self._used.add(code)
        return self._reached(person, {PersonState.INVITED})

    @rule(code=activations, person_id=persons)
    def attach(self, code: str, person_id: str) -> None:
        before = self._states[person_id]
        try:
            person = self._people.attach(person_id, code)
        except (CodeInvalid, PersonStateForbids, PersonUnknown):
            return
        assert code not in self._used
        self._used.add(code)
        assert (before, person.state, person.proofing) == (
            PersonState.ACTIVE,
            PersonState.ACTIVE,
            ProofingLevel.IAL2,
        )
        for other, state in self._states.items():
            if state is PersonState.INVITED and not self._is_there(other):
                self._states[other] = PersonState.ERASED

    @rule(person_id=persons)
    def complete(self, person_id: str) -> None:
        self._move(
            lambda: self._people.complete(person_id),
            person_id,
            {PersonState.REGISTERED, PersonState.ACTIVE},
            PersonState.ACTIVE,
        )

    @rule(person_id=persons)
    def suspend(self, person_id: str) -> None:
        self._move(
            lambda: self._people.suspend(person_id, actor="o", reason=SuspensionReason.FRAUD),
            person_id,
            {PersonState.REGISTERED, PersonState.ACTIVE},
            PersonState.SUSPENDED,
        )

    @rule(person_id=persons)
    def resume(self, person_id: str) -> None:
        before = self._states[person_id]
        was_active = before is not PersonState.ERASED and self._people.get(person_id).activated_at is not None
        self._move(
            lambda: self._people.resume(person_id, actor="o"),
            person_id,
            {PersonState.SUSPENDED},
            PersonState.ACTIVE if was_active else PersonState.REGISTERED,
        )

    @rule(target=activations, person_id=persons)
    def invite_again(self, person_id: str) -> object:
        try:
            opened = self._people.invite_again(officer_id="o", person_id=person_id)
        except (PersonStateForbids, PersonUnknown):
            return multiple()
        assert self._states[person_id] is not PersonState.SUSPENDED
        self._states[person_id] = PersonState.INVITED
        assert opened.activation_code is not None
        return opened.activation_code

    @rule(person_id=consumes(persons))
    def erase(self, person_id: str) -> None:
        if self._states[person_id] is PersonState.ERASED:
            with pytest.raises(PersonUnknown):
                self._rights.request_erasure(person_id)
            return
        request = self._rights.request_erasure(person_id)
        self._rights.answer(request.id, officer_id="officer")
        self._states[person_id] = PersonState.ERASED

    @rule(hours=st.sampled_from([1, 23]))
    def time_passes(self, hours: int) -> None:
        self._clock.advance(hours * HOUR)

    # --- what always holds ---------------------------------------------------------------------------

    @invariant()
    def the_service_says_what_the_model_says(self) -> None:
        for person_id, state in self._states.items():
            if state is PersonState.ERASED:
                assert not self._is_there(person_id)
            else:
                assert self._people.get(person_id).state is state

    @invariant()
    def one_number_and_one_mailbox_belong_to_one_person(self) -> None:
        living = [
            self._people.get(one) for one, state in self._states.items() if state is not PersonState.ERASED
        ]
        numbers = [person.nik for person in living if person.nik is not None]
        mailboxes = [person.confirmed_email for person in living if person.confirmed_email is not None]
        assert len(numbers) == len(set(numbers))
        assert len(mailboxes) == len(set(mailboxes))
        for person in living:
            assert person.confirmed_email is None or self._people.find(person.confirmed_email) == person
            assert (person.state is PersonState.ACTIVE) <= (person.activated_at is not None)
            assert (person.proofing is ProofingLevel.IAL2) == (person.nik is not None)

    # --- helpers -------------------------------------------------------------------------------------

    def _reached(self, person: Person, origins: set[PersonState | None]) -> str:
        before = self._states.get(person.id)
        assert before in origins
        assert before is None or before is person.state or person.state in TRANSITIONS[before]
        self._states[person.id] = person.state
        return person.id

    def _move(
        self, act: Callable[[], Person], person_id: str, origins: set[PersonState], target: PersonState
    ) -> None:
        before = self._states[person_id]
        if before in origins:
            act()
            self._states[person_id] = target
            return
        with pytest.raises(PersonError):
            act()

    def _is_there(self, person_id: str) -> bool:
        try:
            self._people.get(person_id)
        except PersonUnknown:
            return False
        return True

    def _holder(self, nik: Nik) -> Person | None:
        return self._people.by_nik(nik)


Accounts.TestCase.settings = settings(
    max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)


TestAccounts = Accounts.TestCase


def test_every_state_has_its_transitions_and_the_last_has_none() -> None:
    assert set(TRANSITIONS) == set(PersonState)
    assert TRANSITIONS[PersonState.ERASED] == frozenset()
    assert all(PersonState.ERASED in TRANSITIONS[state] for state in set(PersonState) - {PersonState.ERASED})
