"""An opened PDF: within limits, decrypted where no password is needed, its signature fields listed."""

from __future__ import annotations

from typing import Any, BinaryIO

from pyhanko.pdf_utils.crypt import AuthStatus
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.validation import EmbeddedPdfSignature

from verify.findings import Limits, PdfUnreadable
from verify.structure import ends_with_its_cross_reference
from verify.verdict import (
    Reason,
)


class OpenedFile:
    """The opened file and what is known about it as a whole."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self.file = file
        file.seek(0, 2)
        self.size = file.tell()
        self.limits = limits
        self.reader = _open(file)
        self.revisions = self.reader.xrefs.total_revisions
        if self.revisions > limits.max_revisions:
            raise PdfUnreadable(Reason.LIMIT_EXCEEDED, f"{self.revisions} revisions")

    def nothing_behind(self) -> bool:
        last = self.reader.xrefs.get_xref_container_info(self.revisions - 1)
        return ends_with_its_cross_reference(self.file, self.size, last.end_location)


def _open(file: BinaryIO) -> PdfFileReader:
    file.seek(0)
    # Hybrid cross-references, which MS Office writes, are refused in strict mode.
    reader = PdfFileReader(file, strict=False)
    if reader.encrypted:
        try:
            opened = reader.decrypt(b"").status is not AuthStatus.FAILED
        except Exception:  # noqa: BLE001 - unknown handlers raise anything
            opened = False
        if not opened:
            raise PdfUnreadable(Reason.FILE_ENCRYPTED, "a password is needed to open the file")
    return reader


def signature_fields(opened: OpenedFile) -> list[tuple[str, EmbeddedPdfSignature | Exception]]:
    """Filled signature fields in order of their revision; those that cannot be read come with the cause."""
    found: list[tuple[str, EmbeddedPdfSignature | Exception]] = []
    seen: set[Any] = set()
    for name, _, field in enumerate_sig_fields(opened.reader, filled_status=True):
        if len(found) >= opened.limits.max_signatures:
            raise PdfUnreadable(Reason.LIMIT_EXCEEDED, f"more than {opened.limits.max_signatures} signatures")
        try:
            signature = EmbeddedPdfSignature(opened.reader, field, name)
        except Exception as cause:  # noqa: BLE001 - a forged dictionary raises anything
            found.append((str(name), cause))
            continue
        # One signature may be referred to from several fields; it is one signature.
        identity = (tuple(signature.byte_range), signature.pkcs7_content)
        if identity not in seen:
            seen.add(identity)
            found.append((str(name), signature))
    return found
