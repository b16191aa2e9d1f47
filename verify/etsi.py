"""The verdict on a file as a signature validation report by ETSI TS 119 102-2, in XML.

One SignatureValidationReport for each signature, in the order of the file. The report is unsigned: it is what
`absah verify --report` writes for an archive, and says no more than the verdict does.
"""

from __future__ import annotations

from typing import Final

from pyhanko.generated.etsi import ts_11910202 as etsi
from pyhanko.generated.etsi import xades
from pyhanko.generated.w3c import xmldsig_core
from xsdata.formats.dataclass.serializers import XmlSerializer
from xsdata.formats.dataclass.serializers.config import SerializerConfig
from xsdata.models.datatype import XmlDateTime

from verify.verdict import Indication, SignatureFinding, SignatureKind, Verdict

_SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
_NAMESPACES: Final = {
    "vr": "http://uri.etsi.org/19102/v1.2.1#",
    "XAdES": "http://uri.etsi.org/01903/v1.3.2#",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
_MAIN: Final = {
    Indication.TOTAL_PASSED: "urn:etsi:019102:mainindication:total-passed",
    Indication.INDETERMINATE: "urn:etsi:019102:mainindication:indeterminate",
    Indication.TOTAL_FAILED: "urn:etsi:019102:mainindication:total-failed",
}


def etsi_report(verdict: Verdict) -> str:
    """TS 119 102-2 clause 4.2: the ValidationReport element.

    Raises ``ValueError`` where the verdict is not on a file with signatures: no report exists for that.
    """
    if not verdict.signatures or verdict.file_sha256 is None:
        raise ValueError("A validation report is about the signatures of a file, and there are none.")
    report = etsi.ValidationReport(
        signature_validation_report=tuple(
            _signature(finding, verdict, verdict.file_sha256) for finding in verdict.signatures
        )
    )
    return XmlSerializer(config=SerializerConfig(indent="  ")).render(report, ns_map=dict(_NAMESPACES))


def _signature(
    finding: SignatureFinding, verdict: Verdict, file_digest: bytes
) -> etsi.SignatureValidationReportType:
    proven = finding.signed_at if finding.time_is_proven else verdict.checked_at
    process = "LTVM" if finding.time_is_proven and finding.kind is SignatureKind.SIGNATURE else "Basic"
    return etsi.SignatureValidationReportType(
        signature_identifier=etsi.SignatureIdentifierType(
            digest_alg_and_value=_digest(finding.signed_digest),
            signature_value=xmldsig_core.SignatureValue(finding.signature_value),
            hash_only=False,
            doc_hash_only=False,
            daidentifier=finding.field,
        ),
        validation_time_info=etsi.ValidationTimeInfoType(
            validation_time=XmlDateTime.from_datetime(verdict.checked_at),
            best_signature_time=etsi.POEType(
                poetime=XmlDateTime.from_datetime(proven or verdict.checked_at),
                type_of_proof="urn:etsi:019102:poetype:validation",
            ),
        ),
        signers_document=etsi.SignersDocumentType(digest_alg_and_value=_digest(file_digest)),
        signer_information=etsi.SignerInformationType(signer=finding.signer) if finding.signer else None,
        signature_validation_process=etsi.SignatureValidationProcessType(
            signature_validation_process_id=f"urn:etsi:019102:validationprocess:{process}"
        ),
        signature_validation_status=etsi.ValidationStatusType(
            main_indication=_MAIN[finding.indication],
            sub_indication=(
                (f"urn:etsi:019102:subindication:{finding.sub_indication}",) if finding.sub_indication else ()
            ),
        ),
    )


def _digest(value: bytes) -> xades.DigestAlgAndValueType:
    return xades.DigestAlgAndValueType(
        digest_method=xmldsig_core.DigestMethod(_SHA256), digest_value=xmldsig_core.DigestValue(value)
    )
