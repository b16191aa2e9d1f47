"""The checks, one function each. Pure: everything they look at is handed in; the result is a value.

Each returns a :class:`Finding`: the line for the report and, where the check decides something, the outcome
it forces and the reason for it. :func:`conclude` makes the verdict: the worst outcome that any check forces,
and *valid* only when none forces one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec

from ca.doubts import SealStanding
from ca.trust import CertifiedUse, PathStatus, check_path
from signing.errors import ReceiptNotAuthentic
from signing.model import Release
from signing.receipt import Receipt, SignedReceipt
from signing.types import document_type_by_number
from verify.evidence import name_of, revoked_since
from verify.trust import TrustStore
from verify.verdict import Check, CheckResult, Outcome, Reason, end_of_day, is_past, worst


@dataclass(frozen=True, slots=True)
class Finding:
    """``outcome`` None: nothing against the document. ``since``: from when the forced outcome holds."""

    check: Check
    outcome: Outcome | None = None
    reason: Reason | None = None
    since: datetime | None = None


def passed(name: str, reason: Reason | None = None, detail: str = "") -> Finding:
    return Finding(Check(name, CheckResult.PASSED, detail), reason=reason)


def failed(
    name: str, outcome: Outcome, reason: Reason, detail: str, since: datetime | None = None
) -> Finding:
    return Finding(Check(name, CheckResult.FAILED, detail), outcome, reason, since)


def undecided(
    name: str, outcome: Outcome, reason: Reason, detail: str, since: datetime | None = None
) -> Finding:
    return Finding(Check(name, CheckResult.UNDECIDED, detail), outcome, reason, since)


def not_done(name: str, reason: Reason, detail: str) -> Finding:
    return Finding(Check(name, CheckResult.NOT_DONE, detail), reason=reason)


def state_of_record(record: Release) -> Finding:
    """What the register says about the document now."""
    match record.state:
        case "issued":
            return passed("state", Reason.RECORD_ISSUED, "the register lists the document as issued")
        case "superseded":
            return failed(
                "state",
                Outcome.SUPERSEDED,
                Reason.RECORD_SUPERSEDED,
                "the issuer replaced it with a newer document",
                record.state_changed_at,
            )
        case "revoked":
            return failed(
                "state",
                Outcome.REVOKED,
                Reason.RECORD_REVOKED,
                "the issuer revoked the document",
                record.state_changed_at,
            )
    # A state that this release does not know must not pass as valid.
    return undecided(
        "state", Outcome.CANNOT_SAY, Reason.RECORDS_UNAVAILABLE, f"unknown state {record.state!r}"
    )


def seal_of_record(record: Release) -> Finding | None:
    """What has become of the key that sealed the document; None where there is nothing to say.

    A document that left force needs no second reason, least of all one that hides what replaced it.
    """
    if record.state != "issued":
        return None
    match record.seal:
        case SealStanding.PROVEN:
            return passed("seal-key", Reason.SEALED_BEFORE_LOSS, "sealed, provably, before its key was lost")
        case SealStanding.UNPROVEN:
            return not_done("trusted-time", Reason.TIME_NOT_PROVEN, "its time-stamp is not believed any more")
        case SealStanding.HELD:
            return undecided(
                "seal-key",
                Outcome.CANNOT_SAY,
                Reason.SEAL_KEY_ON_HOLD,
                "a key that it stands on is suspended while its loss is looked into",
                record.doubted_since,
            )
        case SealStanding.LOST:
            return failed(
                "seal-key",
                Outcome.REVOKED,
                Reason.SEAL_KEY_LOST,
                "a key that it stands on was lost, and nothing proves that it was sealed before",
                record.doubted_since,
            )
    return None


def validity_of(document: Release | Receipt, now: datetime) -> Finding:
    """Whether the document's own period of validity is over; days end in Jakarta."""
    if document.valid_until is None:
        return passed("validity", detail="valid without an end date")
    if is_past(document.valid_until, now):
        return failed(
            "validity",
            Outcome.EXPIRED,
            Reason.PAST_VALIDITY,
            "the last day of validity is over",
            end_of_day(document.valid_until),
        )
    return passed("validity", detail="the last day of validity is not over")


def sample_of(record: Release) -> Finding:
    """Whether a sandbox client issued it."""
    if record.is_sample:
        return failed(
            "sample",
            Outcome.SAMPLE,
            Reason.SAMPLE_DOCUMENT,
            "issued by a sandbox client, without legal force",
        )
    return passed("sample", detail="issued by a productive client")


def receipt_address(receipt: Receipt, address_id: str | None) -> Finding:
    """The receipt of document A at the address of document B is a forged code."""
    if address_id is None:
        return passed("receipt-address", detail="no address was given beside the receipt")
    if receipt.document_id != address_id:
        return failed(
            "receipt-address",
            Outcome.FILE_DIFFERS,
            Reason.RECEIPT_ID_MISMATCH,
            f"the address names {address_id}, the receipt {receipt.document_id}",
        )
    return passed("receipt-address", detail="address and receipt name the same document")


