"""What this verifier trusts: anchors, the certificates at hand, and fresh revocation lists.

A value of certificates only, so that it can be handed to the pure checks and to another process. Keys come
from here and never from a file, a link or a receipt that is being verified.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ca.status import is_issued_by
from signing.receipt import key_id_of
from verify.errors import TrustFolderInvalid

_CERTIFICATE_SUFFIXES = {".crt", ".cer", ".pem", ".der"}
_LARGEST_FILE = 64_000_000  # a CRL of a million entries


@dataclass(frozen=True)
class TrustStore:
    """``anchors`` are our own roots, ``foreign_anchors`` those of others that the operator chose to accept.
    Of ``time_anchors`` only time-stamps are believed: whoever tells the time must not be able to seal. No
    time is believed of ``distrusted`` units, nor of any below a CA that stands there.

    ``certificates`` are everything below the anchors that is known: issuing CAs and receipt certificates;
    being listed here gives no trust, only a path to an anchor does. ``crls`` are DER.
    """

    anchors: tuple[x509.Certificate, ...]
    certificates: tuple[x509.Certificate, ...] = ()
    foreign_anchors: tuple[x509.Certificate, ...] = ()
    time_anchors: tuple[x509.Certificate, ...] = ()
    distrusted: tuple[x509.Certificate, ...] = ()
    crls: tuple[bytes, ...] = field(default=(), repr=False)

    @cached_property
    def by_key_id(self) -> dict[bytes, tuple[x509.Certificate, ...]]:
        """Known certificates of P-256 keys by COSE ``kid``; callers check their path and use."""
        table: dict[bytes, tuple[x509.Certificate, ...]] = {}
        for certificate in self.certificates:
            key = certificate.public_key()
            if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
                key_id = key_id_of(key)
                table[key_id] = (*table.get(key_id, ()), certificate)
        return table

    def certified_for_key_id(self, key_id: bytes) -> tuple[x509.Certificate, ...]:
        """Known certificates whose key has this COSE ``kid``; the caller checks their path and use."""
        return self.by_key_id.get(key_id, ())

    @property
    def every_anchor(self) -> tuple[x509.Certificate, ...]:
        return self.anchors + self.foreign_anchors

    @property
    def every_time_anchor(self) -> tuple[x509.Certificate, ...]:
        """Whose time is believed."""
        return self.every_anchor + self.time_anchors


def read_trust_folder(folder: Path) -> TrustStore:
    """Read a trust folder: certificates in ``*.crt|cer|pem|der``, lists in ``*.crl``, ``foreign/``,
    ``time/`` and ``distrusted/``.

    A self-signed certificate in the folder is one of our anchors; everything else must find a path to one.
    A cross-certificate between two keys of a CA has that CA's name twice, and is no anchor.
    Raises :class:`verify.errors.TrustFolderInvalid` naming the file.
    """
    certificates = _certificates_in(folder)
    anchors = tuple(entry for entry in certificates if _is_self_signed(entry))
    if not anchors:
        raise TrustFolderInvalid(f"{folder} holds no root certificate. Copy the operator's root into it.")
    return TrustStore(
        anchors=anchors,
        certificates=tuple(entry for entry in certificates if not _is_self_signed(entry)),
        foreign_anchors=read_foreign_anchors(folder),
        time_anchors=read_time_anchors(folder),
        distrusted=_anchors_in(folder / "distrusted"),
        crls=tuple(_crls_in(folder)),
    )


def read_foreign_anchors(folder: Path) -> tuple[x509.Certificate, ...]:
    """Whose signatures are believed beside ours: what lies in ``foreign/`` of the trust folder ``folder``.

    Raises :class:`verify.errors.TrustFolderInvalid` naming the file.
    """
    return _anchors_in(folder / "foreign")


def read_time_anchors(folder: Path) -> tuple[x509.Certificate, ...]:
    """Whose time-stamps are believed beside ours: what lies in ``time/`` of the trust folder ``folder``.

    Raises :class:`verify.errors.TrustFolderInvalid` naming the file.
    """
    return _anchors_in(folder / "time")


def _anchors_in(folder: Path) -> tuple[x509.Certificate, ...]:
    return _certificates_in(folder) if folder.is_dir() else ()


def _is_self_signed(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer and is_issued_by(certificate, certificate)


def _certificates_in(folder: Path) -> tuple[x509.Certificate, ...]:
    found: list[x509.Certificate] = []
    for path in _files_in(folder):
        if path.suffix.lower() not in _CERTIFICATE_SUFFIXES:
            continue
        content = _content_of(path)
        try:
            if content.lstrip().startswith(b"-----BEGIN"):
                found.extend(x509.load_pem_x509_certificates(content))
            else:
                found.append(x509.load_der_x509_certificate(content))
        except (ValueError, x509.InvalidVersion) as cause:
            raise TrustFolderInvalid(f"{path} is not a certificate in PEM or DER form.") from cause
    return tuple(found)


def _crls_in(folder: Path) -> Iterable[bytes]:
    for path in _files_in(folder):
        if path.suffix.lower() != ".crl":
            continue
        content = _content_of(path)
        try:
            if content.lstrip().startswith(b"-----BEGIN"):
                content = x509.load_pem_x509_crl(content).public_bytes(Encoding.DER)
            else:
                x509.load_der_x509_crl(content)
        except (ValueError, x509.InvalidVersion) as cause:
            raise TrustFolderInvalid(f"{path} is not a certificate revocation list.") from cause
        yield content


def _files_in(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as cause:
        raise TrustFolderInvalid(f"{folder} cannot be read: {cause.strerror}.") from cause


def _content_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise TrustFolderInvalid(f"{path} is too large to be a certificate or a revocation list.")
        return path.read_bytes()
    except OSError as cause:
        raise TrustFolderInvalid(f"{path} cannot be read: {cause.strerror}.") from cause
