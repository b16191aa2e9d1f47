"""What can go wrong when a PDF is to become a sealed document. Leaves are named for the fact.

SigningError
├── RequestRefused          the request itself cannot be honoured
│   ├── UnknownDocumentType
│   ├── PersonalDataInPublicField
│   └── PartMissing         a part of the form is not there
├── NotAForm                the body is of another kind than the one that is read here
├── NotPermitted            the caller's scopes do not reach this far
├── DocumentNotFound
├── StateForbids            the document's state does not allow the act
├── IdempotencyConflict / JobInProgress
├── ReceiptMalformed / ReceiptNotAuthentic
├── NoActiveSeal
├── SourceMissing
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


class PartMissing(RequestRefused):
    """A part of the multipart form is missing, or of the wrong kind."""


class NotAForm(SigningError):
    """The request's body is not multipart/form-data."""


class NotPermitted(SigningError):
    """The caller's scopes do not reach this far."""


class DocumentNotFound(SigningError):
    """No such document, or it belongs to another agency: the two are never told apart."""

    def __init__(self, document_id: str) -> None:
        super().__init__(
            f"No document {document_id[:40]} belongs to your agency. "
            "Check the id in the answer to your request."
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


class EmptyFile(PdfRefused):
    """Zero bytes arrived."""


class NotAPdf(PdfRefused):
    """The bytes are something else."""


class TruncatedPdf(PdfRefused):
    """It begins as a PDF and ends before its cross-reference."""


class BrokenPdf(PdfRefused):
    """The structure cannot be read, not even after an attempt at repair."""


class EncryptedPdf(PdfRefused):
    """An encrypted file cannot be sealed so that everyone can verify it."""


class FileTooLarge(PdfRefused):
    """More bytes than the service takes."""


class TooManyPages(PdfRefused):
    """More pages than the service takes."""


class DecompressionBomb(PdfRefused):
    """A small file that unpacks into far too much."""


class LockedByEarlierSignature(PdfRefused):
    """An earlier signature forbids every later change, an additional signature included."""


class NoRoomForStamp(PdfRefused):
    """The stamp fits neither where the caller wants it nor anywhere else."""


class UnprintableCharacter(PdfRefused):
    """A text of the stamp holds a character that the embedded fonts cannot print."""

    def __init__(self, character: str, text: str) -> None:
        super().__init__(
            f"The stamp cannot print the character {character!r} (U+{ord(character):04X}) in {text!r}: "
            "write it in Latin letters."
        )
        self.character = character


class PagesNotInspected(SigningError):
    """The isolated process that looks at pages did not answer in time."""


class SealNotReleased(SigningError):
    """The file that was produced failed a check of its own maker, so nobody gets it."""

    def __init__(self, check: str, why: str) -> None:
        super().__init__(f"The sealed file was withheld: {check}: {why}. Nothing was released; try again.")
        self.check = check


class StampTextTooLong(PdfRefused):
    """A text does not fit the stamp even in its smallest letters."""

    def __init__(self, text: str, lines: int) -> None:
        super().__init__(
            f"The stamp has {lines} line{'s' if lines > 1 else ''} for {text[:60]!r}… "
            f"({len(text)} characters), and it does not fit: shorten it."
        )


class SourceMissing(SigningError):
    """The PDF of a pending document is not in the store now."""


class SourceLost(PdfRefused):
    """The PDF that was sent is no longer in the store, so the interrupted job cannot be finished."""


def recorded_refusal(kind: str | None, words: str) -> PdfRefused:
    """The refusal that was stored as the name of its class and its words, as it was first raised.

    A name that this release does not know gives a plain :class:`PdfRefused`.
    """
    found = next((leaf for leaf in PdfRefused.__subclasses__() if leaf.__name__ == kind), PdfRefused)
    refusal = found.__new__(found, words)  # constructors compose words; these are composed already
    refusal.args = (words,)
    return refusal
