"""A compromised key: what its seals are worth depends on when it was, not on when that was found out."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import BytesIO

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.signing.pki import hierarchy
from tests.support.clock import FrozenClock
from tests.verify.documents import (
    LATER,
    SEALED_AT,
    SealedDocument,
    receipt_authority,
    seal_certificate,
    trust,
)
from verify import any_shape, own_shape
from verify.evidence import name_of, revoked_since
from verify.findings import Limits
from verify.service import VerificationService
from verify.trust import TrustStore
from verify.verdict import Outcome, Reason

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
