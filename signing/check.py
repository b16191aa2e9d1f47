"""The check before release: the finished file is read anew, from its bytes, and every promise is tested.

Nothing is taken over from making the file but what it was meant to say (:class:`Expected`).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from ca.cms import (
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
from ca.der import read_oid, read_tlv, read_whole
from ca.errors import MalformedDer
from signing.errors import SealNotReleased
from signing.ports import Evidence
from signing.qr import read_drawing
from signing.readback import LastRevision, Unreadable, read_last_revision, unpack

if TYPE_CHECKING:
    from hashlib import _Hash as Digest

_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Expected:
    """What the sealed file must turn out to be. Digests are SHA-256."""

    size: int
    digest: bytes
    source_size: int
    source_digest: bytes
    link: str
    receipt_digits: str
    document_id: str
    certificates: tuple[bytes, ...]  # in the CMS value, the seal's first
    timestamping_certificate: bytes
    previous_xref: int
    certifies: bool
    evidence: Evidence


def check_sealed(target: BinaryIO, expected: Expected) -> None:
    """Raise :class:`signing.errors.SealNotReleased` unless the file in ``target`` keeps every promise.

    1. The catalog leads to the field, the field to the signature dictionary, and it says what was meant.
    2. ByteRange covers all of the file but the hole, and the hole holds one CMS value and zeros.
    3. The file begins with the unchanged source, and the message digest is that of the signed bytes.
    4. The signature verifies with the seal's certificate, which is named in it (ESS).
    5. The timestamp is over that signature value and verifies with the unit's certificate.
    6. The document security store holds all evidence.
    7. The QR code, rasterised from the operators in the file, reads as the link.
    """
    try:
        source, tail = _read(target, expected)
        revision = read_last_revision(tail, expected.source_size)
        root = revision.trailer[b"/Root"]
        field = revision.at(root, b"/AcroForm", b"/Fields", -1)
        signature = revision.at(field, b"/V")
        _check_dictionary(revision, field, signature, expected)
        cms, message = _signed_bytes(target, source, tail, signature, expected)
        _check_signature(cms, message, expected)
        _check_timestamp(cms, expected)
        _check_evidence(revision, expected)
        drawing = unpack(revision.at(field, b"/AP", b"/N", b"/Resources", b"/XObject", b"/QR"))
        _require(read_drawing(drawing) == expected.link, "QR code", "it does not read as the link")
    except InvalidSignature as wrong:
        raise SealNotReleased("signature", "a signature value does not verify") from wrong
    except (Unreadable, MalformedDer, KeyError, IndexError, TypeError, ValueError, EOFError) as wrong:
        raise SealNotReleased("structure", f"the file cannot be read back: {wrong}") from wrong


def _require(holds: bool, check: str, why: str) -> None:
    if not holds:
        raise SealNotReleased(check, why)


def _read(target: BinaryIO, expected: Expected) -> tuple[Digest, bytes]:
    """The digest of the file's first part, which must be the source, and the update behind it."""
    size = target.seek(0, os.SEEK_END)
    _require(size == expected.size, "size", f"the file has {size} bytes instead of {expected.size}")
    source = hashlib.sha256()
    target.seek(0)
    _feed(target, expected.source_size, source)
    _require(source.digest() == expected.source_digest, "source", "the original bytes have changed")
    tail = target.read()
    whole = source.copy()
    whole.update(tail)
    _require(whole.digest() == expected.digest, "digest", "the stored bytes are not those that were made")
    return source, tail


def _check_dictionary(revision: LastRevision, field: Any, signature: Any, expected: Expected) -> None:
    _require(revision.trailer.get(b"/Prev") == expected.previous_xref, "structure", "the source is cut off")
    stated = (
        field[b"/FT"],
        signature[b"/SubFilter"],
        signature[b"/ABSH_SourceLength"],
        signature[b"/ABSH_Receipt"],
        signature[b"/ABSH_Document"],
    )
    meant = (
        b"/Sig",
        b"/ETSI.CAdES.detached",
        expected.source_size,
        expected.receipt_digits.encode("ascii"),
        expected.document_id.encode("ascii"),
    )
    _require(stated == meant, "signature dictionary", "it does not say what was meant")
    if expected.certifies:
        certified = revision.at(revision.trailer[b"/Root"], b"/Perms")[b"/DocMDP"]
        permission = revision.at(signature, b"/Reference", 0, b"/TransformParams", b"/P")
        ours = certified == field[b"/V"] and permission == 1
        _require(ours, "certification", "the catalog does not point to it, or it allows changes")


