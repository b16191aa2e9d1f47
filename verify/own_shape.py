"""Files of our own shape: full validation within milliseconds.

A file is of our shape when its last signature is a certification by the layout of :mod:`signing.pdf`, covers
every byte but its own value, and the source beneath it carried no other signature. Such a file needs no PDF
parser: the signature speaks for all bytes, so what they mean cannot have been changed, and evidence speaks
for itself. Anything else, broken seals included, is left to :mod:`verify.any_shape`, which explains better
and trusts less.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import BinaryIO, Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from ca.trust import CertifiedUse, PathStatus, PathVerdict, StatusEvidence, check_path
from verify import checks
from verify.checks import Finding
from verify.embedded import EmbeddedReceipt, embedded_receipt
from verify.evidence import losses, name_of
from verify.findings import PdfFindings
from verify.seals import Seal, check_seal, check_timestamp, check_token_over, is_canonical, read_seal
from verify.trust import TrustStore
from verify.verdict import (
    Check,
    CheckResult,
    Indication,
    Outcome,
    Reason,
    SignatureFinding,
    SignatureKind,
    SubIndication,
)

_OBJECT: Final = re.compile(rb"(\d{1,9}) 0 obj\s*<</Length (\d{1,9})>>stream\n")
_REFERENCE: Final = re.compile(rb"(\d{1,9}) 0 R")


@dataclass(frozen=True, slots=True)
class _Path:
    check: Check
    outcome: Outcome | None = None
    reason: Reason | None = None
    indication: tuple[Indication, SubIndication | None] = (Indication.TOTAL_PASSED, None)
    status: PathStatus = PathStatus.GOOD
    compromised_at: datetime | None = None
    is_distrusted: bool = False
    chain: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class ArchiveToken:
    """A time-stamp token over ``root``, which the digest of the whole file leads to (RFC 4998)."""

    token: bytes
    root: bytes


@dataclass(frozen=True, slots=True)
class _Judged:
    """The paths of seal and unit, and at which time the sealed file is proven to have been there: by the unit
    whose path is ``witness``."""

    paths: tuple[_Path, ...]
    proven_at: datetime | None
    witness: _Path | None
    notes: tuple[Finding, ...] = field(default=())


def validate(
    file: BinaryIO, *, trust: TrustStore, now: datetime, archived: Sequence[ArchiveToken] = ()
) -> PdfFindings | None:
    """The findings on a file of our own shape whose seal is intact; None when it is not one.

    ``archived`` are later time-stamps over the whole file, for where the one in it is not believed any more.
    """
    try:
        return _validate(file, trust, now, archived)
    except Exception:  # noqa: BLE001 - DER and certificates of strangers raise anything
        # What cannot be read here is not as we write it; the careful way runs confined and says why.
        return None


def _validate(
    file: BinaryIO, trust: TrustStore, now: datetime, archived: Sequence[ArchiveToken]
) -> PdfFindings | None:
    # 1. Shape: the dictionary, the byte range, the value in the only gap, the bytes digested once.
    sealed = read_seal(file)
    # 2. The seal: digest, signature value, and the certificate that the signed attributes name.
    certificate = check_seal(sealed)
    # 3. The time: a token over the seal's value.
    unit, sealed_at, token = check_timestamp(sealed)
    # 4. The signature value is the one part that no signature covers: it has to be the one encoding of
    # itself.
    certificates, evidence = _evidence(sealed.update, trust)
    if not is_canonical(sealed, token, certificates + trust.certificates + trust.every_time_anchor):
        return _altered(sealed, certificate, sealed_at)
    # 5. The paths of both, with the evidence in the file and at hand.
    own = tuple(_loaded(sealed.cms.certificates)) + tuple(_loaded(token.certificates)) + certificates
    paths = _Paths(own + trust.certificates, trust, evidence)
    proof = _archived(paths, archived)
    judged = _judge(paths, certificate, unit, sealed_at, now=now, proof=proof)
    if judged.paths[0].reason is Reason.ISSUER_NOT_TRUSTED and trust.foreign_anchors:
        return None
    # 6. The receipt in it, and the source that the receipt was made for.
    examined = partial(
        embedded_receipt,
        sealed.receipt_digits,
        sealed.document_id,
        sealed.source_digest,
        trust=trust,
        now=now,
    )
    found = examined()
    is_lost = any(one.reason is Reason.RECEIPT_KEY_REVOKED for one in found.findings)
    if is_lost and judged.witness is not None and not paths.is_doubted(judged.witness):
        # Genuine all the same, if a unit that nothing stands against saw it before.
        found = examined(existed_at=judged.proven_at)
    return _conclude(sealed, certificate, judged.proven_at or sealed_at, judged, found)


@dataclass(frozen=True, slots=True)
class _Archived:
    """What the later time-stamps come to: the earliest time that is believed, and a line for each."""

    notes: tuple[Finding, ...]
    at: datetime | None = None
    witness: _Path | None = None


def _archived(paths: _Paths, archived: Sequence[ArchiveToken]) -> _Archived:
    found: list[tuple[datetime, _Path]] = []
    notes = []
    for one in archived:
        unit, at, token = check_token_over(one.token, one.root)
        known = replace(paths, certificates=(*_loaded(token.certificates), *paths.certificates))
        path = known.check("evidence-record", unit, CertifiedUse.TIMESTAMPING, at)
        void = path.outcome is not None or path.compromised_at is not None or path.is_distrusted
        if not void and not known.is_doubted(path):
            found.append((at, path))
            notes.append(checks.passed("evidence-record", detail=f"RFC 4998, there at {at.isoformat()}"))
        else:
            detail = f"its time is not believed: {path.check.detail}"
            notes.append(Finding(Check("evidence-record", CheckResult.UNDECIDED, detail)))
    earliest, witness = min(found, key=lambda one: one[0], default=(None, None))
    return _Archived(tuple(notes), earliest, witness)


def _judge(
    paths: _Paths,
    certificate: x509.Certificate,
    unit: x509.Certificate,
    sealed_at: datetime,
    *,
    now: datetime,
    proof: _Archived,
) -> _Judged:
    """Both paths as they stood at the time that the unit states, if it is to be believed.

    Whoever has the key of a time-stamping unit, or of a CA above it, writes any time they like, also one long
    before the theft. So once such a key is compromised none of its times proves anything (RFC 3161, 4), and
    the seal is worth what its own key is worth now, or was worth when another unit that is believed saw the
    file. While the unit is on hold, that is said only where it makes no difference.
    """
    seal_path = paths.check("seal-path", certificate, CertifiedUse.SEAL, sealed_at)
    unit_path = paths.check("time-stamp-path", unit, CertifiedUse.TIMESTAMPING, sealed_at)
    is_lost = unit_path.status is PathStatus.REVOKED or unit_path.compromised_at is not None
    is_void = is_lost or unit_path.is_distrusted
    if (is_void or unit_path.status is PathStatus.ON_HOLD) and proof.at is not None:
        seal_then = paths.check("seal-path", certificate, CertifiedUse.SEAL, proof.at)
        if seal_then.outcome is None:
            replaced = Check(unit_path.check.name, CheckResult.UNDECIDED, "its unit is not believed any more")
            notes = (*proof.notes, *_before_loss(seal_then))
            return _Judged((seal_then, _Path(replaced)), proof.at, proof.witness, notes)
    if is_void or unit_path.status is PathStatus.ON_HOLD:
        seal_now = paths.check("seal-path", certificate, CertifiedUse.SEAL, now)
        if is_void or seal_now.outcome is None:
            if seal_now.status is PathStatus.REVOKED:
                no_proof = (Indication.INDETERMINATE, SubIndication.REVOKED_NO_POE)
                seal_now = replace(seal_now, indication=no_proof)
            detail = f"the unit's time is not believed: {unit_path.check.detail}"
            undecided = Check(unit_path.check.name, CheckResult.UNDECIDED, detail)
            note = checks.not_done("trusted-time", Reason.TIME_NOT_PROVEN, "judged as of now")
            return _Judged((seal_now, _Path(undecided)), None, None, (note, *proof.notes))
    notes = _before_loss(seal_path) if unit_path.outcome is None else ()
    proven_at, witness = (sealed_at, unit_path) if unit_path.outcome is None else (None, None)
    return _Judged((seal_path, unit_path), proven_at, witness, (*proof.notes, *notes))


def _before_loss(seal: _Path) -> tuple[Finding, ...]:
    if seal.outcome is not None or seal.compromised_at is None:
        return ()
    lost_at = seal.compromised_at.isoformat()
    return (checks.passed("seal-key", Reason.SEALED_BEFORE_LOSS, f"lost at {lost_at}"),)


def _altered(sealed: Seal, certificate: x509.Certificate, sealed_at: datetime) -> PdfFindings:
    """Everything that was signed is intact, but the bytes that carry the signature were tampered with."""
    path = _Path(
        Check("signature-encoding", CheckResult.FAILED, "the signature value is not in its one encoding"),
        Outcome.FILE_DIFFERS,
        Reason.SIGNATURE_MALFORMED,
        (Indication.TOTAL_FAILED, SubIndication.FORMAT_FAILURE),
    )
    return _conclude(sealed, certificate, sealed_at, _Judged((path,), None, None), EmbeddedReceipt(()))


def _evidence(update: bytes, trust: TrustStore) -> tuple[tuple[x509.Certificate, ...], StatusEvidence]:
    """What the document security store of our update holds, and the lists of the trust store.

    The objects are found by their layout. Should bytes within another stream look like one, nothing is lost:
    all of them are signed, and a certificate, list or response counts only by its own signature.
    """
    streams = {
        int(match[1]): update[match.end() : match.end() + int(match[2])] for match in _OBJECT.finditer(update)
    }

    def listed(key: bytes) -> tuple[bytes, ...]:
        found = re.search(rb"/" + key + rb" ?\[([\d R]*)\]", update)
        numbers = _REFERENCE.findall(found[1]) if found else ()
        return tuple(streams[int(number)] for number in numbers if int(number) in streams)

    certificates = tuple(_loaded(listed(b"Certs")))
    return certificates, StatusEvidence(listed(b"OCSPs"), listed(b"CRLs") + trust.crls)


def _loaded(encoded: tuple[bytes, ...]) -> Iterator[x509.Certificate]:
    for certificate in encoded:
        try:
            yield x509.load_der_x509_certificate(certificate)
        except (ValueError, x509.InvalidVersion):
            continue


@dataclass(frozen=True, slots=True)
class _Paths:
    """What paths are built from. Only we seal in this shape; whose time counts is the operator's choice."""

    certificates: tuple[x509.Certificate, ...]
    trust: TrustStore
    evidence: StatusEvidence

    def anchors(self, use: CertifiedUse) -> tuple[x509.Certificate, ...]:
        return self.trust.every_time_anchor if use is CertifiedUse.TIMESTAMPING else self.trust.anchors

    def is_doubted(self, path: _Path) -> bool:
        """Whether somebody else may have a key of the path, or that is being looked into, since whenever."""
        told = losses(
            map(name_of, path.chain), crls=self.evidence.crls, ocsp_responses=self.evidence.ocsp_responses
        )
        return any(one.is_hold or one.is_compromise for one in told)

    def check(self, name: str, leaf: x509.Certificate, use: CertifiedUse, at: datetime) -> _Path:
        verdict = check_path(
            leaf,
            intermediates=self.certificates,
            anchors=self.anchors(use),
            at=at,
            use=use,
            evidence=self.evidence,
        )
        lost_at = verdict.compromised_at
        if verdict.status is PathStatus.GOOD:
            later = f", compromised since {lost_at.isoformat()}" if lost_at is not None else ""
            is_distrusted = any(link in self.trust.distrusted for link in verdict.chain)
            later += ", distrusted by the operator" if is_distrusted else ""
            check = Check(name, CheckResult.PASSED, f"as of {at.isoformat()}{later}")
            return _Path(check, compromised_at=lost_at, is_distrusted=is_distrusted, chain=verdict.chain)
        outcome, reason, indication, sub_indication = _MEANINGS[verdict.status]
        result = CheckResult.FAILED if indication is Indication.TOTAL_FAILED else CheckResult.UNDECIDED
        return _Path(
            Check(name, result, _told(verdict)),
            outcome,
            reason,
            (indication, sub_indication),
            verdict.status,
            lost_at,
        )


