"""Revocation lists that were published after the backup: what they say is newer than what was restored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from ca.model import CertificateRecord, ListScope, RevocationReason, read_list_name

_REASONS = {reason.name.lower(): reason for reason in RevocationReason}


@dataclass(frozen=True, slots=True)
class Revoked:
    """What a list says of one serial."""

    serial: int
    at: datetime
    reason: RevocationReason
    invalidity_date: datetime | None


@dataclass
class Survivors:
    """The highest number of each list that was seen, and every revocation that the newest of them name."""

    numbers: dict[str, int] = field(default_factory=dict)
    revoked: dict[int, Revoked] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)


def read_survivors(folders: Iterable[Path], authorities: Iterable[CertificateRecord]) -> Survivors:
    """Read every ``*.crl`` in ``folders``. A list counts if one of ``authorities`` signed it; others are
    named in ``strangers``."""
    keys = {record.name: x509.load_der_x509_certificate(record.der).public_key() for record in authorities}
    found = Survivors()
    newest: dict[str, x509.CertificateRevocationList] = {}
    for path in sorted({path for folder in folders if folder.is_dir() for path in folder.glob("*.crl")}):
        try:
            crl = x509.load_der_x509_crl(path.read_bytes())
            scope = _scope(crl, keys)
            number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        except (ValueError, x509.ExtensionNotFound, OSError):
            scope = None
        if scope is None:
            found.strangers.append(path.name)
            continue
        if number > found.numbers.get(scope.name, 0):
            found.numbers[scope.name] = number
            if not _is_delta(crl):  # what a delta adds stands in the complete list of the same number
                newest[scope.name] = crl
    for crl in newest.values():
        for entry in crl:
            said = _revoked(entry)
            known = found.revoked.get(said.serial)
            if known is None or said.at < known.at:
                found.revoked[said.serial] = said
    return found


def _scope(crl: x509.CertificateRevocationList, keys: Mapping[str, object]) -> ListScope | None:
    for name, key in keys.items():
        if crl.is_signature_valid(key):  # type: ignore[arg-type]  # a CA here has such a key
            return _named(crl) or ListScope(name)
    return None


def _named(crl: x509.CertificateRevocationList) -> ListScope | None:
    """A partition's list says whose it is (RFC 5280 5.2.5)."""
    try:
        point = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return None
    for name in point.full_name or ():
        if isinstance(name, x509.UniformResourceIdentifier):
            asked = read_list_name(urlsplit(name.value).path.rpartition("/")[2].removesuffix(".crl"))
            return asked[0] if asked is not None else None
    return None


def _is_delta(crl: x509.CertificateRevocationList) -> bool:
    try:
        crl.extensions.get_extension_for_class(x509.DeltaCRLIndicator)
    except x509.ExtensionNotFound:
        return False
    return True


def _revoked(entry: x509.RevokedCertificate) -> Revoked:
    try:
        stated = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.name
    except x509.ExtensionNotFound:
        stated = "unspecified"
    reason = _REASONS.get(stated, RevocationReason.UNSPECIFIED)
    try:
        lost_at = entry.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc
    except x509.ExtensionNotFound:
        lost_at = None
    return Revoked(entry.serial_number, entry.revocation_date_utc, reason, lost_at)
