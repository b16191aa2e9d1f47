"""The check before release: the finished file is read anew, from its bytes, and every promise is tested.

Nothing is taken over from making the file but what it was meant to say (:class:`Expected`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ca.der import read_oid, read_whole
from ca.errors import MalformedDer
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.xref import read_object_header

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
from signing.errors import SealNotReleased
from signing.ports import Evidence
from signing.qr import read_drawing

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
    certificate: bytes
    timestamping_certificate: bytes
    byte_range: tuple[int, int, int, int]
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
        reader = PdfFileReader(target, strict=False)
        field, reference, signature = _last_signature(reader, target, expected)
        _check_dictionary(reader, reference, signature, expected)
        cms, message = _signed_bytes(target, signature, expected)
        _check_signature(cms, message, expected)
        _check_timestamp(cms, expected)
        _check_evidence(reader, expected)
        drawing = field["/AP"]["/N"]["/Resources"]["/XObject"]["/QR"].data
        _require(read_drawing(drawing) == expected.link, "QR code", "it does not read as the link")
    except SealNotReleased:
        raise
    except InvalidSignature as wrong:
        raise SealNotReleased("signature", "a signature value does not verify") from wrong
    except MalformedDer as wrong:
        raise SealNotReleased("signature", str(wrong)) from wrong
    except Exception as wrong:  # whatever the reader stumbles over is a reason not to release
        raise SealNotReleased("structure", f"the file cannot be read back ({type(wrong).__name__})") from wrong


def _require(holds: bool, check: str, why: str) -> None:
    if not holds:
        raise SealNotReleased(check, why)


def _last_signature(reader: PdfFileReader, target: BinaryIO, expected: Expected) -> tuple[Any, Any, Any]:
    """The last field, the reference to its signature dictionary, and that dictionary.

    The dictionary is read with its hole closed: pyHanko would take longer over the hexadecimal digits than
    everything else together, and they are looked at as bytes below.
    """
    field = reader.root["/AcroForm"]["/Fields"][-1]
    reference = field.raw_get("/V").reference
    position = reader.xrefs[reference]
    _, first, after, _ = expected.byte_range
    _require(
        isinstance(position, int) and expected.source_size <= position < first, "structure", "it is misplaced"
    )
    target.seek(position)
    head = target.read(first - position)
    target.seek(after)
    closed = BytesIO(head + b"<>" + target.read(64))
    number, generation = read_object_header(closed, strict=True)
    ours = (number, generation) == (reference.idnum, reference.generation)
    _require(ours, "structure", "the cross-reference leads to another object")
    return field, reference, generic.DictionaryObject.read_from_stream(closed, reference)


def _check_dictionary(reader: PdfFileReader, reference: Any, signature: Any, expected: Expected) -> None:
    stated = (
        signature["/SubFilter"],
        signature["/ABSH_SourceLength"],
        signature["/ABSH_Receipt"],
        signature["/ABSH_Document"],
    )
    meant = (
        "/ETSI.CAdES.detached",
        expected.source_size,
        expected.receipt_digits,
        expected.document_id,
    )
    _require(stated == meant, "signature dictionary", "it does not say what was meant")
    if expected.certifies:
        certified = reader.root["/Perms"].raw_get("/DocMDP")
        permission = signature["/Reference"][0]["/TransformParams"]["/P"]
        ours = certified.reference == reference and permission == 1
        _require(ours, "certification", "the catalog does not point to it, or it allows changes")


def _signed_bytes(
    target: BinaryIO, signature: Any, expected: Expected
) -> tuple[SignedDataRead, dict[str, bytes]]:
    """The CMS value in the hole, and the digests of the bytes around it by algorithm."""
    byte_range = tuple(int(number) for number in signature["/ByteRange"])
    begin, first, after, rest = byte_range
    covers = begin == 0 and expected.source_size < first < after and after + rest == expected.size
    _require(covers and byte_range == expected.byte_range, "byte range", f"{byte_range} leaves bytes unsigned")
    size = target.seek(0, 2)
    _require(size == expected.size, "size", f"the file has {size} bytes")

    source = hashlib.sha256()
    target.seek(0)
    _feed(target, expected.source_size, source)
    whole = source.copy()
    _require(source.digest() == expected.source_digest, "source", "the original bytes have changed")
    target.seek(expected.source_size)
    tail = target.read()
    hole = tail[first - expected.source_size : after - expected.source_size]
    whole.update(tail)
    _require(whole.digest() == expected.digest, "digest", "the stored bytes are not those that were made")
    _require(hole[:1] == b"<" and hole[-1:] == b">", "byte range", "the hole is not the signature value")

    value = bytes.fromhex(hole[1:-1].decode("ascii"))
    element_size = _element_size(value)
    _require(not any(value[element_size:]), "signature", "something follows the CMS value")
    cms = read_signed_data(value[:element_size])
    algorithm = HASHES.get(cms.digest_oid)
    _require(algorithm is not None, "signature", "its digest algorithm is unknown")
    assert algorithm is not None
    if algorithm.name == "sha256":
        message = source
    else:
        message = hashlib.new(algorithm.name)
        target.seek(0)
        _feed(target, expected.source_size, message)
    message.update(tail[: first - expected.source_size])
    message.update(tail[after - expected.source_size :])
    return cms, {cms.digest_oid: message.digest()}


def _feed(stream: BinaryIO, size: int, digest: Digest) -> None:
    while size:
        chunk = stream.read(min(size, _CHUNK))
        if not chunk:
            raise EOFError
        digest.update(chunk)
        size -= len(chunk)


def _element_size(value: bytes) -> int:
    octets = value[1] & 0x7F if value[1] & 0x80 else 0
    return 2 + octets + (int.from_bytes(value[2 : 2 + octets]) if octets else value[1])


def _check_signature(cms: SignedDataRead, message: dict[str, bytes], expected: Expected) -> None:
    _require(cms.content is None, "signature", "it is not detached")
    certificate = cms.signer_certificate()
    ours = certificate == x509.load_der_x509_certificate(expected.certificate)
    _require(ours, "signature", "it names another certificate")
    kind = read_oid(read_whole(cms.signed[ID_CONTENT_TYPE], 0x06))
    digest = read_whole(cms.signed[ID_MESSAGE_DIGEST], 0x04).content
    _require(kind == ID_DATA, "signature", "its content type is not data")
    _require(digest == message[cms.digest_oid], "message digest", "it is not that of the signed bytes")
    named = read_whole(cms.signed[ID_SIGNING_CERTIFICATE_V2], 0x30)
    for _ in range(3):  # SigningCertificateV2 → certs → the first ESSCertIDv2 → its certHash
        named = next(named.children())
    hashed = hashlib.sha256(expected.certificate).digest()
    _require(named.content == hashed, "signing certificate", "the ESS attribute names another")
    cms.verify(certificate)


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
    token.verify(x509.load_der_x509_certificate(expected.timestamping_certificate))


def _check_evidence(reader: PdfFileReader, expected: Expected) -> None:
    store = reader.root["/DSS"]
    for key, values in (
        ("/Certs", expected.evidence.certificates),
        ("/OCSPs", expected.evidence.ocsp_responses),
        ("/CRLs", expected.evidence.crls),
    ):
        if values:
            stored = {item.get_object().data for item in store[key]}
            _require(stored >= set(values), "evidence", f"{key} lacks some of it")
