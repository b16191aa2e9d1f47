"""From profile, subject and public key to a certificate (RFC 5280 section 4). Pure but for the signature."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import AuthorityInformationAccessOID

from ca import der
from ca.algorithms import SIGNATURES
from ca.errors import IssuanceRefused
from ca.linting import Expected, findings
from ca.model import CertificationConfig, ListScope
from ca.names import subject_outside
from ca.profiles import Profile
from keys.handle import KeyHandle, PublicKey
from keys.model import KeyAlgorithm

_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA that can sign: its published name, its certificate, its key, and the certificates above it."""

    name: str
    certificate: x509.Certificate
    key: KeyHandle
    above: tuple[x509.Certificate, ...] = ()


def new_serial() -> int:
    """128 random bits under a leading 1: positive, unguessable, always 17 octets (RFC 5280 4.1.2.2)."""
    return 1 << 128 | secrets.randbits(128)


def key_identifier(public_key_info: bytes) -> bytes:
    """RFC 7093 section 2 method 1: the leftmost 160 bits of SHA-256 over the subjectPublicKey bits."""
    *_, bits = der.read_whole(public_key_info, der.SEQUENCE).children()
    return hashlib.sha256(der.expect(bits, der.BIT_STRING).content[1:]).digest()[:20]


def self_signed(
    *, profile: Profile, subject: x509.Name, key: KeyHandle, serial: int, not_before: datetime
) -> x509.Certificate:
    """A root certificate. It has neither policies nor addresses: nobody stands above it to ask."""
    if not profile.is_ca:
        raise IssuanceRefused(f"profile {profile.name} is not a CA: only a root signs itself")
    own_key = key_identifier(key.record.public_key)
    expected = Expected(profile, subject, None, key.record.public_key, own_key, (), (), ())
    builder = _builder(expected, serial, not_before).issuer_name(subject)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier(own_key, None, None), critical=False)
    return _linted_and_signed(builder, expected, key)


def issue(
    *,
    profile: Profile,
    subject: x509.Name,
    public_key_info: bytes,
    issuer: Issuer,
    serial: int,
    not_before: datetime,
    config: CertificationConfig,
    partition: int = 0,
    key_ends: datetime | None = None,
) -> x509.Certificate:
    """Build, lint and sign a certificate. ``public_key_info`` is a DER SubjectPublicKeyInfo.

    ``key_ends`` is when the private key's use ends, for profiles that limit it.

    Raises :class:`ca.errors.IssuanceRefused` when the issuer may not issue this, or not for so long, or when
    what was built is not what the profile says; nothing was signed with the issuer's key then.
    """
    authority = _authority_over(profile, subject, public_key_info, issuer, not_before)
    where = _addresses(config, issuer.name, profile, partition)
    expected = Expected(
        profile=profile,
        subject=subject,
        issuer=issuer.certificate,
        public_key_info=public_key_info,
        key_id=key_identifier(public_key_info),
        addresses=where.access,
        crl_addresses=where.lists,
        delta_addresses=where.deltas,
        key_usage_period=(_whole(not_before), _whole(key_ends)) if key_ends else None,
    )
    builder = _builder(expected, serial, not_before).issuer_name(issuer.certificate.subject)
    builder = builder.add_extension(authority.identifier, critical=False)
    for extension in where.extensions:
        builder = builder.add_extension(extension, critical=False)
    return _linted_and_signed(builder, expected, issuer.key)


@dataclass(frozen=True, slots=True)
class _Addresses:
    """Where a certificate says that its issuer, its status and its lists are found."""

    access: tuple[str, ...]
    lists: tuple[str, ...]
    deltas: tuple[str, ...]
    extensions: tuple[x509.ExtensionType, ...]


@lru_cache(maxsize=256)
def _addresses(config: CertificationConfig, issuer: str, profile: Profile, partition: int) -> _Addresses:
    """The same for every certificate of a partition."""
    access = [(AuthorityInformationAccessOID.CA_ISSUERS, config.certificate_address(issuer))]
    if profile.status_published and (partition or not profile.is_ca):
        access.insert(0, (AuthorityInformationAccessOID.OCSP, config.ocsp_address(issuer)))
    scope = ListScope(issuer, partition)
    lists = (config.crl_address(scope),) if profile.status_published else ()
    deltas = (config.delta_address(scope),) if profile.status_published and partition else ()
    extensions: list[x509.ExtensionType] = [
        x509.AuthorityInformationAccess(
            [x509.AccessDescription(method, x509.UniformResourceIdentifier(at)) for method, at in access]
        )
    ]
    if lists:
        extensions.append(x509.CRLDistributionPoints(_points(lists)))
    if deltas:
        extensions.append(x509.FreshestCRL(_points(deltas)))
    return _Addresses(tuple(at for _, at in access), lists, deltas, tuple(extensions))


def _linted_and_signed(
    builder: x509.CertificateBuilder, expected: Expected, key: KeyHandle
) -> x509.Certificate:
    """What was linted is what is signed: the same bytes, first under a key that nobody trusts."""
    draft = builder.sign(_throw_away_key(key.record.algorithm), signature_hash(key))
    if broken := findings(draft, expected):
        raise IssuanceRefused(
            f"a certificate of profile {expected.profile.name} was not signed: {'; '.join(broken)}"
        )
    signed = draft.tbs_certificate_bytes
    algorithm = SIGNATURES[key.record.algorithm.value]
    return x509.load_der_x509_certificate(der.sequence(signed, algorithm, der.bit_string(key.sign(signed))))


