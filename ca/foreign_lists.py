"""Revocation lists of CAs whose keys are elsewhere: read, held against the CA, and watched for their end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ca.errors import InstallationRefused
from ca.model import (
    CertificateRecord,
    CertificateStanding,
    CertificateStatus,
    CrlRecord,
    ListScope,
    ProfileName,
    RevocationReason,
)
from ca.ports import Begin
from ca.status import ACCEPTED_HASHES, UNREADABLE, may_sign_crls
from ca.tables import Certificates, Crls

_REASONS = {
    x509.ReasonFlags.key_compromise: RevocationReason.KEY_COMPROMISE,
    x509.ReasonFlags.ca_compromise: RevocationReason.CA_COMPROMISE,
    x509.ReasonFlags.affiliation_changed: RevocationReason.AFFILIATION_CHANGED,
    x509.ReasonFlags.superseded: RevocationReason.SUPERSEDED,
    x509.ReasonFlags.cessation_of_operation: RevocationReason.CESSATION_OF_OPERATION,
    x509.ReasonFlags.certificate_hold: RevocationReason.CERTIFICATE_HOLD,
    x509.ReasonFlags.privilege_withdrawn: RevocationReason.PRIVILEGE_WITHDRAWN,
    x509.ReasonFlags.aa_compromise: RevocationReason.AA_COMPROMISE,
}


def read_list(
    encoded: bytes, above: Iterable[CertificateRecord], now: datetime
) -> tuple[CertificateRecord, datetime, datetime]:
    """Whose list this is, and from when to when it is current. It must be whole, and current now.

    Raises :class:`ca.errors.InstallationRefused`.
    """
    try:
        crl = x509.load_der_x509_crl(encoded)
        has_critical = any(extension.critical for extension in crl.extensions)
        begins, ends = crl.last_update_utc, crl.next_update_utc
    except UNREADABLE as unreadable:
        raise InstallationRefused("a list cannot be read as one (RFC 5280 5)") from unreadable
    issuer = next((record for record in above if _signed(crl, record)), None)
    if issuer is None:
        raise InstallationRefused("a list is not signed by a CA above that is known here")
    if has_critical or ends is None:
        raise InstallationRefused(
            f"the list of {issuer.name} is a delta, speaks of a part only, or never ends: bring the whole one"
        )
    if not begins <= now < ends:
        raise InstallationRefused(
            f"the list of {issuer.name} holds from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC, "
            "which is not now"
        )
    return issuer, begins.astimezone(UTC), ends.astimezone(UTC)


def said_of(encoded: bytes, record: CertificateRecord) -> CertificateStanding:
    """What a list that was read says of one certificate: good, held, or revoked and since when."""
    entry = x509.load_der_x509_crl(encoded).get_revoked_certificate_by_serial_number(record.serial)
    if entry is None:
        return CertificateStanding(record.serial, CertificateStatus.GOOD)
    reason, lost_at = RevocationReason.UNSPECIFIED, None
    for extension in entry.extensions:
        if isinstance(extension.value, x509.CRLReason):
            reason = _REASONS.get(extension.value.reason, reason)
        elif isinstance(extension.value, x509.InvalidityDate):
            lost_at = extension.value.invalidity_date_utc
    held = reason is RevocationReason.CERTIFICATE_HOLD
    status = CertificateStatus.ON_HOLD if held else CertificateStatus.REVOKED
    return CertificateStanding(record.serial, status, entry.revocation_date_utc, reason, lost_at)


def _signed(crl: x509.CertificateRevocationList, record: CertificateRecord) -> bool:
    issuer = x509.load_der_x509_certificate(record.der)
    try:
        key = issuer.public_key()
        return (
            crl.issuer == issuer.subject
            and isinstance(crl.signature_hash_algorithm, ACCEPTED_HASHES)
            and may_sign_crls(issuer)
            and isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
            and crl.is_signature_valid(key)
        )
    except UNREADABLE:
        return False


def lists_elsewhere(read: Begin) -> list[tuple[CertificateRecord, CrlRecord | None]]:
    """Every CA whose key is elsewhere, with its newest list that was brought here."""
    with read() as tx:
        register = Certificates(tx)
        return [
            (record, Crls(tx).latest(ListScope(record.name)))
            for profile in (ProfileName.ROOT, ProfileName.SUPERIOR)
            for record in register.of_profile(profile)
            if record.key_is_elsewhere
        ]


def is_due(newest: CrlRecord | None, now: datetime) -> bool:
    """Whether half the life of a list is over: time for those who sign it to sign it anew."""
    return newest is None or now >= newest.this_update + (newest.next_update - newest.this_update) / 2
