"""What OCSP answers and CRLs say about one certificate at one time. Pure; never reaches ``keys``.

The rule, for a certificate and a time ``at``:

1. Only evidence counts whose signature stands and whose signer may speak: the issuer, or a responder that the
   same issuer certified for OCSPSigning, that was valid at producedAt (RFC 6960 4.2.2.2), and whose key no
   list says was lost.
2. A revocation counts from its invalidityDate, where it has one, else from its revocationDate, and it counts
   however old the evidence is: revocations are final. A hold counts while the newest evidence says so.
3. "Good" covers ``at`` if it was said at or after ``at`` but not after the certificate's end (later, issuers
   may forget), or if it was said before ``at`` and was still current then (thisUpdate <= at <= nextUpdate;
   without nextUpdate, one day). So an answer that was fetched seconds before a trusted time and sealed in
   with it covers that time for ever.
4. "Unknown" says nothing, least of all "good".
5. Whoever stole a key can write any time. So a revocation for a compromise, or without a reason, is told also
   where it counts from later than ``at``: it says nothing about a signature whose time something else proves,
   and everything about a time-stamp of that key (RFC 3161, 4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from ca.ocsp import key_bits

UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises for hostile or exotic structures."""

ACCEPTED_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
"""Under a signature (TS 119 312)."""

COMPROMISES: Final = frozenset(
    {
        None,
        x509.ReasonFlags.key_compromise,
        x509.ReasonFlags.ca_compromise,
        x509.ReasonFlags.aa_compromise,
    }
)
"""Reasons after which somebody else may have the key; the missing one counts as one (RFC 3161, 4)."""

_WITHOUT_NEXT_UPDATE = timedelta(days=1)
_MOST_ITEMS = 64
_SMALL = 65536


@dataclass(frozen=True, slots=True)
class Statement:
    """One trustworthy sentence about one certificate. ``lost_at`` None means good.

    ``is_compromise``: revoked because somebody else may have the key, or without saying why.
    """

    said_at: datetime
    current_until: datetime
    lost_at: datetime | None = None
    is_hold: bool = False
    is_compromise: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """``is_known`` False: no evidence covers the time. ``lost_at`` set: revoked at the time, or on hold.

    ``compromised_at``: since when somebody else may have the key, also where that is later than the time.
    """

    is_known: bool
    lost_at: datetime | None = None
    is_hold: bool = False
    compromised_at: datetime | None = None


def standing(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    *,
    ocsp_responses: tuple[bytes, ...],
    crls: tuple[bytes, ...],
    at: datetime,
) -> Standing:
    """Apply the rule above. ``at`` is aware. Never raises for what the evidence holds."""
    said = [
        *_from_crls(certificate, issuer, crls),
        *_from_ocsp(certificate, issuer, ocsp_responses, crls),
    ]
    final = [one.lost_at for one in said if one.lost_at is not None and not one.is_hold]
    compromised_at = min(
        (one.lost_at for one in said if one.lost_at is not None and one.is_compromise), default=None
    )
    if final and min(final) <= at:
        return Standing(True, min(final), compromised_at=compromised_at)
    if not said:
        return Standing(False)
    newest = max(said, key=lambda one: one.said_at)
    if newest.is_hold and newest.lost_at is not None and newest.lost_at <= at:
        return Standing(True, newest.lost_at, is_hold=True, compromised_at=compromised_at)
    end = certificate.not_valid_after_utc
    # Lost later than ``at``, and said so: then it was not lost at ``at``.
    covered = any(
        one.lost_at is not None or (at <= one.said_at <= end) or (one.said_at <= at <= one.current_until)
        for one in said
    )
    return Standing(covered, compromised_at=compromised_at)


# --- lists -------------------------------------------------------------------------------------------


def _from_crls(
    certificate: x509.Certificate, issuer: x509.Certificate, crls: tuple[bytes, ...]
) -> Iterator[Statement]:
    for encoded in crls[:_MOST_ITEMS]:
        crl = _small_list(encoded, issuer) if len(encoded) <= _SMALL else _list_of(encoded, issuer)
        if crl is None:
            continue
        try:
            yield _entry(crl, certificate.serial_number)
        except UNREADABLE:
            continue


