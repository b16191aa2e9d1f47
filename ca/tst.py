"""The Time-Stamp Protocol's own structures (RFC 3161, RFC 5816): requests read, responses written. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from ca import der
from ca.errors import MalformedDer
from ca.model import IMPRINTS

LARGEST_REQUEST = 4096
"""Bytes. A request holds one digest; nobody needs more."""

_SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
_TST_INFO = der.oid("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE = der.oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = der.oid("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE_V2 = der.oid("1.2.840.113549.1.9.16.2.47")
_CONTENT_TYPE_ATTRIBUTE = der.sequence(_CONTENT_TYPE, der.set_of(_TST_INFO))


class FailInfo(Enum):
    """PKIFailureInfo bits (RFC 3161 2.4.2)."""

    BAD_ALG = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    SYSTEM_FAILURE = 25


class RequestRejected(Exception):
    """The answer to a request is a PKIStatusInfo with ``failure``; ``text`` says what to do."""

    def __init__(self, failure: FailInfo, text: str) -> None:
        super().__init__(text)
        self.failure = failure
        self.text = text


@dataclass(frozen=True, slots=True)
class TimeStampRequest:
    """A well-formed TimeStampReq. ``imprint`` is the DER MessageImprint, echoed byte for byte."""

    imprint: bytes
    policy: str
    nonce: int | None = None
    certificate_wanted: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a request may ask for: policies, the default first, and imprints by their object identifiers."""

    policies: tuple[str, ...]
    digest_sizes: Mapping[str, int]
    digest_names: str

    @classmethod
    def of(cls, policies: tuple[str, ...], digests: Iterable[str]) -> Accepted:
        """``digests`` as :data:`ca.model.IMPRINTS` calls them."""
        sizes = {IMPRINTS[name]: hashlib.new(name).digest_size for name in digests}
        return cls(policies, sizes, ", ".join(name.upper().replace("_", "-") for name in digests))


def read_request(data: bytes, accepted: Accepted) -> TimeStampRequest:
    """Parse a DER TimeStampReq strictly.

    Raises :class:`RequestRejected` with the failInfo that RFC 3161 2.4.2 names for the cause.
    """
    try:
        return _read_request(data, accepted)
    except MalformedDer as malformed:
        raise RequestRejected(FailInfo.BAD_DATA_FORMAT, f"not a DER TimeStampReq: {malformed}") from malformed


def _read_request(data: bytes, accepted: Accepted) -> TimeStampRequest:
    if len(data) > LARGEST_REQUEST:
        raise RequestRejected(FailInfo.BAD_REQUEST, f"a request has at most {LARGEST_REQUEST} bytes")
    fields = list(der.read_whole(data, der.SEQUENCE).children())
    if len(fields) < 2 or der.read_integer(fields[0]) != 1:
        raise RequestRejected(FailInfo.BAD_REQUEST, "only version 1 requests with an imprint are known")
    imprint = der.expect(fields[1], der.SEQUENCE)
    _check_imprint(imprint, accepted)
    policy = accepted.policies[0]
    nonce: int | None = None
    wanted = False
    last = 0
    for field in fields[2:]:
        rank = {der.OID: 1, der.INTEGER: 2, der.BOOLEAN: 3, 0xA0: 4}.get(field.tag, 0)
        if rank <= last:
            raise MalformedDer(f"element with tag 0x{field.tag:02x} is unknown, repeated or out of order")
        last = rank
        if rank == 1 and (policy := der.read_oid(field)) not in accepted.policies:
            raise RequestRejected(
                FailInfo.UNACCEPTED_POLICY,
                f"time-stamps are issued under policy {' or '.join(accepted.policies)}",
            )
        if rank == 2:
            nonce = der.read_integer(field)
        if rank == 3:
            wanted = der.read_boolean(field)
            if not wanted:
                raise MalformedDer("certReq FALSE is the default and is left out in DER")
        if rank == 4:
            raise RequestRejected(FailInfo.UNACCEPTED_EXTENSION, "no request extension is supported")
    return TimeStampRequest(imprint.encoded, policy, nonce, wanted)


