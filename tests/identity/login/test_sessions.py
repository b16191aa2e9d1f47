"""The life of sessions: what opens one, what keeps it, and everything that ends it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from app import audit
from app.audit import Audit
from app.database import Database
from identity import tables
from identity.factors.model import FactorKind
from identity.login.errors import SessionGone
from identity.login.model import Acr, Secret, Session, SessionPolicy
from identity.login.sessions import Sessions, upgraded
from identity.people.model import Person, PersonState, ProofingLevel
from identity.people.profiles import Profiles
from identity.people.tables import PersonTable
from tests.identity.login.conftest import PHONE, STRANGER, House, at_once
from tests.support.clock import FrozenClock
from tests.support.vault import vault_in

BOTH = (FactorKind.PASSWORD, FactorKind.TOTP)


def _open(house: House, person_id: str) -> tuple[str, Session]:
    with house.database.begin() as tx:
        opened = house.sessions.open_within(tx, person_id, BOTH, PHONE)
    return opened.secret, opened.session


@pytest.fixture
def siti(house: House) -> str:
    return house.person(password=False, totp=False).person_id


def test_idleness_ends_a_session_and_use_keeps_it(house: House, siti: str) -> None:
    secret, session = _open(house, siti)
    for _ in range(3):
        house.clock.advance(timedelta(minutes=59))
        found = house.sessions.find(secret)
        assert found is not None
        assert found.id == session.id
        assert found.last_seen_at == house.clock()
    house.clock.advance(timedelta(hours=1))
    assert house.sessions.find(secret) is None


def test_age_ends_a_session_however_busy(house: House, siti: str) -> None:
    secret, _ = _open(house, siti)
    for _ in range(23):
        house.clock.advance(timedelta(minutes=30))
        assert house.sessions.find(secret) is not None
    house.clock.advance(timedelta(minutes=30))
    assert house.sessions.find(secret) is None


def test_activity_is_written_at_most_once_a_minute(house: House, siti: str) -> None:
    secret, session = _open(house, siti)
    house.clock.advance(timedelta(seconds=59))
    assert house.sessions.find(secret) == session
    house.clock.advance(timedelta(seconds=1))
    found = house.sessions.find(secret)
    assert found is not None
    assert found.last_seen_at == house.clock()


def test_only_a_hash_of_the_secret_is_kept(house: House, siti: str) -> None:
    secret, session = _open(house, siti)
    assert len(secret) == 43
    with house.database.read() as tx:
        kept = tx.exec_driver_sql("SELECT secret_hash FROM sessions").scalar_one()
    assert bytes(kept) != secret.encode()
    assert house.sessions.find(bytes(kept).hex()) is None
    assert house.sessions.find(session.id) is None


@pytest.mark.parametrize(
    "hostile", [None, "", "x" * 42, "x" * 44, "x" * 43, "é" * 43, "\ud800", "x" * 100_000]
)
def test_what_is_no_secret_finds_nothing(house: House, hostile: str | None) -> None:
    assert house.sessions.find(hostile) is None


def test_sessions_are_listed_and_ended_one_by_one_by_their_owner_only(house: House, siti: str) -> None:
    budi = house.person(email="budi@contoh.id", password=False, totp=False).person_id
    (one, first), (two, second), (his, _) = (_open(house, siti), _open(house, siti), _open(house, budi))
    house.clock.advance(timedelta(minutes=5))
    house.sessions.find(one)
    assert [session.id for session in house.sessions.of(siti)] == [first.id, second.id]
    with pytest.raises(SessionGone):
        house.sessions.end(budi, first.id, actor=budi)
    house.sessions.end(siti, first.id, actor=siti)
    with pytest.raises(SessionGone):
        house.sessions.end(siti, first.id, actor=siti)
    assert house.sessions.find(one) is None
    assert house.sessions.find(two) is not None
    assert house.sessions.find(his) is not None
    assert house.ended == [first.id]
    assert house.audited()[-1] == "session.ended"


def test_all_but_this_one_can_be_ended(house: House, siti: str) -> None:
    (here, session), (there, other) = _open(house, siti), _open(house, siti)
    assert house.sessions.end_all(siti, actor=siti, keep=session.id) == 1
    assert house.sessions.find(here) is not None
    assert house.sessions.find(there) is None
    assert house.ended == [other.id]
    assert house.sessions.end_all(siti, actor=siti, keep=session.id) == 0


def test_what_is_over_is_cleared_away_and_told(house: House, siti: str) -> None:
    (_, idle), (busy, _) = _open(house, siti), _open(house, siti)
    house.clock.advance(timedelta(minutes=40))
    house.sessions.find(busy)
    house.clock.advance(timedelta(minutes=20))
    assert house.sessions.of(siti)[0].id != idle.id
    assert len(house.sessions.of(siti)) == 1
    outcomes = at_once(4, house.sessions.end_over)
    assert sorted(str(outcome) for outcome in outcomes) == ["0", "0", "0", "1"]
    assert house.ended == [idle.id]
    assert house.sessions.find(busy) is not None


def test_a_listener_that_fails_keeps_the_session(house: House, siti: str) -> None:
    """Portals learn of an end in its own transaction: neither happens without the other."""
    secret, session = _open(house, siti)

    def fails(tx: object, ended: object) -> None:
        raise RuntimeError("full disk")

    broken = Sessions(
        begin=house.database.begin,
        read=house.database.read,
        clock=house.clock,
        audit=Audit(clock=house.clock),
        vault=house.vault,
        endings=[fails],
    )
    with pytest.raises(RuntimeError):
        broken.end(siti, session.id, actor=siti)
    assert house.sessions.find(secret) is not None


def test_an_export_holds_sessions_in_words_and_no_secret(house: House, siti: str) -> None:
    secret, session = _open(house, siti)
    held = repr(house.sessions.held(siti))
    assert "Chrome on Android" in held
    assert "103.10.66.*" in held
    assert secret not in held
    assert session.id not in held


def test_erasure_leaves_nothing(house: House) -> None:
    siti = house.person(codes=True)
    house.enter(siti)
    house.login.start("siti.rahma@contoh.id", "tujuh kuda lumping", STRANGER)
    house.recoveries.start("siti.rahma@contoh.id", PHONE)
    with house.database.begin() as tx:
        house.sessions.forget(tx, siti.person_id)
    with house.database.read() as tx:
        for table in ("sessions", "half_sessions", "known_devices", "repudiations", "recoveries"):
            assert tx.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0


def test_repr_shows_no_secret(house: House, siti: str) -> None:
    with house.database.begin() as tx:
        opened = house.sessions.open_within(tx, siti, BOTH, PHONE)
    assert opened.secret not in repr(opened)
    secret = Secret.new()
    assert secret.text not in repr(secret)


# --- the whole life, in any order -----------------------------------------------------------------------


@contextmanager
def _ground() -> Iterator[tuple[Database, FrozenClock, Any]]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        clock = FrozenClock()
        database = Database(f"sqlite:///{folder}/life.sqlite3")
        stack.callback(database.close)
        audit.metadata.create_all(database.engine)
        tables.metadata.create_all(database.engine)
        yield database, clock, stack.enter_context(vault_in(Path(folder), clock))


class SessionLife(RuleBasedStateMachine):
    """Sessions against a dictionary that holds what should be open."""

    secrets = Bundle("secrets")
    dead = Bundle("dead")
    policy = SessionPolicy(
        idle=timedelta(minutes=30), absolute=timedelta(hours=3), touch=timedelta(minutes=2)
    )
    people = ("person-a", "person-b")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.database, self.clock, vault = self.stack.enter_context(_ground())
        self.ended: list[str] = []
        self.sessions = Sessions(
            begin=self.database.begin,
            read=self.database.read,
            clock=self.clock,
            audit=Audit(clock=self.clock),
            vault=vault,
            policy=self.policy,
            endings=[lambda tx, ids: self.ended.extend(ids)],
        )
        self.open: dict[str, Session] = {}
        with self.database.begin() as tx:
            for person_id in self.people:
                person = Person(
                    person_id, PersonState.ACTIVE, ProofingLevel.IAL0, "id", "Siti", None, None, None, None,
                    self.clock(),
                )  # fmt: skip
                PersonTable(tx).add(Profiles(vault).record(person, now=self.clock()))

    def teardown(self) -> None:
        self.stack.close()

    def _is_over(self, session: Session) -> bool:
        return session.is_over(self.clock(), self.policy)

    def _ids(self, person_id: str) -> set[str]:
        return {
            session.id
            for session in self.open.values()
            if session.person_id == person_id and not self._is_over(session)
        }

    @initialize()
    def begin_of_day(self) -> None:
        self.clock.advance(timedelta(seconds=1))

    @rule(
        target=secrets,
        person_id=st.sampled_from(people),
        kinds=st.sampled_from([BOTH, (FactorKind.PASSKEY,)]),
    )
    def log_in(self, person_id: str, kinds: tuple[FactorKind, ...]) -> str:
        with self.database.begin() as tx:
            opened = self.sessions.open_within(tx, person_id, kinds, PHONE)
        assert opened.secret not in self.open
        assert opened.session.acr is (Acr.AAL2 if kinds == BOTH else Acr.PHR)
        self.open[opened.secret] = opened.session
        return opened.secret

    @rule(secret=secrets)
    def use(self, secret: str) -> None:
        found = self.sessions.find(secret)
        session = self.open.get(secret)
        if session is None or self._is_over(session):
            assert found is None
            return
        assert found is not None
        assert found.id == session.id
        assert self.clock() - found.last_seen_at < self.policy.touch
        self.open[secret] = found

    @rule(
        target=secrets, secret=consumes(secrets), kind=st.sampled_from([FactorKind.TOTP, FactorKind.PASSKEY])
    )
    def step_up(self, secret: str, kind: FactorKind) -> str:
        session = self.open.get(secret)
        if session is None or self._is_over(session):
            return secret
        renewed = upgraded(session, kind, self.clock())
        with self.database.begin() as tx:
            fresh = self.sessions.renew_within(tx, secret, renewed)
        with pytest.raises(SessionGone), self.database.begin() as tx:
            self.sessions.renew_within(tx, secret, renewed)
        assert self.sessions.find(secret) is None
        del self.open[secret]
        self.open[fresh] = renewed
        return fresh

    @rule(secret=secrets)
    def end(self, secret: str) -> None:
        session = self.open.pop(secret, None)
        if session is None:
            return
        self.sessions.end(session.person_id, session.id, actor=session.person_id)
        assert session.id in self.ended

    @rule(person_id=st.sampled_from(people))
    def new_password(self, person_id: str) -> None:
        with self.database.begin() as tx:
            self.sessions.password_changed(tx, person_id)
        self.open = {secret: held for secret, held in self.open.items() if held.person_id != person_id}

    @rule(person_id=st.sampled_from(people), secret=secrets)
    def end_the_others(self, person_id: str, secret: str) -> None:
        kept = self.open.get(secret)
        self.sessions.end_all(person_id, actor=person_id, keep=kept.id if kept else None)
        self.open = {
            text: held
            for text, held in self.open.items()
            if held.person_id != person_id or (kept is not None and held.id == kept.id)
        }

    @rule(minutes=st.integers(1, 100))
    def time_passes(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    @rule()
    def upkeep(self) -> None:
        over = {session.id for session in self.open.values() if self._is_over(session)}
        before = len(self.ended)
        self.sessions.end_over()
        assert set(self.ended[before:]) == over
        self.open = {text: held for text, held in self.open.items() if held.id not in over}

    @invariant()
    def each_ended_once(self) -> None:
        assert len(self.ended) == len(set(self.ended))

    @invariant()
    def lists_tell_what_is_open(self) -> None:
        for person_id in self.people:
            assert {session.id for session in self.sessions.of(person_id)} == self._ids(person_id)


SessionLife.TestCase.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestSessionLife = SessionLife.TestCase
