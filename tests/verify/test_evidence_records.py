"""A later time-stamp over the whole file (RFC 4998), for where the one in it is not believed any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from io import BytesIO

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing.archive import evidence_record, hash_tree
from tests.signing.pki import Certified, TestTimeStamper, certify, hierarchy
from tests.support.clock import FrozenClock
from tests.verify.documents import SEALED_AT, Register, SealedDocument, sealed, trust, unit
from tests.verify.test_compromise import COMPROMISE, LOSS, listed, lists
from verify import any_shape
from verify.errors import EvidenceUnusable
from verify.service import VerificationService
from verify.trust import TrustStore
from verify.verdict import CheckResult, Outcome, Reason, Verdict

IN_BETWEEN = SEALED_AT + timedelta(minutes=5)


@cache
def elsewhere() -> tuple[Certified, Certified]:
    """Another authority's root and its time-stamping unit."""
    root = certify("Akar Lain", issuer=None, ca=True)
    return root, certify("TSU Lain", issuer=root, extended=ExtendedKeyUsageOID.TIME_STAMPING)


def record_of(document: SealedDocument, moment: datetime = IN_BETWEEN, *, others: int = 4) -> bytes:
    root, stamper = elsewhere()
    tree = hash_tree([document.digest, *(sealed(number).digest for number in range(2, 2 + others))])
    token = TestTimeStamper(stamper, (root.encoded,), moment=moment).token(tree.root)
    return evidence_record(document.digest, token, tree.paths[document.digest])


def knowing(*more: bytes, ca_is_lost: bool = True) -> TrustStore:
    """The issuing CA lost, and the other authority believed about time, with a list of what it issued."""
    tree = hierarchy()
    lost = [listed(tree.issuing.certificate, LOSS, x509.ReasonFlags.ca_compromise)] if ca_is_lost else []
    root, _ = elsewhere()
    return replace(
        trust(),
        time_anchors=(root.certificate,),
        crls=(lists(*lost, issuer=tree.root), *(more or (lists(issuer=root),))),
    )


def judged(
    document: SealedDocument,
    known: TrustStore,
    clock: FrozenClock,
    *records: bytes,
    register: Register | None = None,
) -> Verdict:
    verifier = VerificationService(
        documents=register, trust=lambda: known, clock=clock, foreign=any_shape.validate
    )
    return verifier.by_file(BytesIO(document.content), thorough=True, evidence=records)


def line(verdict: Verdict, name: str) -> CheckResult:
    return next(check.result for check in verdict.checks if check.name == name)


@pytest.mark.parametrize("others", [0, 1, 4], ids=["alone", "one beside it", "four beside it"])
def test_what_was_seen_elsewhere_before_its_ca_was_lost_is_valid_with_its_receipt(
    document: SealedDocument, clock: FrozenClock, others: int
) -> None:
    assert judged(document, knowing(), clock).outcome is Outcome.REVOKED, "without it nothing proves that"
    verdict = judged(document, knowing(), clock, record_of(document, others=others))
    assert verdict.outcome is Outcome.VALID
    assert {Reason.SEALED_BEFORE_LOSS, Reason.RECEIPT_AUTHENTIC} <= set(verdict.reasons)
    assert line(verdict, "evidence-record") is CheckResult.PASSED
    (signature,) = verdict.signatures
    assert (signature.signed_at, signature.time_is_proven) == (IN_BETWEEN, True)


def test_what_was_seen_only_after_the_loss_is_worth_as_little_as_before(
    document: SealedDocument, clock: FrozenClock
) -> None:
    late = record_of(document, LOSS + timedelta(minutes=1))
    assert judged(document, knowing(), clock, late).outcome is Outcome.REVOKED
    both = judged(document, knowing(), clock, late, record_of(document))
    assert both.outcome is Outcome.VALID, "the earliest that is believed decides"


@pytest.mark.parametrize("why", ["lost", "distrusted", "unknown", "status unknown"])
def test_a_record_counts_only_by_a_unit_that_is_believed(
    document: SealedDocument, clock: FrozenClock, why: str
) -> None:
    root, stamper = elsewhere()
    known = {
        "lost": knowing(lists(listed(stamper.certificate, LOSS, COMPROMISE), issuer=root)),
        "distrusted": replace(knowing(), distrusted=(stamper.certificate,)),
        "unknown": replace(knowing(), time_anchors=()),
        "status unknown": knowing(lists(issuer=hierarchy().root)),
    }[why]
    verdict = judged(document, known, clock, record_of(document))
    assert verdict.outcome is Outcome.REVOKED
    assert line(verdict, "evidence-record") is CheckResult.UNDECIDED


def test_the_time_of_a_lost_unit_is_proven_anew_by_another(
    document: SealedDocument, clock: FrozenClock
) -> None:
    root, _ = elsewhere()
    gone = lists(listed(unit().certificate, LOSS, COMPROMISE))
    known = knowing(gone, lists(issuer=root), ca_is_lost=False)
    (before,) = judged(document, known, clock).signatures
    verdict = judged(document, known, clock, record_of(document))
    (after,) = verdict.signatures
    assert verdict.outcome is Outcome.VALID
    assert (before.time_is_proven, after.time_is_proven, after.signed_at) == (False, True, IN_BETWEEN)


def test_a_whole_file_stays_as_good_with_a_record_and_with_a_register(
    document: SealedDocument, clock: FrozenClock
) -> None:
    verdict = judged(
        document, knowing(ca_is_lost=False), clock, record_of(document), register=Register(document.record())
    )
    assert verdict.outcome is Outcome.VALID
    assert verdict.signatures[0].signed_at == SEALED_AT


@pytest.mark.parametrize("what", ["another file's", "empty", "rubbish", "longer", "another root"])
def test_what_is_no_record_of_the_file_is_refused_by_name(
    document: SealedDocument, clock: FrozenClock, what: str
) -> None:
    good = record_of(document)
    root, stamper = elsewhere()
    token = TestTimeStamper(stamper, (root.encoded,)).token(sealed(2).digest)
    wrong = {
        "another file's": record_of(sealed(9)),
        "empty": b"",
        "rubbish": b"%PDF-1.7",
        "longer": good + b"\0",
        "another root": evidence_record(document.digest, token, b""),
    }[what]
    with pytest.raises(EvidenceUnusable, match="evidence record of this file"):
        judged(document, knowing(), clock, wrong)


def test_no_changed_byte_of_a_record_proves_another_time(
    document: SealedDocument, clock: FrozenClock
) -> None:
    """Around what the unit signed there is framing that no signature covers."""
    good = bytearray(record_of(document, others=1))
    for position in range(0, len(good), 7):
        changed = bytearray(good)
        changed[position] ^= 1
        try:
            verdict = judged(document, knowing(), clock, bytes(changed))
        except EvidenceUnusable:
            continue
        proven = verdict.signatures[0].signed_at if verdict.outcome is Outcome.VALID else IN_BETWEEN
        assert proven == IN_BETWEEN, position
