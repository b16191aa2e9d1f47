"""The register of keys against SP 800-57 part 1, section 7, on both stores: which moves exist, and who may
use a key in which state."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from sqlalchemy import create_engine

from keys import tables
from keys.errors import (
    KeyExpired,
    KeyNotActive,
    KeyNotUsable,
    KeyUnavailable,
    NoActiveKey,
    TransitionForbidden,
    WrongPurpose,
)
from keys.handle import KeyHandle
from keys.model import MAY_PROCESS, KeyAlgorithm, KeyPurpose, KeyRecord, KeyState, may_move
from keys.ports import KeyStore
from keys.service import KeyService
from keys.stores.kek import KeyEncryptionKey, create_key_encryption_key
from keys.stores.pkcs11.store import Pkcs11KeyStore
from keys.stores.pkcs11.token import Token
from keys.stores.software import SoftwareKeyStore
from tests.keys.conftest import AuditInTable, Times, audit_metadata
from tests.keys.store_contract import verify
from tests.support.hsm import running_hsm

ACTS = {
    KeyState.ACTIVE: "activate",
    KeyState.SUSPENDED: "suspend",
    KeyState.DEACTIVATED: "deactivate",
    KeyState.COMPROMISED: "mark_compromised",
    KeyState.DESTROYED: "destroy",
}
"""The state that each act of the service leads to. Nothing leads back to PRE_ACTIVATION."""


def act_of(origin: KeyState, target: KeyState) -> str:
    """A suspension is lifted by an act of its own."""
    return "reinstate" if (origin, target) == (KeyState.SUSPENDED, KeyState.ACTIVE) else ACTS[target]


WAYS = {
    KeyState.PRE_ACTIVATION: ("",),
    KeyState.ACTIVE: ("activate", "activate suspend reinstate"),
    KeyState.SUSPENDED: ("activate suspend",),
    KeyState.DEACTIVATED: ("activate deactivate", "activate suspend deactivate"),
    KeyState.COMPROMISED: ("mark_compromised", "activate suspend mark_compromised"),
    KeyState.DESTROYED: ("destroy", "activate deactivate destroy"),
}
"""Ways into each state. What may be done there must not depend on the way."""
SEC_7 = {
    (KeyState.PRE_ACTIVATION, KeyState.ACTIVE),
    (KeyState.PRE_ACTIVATION, KeyState.COMPROMISED),
    (KeyState.PRE_ACTIVATION, KeyState.DESTROYED),
    (KeyState.ACTIVE, KeyState.SUSPENDED),
    (KeyState.ACTIVE, KeyState.DEACTIVATED),
    (KeyState.ACTIVE, KeyState.COMPROMISED),
    (KeyState.SUSPENDED, KeyState.ACTIVE),
    (KeyState.SUSPENDED, KeyState.DEACTIVATED),
    (KeyState.SUSPENDED, KeyState.COMPROMISED),
    (KeyState.DEACTIVATED, KeyState.COMPROMISED),
    (KeyState.DEACTIVATED, KeyState.DESTROYED),
    (KeyState.COMPROMISED, KeyState.DESTROYED),
}
"""Written out a second time, from the standard's figure: a change of the code's table has to be made here,
too."""


@pytest.fixture(params=["software", "pkcs11"])
def custody(
    request: pytest.FixtureRequest,
    software_store: SoftwareKeyStore,
    engine: Any,
    times: Times,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[KeyService]:
    def service(store: KeyStore) -> KeyService:
        return KeyService(
            begin=engine.begin,
            stores={store.name: store},
            store_of=dict.fromkeys(KeyPurpose, store.name),
            clock=times.clock,
            audit=AuditInTable(),
            monotonic=times.monotonic,
        )

    if request.param == "software":
        yield service(software_store)
        return
    with running_hsm(monkeypatch) as hsm:
        yield service(Pkcs11KeyStore(Token(hsm.address())))


def _brought(custody: KeyService, way: str, purpose: KeyPurpose = KeyPurpose.SEAL) -> KeyRecord:
    algorithm = KeyAlgorithm.AES_256 if purpose is KeyPurpose.WRAPPING else KeyAlgorithm.EC_P256
    record = custody.generate(purpose, algorithm, "" if purpose is KeyPurpose.WRAPPING else "dinas")
    for act in way.split():
        record = getattr(custody, act)(record.id)
    return record


def test_the_moves_that_exist_are_those_of_the_standard() -> None:
    assert {move for move in product(KeyState, KeyState) if may_move(*move)} == SEC_7


@pytest.mark.parametrize("origin", KeyState, ids=str)
def test_every_pair_of_states_moves_as_the_standard_says_and_a_refusal_changes_nothing(
    custody: KeyService, origin: KeyState
) -> None:
    for way, target in product(WAYS[origin], ACTS):
        record = _brought(custody, way)
        assert record.state is origin
        if (origin, target) in SEC_7:
            assert getattr(custody, act_of(origin, target))(record.id).state is target
            continue
        with pytest.raises(TransitionForbidden, match=f"is {origin}.*cannot become {target}"):
            getattr(custody, ACTS[target])(record.id)
        assert custody.get(record.id) == record


@pytest.mark.parametrize("state", KeyState, ids=str)
def test_in_every_state_a_key_signs_only_if_that_state_is_active(
    custody: KeyService, state: KeyState, times: Times
) -> None:
    for way in WAYS[state]:
        record = _brought(custody, way)
        if state is KeyState.ACTIVE:
            verify(record, custody.handle(record.id).sign(b"x"), b"x")
            continue
        with pytest.raises(KeyNotActive, match=f"is {state} and does not sign"):
            custody.handle(record.id)
        with pytest.raises(NoActiveKey):
            custody.active(KeyPurpose.SEAL, "dinas")


@pytest.mark.parametrize(
    "target", [state for state in ACTS if state not in (KeyState.ACTIVE, KeyState.DESTROYED)], ids=str
)
def test_a_handle_that_was_opened_before_stops_with_its_key(custody: KeyService, target: KeyState) -> None:
    record = _brought(custody, "activate")
    handle = custody.handle(record.id)
    handle.sign(b"x")
    getattr(custody, ACTS[target])(record.id)
    for sign in (handle.sign, lambda data: _builder(handle, data)):
        with pytest.raises(KeyNotActive):
            sign(b"x")


def _builder(handle: KeyHandle, data: bytes) -> bytes:
    """As the library's builders of certificates call it."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = handle.as_private_key()
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("purpose", [purpose for purpose in KeyPurpose if purpose is not KeyPurpose.WRAPPING])
def test_a_key_of_one_purpose_serves_no_other(custody: KeyService, purpose: KeyPurpose) -> None:
    record = _brought(custody, "activate", purpose)
    for other in KeyPurpose:
        if other is purpose:
            custody.handle(record.id, purpose=other).sign(b"x")
        else:
            with pytest.raises(WrongPurpose):
                custody.handle(record.id, purpose=other)
    with pytest.raises(WrongPurpose):
        custody.unwrap(record.id, bytes(60), associated_data=b"")


