"""One pending document from its intent to its outcome. :mod:`signing.service` says which jobs there are.

Two rules carry a job through a crash at any point:

- the intent is committed before a key is used, and the outcome after the file is stored;
- a pending document belongs to the worker that holds its lease. Whoever finds a lapsed lease may take the
  job over, and only the holder of the current lease can commit an outcome: nothing is issued twice.

A job that fails for another reason than its PDF stays pending: its lease is given back, so that the caller's
retry goes ahead at once, while the worker waits longer after each attempt.
"""

from __future__ import annotations

import io
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import BinaryIO, Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from ca.errors import TimeNotAvailable
from signing import pdf, receipt
from signing.errors import (
    JobInProgress,
    PdfRefused,
    SourceLost,
    SourceMissing,
)
from signing.ids import new_document_id
from signing.model import (
    SEALED_ANEW_BY,
    Document,
    DocumentFacts,
    DocumentState,
    StateReason,
)
from signing.ports import (
    AuditTrail,
    Begin,
    Caller,
    Clock,
    DocumentFiles,
    EvidenceSource,
    SealingIdentities,
    TimeStampers,
)
from signing.register import DocumentRegister
from signing.source import PdfLimits, PreparedPdf, prepare
from signing.stamp import StampText
from signing.tables import DocumentTable
from signing.types import document_type

log = structlog.get_logger(__name__)

_MOST_DOUBLINGS: Final = 8
_GIVEN_UP_AFTER: Final = 6
"""Attempts after which a source that cannot be found counts as lost; by then hours have passed."""


