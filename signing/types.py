"""The kinds of documents that the service issues. Append only: printed receipts keep the numbers for ever."""

from __future__ import annotations

from dataclasses import dataclass

from signing.errors import UnknownDocumentType


@dataclass(frozen=True, slots=True)
class DocumentType:
    """``code`` is used in the API and in scopes, ``number`` in receipts; names are shown to people."""

    code: str
    number: int
    name_id: str
    name_en: str


DOCUMENT_TYPES: tuple[DocumentType, ...] = (
    DocumentType("other", 0, "Dokumen", "Document"),
    DocumentType("business_licence", 1, "Izin usaha", "Business licence"),
    DocumentType("family_card", 2, "Kartu keluarga", "Family card"),
    DocumentType("birth_certificate", 3, "Akta kelahiran", "Birth certificate"),
    DocumentType("tax_receipt", 4, "Bukti penerimaan pajak", "Tax receipt"),
    DocumentType("decree", 5, "Surat keputusan", "Decree"),
    DocumentType("certificate", 6, "Sertifikat", "Certificate"),
    DocumentType("letter", 7, "Surat dinas", "Official letter"),
)

_BY_CODE = {entry.code: entry for entry in DOCUMENT_TYPES}
_BY_NUMBER = {entry.number: entry for entry in DOCUMENT_TYPES}


def document_type(code: str) -> DocumentType:
    """The type with this code; raises :class:`signing.errors.UnknownDocumentType`."""
    found = _BY_CODE.get(code)
    if found is None:
        raise UnknownDocumentType("type", f"is not one of {', '.join(_BY_CODE)}")
    return found


def document_type_by_number(number: int) -> DocumentType | None:
    """The type that a receipt names, or None when the receipt is from a newer release."""
    return _BY_NUMBER.get(number)
