"""Sealing, judged by readers that nobody here wrote."""

from __future__ import annotations

import hashlib
import io
import subprocess
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import zxingcpp
from cryptography.x509.oid import ExtendedKeyUsageOID
from PIL import ImageChops
from pyhanko.pdf_utils.reader import PdfFileReader

from keys.model import SIGNATURE_ALGORITHMS, KeyAlgorithm
from signing.errors import LockedByEarlierSignature
from signing.model import StampPlace
from signing.stamp import MM, StampForm
from tests.signing.pdfs import (
    CORNER,
    DIGITS,
    LINK,
    assert_valid,
    changed,
    letter,
    pdfsig,
    picture,
    qpdf_severity,
    seal,
    tool,
    with_page,
)
from tests.signing.pki import NOW, TestTimeStamper, certify, hierarchy


def decoded(content: bytes, page: int, folder: Path, **how: Any) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(picture(content, page, folder, **how))]


@pytest.mark.parametrize("algorithm", SIGNATURE_ALGORITHMS)
def test_a_seal_validates_for_pyhanko_poppler_and_qpdf_with_every_key_type(
    algorithm: KeyAlgorithm, tmp_path: Path
) -> None:
    _, content = seal(letter(), identity=hierarchy().seal(algorithm))
    assert_valid(content)
    (report,) = pdfsig(content, tmp_path)
    assert "Signature is Valid" in report
    assert "Total document signed" in report
    assert "ETSI.CAdES.detached" in report
    assert qpdf_severity(content, tmp_path) == 0


def test_an_rsa_timestamp_is_embedded_and_valid() -> None:
    root = hierarchy()
    unit = certify(
        "TSU RSA",
        issuer=root.issuing,
        algorithm=KeyAlgorithm.RSA_3072,
        extended=ExtendedKeyUsageOID.TIME_STAMPING,
    )
    stamper = TestTimeStamper(unit, (root.issuing.encoded, root.root.encoded))
    assert_valid(seal(letter(), timestamper=stamper)[1])


def test_the_seal_is_one_incremental_update_behind_the_untouched_source() -> None:
    source = letter()
    sealed, content = seal(source)
    assert content.startswith(source)
    assert content.count(b"%%EOF") == source.count(b"%%EOF") + 1
    assert PdfFileReader(io.BytesIO(content)).xrefs.total_revisions == 2
    assert sealed.size == len(content)
    assert sealed.digest == hashlib.sha256(content).digest()


def test_the_byte_range_leaves_out_nothing_but_the_signature_value() -> None:
    sealed, content = seal(letter())
    _, first, after, rest = sealed.byte_range
    assert content[first : first + 1] + content[after - 1 : after] == b"<>"
    assert after + rest == len(content)
    int(content[first + 1 : after - 1], 16)


def test_the_file_carries_its_evidence_and_certifies_that_nothing_may_change() -> None:
    root = hierarchy()
    _, content = seal(letter())
    reader = PdfFileReader(io.BytesIO(content))
    store = reader.root["/DSS"]
    stored = {key: {item.get_object().data for item in store[key]} for key in ("/Certs", "/OCSPs", "/CRLs")}
    certificates = {part.encoded for part in (root.root, root.issuing, root.unit, root.responder)}
    assert certificates | {root.seal().certificate} == stored["/Certs"]
    assert len(stored["/OCSPs"]) == 2
    assert stored["/CRLs"] == {root.revocation_list}
    assert int(reader.embedded_signatures[0].docmdp_level.value) == 1


def test_what_an_offline_verifier_needs_stands_in_the_signed_bytes() -> None:
    source = letter()
    sealed, content = seal(source)
    signature = PdfFileReader(io.BytesIO(content)).root["/AcroForm"]["/Fields"][-1]["/V"]
    assert signature["/ABSH_SourceLength"] == len(source)
    assert signature["/ABSH_Receipt"] == DIGITS
    assert signature["/ABSH_Document"] == "7K3M9QXFA2B4C6D8"
    assert content.index(b"/ABSH_Receipt") < sealed.byte_range[1]


