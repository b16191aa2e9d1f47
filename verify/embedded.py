"""The receipt that our seals carry inside the signature dictionary (layout: :mod:`signing.pdf`). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from signing.errors import ReceiptMalformed
from signing.receipt import Receipt, decode, from_digits
from verify import checks
from verify.checks import Finding
from verify.trust import TrustStore
from verify.verdict import CheckResult, Outcome, Reason


@dataclass(frozen=True, slots=True)
class EmbeddedReceipt:
    """``claims`` only where the receipt's own signature was verified."""

    findings: tuple[Finding, ...]
    claims: Receipt | None = None


def embedded_receipt(
    digits: str,
    document_id: str,
    source_digest: bytes,
    *,
    trust: TrustStore,
    now: datetime,
    existed_at: datetime | None = None,
) -> EmbeddedReceipt:
    """Check the receipt of a seal against the seal and the source beneath it.

    ``digits`` is empty for a seal without a receipt; ``source_digest`` is the SHA-256 of the bytes that were
    there before the stamp. ``existed_at`` is when all that is sealed, the receipt included, was there, where
    a time-stamp proves that.
    """
    if not digits:
        return EmbeddedReceipt(())
    try:
        signed = decode(from_digits(digits))
    except ReceiptMalformed as cause:
        finding = checks.failed(
            "receipt", Outcome.FILE_DIFFERS, Reason.RECEIPT_MALFORMED, f"in the signature dictionary: {cause}"
        )
        return EmbeddedReceipt((finding,))
    findings = [
        checks.receipt_address(signed.claims, document_id),
        checks.receipt_signature(signed, trust, now, existed_at=existed_at),
        _source(signed.claims, source_digest),
    ]
    authentic = findings[1].check.result is CheckResult.PASSED
    return EmbeddedReceipt(tuple(findings), signed.claims if authentic else None)


def _source(claims: Receipt, source_digest: bytes) -> Finding:
    """The receipt was made for the content beneath the stamp, not for another one under the same seal."""
    if claims.source_digest != source_digest:
        return checks.failed(
            "source-digest",
            Outcome.FILE_DIFFERS,
            Reason.SOURCE_MISMATCH,
            "the bytes before the stamp are not those that the receipt names",
        )
    return checks.passed("source-digest", detail="the receipt names the bytes before the stamp")


def claims_a_receipt(digits: str, *, trust: TrustStore, now: datetime) -> bool:
    """Whether ``digits`` are an authentic receipt of ours: then the file around it says that it is ours."""
    try:
        signed = decode(from_digits(digits))
    except ReceiptMalformed:
        return False
    return checks.receipt_signature(signed, trust, now).check.result is CheckResult.PASSED


NOT_AS_RELEASED = checks.failed(
    "released-form",
    Outcome.FILE_DIFFERS,
    Reason.NOT_AS_RELEASED,
    "it carries an authentic receipt of ours, but not in a file as we release it",
)
