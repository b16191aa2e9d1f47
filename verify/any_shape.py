"""Any PDF: validation by ETSI EN 319 102-1 through pyHanko, with our structural rules on top.

Slow (tens of milliseconds) and exposed to hostile input, so :mod:`verify.pdf` runs it only for files that
are not of our own shape. Nothing is fetched: evidence is what the file and the trust store hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.crypt import AuthStatus
from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.misc import PdfDecodeLimitError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESFailure, AdESIndeterminate, AdESPassed, AdESSubIndic
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, DiffResult, ModificationLevel, StandardDiffPolicy
from pyhanko.sign.diff_analysis.form_rules_api import FormUpdatingRule
from pyhanko.sign.diff_analysis.rules.file_structure_rules import (
    CatalogModificationRule,
    ObjectStreamRule,
    XrefStreamRule,
)
from pyhanko.sign.diff_analysis.rules.form_field_rules import (
    DSSCompareRule,
    SigFieldCreationRule,
    SigFieldModificationRule,
)
from pyhanko.sign.diff_analysis.rules.metadata_rules import DocInfoRule, MetadataUpdateRule
from pyhanko.sign.fields import MDPPerm, enumerate_sig_fields
from pyhanko.sign.general import find_cms_attribute_iter
from pyhanko.sign.validation import DocumentSecurityStore, EmbeddedPdfSignature, generic_cms
from pyhanko.sign.validation.ades import (
    AdESBasicValidationResult,
    ades_lta_validation,
    ades_timestamp_validation,
    ades_with_time_validation,
)
from pyhanko.sign.validation.errors import NoDSSFoundError
from pyhanko.sign.validation.policy_decl import (
    CertificateFetchingRule,
    CMSAlgorithmUsagePolicy,
    LocalKnowledge,
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko.sign.validation.status import PdfSignatureStatus
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import (
    REQUIRE_REVINFO,
    CertRevTrustPolicy,
    DisallowWeakAlgorithmsPolicy,
)
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer
from pyhanko_certvalidator.util import get_pyca_cryptography_hash

from verify import checks
from verify.evidence import invalid_since
from verify.findings import Limits, PdfFindings, PdfUnreadable
from verify.meanings import UNTRUSTED, indication_of, meaning_of
from verify.structure import ByteRangeInvalid, ends_with_its_cross_reference, signed_span
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
    worst,
)

_SIGNATURES_ONLY = StandardDiffPolicy(
    global_rules=[
        CatalogModificationRule(),  # type: ignore[no-untyped-call]
        DocInfoRule().as_qualified(ModificationLevel.LTA_UPDATES),
        XrefStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
        ObjectStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
        DSSCompareRule().as_qualified(ModificationLevel.LTA_UPDATES),
        MetadataUpdateRule().as_qualified(ModificationLevel.LTA_UPDATES),  # type: ignore[no-untyped-call]
    ],
    form_rule=FormUpdatingRule(
        field_rules=[SigFieldCreationRule(), SigFieldModificationRule()]  # type: ignore[no-untyped-call]
    ),
)
"""pyHanko's own policy without the filling of other fields, through which a shadow document is replaced."""


