"""CAdES baseline signatures as PAdES embeds them, assembled as DER. Pure: no I/O, no clock, no keys.

RFC 5652 SignedData, detached, one signer, with the attributes of EN 319 122-1 (5.1, 5.2.2.3, 5.3) that
EN 319 142-1 asks for in a PDF: content-type, message-digest, ESS signing-certificate-v2 (RFC 5035), and no
signing-time because the signature dictionary's /M carries the claimed time. The timestamp over the signature
value goes into the unsigned attribute id-aa-timeStampToken (RFC 3161, appendix A).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from ca.der import (
    Element,
    expect,
    explicit,
    implicit,
    integer,
    null,
    octet_string,
    oid,
    read_generalized_time,
    read_integer,
    read_oid,
    read_tlv,
    read_whole,
    sequence,
    set_of,
    tlv,
)
from ca.errors import MalformedDer

ID_DATA: Final = "1.2.840.113549.1.7.1"
ID_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
ID_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
ID_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
ID_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
ID_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
ID_TIME_STAMP_TOKEN: Final = "1.2.840.113549.1.9.16.2.14"  # noqa: S105 - an object identifier
ID_SHA256: Final = "2.16.840.1.101.3.4.2.1"
ID_SHA384: Final = "2.16.840.1.101.3.4.2.2"
ID_SHA512: Final = "2.16.840.1.101.3.4.2.3"

HASHES: Final = {ID_SHA256: hashes.SHA256(), ID_SHA384: hashes.SHA384(), ID_SHA512: hashes.SHA512()}


class Scheme(NamedTuple):
    """A signature scheme as CMS writes it. ``signature_bytes`` is the longest value it yields."""

    digest_name: str  # as hashlib calls it
    digest_oid: str
    algorithm: bytes
    signature_bytes: int


SCHEMES: Final = {
    # RFC 5758: ECDSA identifiers carry no parameters. DER values: two INTEGERs of at most n + 1 octets.
    "ec-p256": Scheme("sha256", ID_SHA256, sequence(oid("1.2.840.10045.4.3.2")), 72),
    "ec-p384": Scheme("sha384", ID_SHA384, sequence(oid("1.2.840.10045.4.3.3")), 104),
    # RFC 3370, 3.2: rsaEncryption with NULL; the digest is named beside it.
    "rsa-3072": Scheme("sha256", ID_SHA256, sequence(oid("1.2.840.113549.1.1.1"), null()), 384),
}
"""By the value of :class:`keys.model.KeyAlgorithm`."""


def signed_attributes(
    scheme: Scheme, message_digest: bytes, certificate: bytes, certificate_digest: bytes
) -> bytes:
    """The SET OF attributes whose DER is what gets signed (RFC 5652, 5.4).

    ``certificate_digest`` is the SHA-256 of ``certificate``, ESSCertIDv2's default and so not named
    (RFC 5035, 4).
    """
    ess = sequence(sequence(sequence(octet_string(certificate_digest), _issuer_serial(certificate))))
    return set_of(
        _attribute(ID_CONTENT_TYPE, oid(ID_DATA)),
        _attribute(ID_MESSAGE_DIGEST, octet_string(message_digest)),
        _attribute(ID_SIGNING_CERTIFICATE_V2, ess),
    )


def signed_data(
    scheme: Scheme,
    *,
    attributes: bytes,
    signature: bytes,
    certificates: tuple[bytes, ...],
    timestamp_token: bytes,
) -> bytes:
    """ContentInfo with detached SignedData. ``certificates`` begins with the signer's; ``attributes`` is what
    :func:`signed_attributes` returned and ``signature`` is its signature.
    """
    digest = sequence(oid(scheme.digest_oid))
    signer_info = sequence(
        integer(1),
        _issuer_and_serial(certificates[0]),
        digest,
        implicit(0, True, _content(attributes)),
        scheme.algorithm,
        octet_string(signature),
        implicit(1, True, _attribute(ID_TIME_STAMP_TOKEN, timestamp_token)),
    )
    body = sequence(
        integer(1),
        set_of(digest),
        sequence(oid(ID_DATA)),
        implicit(0, True, b"".join(sorted(certificates))),
        set_of(signer_info),
    )
    return sequence(oid(ID_SIGNED_DATA), explicit(0, body))


@lru_cache(maxsize=64)
def size_of_signed_data(scheme: Scheme, certificates: tuple[bytes, ...], token_size: int) -> int:
    """Upper bound for the size of what :func:`signed_data` will return, by building it with blanks."""
    digest_size = {"sha256": 32, "sha384": 48}[scheme.digest_name]
    return len(
        signed_data(
            scheme,
            attributes=signed_attributes(scheme, bytes(digest_size), certificates[0], bytes(32)),
            signature=bytes(scheme.signature_bytes),
            certificates=certificates,
            timestamp_token=bytes(token_size),
        )
    )


def _attribute(kind: str, value: bytes) -> bytes:
    return sequence(oid(kind), tlv(0x31, value))


def _content(element: bytes) -> bytes:
    return read_tlv(element).content


@lru_cache(maxsize=256)
def _issuer_and_serial(certificate: bytes) -> bytes:
    """IssuerAndSerialNumber: both as they stand in the certificate, not re-encoded."""
    issuer, serial = _issuer_of(certificate)
    return sequence(issuer, serial)


@lru_cache(maxsize=256)
def _issuer_serial(certificate: bytes) -> bytes:
    """IssuerSerial of RFC 5035: the issuer as GeneralNames with one directoryName, [4] EXPLICIT."""
    issuer, serial = _issuer_of(certificate)
    return sequence(sequence(explicit(4, issuer)), serial)


def _issuer_of(certificate: bytes) -> tuple[bytes, bytes]:
    tbs = next(read_whole(certificate, 0x30).children())
    fields = [field for field in tbs.children() if field.tag != 0xA0]
    return fields[2].encoded, fields[0].encoded


# --- reading back -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignedDataRead:
    """A SignedData with one signer, read strictly. Attribute values by their type, one value each."""

    content_type: str
    content: bytes | None
    digest_oid: str
    certificates: tuple[bytes, ...]
    issuer_and_serial: bytes
    signed: dict[str, bytes]
    signed_encoded: bytes  # as signed: with the SET OF tag
    signature_algorithm: str
    signature: bytes
    unsigned: dict[str, bytes]

    def signer(self) -> bytes:
        """DER of the certificate that the SignerInfo names. Raises :class:`ca.errors.MalformedDer`."""
        for certificate in self.certificates:
            if sequence(*_issuer_of(certificate)) == self.issuer_and_serial:
                return certificate
        raise MalformedDer("the signer's certificate is not among those embedded")

    def signer_certificate(self) -> x509.Certificate:
        """:meth:`signer`, parsed. Raises ``ValueError`` or ``x509.InvalidVersion`` for what is no
        certificate."""
        return x509.load_der_x509_certificate(self.signer())

    def verify(self, certificate: x509.Certificate) -> None:
        """Check the signature value over the signed attributes with the certificate's key.

        Raises ``cryptography.exceptions.InvalidSignature``; ``ValueError`` for a key or digest not used here.
        """
        self.verify_with(certificate.public_key())

    def verify_with(self, key: object) -> None:
        """:meth:`verify` with a public key that is already at hand."""
        digest = HASHES.get(self.digest_oid)
        if digest is None:
            raise ValueError(f"digest algorithm {self.digest_oid} is not one that is used here")
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(self.signature, self.signed_encoded, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(self.signature, self.signed_encoded, padding.PKCS1v15(), digest)
        else:
            raise ValueError(f"keys of type {type(key).__name__} are not used here")


class StatedTime(NamedTuple):
    """What a time-stamp token says: when, and by the unit with which certificate (its SHA-256)."""

    at: datetime
    unit: bytes


def stated_time(token: bytes) -> StatedTime:
    """Read a TimeStampToken that was checked. Raises :class:`ca.errors.MalformedDer`."""
    read = read_signed_data(token)
    if read.content_type != ID_TST_INFO or read.content is None:
        raise MalformedDer("the content is not TSTInfo")
    # TSTInfo (RFC 3161 2.4.2): version, policy, messageImprint, serialNumber, genTime, …
    *_, moment = list(read_whole(read.content, 0x30).children())[:5]
    return StatedTime(read_generalized_time(moment), hashlib.sha256(read.signer()).digest())


def read_signed_data(encoded: bytes) -> SignedDataRead:
    """Read a ContentInfo with SignedData and exactly one SignerInfo identified by issuer and serial.

    Raises :class:`ca.errors.MalformedDer` for anything else, including trailing bytes.
    """
    content_type, wrapped = _exactly(read_whole(encoded, 0x30), 2)
    if read_oid(content_type) != ID_SIGNED_DATA:
        raise MalformedDer("the content is not SignedData")
    (signed,) = _exactly(expect(wrapped, 0xA0), 1)
    fields = list(expect(signed, 0x30).children())
    if len(fields) < 5:
        raise MalformedDer("SignedData lacks certificates or signers")
    read_integer(fields[0])
    encapsulated = list(expect(fields[2], 0x30).children())
    content = None
    if len(encapsulated) == 2:
        (octets,) = _exactly(expect(encapsulated[1], 0xA0), 1)
        content = expect(octets, 0x04).content
    certificates = tuple(element.encoded for element in expect(fields[3], 0xA0).children())
    (signer,) = _exactly(expect(fields[-1], 0x31), 1)
    info = list(expect(signer, 0x30).children())
    if len(info) < 6:
        raise MalformedDer("SignerInfo has no signed attributes")
    attributes = expect(info[3], 0xA0)
    return SignedDataRead(
        content_type=read_oid(encapsulated[0]),
        content=content,
        digest_oid=read_oid(next(expect(info[2], 0x30).children())),
        certificates=certificates,
        issuer_and_serial=expect(info[1], 0x30).encoded,
        signed=_attributes(attributes),
        signed_encoded=b"\x31" + attributes.encoded[1:],
        signature_algorithm=read_oid(next(expect(info[4], 0x30).children())),
        signature=expect(info[5], 0x04).content,
        unsigned=_attributes(expect(info[6], 0xA1)) if len(info) > 6 else {},
    )


def _exactly(element: Element, count: int) -> list[Element]:
    children = list(element.children())
    if len(children) != count:
        raise MalformedDer(f"{len(children)} elements where {count} belong")
    return children


def _attributes(element: Element) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for attribute in element.children():
        kind, values = _exactly(attribute, 2)
        (value,) = _exactly(expect(values, 0x31), 1)
        name = read_oid(kind)
        if name in found:
            raise MalformedDer("an attribute is there twice")
        found[name] = value.encoded
    return found
