"""What a certificate must look like before a CA signs it, read back from its encoding. Pure.

The builder is told what to write; this reads what it wrote, under a signature of a throw-away key, and
compares it with profile and issuer (RFC 5280 section 4): what was once signed cannot be unsigned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID, NameOID

from ca import der
from ca.errors import MalformedDer
from ca.profiles import Profile

_LONGEST = {
    NameOID.COUNTRY_NAME: 2,
    NameOID.ORGANIZATION_NAME: 64,
    NameOID.ORGANIZATIONAL_UNIT_NAME: 64,
    NameOID.COMMON_NAME: 64,
    NameOID.ORGANIZATION_IDENTIFIER: 64,
}
"""Upper bounds of X.520 as RFC 5280 appendix A.1 repeats them."""
_NO_CHECK, _INFORMATION, _POINTS, _FRESHEST = (
    ExtensionOID.OCSP_NO_CHECK,
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
    ExtensionOID.CRL_DISTRIBUTION_POINTS,
    ExtensionOID.FRESHEST_CRL,
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the certificate was meant to be. ``issuer`` None: it is signed by itself."""

    profile: Profile
    subject: x509.Name
    issuer: x509.Certificate | None
    public_key_info: bytes
    key_id: bytes
    addresses: tuple[str, ...]
    crl_addresses: tuple[str, ...]
    delta_addresses: tuple[str, ...]
    key_usage_period: tuple[datetime, datetime] | None = None


def findings(certificate: x509.Certificate, expected: Expected) -> tuple[str, ...]:
    """Every rule that ``certificate`` breaks, in words; nothing when it may be signed."""
    try:
        return (
            *_about_numbers(certificate, expected),
            *_about_names(certificate, expected),
            *_about_the_key(certificate, expected),
            *_about_extensions(certificate, expected),
        )
    except (
        MalformedDer,
        ValueError,
        TypeError,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as unreadable:
        return (f"it cannot be read back: {unreadable}",)


def _about_numbers(certificate: x509.Certificate, expected: Expected) -> Iterator[str]:
    if certificate.version is not x509.Version.v3:
        yield "the version is not 3 (4.1.2.1)"
    serial = certificate.serial_number
    if serial <= 0 or serial.bit_length() > 159:
        yield "the serial number is not positive or longer than 20 octets (4.1.2.2)"
    if serial.bit_length() <= 64:
        yield "the serial number has no room for 64 random bits"
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    period = expected.key_usage_period
    if (period is None) is not (expected.profile.key_life is None):
        yield "the profile and the draft disagree on whether the private key has a usage period"
    if period and not start <= period[0] < period[1] <= end:
        yield "the private key's usage period is empty or outside the certificate's validity"
    if end - start != expected.profile.validity:
        yield "the validity is not that of the profile"
    issuer = expected.issuer
    begins_in_time = issuer is None or expected.profile.links_keys or issuer.not_valid_before_utc <= start
    if issuer and not (begins_in_time and start < end <= issuer.not_valid_after_utc):
        yield "it is valid outside its issuer's validity"


def _about_names(certificate: x509.Certificate, expected: Expected) -> Iterator[str]:
    # Encodings, not values: RFC 5280 7.1 lets verifiers compare them byte for byte.
    issuer_name, subject_name = _encoded_names(certificate.tbs_certificate_bytes)
    wanted = expected.subject.public_bytes()
    above = _encoded_subject(expected.issuer) if expected.issuer else wanted
    if issuer_name != above:
        yield "the issuer's name is not the issuer's subject, byte for byte (4.1.2.4)"
    subject = certificate.subject
    if subject_name != wanted or not subject.rdns:
        yield "the subject is not the one asked for, or empty (4.1.2.6)"
    kinds = [attribute.oid for attribute in subject]
    if len(set(kinds)) != len(kinds):
        yield "the subject names an attribute twice"
    for attribute in subject:
        longest = _LONGEST.get(attribute.oid)
        if longest is None:
            yield f"the subject holds {attribute.oid.dotted_string}, which no profile knows"
        elif not isinstance(attribute.value, str) or not 1 <= len(attribute.value) <= longest:
            yield f"the subject's {attribute.oid.dotted_string} has not 1 to {longest} characters"


@lru_cache(maxsize=64)
def _encoded_subject(issuer: x509.Certificate) -> bytes:
    return _encoded_names(issuer.tbs_certificate_bytes)[1]


def _encoded_names(to_be_signed: bytes) -> tuple[bytes, bytes]:
    """Issuer and subject of a version 3 certificate as they stand in it. Raises ``MalformedDer``."""
    _version, _serial, _algorithm, issuer, _validity, subject, *_ = der.read_whole(
        to_be_signed, der.SEQUENCE
    ).children()
    return issuer.encoded, subject.encoded


def _about_the_key(certificate: x509.Certificate, expected: Expected) -> Iterator[str]:
    key = certificate.public_key()
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != expected.public_key_info:
        yield "the key is not the one asked for, or not in its one encoding"
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        if numbers.e < 65537 or numbers.e % 2 == 0 or numbers.n % 2 == 0 or _has_small_factor(numbers.n):
            yield "the RSA key is weak (SP 800-89 5.3.3)"


def _has_small_factor(modulus: int) -> bool:
    return any(modulus % prime == 0 for prime in _SMALL_PRIMES)


_SMALL_PRIMES = tuple(n for n in range(3, 752, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2)))