@dataclass(frozen=True, slots=True)
class SealingPolicy:
    """``lease`` must exceed the longest time that one document takes; after it another worker may take over.
    ``in_memory`` is the size in bytes up to which a file is worked on in memory instead of on disk.
    """

    lease: timedelta = timedelta(seconds=120)
    in_memory: int = 8 * 1024 * 1024
    pdf_limits: PdfLimits = field(default_factory=PdfLimits)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to bring one document to its outcome, until ``until`` (aware UTC)."""

    token: str
    until: datetime
    is_takeover: bool = False


class SealingJobs:
    """Reserves, claims and finishes pending documents. Safe to share between threads."""

    def __init__(
        self,
        *,
        begin: Begin,
        clock: Clock,
        audit: AuditTrail,
        files: DocumentFiles,
        register: DocumentRegister,
        identities: SealingIdentities,
        timestampers: TimeStampers,
        evidence: EvidenceSource,
        policy: SealingPolicy,
    ) -> None:
        self._begin = begin
        self._clock = clock
        self._audit = audit
        self._files = files
        self._register = register
        self._identities = identities
        self._timestampers = timestampers
        self._evidence = evidence
        self._policy = policy

    def claim(self, document: Document) -> Lease | None:
        """Take over a pending document whose lease has lapsed; None when somebody else holds it."""
        now = self._clock()
        lease = self._new_lease(now, is_takeover=True)
        with self._begin() as tx:
            claimed = DocumentTable(tx).claim(
                document.id,
                lease_token=lease.token,
                now=now,
                until=lease.until,
                retry_at=now + self._policy.lease * 2 ** min(document.attempts + 1, _MOST_DOUBLINGS),
            )
            if claimed:
                self._audit.append(
                    tx,
                    action="document.taken_over",
                    actor=document.client_id,
                    subject=document.id,
                    facts={"attempt": str(document.attempts + 1)},
                )
        return lease if claimed else None

    def _new_lease(self, now: datetime, *, is_takeover: bool = False) -> Lease:
        return Lease(secrets.token_hex(16), now + self._policy.lease, is_takeover)

    def reserve(
        self,
        caller: Caller,
        facts: DocumentFacts,
        prepared: PreparedPdf,
        idempotency_key: str | None,
        request_digest: bytes,
    ) -> tuple[Document, Lease] | None:
        """Store the source, then commit the intent. None when another request holds the idempotency key."""
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
            authorised_by=caller.authorised_by,
        )
        prepared.stream.seek(0)
        self._files.put(document.source_key, prepared.stream)
        try:
            with self._begin() as tx:
                status_index = DocumentTable(tx).reserve(document, lease_token=lease.token)
                self._audit.append(
                    tx,
                    action="document.intended",
                    actor=caller.client_id,
                    subject=document.id,
                    facts=_authorisation(document),
                )
        except IntegrityError:
            # Only here is it certain that nothing was committed; otherwise the source must stay.
            self._files.delete(document.source_key)
            if idempotency_key is None:
                raise
            return None
        return replace(document, status_index=status_index), lease

    def finish_from_store(self, document: Document, lease: Lease) -> Document:
        """:meth:`finish` with the source that was stored before the intent, settled."""
        with (
            self.settled(document, lease),
            self._source_of(document) as source,
            prepare(source, self._policy.pdf_limits) as prepared,
        ):
            return self.finish(document, lease, prepared)

    @contextmanager
    def _source_of(self, document: Document) -> Iterator[BinaryIO]:
        with ExitStack() as stack:
            try:
                source = stack.enter_context(self._files.open(document.source_key))
            except FileNotFoundError as cause:
                # A store that is mounted wrongly must not turn every open job into a refusal at once.
                if document.attempts < _GIVEN_UP_AFTER:
                    raise SourceMissing(
                        f"The PDF of document {document.id} is not in the store. Is it the right store?"
                    ) from cause
                raise SourceLost(
                    "The PDF was lost before it was sealed. Send it again as a new request."
                ) from cause
            yield source

    def finish(self, document: Document, lease: Lease, prepared: PreparedPdf) -> Document:
        """Seal, check, store and commit the outcome. Call it within :meth:`settled`.

        Raises :class:`JobInProgress` when another worker's outcome stands.
        """
        with self._workspace(prepared.size) as target:
            sealed, encoded = self._seal_into(target, document, prepared)
            return self._release(document, lease, target, sealed, encoded)

    @contextmanager
    def settled(self, document: Document, lease: Lease) -> Iterator[None]:
        """However the work inside ends, the job has an outcome or is open for the next attempt."""
        try:
            yield
        except PdfRefused as refusal:
            self._refuse(document, lease, refusal)
            raise
        except JobInProgress:
            raise  # the lease is another worker's
        except Exception:
            with suppress(Exception), self._begin() as tx:  # a database that is down ends the lease by time
                DocumentTable(tx).give_back(document.id, lease_token=lease.token)
            raise

    def _refuse(self, document: Document, lease: Lease, refusal: PdfRefused) -> None:
        with self._begin() as tx:
            committed = DocumentTable(tx).refuse(
                document.id,
                lease_token=lease.token,
                kind=type(refusal).__name__,
                refusal=str(refusal),
                at=self._clock(),
            )
            if committed:
                self._audit.append(
                    tx,
                    action="document.refused",
                    actor=document.client_id,
                    subject=document.id,
                    facts={"cause": type(refusal).__name__},
                )
        if not committed:
            raise _overtaken(document) from refusal
        self._clear_up(document, lease, released=None)

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
        refused: TimeNotAvailable | None = None
        for timestamper in self._timestampers.units():
            try:
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
                    timestamper=timestamper,
                    evidence=self._evidence.evidence_for(
                        (identity.certificate, *identity.chain), timestamper.chain
                    ),
                    at=self._clock(),
                )
            except TimeNotAvailable as cause:
                refused = cause
                target.seek(0)
                target.truncate()
            else:
                return sealed, encoded
        raise refused or TimeNotAvailable("nobody can be asked for the time now")

    def _release(
        self, document: Document, lease: Lease, target: BinaryIO, sealed: pdf.SealedPdf, encoded: bytes
    ) -> Document:
        released = replace(
            document,
            state=DocumentState.ISSUED,
            issued_at=self._clock(),
            sealed_digest=sealed.digest,
            sealed_size=sealed.size,
            receipt=encoded,
            lease_until=None,
            sealed_by=sealed.sealed_by,
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
                sealed_by=sealed.sealed_by,
            )
            if committed:
                self._audit.append(
                    tx,
                    action="document.issued",
                    actor=document.client_id,
                    subject=document.id,
                    facts={"sha256": sealed.digest.hex(), "type": document.facts.type}
                    | _authorisation(document),
                )
                self._supersede_earlier(tx, released)
        if not committed:
            # Another worker took the job over and its outcome stands; ours must not lie around.
            self._files.delete(released.sealed_key)
            raise _overtaken(document)
        self._clear_up(document, lease, released=released.sealed_key)
        return released

    def _clear_up(self, document: Document, lease: Lease, *, released: str | None) -> None:
        """After the outcome, which nobody can change any more: what else was stored for it is not needed.

        A store that does not answer now takes nothing from the outcome: :meth:`discard_leftovers` follows.
        """
        try:
            if lease.is_takeover:  # the attempt before this one may have stored its file and died
                for stored in self._files.under(document.sealed_folder):
                    if stored.key != released:
                        self._files.delete(stored.key)
            self._files.delete(document.source_key)
        except Exception as cause:  # noqa: BLE001 - whatever it is, the document has its outcome
            log.warning("leftovers_stay", document=document.id, error=type(cause).__name__)

    def _supersede_earlier(self, tx: Connection, released: Document) -> None:
        """Part of the outcome's transaction: the successor and the end of its predecessor appear at once.

        A predecessor that was withdrawn meanwhile stays as it is; revoked is not softened to superseded.
        """
        earlier = released.facts.supersedes
        assert released.issued_at is not None
        anew = released.client_id == SEALED_ANEW_BY
        reason = StateReason.SEALED_ANEW if anew else StateReason.REPLACED
        if earlier is not None and DocumentTable(tx).withdraw(
            earlier,
            state=DocumentState.SUPERSEDED,
            reason=reason,
            at=released.issued_at,
            superseded_by=released.id,
        ):
            self._audit.append(
                tx,
                action="document.superseded",
                actor=released.client_id,
                subject=earlier,
                facts={"by": released.id, "reason": reason},
            )

    @contextmanager
    def _workspace(self, size: int) -> Iterator[BinaryIO]:
        """Where the sealed file is built: in memory while small, else on disk."""
        if size <= self._policy.in_memory:
            yield io.BytesIO()
            return
        with tempfile.TemporaryFile(prefix="absah-") as file:
            yield file


def _overtaken(document: Document) -> JobInProgress:
    return JobInProgress(f"Another worker took document {document.id} over. Repeat the request.")


def _authorisation(document: Document) -> dict[str, str]:
    """The person in whose name it is sealed, for the audit trail."""
    return {"authorised_by": document.authorised_by} if document.authorised_by else {}
