"""What revocation evidence says beyond "revoked or not": since when the key was no longer to be trusted.

RFC 5280 5.3.2: a CRL entry may carry an invalidityDate, earlier than its revocationDate, from which the key
is known or suspected to have been compromised. A signature made in between was made by a thief, so it
counts. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509


def invalid_since(
    certificates: Iterable[tuple[bytes, int]], *, crls: Iterable[bytes], ocsp_responses: Iterable[bytes]
) -> datetime | None:
    """The earliest invalidityDate that the evidence states for one of ``certificates``, or None.

    A certificate is named by its issuer (DER Name) and serial number, as revocation evidence names it.
    Only the lists and responses that name the certificate's issuer and serial number count. Whether they are
    authentic is not asked: an entry can only make a verdict stricter.
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
                if entry is None:
                    continue
                yield entry.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc
        except (ValueError, x509.ExtensionNotFound):
            continue


def _from_ocsp(wanted: set[tuple[bytes, int]], responses: Iterable[bytes]) -> Iterable[datetime]:
    serial_numbers = {serial_number for _, serial_number in wanted}
    for encoded in responses:
        try:
            basic = asn1_ocsp.OCSPResponse.load(encoded, strict=True).basic_ocsp_response
            for single in basic["tbs_response_data"]["responses"]:
                if single["cert_id"]["serial_number"].native not in serial_numbers:
                    continue
                for extension in single["single_extensions"].native or ():
                    if extension["extn_id"] in {"invalidity_date", "2.5.29.24"}:
                        value = extension["extn_value"]
                        if isinstance(value, datetime):
                            yield value.astimezone(UTC)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