@pytest.mark.parametrize("grey", [False, True])
def test_the_printed_code_reads_at_200_dpi_in_colour_and_in_grey(grey: bool, tmp_path: Path) -> None:
    sealed, content = seal(letter())
    assert decoded(content, sealed.page, tmp_path, grey=grey) == [LINK]


def test_modules_are_at_least_0_4_mm_and_white_surrounds_the_code() -> None:
    sealed, content = seal(letter())
    appearance = PdfFileReader(io.BytesIO(content)).root["/AcroForm"]["/Fields"][-1]["/AP"]["/N"]
    matrix = next(line for line in appearance.data.decode().splitlines() if line.endswith("/QR Do Q"))
    assert float(matrix.split()[1]) >= 0.4 * MM - 1e-4
    code = appearance["/Resources"]["/XObject"]["/QR"]
    side = int(code["/BBox"][2])
    edges = [tuple(map(int, line.split()[:3])) for line in code.data.splitlines() if line.endswith(b"1 re")]
    assert min(x for x, _, _ in edges) == 4
    assert max(x + width for x, _, width in edges) == side - 4
    assert {y for _, y, _ in edges} == set(range(4, side - 4))
    assert sealed.form is StampForm.WIDE


def test_outside_the_stamp_the_page_looks_as_before(tmp_path: Path) -> None:
    source = letter()
    sealed, content = seal(source)
    before, after = (picture(each, sealed.page, tmp_path, dpi=100) for each in (source, content))
    difference = ImageChops.difference(before, after).getbbox()
    assert difference is not None
    left, bottom, right, top = (edge * 100 / 72 for edge in sealed.rectangle)
    assert difference[0] >= left - 2
    assert difference[2] <= right + 2
    assert before.height - difference[1] <= top + 2
    assert before.height - difference[3] >= bottom - 2


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("user_unit", [1.0, 2.0])
def test_a_named_place_counts_on_the_page_as_shown(rotate: int, user_unit: float, tmp_path: Path) -> None:
    source = with_page(
        letter(pages=1, size=(700, 900)),
        Rotate=rotate,
        UserUnit=user_unit,
        MediaBox=pikepdf.Array([-50, -20, 650, 880]),
        CropBox=pikepdf.Array([-30, 10, 600, 800]),
    )
    _, content = seal(source, place=StampPlace(page=1, x=100, y=60))
    assert_valid(content)
    # poppler ignores UserUnit, so its pictures are smaller by that factor
    image = picture(content, 1, tmp_path, dpi=round(200 * user_unit), grey=True)
    (found,) = zxingcpp.read_barcodes(image)
    assert found.text == LINK
    corner = found.position.bottom_left
    scale = image.height / ({0: 790, 180: 790}.get(rotate, 630) * user_unit)
    assert abs(found.orientation) < 3, "the stamp does not stand upright"
    assert 100 * scale < corner.x < 130 * scale
    assert 60 * scale < image.height - corner.y < 90 * scale


@pytest.mark.parametrize(
    "save",
    [
        {"object_stream_mode": pikepdf.ObjectStreamMode.generate},
        {"linearize": True},
        {"qdf": True},
        {"object_stream_mode": pikepdf.ObjectStreamMode.generate, "linearize": True},
    ],
    ids=["object streams", "linearized", "expanded", "linearized object streams"],
)
def test_every_way_of_writing_a_pdf_can_be_sealed(save: dict[str, Any], tmp_path: Path) -> None:
    _, saved = changed(letter(), **save)
    _, content = seal(saved(), place=None)
    assert_valid(content)
    assert qpdf_severity(content, tmp_path) == 0
    (report,) = pdfsig(content, tmp_path)
    assert "Total document signed" in report


def test_a_size_entry_that_is_too_small_does_not_let_the_seal_overwrite_objects(tmp_path: Path) -> None:
    source = letter()
    lying = source.replace(b"/Size ", b"/Size 3 %", 1)
    assert lying != source
    _, content = seal(lying)
    before, after = (picture(each, 1, tmp_path, dpi=40) for each in (source, content))
    assert ImageChops.difference(before, after).getbbox() is None


