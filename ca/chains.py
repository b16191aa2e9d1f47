"""From a certificate that was issued here up to its root, and the names that CMS gives a certificate."""

from __future__ import annotations

from cryptography import x509
from sqlalchemy import Connection

from ca import der
from ca.doubts import Doubt, doubt_about
from ca.errors import HierarchyIncomplete
from ca.model import CertificateRecord
from ca.tables import Certificates, DistrustedUnits

_DEEPEST = 8


def chain_of(tx: Connection, record: CertificateRecord) -> tuple[bytes, ...]:
    """DER certificates from ``record`` to its root, both included.

    Raises :class:`ca.errors.HierarchyIncomplete` when the register lacks an issuer.
    """
    return tuple(link.der for link in records_above(tx, record))


def records_above(tx: Connection, record: CertificateRecord) -> tuple[CertificateRecord, ...]:
    """``record``, its issuer, and so on; ends with the certificate that is its own issuer."""
    links = [record]
    while links[-1].issuer != links[-1].name:
        above = Certificates(tx).by_name(links[-1].issuer)
        if above is None or len(links) > _DEEPEST:
            raise HierarchyIncomplete(
                f"the issuer {links[-1].issuer} of certificate {links[-1].name} is not in the register"
            )
        links.append(above)
    return tuple(links)


def doubt_about_certificate(tx: Connection, sha256: bytes) -> Doubt | None:
    """What stands against the certificate with this SHA-256. Against one that was not issued here that is the
    word of an operator (:mod:`ca.distrust`), or nothing."""
    record = Certificates(tx).by_digest(sha256)
    if record is not None:
        return doubt_about(records_above(tx, record))
    since = DistrustedUnits(tx).since(sha256)
    return None if since is None else Doubt(since, is_hold=False)


def issuer_and_serial(certificate: x509.Certificate) -> bytes:
    """DER IssuerAndSerialNumber (RFC 5652 10.2.4), the issuer's name byte for byte as it stands there."""
    return der.sequence(certificate.issuer.public_bytes(), der.integer(certificate.serial_number))
