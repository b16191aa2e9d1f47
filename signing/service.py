"""The jobs of the sealing slice. The central one, :meth:`SealingService.seal`, is numbered step by step.

Two rules carry it through a crash at any point:

- the intent is committed before a key is used, and the outcome after the file is stored;
- a pending document belongs to the worker that holds its lease. Whoever finds a lapsed lease may take the
  job over, and only the holder of the current lease can commit an outcome: nothing is issued twice.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import BinaryIO

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from signing import pdf, receipt
from signing.errors import (
    IdempotencyConflict,
    JobInProgress,
    PdfRefused,
)
from signing.ids import new_document_id
from signing.model import Document, DocumentFacts, DocumentState, StateReason
from signing.ports import (
    AuditTrail,
    Begin,
    Caller,
    Clock,
    DocumentFiles,
    EvidenceSource,
    SealingIdentities,
    TimeStamper,
)
from signing.register import DocumentRegister
from signing.source import PdfLimits, PreparedPdf, prepare
from signing.stamp import StampText
from signing.tables import DocumentTable
from signing.types import document_type

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SealingPolicy:
    """``lease`` must exceed the longest time that one document takes; after it another worker may take over.
    ``in_memory`` is the size in bytes up to which a file is worked on in memory instead of on disk.
    """

    lease: timedelta = timedelta(seconds=120)
    in_memory: int = 8 * 1024 * 1024
    pdf_limits: PdfLimits = field(default_factory=PdfLimits)


@dataclass(frozen=True, slots=True)
class _Lease:
    token: str
    until: datetime


class SealingService:
    """Seals documents and keeps their states. Safe to share between threads."""

    def __init__(
        self,
        *,
        begin: Begin,
        clock: Clock,
        audit: AuditTrail,
        files: DocumentFiles,
        register: DocumentRegister,
        identities: SealingIdentities,
        timestamper: TimeStamper,
        evidence: EvidenceSource,
        policy: SealingPolicy,
    ) -> None:
        self._begin = begin
        self._clock = clock
        self._audit = audit
        self._files = files
        self._register = register
        self._identities = identities
        self._timestamper = timestamper
        self._evidence = evidence
        self._policy = policy

    def seal(
        self,
        caller: Caller,
        facts: DocumentFacts,
        source: BinaryIO,
        *,
        idempotency_key: str | None = None,
    ) -> Document:
        """Turn ``source`` (seekable) into a sealed, stored and registered document.

        Repeating a call with the same ``idempotency_key`` and content returns the first call's document.

        Raises :class:`NotPermitted`, :class:`RequestRefused`, :class:`PdfRefused`, :class:`NoActiveSeal`,
        :class:`IdempotencyConflict`, :class:`JobInProgress`. Whatever else is raised leaves the intent
        behind, and a retry or the worker finishes it.
        """
        # 1. What the caller may issue, and whether the facts keep the rules.
        caller.require(f"documents.issue:{facts.type}", "documents.issue:*")
        facts.check()
        # 2. A repeated request gets the first one's answer.
        request_digest = _request_digest(facts, source)
        if idempotency_key is not None:
            earlier = self._earlier(caller, idempotency_key, request_digest)
            if earlier is not None:
                return earlier
        # 3. The seal must be able to sign, and what is superseded must be the agency's and in force.
        self._identities.seal_of(caller.agency_id)
        if facts.supersedes is not None:
            caller.require("documents.revoke")
            self._register.owned(caller, facts.supersedes).require_issued("superseded")
        # 4. The PDF must be one that can be sealed. From here on `prepared` is what the receipt speaks of.
        with prepare(source, self._policy.pdf_limits) as prepared:
            # 5. Keep the source, then commit the intent: a crash after this is finished by anyone.
            document, lease = self._reserve(caller, facts, prepared, idempotency_key, request_digest)
            # 6. Seal, check, store, commit the outcome.
            return self._finish(document, lease, prepared)

    def finish_abandoned(self, *, limit: int = 100) -> int:
        """Finish pending documents whose worker is gone; returns how many were brought to an outcome."""
        with self._begin() as tx:
            abandoned = DocumentTable(tx).unfinished(now=self._clock(), limit=limit)
        done = 0
        for document in abandoned:
            lease = self._claim(document.id)
            if lease is None:
                continue
            try:
                self._finish_from_store(document, lease)
                done += 1
            except PdfRefused as refusal:
                log.warning("abandoned_document_refused", document=document.id, cause=type(refusal).__name__)
                done += 1
        return done

    def _earlier(self, caller: Caller, key: str, request_digest: bytes) -> Document | None:
        with self._begin() as tx:
            earlier = DocumentTable(tx).by_idempotency_key(caller.client_id, key)
        if earlier is None:
            return None
        if earlier.request_digest != request_digest:
            raise IdempotencyConflict(
                "This Idempotency-Key was used for another request. Use a new key for new content."
            )
        if earlier.state is DocumentState.REFUSED:
            raise PdfRefused(earlier.refusal or "The document was refused.")
        if earlier.state is not DocumentState.PENDING:
            return earlier
        lease = self._claim(earlier.id)
        if lease is None:
            raise JobInProgress(f"Document {earlier.id} is being sealed. Repeat the request in a moment.")
        return self._finish_from_store(earlier, lease)

    def _claim(self, document_id: str) -> _Lease | None:
        now = self._clock()
        lease = self._new_lease(now)
        with self._begin() as tx:
            claimed = DocumentTable(tx).claim(
                document_id, lease_token=lease.token, now=now, until=lease.until
            )
        return lease if claimed else None

    def _new_lease(self, now: datetime) -> _Lease:
        return _Lease(secrets.token_hex(16), now + self._policy.lease)

    def _reserve(
        self,
        caller: Caller,
        facts: DocumentFacts,
        prepared: PreparedPdf,
        idempotency_key: str | None,
        request_digest: bytes,
    ) -> tuple[Document, _Lease]:
        now = self._clock()
        lease = self._new_lease(now)
        document = Document(
            id=new_document_id(),
            agency_id=caller.agency_id,
            issuer_name=caller.agency_name,
            client_id=caller.client_id,
            facts=facts.minimised(),
            state=DocumentState.PENDING,
            created_at=now,
            source_digest=prepared.digest,
            source_size=prepared.size,
            status_index=-1,
            is_sample=caller.is_sandbox,
            idempotency_key=idempotency_key,
            request_digest=request_digest,
            lease_until=lease.until,
        )
        prepared.stream.seek(0)
        self._files.put(document.source_key, prepared.stream)
        try:
            with self._begin() as tx:
                status_index = DocumentTable(tx).reserve(document, lease_token=lease.token)
                self._audit.append(
                    tx, action="document.intended", actor=caller.client_id, subject=document.id
                )
        except IntegrityError as cause:
            self._files.delete(document.source_key)
            if idempotency_key is None:
                raise
            raise JobInProgress(
                "The same request arrived a moment ago. Repeat it to get its document."
            ) from cause
        return replace(document, status_index=status_index), lease

    def _finish_from_store(self, document: Document, lease: _Lease) -> Document:
        with (
            self._files.open(document.source_key) as source,
            prepare(source, self._policy.pdf_limits) as prepared,
        ):
            return self._finish(document, lease, prepared)

    def _finish(self, document: Document, lease: _Lease, prepared: PreparedPdf) -> Document:
        try:
            with self._workspace(prepared.size) as target:
                sealed, encoded = self._seal_into(target, document, prepared)
                return self._release(document, lease, target, sealed, encoded)
        except PdfRefused as refusal:
            with self._begin() as tx:
                DocumentTable(tx).refuse(
                    document.id, lease_token=lease.token, refusal=str(refusal), at=self._clock()
                )
                self._audit.append(
                    tx,
                    action="document.refused",
                    actor=document.client_id,
                    subject=document.id,
                    facts={"cause": type(refusal).__name__},
                )
            self._files.delete(document.source_key)
            raise

    def _seal_into(
        self, target: BinaryIO, document: Document, prepared: PreparedPdf
    ) -> tuple[pdf.SealedPdf, bytes]:
        facts = document.facts
        identity = self._identities.seal_of(document.agency_id)
        signer = self._identities.receipt_signer()
        claims = receipt.Receipt(
            issuer=document.issuer_name,
            document_id=document.id,
            type_number=document_type(facts.type).number,
            number=facts.number,
            holder=facts.holder.name if facts.holder else None,
            issued_on=facts.issued_on,
            valid_until=facts.valid_until,
            status_index=document.status_index,
            source_digest=document.source_digest,
        )
        encoded = receipt.encode(claims, key_id=signer.key_id, sign=signer.sign)
        sealed = pdf.seal_pdf(
            source=prepared,
            target=target,
            stamp=StampText(
                issuer=document.issuer_name,
                signatory=facts.signatory,
                issued_on=facts.issued_on,
                document_id=document.id,
                is_sample=document.is_sample,
            ),
            link=self._register.link(document.id, encoded),
            receipt_digits=receipt.to_digits(encoded),
            place=facts.place,
            identity=identity,
            timestamper=self._timestamper,
            evidence=self._evidence.evidence_for(
                (identity.certificate, *identity.chain), self._timestamper.chain
            ),
            at=self._clock(),
        )
        return sealed, encoded

    def _release(
        self, document: Document, lease: _Lease, target: BinaryIO, sealed: pdf.SealedPdf, encoded: bytes
    ) -> Document:
        released = replace(
            document,
            state=DocumentState.ISSUED,
            issued_at=self._clock(),
            sealed_digest=sealed.digest,
            sealed_size=sealed.size,
            receipt=encoded,
            lease_until=None,
        )
        target.seek(0)
        self._files.put(released.sealed_key, target)
        assert released.issued_at is not None
        with self._begin() as tx:
            committed = DocumentTable(tx).issue(
                document.id,
                lease_token=lease.token,
                issued_at=released.issued_at,
                sealed_digest=sealed.digest,
                sealed_size=sealed.size,
                receipt=encoded,
            )
            if committed:
                self._audit.append(
                    tx,
                    action="document.issued",
                    actor=document.client_id,
                    subject=document.id,
                    facts={"sha256": sealed.digest.hex(), "type": document.facts.type},
                )
                self._supersede_earlier(tx, released)
        if not committed:
            # Another worker took the job over and its outcome stands; ours must not lie around.
            self._files.delete(released.sealed_key)
            raise JobInProgress(f"Document {document.id} was finished by another worker. Repeat the request.")
        self._files.delete(document.source_key)
        return released

    def _supersede_earlier(self, tx: Connection, released: Document) -> None:
        """Part of the outcome's transaction: the successor and the end of its predecessor appear at once.

        A predecessor that was withdrawn meanwhile stays as it is; revoked is not softened to superseded.
        """
        earlier = released.facts.supersedes
        assert released.issued_at is not None
        if earlier is not None and DocumentTable(tx).withdraw(
            earlier,
            state=DocumentState.SUPERSEDED,
            reason=StateReason.REPLACED,
            at=released.issued_at,
            superseded_by=released.id,
        ):
            self._audit.append(
                tx,
                action="document.superseded",
                actor=released.client_id,
                subject=earlier,
                facts={"by": released.id, "reason": StateReason.REPLACED},
            )

    @contextmanager
    def _workspace(self, size: int) -> Iterator[BinaryIO]:
        """Where the sealed file is built: in memory while small, else on disk."""
        if size <= self._policy.in_memory:
            yield io.BytesIO()
            return
        with tempfile.TemporaryFile(prefix="absah-") as file:
            yield file


def _request_digest(facts: DocumentFacts, source: BinaryIO) -> bytes:
    """What makes two requests the same: every stated fact and every byte of the file."""
    stated = json.dumps(asdict(facts), default=str, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(stated.encode() + b"\0")
    source.seek(0)
    while chunk := source.read(1024 * 1024):
        digest.update(chunk)
    return digest.digest()
