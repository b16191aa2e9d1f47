"""The only door to the validation of PDFs.

Two ways lead to the same kind of findings: files of our own shape are validated in full by
:mod:`verify.own_shape` within milliseconds; everything else goes through :mod:`verify.any_shape`, which the
services run confined (:mod:`verify.confined`) because it parses what strangers send.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO, Protocol

from verify import own_shape
from verify.checks import Finding
from verify.embedded import NOT_AS_RELEASED, claims_a_receipt
from verify.findings import Limits, PdfFindings, PdfUnreadable
from verify.own_shape import ArchiveToken
from verify.seals import claimed_receipt
from verify.trust import TrustStore
from verify.verdict import Check, CheckResult, Reason

__all__ = ["AnyShape", "Limits", "PdfFindings", "PdfUnreadable", "validate_pdf"]


class AnyShape(Protocol):
    """:func:`verify.any_shape.validate` in this process, or :class:`verify.confined.ConfinedValidator`."""

    def __call__(
        self, file: BinaryIO, *, trust: TrustStore, now: datetime, limits: Limits
    ) -> PdfFindings: ...


def validate_pdf(
    file: BinaryIO,
    *,
    trust: TrustStore,
    now: datetime,
    limits: Limits,
    foreign: AnyShape,
    archived: Sequence[ArchiveToken] = (),
) -> PdfFindings:
    """Validate every signature in ``file``; ``now`` is the time of validation.

    ``foreign`` validates what is not of our own shape. ``archived`` are later time-stamps over the whole
    file, which speak for files of our own shape. Raises :class:`verify.findings.PdfUnreadable`; nothing else,
    whatever the file holds.
    """
    if file.seek(0, 2) > limits.max_bytes:
        raise PdfUnreadable(Reason.LIMIT_EXCEEDED, f"larger than {limits.max_bytes} bytes")
    # 1. Our own shape is validated in full, or it is not our own shape.
    ours = own_shape.validate(file, trust=trust, now=now, archived=archived)
    if ours is not None:
        return ours
    # 2. Anything else goes through the general rules of PDF and ETSI …
    found = foreign(file, trust=trust, now=now, limits=limits)
    if archived:
        unused = Check("evidence-record", CheckResult.NOT_DONE, "it speaks for files as we release them only")
        found = replace(found, findings=(*found.findings, Finding(unused)))
    # 3. … but a file that carries a receipt of ours was released in our own shape, over nothing that was
    # signed before, and is not that file any more. The general rules forgive bits that no signature covers.
    digits = claimed_receipt(file)
    if digits and len(found.signatures) <= 1 and claims_a_receipt(digits, trust=trust, now=now):
        return replace(found, findings=(*found.findings, NOT_AS_RELEASED), is_ours=False, receipt=None)
    return found
