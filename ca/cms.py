"""CMS SignedData read strictly (RFC 5652): what seals and time-stamp tokens have in common. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from ca.der import Element, expect, read_generalized_time, read_integer, read_oid, read_whole, sequence
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


@lru_cache(maxsize=256)
def issuer_of(certificate: bytes) -> tuple[bytes, bytes]:
    """Issuer and serial number of a DER certificate, both as they stand in it, not re-encoded."""
    tbs = next(read_whole(certificate, 0x30).children())
    fields = [field for field in tbs.children() if field.tag != 0xA0]
    return fields[2].encoded, fields[0].encoded


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
            if sequence(*issuer_of(certificate)) == self.issuer_and_serial:
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
