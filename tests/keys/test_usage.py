"""How uses are counted: never fewer than there were, across processes, and up to a limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keys import tables
from keys.errors import KeyExpired, KeyWornOut
from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord, KeyState
from keys.ports import Begin
from keys.service import KeyService
from keys.stores.kek import KeyEncryptionKey
from keys.stores.software import SoftwareKeyStore
from keys.tables import KeyRecords
from keys.usage import FIRST_BLOCK, LARGEST_BLOCK, LIMITS, KeyUsage
from tests.keys.conftest import AuditInTable, Times, audit_metadata

KEY = KeyRecord(
    "seal-1", KeyPurpose.SEAL, KeyAlgorithm.EC_P256, "dinas", "software", KeyState.ACTIVE, b"",
    datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip


@pytest.fixture
def begin(begin_with: Callable[..., Begin]) -> Begin:
    begin = begin_with(tables.metadata, audit_metadata)
    with begin() as tx:
        KeyRecords(tx).add(KEY)
    return begin


def _counted(begin: Begin, key_id: str = KEY.id) -> int:
    return KeyUsage(begin=begin).of_all()[key_id].uses


def test_a_process_that_stops_leaves_the_exact_count(begin: Begin) -> None:
    for uses in (3, 200, 1):
        process = KeyUsage(begin=begin)
        for _ in range(uses):
            process.spend(KEY)
        process.give_back()
    assert _counted(begin) == 204


def test_a_process_that_is_killed_is_counted_for_more_than_it_did_and_for_a_block_at_most(
    begin: Begin,
) -> None:
    for uses in (1, FIRST_BLOCK, FIRST_BLOCK + 1, 10_000):
        before = KeyUsage(begin=begin).of_all().get(KEY.id)
        counted_before = before.uses if before else 0
        killed = KeyUsage(begin=begin)
        for _ in range(uses):
            killed.spend(KEY)
        counted = _counted(begin) - counted_before
        assert uses <= counted <= uses + max(FIRST_BLOCK, min(2 * uses, LARGEST_BLOCK))


def test_at_every_moment_the_register_knows_of_at_least_the_uses_that_were_made(begin: Begin) -> None:
    process = KeyUsage(begin=begin)
    for made in range(1, 3 * FIRST_BLOCK + 2):
        process.spend(KEY)
        assert _counted(begin) >= made


def test_threads_and_processes_together_lose_no_use(begin: Begin) -> None:
    processes = [KeyUsage(begin=begin) for _ in range(3)]

    def work(process: KeyUsage) -> None:
        for _ in range(500):
            process.spend(KEY)

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, process) for process in processes * 2]:
            done.result()
    for process in processes:
        process.give_back()
    assert _counted(begin) == 3000


@pytest.mark.parametrize("limit", [1, 7, 100, 5000])
def test_a_key_makes_exactly_as_many_signatures_as_its_limit_allows(begin: Begin, limit: int) -> None:
    process = KeyUsage(begin=begin, limits={KeyPurpose.SEAL: limit})
    for _ in range(limit):
        process.spend(KEY)
    for _ in range(2):
        with pytest.raises(KeyWornOut, match=f"{limit:,} uses for a seal key: rotate it"):
            process.spend(KEY)
    assert _counted(begin) == limit


def test_several_processes_never_pass_the_limit_together_and_stop_near_it(begin: Begin) -> None:
    processes = [KeyUsage(begin=begin, limits={KeyPurpose.SEAL: 2000}) for _ in range(4)]

    def work(process: KeyUsage) -> int:
        made = 0
        with suppress(KeyWornOut):
            while True:
                process.spend(KEY)
                made += 1
        return made

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(work, processes))
    assert sum(made) == 2000


def test_one_key_that_is_worn_out_holds_up_no_other(begin: Begin) -> None:
    other = KeyRecord(
        "seal-2", KEY.purpose, KEY.algorithm, "lain", "software", KEY.state, b"", KEY.created_at
    )
    with begin() as tx:
        KeyRecords(tx).add(other)
    process = KeyUsage(begin=begin, limits={KeyPurpose.SEAL: 1})
    process.spend(KEY)
    with pytest.raises(KeyWornOut):
        process.spend(KEY)
    process.spend(other)


def test_unwrapping_is_counted_apart_and_never_runs_out(begin: Begin) -> None:
    process = KeyUsage(begin=begin, limits={KeyPurpose.SEAL: 1})
    for _ in range(5):
        process.note_unwrap(KEY.id)
    process.give_back()
    process.give_back()
    assert KeyUsage(begin=begin).of_all()[KEY.id].unwraps == 5
    assert _counted(begin) == 0


def test_wrapping_keys_stop_at_what_random_nonces_bear_unless_told_otherwise(begin: Begin) -> None:
    assert LIMITS == {KeyPurpose.WRAPPING: 2**32}
    assert KeyUsage(begin=begin).limits[KeyPurpose.WRAPPING] == 2**32
    assert KeyUsage(begin=begin, limits={KeyPurpose.WRAPPING: 10}).limits[KeyPurpose.WRAPPING] == 10


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 90), st.booleans()), max_size=8))
def test_whatever_processes_do_the_count_stays_between_the_uses_and_the_limit(
    begin: Begin, acts: list[tuple[int, int, bool]]
) -> None:
    known = KeyUsage(begin=begin).of_all().get(KEY.id)
    limit = (known.uses if known else 0) + 300
    processes = [KeyUsage(begin=begin, limits={KeyPurpose.SEAL: limit}) for _ in range(3)]
    made = limit - 300
    for which, uses, stops in acts:
        for _ in range(uses):
            with suppress(KeyWornOut):
                processes[which].spend(KEY)
                made += 1
        if stops:
            processes[which].give_back()
        counted = KeyUsage(begin=begin).of_all().get(KEY.id)
        assert made <= (counted.uses if counted else 0) <= limit


# --- as the service does it --------------------------------------------------------------------------


class _Told:
    def __init__(self) -> None:
        self.uses: list[str] = []
        self.refusals: list[str] = []

    def used(self, key: KeyRecord) -> None:
        self.uses.append(key.purpose.value)

    def refused(self, key: KeyRecord, reason: str) -> None:
        self.refusals.append(reason)


@pytest.fixture
def custody(begin: Begin, kek_file: Path, times: Times) -> Iterator[KeyService]:
    made = KeyService(
        begin=begin,
        stores={
            "software": SoftwareKeyStore(
                encrypted_keys=tables.EncryptedKeyTable(begin), kek=KeyEncryptionKey(kek_file)
            )
        },
        clock=times.clock,
        audit=AuditInTable(),
        limits={KeyPurpose.SEAL: 3, KeyPurpose.WRAPPING: 2},
        monotonic=times.monotonic,
    )
    yield made
    made.close()


def test_every_signature_and_wrapping_is_counted_and_told(custody: KeyService, begin: Begin) -> None:
    told = _Told()
    custody.watch(told)
    seal = custody.generate(KeyPurpose.SEAL, KeyAlgorithm.EC_P256, "dinas")
    wrapping = custody.generate(KeyPurpose.WRAPPING, KeyAlgorithm.AES_256)
    for key in (seal, wrapping):
        custody.activate(key.id)
    handle = custody.handle(seal.id)
    handle.sign(b"1")
    handle.sign(b"2")
    key_id, wrapped = custody.wrap(bytes(32), associated_data=b"x")
    for _ in range(3):
        custody.unwrap(key_id, wrapped, associated_data=b"x")
    custody.close()
    counted = custody.usage.of_all()
    assert (counted[seal.id].uses, counted[wrapping.id].uses, counted[wrapping.id].unwraps) == (2, 1, 3)
    assert told.uses == ["seal", "seal", "wrapping"]


def test_a_key_past_its_limit_refuses_and_says_what_to_do(custody: KeyService) -> None:
    told = _Told()
    custody.watch(told)
    seal = custody.activate(custody.generate(KeyPurpose.SEAL, KeyAlgorithm.EC_P256, "dinas").id)
    wrapping = custody.activate(custody.generate(KeyPurpose.WRAPPING, KeyAlgorithm.AES_256).id)
    handle = custody.handle(seal.id)
    for _ in range(3):
        handle.sign(b"x")
    with pytest.raises(KeyWornOut, match="absah keys rotate seal"):
        handle.sign(b"x")
    key_id, wrapped = custody.wrap(bytes(32), associated_data=b"")
    custody.wrap(bytes(32), associated_data=b"")
    with pytest.raises(KeyWornOut, match="absah keys rotate wrapping"):
        custody.wrap(bytes(32), associated_data=b"")
    assert custody.unwrap(key_id, wrapped, associated_data=b"") == bytes(32)
    assert wrapping.id == key_id
    assert told.refusals == ["limit", "limit"]


def test_a_wrapping_key_out_of_date_wraps_no_more_and_goes_on_unwrapping(
    custody: KeyService, times: Times
) -> None:
    key = custody.generate(KeyPurpose.WRAPPING, KeyAlgorithm.AES_256, not_after=times.now)
    custody.activate(key.id)
    _, wrapped = custody.wrap(bytes(32), associated_data=b"")
    times.now = times.now.replace(year=times.now.year + 1)
    with pytest.raises(KeyExpired):
        custody.wrap(bytes(32), associated_data=b"")
    assert custody.unwrap(key.id, wrapped, associated_data=b"") == bytes(32)


def test_counting_costs_a_signature_next_to_nothing(begin: Begin) -> None:
    """A P-256 signature takes 25 µs and more; this stays under a fifth of that on the slowest machine."""
    process = KeyUsage(begin=begin)
    process.spend(KEY)
    rounds = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(2000):
            process.spend(KEY)
        rounds.append((time.perf_counter() - started) / 2000)
    assert min(rounds) < 5e-6
