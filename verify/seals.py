"""A seal read from a file of our own shape, and the checks on itself: digest, signature value, time stamp.

The layout is that of :mod:`signing.pdf`. Pure over a seekable file; trusts nothing and looks up nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca import tst
from ca.algorithms import DIGESTS, EC_SIGNATURES, RSA_SIGNATURES
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
from ca.der import OCTET_STRING, SEQUENCE, expect, read_generalized_time, read_oid, read_tlv, read_whole
from signing.cms import SCHEMES, signed_data

_DICTIONARY: Final = re.compile(
    rb"/Reference\[<</Type/SigRef/TransformMethod/DocMDP"
    rb"/TransformParams<</Type/TransformParams/V/1\.2/P 1>>>>\]"
    rb"/ABSH_SourceLength (\d{1,18})/ABSH_Receipt\((\d{0,2470})\)/ABSH_Document\(([0-9A-Z]{16})\)"
    rb"/ByteRange\[0 (\d{1,18}) (\d{1,18}) (\d{1,18}) *\]/Contents"
)
_CLAIM: Final = re.compile(rb"/ABSH_Receipt\((\d{1,2470})\)")
_MARK: Final = b"/ABSH_SourceLength "
_HEAD: Final = 256  # of the dictionary in front of the mark that the pattern needs
_TAILS: Final = (1 << 20, 1 << 24)
_LARGEST_VALUE: Final = 1 << 20
_DIGEST_NAMES: Final = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}


class NotOurs(Exception):
    """The file is not of our shape, or its seal is broken."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The seal of one file, as read. ``update`` is what was written behind the source."""

    value: bytes  # of the signature, as it stands in the gap
    cms: SignedDataRead
    message_digest: bytes
    source_digest: bytes
    receipt_digits: str
    document_id: str
    update: bytes
    size: int


def read_seal(file: BinaryIO) -> Seal:
    size = file.seek(0, 2)
    tail, offset = _tail_with_mark(file, size)
    mark = tail.rfind(_MARK)
    match = _DICTIONARY.search(tail, max(0, mark - _HEAD))
    if match is None:
        raise NotOurs
    source_size, before, after, rest = (int(match[group]) for group in (1, 4, 5, 6))
    exact = offset + match.end() == before and source_size <= before < after and after + rest == size
    if not exact or after - before > _LARGEST_VALUE:
        raise NotOurs
    hole = tail[before - offset : after - offset]
    if hole[:1] != b"<" or hole[-1:] != b">" or not hole[1:-1].isalnum():
        raise NotOurs
    value = bytes.fromhex(hole[1:-1].decode("ascii"))
    if hole[1:-1] != value.hex().encode("ascii"):  # the same value in other letters is another file
        raise NotOurs
    content = read_tlv(value)
    if value[content.end :].strip(b"\0"):
        raise NotOurs
    cms = read_signed_data(content.encoded)
    name = _DIGEST_NAMES.get(cms.digest_oid)
    if name is None:
        raise NotOurs
    source = hashlib.sha256()
    message = hashlib.new(name)
    for position, chunk in _chunks(file, 0, before):
        message.update(chunk)
        if position < source_size:
            source.update(chunk[: source_size - position])
    for _, chunk in _chunks(file, after, size):
        message.update(chunk)
    return Seal(
        value=content.encoded,
        cms=cms,
        message_digest=message.digest(),
        source_digest=source.digest(),
        receipt_digits=match[2].decode("ascii"),
        document_id=match[3].decode("ascii"),
        update=tail[max(0, source_size - offset) :],
        size=size,
    )


def claimed_receipt(file: BinaryIO) -> str | None:
    """The digits of the last receipt in the layout of our seals, whether or not that seal is intact."""
    try:
        tail, _ = _tail_with_mark(file, file.seek(0, 2))
    except NotOurs:
        return None
    found = _CLAIM.search(tail, tail.rfind(_MARK))
    return found[1].decode("ascii") if found else None


def _tail_with_mark(file: BinaryIO, size: int) -> tuple[bytes, int]:
    for length in _TAILS:
        offset = max(0, size - length)
        file.seek(offset)
        tail = file.read(length)
        if _MARK in tail:
            return tail, offset
        if offset == 0:
            break
    raise NotOurs


