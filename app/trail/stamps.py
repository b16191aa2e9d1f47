"""A time-stamp over a head of the trail: what it says, and whether the trust store believes it. Needs no
key, no database and no network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from app.errors import AnchorInvalid
from app.trail.chain import ChainHead
from ca.subjects import shown_name
from ca.trust import CertifiedUse, PathStatus, StatusEvidence, check_path
from verify.seals import check_token
from verify.trust import TrustStore


@dataclass(frozen=True, slots=True)
class Stamp:
    """``head`` existed at ``at``, says ``unit``. ``doubt`` is what keeps that from being certain, or
    empty."""

    head: ChainHead
    at: datetime
    unit: str
    doubt: str = ""


def check_stamp(head: ChainHead, token: bytes, *, trust: TrustStore) -> Stamp:
    """Raises :class:`app.errors.AnchorInvalid` for a token that is not over this head, or that no root of
    ours stands behind.

    A unit that was revoked, or lost its key, before the stamped time is no witness. What the lists at hand
    do not reach back or forward to is a doubt and no refusal: they end while the trail stays.
    """
    try:
        unit, at, read = check_token(token, head.stamped)
        sent = tuple(x509.load_der_x509_certificate(encoded) for encoded in read.certificates)
    except Exception as cause:  # DER of strangers raises anything
        raise AnchorInvalid(head.sequence, "its time-stamp is not over this head, or not intact") from cause
    verdict = check_path(
        unit,
        intermediates=sent + trust.certificates,
        anchors=trust.every_time_anchor,
        at=at,
        use=CertifiedUse.TIMESTAMPING,
        evidence=StatusEvidence(crls=trust.crls),
    )
    name = shown_name(unit.subject)
    if verdict.status is PathStatus.STATUS_UNKNOWN:
        return Stamp(head, at, name, "no revocation list at hand speaks of its unit at that time")
    if verdict.status is not PathStatus.GOOD:
        raise AnchorInvalid(head.sequence, f"its time-stamp is not to be trusted: {verdict.reason}")
    if verdict.compromised_at is not None:
        return Stamp(head, at, name, f"the key of its unit was lost on {verdict.compromised_at:%Y-%m-%d}")
    return Stamp(head, at, name)
