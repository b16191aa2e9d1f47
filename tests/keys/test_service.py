"""Custody: every move between states, who may sign when, and how fast a stop takes effect."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import Connection, Engine, event

from keys import tables
from keys.errors import (
    KeyExpired,
    KeyNotActive,
    KeyNotExportable,
    KeyUnavailable,
    KeyUnknown,
    NoActiveKey,
    StoreUnknown,
    TransitionForbidden,
    WrongPurpose,
    WrongScheme,
)
from keys.model import TRANSITIONS, KeyAlgorithm, KeyPurpose, KeyRecord, KeyState, may_move
from keys.ports import Begin
from keys.service import KeyService
from keys.stores.kek import KeyEncryptionKey
from keys.stores.software import SoftwareKeyStore
from keys.usage import FIRST_BLOCK
from tests.keys.conftest import AuditInTable, Times, audit_metadata, audited
from tests.keys.store_contract import verify

STEPS_TO = {
    KeyState.PRE_ACTIVATION: (),
    KeyState.ACTIVE: ("activate",),
    KeyState.SUSPENDED: ("activate", "suspend"),
    KeyState.DEACTIVATED: ("activate", "deactivate"),
    KeyState.COMPROMISED: ("activate", "mark_compromised"),
    KeyState.DESTROYED: ("destroy",),
}
ACT_OF = {
    KeyState.ACTIVE: "activate",
    KeyState.SUSPENDED: "suspend",
    KeyState.DEACTIVATED: "deactivate",
    KeyState.COMPROMISED: "mark_compromised",
    KeyState.DESTROYED: "destroy",
}
MOVES = [(origin, target) for origin in KeyState for target in ACT_OF]


def act_of(origin: KeyState, target: KeyState) -> str:
    """A key comes into use in two ways, and neither does for the other."""
    return "reinstate" if (origin, target) == (KeyState.SUSPENDED, KeyState.ACTIVE) else ACT_OF[target]


def in_state(service: KeyService, state: KeyState) -> KeyRecord:
    record = service.generate(KeyPurpose.SEAL, KeyAlgorithm.EC_P256, "dinas")
    for step in STEPS_TO[state]:
        record = getattr(service, step)(record.id)
    assert record.state is state
    return record


@pytest.mark.parametrize(("origin", "target"), [move for move in MOVES if not may_move(*move)])
def test_every_forbidden_move_is_refused_and_changes_nothing(
    service: KeyService, engine: Engine, origin: KeyState, target: KeyState
) -> None:
    record = in_state(service, origin)
    before = audited(engine)
    with pytest.raises(TransitionForbidden, match=f"is {origin}.*become {target}"):
        getattr(service, act_of(origin, target))(record.id)
    assert service.get(record.id) == record
    assert audited(engine) == before


@pytest.mark.parametrize(("origin", "target"), [move for move in MOVES if may_move(*move)])
def test_every_allowed_move_is_made_and_audited(
    service: KeyService, engine: Engine, origin: KeyState, target: KeyState
) -> None:
    record = in_state(service, origin)
    moved = getattr(service, act_of(origin, target))(record.id, actor="ayu")
    assert moved.state is target
    assert service.get(record.id) == moved
    assert len(audited(engine)) == len(STEPS_TO[origin]) + 2


def test_activating_lifts_no_suspension_and_reinstating_activates_nothing(service: KeyService) -> None:
    """Or whoever makes keys ready for use would give back one that was stopped."""
    suspended, waiting = in_state(service, KeyState.SUSPENDED), in_state(service, KeyState.PRE_ACTIVATION)
    with pytest.raises(TransitionForbidden, match="is suspended"):
        service.activate(suspended.id)
    with pytest.raises(TransitionForbidden, match="is pre-activation"):
        service.reinstate(waiting.id)
    assert service.get(suspended.id) == suspended
    assert service.get(waiting.id) == waiting


def test_consent_to_lift_a_suspension_lifts_no_later_one(service: KeyService, times: Times) -> None:
    record = in_state(service, KeyState.SUSPENDED)
    agreed = times.now.replace(microsecond=0)
    assert service.reinstate(record.id, suspended_by=agreed).state is KeyState.ACTIVE
    times.now += timedelta(minutes=1)
    service.suspend(record.id)
    with pytest.raises(TransitionForbidden, match="after it was asked"):
        service.reinstate(record.id, suspended_by=agreed)
    assert service.get(record.id).state is KeyState.SUSPENDED


def test_the_table_of_moves_names_every_state_and_nothing_leaves_destroyed() -> None:
    assert set(TRANSITIONS) == set(KeyState)
    assert not TRANSITIONS[KeyState.DESTROYED]
    assert not any(KeyState.PRE_ACTIVATION in targets for targets in TRANSITIONS.values())


@pytest.mark.parametrize("state", [state for state in KeyState if state is not KeyState.ACTIVE])
def test_only_active_keys_sign(service: KeyService, state: KeyState) -> None:
    record = in_state(service, state)
    with pytest.raises(KeyNotActive, match=state.value):
        service.handle(record.id)


def test_a_suspended_key_stops_here_at_once_and_elsewhere_within_the_staleness(
    service: KeyService, engine: Engine, software_store: SoftwareKeyStore, times: Times
) -> None:
    elsewhere = KeyService(
        begin=engine.begin,
        stores={"software": software_store},
        clock=times.clock,
        audit=_Silent(),
        monotonic=times.monotonic,
    )
    record = in_state(service, KeyState.ACTIVE)
    here, there = service.handle(record.id), elsewhere.handle(record.id)
    service.suspend(record.id)
    with pytest.raises(KeyNotActive):
        here.sign(b"x")
    there.sign(b"x")
    times.ticks += 1.0
    with pytest.raises(KeyNotActive):
        there.sign(b"x")
    service.reinstate(record.id)
    verify(record, here.sign(b"x"), b"x")


def test_the_hot_path_makes_no_query_per_signature(service: KeyService, engine: Engine, times: Times) -> None:
    in_state(service, KeyState.ACTIVE)
    service.active(KeyPurpose.SEAL, "dinas").sign(b"x")
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    for _ in range(FIRST_BLOCK - 2):
        service.active(KeyPurpose.SEAL, "dinas").sign(b"x")
    assert statements == []
    times.ticks += 1.0
    service.active(KeyPurpose.SEAL, "dinas").sign(b"x")
    assert len(statements) == 1


def test_a_key_past_its_cryptoperiod_stops_signing(service: KeyService, times: Times) -> None:
    record = service.generate(
        KeyPurpose.RECEIPT, KeyAlgorithm.EC_P256, not_after=times.now + timedelta(days=1)
    )
    service.activate(record.id)
    handle = service.handle(record.id)
    times.now += timedelta(days=1)
    handle.sign(b"x")
    times.now += timedelta(seconds=1)
    with pytest.raises(KeyExpired, match="rotate"):
        handle.sign(b"x")


def test_a_key_is_handed_out_for_its_own_purpose_and_owner_only(service: KeyService) -> None:
    record = in_state(service, KeyState.ACTIVE)
    with pytest.raises(WrongPurpose):
        service.handle(record.id, purpose=KeyPurpose.TIMESTAMPING)
    with pytest.raises(NoActiveKey, match="lain"):
        service.active(KeyPurpose.SEAL, "lain")
    with pytest.raises(NoActiveKey):
        service.active(KeyPurpose.OCSP, "dinas")
    with pytest.raises(KeyUnknown):
        service.handle("tidak-ada")


def test_the_newest_active_key_is_used(service: KeyService, times: Times) -> None:
    in_state(service, KeyState.ACTIVE)
    times.now += timedelta(hours=1)
    newer = in_state(service, KeyState.ACTIVE)
    assert service.active(KeyPurpose.SEAL, "dinas").record.id == newer.id
    assert [record.owner for record in service.list()] == ["dinas", "dinas"]


def test_a_destroyed_key_is_gone_from_memory_and_store(
    service: KeyService, software_store: SoftwareKeyStore
) -> None:
    record = in_state(service, KeyState.ACTIVE)
    handle = service.handle(record.id)
    service.deactivate(record.id)
    service.destroy(record.id)
    with pytest.raises(KeyNotActive):
        handle.sign(b"x")
    with pytest.raises(KeyUnavailable):
        software_store.open(record)


def test_a_destruction_cut_off_after_the_store_is_finished_by_a_second_call(
    service: KeyService, software_store: SoftwareKeyStore
) -> None:
    record = in_state(service, KeyState.DEACTIVATED)
    software_store.destroy(record)  # the crash came before the record was moved
    assert service.destroy(record.id).state is KeyState.DESTROYED


def test_a_move_whose_audit_entry_fails_is_not_made(
    engine: Engine, service: KeyService, software_store: SoftwareKeyStore, times: Times
) -> None:
    record = in_state(service, KeyState.ACTIVE)
    deaf = KeyService(
        begin=engine.begin, stores={"software": software_store}, clock=times.clock, audit=_Failing()
    )
    with pytest.raises(OSError, match="audit"):
        deaf.suspend(record.id)
    assert service.get(record.id).state is KeyState.ACTIVE


def test_a_handle_never_gives_private_bytes_nor_another_scheme(service: KeyService) -> None:
    key = service.handle(in_state(service, KeyState.ACTIVE).id).as_private_key()
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert (copy.copy(key), copy.deepcopy(key), key.key_size, key.curve.name) == (key, key, 256, "secp256r1")
    with pytest.raises(KeyNotExportable):
        key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(KeyNotExportable):
        key.private_numbers()
    with pytest.raises(WrongScheme, match="sha256 only"):
        key.sign(b"x", ec.ECDSA(hashes.SHA512()))
    with pytest.raises(WrongScheme):
        key.exchange(ec.ECDH(), key.public_key())


def test_an_rsa_handle_keeps_to_its_scheme(service: KeyService) -> None:
    record = service.generate(KeyPurpose.SEAL, KeyAlgorithm.RSA_3072)
    key = service.handle(service.activate(record.id).id).as_private_key()
    assert isinstance(key, rsa.RSAPrivateKey)
    verify(record, key.sign(b"x", padding.PKCS1v15(), hashes.SHA256()), b"x")
    assert (copy.copy(key), copy.deepcopy(key), key.key_size) == (key, key, 3072)
    with pytest.raises(WrongScheme):
        key.sign(b"x", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    with pytest.raises(WrongScheme):
        key.sign(b"x", padding.PKCS1v15(), hashes.SHA1())
    with pytest.raises(WrongScheme):
        key.decrypt(b"x", padding.PKCS1v15())


def test_stores_that_are_not_configured_are_named(
    engine: Engine, service: KeyService, software_store: SoftwareKeyStore, times: Times
) -> None:
    record = in_state(service, KeyState.ACTIVE)
    with pytest.raises(StoreUnknown, match="ABSAH_KEYS_STORES"):
        KeyService(begin=engine.begin, stores={}, clock=times.clock, audit=_Silent())
    other = KeyService(
        begin=engine.begin,
        stores={"hsm": software_store},
        clock=times.clock,
        audit=_Silent(),
        store_of=dict.fromkeys(KeyPurpose, "hsm"),
    )
    with pytest.raises(StoreUnknown, match="software"):
        other.handle(record.id)


def test_custody_works_alike_on_both_databases(
    begin_with: Callable[..., Begin], kek_file: Path, times: Times
) -> None:
    begin = begin_with(tables.metadata, audit_metadata)
    store = SoftwareKeyStore(encrypted_keys=tables.EncryptedKeyTable(begin), kek=KeyEncryptionKey(kek_file))
    service = KeyService(begin=begin, stores={"software": store}, clock=times.clock, audit=AuditInTable())
    ends = times.now + timedelta(days=365)
    record = service.generate(KeyPurpose.SEAL, KeyAlgorithm.EC_P384, "dinas", not_after=ends)
    service.activate(record.id)
    (stored,) = service.list()
    assert (stored.created_at, stored.not_after, stored.state) == (times.now, ends, KeyState.ACTIVE)
    verify(record, service.active(KeyPurpose.SEAL, "dinas").sign(b"x"), b"x")
    service.deactivate(record.id)
    assert service.destroy(record.id).state is KeyState.DESTROYED


class _Silent:
    def append(
        self, tx: Connection, *, action: str, actor: str, subject: str, facts: Mapping[str, str] | None = None
    ) -> None: ...


class _Failing(_Silent):
    def append(
        self, tx: Connection, *, action: str, actor: str, subject: str, facts: Mapping[str, str] | None = None
    ) -> None:
        raise OSError("the audit disk is full")
