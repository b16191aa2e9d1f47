"""A compromised key: what its seals are worth depends on when it was, not on when that was found out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ca.doubts import SealStanding
from tests.signing.pki import Certified, hierarchy
from tests.support.clock import FrozenClock
from tests.verify.documents import (
    LATER,
    SEALED_AT,
    Register,
    SealedDocument,
    receipt_authority,
    seal_certificate,
    trust,
    unit,
)
from verify import any_shape, own_shape
from verify.confined import ConfinedValidator
from verify.encoded import RecordAnswers
from verify.evidence import name_of, revoked_since
from verify.findings import Limits
from verify.report import verdict_fields, verdict_json
from verify.service import VerificationService
from verify.trust import TrustStore, read_trust_folder
from verify.verdict import Outcome, Reason, SignatureFinding
from verify.words import said

BEFORE_SEALING = SEALED_AT - timedelta(hours=1)
AFTER_SEALING = SEALED_AT + timedelta(minutes=30)


def revocation_list(
    certificate: x509.Certificate, *, revoked_at: datetime, invalid_from: datetime | None
) -> bytes:
    issuing = hierarchy().issuing
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(certificate.serial_number)
        .revocation_date(revoked_at)
        .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
    )
    if invalid_from is not None:
        entry = entry.add_extension(x509.InvalidityDate(invalid_from.replace(tzinfo=None)), critical=False)
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuing.certificate.subject)
        .last_update(AFTER_SEALING)
        .next_update(AFTER_SEALING + timedelta(days=1))
        .add_revoked_certificate(entry.build())
        .add_extension(x509.CRLNumber(2), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing.key.public_key()), critical=False
        )
        .sign(issuing.key, hashes.SHA256())
    )
    return crl.public_bytes(Encoding.DER)


def with_list(encoded: bytes) -> TrustStore:
    return TrustStore(anchors=trust().anchors, certificates=trust().certificates, crls=(encoded,))


@pytest.mark.parametrize(
    ("revoked_at", "invalid_from", "outcome"),
    [
        (AFTER_SEALING, None, Outcome.VALID),
        (AFTER_SEALING, SEALED_AT + timedelta(minutes=1), Outcome.VALID),
        (AFTER_SEALING, BEFORE_SEALING, Outcome.REVOKED),
        (BEFORE_SEALING, None, Outcome.REVOKED),
    ],
    ids=[
        "revoked after sealing",
        "compromised after sealing",
        "compromised before sealing, found out later",
        "revoked before sealing",
    ],
)
def test_a_seal_counts_if_it_was_made_before_the_compromise(
    document: SealedDocument, revoked_at: datetime, invalid_from: datetime | None, outcome: Outcome
) -> None:
    certificate = seal_certificate().certificate
    known = with_list(revocation_list(certificate, revoked_at=revoked_at, invalid_from=invalid_from))
    fast = own_shape.validate(BytesIO(document.content), trust=known, now=LATER)
    careful = any_shape.validate(BytesIO(document.content), trust=known, now=LATER, limits=Limits())
    assert fast is not None
    assert fast.signatures[0].outcome is outcome
    assert careful.signatures[0].outcome is outcome
    assert (fast.is_ours, careful.is_ours) == (outcome is Outcome.VALID,) * 2


def test_a_receipt_of_a_revoked_key_is_undecided_because_its_thief_can_write_any_date(
    document: SealedDocument, clock: FrozenClock
) -> None:
    certificate = receipt_authority().certificate
    known = with_list(revocation_list(certificate, revoked_at=AFTER_SEALING, invalid_from=None))
    verifier = VerificationService(
        documents=None, trust=lambda: known, clock=clock, foreign=any_shape.validate
    )
    verdict = verifier.by_receipt(document.receipt)
    assert verdict.outcome is Outcome.CANNOT_SAY
    assert verdict.reasons[0] is Reason.RECEIPT_KEY_REVOKED
    assert verdict.since == AFTER_SEALING
    assert verifier.receipt_keys() == {}


def test_the_revocation_of_another_certificate_does_not_count() -> None:
    certificate = seal_certificate().certificate
    encoded = revocation_list(certificate, revoked_at=AFTER_SEALING, invalid_from=BEFORE_SEALING)
    this = name_of(certificate)
    other = (this[0], this[1] + 1)
    assert revoked_since([this], crls=[encoded], ocsp_responses=[]) == BEFORE_SEALING
    assert revoked_since([other], crls=[encoded], ocsp_responses=[]) is None
    assert (
        revoked_since([this], crls=[b"rubbish"], ocsp_responses=[b"rubbish", b"\x30\x03\x0a\x01\x00"]) is None
    )


# --- the unit that stated the time -------------------------------------------------------------------


def careful_and_fast(content: bytes, known: TrustStore, now: datetime = LATER) -> list[SignatureFinding]:
    fast = own_shape.validate(BytesIO(content), trust=known, now=now)
    careful = any_shape.validate(BytesIO(content), trust=known, now=now, limits=Limits())
    assert fast is not None
    return [fast.signatures[0], careful.signatures[0]]


def lists(*entries: x509.RevokedCertificate, issuer: Certified | None = None) -> bytes:
    signer = issuer or hierarchy().issuing
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(signer.certificate.subject)
        .last_update(AFTER_SEALING)
        .next_update(AFTER_SEALING + timedelta(days=1))
        .add_extension(x509.CRLNumber(3), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False
        )
    )
    for entry in entries:
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def listed(
    certificate: x509.Certificate, since: datetime, reason: x509.ReasonFlags | None
) -> x509.RevokedCertificate:
    entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(since)
    if reason is not None:
        entry = entry.add_extension(x509.CRLReason(reason), critical=False)
    return entry.build()


COMPROMISE, HOLD = x509.ReasonFlags.key_compromise, x509.ReasonFlags.certificate_hold
LOSS = SEALED_AT + timedelta(minutes=10)


@pytest.mark.parametrize("reason", [COMPROMISE, None], ids=["for its loss", "without a reason"])
@pytest.mark.parametrize("lost_at", [BEFORE_SEALING, LOSS], ids=["lost before", "lost after"])
def test_a_lost_unit_proves_no_time_whenever_it_was_lost_because_its_thief_writes_any(
    document: SealedDocument, reason: x509.ReasonFlags | None, lost_at: datetime
) -> None:
    known = with_list(lists(listed(unit().certificate, lost_at, reason)))
    for finding in careful_and_fast(document.content, known):
        assert finding.outcome is Outcome.VALID, "the seal's own key was not lost, and it is good now"
        assert not finding.time_is_proven


@pytest.mark.parametrize("lost_at", [BEFORE_SEALING, LOSS], ids=["lost before", "lost after"])
def test_a_seal_whose_key_and_unit_were_both_lost_is_worth_nothing_however_early_its_time(
    document: SealedDocument, lost_at: datetime
) -> None:
    known = with_list(
        lists(
            listed(unit().certificate, lost_at, COMPROMISE),
            listed(seal_certificate().certificate, LOSS, COMPROMISE),
        )
    )
    for finding in careful_and_fast(document.content, known):
        assert finding.outcome is Outcome.REVOKED
        assert not finding.time_is_proven


@pytest.mark.parametrize("who", ["the unit", "a CA above it"])
def test_a_unit_that_the_operator_distrusts_proves_no_time(document: SealedDocument, who: str) -> None:
    certificate = unit().certificate if who == "the unit" else hierarchy().issuing.certificate
    whole = replace(trust(), distrusted=(certificate,))
    for finding in careful_and_fast(document.content, whole):
        assert finding.outcome is Outcome.VALID, "the seal's own key was not lost"
        assert not finding.time_is_proven
    lost = replace(whole, crls=(lists(listed(seal_certificate().certificate, LOSS, COMPROMISE)),))
    for finding in careful_and_fast(document.content, lost):
        assert finding.outcome is Outcome.REVOKED, "nothing proves that it was sealed before"


def test_distrusted_units_are_read_from_the_trust_folder_and_reach_confined_processes(
    document: SealedDocument, tmp_path: Path
) -> None:
    tree = hierarchy()
    (tmp_path / "distrusted").mkdir()
    (tmp_path / "root.crt").write_bytes(tree.root.encoded)
    (tmp_path / "issuing.crt").write_bytes(tree.issuing.encoded)
    (tmp_path / "distrusted" / "unit.crt").write_bytes(unit().encoded)
    store = read_trust_folder(tmp_path)
    assert store.distrusted == (unit().certificate,)
    assert unit().certificate not in store.certificates + store.every_time_anchor
    confined = ConfinedValidator(workers=1)
    try:
        found = confined(BytesIO(document.content), trust=store, now=LATER, limits=Limits())
    finally:
        confined.close()
    assert not found.signatures[0].time_is_proven


def test_the_times_of_a_unit_that_was_replaced_stay_proven(document: SealedDocument) -> None:
    known = with_list(lists(listed(unit().certificate, LOSS, x509.ReasonFlags.superseded)))
    for finding in careful_and_fast(document.content, known):
        assert finding.outcome is Outcome.VALID
        assert finding.time_is_proven


def test_everything_under_a_lost_ca_is_worth_nothing_without_a_time_from_elsewhere(
    document: SealedDocument,
) -> None:
    tree = hierarchy()
    lost = listed(tree.issuing.certificate, LOSS, x509.ReasonFlags.ca_compromise)
    known = with_list(lists(lost, issuer=tree.root))
    for finding in careful_and_fast(document.content, known):
        assert finding.outcome is Outcome.REVOKED


def test_a_seal_of_before_the_loss_is_valid_and_that_is_said(
    document: SealedDocument, clock: FrozenClock
) -> None:
    known = with_list(lists(listed(seal_certificate().certificate, LOSS, COMPROMISE)))
    verifier = VerificationService(
        documents=None, trust=lambda: known, clock=clock, foreign=any_shape.validate
    )
    verdict = verifier.by_file(BytesIO(document.content))
    assert verdict.outcome is Outcome.VALID
    assert Reason.SEALED_BEFORE_LOSS in verdict.reasons


@pytest.mark.parametrize(
    ("held", "since", "outcome"),
    [
        ("seal", BEFORE_SEALING, Outcome.CANNOT_SAY),
        ("seal", LOSS, Outcome.VALID),
        ("unit", BEFORE_SEALING, Outcome.VALID),
    ],
    ids=["in doubt since before", "in doubt since after", "the unit alone"],
)
def test_a_key_on_hold_leaves_open_only_what_depends_on_it(
    document: SealedDocument, held: str, since: datetime, outcome: Outcome
) -> None:
    certificate = (seal_certificate() if held == "seal" else unit()).certificate
    known = with_list(lists(listed(certificate, since, HOLD)))
    for finding in careful_and_fast(document.content, known):
        assert finding.outcome is outcome
    if outcome is Outcome.CANNOT_SAY:
        assert finding.reasons == (Reason.CERTIFICATE_ON_HOLD,)


# --- by the register ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("standing", "outcome", "reason"),
    [
        (SealStanding.GOOD, Outcome.VALID, Reason.RECORD_ISSUED),
        (SealStanding.PROVEN, Outcome.VALID, Reason.SEALED_BEFORE_LOSS),
        (SealStanding.UNPROVEN, Outcome.VALID, Reason.TIME_NOT_PROVEN),
        (SealStanding.HELD, Outcome.CANNOT_SAY, Reason.SEAL_KEY_ON_HOLD),
        (SealStanding.LOST, Outcome.REVOKED, Reason.SEAL_KEY_LOST),
    ],
)
def test_the_register_says_of_a_document_what_its_seal_is_worth(
    service: VerificationService,
    register: Register,
    document: SealedDocument,
    standing: SealStanding,
    outcome: Outcome,
    reason: Reason,
) -> None:
    register.change(document.claims.document_id, seal=standing, doubted_since=LOSS)
    for verdict in (
        service.by_id(document.claims.document_id),
        service.by_link(document.link),
        service.by_file(BytesIO(document.content)),
    ):
        assert verdict.outcome is outcome
        assert reason in verdict.reasons
        assert verdict.since == (LOSS if outcome is not Outcome.VALID else None)
        if outcome is not Outcome.VALID:
            words = said(verdict.outcome, verdict.reasons, "en")
            assert words.meaning in verdict_fields(verdict)["message"]["en"]
            assert words != said(verdict.outcome, (), "en")
    record = register.records[document.claims.document_id]
    answers = RecordAnswers(service.of_record, service.clock)
    assert answers(record) == verdict_json(service.of_record(record))


@pytest.mark.parametrize("standing", [SealStanding.HELD, SealStanding.LOST])
def test_what_replaced_a_document_is_not_hidden_behind_its_lost_key(
    service: VerificationService, register: Register, document: SealedDocument, standing: SealStanding
) -> None:
    register.change(
        document.claims.document_id,
        state="superseded",
        superseded_by="X",
        state_changed_at=LATER,
        seal=standing,
    )
    verdict = service.by_id(document.claims.document_id)
    assert verdict.outcome is Outcome.SUPERSEDED
    assert verdict.reasons == (Reason.RECORD_SUPERSEDED,)
