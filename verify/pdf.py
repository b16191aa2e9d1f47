"""The only door to the validation of PDFs.

Two ways lead to the same kind of findings: files of our own shape are validated in full by
:mod:`verify.own_shape` within milliseconds; everything else goes through :mod:`verify.any_shape`.
"""

from __future__ import annotations

from datetime import datetime
from typing import BinaryIO

from verify import any_shape, own_shape
from verify.findings import Limits, PdfFindings, PdfUnreadable
from verify.trust import TrustStore
from verify.verdict import Reason

__all__ = ["Limits", "PdfFindings", "PdfUnreadable", "validate_pdf"]


def validate_pdf(file: BinaryIO, *, trust: TrustStore, now: datetime, limits: Limits) -> PdfFindings:
    """Validate every signature in ``file``; ``now`` is the time of validation.

    Raises :class:`verify.findings.PdfUnreadable`; nothing else, whatever the file holds.
    """
    file.seek(0, 2)
    if file.tell() > limits.max_bytes:
        raise PdfUnreadable(Reason.LIMIT_EXCEEDED, f"larger than {limits.max_bytes} bytes")
    ours = own_shape.validate(file, trust=trust, now=now)
    return ours or any_shape.validate(file, trust=trust, now=now, limits=limits)
