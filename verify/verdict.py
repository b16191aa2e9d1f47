"""The verdict: an outcome, its reasons, and what each check found. Pure: no I/O, no clock.

Outcomes are the states that a person must be able to tell apart. Indications and sub-indications are those of
ETSI EN 319 102-1 clause 5.1.3; they exist only where a signature was validated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import Final

from signing.model import Release
from signing.receipt import Receipt

JAKARTA: Final = timezone(timedelta(hours=7), "WIB")
"""Western Indonesian Time. A document that is valid until a day is valid until that day ends here."""


class Outcome(StrEnum):
    """What we tell people. No two of these may ever look or read alike."""

    VALID = "valid"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"
    EXPIRED = "expired"
    FILE_DIFFERS = "file_differs"
    UNKNOWN_ISSUER = "unknown_issuer"
    NOT_SIGNED = "not_signed"
    UNREADABLE = "unreadable"
    CANNOT_SAY = "cannot_say"
    SAMPLE = "sample"
    """Issued by a sandbox client: genuine as a sample, worth nothing as a document. Never called valid."""


class Indication(StrEnum):
    """EN 319 102-1 table 4."""

    TOTAL_PASSED = "TOTAL-PASSED"
    INDETERMINATE = "INDETERMINATE"
    TOTAL_FAILED = "TOTAL-FAILED"


class SubIndication(StrEnum):
    """EN 319 102-1 tables 5 and 6."""

    FORMAT_FAILURE = "FORMAT_FAILURE"
    HASH_FAILURE = "HASH_FAILURE"
    SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    SIG_CONSTRAINTS_FAILURE = "SIG_CONSTRAINTS_FAILURE"
    CHAIN_CONSTRAINTS_FAILURE = "CHAIN_CONSTRAINTS_FAILURE"
    CERTIFICATE_CHAIN_GENERAL_FAILURE = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE = "CRYPTO_CONSTRAINTS_FAILURE"
    POLICY_PROCESSING_ERROR = "POLICY_PROCESSING_ERROR"
    SIGNATURE_POLICY_NOT_AVAILABLE = "SIGNATURE_POLICY_NOT_AVAILABLE"
    TIMESTAMP_ORDER_FAILURE = "TIMESTAMP_ORDER_FAILURE"
    NO_SIGNING_CERTIFICATE_FOUND = "NO_SIGNING_CERTIFICATE_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND = "NO_CERTIFICATE_CHAIN_FOUND"
    REVOKED_NO_POE = "REVOKED_NO_POE"
    REVOKED_CA_NO_POE = "REVOKED_CA_NO_POE"
    OUT_OF_BOUNDS_NO_POE = "OUT_OF_BOUNDS_NO_POE"
    REVOCATION_OUT_OF_BOUNDS_NO_POE = "REVOCATION_OUT_OF_BOUNDS_NO_POE"
    OUT_OF_BOUNDS_NOT_REVOKED = "OUT_OF_BOUNDS_NOT_REVOKED"
    CRYPTO_CONSTRAINTS_FAILURE_NO_POE = "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
    NO_POE = "NO_POE"
    TRY_LATER = "TRY_LATER"
    SIGNED_DATA_NOT_FOUND = "SIGNED_DATA_NOT_FOUND"
    GENERIC = "GENERIC"


class Reason(StrEnum):
    """Why the outcome is what it is. Codes are stable; words are in :mod:`verify.words`."""

    RECORD_ISSUED = "record_issued"
    RECORD_SUPERSEDED = "record_superseded"
    RECORD_REVOKED = "record_revoked"
    PAST_VALIDITY = "past_validity"
    SAMPLE_DOCUMENT = "sample_document"
    RECORDS_UNAVAILABLE = "records_unavailable"
    STATUS_NOT_CHECKED = "status_not_checked"
    NOT_IN_RECORDS = "not_in_records"

    FILE_IS_OURS = "file_is_ours"
    NOT_AS_RELEASED = "not_as_released"
    SEAL_INTACT = "seal_intact"
    SIGNATURES_INTACT = "signatures_intact"
    SOURCE_MISMATCH = "source_mismatch"
    CONTENT_CHANGED = "content_changed"
    CHANGED_AFTER_SIGNING = "changed_after_signing"
    BYTES_BEHIND_SIGNATURE = "bytes_behind_signature"
    BYTE_RANGE_INVALID = "byte_range_invalid"
    CONTENTS_MISSING = "contents_missing"
    SIGNATURE_VALUE_INVALID = "signature_value_invalid"
    SIGNATURE_MALFORMED = "signature_malformed"
    ISSUER_NOT_TRUSTED = "issuer_not_trusted"
    CERTIFICATE_REVOKED = "certificate_revoked"
    CERTIFICATE_ON_HOLD = "certificate_on_hold"
    SEAL_KEY_LOST = "seal_key_lost"
    SEAL_KEY_ON_HOLD = "seal_key_on_hold"
    SEALED_BEFORE_LOSS = "sealed_before_loss"
    CERTIFICATE_OUT_OF_DATE = "certificate_out_of_date"
    CERTIFICATE_UNFIT = "certificate_unfit"
    EVIDENCE_MISSING = "evidence_missing"
    TIME_NOT_PROVEN = "time_not_proven"
    ALGORITHM_WEAK = "algorithm_weak"
    NOT_SIGNED = "not_signed"

    RECEIPT_AUTHENTIC = "receipt_authentic"
    RECEIPT_ID_MISMATCH = "receipt_id_mismatch"
    RECEIPT_SIGNATURE_INVALID = "receipt_signature_invalid"
    RECEIPT_KEY_UNKNOWN = "receipt_key_unknown"
    RECEIPT_KEY_REVOKED = "receipt_key_revoked"
    RECEIPT_MALFORMED = "receipt_malformed"
    RECEIPT_DIFFERS_FROM_RECORD = "receipt_differs_from_record"
    RECEIPT_MISSING = "receipt_missing"
    LINK_WITHOUT_RECEIPT = "link_without_receipt"
    FOREIGN_ADDRESS = "foreign_address"

    NOT_A_PDF = "not_a_pdf"
    FILE_EMPTY = "file_empty"
    FILE_DAMAGED = "file_damaged"
    FILE_ENCRYPTED = "file_encrypted"
    LIMIT_EXCEEDED = "limit_exceeded"
    NO_CODE_FOUND = "no_code_found"
    CODE_NOT_OURS = "code_not_ours"
    PICTURE_UNREADABLE = "picture_unreadable"


class CheckResult(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"  # looked at, but the evidence at hand does not decide
    NOT_DONE = "not-done"  # not looked at


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``detail`` is technical English for the folded part and the report."""

    name: str
    result: CheckResult
    detail: str = ""


