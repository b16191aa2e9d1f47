"""Killed before and after every write: the next process finishes, and nothing is done twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import func, select

from app.compromise import service as service_module
from app.compromise.model import Step
from app.compromise.tables import Cases
from ca.model import CertificateStatus
from ca.revocation import Revocation
from ca.tables import Certificates, Crls
from keys.dual_control import DualControl
from keys.model import KeyPurpose, KeyState
from keys.service import KeyService
from signing.jobs import SealingJobs
from signing.tables import DocumentTable, archive_stamps, documents
from tests.app.compromise.conftest import HOUR, Killed, Town, answer_of, finish

SEAL_WRITES: list[tuple[type[Any], str]] = [
    (Cases, "add"),
    (KeyService, "suspend"),
    (Certificates, "set_status"),
    (Crls, "add"),
    (Revocation, "revoke"),
    (Cases, "move"),
    (DualControl, "request"),
    (Cases, "ask"),
    (DualControl, "claim"),
    (KeyService, "mark_compromised"),
    (KeyService, "generate"),
    (Certificates, "add"),
    (KeyService, "activate"),
    (SealingJobs, "reserve"),
    (DocumentTable, "reserve"),
    (DocumentTable, "issue"),
    (SealingJobs, "finish"),
    (Cases, "note_round"),
    (DualControl, "finish"),
]
UNIT_WRITES: list[tuple[type[Any], str]] = [
    (KeyService, "suspend"),
    (KeyService, "generate"),
    (Certificates, "add"),
    (DocumentTable, "archive"),
    (KeyService, "mark_compromised"),
    (Cases, "move"),
]
TABLES = {Cases, Certificates, Crls, DocumentTable}


def _kills(writes: list[tuple[type[Any], str]], *, times: int = 1) -> list[Any]:
    """Write, whether it was done, and the how manieth it is.

    Jobs commit and tables write within a transaction. So a job that was done and a table that was not written
    to are what differs for the next process; the other two, and the second time, are for `make soak`.
    """
    return [
        pytest.param(
            (owner, name), after, nth,
            id=f"{owner.__name__}.{name}-{'after' if after else 'before'}-{nth}",
            marks=() if nth == 1 and after is (owner not in TABLES) else pytest.mark.soak,
        )
        for owner, name in writes
        for after in (False, True)
        for nth in range(1, times + 1)
    ]  # fmt: skip


class Once:
    """Kills the process the ``nth`` time that a method is called, before or after what it does."""

    def __init__(
        self, patch: pytest.MonkeyPatch, owner: type[Any], name: str, *, after: bool, nth: int
    ) -> None:
        original = getattr(owner, name)
        self.calls = 0

        def killing(*given: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls != nth:
                return original(*given, **named)
            if after:
                original(*given, **named)
            raise Killed

        patch.setattr(owner, name, killing)


def _reborn(town: Town) -> None:
    """Another process: it knows nothing but what was committed."""
    town.answer = answer_of(town.core)
    town.wait(HOUR)  # the dead worker's lease ends


def _all_the_way(town: Town, key: str) -> None:
    case = town.answer.open(key, town.lost_at, actor="cli:test")
    assert finish(town, case).step is Step.CLOSED


@pytest.mark.either_database
@pytest.mark.parametrize(("write", "after", "nth"), _kills(SEAL_WRITES, times=2))
def test_a_seal_keys_case_survives(
    town: Town, monkeypatch: pytest.MonkeyPatch, write: tuple[type[Any], str], after: bool, nth: int
) -> None:
    lost = town.key
    with monkeypatch.context() as patch:
        once = Once(patch, *write, after=after, nth=nth)
        try:
            _all_the_way(town, lost)
        except Killed:
            pass
        else:
            assert once.calls < nth, "it was called and nobody died"
    _reborn(town)
    _all_the_way(town, lost) if not _is_closed(town) else None
    _check_seal(town, lost)


def _is_closed(town: Town) -> bool:
    return any(case.step is Step.CLOSED for case in town.answer.list())


def _check_seal(town: Town, lost: str) -> None:
    core = town.core
    assert [case.step for case in town.answer.list()] == [Step.CLOSED]
    assert core.keys.get(lost).state is KeyState.COMPROMISED
    with core.database.read() as tx:
        (certificate,) = Certificates(tx).all_of_key(lost)
        successors = Counter(
            tx.scalars(select(documents.c.supersedes).where(documents.c.supersedes.is_not(None)))
        )
        states = Counter(tx.scalars(select(documents.c.state)))
    assert certificate.status is CertificateStatus.REVOKED
    assert certificate.revocation_date == town.lost_at
    assert successors == Counter(town.after), "each document has one successor, never two"
    assert states == {"issued": 6, "superseded": 3}
    assert [town.outcome(one) for one in town.before] == ["valid"] * 3
    for one in town.after:
        assert town.outcome(str(town.document(one).superseded_by)) == "valid"
    active = [
        key
        for key in core.keys.list()
        if (key.purpose, key.owner, key.state) == (KeyPurpose.SEAL, "dinas", KeyState.ACTIVE)
    ]
    assert len(active) == 1


@pytest.mark.either_database
@pytest.mark.parametrize(("write", "after", "nth"), _kills(UNIT_WRITES))
def test_a_units_case_survives(
    town: Town, monkeypatch: pytest.MonkeyPatch, write: tuple[type[Any], str], after: bool, nth: int
) -> None:
    lost = town.core.keys.newest(KeyPurpose.TIMESTAMPING).id
    with monkeypatch.context() as patch:
        Once(patch, *write, after=after, nth=nth)
        with pytest.raises(Killed):
            _all_the_way(town, lost)
    _reborn(town)
    if not _is_closed(town):
        _all_the_way(town, lost)
    assert town.core.keys.get(lost).state is KeyState.COMPROMISED
    with town.core.database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(archive_stamps)) == 1
    for one in town.before + town.after:
        assert town.outcome(one) == "valid"


def test_two_workers_at_once_seal_every_document_anew_once(town: Town) -> None:
    import threading

    case = town.open()
    while case.step is not Step.RESEAL:
        town.wait()
        case = town.answer.advance(case.id)
    town.wait()
    workers = [answer_of(town.core) for _ in range(3)]
    failures: list[BaseException] = []

    def work(answer: service_module.Compromise) -> None:
        try:
            answer.advance(case.id)
        except BaseException as cause:  # noqa: BLE001 - told by the test
            failures.append(cause)

    threads = [threading.Thread(target=work, args=(answer,)) for answer in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    _reborn(town)
    finish(town, town.answer.get(case.id))
    _check_seal(town, case.key_id)


@pytest.mark.either_database
def test_a_document_that_cannot_be_sealed_anew_keeps_no_other_waiting(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = town.document(town.after[1])
    town.core.files.delete(poisoned.sealed_key)
    case = finish(town, town.open())
    assert (case.step, case.failed) == (Step.RESEAL, 1)
    assert [town.outcome(one) for one in town.after] == ["superseded", "revoked", "superseded"]
    # Once its file is back from the backup, the case ends by itself.
    monkeypatch.undo()
    source = town.file(town.after[0])
    assert (
        source[: poisoned.source_size]
        == town.file(str(town.document(town.after[0]).superseded_by))[: poisoned.source_size]
    )
    import io

    town.core.files.put(poisoned.sealed_key, io.BytesIO(source))
    assert finish(town, town.answer.get(case.id)).step is Step.CLOSED
    assert [town.outcome(one) for one in town.after] == ["superseded"] * 3


@pytest.mark.either_database
def test_a_planted_document_is_not_made_genuine(town: Town) -> None:
    """By somebody who has the seal key and writes to the database and the store, but not the receipt key."""
    from sqlalchemy import update

    altered, forged = town.after[0], town.after[1]
    with town.core.database.begin() as tx:
        tx.execute(update(documents).where(documents.c.id == altered).values(number="another"))
        receipt = tx.scalar(select(documents.c.receipt).where(documents.c.id == town.after[2]))
        tx.execute(update(documents).where(documents.c.id == forged).values(receipt=receipt))
    case = finish(town, town.open())
    assert (case.step, case.failed) == (Step.RESEAL, 2)
    assert [town.document(one).state.value for one in town.after] == ["issued", "issued", "superseded"]


@pytest.mark.either_database
def test_receipts_of_a_lost_key_make_nothing_genuine(town: Town) -> None:
    finish(town, town.open(town.core.keys.newest(KeyPurpose.RECEIPT).id))
    case = finish(town, town.open())
    assert (case.step, case.failed) == (Step.RESEAL, 3)
