"""Since when a certificate's key is not to be trusted, by all evidence at hand. Pure.

Validators are content with the first good answer, so an old good OCSP response in a file hides a newer list
that says revoked. And a CRL entry may carry an invalidityDate (RFC 5280 5.3.2), earlier than its
revocationDate, from which the key is known or suspected to have been compromised: a signature made in
between was made by a thief.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509


def name_of(certificate: x509.Certificate) -> tuple[bytes, int]:
    """A certificate as revocation evidence names it: its issuer (DER Name) and serial number."""
    return certificate.issuer.public_bytes(), certificate.serial_number


def revoked_since(
    certificates: Iterable[tuple[bytes, int]], *, crls: Iterable[bytes], ocsp_responses: Iterable[bytes]
) -> datetime | None:
    """The earliest moment from which one of ``certificates`` (see :func:`name_of`) was revoked or invalid.

    None when nothing says so. Whether the evidence is authentic is not asked: it can only make a verdict
    stricter, and who can add to a file can spoil it anyway.
    """
    wanted = set(certificates)
    moments = [*_from_crls(wanted, crls), *_from_ocsp(wanted, ocsp_responses)]
    return min(moments, default=None)


def _from_crls(wanted: set[tuple[bytes, int]], crls: Iterable[bytes]) -> Iterable[datetime]:
    for encoded in crls:
        try:
            crl = x509.load_der_x509_crl(encoded)
            its_issuer = crl.issuer.public_bytes()
            for issuer, serial_number in wanted:
                if its_issuer != issuer:
                    continue
                entry = crl.get_revoked_certificate_by_serial_number(serial_number)
                if entry is not None:
                    yield entry.revocation_date_utc
                    yield from _invalidity_date(entry)
        except ValueError:
            continue


def _invalidity_date(entry: x509.RevokedCertificate) -> Iterable[datetime]:
    try:
        yield entry.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc
    except x509.ExtensionNotFound:
        return


def _from_ocsp(wanted: set[tuple[bytes, int]], responses: Iterable[bytes]) -> Iterable[datetime]:
    serial_numbers = {serial_number for _, serial_number in wanted}
    for encoded in responses:
        try:
            basic = asn1_ocsp.OCSPResponse.load(encoded, strict=True).basic_ocsp_response
            for single in basic["tbs_response_data"]["responses"]:
                if single["cert_id"]["serial_number"].native not in serial_numbers:
                    continue
                if single["cert_status"].name == "revoked":
                    yield single["cert_status"].chosen["revocation_time"].native.astimezone(UTC)
                for extension in single["single_extensions"].native or ():
                    value = extension["extn_value"]
                    if extension["extn_id"] in {"invalidity_date", "2.5.29.24"} and isinstance(
                        value, datetime
                    ):
                        yield value.astimezone(UTC)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
