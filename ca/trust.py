"""Is this certification path good at time T? Pure: no I/O, no clock, no keys (RFC 5280 section 6).

How evidence is weighed stands in :mod:`ca.status`, whose names a CA may certify in :mod:`ca.names`. Policy
constraints are not processed, so a path that holds one as critical is refused, as RFC 5280 4.2 demands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from ca.model import RECEIPT_SIGNING_USAGE
from ca.names import outside_constraints
from ca.status import UNREADABLE, is_issued_by, standing

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)


class CertifiedUse(StrEnum):
    """What the leaf of a path must be certified for."""

    SEAL = "seal"
    TIMESTAMPING = "timestamping"
    OCSP = "ocsp"
    RECEIPT = "receipt"


class PathStatus(StrEnum):
    GOOD = "good"
    NO_PATH = "no-path"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    ON_HOLD = "on-hold"
    STATUS_UNKNOWN = "status-unknown"
    CONSTRAINT = "constraint"  # a path exists but breaks pathLen, keyUsage, EKU, algorithm …


@dataclass(frozen=True, slots=True)
class StatusEvidence:
    """DER OCSPResponse and CertificateList values at hand."""

    ocsp_responses: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class PathVerdict:
    """``chain`` runs from the leaf to the anchor, as far as it was found; ``reason`` is for the report.

    ``revoked_at``: since when it is revoked or on hold. ``compromised_at``: since when somebody else may have
    one of its keys, told for good paths too: a path that was good at a time proves nothing about that time if
    the key that states the time was lost later.
    """

    status: PathStatus
    chain: tuple[x509.Certificate, ...]
    reason: str
    revoked_at: datetime | None = None
    compromised_at: datetime | None = None


_DEEPEST = 8
"""Certificates in a path, anchor included."""
_MOST_STEPS = 100
"""Issuers tried in one search, however many certificates a stranger sends along."""
_MOST_AT_HAND = 500
"""Certificates that one search looks through. Ours come first, a stranger's after them."""

_PROCESSED = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,  # no policy is required, so every set of them passes
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.NAME_CONSTRAINTS,
    }
)
_ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string
_REQUIRED_USAGE = {
    CertifiedUse.TIMESTAMPING: ExtendedKeyUsageOID.TIME_STAMPING.dotted_string,
    CertifiedUse.OCSP: ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string,
    CertifiedUse.RECEIPT: RECEIPT_SIGNING_USAGE,
}
_DOCUMENT_USAGES = frozenset(
    {
        _ANY,
        "1.3.6.1.5.5.7.3.36",  # documentSigning (RFC 9336)
        ExtendedKeyUsageOID.EMAIL_PROTECTION.dotted_string,
        "1.2.840.113583.1.1.5",  # Adobe authentic documents
        "1.3.6.1.4.1.311.10.3.12",  # Microsoft document signing
    }
)
"""A signer's certificate that names extended usages must name one of these; ours name none (EN 319 412-2)."""

# Of several paths that fail, the one whose cause says most about the certificate is reported.
_TELLING = (
    PathStatus.REVOKED,
    PathStatus.ON_HOLD,
    PathStatus.EXPIRED,
    PathStatus.NOT_YET_VALID,
    PathStatus.STATUS_UNKNOWN,
    PathStatus.CONSTRAINT,
    PathStatus.NO_PATH,
)


