"""Certificates and revocation lists as facts, and where they are published. Pure; never reaches ``keys``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import NamedTuple
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


_LIST_NAME = re.compile(
    r"(?P<issuer>[a-z0-9-]{1,64}?)(?:-p(?P<partition>[1-9][0-9]{0,8})(?P<delta>-delta)?)?"
)


@dataclass(frozen=True, slots=True)
class ListScope:
    """Which certificates a revocation list speaks of (RFC 5280 5): all of a CA, or one partition of them.

    A certificate is put into a partition when it is issued, and carries that partition's address. Partition 0
    is the whole: every certificate of the CA, for those who want one list, and for certificates of CAs.

    A CA that changed its key goes on under its name, and a list without partition speaks for the name
    (RFC 5280 5): ``generations`` are the other names here of the CAs with the same subject.
    """

    issuer: str
    partition: int = 0
    generations: tuple[str, ...] = field(default=(), compare=False)

    @property
    def name(self) -> str:
        """Its place in ``/pki/{name}.crl``; the delta is at ``/pki/{name}-delta.crl``."""
        return f"{self.issuer}-p{self.partition}" if self.partition else self.issuer


def read_list_name(text: str) -> tuple[ListScope, bool] | None:
    """The scope that ``text`` names, and whether it asks for the delta; None when no list is called so."""
    match = _LIST_NAME.fullmatch(text)
    if match is None:
        return None
    return ListScope(match["issuer"], int(match["partition"] or 0)), match["delta"] is not None


class ProfileName(StrEnum):
    ROOT = "root"
    ISSUING = "issuing"
    SEAL = "seal"
    TIMESTAMPING = "tsu"
    OCSP = "ocsp"
    RECEIPT = "receipt"
    CROSS = "cross"  # one key of a CA certified by another key of the same CA (RFC 4210 4.4)
    SUPERIOR = "superior"  # a CA of others between a root of others and ours


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


ELSEWHERE = "elsewhere-"
"""Before the key identifier of a CA whose private key is not in this service's custody."""

COMPROMISES = frozenset({RevocationReason.KEY_COMPROMISE, RevocationReason.CA_COMPROMISE})
"""Reasons that say that somebody else may have signed; only they have a time since when."""


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """A certificate that was issued here. ``name`` is its place in ``/pki/{name}.crt``; ``issuer`` is the
    ``name`` of its issuer, its own for the root. Times are aware UTC.

    ``owner`` is the agency whose seal it is, or the CA that an OCSP responder answers for (one responder per
    key of a CA, RFC 6960 4.2.2.2); empty for the rest of the service.
    Roots and superior CAs whose private keys others keep, or nobody online, stand here too, as they were
    installed; their ``key_id`` names no key of this service (:attr:`key_is_elsewhere`).

    ``invalidity_date`` is when the key is known or feared to have been lost (RFC 5280 5.3.2).
    ``profile_version`` is :attr:`ca.profiles.Profile.version` as it was then; ``partition`` says on which
    list it will stand (:class:`ListScope`).
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
    profile_version: int
    partition: int = 0
    status: CertificateStatus = CertificateStatus.GOOD
    revoked_at: datetime | None = None
    reason: RevocationReason | None = None
    invalidity_date: datetime | None = None

    @property
    def key_is_elsewhere(self) -> bool:
        """Whether the private key is not in this service's custody: lists are imported, not signed."""
        return self.key_id.startswith(ELSEWHERE)

    @property
    def revocation_date(self) -> datetime | None:
        """The revocationDate that is published: the earlier of revocation and loss.

        Relying parties exist that ignore invalidityDate; this way they, too, distrust from the loss on.
        """
        return _published_date(self.revoked_at, self.invalidity_date)


def _published_date(revoked_at: datetime | None, lost_at: datetime | None) -> datetime | None:
    return revoked_at if revoked_at is None or lost_at is None else min(revoked_at, lost_at)


class CertificateStanding(NamedTuple):
    """Of a certificate only what OCSP and lists say about it: they are asked about many, so it is a tuple."""

    serial: int
    status: CertificateStatus
    revoked_at: datetime | None = None
    reason: RevocationReason | None = None
    invalidity_date: datetime | None = None

    @property
    def revocation_date(self) -> datetime | None:
        """As :attr:`CertificateRecord.revocation_date`."""
        return _published_date(self.revoked_at, self.invalidity_date)


def is_graver(
    was: CertificateRecord | CertificateStanding, reason: RevocationReason | None, lost_at: datetime | None
) -> bool:
    """Whether a revoked certificate turns out to have been lost, or lost earlier than was known: the only way
    in which a revocation changes."""
    if was.status is not CertificateStatus.REVOKED or reason not in COMPROMISES or lost_at is None:
        return False
    known_since = was.invalidity_date if was.reason in COMPROMISES else was.revocation_date
    return known_since is None or lost_at < known_since


