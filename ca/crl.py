"""Full certificate revocation lists (RFC 5280 section 5). Pure but for the signature."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.issuing import Issuer, signature_hash
from ca.model import CertificateRecord, RevocationReason

_REASONS = {
    RevocationReason.KEY_COMPROMISE: x509.ReasonFlags.key_compromise,
    RevocationReason.CA_COMPROMISE: x509.ReasonFlags.ca_compromise,
    RevocationReason.AFFILIATION_CHANGED: x509.ReasonFlags.affiliation_changed,
    RevocationReason.SUPERSEDED: x509.ReasonFlags.superseded,
    RevocationReason.CESSATION_OF_OPERATION: x509.ReasonFlags.cessation_of_operation,
    RevocationReason.CERTIFICATE_HOLD: x509.ReasonFlags.certificate_hold,
    RevocationReason.PRIVILEGE_WITHDRAWN: x509.ReasonFlags.privilege_withdrawn,
    RevocationReason.AA_COMPROMISE: x509.ReasonFlags.aa_compromise,
}


def build_crl(
    *,
    issuer: Issuer,
    entries: Iterable[CertificateRecord],
    number: int,
    this_update: datetime,
    next_update: datetime,
) -> bytes:
    """DER CertificateList over ``entries``, which are all revoked or on hold.

    Expired certificates stay listed: whoever checks an old document asks about the past. An unspecified
    reason is left out (5.3.1).
    """
    issuer_key = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(this_update.replace(microsecond=0))
        .next_update(next_update.replace(microsecond=0))
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key), critical=False
        )
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for record in entries:
        builder = builder.add_revoked_certificate(_entry(record))
    return builder.sign(issuer.key.as_private_key(), signature_hash(issuer.key)).public_bytes(Encoding.DER)


def _entry(record: CertificateRecord) -> x509.RevokedCertificate:
    assert record.revocation_date is not None
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(record.serial)
        .revocation_date(record.revocation_date.replace(microsecond=0))
    )
    if record.reason in _REASONS:
        entry = entry.add_extension(x509.CRLReason(_REASONS[record.reason]), critical=False)
    if record.invalidity_date is not None:
        at = record.invalidity_date.replace(microsecond=0, tzinfo=None)  # the library wants naive UTC
        entry = entry.add_extension(x509.InvalidityDate(at), critical=False)
    return entry.build()