def _list_of(encoded: bytes, issuer: x509.Certificate) -> x509.CertificateRevocationList | None:
    """The list, if it is a full one that this issuer signed."""
    try:
        crl = x509.load_der_x509_crl(encoded)
        key = issuer.public_key()
        if crl.issuer != issuer.subject or not isinstance(crl.signature_hash_algorithm, ACCEPTED_HASHES):
            return None
        if any(extension.critical or _is_partial(extension) for extension in crl.extensions):
            return None
        if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) or not may_sign_crls(issuer):
            return None
        return crl if crl.is_signature_valid(key) else None
    except UNREADABLE:
        return None


_small_list = lru_cache(maxsize=128)(_list_of)


def _is_partial(extension: x509.Extension[x509.ExtensionType]) -> bool:
    return extension.oid in {
        ExtensionOID.DELTA_CRL_INDICATOR,
        ExtensionOID.ISSUING_DISTRIBUTION_POINT,
    }


def may_sign_crls(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _entry(crl: x509.CertificateRevocationList, serial: int) -> Statement:
    until = crl.next_update_utc or crl.last_update_utc + _WITHOUT_NEXT_UPDATE
    entry = crl.get_revoked_certificate_by_serial_number(serial)
    if entry is None:
        return Statement(crl.last_update_utc, until)
    lost_at, reason = entry.revocation_date_utc, None
    for extension in entry.extensions:
        if isinstance(extension.value, x509.InvalidityDate):
            lost_at = extension.value.invalidity_date_utc
        elif isinstance(extension.value, x509.CRLReason):
            reason = extension.value.reason
            if reason is x509.ReasonFlags.remove_from_crl:
                return Statement(crl.last_update_utc, until)
    hold = reason is x509.ReasonFlags.certificate_hold
    return Statement(crl.last_update_utc, until, lost_at, hold, reason in COMPROMISES)


# --- answers -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Answers:
    """The sentences of one authorised OCSP response by (hash, name hash, key hash, serial).

    ``responder`` is a delegated one, None where the issuer answered. With ``is_exempt`` nobody need show that
    it is good (id-pkix-ocsp-nocheck).
    """

    sentences: tuple[tuple[tuple[str, bytes, bytes, int], Statement], ...]
    produced_at: datetime
    responder: x509.Certificate | None
    is_exempt: bool


def _from_ocsp(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    responses: tuple[bytes, ...],
    crls: tuple[bytes, ...],
) -> Iterator[Statement]:
    for encoded in responses[:_MOST_ITEMS]:
        if len(encoded) > _SMALL or certificate.serial_number not in _serials(encoded):
            continue
        answers = _answers(encoded, issuer)
        if answers is None:
            continue
        for name, statement in answers.sentences:
            if _is_about(name, certificate, issuer) and _stands(answers, issuer, crls):
                yield statement


def _is_about(
    name: tuple[str, bytes, bytes, int], certificate: x509.Certificate, issuer: x509.Certificate
) -> bool:
    try:
        return name == _cert_id(issuer, name[0], certificate.serial_number)
    except UNREADABLE:  # a hash that this machine does not know
        return False


def _stands(answers: _Answers, issuer: x509.Certificate, crls: tuple[bytes, ...]) -> bool:
    """An exemption spares the evidence about a responder and outweighs none: whoever has its key writes any
    producedAt, so nothing counts that was ever said with a key that is known to be lost (RFC 6960
    4.2.2.2.1).
    """
    if answers.responder is None:
        return True
    known = standing(answers.responder, issuer, ocsp_responses=(), crls=crls, at=answers.produced_at)
    if known.lost_at is not None or known.compromised_at is not None:
        return False
    return known.is_known or answers.is_exempt


@lru_cache(maxsize=256)
def _cert_id(issuer: x509.Certificate, hash_name: str, serial: int) -> tuple[str, bytes, bytes, int]:
    def digest(data: bytes) -> bytes:
        return hashlib.new(hash_name, data, usedforsecurity=False).digest()

    return hash_name, digest(issuer.subject.public_bytes()), digest(key_bits(issuer)), serial


@lru_cache(maxsize=512)
def _serials(encoded: bytes) -> frozenset[int]:
    """Which certificates a response speaks of: cheap to know, and most responses speak of others."""
    try:
        return frozenset(one.serial_number for one in ocsp.load_der_ocsp_response(encoded).responses)
    except UNREADABLE:
        return frozenset()


@lru_cache(maxsize=512)
def _answers(encoded: bytes, issuer: x509.Certificate) -> _Answers | None:
    """The response, if the issuer or a responder of its own signed it."""
    try:
        response = ocsp.load_der_ocsp_response(encoded)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return None
        if any(extension.critical for extension in response.extensions):
            return None
        signer = _signer_of(response, issuer)
        if signer is None:
            return None
        singles = list(response.responses)
        lost_at = _invalidity_date(response) if len(singles) == 1 else None
        sentences = tuple(
            (
                (one.hash_algorithm.name, one.issuer_name_hash, one.issuer_key_hash, one.serial_number),
                _sentence(one, lost_at),
            )
            for one in singles
            if one.certificate_status is not ocsp.OCSPCertStatus.UNKNOWN
        )
        responder = None if signer == issuer else signer
        return _Answers(sentences, response.produced_at_utc, responder, _has_no_check(signer))
    except UNREADABLE:
        return None


def _sentence(one: ocsp.OCSPSingleResponse, lost_at: datetime | None) -> Statement:
    until = one.next_update_utc or one.this_update_utc + _WITHOUT_NEXT_UPDATE
    if one.certificate_status is ocsp.OCSPCertStatus.GOOD:
        return Statement(one.this_update_utc, until)
    reason = one.revocation_reason
    hold = reason is x509.ReasonFlags.certificate_hold
    lost_at = lost_at or one.revocation_time_utc
    return Statement(one.this_update_utc, until, lost_at, hold, reason in COMPROMISES)


def _invalidity_date(response: ocsp.OCSPResponse) -> datetime | None:
    for extension in response.single_extensions:
        if isinstance(extension.value, x509.InvalidityDate):
            return extension.value.invalidity_date_utc.astimezone(UTC)
        if extension.critical:
            raise ValueError("a critical extension of the answer is not known")
    return None


def _signer_of(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> x509.Certificate | None:
    for candidate in (issuer, *response.certificates[:4]):
        if _is_named(response, candidate) and _may_answer(candidate, issuer, response.produced_at_utc):
            digest = response.signature_hash_algorithm
            if is_signed_by(candidate, response.signature, response.tbs_response_bytes, digest):
                return candidate
    return None


def _is_named(response: ocsp.OCSPResponse, candidate: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return response.responder_name == candidate.subject
    key_hash = hashlib.sha1(key_bits(candidate), usedforsecurity=False).digest()
    return response.responder_key_hash == key_hash


def _may_answer(candidate: x509.Certificate, issuer: x509.Certificate, produced_at: datetime) -> bool:
    if candidate == issuer:
        return True
    in_time = candidate.not_valid_before_utc <= produced_at <= candidate.not_valid_after_utc
    return in_time and _is_delegate(candidate, issuer)


@lru_cache(maxsize=256)
def _is_delegate(candidate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        usages = candidate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usages and is_issued_by(candidate, issuer)


def _has_no_check(responder: x509.Certificate) -> bool:
    return any(isinstance(extension.value, x509.OCSPNoCheck) for extension in responder.extensions)


# --- signatures --------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the names match and the signature stands under an accepted algorithm."""
    try:
        if not isinstance(certificate.signature_hash_algorithm, ACCEPTED_HASHES):
            return False
        certificate.verify_directly_issued_by(issuer)
    except (*UNREADABLE, InvalidSignature):
        return False
    return True


def is_signed_by(
    signer: x509.Certificate, signature: bytes, data: bytes, digest: hashes.HashAlgorithm | None
) -> bool:
    """Whether ``signature`` over ``data`` stands under the signer's key and an accepted hash."""
    key = signer.public_key()
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
            return True
        if not isinstance(digest, ACCEPTED_HASHES):
            return False
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(digest))
            return True
        if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
            key.verify(signature, data, padding.PKCS1v15(), digest)
            return True
    except InvalidSignature:
        return False
    return False