def _check_imprint(imprint: der.Element, accepted: Accepted) -> None:
    parts = list(imprint.children())
    if len(parts) != 2:
        raise MalformedDer("messageImprint has an algorithm and a digest, nothing else")
    algorithm = list(der.expect(parts[0], der.SEQUENCE).children())
    if not algorithm or len(algorithm) > 2:
        raise MalformedDer("AlgorithmIdentifier has one or two elements")
    size = accepted.digest_sizes.get(der.read_oid(algorithm[0]))
    if size is None or (len(algorithm) == 2 and algorithm[1].encoded != der.null()):
        raise RequestRejected(FailInfo.BAD_ALG, f"imprints are accepted in {accepted.digest_names}")
    digest = der.expect(parts[1], der.OCTET_STRING).content
    if len(digest) != size:
        raise RequestRejected(
            FailInfo.BAD_DATA_FORMAT, f"the digest has {len(digest)} bytes, its algorithm makes {size}"
        )


def imprint_of(digest: bytes) -> bytes:
    """MessageImprint over a SHA-256 ``digest`` (parameters absent, RFC 5754 2)."""
    return der.sequence(der.sequence(der.oid(IMPRINTS["sha256"])), der.octet_string(digest))


def tst_info(
    *,
    policy: str,
    imprint: bytes,
    serial: int,
    moment: datetime,
    accuracy: bytes,
    nonce: int | None,
    ordering: bool = False,
) -> bytes:
    """DER TSTInfo. ``accuracy`` is what :func:`accuracy_of` returned.

    genTime has milliseconds, the least that an accuracy here can state; with ``ordering`` microseconds, for
    what is ordered must differ (RFC 3161 2.4.2).
    """
    return der.sequence(
        b"\x02\x01\x01",
        der.oid(policy),
        imprint,
        der.integer(serial),
        der.generalized_time(moment, 6 if ordering else 3),
        accuracy,
        der.boolean(True) if ordering else b"",
        b"" if nonce is None else der.integer(nonce),
    )


def accuracy_of(deviation: timedelta) -> bytes:
    """DER Accuracy in seconds and milliseconds, each left out when zero (RFC 3161 2.4.2)."""
    seconds, millis = divmod(deviation // timedelta(milliseconds=1), 1000)
    return der.sequence(
        der.integer(seconds) if seconds else b"",
        der.tlv(0x80, der.integer(millis)[2:]) if millis else b"",
    )


def signing_certificate_attribute(certificate_sha256: bytes) -> bytes:
    """signingCertificateV2 with one ESSCertIDv2; SHA-256 is its default and left out (RFC 5816 2.2.1)."""
    identifier = der.sequence(der.octet_string(certificate_sha256))
    return der.sequence(_SIGNING_CERTIFICATE_V2, der.set_of(der.sequence(der.sequence(identifier))))


def signed_attributes(info_digest: bytes, signing_certificate: bytes) -> bytes:
    """Content of the SET OF signed attributes; it is signed under tag 0x31 and sent under tag 0xA0."""
    digest = der.sequence(_MESSAGE_DIGEST, der.set_of(der.octet_string(info_digest)))
    return b"".join(sorted((_CONTENT_TYPE_ATTRIBUTE, digest, signing_certificate)))


def token(
    *,
    info: bytes,
    attributes: bytes,
    issuer_and_serial: bytes,
    digest_algorithm: bytes,
    signature_algorithm: bytes,
    signature: bytes,
    certificates: bytes,
) -> bytes:
    """DER ContentInfo with the SignedData of one signer. All arguments but ``certificates`` and
    ``attributes`` (bare contents) are complete TLVs; ``signature`` is the raw value."""
    signer = der.sequence(
        b"\x02\x01\x01",
        issuer_and_serial,
        digest_algorithm,
        der.tlv(0xA0, attributes),
        signature_algorithm,
        der.octet_string(signature),
    )
    signed_data = der.sequence(
        b"\x02\x01\x03",
        der.tlv(der.SET, digest_algorithm),
        der.sequence(_TST_INFO, der.explicit(0, der.octet_string(info))),
        der.tlv(0xA0, certificates) if certificates else b"",
        der.tlv(der.SET, signer),
    )
    return der.sequence(_SIGNED_DATA, der.explicit(0, signed_data))


def granted(time_stamp_token: bytes) -> bytes:
    """DER TimeStampResp with status granted."""
    return der.sequence(der.sequence(der.integer(0)), time_stamp_token)


def rejected(failure: FailInfo, text: str) -> bytes:
    """DER TimeStampResp with status rejection, the failInfo bit and a text for people."""
    bit = failure.value
    named_bits = bytes(bit // 8) + bytes((0x80 >> bit % 8,))
    return der.sequence(
        der.sequence(
            der.integer(2), der.sequence(der.utf8_string(text)), der.bit_string(named_bits, 7 - bit % 8)
        )
    )
