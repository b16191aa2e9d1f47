"""Somebody signed the document before us, with other software."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko_certvalidator.registry import SimpleCertificateStore

from signing import pdf
from signing.errors import LockedByEarlierSignature, NoRoomForStamp
from tests.signing.pdfs import assert_valid, field_signature, judge, letter, pdfsig, seal
from tests.signing.pki import Certified, certify


def stranger() -> tuple[Certified, Certified]:
    root = certify("Akar lain", issuer=None, ca=True)
    return root, certify("Penandatangan lain", issuer=root)


def signed_by(
    signer: Certified,
    source: bytes,
    *,
    name: str = "Pertama",
    certify_as: fields.MDPPerm | None = None,
    lock: fields.FieldMDPSpec | None = None,
) -> bytes:
    """An ordinary visible or certifying signature by pyHanko."""
    key = signer.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    software = signers.SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(signer.encoded),
        signing_key=asn1_keys.PrivateKeyInfo.load(key),
        cert_registry=SimpleCertificateStore(),
    )
    writer = IncrementalPdfFileWriter(io.BytesIO(source))
    spec = fields.SigFieldSpec(name, on_page=0, box=(300, 700, 400, 740), field_mdp_spec=lock)
    fields.append_signature_field(writer, spec)
    metadata = signers.PdfSignatureMetadata(
        field_name=name,
        certify=certify_as is not None,
        docmdp_permissions=certify_as or fields.MDPPerm.FILL_FORMS,
    )
    out = signers.PdfSigner(metadata, signer=software).sign_pdf(writer)
    return bytes(out.getvalue())


@pytest.mark.parametrize("named", [True, False], ids=["named place", "found place"])
def test_an_earlier_signature_stays_valid_under_our_seal(named: bool, tmp_path: Path) -> None:
    root, signer = stranger()
    earlier = signed_by(signer, letter())
    _, content = seal(earlier) if named else seal(earlier, place=None)
    assert content.startswith(earlier)
    first = judge(field_signature(content, "Pertama"), root.encoded)
    assert first.bottom_line, first.pretty_print_details()
    assert first.modification_level.name in ("LTA_UPDATES", "FORM_FILLING")
    assert_valid(content)
    reports = pdfsig(content, tmp_path)
    assert len(reports) == 2
    assert all("Signature is Valid" in report for report in reports)


def test_two_earlier_signatures_stay_valid_under_our_seal() -> None:
    root, signer = stranger()
    earlier = signed_by(signer, signed_by(signer, letter()), name="Kedua")
    _, content = seal(earlier)
    for name in ("Pertama", "Kedua"):
        assert judge(field_signature(content, name), root.encoded).bottom_line
    assert_valid(content)


def test_a_seal_beside_a_signature_that_is_already_broken_is_valid_and_mends_nothing() -> None:
    root, signer = stranger()
    earlier = signed_by(signer, letter())
    value = earlier.index(b"/ByteRange")
    broken = earlier[:20] + bytes((earlier[20] ^ 1,)) + earlier[21:]
    assert value > 20
    _, content = seal(broken)
    assert_valid(content)
    assert not judge(field_signature(content, "Pertama"), root.encoded).intact


def test_our_seal_beside_another_does_not_certify() -> None:
    _, signer = stranger()
    _, content = seal(signed_by(signer, letter()))
    assert field_signature(content).docmdp_level is None


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [
        (fields.MDPPerm.NO_CHANGES, "no changes"),
        (fields.MDPPerm.FILL_FORMS, r"only filling in and signing fields .* \(DocMDP P=2\)"),
        (fields.MDPPerm.ANNOTATE, r"only comments and filling in and signing fields .* \(DocMDP P=3\)"),
    ],
)
def test_a_certification_that_our_seal_would_break_is_refused_with_its_cause(
    permission: fields.MDPPerm, allowed: str
) -> None:
    _, signer = stranger()
    source = signed_by(signer, letter(), certify_as=permission)
    with pytest.raises(LockedByEarlierSignature, match=f"{allowed}.*before it is certified"):
        pdf.inspect(io.BytesIO(source))


def test_a_lock_on_all_fields_is_refused_with_its_cause() -> None:
    _, signer = stranger()
    lock = fields.FieldMDPSpec(fields.FieldMDPAction.ALL)
    with pytest.raises(LockedByEarlierSignature, match="locks every form field"):
        pdf.inspect(io.BytesIO(signed_by(signer, letter(), lock=lock)))


def test_a_lock_on_other_fields_does_not_stand_in_the_way() -> None:
    root, signer = stranger()
    lock = fields.FieldMDPSpec(fields.FieldMDPAction.INCLUDE, fields=["Nama"])
    _, content = seal(signed_by(signer, letter(), lock=lock))
    assert judge(field_signature(content, "Pertama"), root.encoded).bottom_line


def test_facts_tell_how_many_signatures_there_are() -> None:
    _, signer = stranger()
    facts = pdf.inspect(io.BytesIO(signed_by(signer, letter())))
    assert (facts.signatures, facts.page_count, facts.rebuilt) == (1, 2, False)


def test_no_page_is_added_to_a_signed_document_without_room() -> None:
    _, signer = stranger()
    with pytest.raises(NoRoomForStamp, match="name a place"):
        seal(signed_by(signer, letter(ground=0.9)), place=None)
