"""Since when a certificate's key is not to be trusted, by all evidence at hand. Pure.

Validators are content with the first good answer, so an old good OCSP response in a file hides a newer list
that says revoked. And a CRL entry may carry an invalidityDate (RFC 5280 5.3.2), earlier than its
revocationDate, from which the key is known or suspected to have been compromised: a signature made in
between was made by a thief.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509

from ca.status import COMPROMISES

_COMPROMISES = {reason.name if reason else None for reason in COMPROMISES}


@dataclass(frozen=True, slots=True)
class Loss:
    """One sentence against a certificate: since when, whether it is only on hold, and whether somebody else
    may have its key (which counts also where no reason is given, RFC 3161 4).
    """

    since: datetime
    is_hold: bool
    is_compromise: bool


def name_of(certificate: x509.Certificate) -> tuple[bytes, int]:
    """A certificate as revocation evidence names it: its issuer (DER Name) and serial number."""
    return certificate.issuer.public_bytes(), certificate.serial_number


def revoked_since(
    certificates: Iterable[tuple[bytes, int]], *, crls: Iterable[bytes], ocsp_responses: Iterable[bytes]
) -> datetime | None:
    """The earliest moment from which one of ``certificates`` (see :func:`name_of`) was revoked, on hold or
    invalid; None when nothing says so.
    """
    found = losses(certificates, crls=crls, ocsp_responses=ocsp_responses)
    return min((loss.since for loss in found), default=None)


def losses(
    certificates: Iterable[tuple[bytes, int]], *, crls: Iterable[bytes], ocsp_responses: Iterable[bytes]
) -> tuple[Loss, ...]:
    """Everything that is said against ``certificates``.

    Whether the evidence is authentic is not asked: it can only make a verdict stricter, and who can add to a
    file can spoil it anyway. For the same reason nothing here lifts a hold.
    """
    wanted = set(certificates)
    return (*_from_crls(wanted, crls), *_from_ocsp(wanted, ocsp_responses))


def _from_crls(wanted: set[tuple[bytes, int]], crls: Iterable[bytes]) -> Iterator[Loss]:
    for encoded in crls:
        try:
            crl = x509.load_der_x509_crl(encoded)
            its_issuer = crl.issuer.public_bytes()
            for issuer, serial_number in wanted:
                if its_issuer != issuer:
                    continue
                entry = crl.get_revoked_certificate_by_serial_number(serial_number)
                if entry is not None:
                    yield _of_entry(entry)
        except ValueError:
            continue


def _of_entry(entry: x509.RevokedCertificate) -> Loss:
    since, reason = entry.revocation_date_utc, None
    for extension in entry.extensions:
        if isinstance(extension.value, x509.InvalidityDate):
            since = min(since, extension.value.invalidity_date_utc)
        elif isinstance(extension.value, x509.CRLReason):
            reason = extension.value.reason
    return Loss(since, reason is x509.ReasonFlags.certificate_hold, reason in COMPROMISES)


def _from_ocsp(wanted: set[tuple[bytes, int]], responses: Iterable[bytes]) -> Iterator[Loss]:
    serial_numbers = {serial_number for _, serial_number in wanted}
    for encoded in responses:
        try:
            basic = asn1_ocsp.OCSPResponse.load(encoded, strict=True).basic_ocsp_response
            for single in basic["tbs_response_data"]["responses"]:
                if single["cert_id"]["serial_number"].native in serial_numbers:
                    yield from _of_answer(single)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue


def _of_answer(single: Any) -> Iterator[Loss]:
    moments, reason = [], None
    if single["cert_status"].name == "revoked":
        told = single["cert_status"].chosen
        moments.append(told["revocation_time"].native.astimezone(UTC))
        reason = told["revocation_reason"].native
    for extension in single["single_extensions"].native or ():
        value = extension["extn_value"]
        if extension["extn_id"] in {"invalidity_date", "2.5.29.24"} and isinstance(value, datetime):
            moments.append(value.astimezone(UTC))
    if moments:
        yield Loss(min(moments), reason == "certificate_hold", reason in _COMPROMISES)
