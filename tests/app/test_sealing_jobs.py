"""Jobs that are interrupted, overtaken or impossible: one outcome each, and nothing left lying about."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import update

from app.demo import sample_documents
from app.wiring import Core
from signing import jobs as sealing_module
from signing.errors import (
    IdempotencyConflict,
    JobInProgress,
    SourceLost,
    SourceMissing,
    StateForbids,
)
from signing.model import SOURCES, Document, DocumentFacts, DocumentState, StateReason
from signing.ports import Caller
from signing.tables import DocumentTable, documents
from tests.support.clock import FrozenClock

PDF = sample_documents()[0].pdf
LEASE = timedelta(seconds=121)


def _caller() -> Caller:
    scopes = frozenset({"documents.issue:*", "documents.read", "documents.revoke"})
    return Caller("client-1", "dinas", "Dinas Contoh", scopes)


def _facts(number: str = "1/2026", supersedes: str | None = None) -> DocumentFacts:
    return DocumentFacts("decree", number, "Penetapan", "Kepala", date(2026, 5, 1), supersedes=supersedes)


def _seal(
    core: Core, number: str = "1/2026", *, key: str | None = None, supersedes: str | None = None
) -> Document:
    return core.sealing.seal(_caller(), _facts(number, supersedes), io.BytesIO(PDF), idempotency_key=key)


def _keys(core: Core, folder: str) -> set[str]:
    return {stored.key for stored in core.files.under(folder)}


class Killed(BaseException):
    """The process ends here: nothing catches it, nothing tidies up."""


def _die(*_: object, **__: object) -> None:
    raise Killed


def _abandoned(core: Core, monkeypatch: pytest.MonkeyPatch, number: str, *, at: str = "seal_pdf") -> None:
    """A pending document whose worker died while sealing."""
    with monkeypatch.context() as patch:
        patch.setattr(sealing_module.pdf, at, _die)
        with pytest.raises(Killed):
            _seal(core, number, key=number)


def _by_key(core: Core, key: str) -> Document:
    with core.database.read() as tx:
        found = DocumentTable(tx).by_idempotency_key("client-1", key)
    assert found is not None
    return found


def test_a_file_stored_before_a_crash_is_gone_when_the_job_is_finished(
    core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(DocumentTable, "issue", _die)
        with pytest.raises(Killed):
            _seal(core, key="k")
    left = _keys(core, "sealed/")
    assert len(left) == 1
    clock.advance(LEASE)
    document = _seal(core, key="k")
    assert _keys(core, "sealed/") == {document.sealed_key} != left
    assert _keys(core, SOURCES) == set()


@pytest.mark.either_database
def test_one_impossible_document_keeps_no_other_from_being_finished(
    core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("a", "poisoned", "b"):
        _abandoned(core, monkeypatch, number)
    clock.advance(LEASE)
    seal, tried = sealing_module.pdf.seal_pdf, []

    def poisoned(*, stamp: object, link: str, **rest: object) -> object:
        if _by_key(core, "poisoned").id in link:
            tried.append(clock())
            raise ZeroDivisionError
        return seal(stamp=stamp, link=link, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(sealing_module.pdf, "seal_pdf", poisoned)
    assert core.sealing.finish_abandoned() == 2
    assert _by_key(core, "poisoned").state is DocumentState.PENDING
    # It is tried again, ever more rarely: a dozen times in two days, not every round.
    for _ in range(2 * 24 * 6):
        clock.advance(timedelta(minutes=10))
        assert core.sealing.finish_abandoned() == 0
    assert 5 < len(tried) < 16
    # The caller's own retry does not wait for that.
    monkeypatch.setattr(sealing_module.pdf, "seal_pdf", seal)
    assert _seal(core, "poisoned", key="poisoned").state is DocumentState.ISSUED


def test_a_failure_gives_the_lease_back(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sealing_module.pdf, "seal_pdf", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            _seal(core, key="k")
    assert _seal(core, key="k").state is DocumentState.ISSUED


def test_a_source_that_is_not_there_is_lost_only_after_hours(
    core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _abandoned(core, monkeypatch, "k")
    core.files.delete(_by_key(core, "k").source_key)
    clock.advance(LEASE)
    with pytest.raises(SourceMissing):
        _seal(core, "k", key="k")
    assert core.sealing.finish_abandoned() == 0
    for _ in range(12):
        clock.advance(timedelta(hours=9))
        core.sealing.finish_abandoned()
    assert _by_key(core, "k").state is DocumentState.REFUSED
    with pytest.raises(SourceLost):
        _seal(core, "k", key="k")


def test_a_source_without_a_pending_document_is_discarded(
    core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _abandoned(core, monkeypatch, "waiting")
    core.files.put("pending/0000000000000000.pdf", io.BytesIO(PDF))  # its intent was never committed
    with monkeypatch.context() as patch:
        patch.setattr(core.sealing._jobs, "_clear_up", lambda *_, **__: None)
        issued = _seal(core, "issued")
    assert issued.source_key in _keys(core, SOURCES)
    stored = max(entry.stored_at for entry in core.files.under(SOURCES))
    clock.set(stored + timedelta(minutes=59))
    assert core.sealing.discard_leftovers() == 0
    clock.set(stored + timedelta(minutes=61))
    assert core.sealing.discard_leftovers() == 2
    assert _keys(core, SOURCES) == {_by_key(core, "waiting").source_key}


def test_a_worker_that_was_overtaken_changes_nothing(
    core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = sealing_module.pdf.seal_pdf
    overtaking: list[Document] = []

    def slow(**inputs: object) -> object:
        sealed = seal(**inputs)  # type: ignore[arg-type]
        if not overtaking:
            overtaking.append(_by_key(core, "k"))
            clock.advance(LEASE)
            overtaking.append(_seal(core, key="k"))
        return sealed

    monkeypatch.setattr(sealing_module.pdf, "seal_pdf", slow)
    with pytest.raises(JobInProgress):
        _seal(core, key="k")
    winner = overtaking[1]
    assert _by_key(core, "k") == replace(winner, attempts=1)
    assert _keys(core, "sealed/") == {winner.sealed_key}
    with core.database.read() as tx:
        actions = [entry.action for entry in core.audit.entries(tx) if entry.subject == winner.id]
    assert actions == ["document.intended", "document.taken_over", "document.issued"]


def test_an_overtaken_refusal_takes_neither_the_outcome_nor_the_source(
    core: Core, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(**_: object) -> object:
        with core.database.begin() as tx:  # another worker holds the lease now
            tx.execute(update(documents).values(lease_token="other"))
        raise SourceLost("no")

    with monkeypatch.context() as patch:
        patch.setattr(sealing_module.pdf, "seal_pdf", refusing)
        with pytest.raises(JobInProgress):
            _seal(core, key="k")
    pending = _by_key(core, "k")
    assert pending.state is DocumentState.PENDING
    assert _keys(core, SOURCES) == {pending.source_key}
    with core.database.read() as tx:
        assert "document.refused" not in {entry.action for entry in core.audit.entries(tx)}


def _at_once(*acts: Callable[[], object]) -> list[object]:
    """Run them at the same moment; errors are results."""
    barrier = threading.Barrier(len(acts))

    def one(act: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return act()
        except Exception as error:  # noqa: BLE001 - judged by the test
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


def test_one_key_and_many_contents_give_one_document_and_conflicts(core: Core) -> None:
    results = _at_once(*(lambda number=str(n): _seal(core, number, key="k") for n in range(8)))  # type: ignore[misc]
    issued = [result for result in results if isinstance(result, Document)]
    assert len(issued) == 1
    assert sum(isinstance(result, IdempotencyConflict) for result in results) == 7
    assert _keys(core, SOURCES) == set()


def test_two_documents_never_become_each_others_successors(core: Core) -> None:
    for _ in range(5):
        one, other = _seal(core), _seal(core)
        results = _at_once(
            lambda a=one.id, b=other.id: core.register.supersede(_caller(), a, b),  # type: ignore[misc]
            lambda a=one.id, b=other.id: core.register.supersede(_caller(), b, a),  # type: ignore[misc]
        )
        assert sorted(type(result).__name__ for result in results) == ["Document", "StateForbids"]


def test_the_same_revocation_twice_at_once_is_one_revocation(core: Core) -> None:
    document = _seal(core)
    reason = StateReason.FRAUD
    results = _at_once(*[lambda: core.register.revoke(_caller(), document.id, reason)] * 4)
    assert {getattr(result, "state", result) for result in results} == {DocumentState.REVOKED}
    with core.database.read() as tx:
        actions = [entry.action for entry in core.audit.entries(tx)]
    assert actions.count("document.revoked") == 1
    with pytest.raises(StateForbids):
        core.register.revoke(_caller(), document.id, StateReason.DATA_CHANGED)


def test_a_predecessor_revoked_meanwhile_stays_revoked(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = _seal(core)
    seal = sealing_module.pdf.seal_pdf

    def slow(**inputs: object) -> object:
        core.register.revoke(_caller(), earlier.id, StateReason.FRAUD)
        return seal(**inputs)  # type: ignore[arg-type]

    monkeypatch.setattr(sealing_module.pdf, "seal_pdf", slow)
    assert _seal(core, "2/2026", supersedes=earlier.id).state is DocumentState.ISSUED
    assert core.register.owned(_caller(), earlier.id).state is DocumentState.REVOKED
