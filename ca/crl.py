"""Certificate revocation lists, complete and delta (RFC 5280 section 5). Pure but for the signature.

Assembled as DER: the library's builder holds an object for every entry and takes over a second for 100,000.
An entry's bytes follow from its facts alone, so that two lists are compared by comparing bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509

from ca import der
from ca.algorithms import SIGNATURES
from ca.issuing import Issuer
from ca.model import CertificateStanding, RevocationReason

_AUTHORITY_KEY_IDENTIFIER = der.oid("2.5.29.35")
_CRL_NUMBER = der.oid("2.5.29.20")
_REASON_CODE = der.oid("2.5.29.21")
_INVALIDITY_DATE = der.oid("2.5.29.24")
_DELTA_CRL_INDICATOR = der.oid("2.5.29.27")
_ISSUING_DISTRIBUTION_POINT = der.oid("2.5.29.28")
_FRESHEST_CRL = der.oid("2.5.29.46")
_EXPIRED_CERTS_ON_CRL = der.oid("2.5.29.60")
_REMOVE_FROM_CRL = 8
_URI = 6


@dataclass(frozen=True, slots=True)
class Distribution:
    """Where a partition's lists are found. It stands in the list, so that nobody can pass off another's."""

    address: str
    delta_address: str


def build_crl(
    *,
    issuer: Issuer,
    entries: Iterable[bytes],
    number: int,
    this_update: datetime,
    next_update: datetime,
    distribution: Distribution | None = None,
    base: int | None = None,
) -> bytes:
    """DER CertificateList over ``entries`` (:func:`entry`, :func:`removal`).

    Without ``distribution`` it speaks of every certificate of the issuer. With ``base`` it is a delta to the
    list of that number. Expired certificates stay listed, and the list says so (expiredCertsOnCRL, X.509
    9.5.2.8): whoever checks an old document asks about the past.
    """
    certificate = issuer.certificate
    key_id = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    extensions = [
        _extension(_AUTHORITY_KEY_IDENTIFIER, der.sequence(der.implicit(0, False, key_id))),
        _extension(_CRL_NUMBER, der.integer(number)),
        _extension(_EXPIRED_CERTS_ON_CRL, der.generalized_time(certificate.not_valid_before_utc)),
    ]
    if base is not None:
        extensions.append(_extension(_DELTA_CRL_INDICATOR, der.integer(base), critical=True))
    if distribution is not None:
        point = der.explicit(0, _full_name(distribution.address))
        extensions.append(_extension(_ISSUING_DISTRIBUTION_POINT, der.sequence(point), critical=True))
        if base is None:  # a delta points to nothing fresher (5.2.6)
            fresher = der.sequence(der.explicit(0, _full_name(distribution.delta_address)))
            extensions.append(_extension(_FRESHEST_CRL, der.sequence(fresher)))
    listed = b"".join(entries)
    algorithm = SIGNATURES[issuer.key.record.algorithm.value]
    to_be_signed = der.sequence(
        der.integer(1),
        algorithm,
        certificate.subject.public_bytes(),
        der.time(this_update),
        der.time(next_update),
        der.sequence(listed) if listed else b"",
        der.explicit(0, der.sequence(*extensions)),
    )
    return der.sequence(to_be_signed, algorithm, der.bit_string(issuer.key.sign(to_be_signed)))


def entry(known: CertificateStanding) -> bytes:
    """DER entry of a certificate that is revoked or on hold. An unspecified reason is left out (5.3.1).

    Put together here and not by :mod:`ca.der`: a list is mostly these, and none has more than 127 octets.
    """
    at = known.revocation_date
    assert at is not None
    assert known.reason is not None
    number = known.serial.to_bytes(known.serial.bit_length() // 8 + 1, "big")  # never negative
    listed = b"\x02" + _SIZES[len(number)] + number + _time(at)
    details = _REASONS[known.reason]
    if known.invalidity_date is not None:
        details += _INVALIDITY_DATE_HEAD + _generalized(known.invalidity_date)
    if details:
        listed += b"\x30" + _SIZES[len(details)] + details
    return b"\x30" + _SIZES[len(listed)] + listed


def removal(serial: int, at: datetime) -> bytes:
    """DER entry of a delta: the hold on a certificate was lifted (removeFromCRL, 5.3.1)."""
    reason = _extension(_REASON_CODE, der.enumerated(_REMOVE_FROM_CRL))
    return der.sequence(der.integer(serial), _time(at), der.sequence(reason))


def delta_entries(
    before: Mapping[int, bytes], now: Mapping[int, bytes], *, released: Iterable[int], at: datetime
) -> list[bytes]:
    """What turns the entries ``before`` into those of ``now``, both by serial.

    ``released`` are certificates whose hold was lifted since. They are named even if ``before`` does not list
    them: a delta in between did, and somebody may have applied it.
    """
    gone = sorted((before.keys() | set(released)) - now.keys())
    changed = [encoded for serial, encoded in now.items() if before.get(serial) != encoded]
    return [*changed, *(removal(serial, at) for serial in gone)]


def entries_of(encoded: bytes) -> dict[int, bytes]:
    """The entries of a list of ours by serial, as bytes."""
    to_be_signed = next(der.read_whole(encoded, der.SEQUENCE).children())
    # version, algorithm, issuer, two times; what follows is the entries, unless there are none.
    fields = list(to_be_signed.children())
    if fields[5].tag != der.SEQUENCE:
        return {}
    return {
        der.read_integer(der.read_tlv(one.data, one.content_start)): one.encoded
        for one in fields[5].children()
    }


def _extension(kind: bytes, value: bytes, *, critical: bool = False) -> bytes:
    return der.sequence(kind, der.boolean(True) if critical else b"", der.octet_string(value))


def _full_name(address: str) -> bytes:
    """``[0] fullName`` of one address, inside DistributionPointName."""
    return der.implicit(0, True, der.implicit(_URI, False, address.encode("ascii")))


# Most entries share their moment with others, or say one moment twice.
_time = lru_cache(maxsize=4096)(der.time)
_generalized = lru_cache(maxsize=4096)(der.generalized_time)
_REASONS = {
    reason: _extension(_REASON_CODE, der.enumerated(reason.value))
    if reason is not RevocationReason.UNSPECIFIED
    else b""
    for reason in RevocationReason
}
# Fixed lengths: a GeneralizedTime in whole seconds has 17 octets.
_INVALIDITY_DATE_HEAD = b"\x30\x18" + _INVALIDITY_DATE + b"\x04\x11"
_SIZES = tuple(bytes((size,)) for size in range(128))
