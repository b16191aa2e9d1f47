"""What can go wrong when somebody asks whether a document is genuine. Leaves are named for the fact.

VerificationError
├── UnknownDocument         nobody issued this id: do not accept the paper
├── UploadTooLarge
├── UploadIncomplete        a part is missing, double or empty
├── UploadNotUnderstood     the request's body is not one of the kinds we read
├── VerifierBusy            more questions than this process answers at once
├── EvidenceUnusable        not the evidence record of this file
└── TrustFolderInvalid      the anchors to check against cannot be read

A file that cannot be read is not an error: it is the verdict ``unreadable``.
"""

from __future__ import annotations


class VerificationError(Exception):
    """Root of everything that this slice raises on purpose. The message names cause and remedy."""


class UnknownDocument(VerificationError):
    """No document with this id was ever issued by this service."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        super().__init__(
            f"Nobody issued a document with the id {shown}. Do not accept it; "
            "compare the id with the paper in case it was mistyped."
        )


class UploadTooLarge(VerificationError):
    """The upload is larger than this service reads."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The file is larger than {limit // 1_000_000} MB. "
            "Send the original PDF, or a photo of its QR code."
        )
        self.limit = limit


class UploadIncomplete(VerificationError):
    """A part of the request is missing, empty or there more than once."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(f"{part}: {message}")
        self.part = part


class UploadNotUnderstood(VerificationError):
    """The request's body is not one of the kinds that this service reads."""


class VerifierBusy(VerificationError):
    """More questions are waiting than this process answers in reasonable time."""

    def __init__(self) -> None:
        super().__init__("Too many verifications are waiting. Ask again in a few seconds.")


class EvidenceUnusable(VerificationError):
    """What was given as an evidence record is none, or is that of another file."""


class TrustFolderInvalid(VerificationError):
    """The folder of trusted certificates is missing, unreadable or holds no anchor."""
