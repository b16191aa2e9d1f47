"""What another authority answers, read strictly and doubted in everything (RFC 3161 2.2, 2.4.2). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ca import der, tst
from ca.algorithms import DIGESTS, EC_SIGNATURES, RSA_SIGNATURES
from ca.cms import (
    HASHES,
    ID_CONTENT_TYPE,
    ID_MESSAGE_DIGEST,
    ID_SIGNING_CERTIFICATE_V2,
    ID_TST_INFO,
    SignedDataRead,
    read_signed_data,
)
from ca.errors import Doubt, MalformedDer, TimeStampNotBelieved, TimeStampRejected
from ca.model import IMPRINTS
from ca.status import UNREADABLE
from ca.trust import CertifiedUse, PathStatus, StatusEvidence, check_path

LARGEST_ANSWER = 65_536
"""Bytes. A token of a unit under three authorities with RSA keys of 4096 bits has about 8,000."""
_MOST_CERTIFICATES = 16
_GRANTED = (0, 1)
_FAILURES = {failure.value: failure.name.lower().replace("_", " ") for failure in tst.FailInfo}

_DOUBTS = {
    PathStatus.NO_PATH: Doubt.PATH,
    PathStatus.CONSTRAINT: Doubt.UNIT,
    PathStatus.EXPIRED: Doubt.EXPIRED,
    PathStatus.NOT_YET_VALID: Doubt.EXPIRED,
    PathStatus.REVOKED: Doubt.REVOKED,
    PathStatus.ON_HOLD: Doubt.REVOKED,
    PathStatus.STATUS_UNKNOWN: Doubt.STATUS,
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What was asked, and of whom an answer is believed.

    ``digest`` is SHA-256. ``policies`` empty: any. ``asked`` and ``answered`` are what our clock showed; the
    token's time must lie between them, give or take ``tolerance`` and its own accuracy, which may not be
    coarser than ``coarsest``.
    """

    digest: bytes
    nonce: int
    policies: frozenset[str]
    anchors: tuple[x509.Certificate, ...]
    asked: datetime
    answered: datetime
    tolerance: timedelta
    coarsest: timedelta


