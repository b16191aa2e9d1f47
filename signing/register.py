"""The register of documents: what an agency issued, read by that agency, and taken out of force by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO

from sqlalchemy import Connection

from signing import receipt
from signing.errors import DocumentNotFound, RequestRefused
from signing.ids import is_document_id
from signing.model import Document, DocumentState, StateReason, check_filter
from signing.ports import AuditTrail, Begin, Caller, Clock, DocumentFiles, ReadLog
from signing.tables import DocumentTable
from signing.types import document_type


@dataclass(frozen=True, slots=True)
class DocumentLinks:
    """Absolute URLs. ``page`` is what the QR code holds: the page and, behind #, the signed receipt."""

    self: str
    file: str | None
    page: str | None
    verification: str | None


class DocumentRegister:
    """Reads and withdraws documents. Every method sees only the caller's agency's documents.

    ``read`` opens transactions that only read, and wait for no writer. ``read_log`` hears of everything that
    is shown, so that people can see who looked.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditTrail,
        files: DocumentFiles,
        public_url: str,
        read_log: ReadLog | None = None,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._files = files
        self._public_url = public_url.rstrip("/")
        self._read_log = read_log

    def read(self, caller: Caller, document_id: str) -> Document:
        """One of the agency's documents; raises :class:`DocumentNotFound`, also for another agency's."""
        return self._shown(caller, self._readable(caller, document_id))

    def read_file(
        self, caller: Caller, document_id: str
    ) -> tuple[Document, AbstractContextManager[BinaryIO]]:
        """The same with its sealed PDF. Raises :class:`DocumentNotFound` or :class:`StateForbids`."""
        document = self._readable(caller, document_id)
        opened = self.open_file(document)
        return self._shown(caller, document, file=True), opened

    def open_file(self, document: Document) -> AbstractContextManager[BinaryIO]:
        """The sealed PDF of a document that this service returned; raises :class:`StateForbids`."""
        return self._files.open(document.sealed_key)

    def page(
        self,
        caller: Caller,
        *,
        before: int | None = None,
        limit: int = 50,
        type_code: str | None = None,
        state: DocumentState | None = None,
        number: str | None = None,
        issued_from: date | None = None,
        issued_to: date | None = None,
    ) -> list[Document]:
        """The agency's documents, newest first, older than status index ``before``.

        Raises :class:`signing.errors.RequestRefused` for a filter that no document could match.
        """
        caller.require("documents.read")
        if type_code is not None:
            document_type(type_code)
        if number is not None:
            check_filter("number", number)
        with self._read() as tx:
            found = DocumentTable(tx).page(
                caller.agency_id,
                before=before,
                limit=limit,
                type_code=type_code,
                state=state,
                number=number,
                issued_from=issued_from,
                issued_to=issued_to,
            )
        if self._read_log is not None:
            self._read_log(caller, found)
        return found

    def revoke(self, caller: Caller, document_id: str, reason: StateReason) -> Document:
        """Take a document out of force for good, one that was superseded too: it may turn out to be wrong
        from the beginning. Repeating it with the same reason changes nothing.
        """
        caller.require("documents.revoke")
        with self._held(caller, document_id) as (tx, (document,)):
            if document.state is not DocumentState.REVOKED or document.state_reason is not reason:
                if document.state is not DocumentState.SUPERSEDED:
                    document.require_issued("revoked")
                self._withdraw(tx, caller, document, state=DocumentState.REVOKED, reason=reason)
        return self.owned(caller, document_id)

    def supersede(
        self, caller: Caller, document_id: str, successor_id: str, reason: StateReason = StateReason.REPLACED
    ) -> Document:
        """Point a document to its successor, which the same agency issued and which is in force.

        Both are held while this is decided: two documents never end up as each other's successors.
        """
        caller.require("documents.revoke")
        if successor_id == document_id:
            raise RequestRefused("successor", "is the document itself")
        with self._held(caller, document_id, successor_id) as (tx, (document, successor)):
            if document.state is not DocumentState.SUPERSEDED or document.superseded_by != successor_id:
                successor.require_issued("a successor")
                document.require_issued("superseded")
                self._withdraw(
                    tx,
                    caller,
                    document,
                    state=DocumentState.SUPERSEDED,
                    reason=reason,
                    superseded_by=successor_id,
                )
        return self.owned(caller, document_id)

    def link(self, document_id: str, encoded_receipt: bytes) -> str:
        """What a document's QR code holds."""
        return receipt.link(self._public_url, document_id, encoded_receipt)

    def links(self, document: Document) -> DocumentLinks:
        """Where the document is found; without file and page while nothing is released."""
        base, released = self._public_url, document.receipt is not None
        return DocumentLinks(
            self=f"{base}/v1/documents/{document.id}",
            file=f"{base}/v1/documents/{document.id}/file" if released else None,
            page=self.link(document.id, document.receipt) if document.receipt else None,
            verification=f"{base}/v1/verifications/{document.id}" if released else None,
        )

    def owned(self, caller: Caller, document_id: str) -> Document:
        """The document if it is the caller's agency's; raises :class:`DocumentNotFound`."""
        if not is_document_id(document_id):  # a database may refuse what no id can hold
            raise DocumentNotFound(document_id)
        with self._read() as tx:
            document = DocumentTable(tx).by_id(document_id)
        if document is None or document.agency_id != caller.agency_id:
            raise DocumentNotFound(document_id)
        return document

    def _readable(self, caller: Caller, document_id: str) -> Document:
        caller.require("documents.read")
        return self.owned(caller, document_id)

    def _shown(self, caller: Caller, document: Document, *, file: bool = False) -> Document:
        if self._read_log is not None:
            self._read_log(caller, [document], file=file)
        return document

    @contextmanager
    def _held(
        self, caller: Caller, document_id: str, *others: str
    ) -> Iterator[tuple[Connection, tuple[Document, ...]]]:
        """A transaction in which these documents, all of them the agency's, do not change."""
        asked = (document_id, *others)
        for one in asked:
            if not is_document_id(one):
                raise DocumentNotFound(one)
        with self._begin() as tx:
            found = DocumentTable(tx).locked(asked)
            for one in asked:
                if one not in found or found[one].agency_id != caller.agency_id:
                    raise DocumentNotFound(one)
            yield tx, tuple(found[one] for one in asked)

    def _withdraw(
        self,
        tx: Connection,
        caller: Caller,
        document: Document,
        *,
        state: DocumentState,
        reason: StateReason,
        superseded_by: str | None = None,
    ) -> None:
        withdrawn = DocumentTable(tx).withdraw(
            document.id, state=state, reason=reason, at=self._clock(), superseded_by=superseded_by
        )
        assert withdrawn, "the document is held and was in force"
        self._audit.append(
            tx,
            action=f"document.{state}",
            actor=caller.client_id,
            subject=document.id,
            facts={"reason": reason.value} | ({"by": superseded_by} if superseded_by else {}),
        )
