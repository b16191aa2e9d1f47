"""pyHanko's AdES validation of a sealed file, with the evidence that the file carries and nothing fetched."""

from __future__ import annotations

import asyncio
import io

from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.validation import DocumentSecurityStore
from pyhanko.sign.validation.ades import ades_with_time_validation
from pyhanko.sign.validation.policy_decl import (
    CertificateFetchingRule,
    LocalKnowledge,
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko.sign.validation.status import PdfSignatureStatus
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer


class Validator:
    """Anchors are parsed once; everything that belongs to the file is read for each file."""

    def __init__(self, anchor: bytes) -> None:
        self._policy = CertValidationPolicySpec(
            trust_manager=SimpleTrustManager.build(trust_roots=[asn1_x509.Certificate.load(anchor)]),
            revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO, retroactive_revinfo=True),
        )

    def validate(self, sealed: bytes) -> None:
        """Raises unless pyHanko finds the signature PASSED: a peer that fails early proves nothing."""
        reader = PdfFileReader(io.BytesIO(sealed), strict=False)
        signature = reader.embedded_regular_signatures[0]
        signature.compute_integrity_info()
        store = DocumentSecurityStore.read_dss(reader)
        knowledge = LocalKnowledge(
            known_certs=list(store.load_certs()),
            known_crls=[
                CRLContainer(asn1_crl.CertificateList.load(entry.get_object().data)) for entry in store.crls
            ],
            known_ocsps=[
                container
                for entry in store.ocsps
                for container in OCSPContainer.load_multi(
                    asn1_ocsp.OCSPResponse.load(entry.get_object().data)
                )
            ],
        )
        specification = PdfSignatureValidationSpec(
            SignatureValidationSpec(
                cert_validation_policy=self._policy,
                revinfo_gathering_policy=RevocationInfoGatheringSpec(
                    online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY,
                    certificate_fetching_rule=CertificateFetchingRule.NEVER_FETCH,
                ),
                local_knowledge=knowledge,
            )
        )
        result = asyncio.run(
            ades_with_time_validation(
                signature.signed_data,
                specification.signature_validation_spec,
                raw_digest=signature.compute_digest(),
                extra_status_kwargs=signature.summarise_integrity_info(),
                status_cls=PdfSignatureStatus,
            )
        )
        if not isinstance(result.ades_subindic, AdESPassed):
            raise RuntimeError(f"pyHanko says {result.ades_subindic}")