def _signed_bytes(
    target: BinaryIO, source: Digest, tail: bytes, signature: Any, expected: Expected
) -> tuple[SignedDataRead, bytes]:
    """The CMS value in the hole, and the digest of the bytes around it by its own algorithm."""
    begin, first, after, rest = signature[b"/ByteRange"]
    covers = begin == 0 and expected.source_size < first < after and after + rest == expected.size
    _require(covers, "byte range", "it leaves bytes unsigned")
    before, behind = first - expected.source_size, after - expected.source_size
    hole = tail[before:behind]
    _require(hole[:1] == b"<" and hole[-1:] == b">", "byte range", "the hole is not the signature value")
    value = bytes.fromhex(hole[1:-1].decode("ascii"))
    _require(value == signature[b"/Contents"], "byte range", "the hole is not the signature value")
    element = read_tlv(value)
    _require(not value[element.end :].strip(b"\0"), "signature", "something follows the CMS value")
    cms = read_signed_data(element.encoded)
    algorithm = HASHES[cms.digest_oid]
    message = source
    if algorithm.name != source.name:
        message = hashlib.new(algorithm.name)
        target.seek(0)
        _feed(target, expected.source_size, message)
    message.update(tail[:before])
    message.update(tail[behind:])
    return cms, message.digest()


def _feed(stream: BinaryIO, size: int, digest: Digest) -> None:
    while size:
        chunk = stream.read(min(size, _CHUNK))
        if not chunk:
            raise EOFError
        digest.update(chunk)
        size -= len(chunk)


def _check_signature(cms: SignedDataRead, message: bytes, expected: Expected) -> None:
    _require(cms.content is None, "signature", "it is not detached")
    certificate = expected.certificates[0]
    _require(cms.signer() == certificate, "signature", "it names another certificate")
    complete = sorted(cms.certificates) == sorted(expected.certificates)
    _require(complete, "signature", "it does not hold the seal's certificates")
    kind = read_oid(read_whole(cms.signed[ID_CONTENT_TYPE], 0x06))
    digest = read_whole(cms.signed[ID_MESSAGE_DIGEST], 0x04).content
    _require(kind == ID_DATA, "signature", "its content type is not data")
    _require(digest == message, "message digest", "it is not that of the signed bytes")
    named = read_whole(cms.signed[ID_SIGNING_CERTIFICATE_V2], 0x30)
    for _ in range(3):  # SigningCertificateV2 → certs → the first ESSCertIDv2 → its certHash
        named = next(named.children())
    hashed = hashlib.sha256(certificate).digest()
    _require(named.content == hashed, "signing certificate", "the ESS attribute names another")
    cms.verify_with(_key_in(certificate))


def _check_timestamp(cms: SignedDataRead, expected: Expected) -> None:
    token = read_signed_data(cms.unsigned[ID_TIME_STAMP_TOKEN])
    _require(token.content_type == ID_TST_INFO and token.content is not None, "timestamp", "it holds no time")
    assert token.content is not None
    imprint = list(list(read_whole(token.content, 0x30).children())[2].children())
    over = hashlib.sha256(cms.signature).digest()
    _require(imprint[1].content == over, "timestamp", "it is over something else")
    algorithm = HASHES[token.digest_oid]
    digest = hashlib.new(algorithm.name, token.content).digest()
    stated = read_whole(token.signed[ID_MESSAGE_DIGEST], 0x04).content
    _require(stated == digest, "timestamp", "its message digest is wrong")
    unit = expected.timestamping_certificate
    _require(token.signer() == unit, "timestamp", "it is another unit's")
    token.verify_with(_key_in(unit))


@lru_cache(maxsize=256)
def _key_in(certificate: bytes) -> object:
    """The public key of one of our own certificates: they are few, and parsing one costs as much as a
    signature.
    """
    return x509.load_der_x509_certificate(certificate).public_key()


def _check_evidence(revision: LastRevision, expected: Expected) -> None:
    store = revision.at(revision.trailer[b"/Root"], b"/DSS")
    for key, values in (
        (b"/Certs", expected.evidence.certificates),
        (b"/OCSPs", expected.evidence.ocsp_responses),
        (b"/CRLs", expected.evidence.crls),
    ):
        if values:
            ours = [item for item in store[key] if item.number in revision.offsets]
            stored = {unpack(revision.get(item)) for item in ours}
            _require(stored >= set(values), "evidence", f"{key.decode()} lacks some of it")
