"""Between documents and people: the fingerprint that names a holder, and who looked at what is about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from identity.lookups.model import Actor, ActorKind, LookupKind, Subject
from identity.lookups.service import Lookups
from identity.people.errors import NikInvalid
from identity.people.nik import Nik
from identity.people.profiles import NIK
from identity.ports import IssuedDocument, Vault
from signing.errors import RequestRefused
from signing.model import Document, Release
from signing.ports import Caller
from signing.register import DocumentRegister
from signing.types import document_type


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
    """Implements :class:`identity.ports.IssuedDocuments` over the register."""

    def __init__(self, register: DocumentRegister) -> None:
        self._register = register

    def to(self, holder: bytes, *, before: int | None = None, most: int) -> list[IssuedDocument]:
        return [
            _listed(cursor, release)
            for cursor, release in self._register.issued_to(holder, before=before, limit=most)
        ]


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