def test_out_of_date_a_key_signs_no_more_by_any_way(custody: KeyService, times: Times) -> None:
    record = custody.generate(KeyPurpose.SEAL, KeyAlgorithm.EC_P256, "dinas", not_after=times.now)
    custody.activate(record.id)
    handle = custody.handle(record.id)
    handle.sign(b"the last instant belongs to it")
    times.now += timedelta(microseconds=1)
    for use in (
        lambda: handle.sign(b"x"),
        lambda: custody.handle(record.id),
        lambda: custody.active(KeyPurpose.SEAL, "dinas"),
    ):
        with pytest.raises(KeyExpired, match="absah keys rotate seal"):
            use()


@pytest.mark.parametrize("state", KeyState, ids=str)
def test_in_every_state_a_wrapping_key_wraps_and_unwraps_as_the_standard_says(
    custody: KeyService, state: KeyState
) -> None:
    for way in WAYS[state]:
        record = _brought(custody, "", KeyPurpose.WRAPPING)
        wrapped = b""
        for act in way.split():
            if custody.get(record.id).state is KeyState.ACTIVE and not wrapped:
                wrapped = custody.wrap(bytes(32), associated_data=b"")[1]
            record = getattr(custody, act)(record.id)
        if state is KeyState.ACTIVE:
            key_id, wrapped = custody.wrap(bytes(32), associated_data=b"")
            assert key_id == record.id
        else:
            with pytest.raises(NoActiveKey):
                custody.wrap(bytes(32), associated_data=b"")
        if state not in MAY_PROCESS:
            with pytest.raises(KeyNotUsable):
                custody.unwrap(record.id, wrapped or bytes(60), associated_data=b"")
        elif wrapped:
            assert custody.unwrap(record.id, wrapped, associated_data=b"") == bytes(32)
        if state is KeyState.ACTIVE:
            custody.deactivate(record.id)


