"""The jobs of verification: from an id, a link, a receipt, a picture or a file to a verdict.

Works without the register too (``documents=None``): then everything that a signature proves is still said,
and that the current status was not looked at is said as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import BinaryIO
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy.exc import SQLAlchemyError

from ca.errors import MalformedDer
from signing.archive import read_evidence_record, stamped_root
from signing.errors import ReceiptMalformed
from signing.ids import parse_id
from signing.model import Release
from signing.receipt import Receipt, decode, from_digits
from verify import checks
from verify.checks import Finding
from verify.embedded import NOT_AS_RELEASED
from verify.errors import EvidenceUnusable, UnknownDocument
from verify.own_shape import ArchiveToken
from verify.pdf import AnyShape, Limits, PdfFindings, PdfUnreadable, validate_pdf
from verify.pictures import PictureUnreadable, read_codes
from verify.ports import Clock, IssuedDocuments
from verify.trust import TrustStore
from verify.verdict import Check, CheckResult, Outcome, Reason, Subject, Verdict

_PICTURE_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_STATUS = "current-status"


class VerificationService:
    """``trust`` is asked for every verdict, so that new receipt keys and revocation lists count at once.

    ``official_hosts`` are the host names that may stand in a QR code of ours; empty: not checked. A process
    that serves strangers passes a :class:`verify.confined.ConfinedValidator` as ``foreign``.
    """

    def __init__(
        self,
        *,
        documents: IssuedDocuments | None,
        trust: Callable[[], TrustStore],
        clock: Clock,
        foreign: AnyShape,
        official_hosts: Iterable[str] = (),
        limits: Limits | None = None,
    ) -> None:
        self._documents = documents
        self._trust = trust
        self.clock = clock
        self._official_hosts = frozenset(host.lower() for host in official_hosts)
        self._limits = limits or Limits()
        self._foreign = foreign
        self._last_answer_at: datetime | None = None

    def by_id(self, shown: str) -> Verdict:
        """The register's word on an id as printed or typed.

        Raises :class:`verify.errors.UnknownDocument` when nobody issued it.
        """
        document_id = parse_id(shown)
        if document_id is None:
            raise UnknownDocument(shown[:40])
        record, unavailable = self._look_up(document_id)
        if unavailable is not None:
            return self._verdict(Subject.RECORD, [unavailable])
        if record is None:
            raise UnknownDocument(document_id)
        return self.of_record(record)

    def of_record(self, record: Release) -> Verdict:
        """The verdict on a record that the caller has just read."""
        return self._verdict(Subject.RECORD, _of_record(record, self.clock()), record=record)

    def records_unavailable(self, last_answer_at: datetime | None) -> Verdict:
        """What to say while the register cannot be read."""
        return self._verdict(Subject.RECORD, [_unavailable(last_answer_at)])

    def by_text(self, text: str) -> Verdict:
        """Whatever a person pasted: a link, the digits of a receipt, or an id.

        Raises :class:`verify.errors.UnknownDocument` for an id that nobody issued.
        """
        text = text.strip()
        if "://" in text:
            return self.by_link(text)
        compact = "".join(text.split())
        if len(compact) > 64 and compact.isascii() and compact.isdigit():
            return self.by_receipt(compact)
        if parse_id(text) is not None:
            return self.by_id(text)
        return self._unreadable(
            Subject.RECEIPT, Reason.RECEIPT_MALFORMED, "neither a link, a receipt nor an id"
        )

    def by_link(self, link: str) -> Verdict:
        """The content of a QR code, ``https://HOST/d/{id}#{digits}``, or the same without the fragment.

        Raises :class:`verify.errors.UnknownDocument` for an id that nobody issued, without a receipt.
        """
        # 1. Take the link apart; anything but our own shape is not a code of ours.
        try:
            parts = urlsplit(link.strip())
            host = (parts.hostname or "").lower()
        except ValueError:
            return self._unreadable(Subject.RECEIPT, Reason.CODE_NOT_OURS, "not a link")
        head, _, shown = parts.path.rpartition("/")
        document_id = parse_id(shown) if head.endswith("/d") else None
        if document_id is None or parts.scheme not in {"https", "http"}:
            return self._unreadable(Subject.RECEIPT, Reason.CODE_NOT_OURS, "not a link to a document")
        # 2. A foreign host is the mark of a clone, whatever the rest says.
        address = self._address(host)
        # 3. With a receipt its signature decides, without one only the register can.
        if parts.fragment:
            return self.by_receipt(parts.fragment, address_id=document_id, also=(address,))
        no_receipt = checks.not_done("receipt", Reason.LINK_WITHOUT_RECEIPT, "the link carries no receipt")
        record, unavailable = self._look_up(document_id)
        if unavailable is not None:
            return self._verdict(Subject.RECORD, [unavailable, address, no_receipt])
        if record is None:
            raise UnknownDocument(document_id)
        return self._verdict(
            Subject.RECORD, [*_of_record(record, self.clock()), address, no_receipt], record=record
        )

    def by_receipt(
        self, receipt: str | bytes, *, address_id: str | None = None, also: tuple[Finding, ...] = ()
    ) -> Verdict:
        """A receipt as COSE_Sign1 bytes or as the digits of the QR code.

        ``address_id`` is the id in the address that the receipt was printed with; they must agree.
        """
        # 1. Decode strictly: one encoding per receipt.
        try:
            signed = decode(receipt if isinstance(receipt, bytes) else from_digits(receipt))
        except ReceiptMalformed as cause:
            return self._unreadable(Subject.RECEIPT, Reason.RECEIPT_MALFORMED, str(cause))
        claims = signed.claims
        # 2. The address, then the signature with a key from the trust store.
        signature = checks.receipt_signature(signed, self._trust(), self.clock())
        findings = [checks.receipt_address(claims, address_id), signature, *also]
        if signature.check.result is not CheckResult.PASSED:
            return self._verdict(Subject.RECEIPT, findings)
        # 3. What the claims say now, by themselves and by the register.
        return self._with_register(Subject.RECEIPT, claims, findings)

    def receipt_keys(self) -> dict[bytes, ec.EllipticCurvePublicKey]:
        """The public keys, by COSE ``kid``, with which anyone can check a receipt."""
        return checks.receipt_keys(self._trust(), self.clock())

    def by_image(self, picture: BinaryIO) -> Verdict:
        """A photo or scan of the QR code."""
        try:
            codes = read_codes(picture, max_pixels=self._limits.max_pixels)
        except PictureUnreadable as cause:
            return self._unreadable(Subject.RECEIPT, Reason.PICTURE_UNREADABLE, str(cause))
        if not codes:
            return self._unreadable(Subject.RECEIPT, Reason.NO_CODE_FOUND, "no QR code was found")
        links = [code for code in codes if "/d/" in code]
        if not links:
            return self._unreadable(Subject.RECEIPT, Reason.CODE_NOT_OURS, f"{len(codes)} other codes")
        return self.by_link(links[0])

    def by_file(self, file: BinaryIO, *, thorough: bool = False, evidence: Iterable[bytes] = ()) -> Verdict:
        """A PDF, or a picture of the QR code. ``file`` is seekable and belongs to the caller.

        ``thorough`` validates the signatures also where the file is known byte for byte. ``evidence`` are
        evidence records (RFC 4998) that the service gave out for the file: later times at which it was there.

        Raises :class:`verify.errors.EvidenceUnusable` for a record that is not of this file.
        """
        # 1. What is it? A picture holds a code; an empty file holds nothing.
        file.seek(0)
        start = file.read(1024)
        if not start:
            return self._unreadable(Subject.FILE, Reason.FILE_EMPTY, "0 bytes")
        if start.startswith(_PICTURE_STARTS) or start[4:8] == b"ftyp":
            return self.by_image(file)
        if b"%PDF-" not in start:
            return self._unreadable(Subject.FILE, Reason.NOT_A_PDF, "no %PDF- in the first 1024 bytes")
        # 2. Our own bytes are known in one look-up, with the fresh state.
        digest = _sha256(file)
        archived = [_archive_token(encoded, digest) for encoded in evidence]
        record, unavailable = self._by_digest(digest)
        if record is not None and not thorough:
            known = checks.passed("file-digest", Reason.FILE_IS_OURS, "the register knows this SHA-256")
            return self._verdict(
                Subject.FILE,
                [known, *_of_record(record, self.clock())],
                record=record,
                file_sha256=digest,
            )
        # 3. Otherwise the signatures decide.
        try:
            pdf = validate_pdf(
                file,
                trust=self._trust(),
                now=self.clock(),
                limits=self._limits,
                foreign=self._foreign,
                archived=archived,
            )
        except PdfUnreadable as cause:
            return self._unreadable(Subject.FILE, cause.reason, str(cause), file_sha256=digest)
        return self._of_pdf(pdf, digest, record, unavailable)

    def _of_pdf(
        self, pdf: PdfFindings, digest: bytes, record: Release | None, unavailable: Finding | None
    ) -> Verdict:
        findings = list(pdf.findings)
        if record is not None:
            findings.append(
                checks.passed("file-digest", Reason.FILE_IS_OURS, "the register knows this SHA-256")
            )
            findings += _of_record(record, self.clock())
        verdict_on_file = self._verdict(
            Subject.FILE, findings, record=record, file_sha256=digest, signatures=pdf
        )
        if record is not None or not pdf.is_ours:
            return verdict_on_file
        # The seal is ours and intact: the receipt inside says which document this is.
        if pdf.receipt is None:
            if self._documents is None:
                findings += [_nothing_but_the_seal(), _offline()]
            else:
                findings.append(unavailable or _not_in_records())
            return self._verdict(Subject.FILE, findings, file_sha256=digest, signatures=pdf)
        return self._with_register(Subject.FILE, pdf.receipt, findings, file_sha256=digest, signatures=pdf)

    def _with_register(
        self,
        subject: Subject,
        claims: Receipt,
        findings: list[Finding],
        *,
        file_sha256: bytes | None = None,
        signatures: PdfFindings | None = None,
    ) -> Verdict:
        """Add what authentic claims say by themselves, and the register's word on the same document."""
        now = self.clock()
        record: Release | None = None
        if self._documents is None:
            findings += [checks.validity_of(claims, now), _offline()]
        else:
            record, unavailable = self._look_up(claims.document_id)
            if unavailable is not None:
                findings += [checks.validity_of(claims, now), unavailable]
            elif record is None:
                findings.append(_not_in_records())
            else:
                findings += [checks.receipt_against_record(claims, record), *_of_record(record, now)]
                if file_sha256 is not None and file_sha256 != record.sealed_digest:
                    findings.append(NOT_AS_RELEASED)
        return self._verdict(
            subject, findings, record=record, receipt=claims, file_sha256=file_sha256, signatures=signatures
        )

    def _address(self, host: str) -> Finding:
        if not self._official_hosts:
            return Finding(Check("address", CheckResult.NOT_DONE, "the official host is not known here"))
        if host in self._official_hosts:
            return checks.passed("address", detail=host)
        return checks.failed(
            "address", Outcome.FILE_DIFFERS, Reason.FOREIGN_ADDRESS, f"{host} is not an official host"
        )

    def _look_up(self, document_id: str) -> tuple[Release | None, Finding | None]:
        return self._ask(lambda documents: documents.by_ids([document_id]).get(document_id))

    def _by_digest(self, digest: bytes) -> tuple[Release | None, Finding | None]:
        return self._ask(lambda documents: documents.by_digest(digest))

    def _ask(
        self, question: Callable[[IssuedDocuments], Release | None]
    ) -> tuple[Release | None, Finding | None]:
        if self._documents is None:
            return None, _unavailable(None)
        try:
            record = question(self._documents)
        except SQLAlchemyError:
            return None, _unavailable(self._last_answer_at)
        self._last_answer_at = self.clock()
        return record, None

    def _unreadable(
        self, subject: Subject, reason: Reason, detail: str, *, file_sha256: bytes | None = None
    ) -> Verdict:
        finding = checks.failed("readable", Outcome.UNREADABLE, reason, detail)
        return self._verdict(subject, [finding], file_sha256=file_sha256)

    def _verdict(
        self,
        subject: Subject,
        findings: Iterable[Finding],
        *,
        record: Release | None = None,
        receipt: Receipt | None = None,
        file_sha256: bytes | None = None,
        signatures: PdfFindings | None = None,
    ) -> Verdict:
        findings = tuple(findings)
        outcome, reasons, since = checks.conclude(findings)
        return Verdict(
            outcome=outcome,
            subject=subject,
            checked_at=self.clock(),
            reasons=reasons,
            checks=tuple(finding.check for finding in findings),
            indication=signatures.indication if signatures else None,
            sub_indication=signatures.sub_indication if signatures else None,
            since=since,
            record=record,
            receipt=receipt,
            signatures=signatures.signatures if signatures else (),
            file_sha256=file_sha256,
        )


