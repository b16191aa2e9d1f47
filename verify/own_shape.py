"""Files of our own shape: full validation within milliseconds.

A file is of our shape when its last signature is a certification by the layout of :mod:`signing.pdf`, covers
every byte but its own value, and the source beneath it carried no other signature. Such a file needs no PDF
parser: the signature speaks for all bytes, so what they mean cannot have been changed, and evidence speaks
for itself. Anything else, broken seals included, is left to :mod:`verify.any_shape`, which explains better
and trusts less.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ca.der import OCTET_STRING, SEQUENCE, expect, read_generalized_time, read_oid, read_tlv, read_whole
from ca.errors import MalformedDer
from ca.trust import CertifiedUse, PathStatus, PathVerdict, StatusEvidence, check_path
from signing.cms import (
    HASHES,
    ID_CONTENT_TYPE,
    ID_DATA,
    ID_MESSAGE_DIGEST,
    ID_SIGNING_CERTIFICATE_V2,
    ID_TIME_STAMP_TOKEN,
    ID_TST_INFO,
    SignedDataRead,
    read_signed_data,
)
from verify import checks
from verify.embedded import EmbeddedReceipt, embedded_receipt
from verify.findings import PdfFindings
from verify.trust import TrustStore
from verify.verdict import (
    Check,
    CheckResult,
    Indication,
    Outcome,
    Reason,
    SignatureFinding,
    SignatureKind,
    SubIndication,
)

_DICTIONARY: Final = re.compile(
    rb"/Reference\[<</Type/SigRef/TransformMethod/DocMDP"
    rb"/TransformParams<</Type/TransformParams/V/1\.2/P 1>>>>\]"
    rb"/ABSH_SourceLength (\d{1,18})/ABSH_Receipt\((\d{0,2470})\)/ABSH_Document\(([0-9A-Z]{16})\)"
    rb"/ByteRange\[0 (\d{1,18}) (\d{1,18}) (\d{1,18}) *\]/Contents"
)
_MARK: Final = b"/ABSH_SourceLength "
_HEAD: Final = 256  # of the dictionary in front of the mark that the pattern needs
_TAILS: Final = (1 << 20, 1 << 24)
_OBJECT: Final = re.compile(rb"(\d{1,9}) 0 obj\s*<</Length (\d{1,9})>>stream\n")
_REFERENCE: Final = re.compile(rb"(\d{1,9}) 0 R")
_LARGEST_VALUE: Final = 1 << 20
_DIGEST_NAMES: Final = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}


class _NotOurs(Exception):
    """The file is not of our shape, or its seal is broken."""


@dataclass(frozen=True, slots=True)
class _Sealed:
    """The seal of one file, as read. ``update`` is what was written behind the source."""

    cms: SignedDataRead
    message_digest: bytes
    source_digest: bytes
    receipt_digits: str
    document_id: str
    update: bytes
    size: int


@dataclass(frozen=True, slots=True)
class _Path:
    check: Check
    outcome: Outcome | None = None
    reason: Reason | None = None
    indication: tuple[Indication, SubIndication | None] = (Indication.TOTAL_PASSED, None)


def validate(file: BinaryIO, *, trust: TrustStore, now: datetime) -> PdfFindings | None:
    """The findings on a file of our own shape whose seal is intact; None when it is not one."""
    try:
        # 1. Shape: the dictionary, the byte range, the value in the only gap, the bytes digested once.
        sealed = _read(file)
        # 2. The seal: digest, signature value, and the certificate that the signed attributes name.
        certificate = _check_seal(sealed)
        # 3. The time: a token over the seal's value.
        unit, sealed_at, token = _check_timestamp(sealed)
    except (_NotOurs, MalformedDer, InvalidSignature, ValueError, IndexError, StopIteration):
        return None
    # 4. The paths of both as they stood at that time, with the evidence in the file and at hand.
    certificates, evidence = _evidence(sealed.update, trust)
    own = tuple(_loaded(sealed.cms.certificates)) + tuple(_loaded(token.certificates)) + certificates
    paths = _Paths(own + trust.certificates, trust.anchors, sealed_at, evidence)
    seal_path = paths.check("seal-path", certificate, CertifiedUse.SEAL)
    unit_path = paths.check("time-stamp-path", unit, CertifiedUse.TIMESTAMPING)
    if seal_path.reason is Reason.ISSUER_NOT_TRUSTED and trust.foreign_anchors:
        return None
    # 5. The receipt in it, and the source that the receipt was made for.
    found = embedded_receipt(
        sealed.receipt_digits, sealed.document_id, sealed.source_digest, trust=trust, now=now
    )
    return _conclude(sealed, certificate, sealed_at, (seal_path, unit_path), found)


def _read(file: BinaryIO) -> _Sealed:
    size = file.seek(0, 2)
    tail, offset = _tail_with_mark(file, size)
    mark = tail.rfind(_MARK)
    match = _DICTIONARY.search(tail, max(0, mark - _HEAD))
    if match is None:
        raise _NotOurs
    source_size, before, after, rest = (int(match[group]) for group in (1, 4, 5, 6))
    exact = offset + match.end() == before and source_size <= before < after and after + rest == size
    if not exact or after - before > _LARGEST_VALUE:
        raise _NotOurs
    hole = tail[before - offset : after - offset]
    if hole[:1] != b"<" or hole[-1:] != b">" or not hole[1:-1].isalnum():
        raise _NotOurs
    value = bytes.fromhex(hole[1:-1].decode("ascii"))
    content = read_tlv(value)
    if value[content.end :].strip(b"\0"):
        raise _NotOurs
    cms = read_signed_data(content.encoded)
    name = _DIGEST_NAMES.get(cms.digest_oid)
    if name is None:
        raise _NotOurs
    source = hashlib.sha256()
    message = hashlib.new(name)
    for position, chunk in _chunks(file, 0, before):
        message.update(chunk)
        if position < source_size:
            source.update(chunk[: source_size - position])
    for _, chunk in _chunks(file, after, size):
        message.update(chunk)
    return _Sealed(
        cms=cms,
        message_digest=message.digest(),
        source_digest=source.digest(),
        receipt_digits=match[2].decode("ascii"),
        document_id=match[3].decode("ascii"),
        update=tail[max(0, source_size - offset) :],
        size=size,
    )


def _tail_with_mark(file: BinaryIO, size: int) -> tuple[bytes, int]:
    for length in _TAILS:
        offset = max(0, size - length)
        file.seek(offset)
        tail = file.read(length)
        if _MARK in tail:
            return tail, offset
        if offset == 0:
            break
    raise _NotOurs


def _chunks(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    file.seek(start)
    while start < end:
        chunk = file.read(min(1 << 20, end - start))
        if not chunk:
            raise _NotOurs
        yield start, chunk
        start += len(chunk)


def _check_seal(sealed: _Sealed) -> x509.Certificate:
    cms = sealed.cms
    if cms.content is not None or cms.content_type != ID_DATA:
        raise _NotOurs
    stated = read_whole(cms.signed.get(ID_MESSAGE_DIGEST, b""), OCTET_STRING).content
    if stated != sealed.message_digest:
        raise _NotOurs
    return _signer(cms, ID_DATA)


def _check_timestamp(sealed: _Sealed) -> tuple[x509.Certificate, datetime, SignedDataRead]:
    token = read_signed_data(sealed.cms.unsigned.get(ID_TIME_STAMP_TOKEN, b""))
    name = _DIGEST_NAMES.get(token.digest_oid)
    if token.content_type != ID_TST_INFO or token.content is None or name is None:
        raise _NotOurs
    stated = read_whole(token.signed.get(ID_MESSAGE_DIGEST, b""), OCTET_STRING).content
    if stated != hashlib.new(name, token.content).digest():
        raise _NotOurs
    # TSTInfo (RFC 3161 2.4.2): version, policy, messageImprint, serialNumber, genTime, …
    info = list(read_whole(token.content, SEQUENCE).children())
    if len(info) < 5:
        raise _NotOurs
    algorithm, imprint = list(expect(info[2], SEQUENCE).children())
    imprint_name = _DIGEST_NAMES.get(read_oid(next(expect(algorithm, SEQUENCE).children())))
    if imprint_name is None:
        raise _NotOurs
    if expect(imprint, OCTET_STRING).content != hashlib.new(imprint_name, sealed.cms.signature).digest():
        raise _NotOurs
    return _signer(token, ID_TST_INFO), read_generalized_time(info[4]), token


def _signer(cms: SignedDataRead, content_type: str) -> x509.Certificate:
    """The certificate that signed: named by ESSCertIDv2 (RFC 5035), and its key made the signature value."""
    if read_oid(read_tlv(cms.signed.get(ID_CONTENT_TYPE, b"\x06\x00"))) != content_type:
        raise _NotOurs
    certificate = cms.signer_certificate()
    (identifiers, *_) = read_whole(cms.signed.get(ID_SIGNING_CERTIFICATE_V2, b""), SEQUENCE).children()
    first = list(next(expect(identifiers, SEQUENCE).children()).children())
    name = "sha256"
    if first[0].tag == SEQUENCE:
        name = _DIGEST_NAMES.get(read_oid(next(first.pop(0).children())), "")
    encoded = certificate.public_bytes(Encoding.DER)
    if not name or expect(first[0], OCTET_STRING).content != hashlib.new(name, encoded).digest():
        raise _NotOurs
    if cms.digest_oid not in HASHES:
        raise _NotOurs
    cms.verify(certificate)
    return certificate


def _evidence(update: bytes, trust: TrustStore) -> tuple[tuple[x509.Certificate, ...], StatusEvidence]:
    """What the document security store of our update holds, and the lists of the trust store.

    The objects are found by their layout. Should bytes within another stream look like one, nothing is lost:
    all of them are signed, and a certificate, list or response counts only by its own signature.
    """
    streams = {
        int(match[1]): update[match.end() : match.end() + int(match[2])] for match in _OBJECT.finditer(update)
    }

    def listed(key: bytes) -> tuple[bytes, ...]:
        found = re.search(rb"/" + key + rb" ?\[([\d R]*)\]", update)
        numbers = _REFERENCE.findall(found[1]) if found else ()
        return tuple(streams[int(number)] for number in numbers if int(number) in streams)

    certificates = tuple(_loaded(listed(b"Certs")))
    return certificates, StatusEvidence(listed(b"OCSPs"), listed(b"CRLs") + trust.crls)


def _loaded(encoded: tuple[bytes, ...]) -> Iterator[x509.Certificate]:
    for certificate in encoded:
        try:
            yield x509.load_der_x509_certificate(certificate)
        except ValueError:
            continue


@dataclass(frozen=True, slots=True)
class _Paths:
    """What paths are built from, and as of when they are judged."""

    certificates: tuple[x509.Certificate, ...]
    anchors: tuple[x509.Certificate, ...]
    at: datetime
    evidence: StatusEvidence

    def check(self, name: str, leaf: x509.Certificate, use: CertifiedUse) -> _Path:
        verdict = check_path(
            leaf,
            intermediates=self.certificates,
            anchors=self.anchors,
            at=self.at,
            use=use,
            evidence=self.evidence,
        )
        if verdict.status is PathStatus.GOOD:
            return _Path(Check(name, CheckResult.PASSED, f"as of {self.at.isoformat()}"))
        outcome, reason, indication, sub_indication = _MEANINGS[verdict.status]
        result = CheckResult.FAILED if indication is Indication.TOTAL_FAILED else CheckResult.UNDECIDED
        return _Path(Check(name, result, _told(verdict)), outcome, reason, (indication, sub_indication))


def _told(verdict: PathVerdict) -> str:
    since = f", since {verdict.revoked_at.isoformat()}" if verdict.revoked_at else ""
    return f"{verdict.status}: {verdict.reason}{since}"


_MEANINGS: Final = {
    PathStatus.NO_PATH: (
        Outcome.UNKNOWN_ISSUER,
        Reason.ISSUER_NOT_TRUSTED,
        Indication.INDETERMINATE,
        SubIndication.NO_CERTIFICATE_CHAIN_FOUND,
    ),
    PathStatus.CONSTRAINT: (
        Outcome.UNKNOWN_ISSUER,
        Reason.CERTIFICATE_UNFIT,
        Indication.INDETERMINATE,
        SubIndication.CHAIN_CONSTRAINTS_FAILURE,
    ),
    PathStatus.NOT_YET_VALID: (
        Outcome.CANNOT_SAY,
        Reason.CERTIFICATE_OUT_OF_DATE,
        Indication.INDETERMINATE,
        SubIndication.NOT_YET_VALID,
    ),
    PathStatus.EXPIRED: (
        Outcome.CANNOT_SAY,
        Reason.CERTIFICATE_OUT_OF_DATE,
        Indication.INDETERMINATE,
        SubIndication.EXPIRED,
    ),
    PathStatus.REVOKED: (
        Outcome.REVOKED,
        Reason.CERTIFICATE_REVOKED,
        Indication.TOTAL_FAILED,
        SubIndication.REVOKED,
    ),
    PathStatus.STATUS_UNKNOWN: (
        Outcome.CANNOT_SAY,
        Reason.EVIDENCE_MISSING,
        Indication.INDETERMINATE,
        SubIndication.TRY_LATER,
    ),
}


def _conclude(
    sealed: _Sealed,
    certificate: x509.Certificate,
    sealed_at: datetime,
    paths: tuple[_Path, _Path],
    receipt: EmbeddedReceipt,
) -> PdfFindings:
    problem = next((path for path in paths if path.outcome is not None), None)
    outcome = problem.outcome if problem is not None and problem.outcome is not None else Outcome.VALID
    indication, sub_indication = problem.indication if problem else (Indication.TOTAL_PASSED, None)
    covered = Check("byte-range", CheckResult.PASSED, f"all {sealed.size} bytes but the signature value")
    value = Check("signature-value", CheckResult.PASSED, f"digest {sealed.message_digest.hex()}")
    stamped = Check("time-stamp", CheckResult.PASSED, f"RFC 3161, {sealed_at.isoformat()}")
    signature = SignatureFinding(
        field="AbsahSeal",
        kind=SignatureKind.SIGNATURE,
        outcome=outcome,
        indication=indication,
        sub_indication=sub_indication,
        reasons=(problem.reason,) if problem is not None and problem.reason is not None else (),
        checks=(covered, value, stamped, *(path.check for path in paths)),
        intact=True,
        unchanged=True,
        covers_whole_file=True,
        signer=_common_name(certificate.subject),
        issuer=_common_name(certificate.issuer),
        signed_at=sealed_at,
        time_is_proven=problem is None,
    )
    if problem is None:
        seal = checks.passed("seal", Reason.SEAL_INTACT, "EN 319 102-1: passed")
    else:
        seal = checks.undecided(
            "seal", outcome, problem.reason or Reason.EVIDENCE_MISSING, problem.check.detail
        )
    return PdfFindings(
        findings=(seal, *receipt.findings),
        signatures=(signature,),
        is_ours=problem is None,
        receipt=receipt.claims if problem is None else None,
        indication=indication,
        sub_indication=sub_indication,
    )


def _common_name(name: x509.Name) -> str | None:
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(kind):
            return str(attribute.value)[:200]
    return None
