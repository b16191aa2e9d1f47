"""The jobs of the sealing slice. The central one, :meth:`SealingService.seal`, is numbered step by step."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import timedelta
from typing import BinaryIO, Final

import structlog

from signing.errors import (
    IdempotencyConflict,
    JobInProgress,
    PdfRefused,
    recorded_refusal,
)
from signing.jobs import SealingJobs, SealingPolicy
from signing.model import (
    SOURCES,
    Document,
    DocumentFacts,
    DocumentState,
    document_id_of_source,
)
from signing.ports import Begin, Caller, Clock, DocumentFiles, SealingIdentities
from signing.register import DocumentRegister
from signing.source import prepare
from signing.tables import DocumentTable

log = structlog.get_logger(__name__)

_LEFTOVER_AGE: Final = timedelta(hours=1)


class SealingService:
    """Seals documents and keeps their states. Safe to share between threads."""

    def __init__(
        self,
        *,
        begin: Begin,
        clock: Clock,
        files: DocumentFiles,
        register: DocumentRegister,
        identities: SealingIdentities,
        jobs: SealingJobs,
        policy: SealingPolicy,
    ) -> None:
        self._begin = begin
        self._clock = clock
        self._files = files
        self._register = register
        self._identities = identities
        self._jobs = jobs
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
        facts.check(self._clock().date())
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
            reserved = self._jobs.reserve(caller, facts, prepared, idempotency_key, request_digest)
            if reserved is not None:
                document, lease = reserved
                # 6. Seal, check, store, commit the outcome.
                with self._jobs.settled(document, lease):
                    return self._jobs.finish(document, lease, prepared)
        # Another request took the idempotency key since step 2: it is the first one, this one repeats it.
        assert idempotency_key is not None
        earlier = self._earlier(caller, idempotency_key, request_digest)
        assert earlier is not None
        return earlier

    def finish_abandoned(self, *, limit: int = 100) -> int:
        """Finish pending documents whose worker is gone; returns how many were brought to an outcome.

        One that fails does not keep the others from being finished, and is tried again later and later.
        """
        with self._begin() as tx:
            abandoned = DocumentTable(tx).unfinished(now=self._clock(), limit=limit)
        done = 0
        for document in abandoned:
            lease = self._jobs.claim(document)
            if lease is None:
                continue
            try:
                self._jobs.finish_from_store(document, lease)
                done += 1
            except PdfRefused as refusal:
                log.warning("abandoned_document_refused", document=document.id, cause=type(refusal).__name__)
                done += 1
            except Exception as cause:  # noqa: BLE001 - the next document may be fine, and this one waits
                log.error(
                    "abandoned_document_failed",
                    document=document.id,
                    attempts=document.attempts + 1,
                    error=type(cause).__name__,
                )
        return done

    def discard_leftovers(self) -> int:
        """Delete stored sources that no pending document needs; returns how many there were.

        A worker killed between storing and committing leaves one, and it is the whole unmasked document.
        """
        before = self._clock() - max(_LEFTOVER_AGE, self._policy.lease)
        discarded = 0
        for stored in self._files.under(SOURCES):
            if stored.stored_at >= before:
                continue
            with self._begin() as tx:
                document = DocumentTable(tx).by_id(document_id_of_source(stored.key))
            if document is None or document.state is not DocumentState.PENDING:
                self._files.delete(stored.key)
                discarded += 1
        return discarded

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
            raise recorded_refusal(earlier.refusal_kind, earlier.refusal or "The document was refused.")
        if earlier.state is not DocumentState.PENDING:
            return earlier
        lease = self._jobs.claim(earlier)
        if lease is None:
            raise JobInProgress(f"Document {earlier.id} is being sealed. Repeat the request in a moment.")
        return self._jobs.finish_from_store(earlier, lease)


def _request_digest(facts: DocumentFacts, source: BinaryIO) -> bytes:
    """What makes two requests the same: every stated fact and every byte of the file."""
    told = asdict(facts)
    if facts.holder is not None and facts.holder.fingerprint is None:
        del told["holder"]["fingerprint"]  # a request without it is the same request as ever
    stated = json.dumps(told, default=str, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(stated.encode() + b"\0")
    source.seek(0)
    while chunk := source.read(1024 * 1024):
        digest.update(chunk)
    return digest.digest()