def test_a_larger_token_than_foreseen_gets_a_second_try() -> None:
    root = hierarchy()
    stranger = tuple(certify(f"Orang lain {n}", issuer=root.issuing).encoded for n in range(8))
    stamper = TestTimeStamper(
        root.unit, (root.issuing.encoded, root.root.encoded), NOW, padding_certificates=stranger
    )
    assert_valid(seal(letter(), timestamper=stamper)[1])


def test_the_code_can_be_clicked_on_a_screen() -> None:
    _, content = seal(letter())
    annotations = PdfFileReader(io.BytesIO(content)).root["/Pages"]["/Kids"][1]["/Annots"]
    (link,) = [a.get_object() for a in annotations if a.get_object()["/Subtype"] == "/Link"]
    assert link["/A"]["/URI"] == LINK


def test_an_existing_form_keeps_its_fields_and_their_names() -> None:
    document, saved = changed(letter())
    field = document.make_indirect(
        pikepdf.Dictionary(FT=pikepdf.Name.Tx, T=pikepdf.String("AbsahSeal"), V=pikepdf.String("isi"))
    )
    document.Root.AcroForm = pikepdf.Dictionary(Fields=document.make_indirect(pikepdf.Array([field])))
    _, content = seal(saved())
    assert_valid(content)
    fields = PdfFileReader(io.BytesIO(content)).root["/AcroForm"]["/Fields"]
    assert [fields[i]["/T"] for i in range(len(fields))] == ["AbsahSeal", "AbsahSeal2"]
    assert fields[0]["/V"] == "isi"


def test_sealing_a_sealed_file_again_is_refused_because_it_allows_no_changes() -> None:
    with pytest.raises(LockedByEarlierSignature, match="P=1"):
        seal(seal(letter())[1], place=CORNER)


def hybrid() -> bytes:
    """Object 5, the font, lies in an object stream that only ``/XRefStm`` leads to, as office suites do."""
    content = b"BT /F 20 Tf 72 700 Td (Surat hibrida) Tj ET"
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    bodies = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        3: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        4: b"<</Length %d>>stream\n%b\nendstream" % (len(content), content),
        6: b"<</Type/ObjStm/N 1/First 4/Length %d>>stream\n5 0 %b\nendstream" % (4 + len(font), font),
    }
    out, offsets = bytearray(b"%PDF-1.5\n"), {}
    for number, body in bodies.items():
        offsets[number] = len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    hidden = len(out)
    rows = b"\x02\x00\x06\x00" + b"\x01" + offsets[6].to_bytes(2) + b"\x00"
    out += b"7 0 obj\n<</Type/XRef/Size 8/W[1 2 1]/Index[5 2]/Length %d>>stream\n%b\nendstream\nendobj\n" % (
        len(rows),
        rows,
    )
    table = len(out)
    out += b"xref\n0 8\n0000000000 65535 f \n"
    for number in range(1, 8):
        out += b"%010d 00000 n \n" % offsets[number] if number < 5 else b"0000000000 65535 f \n"
    out += b"trailer\n<</Size 8/Root 1 0 R/XRefStm %d>>\nstartxref\n%d\n%%%%EOF\n" % (hidden, table)
    return bytes(out)


def test_a_hybrid_cross_reference_keeps_what_only_its_stream_knows(tmp_path: Path) -> None:
    source = hybrid()
    sealed, content = seal(source, place=None)
    assert_valid(content)
    (report,) = pdfsig(content, tmp_path)
    assert "Total document signed" in report
    assert qpdf_severity(content, tmp_path) <= qpdf_severity(source, tmp_path)
    resources = PdfFileReader(io.BytesIO(content), strict=False).root["/Pages"]["/Kids"][0]["/Resources"]
    assert resources["/Font"]["/F"]["/BaseFont"] == "/Helvetica"
    path = tmp_path / "hybrid.pdf"
    path.write_bytes(content)
    shown = subprocess.run(
        [tool("qpdf", "qpdf"), "--show-object=5", str(path)], capture_output=True, text=True, check=True
    )
    assert "/Helvetica" in shown.stdout
    assert sealed.page == 1