@cache
def _throw_away_key(algorithm: KeyAlgorithm) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    """Of the issuer's algorithm, because the draft names it; one for the process, and it stays there."""
    match algorithm:
        case KeyAlgorithm.EC_P256:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyAlgorithm.EC_P384:
            return ec.generate_private_key(ec.SECP384R1())
        case KeyAlgorithm.RSA_3072:
            return rsa.generate_private_key(65537, 3072)
        case _:
            raise IssuanceRefused(f"keys of type {algorithm} certify nothing")


def _points(addresses: tuple[str, ...]) -> list[x509.DistributionPoint]:
    return [
        x509.DistributionPoint([x509.UniformResourceIdentifier(address)], None, None, None)
        for address in addresses
    ]


def signature_hash(key: KeyHandle) -> hashes.SHA256 | hashes.SHA384:
    return hashes.SHA384() if key.record.algorithm.hash_name == "sha384" else hashes.SHA256()


def _builder(expected: Expected, serial: int, not_before: datetime) -> x509.CertificateBuilder:
    profile = expected.profile
    start = _whole(not_before)
    builder = (
        x509.CertificateBuilder()
        .subject_name(expected.subject)
        .public_key(_certifiable(expected.public_key_info))
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + profile.validity)
        .add_extension(x509.SubjectKeyIdentifier(expected.key_id), critical=False)
    )
    for extension, critical in _extensions(profile):
        builder = builder.add_extension(extension, critical=critical)
    if expected.key_usage_period:
        period = x509.PrivateKeyUsagePeriod(*expected.key_usage_period)
        builder = builder.add_extension(period, critical=False)
    return builder


def _whole(moment: datetime) -> datetime:
    """Cut to the second, which is as exactly as certificates tell the time."""
    return moment.replace(microsecond=0)


@lru_cache(maxsize=64)
def _extensions(profile: Profile) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    """Those that are the same in every certificate of a profile, with their criticality."""
    usages = {usage: usage in profile.usages for usage in _KEY_USAGES}
    extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.KeyUsage(**usages), True)]
    if profile.is_ca:
        extensions.append((x509.BasicConstraints(True, profile.path_length), True))
    if profile.extended:
        kinds = [x509.ObjectIdentifier(usage) for usage in profile.extended]
        extensions.append((x509.ExtendedKeyUsage(kinds), profile.extended_critical))
    if profile.policies:
        policies = [x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in profile.policies]
        extensions.append((x509.CertificatePolicies(policies), False))
    if profile.ocsp_no_check:
        extensions.append((x509.OCSPNoCheck(), False))
    return tuple(extensions)


def _certifiable(public_key_info: bytes) -> PublicKey:
    """The key, if it is of a kind and size that is certified here (TS 119 312)."""
    key = load_der_public_key(public_key_info)
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in {"secp256r1", "secp384r1"}:
        return key
    if isinstance(key, rsa.RSAPublicKey) and 3072 <= key.key_size <= 8192:
        return key
    raise IssuanceRefused("only keys on P-256 and P-384 and RSA keys of 3072 to 8192 bits are certified")


@dataclass(frozen=True, slots=True)
class _Authority:
    """What an issuer's certificate says that every certificate below it is held against."""

    key_info: bytes
    path_length: int | None
    extended: frozenset[str] | None
    identifier: x509.AuthorityKeyIdentifier


@lru_cache(maxsize=64)
def _authority(certificate: x509.Certificate) -> _Authority | None:
    """None when it is not a CA's (RFC 5280 4.2.1.2, 4.2.1.3, 4.2.1.9)."""
    extensions = certificate.extensions
    try:
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        own = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return None
    if not (constraints.ca and usage.key_cert_sign):
        return None
    try:
        allowed = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        allowed = None
    return _Authority(
        key_info=certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        path_length=constraints.path_length,
        extended=None if allowed is None else frozenset(usage.dotted_string for usage in allowed),
        identifier=x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own),
    )


def _authority_over(
    profile: Profile, subject: x509.Name, public_key_info: bytes, issuer: Issuer, not_before: datetime
) -> _Authority:
    """The issuer's, if it may issue this; :class:`ca.errors.IssuanceRefused` otherwise."""
    above, authority = issuer.certificate, _authority(issuer.certificate)
    if authority is None:
        raise IssuanceRefused(f"{issuer.name} is not a CA and issues nothing (RFC 5280 4.2.1.9)")
    if authority.key_info != issuer.key.record.public_key:
        raise IssuanceRefused(f"key {issuer.key.record.id} is not the key of issuer {issuer.name}")
    if public_key_info == authority.key_info:
        raise IssuanceRefused(f"issuer {issuer.name} cannot certify its own key again: generate another")
    room = authority.path_length
    self_issued = profile.links_keys and subject == above.subject
    if profile.links_keys and not self_issued:
        raise IssuanceRefused(f"{issuer.name} may link only keys of its own name (RFC 4210 4.4)")
    uses_up_room = profile.is_ca and not self_issued  # RFC 5280 4.2.1.9
    if uses_up_room and room is not None and (profile.path_length is None or profile.path_length >= room):
        raise IssuanceRefused(f"{issuer.name} has pathLen {room}: no CA of profile {profile.name} fits below")
    if authority.extended is not None and not authority.extended.issuperset(profile.extended):
        raise IssuanceRefused(f"{issuer.name} may not certify for the extended usages of {profile.name}")
    if outside := subject_outside(subject, (above, *issuer.above)):
        raise IssuanceRefused(f"{issuer.name} may not certify {outside} (RFC 5280 4.2.1.10)")
    start = _whole(not_before)
    too_early = start < above.not_valid_before_utc and not self_issued
    if too_early or start + profile.validity > above.not_valid_after_utc:
        raise IssuanceRefused(
            f"a certificate of profile {profile.name} would be valid outside its issuer's validity, "
            f"which ends {above.not_valid_after_utc:%Y-%m-%d}: issue from a newer CA"
        )
    return authority
