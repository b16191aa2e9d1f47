"""Certificate profiles as checked data: a profile that contradicts the standards stops the start-up.

RFC 5280; seals: EN 319 412-3 (legal persons) with the key usages of EN 319 412-2 4.3.2 type A; time-stamping
units: EN 319 421 7.6.7, EN 319 422 and RFC 3161 2.3; OCSP responders: RFC 6960 4.2.2.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypedDict, Unpack

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ca.errors import IssuanceRefused, ProfileInvalid
from ca.model import RECEIPT_SIGNING_USAGE, CertificationConfig, ProfileName
from keys.model import KeyAlgorithm, KeyPurpose

PURPOSES: Mapping[ProfileName, KeyPurpose] = {
    ProfileName.ROOT: KeyPurpose.ROOT_CA,
    ProfileName.ISSUING: KeyPurpose.ISSUING_CA,
    ProfileName.SEAL: KeyPurpose.SEAL,
    ProfileName.TIMESTAMPING: KeyPurpose.TIMESTAMPING,
    ProfileName.OCSP: KeyPurpose.OCSP,
    ProfileName.RECEIPT: KeyPurpose.RECEIPT,
}
"""What the keys are for that are certified. Cross-certificates are about keys that have one of these."""

CA_PURPOSES = {profile: PURPOSES[profile] for profile in (ProfileName.ROOT, ProfileName.ISSUING)}

ANY_POLICY = "2.5.29.32.0"
_YEAR = timedelta(days=365)
_CA_USAGES = frozenset({"key_cert_sign", "crl_sign"})
_END_ENTITY_USAGES = frozenset({"digital_signature", "content_commitment"})
# EN 319 412-1 5.1.4: three letters for a scheme (or two and a colon for a national one), country, hyphen, id.
_ORGANIZATION_IDENTIFIER = re.compile(r"(?:(?:VAT|NTR|PSD|LEI)[A-Z]{2}|[A-Z]{2}:[A-Z]{2})-[\w.\-/]{1,50}")


@dataclass(frozen=True, slots=True)
class Profile:
    """What certificates of one kind look like. Raises :class:`ca.errors.ProfileInvalid` when contradictory.

    ``version`` rises with every change of what certificates hold; it is recorded with each of them.

    ``path_length`` only for CAs. ``usages`` are attribute names of ``x509.KeyUsage``. ``extended`` is the
    list of extended key usages as dotted object identifiers; ``extended_critical`` as RFC 3161 2.3 asks.
    ``key_life`` is how long the private key may be used (private-key usage period), where that is shorter
    than the certificate: what was signed in it stays verifiable for the certificate's whole life.
    ``links_keys`` marks cross-certificates between keys of one CA: self-issued, so that they use up no
    pathLen (RFC 5280 4.2.1.9), and valid from when the certified key began, which may be before the issuer's.
    ``status_published`` says whether relying parties can ask for revocation (not for roots and, because of
    ocsp-nocheck, not for responders).
    """

    name: ProfileName
    version: int
    purpose: KeyPurpose
    algorithm: KeyAlgorithm
    validity: timedelta
    usages: frozenset[str]
    is_ca: bool = False
    path_length: int | None = None
    extended: tuple[str, ...] = ()
    extended_critical: bool = False
    policies: tuple[str, ...] = ()
    ocsp_no_check: bool = False
    status_published: bool = True
    key_life: timedelta | None = None
    links_keys: bool = False

    def __post_init__(self) -> None:
        for broken, rule in (
            (not self.usages, "keyUsage must name something (RFC 5280 4.2.1.3)"),
            (self.is_ca and self.usages != _CA_USAGES, "a CA signs certificates and CRLs, nothing else"),
            (not self.is_ca and not self.usages <= _END_ENTITY_USAGES, "only a CA may sign certificates"),
            (not self.is_ca and self.path_length is not None, "pathLen is for CAs (RFC 5280 4.2.1.9)"),
            ((self.path_length or 0) < 0, "pathLen cannot be negative"),
            (self.links_keys and not self.is_ca, "only keys of CAs certify each other"),
            (self.is_ca and bool(self.extended), "extended usages here belong to end entities"),
            (bool(self.extended_critical and not self.extended), "a critical extension needs content"),
            (len(set(self.policies)) != len(self.policies), "a policy is named twice (RFC 5280 4.2.1.4)"),
            (not timedelta(days=1) <= self.validity <= 30 * _YEAR, "validity is between a day and 30 years"),
            (
                self.key_life is not None and not timedelta(days=1) <= self.key_life <= self.validity,
                "the private key is used for a day or more, and not longer than the certificate is valid",
            ),
            (
                ExtendedKeyUsageOID.TIME_STAMPING.dotted_string in self.extended
                and not (len(self.extended) == 1 and self.extended_critical),
                "timeStamping stands alone and critical (RFC 3161 2.3)",
            ),
            (
                self.ocsp_no_check and ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string not in self.extended,
                "ocsp-nocheck is for OCSP responders (RFC 6960 4.2.2.2.1)",
            ),
            (
                self.name is ProfileName.SEAL and self.usages != {"content_commitment"},
                "a seal commits to content and does nothing else (EN 319 412-2 4.3.2, type A)",
            ),
        ):
            if broken:
                raise ProfileInvalid(f"profile {self.name}: {rule}")


class _EndEntity(TypedDict, total=False):
    """What sets the profiles of end entities apart."""

    extended: tuple[str, ...]
    extended_critical: bool
    ocsp_no_check: bool
    status_published: bool
    key_life: timedelta | None


def profiles(config: CertificationConfig) -> Mapping[ProfileName, Profile]:
    """The profiles of this deployment, checked."""

    def end_entity(
        name: ProfileName,
        purpose: KeyPurpose,
        years: float,
        usage: str,
        version: int = 2,
        **more: Unpack[_EndEntity],
    ) -> Profile:
        return Profile(
            name=name,
            version=version,  # 2: the list of a partition instead of the whole, and its delta
            purpose=purpose,
            algorithm=KeyAlgorithm.EC_P256,
            validity=years * _YEAR,
            usages=frozenset({usage}),
            policies=(config.certificate_policy(name),),
            **more,
        )

    made = (
        Profile(
            name=ProfileName.ROOT,
            version=1,
            purpose=KeyPurpose.ROOT_CA,
            algorithm=KeyAlgorithm.EC_P384,
            validity=25 * _YEAR,
            usages=_CA_USAGES,
            is_ca=True,
            status_published=False,
        ),
        Profile(
            name=ProfileName.ISSUING,
            version=1,
            purpose=KeyPurpose.ISSUING_CA,
            algorithm=KeyAlgorithm.EC_P256,
            validity=15 * _YEAR,
            usages=_CA_USAGES,
            is_ca=True,
            path_length=0,
            policies=(ANY_POLICY,),
        ),
        end_entity(ProfileName.SEAL, KeyPurpose.SEAL, 3, "content_commitment"),
        end_entity(
            ProfileName.TIMESTAMPING,
            KeyPurpose.TIMESTAMPING,
            10,
            "digital_signature",
            3,  # 3: private-key usage period
            key_life=config.time.key_life,
            extended=(ExtendedKeyUsageOID.TIME_STAMPING.dotted_string,),
            extended_critical=True,
        ),
        end_entity(
            ProfileName.OCSP,
            KeyPurpose.OCSP,
            1,
            "digital_signature",
            extended=(ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string,),
            ocsp_no_check=True,
            status_published=False,
        ),
        end_entity(
            ProfileName.RECEIPT,
            KeyPurpose.RECEIPT,
            5,
            "digital_signature",
            extended=(RECEIPT_SIGNING_USAGE,),
        ),
    )
    return {profile.name: profile for profile in made}


def cross_profile(subject: Profile, validity: timedelta) -> Profile:
    """What a cross-certificate for a CA of profile ``subject`` looks like (RFC 4210 4.4.1).

    Raises :class:`ca.errors.ProfileInvalid` when there is less than a day left to link.
    """
    return replace(
        subject,
        name=ProfileName.CROSS,
        version=1,
        validity=validity,
        policies=subject.policies or (ANY_POLICY,),
        status_published=True,
        links_keys=True,
    )


def legal_person(
    *, common_name: str, organisation: str, organization_identifier: str, country: str
) -> x509.Name:
    """Subject of a legal person (EN 319 412-3 4.2.1): C, O, organizationIdentifier, CN.

    Raises :class:`ca.errors.IssuanceRefused` for values that the standard or X.520 does not allow.
    """
    if not re.fullmatch(r"[A-Z]{2}", country):
        raise IssuanceRefused(f"{country!r} is not a two-letter country code (ISO 3166-1), such as ID")
    if not _ORGANIZATION_IDENTIFIER.fullmatch(organization_identifier):
        raise IssuanceRefused(
            f"{organization_identifier!r} is not an organizationIdentifier of EN 319 412-1 5.1.4: "
            "write scheme, country, hyphen and number, for instance NTRID-1234567890"
        )
    for what, value in (("organisation", organisation), ("common name", common_name)):
        if not 1 <= len(value) <= 64 or not value.isprintable() or value != value.strip():
            raise IssuanceRefused(f"the {what} must be 1 to 64 printable characters (X.520), not {value!r}")
    if organisation == organization_identifier:
        raise IssuanceRefused("organisation and organizationIdentifier must differ (EN 319 412-3 4.2.1)")
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, country),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, organization_identifier),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