def _told(verdict: PathVerdict) -> str:
    since = f", since {verdict.revoked_at.isoformat()}" if verdict.revoked_at else ""
    return f"{verdict.status}: {verdict.reason}{since}"


_MEANINGS: Final = {
    PathStatus.NO_PATH: (
        Outcome.UNKNOWN_ISSUER,
        Reason.ISSUER_NOT_TRUSTED,
        Indication.INDETERMINATE,
        SubIndication.NO_CERTIFICATE_CHAIN_FOUND,
    ),
    PathStatus.CONSTRAINT: (
        Outcome.UNKNOWN_ISSUER,
        Reason.CERTIFICATE_UNFIT,
        Indication.INDETERMINATE,
        SubIndication.CHAIN_CONSTRAINTS_FAILURE,
    ),
    PathStatus.NOT_YET_VALID: (
        Outcome.CANNOT_SAY,
        Reason.CERTIFICATE_OUT_OF_DATE,
        Indication.INDETERMINATE,
        SubIndication.NOT_YET_VALID,
    ),
    PathStatus.EXPIRED: (
        Outcome.CANNOT_SAY,
        Reason.CERTIFICATE_OUT_OF_DATE,
        Indication.INDETERMINATE,
        SubIndication.EXPIRED,
    ),
    PathStatus.REVOKED: (
        Outcome.REVOKED,
        Reason.CERTIFICATE_REVOKED,
        Indication.TOTAL_FAILED,
        SubIndication.REVOKED,
    ),
    PathStatus.ON_HOLD: (
        Outcome.CANNOT_SAY,
        Reason.CERTIFICATE_ON_HOLD,
        Indication.INDETERMINATE,
        SubIndication.TRY_LATER,
    ),
    PathStatus.STATUS_UNKNOWN: (
        Outcome.CANNOT_SAY,
        Reason.EVIDENCE_MISSING,
        Indication.INDETERMINATE,
        SubIndication.TRY_LATER,
    ),
}


