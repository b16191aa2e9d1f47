"""Certification requests (PKCS #10, RFC 2986), ours to other CAs and others' to ours. Pure."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca import der
from ca.algorithms import SIGNATURES
from ca.errors import IssuanceRefused
from ca.profiles import Profile
from ca.status import ACCEPTED_HASHES, UNREADABLE
from keys.model import KeyAlgorithm

_EXTENSION_REQUEST = der.oid("1.2.840.113549.1.9.14")
_BASIC_CONSTRAINTS = der.oid("2.5.29.19")
_KEY_USAGE = der.oid("2.5.29.15")
LARGEST = 65536


def certification_request(
    *,
    subject: x509.Name,
    public_key_info: bytes,
    algorithm: KeyAlgorithm,
    profile: Profile,
    sign: Callable[[bytes], bytes],
) -> bytes:
    """DER CertificationRequest of a CA, asking for what ``profile`` says: basicConstraints and keyUsage."""
    constraints = x509.BasicConstraints(True, profile.path_length).public_bytes()
    usage = der.tlv(der.BIT_STRING, b"\x01\x06")  # keyCertSign and cRLSign
    asked = der.sequence(
        der.sequence(_BASIC_CONSTRAINTS, der.boolean(True), der.octet_string(constraints)),
        der.sequence(_KEY_USAGE, der.boolean(True), der.octet_string(usage)),
    )
    attributes = der.sequence(_EXTENSION_REQUEST, der.set_of(asked))
    info = der.sequence(
        der.integer(0), subject.public_bytes(), public_key_info, der.implicit(0, True, attributes)
    )
    return der.sequence(info, SIGNATURES[algorithm.value], der.bit_string(sign(info)))


def read_request(encoded: bytes) -> x509.CertificateSigningRequest:
    """A request, DER or PEM, whose sender holds the private key (RFC 2986 3).

    Raises :class:`ca.errors.IssuanceRefused`.
    """
    if len(encoded) > LARGEST:
        raise IssuanceRefused("the request is too large to be one (PKCS #10)")
    try:
        is_pem = encoded.lstrip().startswith(b"-----BEGIN")
        request = (x509.load_pem_x509_csr if is_pem else x509.load_der_x509_csr)(encoded)
        proven = isinstance(request.signature_hash_algorithm, ACCEPTED_HASHES) and request.is_signature_valid
        key = request.public_key()
    except (*UNREADABLE, InvalidSignature) as unreadable:
        raise IssuanceRefused("the request cannot be read as PKCS #10, PEM or DER") from unreadable
    if not proven or not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise IssuanceRefused("the request is not signed with the key that it asks a certificate for")
    return request


def requested_key(request: x509.CertificateSigningRequest) -> bytes:
    """DER SubjectPublicKeyInfo."""
    return request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