def _chunks(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    file.seek(start)
    while start < end:
        chunk = file.read(min(1 << 20, end - start))
        if not chunk:
            raise NotOurs
        yield start, chunk
        start += len(chunk)


def check_seal(sealed: Seal) -> x509.Certificate:
    cms = sealed.cms
    if cms.content is not None or cms.content_type != ID_DATA:
        raise NotOurs
    stated = read_whole(cms.signed.get(ID_MESSAGE_DIGEST, b""), OCTET_STRING).content
    if stated != sealed.message_digest:
        raise NotOurs
    return _signer(cms, ID_DATA)


def check_timestamp(sealed: Seal) -> tuple[x509.Certificate, datetime, SignedDataRead]:
    return check_token(sealed.cms.unsigned.get(ID_TIME_STAMP_TOKEN, b""), sealed.cms.signature)


def check_token(encoded: bytes, stamped: bytes) -> tuple[x509.Certificate, datetime, SignedDataRead]:
    """The unit, its time and the token that was read, for an intact token over ``stamped``.

    Raises :class:`NotOurs` or what reading strangers' DER raises.
    """
    return _check_token(encoded, lambda name: hashlib.new(name, stamped).digest())


def check_token_over(encoded: bytes, sha256: bytes) -> tuple[x509.Certificate, datetime, SignedDataRead]:
    """As :func:`check_token`, for a token over what has this SHA-256."""
    return _check_token(encoded, lambda name: sha256 if name == "sha256" else b"")


def _check_token(
    encoded: bytes, imprint_by: Callable[[str], bytes]
) -> tuple[x509.Certificate, datetime, SignedDataRead]:
    token = read_signed_data(encoded)
    name = _DIGEST_NAMES.get(token.digest_oid)
    if token.content_type != ID_TST_INFO or token.content is None or name is None:
        raise NotOurs
    stated = read_whole(token.signed.get(ID_MESSAGE_DIGEST, b""), OCTET_STRING).content
    if stated != hashlib.new(name, token.content).digest():
        raise NotOurs
    # TSTInfo (RFC 3161 2.4.2): version, policy, messageImprint, serialNumber, genTime, …
    info = list(read_whole(token.content, SEQUENCE).children())
    if len(info) < 5:
        raise NotOurs
    algorithm, imprint = list(expect(info[2], SEQUENCE).children())
    imprint_name = _DIGEST_NAMES.get(read_oid(next(expect(algorithm, SEQUENCE).children())))
    if imprint_name is None:
        raise NotOurs
    if expect(imprint, OCTET_STRING).content != imprint_by(imprint_name):
        raise NotOurs
    return _signer(token, ID_TST_INFO), read_generalized_time(info[4]), token


def _signer(cms: SignedDataRead, content_type: str) -> x509.Certificate:
    """The certificate that signed: named by ESSCertIDv2 (RFC 5035), and its key made the signature value."""
    if read_oid(read_tlv(cms.signed.get(ID_CONTENT_TYPE, b"\x06\x00"))) != content_type:
        raise NotOurs
    certificate = cms.signer_certificate()
    (identifiers, *_) = read_whole(cms.signed.get(ID_SIGNING_CERTIFICATE_V2, b""), SEQUENCE).children()
    first = list(next(expect(identifiers, SEQUENCE).children()).children())
    name = "sha256"
    if first[0].tag == SEQUENCE:
        name = _DIGEST_NAMES.get(read_oid(next(first.pop(0).children())), "")
    encoded = certificate.public_bytes(Encoding.DER)
    if not name or expect(first[0], OCTET_STRING).content != hashlib.new(name, encoded).digest():
        raise NotOurs
    if cms.digest_oid not in HASHES:
        raise NotOurs
    cms.verify(certificate)
    return certificate


def is_canonical(sealed: Seal, token: SignedDataRead, known: tuple[x509.Certificate, ...]) -> bool:
    """Whether the value is what :func:`signing.cms.signed_data` makes of its parts, and the token in it what
    :func:`ca.tst.token` makes of its own, with certificates that stand elsewhere too: in the evidence, which
    is signed, or in the trust store.
    """
    cms = sealed.cms
    elsewhere = {certificate.public_bytes(Encoding.DER) for certificate in known}
    if not {*cms.certificates, *token.certificates} <= elsewhere:
        return False
    if not _is_canonical_token(token, cms.unsigned[ID_TIME_STAMP_TOKEN]):
        return False
    return any(
        signed_data(
            scheme,
            attributes=cms.signed_encoded,
            signature=cms.signature,
            certificates=_signer_first(cms),
            timestamp_token=cms.unsigned[ID_TIME_STAMP_TOKEN],
        )
        == sealed.value
        for scheme in SCHEMES.values()
    )


def _is_canonical_token(token: SignedDataRead, encoded: bytes) -> bool:
    """Everything around a token's TSTInfo and signed attributes is framing that no signature covers."""
    name = _DIGEST_NAMES.get(token.digest_oid, "")
    digest = DIGESTS.get(name)
    if digest is None or token.content is None:
        return False
    return any(
        tst.token(
            info=token.content,
            attributes=read_tlv(token.signed_encoded).content,
            issuer_and_serial=token.issuer_and_serial,
            digest_algorithm=digest,
            signature_algorithm=algorithm,
            signature=token.signature,
            certificates=b"".join(sorted(token.certificates)),
        )
        == encoded
        for algorithm in (EC_SIGNATURES[name], RSA_SIGNATURES[name])
    )


def _signer_first(cms: SignedDataRead) -> tuple[bytes, ...]:
    signer = cms.signer_certificate().public_bytes(Encoding.DER)
    return (signer, *(certificate for certificate in cms.certificates if certificate != signer))