@dataclass(frozen=True, slots=True)
class CrlRecord:
    """One issue of a revocation list. ``number`` rises with every issue of the same scope.

    ``delta`` says what changed since the list number ``base``, and together with that list equals ``der``
    (RFC 5280 5.2.4); both were signed at the same moment and carry the same number. The whole list of a CA
    (partition 0) has none.
    """

    issuer: str
    number: int
    der: bytes
    this_update: datetime
    next_update: datetime
    partition: int = 0
    delta: bytes | None = None
    base: int | None = None


@dataclass(frozen=True, slots=True)
class TimeStampingRules:
    """What this time-stamping authority promises and accepts (RFC 3161 2.1, 2.4; EN 319 422 5.2).

    ``policies`` are object identifiers; the first is used when a request names none. Empty: the deployment's
    own. ``digests`` are the imprints that are accepted, as :mod:`hashlib` calls them. ``accuracy`` is whole
    milliseconds and what the clock is held to. With ``ordering`` tokens say that they can be ordered by
    their times alone. ``key_life`` is how long a unit's private key is used (EN 319 421 7.6.7).
    """

    policies: tuple[str, ...] = ()
    digests: tuple[str, ...] = ("sha256", "sha384", "sha512")
    accuracy: timedelta = timedelta(seconds=1)
    ordering: bool = False
    key_life: timedelta = timedelta(days=365)

    def __post_init__(self) -> None:
        if any(not re.fullmatch(r"[0-2](\.(0|[1-9][0-9]{0,30})){1,30}", policy) for policy in self.policies):
            raise ProfileInvalid("policies of time-stamps are object identifiers such as 0.4.0.2023.1.1")
        if len(set(self.policies)) != len(self.policies):
            raise ProfileInvalid("a policy of time-stamps is named twice")
        if not self.digests or not set(self.digests) <= IMPRINTS.keys():
            raise ProfileInvalid(f"imprints of time-stamps are one or more of {', '.join(IMPRINTS)}")
        whole = self.accuracy % timedelta(milliseconds=1) == timedelta()
        if not whole or not timedelta(milliseconds=1) <= self.accuracy <= timedelta(seconds=60):
            raise ProfileInvalid("the accuracy of time-stamps is 1 to 60,000 whole milliseconds")


IMPRINTS = {
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
    "sha3_256": "2.16.840.1.101.3.4.2.8",
    "sha3_384": "2.16.840.1.101.3.4.2.9",
    "sha3_512": "2.16.840.1.101.3.4.2.10",
}
"""Digests that TS 119 312 recommends, by the name in :mod:`hashlib`."""


@dataclass(frozen=True, slots=True)
class CertificationConfig:
    """What a deployment decides about its certificates.

    ``base_url`` is the plain-HTTP origin that relying parties reach (RFC 5280 8: fetching a certificate or
    CRL over TLS would need the answer in order to ask the question). ``organization_identifier`` follows
    EN 319 412-1 5.1.4, for instance ``NTRID-1234567890``.

    ``ocsp_cached_validity`` is how long an answer to GET lives, and so how long caches between us and the
    world may go on saying "good" after a revocation; answers to POST live ``ocsp_validity``.
    ``crl_partition_size`` certificates share a list: at 76 bytes an entry, 10,000 stay well under 1 MB.
    """

    base_url: str
    organisation: str = "Absah Development"
    organization_identifier: str = "NTRID-0000000000001"
    country: str = "ID"
    arc: str = EXAMPLE_ARC
    ocsp_validity: timedelta = timedelta(hours=12)
    ocsp_cached_validity: timedelta = timedelta(hours=1)
    issuing_crl_validity: timedelta = timedelta(days=3)
    root_crl_validity: timedelta = timedelta(days=180)
    time: TimeStampingRules = TimeStampingRules()
    crl_partition_size: int = 10_000

    def __post_init__(self) -> None:
        address = urlsplit(self.base_url)
        if address.scheme != "http" or not address.netloc or address.path.rstrip("/") or address.query:
            raise ProfileInvalid(
                f"{self.base_url!r} cannot be printed into certificates: "
                "give a plain origin such as http://pki.example.go.id"
            )
        lives = (
            self.ocsp_validity,
            self.ocsp_cached_validity,
            self.issuing_crl_validity,
            self.root_crl_validity,
        )
        if min(lives) < timedelta(minutes=1):
            raise ProfileInvalid("answers and lists that live less than a minute are stale when they arrive")
        if not 1 <= self.crl_partition_size <= 12_500:
            raise ProfileInvalid("1 to 12,500 certificates share a list, so that it stays under 1 MB")

    @property
    def timestamp_policies(self) -> tuple[str, ...]:
        """The TSA policies that may be asked for, the default first (RFC 3161 2.1)."""
        return self.time.policies or (f"{self.arc}.1.2",)

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

    def crl_address(self, scope: ListScope) -> str:
        return f"{self.base_url.rstrip('/')}/pki/{scope.name}.crl"

    def delta_address(self, scope: ListScope) -> str:
        return f"{self.base_url.rstrip('/')}/pki/{scope.name}-delta.crl"

    def ocsp_address(self, issuer: str) -> str:
        return f"{self.base_url.rstrip('/')}/ocsp/{issuer}"
