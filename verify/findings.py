"""What validating a PDF yields, and the limits within which it is done."""

from __future__ import annotations

from dataclasses import dataclass

from signing.receipt import Receipt
from verify.checks import Finding
from verify.verdict import Indication, Reason, SignatureFinding, SubIndication


@dataclass(frozen=True, slots=True)
class Limits:
    """What one question may cost: bytes, pixels, signatures, seconds of CPU, bytes of memory."""

    max_bytes: int = 512_000_000
    max_pixels: int = 100_000_000
    max_signatures: int = 64
    max_revisions: int = 256
    seconds: float = 20.0
    memory: int = 1_500_000_000


class PdfUnreadable(Exception):
    """Nothing can be said about the file but this: ``reason``, and the technical message."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PdfFindings:
    """``is_ours``: the whole file is covered by an intact seal that leads to one of our own anchors.

    ``receipt`` are the claims of the receipt in our own seal, once its signature was verified.
    ``indication`` is that of the worst signature; None where there is no signature.
    """

    findings: tuple[Finding, ...]
    signatures: tuple[SignatureFinding, ...] = ()
    is_ours: bool = False
    receipt: Receipt | None = None
    indication: Indication | None = None
    sub_indication: SubIndication | None = None