def receipt_keys(trust: TrustStore, now: datetime) -> dict[bytes, ec.EllipticCurvePublicKey]:
    """The keys, by ``kid``, whose receipts are believed at ``now``: certified for it, also when retired."""
    found = {}
    for key_id, certificates in trust.by_key_id.items():
        for certificate in certificates:
            key = certificate.public_key()
            at = min(certificate.not_valid_after_utc, max(certificate.not_valid_before_utc, now))
            path = check_path(
                certificate,
                intermediates=trust.certificates,
                anchors=trust.anchors,
                at=at,
                use=CertifiedUse.RECEIPT,
                evidence=None,
            )
            revoked_at = revoked_since(map(name_of, path.chain), crls=trust.crls, ocsp_responses=())
            is_good = path.status is PathStatus.GOOD and revoked_at is None
            if is_good and isinstance(key, ec.EllipticCurvePublicKey):
                found[key_id] = key
    return found


def receipt_signature(
    signed: SignedReceipt, trust: TrustStore, now: datetime, *, existed_at: datetime | None = None
) -> Finding:
    """The receipt's signature, with a key that the trust store certifies for receipts.

    A receipt carries no trusted time, only the day that the issuer stated, which may lie before the key was
    made. So the path is checked as of that day, moved into the certificate's validity; and a key that is
    revoked at any time leaves the receipt undecided, because its thief can write any date. Unless a
    time-stamp over something that holds the receipt proves that it existed before: at ``existed_at``.
    """
    candidates = trust.certified_for_key_id(signed.key_id)
    stated = end_of_day(signed.claims.issued_on)
    problem = f"no certificate for the key {signed.key_id.hex()} is in the trust store"
    for certificate in candidates:
        key = certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            continue
        at = min(max(stated, certificate.not_valid_before_utc), certificate.not_valid_after_utc, now)
        path = check_path(
            certificate,
            intermediates=trust.certificates,
            anchors=trust.anchors,
            at=at.astimezone(UTC),
            use=CertifiedUse.RECEIPT,
            evidence=None,
        )
        if path.status is not PathStatus.GOOD:
            problem = f"the key's certificate is not trusted: {path.reason}"
            continue
        try:
            signed.verify(key)
        except ReceiptNotAuthentic as cause:
            return failed(
                "receipt-signature", Outcome.FILE_DIFFERS, Reason.RECEIPT_SIGNATURE_INVALID, str(cause)
            )
        revoked_at = revoked_since(map(name_of, path.chain), crls=trust.crls, ocsp_responses=())
        if revoked_at is not None and existed_at is not None and existed_at < revoked_at:
            proven = f"there at {existed_at.isoformat()}, before the key was revoked"
            return passed(
                "receipt-signature", Reason.RECEIPT_AUTHENTIC, f"ES256, key {signed.key_id.hex()}, {proven}"
            )
        if revoked_at is not None:
            return undecided(
                "receipt-signature",
                Outcome.CANNOT_SAY,
                Reason.RECEIPT_KEY_REVOKED,
                f"the receipt key was revoked at {revoked_at.isoformat()}",
                revoked_at,
            )
        return passed("receipt-signature", Reason.RECEIPT_AUTHENTIC, f"ES256, key {signed.key_id.hex()}")
    return undecided("receipt-signature", Outcome.UNKNOWN_ISSUER, Reason.RECEIPT_KEY_UNKNOWN, problem)


def receipt_against_record(receipt: Receipt, record: Release) -> Finding:
    """The printed claims and the register must say the same: where they differ, one was forged."""
    kind = document_type_by_number(receipt.type_number)
    differing = [
        name
        for name, printed, recorded in (
            ("id", receipt.document_id, record.id),
            ("type", kind.code if kind else record.type, record.type),
            ("number", receipt.number, record.number),
            ("holder", receipt.holder, record.holder),
            ("issuer", receipt.issuer, record.issuer),
            ("issue date", receipt.issued_on, record.issued_on),
            ("end of validity", receipt.valid_until, record.valid_until),
        )
        if printed != recorded
    ]
    if differing:
        return failed(
            "receipt-record",
            Outcome.FILE_DIFFERS,
            Reason.RECEIPT_DIFFERS_FROM_RECORD,
            f"receipt and register differ in: {', '.join(differing)}",
        )
    return passed("receipt-record", detail="receipt and register agree")


def conclude(findings: Iterable[Finding]) -> tuple[Outcome, tuple[Reason, ...], datetime | None]:
    """The worst forced outcome (else valid), every reason with the deciding one first, and since when."""
    findings = tuple(findings)
    forced = [finding.outcome for finding in findings if finding.outcome is not None]
    outcome = worst(forced) if forced else Outcome.VALID
    deciding = [finding for finding in findings if finding.outcome is outcome]
    ordered = [*deciding, *(finding for finding in findings if finding.outcome is not outcome)]
    reasons = tuple(dict.fromkeys(finding.reason for finding in ordered if finding.reason is not None))
    since = next((finding.since for finding in deciding if finding.since is not None), None)
    return outcome, reasons, since
