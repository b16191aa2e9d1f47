"""One signature of any PDF: its structure, its integrity, what came after it, and EN 319 102-1."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import Any

from asn1crypto import x509 as asn1_x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from pyhanko.sign.ades.report import AdESFailure, AdESIndeterminate, AdESPassed
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, DiffResult, ModificationLevel
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation import EmbeddedPdfSignature, generic_cms
from pyhanko.sign.validation.ades import (
    AdESBasicValidationResult,
    AdESWithTimeValidationResult,
    ades_basic_validation,
    ades_lta_validation,
    ades_timestamp_validation,
    ades_with_time_validation,
)
from pyhanko.sign.validation.policy_decl import (
    PdfSignatureValidationSpec,
    SignatureValidationSpec,
    bootstrap_validation_data_handlers,
)
from pyhanko.sign.validation.status import PdfSignatureStatus
from pyhanko_certvalidator.context import ValidationDataHandlers
from pyhanko_certvalidator.ltv.poe import POEManager
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.util import get_pyca_cryptography_hash

from verify.evidence import Loss, losses, name_of
from verify.examined import Examined, words
from verify.judging import (
    EVIDENCE_ONLY,
    SIGNATURES_ONLY,
    evidence_in,
    is_void,
    issuers_of,
    named,
    specification_for,
)
from verify.meanings import UNTRUSTED, meaning_of
from verify.opened import OpenedFile
from verify.structure import ByteRangeInvalid, signed_span
from verify.trust import TrustStore
from verify.verdict import (
    Check,
    CheckResult,
    Outcome,
    Reason,
    SignatureKind,
)

_PLAIN_ECDSA = "0.4.0.127.0.7.1.1.4.1."


class Examination:
    """How every signature of one file is looked at. ``newest`` is the last revision that a signature made."""

    def __init__(self, opened: OpenedFile, trust: TrustStore, now: datetime, newest: int) -> None:
        self._opened = opened
        self._trust = trust
        self._now = now
        self._newest = newest
        self._distrusted = frozenset(map(name_of, trust.distrusted))
        self._timing = ValidationTimingInfo(
            validation_time=now, best_signature_time=now, point_in_time_validation=False
        )

    def examine(self, name: str, signature: EmbeddedPdfSignature) -> Examined:
        """One signature: structure, integrity, what came after, then the indication."""
        examined = Examined(name, signature)
        try:
            self._structure(examined)
            self._integrity(examined)
            self._changes(examined)
            if not examined.problems:
                self._indication(examined)
        except Exception as cause:  # noqa: BLE001 - a forged signature raises anything
            examined.problem(
                "format",
                Outcome.FILE_DIFFERS,
                Reason.SIGNATURE_MALFORMED,
                words(cause),
                indication=AdESFailure.FORMAT_FAILURE,
            )
        return examined

    def _leads_to_us(self, path: object) -> bool:
        anchor = getattr(getattr(path, "trust_anchor", None), "authority", None)
        certificate = getattr(anchor, "certificate", None)
        ours = {entry.public_bytes(Encoding.DER) for entry in self._trust.anchors}
        return certificate is not None and certificate.dump() in ours

    def _structure(self, examined: Examined) -> None:
        signature = examined.signature
        try:
            span = signed_span(
                signature.byte_range, signature.pkcs7_content, self._opened.file, self._opened.size
            )
        except ByteRangeInvalid as cause:
            examined.problem(
                "byte-range",
                Outcome.FILE_DIFFERS,
                Reason.BYTE_RANGE_INVALID,
                str(cause),
                indication=AdESFailure.FORMAT_FAILURE,
            )
            return
        examined.covers_whole_file = span.end == self._opened.size
        examined.ok("byte-range", f"0 to {span.end}, file has {self._opened.size} bytes")

    def _integrity(self, examined: Examined) -> None:
        signature = examined.signature
        unsupported = _unsupported(signature)
        if unsupported is not None:
            examined.problem(
                "signature-value",
                Outcome.CANNOT_SAY,
                Reason.ALGORITHM_WEAK,
                unsupported,
                indication=AdESIndeterminate.CRYPTO_CONSTRAINTS_FAILURE,
            )
            return
        content = signature.signed_data["encap_content_info"]
        kind = content["content_type"].native
        digest, covered = signature.compute_digest(), True
        if kind == "tst_info":
            covered = content["content"].parsed["message_imprint"]["hashed_message"].native == digest
            digest = _digest(signature.md_algorithm, content["content"].contents)
        intact, valid = generic_cms.validate_sig_integrity(
            signature.signer_info, signature.signer_cert, expected_content_type=kind, actual_digest=digest
        )
        if not (intact and covered):
            examined.problem(
                "digest",
                Outcome.FILE_DIFFERS,
                Reason.CONTENT_CHANGED,
                "the digest over the signed bytes differs",
                indication=AdESFailure.HASH_FAILURE,
            )
        elif not valid:
            examined.problem(
                "signature-value",
                Outcome.FILE_DIFFERS,
                Reason.SIGNATURE_VALUE_INVALID,
                "the signature value does not check",
                indication=AdESFailure.SIG_CRYPTO_FAILURE,
            )
        else:
            examined.intact = True
            examined.ok("signature-value", signature.md_algorithm)

    def _changes(self, examined: Examined) -> None:
        """What was added behind the signed revision, and whether anybody answers for it."""
        signature = examined.signature
        newest = signature.signed_revision >= self._newest
        if newest:
            # Nobody answers for what follows, whatever this signature's own policy would allow.
            policy, allowed = EVIDENCE_ONLY, ModificationLevel.LTA_UPDATES
        elif signature.docmdp_level in (MDPPerm.FILL_FORMS, MDPPerm.ANNOTATE):
            policy, allowed = DEFAULT_DIFF_POLICY, ModificationLevel.FORM_FILLING
        elif signature.docmdp_level is MDPPerm.NO_CHANGES:
            policy, allowed = SIGNATURES_ONLY, ModificationLevel.LTA_UPDATES
        else:
            policy, allowed = SIGNATURES_ONLY, ModificationLevel.FORM_FILLING
        try:
            signature.compute_integrity_info(policy)  # type: ignore[no-untyped-call]
        except Exception as cause:  # noqa: BLE001 - changes that cannot be compared are changes
            examined.problem(
                "later-changes",
                Outcome.FILE_DIFFERS,
                Reason.CHANGED_AFTER_SIGNING,
                words(cause),
                indication=AdESFailure.HASH_FAILURE,
            )
            return
        if examined.covers_whole_file:
            examined.unchanged = True
            examined.ok("later-changes", "the whole file is signed")
            return
        if signature.signed_revision == self._opened.revisions - 1 or not self._opened.nothing_behind():
            examined.problem(
                "later-changes",
                Outcome.FILE_DIFFERS,
                Reason.BYTES_BEHIND_SIGNATURE,
                "bytes that belong to no revision follow",
                indication=AdESFailure.FORMAT_FAILURE,
            )
            return
        result: object = signature.diff_result  # pyHanko leaves it None until it is computed
        if not isinstance(result, DiffResult):
            examined.changes = (words(result),)
            level = ModificationLevel.OTHER
        else:
            level = result.modification_level
            examined.changes = tuple(sorted(f"form field {name}" for name in result.changed_form_fields))
        if level > allowed:
            examined.problem(
                "later-changes",
                Outcome.FILE_DIFFERS,
                Reason.CHANGED_AFTER_SIGNING,
                "; ".join(examined.changes) or level.name,
                indication=AdESFailure.HASH_FAILURE,
            )
            return
        examined.unchanged = True
        examined.ok("later-changes", f"only {level.name.lower()}")

    def _indication(self, examined: Examined) -> None:
        signature = examined.signature
        try:
            knowledge, crls, responses = evidence_in(self._opened.reader, signature, self._trust)
            tokens = list(generic_cms.extract_tst_data_iter(signature.signer_info, signed=False))
            proves_nothing = partial(
                is_void,
                knowledge=knowledge,
                crls=crls,
                ocsp_responses=responses,
                distrusted=self._distrusted,
            )
            void = any(map(proves_nothing, tokens))
            archive_is_void = any(
                proves_nothing(stamp.signed_data)
                for stamp in self._opened.reader.embedded_timestamp_signatures
            )
            result = asyncio.run(
                self._ades(
                    examined,
                    specification_for(knowledge, self._trust),
                    is_stamped=bool(tokens) and not void,
                    is_archived=not void and not archive_is_void,
                )
            )
        except Exception as cause:  # noqa: BLE001 - damaged evidence raises anything; the file itself is intact
            examined.problem(
                "certificate-path",
                Outcome.CANNOT_SAY,
                Reason.EVIDENCE_MISSING,
                words(cause),
                indication=getattr(cause, "ades_subindication", None) or AdESIndeterminate.GENERIC,
            )
            return
        if void:
            examined.checks.append(
                Check("time-stamp", CheckResult.UNDECIDED, "its unit's key was lost: judged as of now")
            )
        indication = result.ades_subindic
        if isinstance(indication, AdESPassed):
            path = getattr(result.api_status, "validation_path", None) or ()
            examined.leads_to_us = self._leads_to_us(path)
            chain = [
                entry for entry in (signature.signer_cert, *path) if isinstance(entry, asn1_x509.Certificate)
            ]
            against = [
                loss
                for loss in losses(map(named, chain), crls=crls, ocsp_responses=responses)
                if loss.since <= (examined.signed_at or self._now)
                or (loss.is_compromise and examined.kind is SignatureKind.TIMESTAMP)
            ]
            if against:
                self._revoked(examined, against)
                return
            is_stamp = examined.kind is SignatureKind.TIMESTAMP
            if is_stamp and not self._distrusted.isdisjoint(map(named, chain)):
                examined.problem(
                    "certificate-path",
                    Outcome.REVOKED,
                    Reason.CERTIFICATE_REVOKED,
                    "the operator distrusts this unit",
                    indication=AdESIndeterminate.REVOKED_NO_POE,
                )
                return
            examined.ok("certificate-path", "EN 319 102-1: passed")
            return
        found_path = getattr(result.api_status, "validation_path", None) is not None
        outcome, reason = meaning_of(indication, found_path=found_path)
        if outcome is Outcome.REVOKED:
            against = [
                *losses([named(signature.signer_cert)], crls=crls, ocsp_responses=responses),
                *losses(map(named, issuers_of(signature, knowledge)), crls=crls, ocsp_responses=responses),
            ]
            if against and all(loss.is_hold for loss in against):
                self._revoked(examined, against)
                return
        examined.problem(
            "certificate-path",
            outcome,
            reason,
            (result.failure_msg or indication.standard_name)[:300],
            indication=indication,
        )

    def _revoked(self, examined: Examined, against: list[Loss]) -> None:
        since = min(loss.since for loss in against)
        if all(loss.is_hold for loss in against):
            examined.problem(
                "revocation",
                Outcome.CANNOT_SAY,
                Reason.CERTIFICATE_ON_HOLD,
                f"on hold since {since.isoformat()}",
                indication=AdESIndeterminate.TRY_LATER,
            )
            return
        examined.problem(
            "revocation",
            Outcome.REVOKED,
            Reason.CERTIFICATE_REVOKED,
            f"the key was not to be trusted from {since.isoformat()}",
            indication=AdESIndeterminate.REVOKED_NO_POE,
        )

    async def _ades(
        self,
        examined: Examined,
        specification: PdfSignatureValidationSpec,
        *,
        is_stamped: bool,
        is_archived: bool,
    ) -> AdESBasicValidationResult[Any]:
        signature = examined.signature
        inner = specification.signature_validation_spec
        if examined.kind is SignatureKind.TIMESTAMP:
            stamped = await ades_timestamp_validation(
                signature.signed_data,
                inner,
                signature.compute_digest,
                timing_info=self._timing,
                validation_data_handlers=self._handlers(inner),
            )
            if isinstance(stamped.ades_subindic, AdESPassed):
                examined.proven_at(
                    signature.signed_data["encap_content_info"]["content"].parsed["gen_time"].native
                )
            return stamped
        result: AdESBasicValidationResult[Any]
        if not is_stamped:
            # Clause 5.3: without a time stamp that proves something nothing is known to have existed before.
            result = await ades_basic_validation(
                signature.signed_data,
                inner,
                timing_info=self._timing,
                raw_digest=signature.compute_digest(),
                validation_data_handlers=self._handlers(inner),
            )
        else:
            # Clause 5.5.
            result = await ades_with_time_validation(
                signature.signed_data,
                inner,
                timing_info=self._timing,
                raw_digest=signature.compute_digest(),
                validation_data_handlers=self._handlers(inner),
                extra_status_kwargs=signature.summarise_integrity_info(),
                status_cls=PdfSignatureStatus,
            )
        indication = result.ades_subindic
        if is_archived and isinstance(indication, AdESIndeterminate) and indication not in UNTRUSTED:
            # Archived signatures outlive their certificates: try the proofs of existence in the file.
            archived = await ades_lta_validation(signature, specification, timing_info=self._timing)
            if isinstance(archived.ades_subindic, AdESPassed):
                result = archived
        if isinstance(result, AdESWithTimeValidationResult) and isinstance(result.ades_subindic, AdESPassed):
            examined.proven_at(result.best_signature_time)
        return result

    def _handlers(self, specification: SignatureValidationSpec) -> ValidationDataHandlers:
        """What is known to exist is known as of our clock; pyHanko would look at its own."""
        return bootstrap_validation_data_handlers(
            specification,
            timing_info=self._timing,
            poe_manager_override=POEManager(current_dt_override=self._now),
        )


def _digest(algorithm: str, content: bytes) -> bytes:
    digest = hashes.Hash(get_pyca_cryptography_hash(algorithm))
    digest.update(content)
    return digest.finalize()


def _unsupported(signature: EmbeddedPdfSignature) -> str | None:
    """Why this signature's value cannot be computed here, or None. It is not called wrong for that."""
    if str(signature.sig_object.get("/SubFilter")) == "/adbe.pkcs7.sha1":
        return "adbe.pkcs7.sha1 signs a SHA-1 digest; ISO 32000-2 12.8.3.3 withdrew it"
    algorithm = signature.signer_info["signature_algorithm"]["algorithm"].dotted
    if algorithm.startswith(_PLAIN_ECDSA):
        return f"plain ECDSA ({algorithm}, BSI TR-03111) is not supported"
    try:
        load_der_public_key(signature.signer_cert.public_key.dump())
    except (ValueError, UnsupportedAlgorithm) as cause:
        return f"the signer's key is of a kind that is not supported: {words(cause)}"
    return None