# --- whatever order people do it in ------------------------------------------------------------------


class Register(RuleBasedStateMachine):
    """Two processes on one register, compared with what the standard says must come of it."""

    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp())
        self.times = Times()
        self.engine = create_engine(f"sqlite:///{self.folder / 'keys.db'}")
        tables.metadata.create_all(self.engine)
        audit_metadata.create_all(self.engine)
        create_key_encryption_key(self.folder / "kek")
        self.services = [self._service(), self._service()]
        self.states: dict[str, KeyState] = {}
        self.uses: dict[str, int] = {}

    def _service(self) -> KeyService:
        begin: Callable[..., Any] = self.engine.begin
        store = SoftwareKeyStore(
            encrypted_keys=tables.EncryptedKeyTable(begin), kek=KeyEncryptionKey(self.folder / "kek")
        )
        return KeyService(
            begin=begin,
            stores={"software": store},
            clock=self.times.clock,
            audit=AuditInTable(),
            monotonic=self.times.monotonic,
        )

    def teardown(self) -> None:
        for service in self.services:
            service.close()
        counted = self.services[0].usage.of_all()
        for key_id, made in self.uses.items():
            assert (counted[key_id].uses if made else 0) == made
        self.engine.dispose()
        shutil.rmtree(self.folder)

    @rule(target=made, by=st.integers(0, 1))
    def generate(self, by: int) -> str:
        key_id = self.services[by].generate(KeyPurpose.SEAL, KeyAlgorithm.EC_P256, "dinas").id
        self.states[key_id], self.uses[key_id] = KeyState.PRE_ACTIVATION, 0
        return key_id

    @rule(by=st.integers(0, 1), key_id=made, goal=st.sampled_from(list(ACTS)))
    def move(self, by: int, key_id: str, goal: KeyState) -> None:
        act = getattr(self.services[by], act_of(self.states[key_id], goal))
        if (self.states[key_id], goal) in SEC_7:
            assert act(key_id).state is goal
            self.states[key_id] = goal
        else:
            with pytest.raises(TransitionForbidden):
                act(key_id)

    @rule(by=st.integers(0, 1), key_id=made, waits=st.booleans())
    def sign(self, by: int, key_id: str, waits: bool) -> None:
        if waits:
            self.times.ticks += 1.0
        try:
            self.services[by].handle(key_id).sign(b"x")
        except KeyNotActive:  # it may remember for a second; it never invents
            assert not waits or self.states[key_id] is not KeyState.ACTIVE
        except KeyUnavailable:
            assert self.states[key_id] is KeyState.DESTROYED
            assert not waits
        else:
            assert not waits or self.states[key_id] is KeyState.ACTIVE
            self.uses[key_id] += 1

    @invariant()
    def the_register_says_what_happened(self) -> None:
        for service in self.services:
            assert {key.id: key.state for key in service.list()} == self.states


TestRegister = Register.TestCase
TestRegister.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
