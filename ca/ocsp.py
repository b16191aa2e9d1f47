"""OCSP requests read and responses written (RFC 6960, nonce by RFC 9654). Pure.

The library's builder takes neither producedAt nor several certificates; this does, and is deterministic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca import der
from ca.errors import MalformedDer
from ca.model import CertificateStanding, CertificateStatus

LARGEST_REQUEST = 8192
"""Bytes."""
MOST_CERTIFICATES = 20
"""In one request; every answer is signed with all of them."""

_BASIC = der.oid("1.3.6.1.5.5.7.48.1.1")
_NONCE = "1.3.6.1.5.5.7.48.1.2"
_INVALIDITY_DATE = der.oid("2.5.29.24")
# Extensions of a request that change nothing in our answer: response types (we have one) and service locator.
_HARMLESS = frozenset({"1.3.6.1.5.5.7.48.1.4", "1.3.6.1.5.5.7.48.1.7", "1.3.6.1.5.5.7.48.1.8"})
_HASHES = {
    "1.3.14.3.2.26": "sha1",  # names the certificate asked about; nothing is signed with it
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}


class ErrorStatus(Enum):
    """OCSPResponseStatus values that carry no answer (RFC 6960 4.2.1)."""

    MALFORMED_REQUEST = 1
    INTERNAL_ERROR = 2
    TRY_LATER = 3
    UNAUTHORIZED = 6


@dataclass(frozen=True, slots=True)
class CertId:
    """One certificate asked about; ``encoded`` is echoed byte for byte."""

    hash_name: str | None  # None: a hash that is not known here
    name_hash: bytes
    key_hash: bytes
    serial: int
    encoded: bytes

    def is_issued_by(self, issuer: IssuerHashes) -> bool:
        return self.hash_name is not None and issuer.of(self.hash_name) == (self.name_hash, self.key_hash)


@dataclass(frozen=True, slots=True)
class OcspRequest:
    certificates: tuple[CertId, ...]
    nonce: bytes | None  # the content of the nonce extension: a DER OCTET STRING


class IssuerHashes:
    """Hashes of an issuer's name and key as CertIDs hold them."""

    def __init__(self, issuer: x509.Certificate) -> None:
        self._name = issuer.subject.public_bytes()
        self._key = key_bits(issuer)
        self._known: dict[str, tuple[bytes, bytes]] = {}

    def of(self, hash_name: str) -> tuple[bytes, bytes]:
        """issuerNameHash and issuerKeyHash."""
        if hash_name not in self._known:
            self._known[hash_name] = (
                hashlib.new(hash_name, self._name, usedforsecurity=False).digest(),
                hashlib.new(hash_name, self._key, usedforsecurity=False).digest(),
            )
        return self._known[hash_name]

    def cert_id(self, serial: int) -> CertId:
        """CertID under SHA-256 for a certificate of this issuer."""
        name_hash, key_hash = self.of("sha256")
        algorithm = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))
        encoded = der.sequence(
            algorithm, der.octet_string(name_hash), der.octet_string(key_hash), der.integer(serial)
        )
        return CertId("sha256", name_hash, key_hash, serial, encoded)


@lru_cache(maxsize=256)
def key_bits(certificate: x509.Certificate) -> bytes:
    """The content of subjectPublicKey, without its count of unused bits."""
    encoded = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    *_, bits = der.read_whole(encoded, der.SEQUENCE).children()
    return bits.content[1:]


# --- reading -----------------------------------------------------------------------------------------


def read_request(data: bytes) -> OcspRequest:
    """Parse an OCSPRequest. Signatures of requesters are not looked at: anyone may ask.

    Raises :class:`ca.errors.MalformedDer`; the answer to that is ``malformedRequest``.
    """
    if len(data) > LARGEST_REQUEST:
        raise MalformedDer(f"a request has at most {LARGEST_REQUEST} bytes")
    outer = list(der.read_whole(data, der.SEQUENCE).children())
    if not outer or len(outer) > 2:
        raise MalformedDer("OCSPRequest has one or two elements")
    fields = list(der.expect(outer[0], der.SEQUENCE).children())
    requests = [field for field in fields if field.tag == der.SEQUENCE]
    if len(requests) != 1 or any(field.tag not in {0xA0, 0xA1, 0xA2, der.SEQUENCE} for field in fields):
        raise MalformedDer("TBSRequest holds exactly one list of requests")
    asked = tuple(_cert_id(request) for request in requests[0].children())
    if not 1 <= len(asked) <= MOST_CERTIFICATES:
        raise MalformedDer(f"1 to {MOST_CERTIFICATES} certificates can be asked about at once")
    nonce = None
    for field in fields:
        if field.tag == 0xA2:
            nonce = _nonce_of(field)
    return OcspRequest(asked, nonce)


