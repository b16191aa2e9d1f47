"""A seal key is lost: what happens to it, to its documents and to those who hold them."""

from __future__ import annotations

from app.compromise.model import Step
from ca.model import CertificateStatus, RevocationReason
from keys.model import KeyState
from tests.app.compromise.conftest import Town, finish


def test_a_key_is_stopped_and_the_doubt_is_told_before_anybody_agreed(town: Town) -> None:
    key = town.key
    case = town.open()
    assert case.step is Step.DECIDE
    assert town.core.keys.get(key).state is KeyState.SUSPENDED
    (certificate,) = town.answer.certificates(key)
    assert certificate.status is CertificateStatus.ON_HOLD
    assert certificate.invalidity_date == town.lost_at
    assert [town.outcome(one) for one in town.before] == ["valid"] * 3
    assert [town.outcome(one) for one in town.after] == ["cannot_say"] * 3


def test_the_drill(town: Town) -> None:
    lost = town.key
    case = finish(town, town.open())
    assert case.step is Step.CLOSED
    assert town.core.keys.get(lost).state is KeyState.COMPROMISED
    (certificate,) = town.answer.certificates(lost)
    assert certificate.status is CertificateStatus.REVOKED
    assert certificate.reason is RevocationReason.KEY_COMPROMISE
    assert certificate.revocation_date == certificate.invalidity_date == town.lost_at
    assert town.key != lost
    assert [town.outcome(one) for one in town.before] == ["valid"] * 3
    assert [town.outcome(one) for one in town.after] == ["superseded"] * 3
    for one in town.after:
        old = town.document(one)
        assert old.superseded_by is not None
        new = town.document(old.superseded_by)
        assert town.outcome(new.id) == "valid"
        assert new.source_digest == old.source_digest
        assert (new.facts.number, new.facts.title, new.facts.issued_on) == (
            old.facts.number,
            old.facts.title,
            old.facts.issued_on,
        )
        assert town.file(new.id)[: new.source_size] == town.file(old.id)[: old.source_size]
    counts = town.answer.counts(case)
    assert (counts.before, counts.after, counts.none) == (3, 3, 0)
    assert (counts.replaced, counts.waiting) == (3, 0)