def _about_extensions(certificate: x509.Certificate, expected: Expected) -> Iterator[str]:
    """Exactly the extensions of the profile, each with its criticality and content."""
    found = {one.oid: one for one in certificate.extensions}
    criticality = _criticality(
        expected.profile,
        has_access=bool(expected.addresses),
        has_lists=bool(expected.crl_addresses),
        has_deltas=bool(expected.delta_addresses),
        has_key_period=expected.key_usage_period is not None,
    )
    for kind in found.keys() ^ criticality.keys():
        state = "holds" if kind in found else "lacks"
        yield f"it {state} extension {kind.dotted_string}, against its profile"
    for kind in found.keys() & criticality.keys():
        if found[kind].critical is not criticality[kind]:
            yield f"extension {kind.dotted_string} has the wrong criticality"
    for extension in found.values():
        said, wanted, what = _compared(extension.value, expected)
        if said != wanted:
            yield f"its {what} is {said}, not {wanted}"


@lru_cache(maxsize=64)
def _criticality(
    profile: Profile, *, has_access: bool, has_lists: bool, has_deltas: bool, has_key_period: bool
) -> Mapping[x509.ObjectIdentifier, bool]:
    """The extensions that there have to be."""
    wanted = {
        ExtensionOID.SUBJECT_KEY_IDENTIFIER: (True, False),
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER: (True, False),
        ExtensionOID.KEY_USAGE: (True, True),
        ExtensionOID.BASIC_CONSTRAINTS: (profile.is_ca, True),
        ExtensionOID.EXTENDED_KEY_USAGE: (bool(profile.extended), profile.extended_critical),
        ExtensionOID.CERTIFICATE_POLICIES: (bool(profile.policies), False),
        _NO_CHECK: (profile.ocsp_no_check, False),
        _INFORMATION: (has_access, False),
        _POINTS: (has_lists, False),
        _FRESHEST: (has_deltas, False),
        ExtensionOID.PRIVATE_KEY_USAGE_PERIOD: (has_key_period, False),
    }
    return MappingProxyType({kind: critical for kind, (is_wanted, critical) in wanted.items() if is_wanted})


def _compared(value: Any, expected: Expected) -> tuple[object, object, str]:
    """What an extension says, what it should say, and what it is called in words."""
    compare = _COMPARISONS.get(type(value))
    # What has no content of its own, or is not in the profile, was judged by its presence.
    return compare(value, expected) if compare else (None, None, "")


def _key_id_above(expected: Expected) -> bytes:
    return expected.key_id if expected.issuer is None else _key_id_of(expected.issuer)


@lru_cache(maxsize=64)
def _key_id_of(issuer: x509.Certificate) -> bytes:
    return issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def _usages(value: x509.KeyUsage) -> frozenset[str]:
    names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment"]
    names += ["key_agreement", "key_cert_sign", "crl_sign"]
    if value.key_agreement:  # the library raises for the other two without it
        names += ["encipher_only", "decipher_only"]
    return frozenset(name for name in names if getattr(value, name))


def _aware(moment: datetime | None) -> datetime | None:
    """The library reads these times, which are always UTC, without a zone."""
    return moment and moment.replace(tzinfo=UTC)


def _dotted(kinds: Iterable[x509.ObjectIdentifier]) -> tuple[str, ...]:
    return tuple(kind.dotted_string for kind in kinds)


def _names_of(points: Iterable[x509.DistributionPoint]) -> tuple[str, ...]:
    return _values(name for point in points for name in point.full_name or ())


def _values(names: Iterable[x509.GeneralName]) -> tuple[str, ...]:
    return tuple(name.value if isinstance(name, x509.UniformResourceIdentifier) else "" for name in names)


_COMPARISONS: Mapping[type[x509.ExtensionType], Callable[[Any, Expected], tuple[object, object, str]]] = {
    x509.SubjectKeyIdentifier: lambda said, wanted: (
        said.digest,
        wanted.key_id,
        "subject key identifier (RFC 7093)",
    ),
    x509.AuthorityKeyIdentifier: lambda said, wanted: (
        said.key_identifier,
        _key_id_above(wanted),
        "authority key identifier (4.2.1.1)",
    ),
    x509.KeyUsage: lambda said, wanted: (_usages(said), wanted.profile.usages, "keyUsage (4.2.1.3)"),
    x509.BasicConstraints: lambda said, wanted: (
        (said.ca, said.path_length),
        (wanted.profile.is_ca, wanted.profile.path_length),
        "basicConstraints (4.2.1.9)",
    ),
    x509.ExtendedKeyUsage: lambda said, wanted: (
        _dotted(said),
        wanted.profile.extended,
        "extendedKeyUsage (4.2.1.12)",
    ),
    x509.CertificatePolicies: lambda said, wanted: (
        _dotted(policy.policy_identifier for policy in said),
        wanted.profile.policies,
        "policies (4.2.1.4)",
    ),
    x509.AuthorityInformationAccess: lambda said, wanted: (
        _values(access.access_location for access in said),
        wanted.addresses,
        "addresses of issuer and OCSP (4.2.2.1)",
    ),
    x509.CRLDistributionPoints: lambda said, wanted: (
        _names_of(said),
        wanted.crl_addresses,
        "addresses of lists (4.2.1.13)",
    ),
    x509.FreshestCRL: lambda said, wanted: (
        _names_of(said),
        wanted.delta_addresses,
        "addresses of deltas (4.2.1.15)",
    ),
    x509.PrivateKeyUsagePeriod: lambda said, wanted: (
        (_aware(said.not_before), _aware(said.not_after)),
        wanted.key_usage_period,
        "private-key usage period (RFC 3280 4.2.1.4)",
    ),
}
"""By the exact type: the library's base class is abstract, and asking ``isinstance`` of it is slow."""
