"""Envelope encryption: what opens where, what each rotation changes, and what it must never change."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from sqlalchemy import Engine, select, update

from keys.envelope import FINGERPRINT, Envelope
from keys.errors import (
    DataKeyFixed,
    DataKeyMissing,
    DataKeyUnknown,
    KeyNotUsable,
    KeyStillNeeded,
    NoActiveKey,
    SealedValueInvalid,
    WrongPurpose,
)
from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState
from keys.service import KeyService
from keys.stores.software import SoftwareKeyStore
from keys.tables import data_keys
from tests.keys.conftest import AuditInTable, Times, audited

NIK = b"3273010101900001"


def new_wrapping_key(service: KeyService) -> KeyRecord:
    return service.activate(service.generate(KeyPurpose.WRAPPING, KeyAlgorithm.AES_256).id)


@pytest.fixture
def wrapping_key(service: KeyService) -> KeyRecord:
    return new_wrapping_key(service)


@pytest.fixture
def another_process(engine: Engine, software_store: SoftwareKeyStore, times: Times) -> Callable[[], Envelope]:
    """Each call is a process that has opened nothing yet."""

    def start() -> Envelope:
        keys = KeyService(
            begin=engine.begin,
            stores={"software": software_store},
            clock=times.clock,
            audit=AuditInTable(),
            monotonic=times.monotonic,
        )
        return Envelope(
            keys=keys, begin=engine.begin, clock=times.clock, audit=AuditInTable(), monotonic=times.monotonic
        )

    return start


@pytest.fixture
def envelope(another_process: Callable[[], Envelope], wrapping_key: KeyRecord) -> Envelope:
    made = another_process()
    made.ensure(["person", "totp"])
    return made


# --- what opens where --------------------------------------------------------------------------------


def test_a_value_opens_for_its_purpose_and_context_in_any_process(
    envelope: Envelope, another_process: Callable[[], Envelope]
) -> None:
    sealed = envelope.seal("person", NIK, context="person-1")
    assert another_process().open("person", sealed, context="person-1") == NIK
    assert NIK not in sealed
    assert len(sealed) == len(NIK) + 33


def test_the_same_value_sealed_twice_shows_no_sameness(envelope: Envelope) -> None:
    first, second = (envelope.seal("person", NIK, context="p") for _ in range(2))
    assert first[5:] != second[5:]


def test_a_value_moved_to_another_row_or_purpose_does_not_open(envelope: Envelope) -> None:
    sealed = envelope.seal("person", NIK, context="person-1")
    with pytest.raises(SealedValueInvalid):
        envelope.open("person", sealed, context="person-2")
    with pytest.raises(SealedValueInvalid):
        envelope.open("totp", sealed, context="person-1")


def test_every_flipped_bit_and_every_cut_is_noticed(envelope: Envelope) -> None:
    sealed = envelope.seal("person", NIK, context="p")
    for place in range(len(sealed)):
        altered = bytearray(sealed)
        altered[place] ^= 1
        with pytest.raises((SealedValueInvalid, DataKeyUnknown)):
            envelope.open("person", bytes(altered), context="p")
        with pytest.raises(SealedValueInvalid):
            envelope.open("person", sealed[:place], context="p")


def test_an_unknown_version_is_named_and_an_unknown_purpose_says_the_remedy(envelope: Envelope) -> None:
    sealed = bytearray(envelope.seal("person", b"x", context="p"))
    sealed[1:5] = (4_000_000_000).to_bytes(4)
    with pytest.raises(DataKeyUnknown, match="version 4000000000"):
        envelope.open("person", bytes(sealed), context="p")
    with pytest.raises(DataKeyMissing, match="absah init"):
        envelope.seal("unheard-of", b"x", context="p")
    with pytest.raises(DataKeyMissing):
        envelope.rotate("unheard-of")


def test_a_version_put_in_the_place_of_another_is_noticed(
    envelope: Envelope, another_process: Callable[[], Envelope], engine: Engine
) -> None:
    """Whoever can write the table still cannot make an old value open under other bytes."""
    sealed = envelope.seal("person", NIK, context="p")
    with engine.begin() as tx:
        theirs = tx.execute(select(data_keys.c.wrapped).where(data_keys.c.purpose == "totp")).scalar_one()
        tx.execute(update(data_keys).where(data_keys.c.purpose == "person").values(wrapped=theirs))
    with pytest.raises(Exception, match="did not wrap this"):
        another_process().open("person", sealed, context="p")


def test_nothing_at_rest_is_a_data_key(envelope: Envelope, engine: Engine) -> None:
    with engine.begin() as tx:
        rows = [bytes(row.wrapped) for row in tx.execute(select(data_keys))]
    assert len(rows) == 3
    assert all(len(wrapped) == 12 + 32 + 16 for wrapped in rows)


# --- fingerprints ------------------------------------------------------------------------------------


def test_equal_values_have_equal_fingerprints_in_every_process_and_purposes_differ(
    envelope: Envelope, another_process: Callable[[], Envelope]
) -> None:
    mark = envelope.fingerprint("nik", "3273010101900001")
    assert another_process().fingerprint("nik", "3273010101900001") == mark
    assert len(mark) == 32
    others = {envelope.fingerprint("nik", "3273010101900002"), envelope.fingerprint("email", NIK.decode())}
    assert mark not in others
    assert len(others) == 2


def test_another_installation_computes_other_fingerprints(
    envelope: Envelope, another_process: Callable[[], Envelope], engine: Engine
) -> None:
    mark = envelope.fingerprint("nik", NIK.decode())
    with engine.begin() as tx:
        tx.execute(data_keys.delete())
    stranger = another_process()
    stranger.ensure([])
    assert stranger.fingerprint("nik", NIK.decode()) != mark


def test_the_key_of_fingerprints_is_never_rotated(
    envelope: Envelope, times: Times, another_process: Callable[[], Envelope]
) -> None:
    mark = envelope.fingerprint("nik", "1")
    with pytest.raises(DataKeyFixed, match="looked up"):
        envelope.rotate(FINGERPRINT)
    times.now += timedelta(days=5000)
    assert envelope.rotate_due(timedelta(days=365)) == 2
    assert another_process().fingerprint("nik", "1") == mark


# --- rotation of data keys ---------------------------------------------------------------------------


def test_after_a_rotation_the_new_version_seals_and_the_old_one_opens(
    envelope: Envelope, another_process: Callable[[], Envelope], times: Times, engine: Engine
) -> None:
    elsewhere = another_process()
    old = envelope.seal("person", b"old", context="p")
    elsewhere.seal("person", b"", context="p")
    assert envelope.rotate("person", actor="officer") == 2
    new = envelope.seal("person", b"new", context="p")
    assert int.from_bytes(new[1:5]) == 2
    assert elsewhere.open("person", new, context="p") == b"new"
    assert elsewhere.open("person", old, context="p") == b"old"
    assert elsewhere.seal("person", b"", context="p")[1:5] == old[1:5]
    times.ticks += 1.0
    assert elsewhere.seal("person", b"", context="p")[1:5] == new[1:5]
    assert audited(engine).count("data_key.made") == 4


def test_only_data_keys_that_are_too_old_are_rotated_by_policy(envelope: Envelope, times: Times) -> None:
    times.now += timedelta(days=200)
    envelope.rotate("totp")
    times.now += timedelta(days=200)
    assert envelope.rotate_due(timedelta(days=365)) == 1
    assert [(key.purpose, key.version) for key in envelope.list()] == [
        ("fingerprint", 1), ("person", 1), ("person", 2), ("totp", 1), ("totp", 2),
    ]  # fmt: skip


def test_many_processes_that_begin_together_make_one_data_key(
    another_process: Callable[[], Envelope], wrapping_key: KeyRecord
) -> None:
    processes = [another_process() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: one.ensure(["person"]), processes))
    sealed = [one.seal("person", b"x", context="p") for one in processes]
    assert len(another_process().list()) == 2
    assert all(other.open("person", one, context="p") == b"x" for one in sealed for other in processes)


# --- rotation of the wrapping key --------------------------------------------------------------------


def test_rewrapping_moves_every_data_key_once_and_changes_nothing_that_was_sealed(
    envelope: Envelope,
    service: KeyService,
    wrapping_key: KeyRecord,
    another_process: Callable[[], Envelope],
    engine: Engine,
) -> None:
    sealed, mark = envelope.seal("person", NIK, context="p"), envelope.fingerprint("nik", "1")
    fresh = new_wrapping_key(service)
    service.deactivate(wrapping_key.id)
    assert another_process().open("person", sealed, context="p") == NIK
    assert [another_process().rewrap(), another_process().rewrap()] == [3, 0]
    assert {key.wrapping_key for key in envelope.list()} == {fresh.id}
    service.destroy(wrapping_key.id)
    reader = another_process()
    assert reader.open("person", sealed, context="p") == NIK
    assert reader.fingerprint("nik", "1") == mark
    assert audited(engine).count("data_key.rewrapped") == 3


def test_no_read_fails_while_the_wrapping_key_rotates_again_and_again(
    envelope: Envelope, service: KeyService, another_process: Callable[[], Envelope]
) -> None:
    sealed = envelope.seal("person", NIK, context="p")
    over = Event()

    def read() -> int:
        done = 0
        while not over.is_set():
            assert another_process().open("person", sealed, context="p") == NIK
            done += 1
        return done

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for _ in range(6):
                old = service.newest(KeyPurpose.WRAPPING)
                new_wrapping_key(service)
                service.deactivate(old.id)
                envelope.rewrap()
                service.destroy(old.id)
        finally:
            over.set()
        assert all(reader.result() > 0 for reader in readers)


def test_a_wrapping_key_is_not_destroyed_while_it_wraps(
    envelope: Envelope, service: KeyService, wrapping_key: KeyRecord
) -> None:
    new_wrapping_key(service)
    service.deactivate(wrapping_key.id)
    with pytest.raises(KeyStillNeeded, match="3 data keys"):
        service.destroy(wrapping_key.id)
    assert envelope.rewrap() == 3
    assert service.destroy(wrapping_key.id).state is KeyState.DESTROYED


@pytest.mark.parametrize("act", ["suspend", "deactivate", "mark_compromised"])
def test_a_retired_wrapping_key_unwraps_but_wraps_no_more(
    envelope: Envelope,
    service: KeyService,
    wrapping_key: KeyRecord,
    another_process: Callable[[], Envelope],
    act: str,
) -> None:
    sealed = envelope.seal("person", NIK, context="p")
    getattr(service, act)(wrapping_key.id)
    assert another_process().open("person", sealed, context="p") == NIK
    with pytest.raises(NoActiveKey):
        envelope.rotate("person")


def test_a_key_that_never_wrapped_unwraps_nothing(service: KeyService) -> None:
    waiting = service.generate(KeyPurpose.WRAPPING, KeyAlgorithm.AES_256)
    with pytest.raises(KeyNotUsable):
        service.unwrap(waiting.id, bytes(60), associated_data=b"")
    seal = service.generate(KeyPurpose.SEAL, KeyAlgorithm.EC_P256)
    with pytest.raises(WrongPurpose):
        service.unwrap(seal.id, bytes(60), associated_data=b"")
