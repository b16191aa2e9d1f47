"""Certificates and revocation lists as facts, and where they are published. Pure; never reaches ``keys``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from urllib.parse import urlsplit

from ca.errors import ProfileInvalid

EXAMPLE_ARC = "1.3.6.1.4.1.32473.360"
"""Policy identifiers of deployments that have no arc of their own, under the enterprise number that RFC 5612
keeps for examples. A deployment that means it registers an arc and sets :attr:`CertificationConfig.arc`.
(UUID arcs under 2.25 would be free for all, but widely used decoders stop at arcs of 32 bits.)"""

RECEIPT_SIGNING_USAGE = f"{EXAMPLE_ARC}.2.1"
"""Extended key usage of receipt signers; no standard has one. The same in every deployment, because verifiers
that never saw the deployment's settings must recognise it."""


_PUBLISHED_NAME = re.compile(r"[a-z0-9-]{1,64}")


def is_published_name(text: str) -> bool:
    """Whether ``text`` can be the ``name`` of a certificate; nothing else is looked up."""
    return _PUBLISHED_NAME.fullmatch(text) is not None


class ProfileName(StrEnum):
    ROOT = "root"
    ISSUING = "issuing"
    SEAL = "seal"
    TIMESTAMPING = "tsu"
    OCSP = "ocsp"
    RECEIPT = "receipt"


class CertificateStatus(StrEnum):
    GOOD = "good"
    ON_HOLD = "on-hold"
    REVOKED = "revoked"


class RevocationReason(Enum):
    """CRLReason (RFC 5280 5.3.1), without removeFromCRL, which only delta CRLs use."""

    UNSPECIFIED = 0
    KEY_COMPROMISE = 1
    CA_COMPROMISE = 2
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    CERTIFICATE_HOLD = 6
    PRIVILEGE_WITHDRAWN = 9
    AA_COMPROMISE = 10


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """A certificate that was issued here. ``name`` is its place in ``/pki/{name}.crt``; ``issuer`` is the
    ``name`` of its issuer, its own for the root. Times are aware UTC.

    ``invalidity_date`` is when the key is known or feared to have been lost (RFC 5280 5.3.2).
    """

    serial: int
    name: str
    issuer: str
    profile: ProfileName
    key_id: str
    owner: str
    der: bytes
    sha256: bytes
    issued_at: datetime
    not_before: datetime
    not_after: datetime
    status: CertificateStatus = CertificateStatus.GOOD
    revoked_at: datetime | None = None
    reason: RevocationReason | None = None
    invalidity_date: datetime | None = None

    @property
    def revocation_date(self) -> datetime | None:
        """The revocationDate that is published: the earlier of revocation and loss.

        Relying parties exist that ignore invalidityDate; this way they, too, distrust from the loss on.
        """
        if self.revoked_at is None or self.invalidity_date is None:
            return self.revoked_at
        return min(self.revoked_at, self.invalidity_date)


@dataclass(frozen=True, slots=True)
class CrlRecord:
    """One issue of a revocation list. ``number`` rises with every issue of the same ``issuer``."""

    issuer: str
    number: int
    der: bytes
    this_update: datetime
    next_update: datetime


@dataclass(frozen=True, slots=True)
class CertificationConfig:
    """What a deployment decides about its certificates.

    ``base_url`` is the plain-HTTP origin that relying parties reach (RFC 5280 8: fetching a certificate or
    CRL over TLS would need the answer in order to ask the question). ``organization_identifier`` follows
    EN 319 412-1 5.1.4, for instance ``NTRID-1234567890``.
    """

    base_url: str
    organisation: str = "Absah Development"
    organization_identifier: str = "NTRID-0000000000001"
    country: str = "ID"
    arc: str = EXAMPLE_ARC
    ocsp_validity: timedelta = timedelta(hours=12)
    issuing_crl_validity: timedelta = timedelta(days=3)
    root_crl_validity: timedelta = timedelta(days=180)
    tsa_accuracy_seconds: int = 1

    def __post_init__(self) -> None:
        address = urlsplit(self.base_url)
        if address.scheme != "http" or not address.netloc or address.path.rstrip("/") or address.query:
            raise ProfileInvalid(
                f"{self.base_url!r} cannot be printed into certificates: "
                "give a plain origin such as http://pki.example.go.id"
            )
        if min(self.ocsp_validity, self.issuing_crl_validity, self.root_crl_validity) < timedelta(minutes=1):
            raise ProfileInvalid("answers and lists that live less than a minute are stale when they arrive")
        if self.tsa_accuracy_seconds < 1:
            raise ProfileInvalid("the accuracy of time-stamps is stated in whole seconds, 1 or more")

    @property
    def timestamp_policy(self) -> str:
        """The TSA policy in every token (RFC 3161 2.1)."""
        return f"{self.arc}.1.2"

    def certificate_policy(self, profile: ProfileName) -> str:
        branch = {
            ProfileName.SEAL: 1,
            ProfileName.TIMESTAMPING: 2,
            ProfileName.OCSP: 3,
            ProfileName.RECEIPT: 4,
        }
        return f"{self.arc}.1.{branch[profile]}"

    def certificate_address(self, name: str) -> str:
        return f"{self.base_url.rstrip('/')}/pki/{name}.crt"

    def crl_address(self, issuer: str) -> str:
        return f"{self.base_url.rstrip('/')}/pki/{issuer}.crl"

    def ocsp_address(self, issuer: str) -> str:
        return f"{self.base_url.rstrip('/')}/ocsp/{issuer}"