def _conclude(
    sealed: Seal,
    certificate: x509.Certificate,
    sealed_at: datetime,
    judged: _Judged,
    receipt: EmbeddedReceipt,
) -> PdfFindings:
    problem = next((path for path in judged.paths if path.outcome is not None), None)
    outcome = problem.outcome if problem is not None and problem.outcome is not None else Outcome.VALID
    indication, sub_indication = problem.indication if problem else (Indication.TOTAL_PASSED, None)
    covered = Check("byte-range", CheckResult.PASSED, f"all {sealed.size} bytes but the signature value")
    value = Check("signature-value", CheckResult.PASSED, f"digest {sealed.message_digest.hex()}")
    stamped = Check("time-stamp", CheckResult.PASSED, f"RFC 3161, {sealed_at.isoformat()}")
    signature = SignatureFinding(
        field="AbsahSeal",
        kind=SignatureKind.SIGNATURE,
        outcome=outcome,
        indication=indication,
        sub_indication=sub_indication,
        reasons=(problem.reason,) if problem is not None and problem.reason is not None else (),
        checks=(covered, value, stamped, *(path.check for path in judged.paths)),
        intact=True,
        unchanged=True,
        covers_whole_file=True,
        signer=_common_name(certificate.subject),
        issuer=_common_name(certificate.issuer),
        signed_at=sealed_at,
        time_is_proven=problem is None and judged.proven_at is not None,
        signature_value=sealed.cms.signature,
        signed_digest=hashlib.sha256(sealed.cms.signed_encoded).digest(),
    )
    if problem is None:
        seal = checks.passed("seal", Reason.SEAL_INTACT, "EN 319 102-1: passed")
    else:
        seal = checks.undecided(
            "seal", outcome, problem.reason or Reason.EVIDENCE_MISSING, problem.check.detail
        )
    return PdfFindings(
        findings=(seal, *judged.notes, *receipt.findings),
        signatures=(signature,),
        is_ours=problem is None,
        receipt=receipt.claims if problem is None else None,
        indication=indication,
        sub_indication=sub_indication,
    )


def _common_name(name: x509.Name) -> str | None:
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(kind):
            return str(attribute.value)[:200]
    return None
