"""The validation report says what the verdict says, in the standard's words."""

from __future__ import annotations

from io import BytesIO
from xml.etree import ElementTree

import pytest

from tests.verify.attacks import bytes_behind
from tests.verify.documents import SealedDocument
from verify.etsi import etsi_report
from verify.service import VerificationService

VR = "{http://uri.etsi.org/19102/v1.2.1#}"


def test_the_report_names_the_signature_and_its_indication(
    service: VerificationService, document: SealedDocument
) -> None:
    report = ElementTree.fromstring(etsi_report(service.by_file(BytesIO(document.content), thorough=True)))
    assert report.tag == f"{VR}ValidationReport"
    (signature,) = report.findall(f"{VR}SignatureValidationReport")
    assert signature.findtext(f".//{VR}MainIndication") == "urn:etsi:019102:mainindication:total-passed"
    assert signature.findtext(f".//{VR}POETime") == "2026-11-22T03:00:00Z"
    assert signature.findtext(f".//{VR}ValidationTime") == "2026-11-22T04:00:00Z"


def test_a_failure_names_its_sub_indication(service: VerificationService, document: SealedDocument) -> None:
    report = ElementTree.fromstring(etsi_report(service.by_file(BytesIO(bytes_behind(document.content)))))
    assert report.findtext(f".//{VR}MainIndication") == "urn:etsi:019102:mainindication:total-failed"
    assert report.findtext(f".//{VR}SubIndication") == "urn:etsi:019102:subindication:FORMAT_FAILURE"


def test_there_is_no_report_without_a_signature(
    service: VerificationService, document: SealedDocument
) -> None:
    with pytest.raises(ValueError, match="there are none"):
        etsi_report(service.by_link(document.link))