def check_path(
    leaf: x509.Certificate,
    *,
    intermediates: tuple[x509.Certificate, ...],
    anchors: tuple[x509.Certificate, ...],
    at: datetime,
    use: CertifiedUse,
    evidence: StatusEvidence | None,
) -> PathVerdict:
    """Find and check a path from ``leaf`` to one of ``anchors`` as it stood at ``at``.

    With ``evidence`` None, revocation is not looked at (the caller reports that). With evidence, every
    certificate but the anchor needs an answer that covers ``at``; a revocation counts from its
    invalidityDate where it has one, else from its revocationDate.

    Never raises for what the certificates hold. Among several paths (cross-certificates) a good one wins.
    """
    worst: PathVerdict | None = None
    for chain in _paths(leaf, intermediates, anchors):
        verdict = _judge(chain, at, use, evidence)
        if verdict.status is PathStatus.GOOD:
            return verdict
        if worst is None or _TELLING.index(verdict.status) < _TELLING.index(worst.status):
            worst = verdict
    return worst or PathVerdict(
        PathStatus.NO_PATH, (leaf,), "no chain of signatures leads from the certificate to a trusted root"
    )


def check_authority(
    authority: x509.Certificate,
    *,
    intermediates: tuple[x509.Certificate, ...],
    anchors: tuple[x509.Certificate, ...],
    at: datetime,
) -> PathVerdict:
    """Whether ``authority`` may, under one of ``anchors``, certify for everything that is certified here.

    As :func:`check_path`, but for a CA: constraints and validity of every certificate of the path, and the
    CA's own fitness to issue. Revocation is not looked at.
    """
    worst: PathVerdict | None = None
    for chain in _paths(authority, intermediates, anchors):
        verdict = _judge_authority(chain, at)
        if verdict.status is PathStatus.GOOD:
            return verdict
        if worst is None or _TELLING.index(verdict.status) < _TELLING.index(worst.status):
            worst = verdict
    return worst or PathVerdict(
        PathStatus.NO_PATH, (authority,), "no chain of signatures leads from the CA to the given root"
    )


def _judge_authority(chain: tuple[x509.Certificate, ...], at: datetime) -> PathVerdict:
    try:
        for use in CertifiedUse:
            if broken := _broken_authority(chain, 0, use) or _weak_link(chain):
                return PathVerdict(PathStatus.CONSTRAINT, chain, broken)
        if outside := outside_constraints(chain):
            reason = f"the path holds {outside} (nameConstraints)"
            return PathVerdict(PathStatus.CONSTRAINT, chain, reason)
        late = _outside_validity(chain, at)
    except UNREADABLE:
        return PathVerdict(PathStatus.CONSTRAINT, chain, "a certificate of the path cannot be read")
    return late or PathVerdict(PathStatus.GOOD, chain, "every certificate of the path may issue and is valid")


def _paths(
    leaf: x509.Certificate,
    intermediates: tuple[x509.Certificate, ...],
    anchors: tuple[x509.Certificate, ...],
) -> Iterator[tuple[x509.Certificate, ...]]:
    """Chains of valid signatures from ``leaf`` to an anchor, anchors tried first at every step."""
    steps = 0
    trusted = frozenset(anchors)
    candidates = (*anchors, *intermediates)[:_MOST_AT_HAND]
    open_chains: list[tuple[x509.Certificate, ...]] = [(leaf,)]
    while open_chains:
        chain = open_chains.pop()
        last = chain[-1]
        if last in trusted:
            yield chain
            continue
        if len(chain) >= _DEEPEST:
            continue
        longer = []
        for issuer in candidates:
            if not _names(last, issuer) or any(_is_same_authority(issuer, link) for link in chain):
                continue
            steps += 1
            if steps > _MOST_STEPS:
                return
            if is_issued_by(last, issuer):
                longer.append((*chain, issuer))
        open_chains.extend(reversed(longer))


