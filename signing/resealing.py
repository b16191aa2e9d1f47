"""Sealing documents anew: the same content under another key, because nobody can believe the first seal.

Each document becomes a new one with an id, a receipt and a QR code of its own; the old id leads to it. The
original is not kept beside the sealed file, and need not be: it is its first part, byte for byte.

Whoever has the lost key, and can write to the database and the store, could plant a document for us to make
genuine. What they cannot make is its receipt, because another key signs those: so the receipt has to stand,
and to say what the row and the file say.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO, Final

from cryptography.hazmat.primitives.asymmetric import ec

from signing.errors import JobInProgress, ReceiptNotAuthentic, SourceLost, recorded_refusal
from signing.jobs import SealingJobs, SealingPolicy
from signing.model import SEALED_ANEW_BY, Document, DocumentState
from signing.ports import Begin, Caller, DocumentFiles
from signing.receipt import decode
from signing.source import prepare
from signing.tables import DocumentTable
from signing.types import document_type

_CHUNK: Final = 1 << 20


class Resealing:
    """Seals documents anew. Safe to share between threads; a document is sealed anew once, whoever asks.

    ``receipt_keys`` are the keys, by COSE ``kid``, whose receipts are believed now.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        files: DocumentFiles,
        jobs: SealingJobs,
        policy: SealingPolicy,
        receipt_keys: Callable[[], Mapping[bytes, ec.EllipticCurvePublicKey]],
    ) -> None:
        self._receipt_keys = receipt_keys
        self._begin = begin
        self._files = files
        self._jobs = jobs
        self._policy = policy

    def reseal(self, document_id: str) -> Document | None:
        """The document that takes the place of ``document_id``; None when that is not in force any more.

        Repeating it after a crash finishes what was begun and returns the same document.

        Raises :class:`signing.errors.JobInProgress` while somebody else does it, :class:`SourceLost` when the
        stored file does not begin with the original, ``ReceiptNotAuthentic`` when nothing shows that it was
        issued here, what sealing raises, and what it was refused for.
        """
        # 1. Begun before? Then that is finished, and nothing is begun twice.
        with self._begin() as tx:
            register = DocumentTable(tx)
            begun = register.by_idempotency_key(SEALED_ANEW_BY, document_id)
            document = register.by_id(document_id)
        if begun is not None:
            return self._finished(begun)
        if document is None or document.state is not DocumentState.ISSUED:
            return None
        # 2. It was issued here: its receipt says so, by a key that was not lost.
        self._require_receipt(document)
        # 3. The original, out of the sealed file.
        with self._original(document) as source, prepare(source, self._policy.pdf_limits) as prepared:
            # 4. From here on it is sealed like any other. The outcome supersedes the old one in one step.
            caller = Caller(
                client_id=SEALED_ANEW_BY,
                agency_id=document.agency_id,
                agency_name=document.issuer_name,
                scopes=frozenset(),
                is_sandbox=document.is_sample,
            )
            facts = replace(document.facts, supersedes=document.id)
            reserved = self._jobs.reserve(caller, facts, prepared, document.id, document.source_digest)
            if reserved is None:
                raise JobInProgress(f"Document {document.id} is being sealed anew by another worker.")
            successor, lease = reserved
            with self._jobs.settled(successor, lease):
                return self._jobs.finish(successor, lease, prepared)

    def _require_receipt(self, document: Document) -> None:
        advice = "Have the agency look at it, and issue it again if it is theirs."
        signed = decode(document.receipt or b"")
        key = self._receipt_keys().get(signed.key_id)
        if key is None:
            raise ReceiptNotAuthentic(
                f"The receipt of document {document.id} is by a key that is lost or not ours. {advice}"
            )
        signed.verify(key)
        facts, claims = document.facts, signed.claims
        stated = (
            document.id,
            document_type(facts.type).number,
            facts.number,
            facts.holder.name if facts.holder else None,
            document.issuer_name,
            facts.issued_on,
            facts.valid_until,
            document.source_digest,
        )
        signed_for = (
            claims.document_id,
            claims.type_number,
            claims.number,
            claims.holder,
            claims.issuer,
            claims.issued_on,
            claims.valid_until,
            claims.source_digest,
        )
        if stated != signed_for:
            raise ReceiptNotAuthentic(
                f"The register says another thing about document {document.id} than its receipt. {advice}"
            )

    def _finished(self, begun: Document) -> Document:
        if begun.state is DocumentState.REFUSED:
            raise recorded_refusal(begun.refusal_kind, begun.refusal or "The document was refused.")
        if begun.state is not DocumentState.PENDING:
            return begun
        lease = self._jobs.claim(begun)
        if lease is None:
            raise JobInProgress(f"Document {begun.id} is being sealed by another worker.")
        return self._jobs.finish_from_store(begun, lease)

    @contextmanager
    def _original(self, document: Document) -> Iterator[BinaryIO]:
        """The PDF before the stamp. Raises :class:`signing.errors.SourceLost`."""
        try:
            sealed = self._files.open(document.sealed_key)
            with sealed as stream, self._workspace(document.source_size) as original:
                digest, left = hashlib.sha256(), document.source_size
                while left and (chunk := stream.read(min(_CHUNK, left))):
                    original.write(chunk)
                    digest.update(chunk)
                    left -= len(chunk)
                if left or digest.digest() != document.source_digest:
                    raise SourceLost(
                        f"The stored file of document {document.id} does not begin with the PDF that was "
                        "sent. Restore it from the backup, or have the agency issue the document again."
                    )
                original.seek(0)
                yield original
        except FileNotFoundError as cause:
            raise SourceLost(
                f"The sealed file of document {document.id} is not in the store. "
                "Restore it from the backup, or have the agency issue the document again."
            ) from cause

    @contextmanager
    def _workspace(self, size: int) -> Iterator[BinaryIO]:
        if size <= self._policy.in_memory:
            yield io.BytesIO()
            return
        with tempfile.TemporaryFile(prefix="absah-") as file:
            yield file