def _archive_token(encoded: bytes, digest: bytes) -> ArchiveToken:
    try:
        token = read_evidence_record(encoded, digest)
        return ArchiveToken(token, stamped_root(token))
    except (MalformedDer, ValueError, IndexError, StopIteration) as cause:
        raise EvidenceUnusable(
            f"This is not the evidence record of this file ({cause}). `absah case evidence` writes it."
        ) from cause


def _sha256(file: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.digest()


def _of_record(record: Release, now: datetime) -> list[Finding]:
    seal = checks.seal_of_record(record)
    found = [checks.state_of_record(record), checks.validity_of(record, now), checks.sample_of(record)]
    return found if seal is None else [*found, seal]


def _offline() -> Finding:
    return checks.not_done(_STATUS, Reason.STATUS_NOT_CHECKED, "the register was not asked")


def _nothing_but_the_seal() -> Finding:
    """Whoever stole the key of a seal makes seals, but no receipt, which another key signs. Everything that
    we release carries one, so without it only the register can tell our seal from a thief's."""
    return checks.undecided(
        "issued-here",
        Outcome.CANNOT_SAY,
        Reason.RECEIPT_MISSING,
        "sealed under our own CA, with no receipt that can be believed, and the register was not asked",
    )


def _unavailable(last_answer_at: datetime | None) -> Finding:
    return checks.undecided(
        _STATUS,
        Outcome.CANNOT_SAY,
        Reason.RECORDS_UNAVAILABLE,
        "the register cannot be read",
        last_answer_at,
    )


def _not_in_records() -> Finding:
    """Signed by us yet never issued: a stolen key or an insider's work looks like this."""
    return checks.failed(
        _STATUS, Outcome.FILE_DIFFERS, Reason.NOT_IN_RECORDS, "the register has no such document"
    )
