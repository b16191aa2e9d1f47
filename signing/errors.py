"""What can go wrong when a PDF is to become a sealed document. Leaves are named for the fact.

SigningError
├── RequestRefused          the request itself cannot be honoured
├── DocumentNotFound
├── StateForbids            the document's state does not allow the act
├── IdempotencyConflict
├── ReceiptMalformed / ReceiptNotAuthentic
├── NoActiveSeal
└── PdfRefused              this PDF cannot be sealed, and why
"""

from __future__ import annotations


class SigningError(Exception):
    """Root of everything that this slice raises on purpose. The message names cause and remedy."""


class RequestRefused(SigningError):
    """What the agency stated about the document breaks a rule."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class UnknownDocumentType(RequestRefused):
    """The type code is not one that this service issues."""


class PersonalDataInPublicField(RequestRefused):
    """A field that anyone can read holds what looks like personal data."""


class DocumentNotFound(SigningError):
    """No such document, or it belongs to another agency: the two are never told apart."""

    def __init__(self, document_id: str) -> None:
        super().__init__(
            f"No document {document_id} belongs to your agency. Check the id in the answer to your request."
        )


class StateForbids(SigningError):
    """The document's state does not allow the act."""


class IdempotencyConflict(SigningError):
    """The same Idempotency-Key came with different content."""


class JobInProgress(SigningError):
    """The same Idempotency-Key is being worked on at this moment."""


class NoActiveSeal(SigningError):
    """The agency has no seal that may sign now."""


class ReceiptMalformed(SigningError):
    """Not the one canonical encoding of a receipt."""


class ReceiptNotAuthentic(SigningError):
    """Well formed, but the signature does not verify with the key that it names."""


class PdfRefused(SigningError):
    """Root of the reasons for which a PDF cannot be sealed."""
