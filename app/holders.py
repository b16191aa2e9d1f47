"""Between documents and people: the fingerprint that names a holder, and who looked at what is about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from identity.lookups.model import Actor, ActorKind, LookupKind, Subject
from identity.lookups.service import Lookups
from identity.people.errors import NikInvalid
from identity.people.nik import Nik
from identity.people.profiles import NIK
from identity.ports import Begin, IssuedDocument, Vault
from signing.errors import RequestRefused
from signing.model import Document, Release
from signing.ports import Caller
from signing.tables import DocumentTable
from signing.types import document_type

_PAGE: Final = 200


def holder_fingerprint(vault: Vault, *, sample_niks: bool) -> Callable[[str], bytes]:
    """Implements :data:`signing.ports.HolderFingerprint`: the fingerprint that people are found by, too."""

    def fingerprint(text: str) -> bytes:
        try:
            nik = Nik.parse(text, samples=sample_niks)
        except NikInvalid as cause:
            raise RequestRefused("holder.nik", str(cause)) from None
        return vault.fingerprint(NIK, nik.reveal())

    return fingerprint


class AgencyReads:
    """Implements :class:`signing.ports.ReadLog`. Samples are about nobody."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    def __call__(self, caller: Caller, documents: Sequence[Document], *, file: bool = False) -> None:
        about = [
            (Subject(holder=holder.fingerprint), document.id)
            for document in documents
            if (holder := document.facts.holder) and holder.fingerprint and not document.is_sample
        ]
        if about:
            self._lookups.note(
                Actor(ActorKind.AGENCY, caller.agency_id, caller.agency_name),
                LookupKind.DOCUMENT_FILE_READ if file else LookupKind.DOCUMENT_READ,
                about,
            )


class HolderDocuments:
    """Implements :class:`identity.ports.IssuedDocuments`, and says for the export what there is."""

    def __init__(self, read: Begin, lookups: Lookups) -> None:
        self._read = read
        self._lookups = lookups

    def to(self, holder: bytes, *, before: int | None = None, most: int) -> list[IssuedDocument]:
        with self._read() as tx:
            found = DocumentTable(tx).of_holder(holder, before=before, limit=most)
        return [_listed(cursor, release) for cursor, release in found]

    def held(self, person_id: str) -> Mapping[str, object]:
        """:data:`identity.ports.HeldData`: all of them, page by page."""
        holder = self._lookups.holder_of(person_id)
        documents: list[dict[str, object]] = []
        before = None
        while holder is not None:
            page = self.to(holder, before=before, most=_PAGE)
            documents += [_exported(document) for document in page]
            if len(page) < _PAGE:
                break
            before = page[-1].cursor
        return {"documents": documents}


def _exported(document: IssuedDocument) -> dict[str, object]:
    return {
        "id": document.id,
        "type": document.kind[1],
        "title": document.title,
        "number": document.number,
        "issuer": document.issuer,
        "issued_at": document.issued_at.isoformat(),
        "state": document.state,
    }


def _listed(cursor: int, release: Release) -> IssuedDocument:
    kind = document_type(release.type)
    return IssuedDocument(
        id=release.id,
        kind=(kind.name_id, kind.name_en),
        title=release.title,
        number=release.number,
        issuer=release.issuer,
        issued_at=release.issued_at,
        valid_until=release.valid_until,
        state=release.state,
        path=f"/d/{release.id}",
        cursor=cursor,
    )
