"""The sample documents are fit to be sealed, and nobody's."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pypdfium2
import pytest

from app.demo import SAMPLE_AGENCIES, SampleDocument, sample_documents
from app.demo.sheet import STAMP_ROOM
from signing.types import document_type
from tests.support.needs import ROOT, requires, tool_path

SAMPLES = sample_documents()
each = pytest.mark.parametrize("sample", SAMPLES, ids=[sample.slug for sample in SAMPLES])


def test_another_process_draws_the_same_bytes() -> None:
    program = (
        "import hashlib; from app.demo import sample_documents;"
        "print(*(hashlib.sha256(sample.pdf).hexdigest() for sample in sample_documents()))"
    )
    again = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert again.stdout.split() == [hashlib.sha256(sample.pdf).hexdigest() for sample in SAMPLES]


@each
def test_its_facts_name_what_exists(sample: SampleDocument) -> None:
    assert document_type(sample.type).code == sample.type
    assert sample.agency in {agency.slug for agency in SAMPLE_AGENCIES}
    assert sample.valid_until is None or sample.valid_until > sample.issued_on


@each
def test_the_stamp_has_its_room_on_the_page(sample: SampleDocument) -> None:
    pdf = pypdfium2.PdfDocument(sample.pdf)
    assert sample.place is not None
    page = pdf[sample.place.page - 1]
    room = (sample.place.x, sample.place.y, sample.place.x + 270, sample.place.y + STAMP_ROOM)
    assert room[0] > 0
    assert room[1] > 0
    assert room[2] < page.get_width()
    assert room[3] < page.get_height()
    words = page.get_textpage()
    assert words.get_text_bounded(*room).strip() == "", "something is printed where the stamp goes"
    words.close()
    page.close()
    pdf.close()


@each
def test_it_says_that_it_is_made_up_and_its_numbers_are_of_no_real_place(sample: SampleDocument) -> None:
    pdf = pypdfium2.PdfDocument(sample.pdf)
    for page in pdf:
        words = page.get_textpage()
        text = words.get_text_bounded()
        words.close()
        page.close()
        assert "Sample document." in text
        for number in re.findall(r"(?<!\d)\d{16}(?!\d)", text):
            assert number.startswith("99"), "region 99 does not exist; every other may be somebody's"
    pdf.close()


@each
@requires("qpdf", "pdffonts")
def test_other_peoples_tools_find_a_whole_file_with_its_fonts(sample: SampleDocument, tmp_path: Path) -> None:
    file = tmp_path / "sample.pdf"
    file.write_bytes(sample.pdf)
    subprocess.run([tool_path("qpdf"), "--check", file], check=True, capture_output=True)
    listed = subprocess.run([tool_path("pdffonts"), file], check=True, capture_output=True, text=True).stdout
    fonts = listed.splitlines()[2:]
    assert fonts
    for line in fonts:
        assert re.search(r" yes yes yes +\d+ +\d+$", line), f"not embedded, subset and mapped: {line}"


def test_agencies_fit_into_certificates() -> None:
    for agency in SAMPLE_AGENCIES:
        assert len(agency.name) <= 64, "RFC 5280, ub-organization-name"
    assert len({agency.slug for agency in SAMPLE_AGENCIES}) == len(SAMPLE_AGENCIES)