class _File:
    """The opened file and what is known about it as a whole."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self.file = file
        file.seek(0, 2)
        self.size = file.tell()
        self.limits = limits
        self.reader = _open(file)
        self.revisions = self.reader.xrefs.total_revisions
        if self.revisions > limits.max_revisions:
            raise PdfUnreadable(Reason.LIMIT_EXCEEDED, f"{self.revisions} revisions")

    def nothing_behind(self) -> bool:
        last = self.reader.xrefs.get_xref_container_info(self.revisions - 1)
        return ends_with_its_cross_reference(self.file, self.size, last.end_location)


def validate(file: BinaryIO, *, trust: TrustStore, now: datetime, limits: Limits) -> PdfFindings:
    """Every signature in the file, each with its own finding; the worst one speaks for the file.

    Raises :class:`verify.findings.PdfUnreadable`; nothing else, whatever the file holds.
    """
    # 1. Open it: damaged, encrypted and oversized files end here.
    try:
        opened = _File(file, limits)
        fields = _signature_fields(opened)
    except PdfUnreadable:
        raise
    except PdfDecodeLimitError as cause:
        raise PdfUnreadable(Reason.LIMIT_EXCEEDED, "a stream expands beyond the limit") from cause
    except Exception as cause:
        if _was_signed(file):
            return _conclude((_malformed("?", cause, Reason.FILE_DAMAGED),))
        raise PdfUnreadable(Reason.FILE_DAMAGED, _words(cause)) from cause
    if not fields:
        finding = checks.failed(
            "signature-present", Outcome.NOT_SIGNED, Reason.NOT_SIGNED, "no filled signature field"
        )
        return PdfFindings((finding,))
    # 2. Each signature by itself. The last one must answer for the end of the file.
    newest = max(
        (found.signed_revision for _, found in fields if isinstance(found, EmbeddedPdfSignature)), default=0
    )
    context = _Context(opened, trust, now, newest)
    signatures = tuple(
        context.examine(name, found) if isinstance(found, EmbeddedPdfSignature) else _malformed(name, found)
        for name, found in fields
    )
    # 3. The worst speaks for the file.
    return _conclude(signatures)


def _open(file: BinaryIO) -> PdfFileReader:
    file.seek(0)
    # Hybrid cross-references, which MS Office writes, are refused in strict mode.
    reader = PdfFileReader(file, strict=False)
    if reader.encrypted:
        try:
            opened = reader.decrypt(b"").status is not AuthStatus.FAILED
        except Exception:  # noqa: BLE001 - unknown handlers raise anything
            opened = False
        if not opened:
            raise PdfUnreadable(Reason.FILE_ENCRYPTED, "a password is needed to open the file")
    return reader


def _signature_fields(opened: _File) -> list[tuple[str, EmbeddedPdfSignature | Exception]]:
    """Filled signature fields in order of their revision; those that cannot be read come with the cause."""
    found: list[tuple[str, EmbeddedPdfSignature | Exception]] = []
    seen: set[Any] = set()
    for name, _, field in enumerate_sig_fields(opened.reader, filled_status=True):
        if len(found) >= opened.limits.max_signatures:
            raise PdfUnreadable(Reason.LIMIT_EXCEEDED, f"more than {opened.limits.max_signatures} signatures")
        try:
            signature = EmbeddedPdfSignature(opened.reader, field, name)
        except Exception as cause:  # noqa: BLE001 - a forged dictionary raises anything
            found.append((str(name), cause))
            continue
        # One signature may be referred to from several fields; it is one signature.
        identity = (tuple(signature.byte_range), signature.pkcs7_content)
        if identity not in seen:
            seen.add(identity)
            found.append((str(name), signature))
    return found


class _Context:
    def __init__(self, opened: _File, trust: TrustStore, now: datetime, newest: int) -> None:
        self._opened = opened
        self._trust = trust
        self._now = now
        self._newest = newest
        self._timing = ValidationTimingInfo(
            validation_time=now, best_signature_time=now, point_in_time_validation=False
        )

    def examine(self, name: str, signature: EmbeddedPdfSignature) -> SignatureFinding:
        """One signature: structure, integrity, what came after, then the indication."""
        examined = _Examined(name, signature)
        try:
            self._structure(examined)
            self._integrity(examined)
            self._changes(examined)
            if not examined.problems:
                self._indication(examined)
        except Exception as cause:  # noqa: BLE001 - see _malformed
            examined.fail(
                "format",
                Outcome.FILE_DIFFERS,
                Reason.SIGNATURE_MALFORMED,
                _words(cause),
                AdESFailure.FORMAT_FAILURE,
            )
        return examined.finding()

    def _structure(self, examined: _Examined) -> None:
        signature = examined.signature
        try:
            span = signed_span(
                signature.byte_range, signature.pkcs7_content, self._opened.file, self._opened.size
            )
        except ByteRangeInvalid as cause:
            examined.fail(
                "byte-range",
                Outcome.FILE_DIFFERS,
                Reason.BYTE_RANGE_INVALID,
                str(cause),
                AdESFailure.FORMAT_FAILURE,
            )
            return
        examined.covers_whole_file = span.end == self._opened.size
        examined.ok("byte-range", f"0 to {span.end}, file has {self._opened.size} bytes")

    def _integrity(self, examined: _Examined) -> None:
        signature = examined.signature
        signed_data = signature.signed_data
        content = signed_data["encap_content_info"]
        kind = content["content_type"].native
        if kind == "tst_info":
            imprint = content["content"].parsed["message_imprint"]
            covered = imprint["hashed_message"].native == signature.compute_digest()
            digest = _digest(signature.md_algorithm, content["content"].contents)
        else:
            covered = True
            digest = signature.compute_digest()
        intact, valid = generic_cms.validate_sig_integrity(
            signature.signer_info, signature.signer_cert, expected_content_type=kind, actual_digest=digest
        )
        if not (intact and covered):
            examined.fail(
                "digest",
                Outcome.FILE_DIFFERS,
                Reason.CONTENT_CHANGED,
                "digest differs",
                AdESFailure.HASH_FAILURE,
            )
        elif not valid:
            examined.fail(
                "signature-value",
                Outcome.FILE_DIFFERS,
                Reason.SIGNATURE_VALUE_INVALID,
                "signature value does not check",
                AdESFailure.SIG_CRYPTO_FAILURE,
            )
        else:
            examined.intact = True
            examined.ok("signature-value", f"{signature.md_algorithm}")

    def _changes(self, examined: _Examined) -> None:
        """What was added behind the signed revision, and whether anybody answers for it."""
        signature = examined.signature
        own_rules = signature.docmdp_level in (MDPPerm.FILL_FORMS, MDPPerm.ANNOTATE)
        try:
            policy = DEFAULT_DIFF_POLICY if own_rules else _SIGNATURES_ONLY
            signature.compute_integrity_info(policy)  # type: ignore[no-untyped-call]
        except Exception as cause:  # noqa: BLE001 - changes that cannot be compared are changes
            examined.fail(
                "later-changes",
                Outcome.FILE_DIFFERS,
                Reason.CHANGED_AFTER_SIGNING,
                _words(cause),
                AdESFailure.HASH_FAILURE,
            )
            return
        if examined.covers_whole_file:
            examined.unchanged = True
            examined.ok("later-changes", "the whole file is signed")
            return
        if signature.signed_revision == self._opened.revisions - 1 or not self._opened.nothing_behind():
            examined.fail(
                "later-changes",
                Outcome.FILE_DIFFERS,
                Reason.BYTES_BEHIND_SIGNATURE,
                "bytes that belong to no revision follow",
                AdESFailure.FORMAT_FAILURE,
            )
            return
        result: object = signature.diff_result  # pyHanko leaves it None until it is computed
        if not isinstance(result, DiffResult):
            examined.changes = (_words(result),)
            level = ModificationLevel.OTHER
        else:
            level = result.modification_level
            examined.changes = tuple(sorted(f"form field {name}" for name in result.changed_form_fields))
        # Evidence and document timestamps change nothing that is seen. Anything more needs a later signature
        # that answers for it, so the newest one allows nothing more, whatever its own policy says.
        allowed = ModificationLevel.LTA_UPDATES
        if signature.signed_revision < self._newest:
            allowed = ModificationLevel.FORM_FILLING
        docmdp = signature.docmdp_level
        if docmdp is MDPPerm.NO_CHANGES:
            allowed = ModificationLevel.LTA_UPDATES
        if level > allowed:
            examined.fail(
                "later-changes",
                Outcome.FILE_DIFFERS,
                Reason.CHANGED_AFTER_SIGNING,
                "; ".join(examined.changes) or level.name,
                AdESFailure.HASH_FAILURE,
            )
            return
        examined.unchanged = True
        examined.ok("later-changes", f"only {level.name.lower()}")

    def _indication(self, examined: _Examined) -> None:
        signature = examined.signature
        try:
            knowledge, crls, responses = _evidence_in(self._opened.reader, signature, self._trust)
            result = asyncio.run(self._ades(examined, self._specification(knowledge)))
        except Exception as cause:  # noqa: BLE001 - damaged evidence raises anything; the file itself is intact
            examined.undecided(
                "certificate-path",
                Outcome.CANNOT_SAY,
                Reason.EVIDENCE_MISSING,
                _words(cause),
                getattr(cause, "ades_subindication", None) or AdESIndeterminate.GENERIC,
            )
            return
        indication = result.ades_subindic
        if isinstance(indication, AdESPassed):
            path = getattr(result.api_status, "validation_path", None) or ()
            chain = [
                entry for entry in (signature.signer_cert, *path) if isinstance(entry, asn1_x509.Certificate)
            ]
            since = invalid_since(
                ((entry.issuer.dump(), entry.serial_number) for entry in chain),
                crls=crls,
                ocsp_responses=responses,
            )
            if since is not None and since <= (examined.signed_at or self._now):
                examined.undecided(
                    "invalidity-date",
                    Outcome.REVOKED,
                    Reason.CERTIFICATE_REVOKED,
                    f"the key was not to be trusted from {since.isoformat()}",
                    AdESIndeterminate.REVOKED_NO_POE,
                )
                return
            examined.ok("certificate-path", "EN 319 102-1: passed")
            return
        outcome, reason = meaning_of(indication)
        report = examined.fail if isinstance(indication, AdESFailure) else examined.undecided
        report(
            "certificate-path",
            outcome,
            reason,
            (result.failure_msg or indication.standard_name)[:300],
            indication,
        )

    async def _ades(
        self, examined: _Examined, specification: PdfSignatureValidationSpec
    ) -> AdESBasicValidationResult[Any]:
        signature = examined.signature
        inner = specification.signature_validation_spec
        if examined.kind is SignatureKind.TIMESTAMP:
            stamped = await ades_timestamp_validation(
                signature.signed_data, inner, signature.compute_digest, timing_info=self._timing
            )
            if isinstance(stamped.ades_subindic, AdESPassed):
                examined.proven_at(
                    signature.signed_data["encap_content_info"]["content"].parsed["gen_time"].native
                )
            return stamped
        result = await ades_with_time_validation(
            signature.signed_data,
            inner,
            timing_info=self._timing,
            raw_digest=signature.compute_digest(),
            extra_status_kwargs=signature.summarise_integrity_info(),
            status_cls=PdfSignatureStatus,
        )
        indication = result.ades_subindic
        if isinstance(indication, AdESIndeterminate) and indication not in UNTRUSTED:
            # Archived signatures outlive their certificates: try the proofs of existence in the file.
            archived = await ades_lta_validation(signature, specification, timing_info=self._timing)
            if isinstance(archived.ades_subindic, AdESPassed):
                result = archived
        if result.best_signature_time is not None and result.best_signature_time < self._now:
            examined.proven_at(result.best_signature_time)
        return result

    def _specification(self, knowledge: LocalKnowledge) -> PdfSignatureValidationSpec:
        algorithms = DisallowWeakAlgorithmsPolicy()  # type: ignore[no-untyped-call]
        anchors = [_asn1(entry) for entry in self._trust.every_anchor]
        certificates = CertValidationPolicySpec(
            trust_manager=SimpleTrustManager.build(trust_roots=anchors),
            # Evidence collected after signing, such as a fresh CRL, speaks for the time of signing too.
            revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO, retroactive_revinfo=True),
            algorithm_usage_policy=algorithms,
        )
        return PdfSignatureValidationSpec(
            SignatureValidationSpec(
                cert_validation_policy=certificates,
                revinfo_gathering_policy=RevocationInfoGatheringSpec(
                    online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY,
                    certificate_fetching_rule=CertificateFetchingRule.NEVER_FETCH,
                ),
                local_knowledge=knowledge,
                signature_algorithm_policy=CMSAlgorithmUsagePolicy.lift_policy(algorithms),
            ),
            diff_policy=_SIGNATURES_ONLY,
        )


class _Examined:
    """Collects what is found out about one signature. The first problem decides the sub-indication."""

    def __init__(self, name: str, signature: EmbeddedPdfSignature) -> None:
        self.name = name
        self.signature = signature
        self.kind = (
            SignatureKind.TIMESTAMP
            if signature.signed_data["encap_content_info"]["content_type"].native == "tst_info"
            else SignatureKind.SIGNATURE
        )
        self.checks: list[Check] = []
        self.problems: list[tuple[Outcome, Reason, AdESSubIndic]] = []
        self.intact = False
        self.unchanged = False
        self.covers_whole_file = False
        self.changes: tuple[str, ...] = ()
        self.signed_at: datetime | None = None
        self.time_is_proven = False

    def ok(self, name: str, detail: str) -> None:
        self.checks.append(Check(name, CheckResult.PASSED, detail))

    def fail(
        self, name: str, outcome: Outcome, reason: Reason, detail: str, indication: AdESSubIndic
    ) -> None:
        self.checks.append(Check(name, CheckResult.FAILED, detail))
        self.problems.append((outcome, reason, indication))

    def undecided(
        self, name: str, outcome: Outcome, reason: Reason, detail: str, indication: AdESSubIndic
    ) -> None:
        self.checks.append(Check(name, CheckResult.UNDECIDED, detail))
        self.problems.append((outcome, reason, indication))

    def proven_at(self, moment: datetime) -> None:
        self.signed_at, self.time_is_proven = moment.astimezone(UTC), True

    def finding(self) -> SignatureFinding:
        outcome = worst(problem[0] for problem in self.problems) if self.problems else Outcome.VALID
        signer, issuer, claimed = _identity(self.signature)
        indication, sub_indication = Indication.TOTAL_PASSED, None
        if self.problems:
            indication, sub_indication = indication_of(self.problems[0][2])
        return SignatureFinding(
            field=self.name,
            kind=self.kind,
            outcome=outcome,
            indication=indication,
            sub_indication=sub_indication,
            reasons=tuple(dict.fromkeys(problem[1] for problem in self.problems)),
            checks=tuple(self.checks),
            intact=self.intact,
            unchanged=self.unchanged,
            covers_whole_file=self.covers_whole_file,
            signer=signer,
            issuer=issuer,
            signed_at=self.signed_at or claimed,
            time_is_proven=self.time_is_proven,
            changes=self.changes,
        )


def _was_signed(file: BinaryIO) -> bool:
    """Whether a file that cannot be parsed carries the mark of a signature: then it was altered or cut."""
    mark = b"/ByteRange"
    file.seek(0)
    carried = b""
    while chunk := file.read(1 << 20):
        if mark in carried + chunk:
            return True
        carried = chunk[-len(mark) :]
    return False


def _malformed(name: str, cause: Exception, reason: Reason | None = None) -> SignatureFinding:
    """A signature field whose dictionary or value cannot be read: forged, emptied or damaged."""
    missing = any(word in _words(cause) for word in ("/Contents", "/ByteRange"))
    return SignatureFinding(
        field=name,
        kind=SignatureKind.SIGNATURE,
        outcome=Outcome.FILE_DIFFERS,
        indication=Indication.TOTAL_FAILED,
        sub_indication=SubIndication.FORMAT_FAILURE,
        reasons=(reason or (Reason.CONTENTS_MISSING if missing else Reason.SIGNATURE_MALFORMED),),
        checks=(Check("format", CheckResult.FAILED, _words(cause)),),
        intact=False,
        unchanged=False,
        covers_whole_file=False,
    )


def _conclude(signatures: tuple[SignatureFinding, ...]) -> PdfFindings:
    outcome = worst(signature.outcome for signature in signatures)
    speaker = next(signature for signature in signatures if signature.outcome is outcome)
    if (
        all(signature.kind is SignatureKind.TIMESTAMP for signature in signatures)
        and outcome is Outcome.VALID
    ):
        finding = checks.failed(
            "signature-present", Outcome.NOT_SIGNED, Reason.NOT_SIGNED, "only time stamps, nobody's signature"
        )
    elif outcome is Outcome.VALID:
        finding = checks.passed(
            "signatures", Reason.SIGNATURES_INTACT, f"{len(signatures)} passed by EN 319 102-1"
        )
    else:
        finding = checks.failed("signatures", outcome, speaker.reasons[0], f"signature field {speaker.field}")
    return PdfFindings(
        (finding,),
        signatures,
        indication=speaker.indication,
        sub_indication=speaker.sub_indication,
    )


def _evidence_in(
    reader: PdfFileReader, signature: EmbeddedPdfSignature, trust: TrustStore
) -> tuple[LocalKnowledge, list[bytes], list[bytes]]:
    """Certificates, CRLs and OCSP responses: in the file's DSS, in the signature, in the trust store."""
    certificates = [_asn1(entry) for entry in trust.certificates]
    crls = list(trust.crls)
    responses: list[bytes] = []
    try:
        store = DocumentSecurityStore.read_dss(reader)
    except NoDSSFoundError:
        pass
    else:
        certificates += store.load_certs()
        crls += [entry.get_object().read_data(DecodePurpose.CRL) for entry in store.crls]
        responses += [entry.get_object().read_data(DecodePurpose.OCSP_RESPONSE) for entry in store.ocsps]
    for attribute in _archived_in(signature):
        crls += [entry.dump() for entry in attribute["crl"] or ()]
        responses += [entry.dump() for entry in attribute["ocsp"] or ()]
    knowledge = LocalKnowledge(
        known_certs=certificates,
        known_crls=[CRLContainer(asn1_crl.CertificateList.load(entry)) for entry in crls],
        known_ocsps=[
            container
            for entry in responses
            for container in OCSPContainer.load_multi(asn1_ocsp.OCSPResponse.load(entry))
        ],
    )
    return knowledge, crls, responses


