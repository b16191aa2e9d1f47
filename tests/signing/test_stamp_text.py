"""The words on the stamp: they fit, they are right, and what cannot be printed is named."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from signing import fonts
from signing import stamp as stamps
from signing.errors import StampTextTooLong, UnprintableCharacter
from signing.fonts import Face, font_for
from signing.qr import qr_code
from signing.stamp import MODULE, NAVY, Stamp, StampForm, compose, indonesian_date
from signing.typesetting import Style, fit
from tests.signing.pdfs import LINK, TEXT, letter, seal

NAMES = some.text(
    some.characters(
        min_codepoint=0x20, max_codepoint=0x17F, exclude_characters="\x7f", exclude_categories=["Cc"]
    ),
    min_size=1,
    max_size=60,
)


def stamp(form: StampForm = StampForm.WIDE, **changes: object) -> Stamp:
    return compose(form, replace(TEXT, **changes), qr_code(LINK, "Q"), LINK)  # type: ignore[arg-type]


def test_dates_are_written_in_indonesian() -> None:
    months = [indonesian_date(date(2026, month, 1)).split()[1] for month in range(1, 13)]
    assert months[:3] + months[7:8] + months[-1:] == ["Januari", "Februari", "Maret", "Agustus", "Desember"]
    assert len(set(months)) == 12
    assert indonesian_date(date(1945, 8, 17)) == "17 Agustus 1945"


@settings(max_examples=150, deadline=None)
@given(text=NAMES, width=some.floats(60, 300))
def test_no_line_is_ever_wider_than_its_column(text: str, width: float) -> None:
    style = Style(Face.SEMIBOLD, NAVY, 8, 5, 3)
    try:
        lines = fit(text, style, width)
    except (StampTextTooLong, UnprintableCharacter):
        return
    assert len(lines) <= 3
    assert all(line.width <= width + 1e-9 and 5 <= line.size <= 8 for line in lines)


def test_a_long_issuer_takes_more_lines_and_a_taller_stamp_not_less_room_for_the_rest() -> None:
    long = "Dinas Kependudukan dan Pencatatan Sipil Kabupaten Kepulauan Siau Tagulandang Biaro Sulawesi Utara"
    assert stamp(issuer=long, signatory=long).height > stamp(issuer="Dinas", signatory="Kepala").height


def test_a_text_beyond_the_stamp_is_refused_by_name() -> None:
    with pytest.raises(StampTextTooLong, match=r"Sangat panjang.*300 characters.*shorten"):
        stamp(issuer=("Sangat panjang " * 20).strip() + "n")


def test_latin_names_beyond_ascii_are_printed_with_the_larger_font() -> None:
    _, content = seal(letter(), text=replace(TEXT, issuer="Łódź Şehir Őrség"))
    with pikepdf.open(io.BytesIO(content)) as document:
        widget = document.Root.AcroForm.Fields[-1]
        names = {str(font.BaseFont) for font in widget.AP.N.Resources.Font.values()}
    assert font_for(Face.SEMIBOLD, "Ł").name in {name.lstrip("/") for name in names}


@pytest.mark.parametrize(("text", "character"), [("Dinas 漢", "漢"), ("Dinas 😀", "😀"), ("Dinas ꦲ", "ꦲ")])
def test_a_character_that_no_font_has_is_named(text: str, character: str) -> None:
    with pytest.raises(UnprintableCharacter) as caught:
        stamp(issuer=text)
    assert caught.value.character == character
    assert f"U+{ord(character):04X}" in str(caught.value)


def test_decomposed_letters_are_composed_before_printing() -> None:
    assert stamp(issuer="Cafe\u0301").operators() == stamp(issuer="Café").operators()


@pytest.mark.parametrize("form", list(StampForm))
@pytest.mark.parametrize("sample", [False, True])
def test_everything_lies_inside_the_card(form: StampForm, sample: bool) -> None:
    made = stamp(form, is_sample=sample)
    x, y = made.code_at
    assert x >= 0
    assert y >= 0
    assert x + made.code_side <= made.width
    assert y + made.code_side <= made.height
    assert made.code_side / MODULE == pytest.approx(qr_code(LINK, "Q").side)


def test_a_sample_says_that_it_is_not_an_official_document() -> None:
    heading = font_for(Face.SEMIBOLD, "CONTOH").encode("CONTOH")[1:-1]
    for form in StampForm:
        assert heading in stamp(form, is_sample=True).operators().decode()
        assert heading not in stamp(form).operators().decode()


def test_the_words_can_be_selected_and_searched() -> None:
    """Through the embedded ToUnicode map, the way a viewer copies text."""
    _, content = seal(letter(pages=1, lines=1))
    with pikepdf.open(io.BytesIO(content)) as document:
        appearance = document.Root.AcroForm.Fields[-1].AP.N
        fonts = dict(appearance.Resources.Font.items())
        found, current = [], {}
        for operands, operator in pikepdf.parse_content_stream(appearance):
            if str(operator) == "Tf":
                current = _mapping(fonts[str(operands[0])].ToUnicode.read_bytes())
            elif str(operator) == "Tj":
                raw = bytes(operands[0])
                found.append("".join(current[raw[i : i + 2]] for i in range(0, len(raw), 2)))
    assert "7K3M-9QXF-A2B4-C6D8" in found
    assert "22 November 2026" in found
    assert "Dokumen ini disegel secara elektronik" in found


def _mapping(cmap: bytes) -> dict[bytes, str]:
    pairs = [line.split() for line in cmap.splitlines() if line.startswith(b"<") and line.count(b"<") == 2]
    return {
        bytes.fromhex(code.strip(b"<>").decode()): chr(int(character.strip(b"<>"), 16))
        for code, character in pairs
        if len(code) == 6 and pairs
    }


def test_threads_that_need_the_fonts_first_at_the_same_moment_all_get_a_stamp() -> None:
    """Each thread may load its own copy; what one laid out must fit what the other goes on with."""
    code = qr_code(LINK, "Q")
    start = threading.Barrier(8)

    def first_stamp(number: int) -> bytes:
        start.wait()
        return compose(StampForm.WIDE, replace(TEXT, issuer=f"Dinas {number}"), code, LINK).packed()

    for _ in range(5):
        for remembered in (fonts._load, fit, stamps._wide_card, stamps._packed):
            remembered.cache_clear()
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(first_stamp, range(8)))


def test_a_font_that_was_loaded_twice_is_one_font() -> None:
    first, second = (fonts._load.__wrapped__(Face.REGULAR, "Basic") for _ in range(2))
    assert first is not second
    assert {first: "F1"}[second] == "F1"
    assert first != fonts._load(Face.REGULAR, "Extended")