@dataclass(frozen=True, slots=True)
class CheckedToken:
    """A token that passed every check. ``token`` is DER in its one encoding; ``chain`` is DER, from the unit
    to the anchor; ``at`` is its genTime."""

    token: bytes
    chain: tuple[bytes, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class _Info:
    """TSTInfo (RFC 3161 2.4.2), as far as it is checked."""

    policy: str
    imprint: tuple[str, bytes]
    at: datetime
    accuracy: timedelta | None
    nonce: int | None


def check_answer(
    answer: bytes,
    expected: Expected,
    evidence: Callable[[tuple[bytes, ...]], StatusEvidence | None] = lambda chain: None,
) -> CheckedToken:
    """Believe ``answer``, a DER TimeStampResp, or say why not. ``evidence`` is asked for what is at hand
    about a chain (unit first); None: nobody looked, and revocation is not judged here.

    1. It is granted, and holds one token with one signer.
    2. Imprint and nonce are those of the question; policy, accuracy and extensions are acceptable.
    3. The signed attributes name content, digest and certificate, and the signature stands.
    4. A path leads from the unit, certified for nothing but time-stamping and its private key within its
       usage period, to an anchor, at that time.
    5. The time is plausible.

    Raises :class:`ca.errors.TimeStampRejected` or :class:`ca.errors.TimeStampNotBelieved`.
    """
    try:
        signed = read_signed_data(_granted_token(answer))
        info = _read_info(signed)
        _check_content(info, expected)
        unit = _check_signature(signed)
        path = _path(unit, signed, info.at, expected)
        chain = tuple(der_of(certificate) for certificate in path)
        at_hand = evidence(chain)
        if at_hand is not None:
            _require_path(unit, path, expected.anchors, info.at, at_hand)
        _check_time(info, expected)
        return CheckedToken(_in_one_encoding(signed, unit, chain), chain, info.at)
    except (MalformedDer, IndexError, StopIteration) as cause:
        raise TimeStampNotBelieved(Doubt.FORM, f"the answer is not a time-stamp: {cause}") from cause
    except UNREADABLE as cause:
        raise TimeStampNotBelieved(Doubt.FORM, f"the answer cannot be read: {cause}") from cause


def der_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _doubt(doubt: Doubt, text: str) -> TimeStampNotBelieved:
    return TimeStampNotBelieved(doubt, text)


def _granted_token(answer: bytes) -> bytes:
    if len(answer) > LARGEST_ANSWER:
        raise MalformedDer(f"it has more than {LARGEST_ANSWER} bytes")
    fields = list(der.read_whole(answer, der.SEQUENCE).children())
    said = list(der.expect(fields[0], der.SEQUENCE).children())
    status = der.read_integer(said[0])
    if status not in _GRANTED:
        raise TimeStampRejected(f"no time-stamp was issued: status {status}{_why(said[1:])}")
    if len(fields) != 2:
        raise MalformedDer("it is granted and holds no token")
    return fields[1].encoded


def _why(said: list[der.Element]) -> str:
    """The failInfo bits in words. Not the text: whoever wrote it may write anything into our logs."""
    for field in said:
        if field.tag == der.BIT_STRING and len(field.content) > 1:
            octets = field.content[1:8]
            bits = [at for at in range(8 * len(octets)) if octets[at // 8] & 0x80 >> at % 8]
            return f", {' and '.join(_FAILURES.get(bit, f'bit {bit}') for bit in bits)}"
    return ""


def _read_info(signed: SignedDataRead) -> _Info:
    if signed.content_type != ID_TST_INFO or signed.content is None:
        raise MalformedDer("the token holds no TSTInfo")
    version, policy, imprint, serial, moment, *rest = der.read_whole(signed.content, der.SEQUENCE).children()
    if der.read_integer(version) != 1:
        raise MalformedDer("the version of TSTInfo is not 1")
    der.read_integer(serial)
    algorithm, hashed = der.expect(imprint, der.SEQUENCE).children()
    name, *parameters = der.expect(algorithm, der.SEQUENCE).children()
    if any(parameter.encoded != der.null() for parameter in parameters):
        raise MalformedDer("the imprint's algorithm has parameters")
    optional: dict[int, der.Element] = {}
    last = -1
    for field in rest:
        rank = (der.SEQUENCE, der.BOOLEAN, der.INTEGER, 0xA0, 0xA1).index(field.tag)
        if rank <= last:
            raise MalformedDer("a field of TSTInfo is repeated or out of order")
        last = rank
        optional[field.tag] = field
    if 0xA1 in optional:
        _refuse_critical(optional[0xA1])
    return _Info(
        policy=der.read_oid(policy),
        imprint=(der.read_oid(name), der.expect(hashed, der.OCTET_STRING).content),
        at=der.read_generalized_time(moment),
        accuracy=_read_accuracy(optional[der.SEQUENCE]) if der.SEQUENCE in optional else None,
        nonce=der.read_integer(optional[der.INTEGER]) if der.INTEGER in optional else None,
    )


def _read_accuracy(element: der.Element) -> timedelta:
    found = timedelta()
    last = -1
    for part in element.children():
        rank = (der.INTEGER, 0x80, 0x81).index(part.tag)
        value = der.read_integer(part, part.tag)
        if rank <= last or not 0 <= value < (86_400, 1000, 1000)[rank]:
            raise MalformedDer("the accuracy is out of its range or order")
        last = rank
        found += value * (timedelta(seconds=1), timedelta(milliseconds=1), timedelta(microseconds=1))[rank]
    return found


def _refuse_critical(extensions: der.Element) -> None:
    for extension in extensions.children():
        kind, *rest = der.expect(extension, der.SEQUENCE).children()
        if rest and rest[0].tag == der.BOOLEAN and der.read_boolean(rest[0]):
            raise _doubt(
                Doubt.EXTENSION,
                f"the token holds the critical extension {der.read_oid(kind)}, which is not known here",
            )


def _check_content(info: _Info, expected: Expected) -> None:
    if info.imprint != (IMPRINTS["sha256"], expected.digest):
        raise _doubt(Doubt.IMPRINT, "the token is over something else than what was sent")
    if info.nonce != expected.nonce:
        raise _doubt(Doubt.NONCE, "the token does not repeat our nonce: it answers another question")
    if expected.policies and info.policy not in expected.policies:
        raise _doubt(Doubt.POLICY, f"the token was issued under policy {info.policy}, which is not accepted")
    if info.accuracy is not None and info.accuracy > expected.coarsest:
        raise _doubt(Doubt.ACCURACY, f"the token's accuracy is only {info.accuracy.total_seconds():g} s")


def _check_signature(signed: SignedDataRead) -> x509.Certificate:
    assert signed.content is not None
    digest = HASHES.get(signed.digest_oid)
    if digest is None:
        raise _doubt(
            Doubt.SIGNATURE, f"the token is digested with {signed.digest_oid}, which is not accepted"
        )
    kind = der.read_oid(der.read_whole(signed.signed.get(ID_CONTENT_TYPE, b""), der.OID))
    stated = der.read_whole(signed.signed.get(ID_MESSAGE_DIGEST, b""), der.OCTET_STRING).content
    if kind != ID_TST_INFO or stated != hashlib.new(digest.name, signed.content).digest():
        raise _doubt(Doubt.SIGNATURE, "what was signed is not the TSTInfo in the token")
    if len(signed.certificates) > _MOST_CERTIFICATES:
        raise MalformedDer(f"the token holds more than {_MOST_CERTIFICATES} certificates")
    unit = signed.signer_certificate()
    if not _is_named(unit, signed.signed.get(ID_SIGNING_CERTIFICATE_V2, b"")):
        raise _doubt(
            Doubt.UNIT, "the token does not name its unit's certificate by signing-certificate-v2 (RFC 5816)"
        )
    try:
        signed.verify(unit)
    except InvalidSignature as cause:
        raise _doubt(Doubt.SIGNATURE, "the token's signature does not verify with its unit's key") from cause
    return unit


def _is_named(unit: x509.Certificate, attribute: bytes) -> bool:
    """Whether the first ESSCertIDv2 is that of ``unit``. SHA-256 is its default (RFC 5035 4)."""
    if not attribute:
        return False
    identifiers, *_ = der.read_whole(attribute, der.SEQUENCE).children()
    first, *rest = next(der.expect(identifiers, der.SEQUENCE).children()).children()
    name = "sha256"
    if first.tag == der.SEQUENCE:
        name = HASHES[der.read_oid(next(first.children()))].name
        first = rest[0]
    return der.expect(first, der.OCTET_STRING).content == hashlib.new(name, der_of(unit)).digest()


def _path(
    unit: x509.Certificate, signed: SignedDataRead, at: datetime, expected: Expected
) -> tuple[x509.Certificate, ...]:
    sent = tuple(x509.load_der_x509_certificate(encoded) for encoded in signed.certificates)
    return _require_path(unit, sent, expected.anchors, at, None)


def _require_path(
    unit: x509.Certificate,
    intermediates: tuple[x509.Certificate, ...],
    anchors: tuple[x509.Certificate, ...],
    at: datetime,
    evidence: StatusEvidence | None,
) -> tuple[x509.Certificate, ...]:
    verdict = check_path(
        unit,
        intermediates=intermediates,
        anchors=anchors,
        at=at,
        use=CertifiedUse.TIMESTAMPING,
        evidence=evidence,
    )
    if verdict.status is not PathStatus.GOOD:
        remedy = ""
        if verdict.status is PathStatus.NO_PATH:
            remedy = ": if the authority is to be trusted, put its root into the folder trust/time"
        raise _doubt(_DOUBTS[verdict.status], f"the unit's certificate is not good, {verdict.reason}{remedy}")
    return verdict.chain


def _check_time(info: _Info, expected: Expected) -> None:
    slack = expected.tolerance + (info.accuracy or timedelta())
    if not expected.asked - slack <= info.at <= expected.answered + slack:
        off = (info.at - expected.asked).total_seconds()
        raise _doubt(
            Doubt.TIME, f"the token's time is {off:+.0f} s from ours: one of the two clocks is wrong"
        )


def _in_one_encoding(signed: SignedDataRead, unit: x509.Certificate, chain: tuple[bytes, ...]) -> bytes:
    """The token as we would have written it: of what no signature covers there is one form only, so that a
    verifier can tell every change of a sealed file. Root, lists and unsigned attributes stay behind."""
    assert signed.content is not None
    name = HASHES[signed.digest_oid].name
    families = EC_SIGNATURES if isinstance(unit.public_key(), ec.EllipticCurvePublicKey) else RSA_SIGNATURES
    carried = {chain[0], *chain[1:-1]}
    return tst.token(
        info=signed.content,
        attributes=der.read_tlv(signed.signed_encoded).content,
        issuer_and_serial=signed.issuer_and_serial,
        digest_algorithm=DIGESTS[name],
        signature_algorithm=families[name],
        signature=signed.signature,
        certificates=b"".join(sorted(carried)),
    )