def _archived_in(signature: EmbeddedPdfSignature) -> Iterator[Any]:
    """Adobe's own place for evidence, the signed attribute revocationInfoArchival."""
    yield from find_cms_attribute_iter(
        signature.signer_info["signed_attrs"], "adobe_revocation_info_archival"
    )


def _identity(signature: EmbeddedPdfSignature) -> tuple[str | None, str | None, datetime | None]:
    """Who signed by their own account: never to be shown as proven before the path was."""
    try:
        certificate = signature.signer_cert
        claimed = signature.self_reported_timestamp
        return (
            _name(certificate.subject),
            _name(certificate.issuer),
            claimed.astimezone(UTC) if claimed is not None else None,
        )
    except Exception:  # noqa: BLE001 - the certificate may be missing or damaged
        return None, None, None


def _name(name: asn1_x509.Name) -> str:
    fields = name.native
    for key in ("common_name", "organization_name", "organizational_unit_name"):
        value = fields.get(key)
        if value:
            return (value if isinstance(value, str) else str(value[0]))[:200]
    return str(name.human_friendly)[:200]


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


def _digest(algorithm: str, content: bytes) -> bytes:
    digest = hashes.Hash(get_pyca_cryptography_hash(algorithm))
    digest.update(content)
    return digest.finalize()


def _words(cause: object) -> str:
    return (str(cause) or type(cause).__name__)[:300]
