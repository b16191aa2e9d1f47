"""Is this certification path good at time T? Pure: no I/O, no clock, no keys (RFC 5280 section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography import x509


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
    STATUS_UNKNOWN = "status-unknown"
    CONSTRAINT = "constraint"  # a path exists but breaks pathLen, keyUsage, EKU, algorithm …


@dataclass(frozen=True, slots=True)
class StatusEvidence:
    """DER OCSPResponse and CertificateList values at hand."""

    ocsp_responses: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class PathVerdict:
    """``chain`` runs from the leaf to the anchor, as far as it was found; ``reason`` is for the report."""

    status: PathStatus
    chain: tuple[x509.Certificate, ...]
    reason: str
    revoked_at: datetime | None = None


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
    """
    raise NotImplementedError
