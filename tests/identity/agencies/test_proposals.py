"""No single person gives a system of an agency more for real documents, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest
from sqlalchemy import Connection, insert, text, update

from app import audit
from app.audit import Audit
from app.database import Database
from identity import tables
from identity.agencies.changes import Asked, ClientChanges
from identity.agencies.errors import (
    ClientShut,
    ProposalChanged,
    ProposalError,
    ProposalNotOpen,
    ProposalUnknown,
    ProposalWaits,
    ProposerGone,
    SecondPersonNeeded,
)
from identity.agencies.model import AgencyPolicy, Binding
from identity.agencies.news import ClientNews
from identity.agencies.proposals import NewSystem, Proposal, ProposalState
from identity.agencies.service import Agencies, parse_key_set
from identity.errors import ClientUnknown, JwkInvalid
from identity.operators.errors import FourEyesNeeded, RoleMissing
from identity.operators.model import Grant, GrantState, Role, new_grant_id
from identity.operators.tables import GrantTable
from identity.people.model import new_person_id
from identity.people.tables import people
from identity.ports import Contact
from tests.conftest import Lend
from tests.support.agency_system import AgencySystem
from tests.support.clock import FrozenClock
from tests.support.databases import Begin

READ, REVOKE, ISSUE = "documents.read", "documents.revoke", "documents.issue:*"


@dataclass
class Letterbox:
    """Mails as they are queued, with the language of none."""

    sent: list[tuple[str, str]] = field(default_factory=list)

    def queue(self, tx: Connection, *, to: str, template: str, language: str, values: object) -> None:
        self.sent.append((to, template))

    def of(self, tx: Connection, person_id: str) -> Contact | None:
        return Contact(person_id, person_id, "id")


@dataclass
class Office:
    """An agency with two administrators, an auditor, an administrator of another agency, and an officer."""

    begin: Begin
    clock: FrozenClock
    post: Letterbox = field(default_factory=Letterbox)

    def __post_init__(self) -> None:
        policy, trail = AgencyPolicy(), Audit(clock=self.clock)
        self.agencies = Agencies(
            begin=self.begin, read=self.begin, clock=self.clock, audit=trail, policy=policy
        )
        self.changes = ClientChanges(
            begin=self.begin,
            read=self.begin,
            clock=self.clock,
            audit=trail,
            news=ClientNews(outbox=self.post, contacts=self.post),
            policy=policy,
        )
        for agency_id in ("dinas", "lain"):
            self.agencies.add_agency(
                agency_id, name=agency_id.title(), organization_identifier="NTRID-1", actor="cli:test"
            )
        self.ani = self.person(Role.AGENCY_ADMINISTRATOR, "dinas")
        self.budi = self.person(Role.AGENCY_ADMINISTRATOR, "dinas")
        self.auditor = self.person(Role.AUDITOR)
        self.stranger = self.person(Role.AGENCY_ADMINISTRATOR, "lain")
        self.officer = self.person(Role.OFFICER)
        self.clock.advance(timedelta(minutes=1))

    def person(self, role: Role, agency_id: str | None = None) -> str:
        person_id, now = new_person_id(), self.clock()
        with self.begin() as tx:
            tx.execute(
                insert(people).values(
                    id=person_id, state="active", proofing="ial2", language="id", version=1,
                    created_at=now, activated_at=now, state_since=now,
                )
            )  # fmt: skip
        self.grant(person_id, role, agency_id)
        return person_id

    def grant(self, person_id: str, role: Role, agency_id: str | None = None) -> None:
        now = self.clock()
        with self.begin() as tx:
            GrantTable(tx).add(
                Grant(
                    new_grant_id(), person_id, role, agency_id, GrantState.ACTIVE, "cli:test", now, "x", now
                )
            )

    def end_roles(self, person_id: str) -> None:
        with self.begin() as tx:
            for grant in GrantTable(tx).open_of(person_id):
                GrantTable(tx).end(grant.id, by="cli:test", at=self.clock())

    def system(self) -> AgencySystem:
        """A real one, registered by whoever owns the machine."""
        made = AgencySystem(self.clock)
        made.registered = self.agencies.register_client(
            "dinas", name="Izin", scopes=[READ], jwks=made.jwks(), actor="cli:test"
        )
        return made

    def ask(self, by: str | None = None) -> Proposal:
        """Somebody proposes a new system."""
        return self.proposed(
            self.changes.register(
                "dinas", name="Baru", scopes=[ISSUE], jwks=keys("baru"), actor=by or self.ani
            )
        )

    @staticmethod
    def proposed(asked: Asked) -> Proposal:
        assert asked.proposal is not None
        return asked.proposal

    def confirm(self, proposal: Proposal, by: str | None = None) -> Proposal:
        """After a look at the page."""
        seen = self.changes.review(proposal.id).seen
        return self.changes.confirm(proposal.id, seen=seen, confirmer_id=by or self.budi)

    def actions(self) -> list[tuple[str, str]]:
        with self.begin() as tx:
            return [
                (entry.action, entry.actor)
                for entry in Audit(clock=self.clock).entries(tx)
                if entry.action.startswith("client.")
            ]


@pytest.fixture
def begin(lend: Lend) -> Iterator[Begin]:
    """The transactions of the service itself: who changes what at the same moment is what this is about."""
    database = Database(lend(audit.metadata, tables.metadata))
    yield database.begin
    database.close()


@pytest.fixture
def office(begin: Begin, clock: FrozenClock) -> Office:
    return Office(begin, clock)


def keys(*names: str, systems: dict[str, AgencySystem] | None = None) -> str:
    """One new key of each name, unless the name has a system of its own."""
    made = [
        json.loads(((systems or {}).get(name) or AgencySystem(FrozenClock())).jwks())["keys"][0]
        | {"kid": name}
        for name in names
    ]
    return json.dumps({"keys": made})


# --- what waits, and what does not ---------------------------------------------------------------------


def test_a_system_that_one_administrator_registers_does_not_exist_until_another_confirms(
    office: Office,
) -> None:
    proposal = office.ask()
    assert office.agencies.clients("dinas") == []
    with pytest.raises(ClientUnknown):
        office.agencies.client(proposal.client_id)
    done = office.confirm(proposal)
    made = office.agencies.client(proposal.client_id)
    assert (done.state, done.decided_by) == (ProposalState.CONFIRMED, office.budi)
    assert (made.name, made.scopes, made.is_sandbox, made.binding) == (
        "Baru", frozenset({ISSUE}), False, Binding.DPOP,
    )  # fmt: skip
    assert [key.key_id for key in office.agencies.keys(made.id)] == ["baru"]
    assert office.actions() == [
        ("client.proposed", office.ani), ("client.added", office.budi), ("client.confirmed", office.budi),
    ]  # fmt: skip


def test_new_keys_of_a_real_system_authenticate_only_once_they_are_confirmed(office: Office) -> None:
    system = office.system()
    proposal = office.proposed(office.changes.replace_keys(system.id, keys("next"), actor=office.ani))
    assert [key.key_id for key in office.agencies.keys(system.id)] == ["main"]
    review = office.changes.review(proposal.id)
    assert [key.key_id for key in review.gained_keys] == ["next"]
    assert [key.key_id for key in review.lost_keys] == ["main"]
    office.confirm(proposal, office.auditor)
    ends = {key.key_id: key.ends_at for key in office.agencies.keys(system.id)}
    assert ends == {"main": office.clock() + AgencyPolicy().key_overlap, "next": None}


def test_an_old_key_that_was_about_to_end_does_not_go_on_because_one_person_says_so(office: Office) -> None:
    system = office.system()
    office.agencies.replace_keys(system.id, keys("next"), actor="cli:test")  # main ends tomorrow
    asked = office.changes.replace_keys(system.id, system.jwks(), actor=office.ani)
    assert [key.key_id for key in office.changes.review(office.proposed(asked).id).gained_keys] == ["main"]
    assert next(key for key in office.agencies.keys(system.id) if key.key_id == "main").ends_at is not None


def test_scopes_that_gain_anything_wait_whole_and_fewer_ones_count_at_once(office: Office) -> None:
    system = office.system()
    proposal = office.proposed(office.changes.change_scopes(system.id, [REVOKE], actor=office.ani))
    assert office.agencies.client(system.id).scopes == {READ}
    review = office.changes.review(proposal.id)
    assert (review.gained_scopes, review.lost_scopes) == ((REVOKE,), (READ,))
    office.confirm(proposal)
    assert office.agencies.client(system.id).scopes == {REVOKE}
    office.agencies.change_scopes(system.id, [ISSUE, READ], actor="cli:test")
    narrower = office.changes.change_scopes(system.id, ["documents.issue:tax"], actor=office.ani)
    assert narrower.proposal is None
    assert office.agencies.client(system.id).scopes == {"documents.issue:tax"}


def test_taking_away_never_waits(office: Office) -> None:
    system, other = office.system(), AgencySystem(office.clock)
    both = keys("main", "two", systems={"main": system, "two": other})
    office.agencies.replace_keys(system.id, both, actor="cli:test")
    fewer = office.changes.replace_keys(system.id, system.jwks(), at_once=True, actor=office.ani)
    assert fewer.proposal is None
    office.agencies.remove_key(system.id, "main", actor=office.ani)
    assert [key for key in office.agencies.keys(system.id) if key.is_good_at(office.clock())] == []
    assert office.agencies.disable_client(system.id, actor=office.ani).disabled_at == office.clock()
    assert office.changes.waiting() == []


def test_a_sandbox_system_is_its_administrators_own_and_stays_a_sandbox(office: Office) -> None:
    asked = office.changes.register(
        "dinas", name="Uji", scopes=[READ], jwks=keys("a"), is_sandbox=True, actor=office.ani
    )
    assert asked.proposal is None
    assert office.changes.replace_keys(asked.client_id, keys("b"), actor=office.ani).proposal is None
    assert office.changes.change_scopes(asked.client_id, [ISSUE], actor=office.ani).proposal is None
    made = office.agencies.client(asked.client_id)
    assert (made.is_sandbox, made.scopes) == (True, frozenset({ISSUE}))


def test_the_immediate_ways_are_closed_to_people(office: Office) -> None:
    system = office.system()
    ways: list[Callable[[], object]] = [
        lambda: office.agencies.register_client(
            "dinas", name="x", scopes=[READ], jwks=keys("x"), actor=office.ani
        ),
        lambda: office.agencies.add_client("dinas", name="x", scopes=[READ], actor=office.ani),
        lambda: office.agencies.replace_keys(system.id, keys("x"), actor=office.ani),
        lambda: office.agencies.change_scopes(system.id, [ISSUE], actor=office.ani),
    ]
    for way in ways:
        with pytest.raises(SecondPersonNeeded):
            way()
    assert len(office.agencies.clients("dinas")) == 1


# --- whose eyes ----------------------------------------------------------------------------------------


def test_only_another_administrator_of_the_agency_or_an_auditor_confirms(office: Office) -> None:
    proposal = office.ask()
    for who, refusal in (
        (office.ani, FourEyesNeeded), (office.stranger, RoleMissing), (office.officer, RoleMissing),
        (new_person_id(), RoleMissing), ("cli:test", RoleMissing),
    ):  # fmt: skip
        with pytest.raises(refusal):
            office.confirm(proposal, who)
    office.confirm(proposal, office.auditor)


def test_only_an_administrator_of_the_agency_proposes(office: Office) -> None:
    system = office.system()
    for who in (office.auditor, office.stranger, office.officer):
        with pytest.raises(RoleMissing):
            office.ask(who)
        with pytest.raises(RoleMissing):
            office.changes.replace_keys(system.id, keys("x"), actor=who)
        with pytest.raises(RoleMissing):
            office.changes.change_scopes(system.id, [READ], actor=who)


def test_nothing_is_confirmed_whose_proposer_lost_the_role_even_if_they_got_it_back(office: Office) -> None:
    proposal = office.ask()
    office.end_roles(office.ani)
    with pytest.raises(ProposerGone):
        office.confirm(proposal)
    office.clock.advance(timedelta(minutes=1))
    office.grant(office.ani, Role.AGENCY_ADMINISTRATOR, "dinas")
    with pytest.raises(ProposerGone):
        office.confirm(proposal)
    assert office.agencies.clients("dinas") == []


def test_nothing_is_confirmed_that_a_suspended_account_proposed(office: Office) -> None:
    proposal = office.ask()
    with office.begin() as tx:
        tx.execute(update(people).where(people.c.id == office.ani).values(state="suspended"))
    with pytest.raises(ProposerGone):
        office.confirm(proposal)


@pytest.mark.parametrize("who", ["ani", "budi", "auditor"])
def test_a_proposal_is_withdrawn_by_its_proposer_any_administrator_or_an_auditor(
    who: str, office: Office
) -> None:
    proposal, person_id = office.ask(), getattr(office, who)
    assert office.changes.withdraw(proposal.id, actor=person_id).state is ProposalState.WITHDRAWN
    assert office.changes.review(proposal.id).proposal.decided_by == person_id
    with pytest.raises(ProposalNotOpen):
        office.confirm(proposal, office.budi)
    with pytest.raises(ProposalNotOpen):
        office.changes.withdraw(proposal.id, actor=person_id)
    assert office.agencies.clients("dinas") == []


def test_nobody_else_withdraws(office: Office) -> None:
    proposal = office.ask()
    for who in (office.stranger, office.officer):
        with pytest.raises(RoleMissing):
            office.changes.withdraw(proposal.id, actor=who)
    assert [review.proposal for review in office.changes.waiting("dinas")] == [proposal]
    assert office.changes.waiting("lain") == []


# --- what they look at ---------------------------------------------------------------------------------


def test_a_proposal_that_was_altered_after_the_look_is_void(office: Office) -> None:
    proposal = office.ask()
    seen = office.changes.review(proposal.id).seen
    assert isinstance(proposal.change, NewSystem)
    forged = replace(proposal.change, keys=parse_key_set(keys("baru"))).content()
    with office.begin() as tx:
        tx.execute(
            text("UPDATE client_proposals SET content = :content WHERE id = :id"),
            {"content": json.dumps(forged), "id": proposal.id},
        )
    with pytest.raises(ProposalChanged):
        office.changes.confirm(proposal.id, seen=seen, confirmer_id=office.budi)
    for guess in ("", "0" * 64, proposal.digest, "é"):
        with pytest.raises(ProposalChanged):
            office.changes.confirm(proposal.id, seen=guess, confirmer_id=office.budi)
    assert office.agencies.clients("dinas") == []


def test_a_system_that_changed_after_the_look_has_to_be_looked_at_again(office: Office) -> None:
    system = office.system()
    proposal = office.proposed(office.changes.replace_keys(system.id, keys("next"), actor=office.ani))
    seen = office.changes.review(proposal.id).seen
    office.agencies.remove_key(system.id, "main", actor=office.ani)
    with pytest.raises(ProposalChanged):
        office.changes.confirm(proposal.id, seen=seen, confirmer_id=office.budi)
    office.confirm(proposal)
    good = [key.key_id for key in office.agencies.keys(system.id) if key.is_good_at(office.clock())]
    assert good == ["next"]


def test_the_trail_names_both_people_and_the_same_digest_from_the_start(office: Office) -> None:
    proposal = office.ask()
    office.confirm(proposal)
    with office.begin() as tx:
        entries = [
            entry
            for entry in Audit(clock=office.clock).entries(tx)
            if entry.action in {"client.proposed", "client.confirmed"}
        ]
    asked, confirmed = (json.loads(entry.facts) for entry in entries)
    assert isinstance(proposal.change, NewSystem)
    (key,) = proposal.change.keys
    assert asked["keys"] == f"{key.thumbprint}=ES256"
    assert asked["digest"] == confirmed["digest"] == office.changes.review(proposal.id).proposal.digest
    assert (entries[0].actor, entries[1].actor, confirmed["by"]) == (office.ani, office.budi, office.ani)


def test_one_change_of_a_kind_waits_for_a_system_at_a_time(office: Office) -> None:
    system = office.system()
    office.changes.replace_keys(system.id, keys("a"), actor=office.ani)
    with pytest.raises(ProposalWaits):
        office.changes.replace_keys(system.id, keys("b"), actor=office.budi)
    assert office.changes.change_scopes(system.id, [READ, REVOKE], actor=office.budi).proposal


def test_keys_that_can_never_count_are_refused_before_anybody_is_asked(office: Office) -> None:
    system = office.system()
    with pytest.raises(JwkInvalid, match="new kid"):
        office.changes.replace_keys(system.id, keys("main"), actor=office.ani)
    assert office.changes.waiting() == []


# --- time ----------------------------------------------------------------------------------------------


def test_a_proposal_lapses_and_what_lapsed_makes_room(office: Office) -> None:
    system = office.system()
    proposal = office.proposed(office.changes.replace_keys(system.id, keys("a"), actor=office.ani))
    office.clock.advance(AgencyPolicy().proposal_life)
    assert office.changes.waiting() == []
    with pytest.raises(ProposalNotOpen):
        office.confirm(proposal)
    with pytest.raises(ProposalNotOpen):
        office.changes.withdraw(proposal.id, actor=office.ani)
    assert office.changes.replace_keys(system.id, keys("b"), actor=office.ani).proposal
    assert (office.changes.lapse(), office.changes.lapse()) == (1, 0)
    assert office.changes.review(proposal.id).proposal.state is ProposalState.LAPSED
    assert office.actions()[-1] == ("client.proposal_lapsed", "upkeep")


def test_a_system_that_is_disabled_takes_what_waits_for_it_along(office: Office) -> None:
    system = office.system()
    proposal = office.proposed(office.changes.change_scopes(system.id, [ISSUE], actor=office.ani))
    office.agencies.disable_client(system.id, actor=office.budi)
    assert office.changes.review(proposal.id).proposal.state is ProposalState.WITHDRAWN
    with pytest.raises(ProposalNotOpen):
        office.confirm(proposal)
    with pytest.raises(ClientShut):
        office.changes.change_scopes(system.id, [ISSUE], actor=office.ani)
    assert ("client.proposal_withdrawn", office.budi) in office.actions()


def test_what_does_not_exist_is_unknown(office: Office) -> None:
    with pytest.raises(ProposalUnknown):
        office.changes.confirm("proposal-0", seen="", confirmer_id=office.budi)
    with pytest.raises(ClientUnknown):
        office.changes.replace_keys("client-0", keys("a"), actor=office.ani)


# --- at the same moment --------------------------------------------------------------------------------


def at_once(*acts: Callable[[], object]) -> list[object]:
    """All of them at the same moment, as several processes would; refusals are answers here."""
    start = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        start.wait()
        try:
            return act()
        except (ProposalError, RoleMissing) as refusal:
            return refusal

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_of_many_confirmations_at_once_one_counts(office: Office) -> None:
    proposal = office.ask()
    seen = office.changes.review(proposal.id).seen
    confirm = partial(office.changes.confirm, proposal.id, seen=seen)
    answers = at_once(*(partial(confirm, confirmer_id=by) for by in [office.budi, office.auditor] * 4))
    assert sum(isinstance(answer, Proposal) for answer in answers) == 1
    assert {type(answer) for answer in answers} <= {Proposal, ProposalNotOpen}
    assert len(office.agencies.clients("dinas")) == 1
    assert office.actions().count(("client.proposed", office.ani)) == 1
    assert sum(action == "client.confirmed" for action, _ in office.actions()) == 1


def test_of_a_confirmation_and_a_withdrawal_at_once_one_counts(office: Office) -> None:
    system = office.system()
    for number in range(4):
        asked = office.changes.replace_keys(system.id, keys(f"key{number}"), actor=office.ani)
        proposal = office.proposed(asked)
        seen = office.changes.review(proposal.id).seen
        confirmed, withdrawn = at_once(
            partial(office.changes.confirm, proposal.id, seen=seen, confirmer_id=office.budi),
            partial(office.changes.withdraw, proposal.id, actor=office.ani),
        )
        assert isinstance(confirmed, Proposal) is not isinstance(withdrawn, Proposal)
        has_key = f"key{number}" in {key.key_id for key in office.agencies.keys(system.id)}
        assert has_key is isinstance(confirmed, Proposal)


def test_of_two_proposals_of_a_kind_at_once_one_waits(office: Office) -> None:
    system = office.system()
    at_once(
        *(
            partial(office.changes.replace_keys, system.id, keys(name), actor=by)
            for by, name in ((office.ani, "a"), (office.budi, "b"))
        )
    )
    assert len(office.changes.waiting("dinas")) == 1


@contextmanager
def role_about_to_end(office: Office, person_id: str) -> Iterator[Connection]:
    with office.begin() as tx:
        (grant,) = GrantTable(tx).open_of(person_id)
        assert GrantTable(tx).end(grant.id, by="cli:test", at=office.clock())
        yield tx


def test_a_role_that_is_just_being_ended_is_waited_for(office: Office) -> None:
    """The confirmation begins before the end of the role is committed, and still sees it."""
    proposal = office.ask()
    seen = office.changes.review(proposal.id).seen
    with ThreadPoolExecutor(1) as pool:
        with role_about_to_end(office, office.ani):
            late = pool.submit(office.changes.confirm, proposal.id, seen=seen, confirmer_id=office.budi)
            with pytest.raises(TimeoutError):
                late.result(timeout=0.5)
        with pytest.raises(ProposerGone):
            late.result(timeout=30)
    assert office.agencies.clients("dinas") == []


# --- who is told ---------------------------------------------------------------------------------------


def test_administrators_are_told_what_was_proposed_and_confirmed_the_proposer_too(office: Office) -> None:
    proposal = office.ask()
    both = {(office.ani, "system_proposed"), (office.budi, "system_proposed")}
    assert (len(office.post.sent), set(office.post.sent)) == (2, both)
    office.post.sent.clear()
    office.confirm(proposal)
    assert {template for _, template in office.post.sent} == {"system_confirmed"}
    assert {to for to, _ in office.post.sent} == {office.ani, office.budi}


def test_auditors_are_told_where_an_agency_has_no_second_administrator(office: Office) -> None:
    office.end_roles(office.budi)
    office.ask()
    assert {to for to, _ in office.post.sent} == {office.ani, office.auditor}


def test_what_the_owner_of_the_machine_changes_is_told_to_the_agency(
    office: Office, begin: Begin, clock: FrozenClock
) -> None:
    agencies = Agencies(
        begin=begin,
        read=begin,
        clock=clock,
        audit=Audit(clock=clock),
        policy=AgencyPolicy(),
        news=ClientNews(outbox=office.post, contacts=office.post),
    )
    made = agencies.register_client("dinas", name="x", scopes=[READ], jwks=keys("x"), actor="cli:root")
    agencies.replace_keys(made.id, keys("y"), actor="cli:root")
    agencies.change_scopes(made.id, [ISSUE], actor="cli:root")
    agencies.change_scopes(made.id, [ISSUE], actor="cli:root")  # nothing changed
    told = [(who, "system_changed") for who in sorted([office.ani, office.budi])]
    assert office.post.sent == told * 3
