"""What a key may sign to prove that it is held, before it may sign anything else. Pure.

A certification request (PKCS #10, RFC 2986) is signed with the key that it asks a certificate for, and other
CAs take no other proof. So that this way to a signature leads to nothing else, the bytes are read to the end
first: a CertificationRequestInfo is a version, a name, the key and attributes under ``[0]``, and no
certificate, list, OCSP answer, time-stamp or CMS begins and ends like that; nor does text, JSON or CBOR.
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keys.errors import KeyNotUsable

LARGEST: Final = 65536
"""Bytes: a request with a long name and many attributes has a thousand."""

_NOT_SIGNED_YET: Final = bytes.fromhex("300a06082a8648ce3d040302") + bytes.fromhex("030100")
"""AlgorithmIdentifier ecdsa-with-SHA256 and an empty BIT STRING: what a reader of whole requests expects."""


def require_request(info: bytes, public_key: bytes) -> None:
    """That ``info`` is a DER CertificationRequestInfo (RFC 2986, 4.1) for ``public_key``, a DER
    SubjectPublicKeyInfo, and nothing else. Raises :class:`keys.errors.KeyNotUsable`."""
    if not public_key or len(info) > LARGEST:
        raise KeyNotUsable(
            "a key proves that it is held in a certification request of its own, and only there"
        )
    try:
        request = x509.load_der_x509_csr(_sequence(info + _NOT_SIGNED_YET))
        requested = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        is_whole = request.tbs_certrequest_bytes == info
    except (ValueError, TypeError, UnsupportedAlgorithm) as unreadable:
        raise KeyNotUsable(
            "this is no certification request (RFC 2986), and a key that waits signs nothing else"
        ) from unreadable
    if not is_whole or requested != public_key:
        raise KeyNotUsable("the certification request is for another key: write one for this key")


def _sequence(content: bytes) -> bytes:
    """DER SEQUENCE of up to 16 MiB."""
    size = len(content)
    if size < 0x80:
        return b"\x30" + bytes([size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return b"\x30" + bytes([0x80 | len(length)]) + length + content