@lru_cache(maxsize=1024)
def _names(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        return certificate.issuer == issuer.subject
    except UNREADABLE:
        return False


def _is_same_authority(one: x509.Certificate, other: x509.Certificate) -> bool:
    """The same name and key in another certificate: a path through both would be a loop (RFC 4158 5.2)."""
    try:
        return one.subject == other.subject and one.public_key() == other.public_key()
    except UNREADABLE:
        return True


def _judge(
    chain: tuple[x509.Certificate, ...], at: datetime, use: CertifiedUse, evidence: StatusEvidence | None
) -> PathVerdict:
    """1. Constraints. 2. Validity. 3. Revocation, from the anchor down, so that a revoked CA says nothing."""
    try:
        broken = _broken_constraint(chain, use)
        if broken:
            return PathVerdict(PathStatus.CONSTRAINT, chain, broken)
        failed = _outside_validity(chain, at)
        if failed is None and use is CertifiedUse.TIMESTAMPING:
            failed = _outside_key_life(chain, at)
        failed, lost_at = (failed, None) if failed or not evidence else _looked_up(chain, at, evidence)
    except UNREADABLE:
        return PathVerdict(PathStatus.CONSTRAINT, chain, "a certificate of the path cannot be read")
    if failed:
        return failed
    said = "none was revoked" if evidence else "revocation was not looked at"
    return PathVerdict(PathStatus.GOOD, chain, f"every certificate is valid; {said}", compromised_at=lost_at)


def _outside_validity(chain: tuple[x509.Certificate, ...], at: datetime) -> PathVerdict | None:
    anchor = chain[-1]
    for certificate in chain:
        # An anchor is trusted because it was chosen, not because it began (RFC 5280 6.1.1 (d)): a new root
        # vouches by cross-certificate for what was signed before its birth (RFC 4210 4.4).
        if certificate is not anchor and at < certificate.not_valid_before_utc:
            begins = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC"
            return PathVerdict(PathStatus.NOT_YET_VALID, chain, f"{_named(certificate)} begins on {begins}")
        if at > certificate.not_valid_after_utc:
            ended = f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC"
            return PathVerdict(PathStatus.EXPIRED, chain, f"{_named(certificate)} ended on {ended}")
    return None


def _outside_key_life(chain: tuple[x509.Certificate, ...], at: datetime) -> PathVerdict | None:
    """A unit's key may be used for less long than its certificate lasts, and a token says when it was used
    (RFC 3280 4.2.1.4, EN 319 421 7.6.7)."""
    period = _extension(chain[0], x509.PrivateKeyUsagePeriod)
    if period is None:
        return None
    begins, ends = (moment and moment.replace(tzinfo=UTC) for moment in (period.not_before, period.not_after))
    if (begins is None or begins <= at) and (ends is None or at <= ends):
        return None
    reason = f"the private key of {_named(chain[0])} was not to be used at that time"
    return PathVerdict(PathStatus.EXPIRED, chain, reason)


def _looked_up(
    chain: tuple[x509.Certificate, ...], at: datetime, evidence: StatusEvidence
) -> tuple[PathVerdict | None, datetime | None]:
    """What is wrong with the path at ``at``, and since when one of its keys is compromised, if ever."""
    compromised: list[datetime] = []
    for position in range(len(chain) - 2, -1, -1):
        certificate, issuer = chain[position], chain[position + 1]
        known = standing(
            certificate, issuer, ocsp_responses=evidence.ocsp_responses, crls=evidence.crls, at=at
        )
        if known.compromised_at is not None:
            compromised.append(known.compromised_at)
        lost_at = min(compromised, default=None)
        if known.lost_at is not None:
            status = PathStatus.ON_HOLD if known.is_hold else PathStatus.REVOKED
            said = "on hold" if known.is_hold else "revoked"
            since = f"{known.lost_at:%Y-%m-%d %H:%M:%S} UTC"
            reason = f"{_named(certificate)} is {said} since {since}"
            return PathVerdict(status, chain, reason, known.lost_at, lost_at), None
        if not known.is_known:
            reason = f"no evidence at hand says whether {_named(certificate)} was revoked at that time"
            return PathVerdict(PathStatus.STATUS_UNKNOWN, chain, reason, compromised_at=lost_at), None
    return None, min(compromised, default=None)


# --- constraints -------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _broken_constraint(chain: tuple[x509.Certificate, ...], use: CertifiedUse) -> str | None:
    leaf = chain[0]
    if rule := _weak_link(chain) or _broken_authority(chain, 1, use):
        return rule
    if rule := _unfit_for(leaf, use):
        return f"{_named(leaf)} {rule}"
    outside = outside_constraints(chain)
    return f"the path holds {outside} (nameConstraints)" if outside else None


def _weak_link(chain: tuple[x509.Certificate, ...]) -> str | None:
    for certificate in chain:
        if rule := _unprocessed_or_weak(certificate):
            return f"{_named(certificate)} {rule}"
    return None


def _broken_authority(chain: tuple[x509.Certificate, ...], lowest: int, use: CertifiedUse) -> str | None:
    """The rule that a CA of ``chain`` breaks; ``lowest`` is the position of the lowest CA in it."""
    below = 0  # intermediates under the CA at hand that are not self-issued (RFC 5280 6.1.4 (l))
    for position in range(lowest, len(chain)):
        authority = chain[position]
        if rule := _unfit_to_issue(authority, below, position == len(chain) - 1, use):
            return f"{_named(authority)} {rule}"
        below += authority.subject != authority.issuer
    return None


def _unprocessed_or_weak(certificate: x509.Certificate) -> str | None:
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _PROCESSED:
            return f"holds the critical extension {extension.oid.dotted_string}, which is not processed here"
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        return f"has an RSA key of only {key.key_size} bits"
    return None


def _unfit_to_issue(
    authority: x509.Certificate, below: int, is_anchor: bool, use: CertifiedUse
) -> str | None:
    constraints = _extension(authority, x509.BasicConstraints)
    if constraints is None:
        # An anchor of version 1 is an authority because it is trusted (RFC 5280 6.1.1 (d)), nothing else is.
        return None if is_anchor else "is not an authority: basicConstraints is missing"
    if not constraints.ca:
        return "is not an authority: basicConstraints says so"
    if constraints.path_length is not None and below > constraints.path_length:
        return f"allows {constraints.path_length} authorities below it, there are {below}"
    key_usage = _extension(authority, x509.KeyUsage)
    if key_usage is not None and not key_usage.key_cert_sign:
        return "may not sign certificates (keyUsage)"
    usages = _usages(authority)
    wanted = _DOCUMENT_USAGES if use is CertifiedUse.SEAL else frozenset({_ANY, _REQUIRED_USAGE[use]})
    if usages is not None and not usages & wanted:
        return f"may not certify for the use {use} (extendedKeyUsage)"
    return None


def _unfit_for(leaf: x509.Certificate, use: CertifiedUse) -> str | None:
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        return f"is an authority and not certified for the use {use}"
    key_usage = _extension(leaf, x509.KeyUsage)
    if key_usage is not None:
        commits = use in {CertifiedUse.SEAL, CertifiedUse.TIMESTAMPING} and key_usage.content_commitment
        if not key_usage.digital_signature and not commits:
            return f"is not certified for the use {use} (keyUsage)"
    usages = _usages(leaf)
    if use is CertifiedUse.SEAL:
        fits = usages is None or bool(usages & _DOCUMENT_USAGES)
    elif use is CertifiedUse.TIMESTAMPING:
        extension = _find(leaf, x509.ExtendedKeyUsage)
        fits = usages == frozenset({_REQUIRED_USAGE[use]}) and extension is not None and extension.critical
    else:
        fits = usages is not None and _REQUIRED_USAGE[use] in usages
    return None if fits else f"is not certified for the use {use} (extendedKeyUsage)"


def _find(certificate: x509.Certificate, kind: type[_Kind]) -> x509.Extension[_Kind] | None:
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    found = _find(certificate, kind)
    return None if found is None else found.value


def _usages(certificate: x509.Certificate) -> frozenset[str] | None:
    value = _extension(certificate, x509.ExtendedKeyUsage)
    return None if value is None else frozenset(usage.dotted_string for usage in value)


def _named(certificate: x509.Certificate) -> str:
    return f"certificate {certificate.serial_number:x}"
