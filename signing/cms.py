"""CAdES baseline signatures as PAdES embeds them, assembled as DER. Pure: no I/O, no clock, no keys.

RFC 5652 SignedData, detached, one signer, with the attributes of EN 319 122-1 (5.1, 5.2.2.3, 5.3) that
EN 319 142-1 asks for in a PDF: content-type, message-digest, ESS signing-certificate-v2 (RFC 5035), and no
signing-time because the signature dictionary's /M carries the claimed time. The timestamp over the signature
value goes into the unsigned attribute id-aa-timeStampToken (RFC 3161, appendix A).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from ca.cms import (
    ID_CONTENT_TYPE,
    ID_DATA,
    ID_MESSAGE_DIGEST,
    ID_SHA256,
    ID_SHA384,
    ID_SIGNED_DATA,
    ID_SIGNING_CERTIFICATE_V2,
    ID_TIME_STAMP_TOKEN,
    issuer_of,
)
from ca.der import explicit, implicit, integer, null, octet_string, oid, read_tlv, sequence, set_of, tlv


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
    issuer, serial = issuer_of(certificate)
    return sequence(issuer, serial)


@lru_cache(maxsize=256)
def _issuer_serial(certificate: bytes) -> bytes:
    """IssuerSerial of RFC 5035: the issuer as GeneralNames with one directoryName, [4] EXPLICIT."""
    issuer, serial = issuer_of(certificate)
    return sequence(sequence(explicit(4, issuer)), serial)
