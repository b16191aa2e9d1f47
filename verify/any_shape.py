"""Any PDF: validation by ETSI EN 319 102-1 through pyHanko, with our structural rules on top.

Slow (tens of milliseconds) and exposed to hostile input, so :mod:`verify.pdf` runs it only for files that
are not of our own shape. Nothing is fetched: evidence is what the file and the trust store hold.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO

from pyhanko.pdf_utils.misc import PdfDecodeLimitError
from pyhanko.sign.validation import EmbeddedPdfSignature

from verify import checks
from verify.embedded import EmbeddedReceipt, embedded_receipt
from verify.examination import Examination
from verify.examined import malformed, words
from verify.findings import Limits, PdfFindings, PdfUnreadable
from verify.opened import OpenedFile, signature_fields
from verify.trust import TrustStore
from verify.verdict import (
    Outcome,
    Reason,
    SignatureFinding,
    SignatureKind,
    worst,
)


def validate(file: BinaryIO, *, trust: TrustStore, now: datetime, limits: Limits) -> PdfFindings:
    """Every signature in the file, each with its own finding; the worst one speaks for the file.

    Raises :class:`verify.findings.PdfUnreadable`; nothing else, whatever the file holds.
    """
    # 1. Open it: damaged, encrypted and oversized files end here.
    try:
        opened = OpenedFile(file, limits)
        fields = signature_fields(opened)
    except PdfUnreadable:
        raise
    except PdfDecodeLimitError as cause:
        raise PdfUnreadable(Reason.LIMIT_EXCEEDED, "a stream expands beyond the limit") from cause
    except Exception as cause:
        if _was_signed(file):
            return _conclude((malformed("?", cause, Reason.FILE_DAMAGED),))
        raise PdfUnreadable(Reason.FILE_DAMAGED, words(cause)) from cause
    if not fields:
        finding = checks.failed(
            "signature-present", Outcome.NOT_SIGNED, Reason.NOT_SIGNED, "no filled signature field"
        )
        return PdfFindings((finding,))
    # 2. Each signature by itself. The last one must answer for the end of the file.
    read = [found for _, found in fields if isinstance(found, EmbeddedPdfSignature)]
    newest = max((signature.signed_revision for signature in read), default=0)
    examination = Examination(opened, trust, now, newest)
    signatures: list[SignatureFinding] = []
    ours: list[EmbeddedPdfSignature] = []
    for name, found in fields:
        if not isinstance(found, EmbeddedPdfSignature):
            signatures.append(malformed(name, found))
            continue
        try:
            examined = examination.examine(name, found)
            signatures.append(examined.finding())
        except Exception as cause:  # noqa: BLE001 - parts that are parsed only when they are told raise late
            signatures.append(malformed(name, cause))
            continue
        # A time-stamp of ours under somebody else's signature says when, not who.
        is_seal = examined.kind is SignatureKind.SIGNATURE
        if is_seal and examined.leads_to_us and not examined.problems:
            ours.append(found)
    # 3. The worst speaks for the file. A seal of ours in it says which document this is.
    findings = _conclude(tuple(signatures))
    if not ours:
        return findings
    receipt = _receipt_in(ours[-1], file, trust, now)
    return replace(
        findings,
        findings=(*findings.findings, *receipt.findings),
        is_ours=True,
        receipt=receipt.claims,
    )


def _receipt_in(
    signature: EmbeddedPdfSignature, file: BinaryIO, trust: TrustStore, now: datetime
) -> EmbeddedReceipt:
    dictionary = signature.sig_object
    try:
        length = int(dictionary.get("/ABSH_SourceLength", -1))
        digits = str(dictionary.get("/ABSH_Receipt", ""))
        document_id = str(dictionary.get("/ABSH_Document", ""))
    except (TypeError, ValueError):
        return EmbeddedReceipt(())
    if not 0 <= length <= int(signature.byte_range[1]):
        return EmbeddedReceipt(())
    source = hashlib.sha256()
    file.seek(0)
    while length > 0 and (chunk := file.read(min(1 << 20, length))):
        source.update(chunk)
        length -= len(chunk)
    return embedded_receipt(digits, document_id, source.digest(), trust=trust, now=now)


def _was_signed(file: BinaryIO) -> bool:
    """Whether a file that cannot be parsed carries the mark of a signature: then it was altered or cut."""
    mark = b"/ByteRange"
    file.seek(0)
    carried = b""
    while chunk := file.read(1 << 20):
        if mark in carried + chunk:
            return True
        carried = chunk[-len(mark) :]
    return False


def _conclude(signatures: tuple[SignatureFinding, ...]) -> PdfFindings:
    outcome = worst(signature.outcome for signature in signatures)
    speaker = next(signature for signature in signatures if signature.outcome is outcome)
    if (
        all(signature.kind is SignatureKind.TIMESTAMP for signature in signatures)
        and outcome is Outcome.VALID
    ):
        finding = checks.failed(
            "signature-present", Outcome.NOT_SIGNED, Reason.NOT_SIGNED, "only time stamps, nobody's signature"
        )
    elif outcome is Outcome.VALID:
        finding = checks.passed(
            "signatures", Reason.SIGNATURES_INTACT, f"{len(signatures)} passed by EN 319 102-1"
        )
    else:
        finding = checks.failed("signatures", outcome, speaker.reasons[0], f"signature field {speaker.field}")
    return PdfFindings(
        (finding,),
        signatures,
        indication=speaker.indication,
        sub_indication=speaker.sub_indication,
    )