def _cert_id(request: der.Element) -> CertId:
    parts = list(der.expect(request, der.SEQUENCE).children())
    if not parts or len(parts) > 2:
        raise MalformedDer("Request has one or two elements")
    for extensions in parts[1:]:
        _nonce_of(der.expect(extensions, 0xA0), allowed=False)
    fields = list(der.expect(parts[0], der.SEQUENCE).children())
    if len(fields) != 4:
        raise MalformedDer("CertID has four elements")
    algorithm = list(der.expect(fields[0], der.SEQUENCE).children())
    if [parameter.encoded for parameter in algorithm[1:]] not in ([], [der.null()]):
        raise MalformedDer("hash algorithms have no parameters, or NULL")
    return CertId(
        hash_name=_HASHES.get(der.read_oid(algorithm[0] if algorithm else None)),
        name_hash=der.expect(fields[1], der.OCTET_STRING).content,
        key_hash=der.expect(fields[2], der.OCTET_STRING).content,
        serial=der.read_integer(fields[3]),
        encoded=parts[0].encoded,
    )


def _nonce_of(tagged: der.Element, *, allowed: bool = True) -> bytes | None:
    """The nonce among the extensions; unknown critical ones make the request malformed (RFC 6960 4.4)."""
    nonce = None
    wrapped = list(tagged.children())
    if len(wrapped) != 1:
        raise MalformedDer("an explicit tag holds one element")
    for extension in der.expect(wrapped[0], der.SEQUENCE).children():
        fields = list(der.expect(extension, der.SEQUENCE).children())
        if not 2 <= len(fields) <= 3:
            raise MalformedDer("Extension has two or three elements")
        kind = der.read_oid(fields[0])
        critical = len(fields) == 3 and der.read_boolean(fields[1])
        value = der.expect(fields[-1], der.OCTET_STRING).content
        if kind == _NONCE and allowed:
            size = len(der.read_whole(value, der.OCTET_STRING).content)
            if nonce is not None or not 1 <= size <= 128:
                raise MalformedDer("a nonce has 1 to 128 octets and is sent once (RFC 9654 2.1)")
            nonce = value
        elif critical and kind not in _HARMLESS:
            raise MalformedDer(f"critical extension {kind} is not known")
    return nonce


# --- writing -----------------------------------------------------------------------------------------


def single_response(
    asked: CertId, record: CertificateStanding | None, *, this_update: datetime, next_update: datetime
) -> bytes:
    """DER SingleResponse. ``record`` None says ``unknown``: never ``good`` for what was not issued here."""
    extensions = b""
    if record is None:
        status = der.implicit(2, False, b"")
    elif record.status is CertificateStatus.GOOD:
        status = der.implicit(0, False, b"")
    else:
        assert record.revocation_date is not None
        assert record.reason is not None
        reason = der.explicit(0, der.enumerated(record.reason.value)) if record.reason.value else b""
        status = der.implicit(1, True, der.generalized_time(record.revocation_date) + reason)
        if record.invalidity_date is not None:  # CRL entry extensions may stand here (RFC 6960 4.4.5)
            value = der.octet_string(der.generalized_time(record.invalidity_date))
            extensions = der.explicit(1, der.sequence(der.sequence(_INVALIDITY_DATE, value)))
    return der.sequence(
        asked.encoded,
        status,
        der.generalized_time(this_update),
        der.explicit(0, der.generalized_time(next_update)),
        extensions,
    )


@dataclass(frozen=True, slots=True)
class ResponderParts:
    """What every response of one responder repeats, as DER: ``[2] byKey`` and ``[0] certs``."""

    identifier: bytes
    certificates: bytes

    @classmethod
    def of(cls, responder: x509.Certificate) -> ResponderParts:
        # RFC 6960 4.2.1 fixes SHA-1; it names a key, nothing is signed with it.
        key_hash = hashlib.sha1(key_bits(responder), usedforsecurity=False).digest()
        return cls(
            der.explicit(2, der.octet_string(key_hash)),
            der.explicit(0, der.sequence(responder.public_bytes(Encoding.DER))),
        )


def basic_response(
    *,
    responder: ResponderParts,
    produced_at: datetime,
    responses: tuple[bytes, ...],
    nonce: bytes | None,
    signature_algorithm: bytes,
    sign: Callable[[bytes], bytes],
) -> bytes:
    """DER OCSPResponse with status successful; the delegated responder's certificate is included."""
    extensions = b""
    if nonce is not None:
        extensions = der.explicit(1, der.sequence(der.sequence(der.oid(_NONCE), der.octet_string(nonce))))
    to_be_signed = der.sequence(
        responder.identifier,
        der.generalized_time(produced_at),
        der.sequence(*responses),
        extensions,
    )
    basic = der.sequence(
        to_be_signed,
        signature_algorithm,
        der.bit_string(sign(to_be_signed)),
        responder.certificates,
    )
    return der.sequence(der.enumerated(0), der.explicit(0, der.sequence(_BASIC, der.octet_string(basic))))


def is_successful(response: bytes) -> bool:
    """Whether a response of ours carries an answer and not only an error."""
    return next(iter(der.read_whole(response, der.SEQUENCE).children())).content == b"\x00"


def error_response(status: ErrorStatus) -> bytes:
    """DER OCSPResponse that is nothing but a status."""
    return der.sequence(der.enumerated(status.value))