class Subject(StrEnum):
    """What was put to us."""

    RECORD = "record"
    FILE = "file"
    RECEIPT = "receipt"


class SignatureKind(StrEnum):
    SIGNATURE = "signature"  # by a natural person, or a seal: PDF does not tell them apart
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True)
class SignatureFinding:
    """The verdict on one signature. ``signed_at`` is the best proven time, else the claimed one.

    ``intact``: the digest over the byte range matches and the signature value checks.
    ``signed_digest``: SHA-256 of the signed attributes; with ``signature_value`` it names the signature.
    ``unchanged``: every byte of the file is covered, or what follows was allowed by this signature's policy.
    """

    field: str
    kind: SignatureKind
    outcome: Outcome
    indication: Indication
    sub_indication: SubIndication | None
    reasons: tuple[Reason, ...]
    checks: tuple[Check, ...]
    intact: bool
    unchanged: bool
    covers_whole_file: bool
    signer: str | None = None
    issuer: str | None = None
    signed_at: datetime | None = None
    time_is_proven: bool = False
    changes: tuple[str, ...] = ()
    signature_value: bytes = b""
    signed_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verification says. Times are aware UTC.

    ``since``: from when the outcome holds (revoked, superseded, expired); for ``cannot_say`` the last moment
    at which we could say, None when never. ``record`` is the register's entry, ``receipt`` the printed claims
    (only set when their signature was verified). ``file_sha256`` is set for files.
    """

    outcome: Outcome
    subject: Subject
    checked_at: datetime
    reasons: tuple[Reason, ...] = ()
    checks: tuple[Check, ...] = ()
    indication: Indication | None = None
    sub_indication: SubIndication | None = None
    since: datetime | None = None
    record: Release | None = None
    receipt: Receipt | None = None
    signatures: tuple[SignatureFinding, ...] = field(default=())
    file_sha256: bytes | None = None

    @property
    def document_id(self) -> str | None:
        if self.record is not None:
            return self.record.id
        return self.receipt.document_id if self.receipt is not None else None


SEVERITY: Final[tuple[Outcome, ...]] = (
    Outcome.VALID,
    Outcome.EXPIRED,
    Outcome.SUPERSEDED,
    Outcome.CANNOT_SAY,
    Outcome.UNKNOWN_ISSUER,
    Outcome.REVOKED,
    Outcome.SAMPLE,
    Outcome.NOT_SIGNED,
    Outcome.UNREADABLE,
    Outcome.FILE_DIFFERS,
)
"""From best to worst. With several signatures the worst one speaks for the file."""


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome that speaks for all; raises ``ValueError`` when there is none."""
    return max(outcomes, key=SEVERITY.index)


def end_of_day(day: date) -> datetime:
    """The first moment after ``day`` in Jakarta, as UTC."""
    if day == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return datetime.combine(day + timedelta(days=1), time.min, JAKARTA).astimezone(UTC)


def is_past(valid_until: date | None, now: datetime) -> bool:
    """Whether the last day of validity is over in Jakarta at ``now``."""
    return valid_until is not None and now >= end_of_day(valid_until)
