"""Real files that nobody here made: each seals and validates, or is refused with its cause."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
import zxingcpp
from PIL import ImageChops, ImageDraw

from signing import pdf
from signing.errors import BrokenPdf, EncryptedPdf, PdfRefused
from tests.signing.pdfs import (
    CORPUS,
    DIGITS,
    LINK,
    TEXT,
    assert_valid,
    pdfsig,
    picture,
    qpdf_severity,
)
from tests.signing.pki import NOW, hierarchy

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason=f"the corpus of real files is not at {CORPUS.parent.name}/{CORPUS.name}"
)

ENCRYPTED = {
    "auth-event-ef-open",
    "issue6010_1",
    "issue6010_2",
    "issue7665",
    "issue9972-1",
    "secHandler",
}
BEYOND_REPAIR = {
    "REDHAT-1531897-0",  # no catalog
    "issue15590",  # the page tree has no kids
    "issue18986",  # no catalog
}
LOOKED_AT = ("bug1019475_2", "issue16067", "two_pages", "tagged_stamp", "issue13372", "annotation-freetext")


def files(folder: str) -> list[Path]:
    return sorted((CORPUS / folder).glob("*.pdf")) if CORPUS.is_dir() else []


def seal_file(path: Path) -> tuple[pdf.SealedPdf, bytes, pdf.PdfFacts]:
    root = hierarchy()
    target = io.BytesIO()
    with path.open("rb") as stream, pdf.prepare(stream) as prepared:
        sealed = pdf.seal_pdf(
            source=prepared,
            target=target,
            stamp=TEXT,
            link=LINK,
            receipt_digits=DIGITS,
            place=None,
            identity=root.seal(),
            timestamper=root.timestamper(),
            evidence=root.evidence_for(root.seal()),
            at=NOW,
        )
        return sealed, target.getvalue(), prepared.facts


@pytest.mark.parametrize("path", files("unsigned"), ids=lambda path: path.stem)
def test_an_unsigned_file_seals_and_validates_or_is_refused_with_its_cause(
    path: Path, tmp_path: Path
) -> None:
    if path.stem in ENCRYPTED:
        with pytest.raises(EncryptedPdf, match="without security"):
            seal_file(path)
        return
    if path.stem in BEYOND_REPAIR:
        with pytest.raises(BrokenPdf, match="produce it again"):
            seal_file(path)
        return
    sealed, content, facts = seal_file(path)
    assert_valid(content)
    (report,) = [each for each in pdfsig(content, tmp_path) if "AbsahSeal" in each]
    assert "Signature is Valid" in report
    assert "Total document signed" in report
    assert qpdf_severity(content, tmp_path) <= qpdf_severity(path.read_bytes(), tmp_path)
    assert sealed.page_added == (sealed.page > facts.page_count)


@pytest.mark.parametrize("path", files("signed") + files("attacks"), ids=lambda path: path.stem)
def test_a_signed_or_hostile_file_ends_in_a_seal_or_a_typed_refusal_within_bounds(path: Path) -> None:
    started = time.monotonic()
    try:
        _, content, _ = seal_file(path)
    except PdfRefused as refusal:
        explained = len(str(refusal)) > 40
    else:
        assert_valid(content)
        explained = True
    assert explained
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("name", LOOKED_AT)
def test_outside_the_stamp_a_sealed_file_looks_as_before(name: str, tmp_path: Path) -> None:
    path = CORPUS / "unsigned" / f"{name}.pdf"
    sealed, content, facts = seal_file(path)
    page = min(sealed.page, facts.page_count)
    before, after = (picture(each, page, tmp_path, dpi=60) for each in (path.read_bytes(), content))
    difference = ImageChops.difference(before, after).convert("L")
    if not sealed.page_added:
        found = difference.getbbox()
        assert found is not None
        area = (found[2] - found[0]) * (found[3] - found[1])
        left, bottom, right, top = (edge * 60 / 72 for edge in sealed.rectangle)
        assert area <= (right - left + 3) * (top - bottom + 3)
        ImageDraw.Draw(difference).rectangle(found, fill=0)
    assert difference.getextrema()[1] <= 8
    read = zxingcpp.read_barcodes(picture(content, sealed.page, tmp_path))
    assert LINK in [code.text for code in read]
