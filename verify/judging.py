"""Policy and evidence for pyHanko's validation: what counts, and what is at hand. Nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asn1crypto import cms as asn1_cms
from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel, StandardDiffPolicy
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
from pyhanko.sign.general import find_cms_attribute_iter
from pyhanko.sign.validation import DocumentSecurityStore, EmbeddedPdfSignature
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
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import (
    REQUIRE_REVINFO,
    CertRevTrustPolicy,
    DisallowWeakAlgorithmsPolicy,
)
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer

from verify.evidence import losses
from verify.trust import TrustStore

SIGNATURES_ONLY = StandardDiffPolicy(
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
"""What may stand between two signatures: evidence, metadata, signature fields. pyHanko's own policy without
the filling of other fields, through which a shadow document is replaced."""

EVIDENCE_ONLY = StandardDiffPolicy(
    global_rules=[
        CatalogModificationRule(),  # type: ignore[no-untyped-call]
        XrefStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
        ObjectStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
        DSSCompareRule().as_qualified(ModificationLevel.LTA_UPDATES),
    ],
    form_rule=None,
)
"""What may follow the last signature, where nobody answers for it: evidence, which speaks for itself."""


def specification_for(knowledge: LocalKnowledge, trust: TrustStore) -> PdfSignatureValidationSpec:
    """How pyHanko is to judge: offline, no weak algorithms, revocation evidence required, our diff policy."""
    algorithms = DisallowWeakAlgorithmsPolicy()  # type: ignore[no-untyped-call]

    def certificates_under(anchors: tuple[x509.Certificate, ...]) -> CertValidationPolicySpec:
        return CertValidationPolicySpec(
            trust_manager=SimpleTrustManager.build(trust_roots=[_asn1(entry) for entry in anchors]),
            # Evidence collected after signing, such as a fresh CRL, speaks for the time of signing too.
            revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO, retroactive_revinfo=True),
            algorithm_usage_policy=algorithms,
        )

    return PdfSignatureValidationSpec(
        SignatureValidationSpec(
            cert_validation_policy=certificates_under(trust.every_anchor),
            ts_cert_validation_policy=certificates_under(trust.every_time_anchor),
            revinfo_gathering_policy=RevocationInfoGatheringSpec(
                online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY,
                certificate_fetching_rule=CertificateFetchingRule.NEVER_FETCH,
            ),
            local_knowledge=knowledge,
            signature_algorithm_policy=CMSAlgorithmUsagePolicy.lift_policy(algorithms),
        ),
        diff_policy=SIGNATURES_ONLY,
    )


def evidence_in(
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


def named(certificate: asn1_x509.Certificate) -> tuple[bytes, int]:
    """As :func:`verify.evidence.name_of`."""
    return certificate.issuer.dump(), certificate.serial_number


def is_void(
    signed_data: asn1_cms.SignedData,
    knowledge: LocalKnowledge,
    *,
    crls: list[bytes],
    ocsp_responses: list[bytes],
    distrusted: frozenset[tuple[bytes, int]] = frozenset(),
) -> bool:
    """Whether a time-stamp token is of a unit whose key, or that of a CA above it, was ever lost, or is among
    those that are ``distrusted`` (:func:`verify.evidence.name_of`). Then its time proves nothing, however
    early it is (RFC 3161 4).
    """
    embedded = [entry.chosen for entry in signed_data["certificates"] or () if entry.name == "certificate"]
    known = [*embedded, *knowledge.known_certs]
    path: list[tuple[bytes, int]] = []
    for signer in signed_data["signer_infos"]:
        if signer["sid"].name != "issuer_and_serial_number":
            continue  # RFC 3161 2.4.2 wants ESSCertID, and every unit known to us names itself like this
        unit = signer["sid"].chosen["issuer"].dump(), signer["sid"].chosen["serial_number"].native
        path.append(unit)
        path += [named(above) for entry in known if named(entry) == unit for above in _above(entry, known)]
    if not distrusted.isdisjoint(path):
        return True
    return any(loss.is_compromise for loss in losses(path, crls=crls, ocsp_responses=ocsp_responses))


def issuers_of(signature: EmbeddedPdfSignature, knowledge: LocalKnowledge) -> list[asn1_x509.Certificate]:
    """Every known certificate that may stand above the signer's."""
    return _above(signature.signer_cert, [*signature.other_embedded_certs, *knowledge.known_certs])


def _above(
    certificate: asn1_x509.Certificate, known: list[asn1_x509.Certificate]
) -> list[asn1_x509.Certificate]:
    """Candidates by name and, where both say it, by key: a CA that was renewed after a loss keeps its name.
    One too many can make a verdict stricter, never milder.
    """
    links, found = [certificate], list[asn1_x509.Certificate]()
    for link in links:
        for candidate in known:
            if candidate not in found and _may_have_issued(candidate, link):
                found.append(candidate)
                links.append(candidate)
    return found


def _may_have_issued(issuer: asn1_x509.Certificate, certificate: asn1_x509.Certificate) -> bool:
    if issuer.subject.dump() != certificate.issuer.dump():
        return False
    its_key, named_key = issuer.key_identifier, certificate.authority_key_identifier
    return its_key is None or named_key is None or its_key == named_key


def _archived_in(signature: EmbeddedPdfSignature) -> Iterator[Any]:
    """Adobe's own place for evidence, the signed attribute revocationInfoArchival."""
    yield from find_cms_attribute_iter(
        signature.signer_info["signed_attrs"], "adobe_revocation_info_archival"
    )


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
