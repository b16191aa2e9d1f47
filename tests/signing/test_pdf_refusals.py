"""What cannot be sealed is refused with its cause, in bounded time, and nothing else is raised."""

from __future__ import annotations

import io
import time
import tracemalloc
import zlib

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from signing import pdf
from signing.errors import (
    BrokenPdf,
    DecompressionBomb,
    EmptyFile,
    EncryptedPdf,
    FileTooLarge,
    NoRoomForStamp,
    NotAPdf,
    PdfRefused,
    TooManyPages,
    TruncatedPdf,
)
from signing.model import StampPlace
from tests.signing.pdfs import assert_valid, changed, letter, seal, with_page


def refusal(source: bytes, limits: pdf.PdfLimits | None = None) -> PdfRefused:
    started = time.monotonic()
    with pytest.raises(PdfRefused) as caught:
        pdf.inspect(io.BytesIO(source), limits)
    assert time.monotonic() - started < 10
    return caught.value


def test_zero_bytes() -> None:
    assert type(refusal(b"")) is EmptyFile


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n", b"PK\x03\x04" + bytes(5000), b"\x00"])
def test_something_else(content: bytes) -> None:
    assert type(refusal(content)) is NotAPdf


@pytest.mark.parametrize("kept", [9, 20, 200])
def test_a_file_that_was_cut_off_before_anything_usable(kept: int) -> None:
    assert type(refusal(letter()[:kept])) is TruncatedPdf


def test_a_file_that_lost_only_its_cross_reference_is_rebuilt_and_says_so() -> None:
    source = letter()
    cut = source[: source.rindex(b"xref\n", 0, source.rindex(b"startxref"))]
    assert pdf.inspect(io.BytesIO(cut)).rebuilt
    assert_valid(seal(cut)[1])


def test_rebuilding_gives_the_same_bytes_every_time() -> None:
    source = letter()
    damaged = source.replace(b"startxref", b"startxxxx")
    digests = set()
    for _ in range(2):
        with pdf.prepare(io.BytesIO(damaged)) as prepared:
            assert prepared.facts.rebuilt
            digests.add(prepared.digest)
    assert len(digests) == 1


def test_noise_behind_a_pdf_header() -> None:
    noise = b"%PDF-1.7\n" + zlib.compress(bytes(range(256)) * 40) + b"\n%%EOF\n"
    assert type(refusal(noise)) is BrokenPdf


@pytest.mark.parametrize("user", ["", "rahasia"])
@pytest.mark.parametrize("strength", [4, 6])
def test_encryption_even_with_an_empty_password(user: str, strength: int) -> None:
    document, _ = changed(letter())
    out = io.BytesIO()
    document.save(out, encryption=pikepdf.Encryption(owner="pemilik", user=user, R=strength))
    error = refusal(out.getvalue())
    assert type(error) is EncryptedPdf
    assert "without security" in str(error)


def test_an_encrypted_file_with_a_broken_cross_reference_is_still_called_encrypted() -> None:
    document, _ = changed(letter())
    out = io.BytesIO()
    document.save(out, encryption=pikepdf.Encryption(owner="pemilik", user="", R=4))
    assert type(refusal(out.getvalue().replace(b"startxref", b"startxxxx"))) is EncryptedPdf


def test_more_bytes_than_the_limit() -> None:
    assert "at most 1,000" in str(refusal(letter(), pdf.PdfLimits(max_bytes=1000)))
    assert type(refusal(letter(), pdf.PdfLimits(max_bytes=1000))) is FileTooLarge


def ten_thousand_pages(count: int | None) -> bytes:
    document = pikepdf.new()
    for _ in range(10_000):
        document.add_blank_page(page_size=(200, 200))
    if count is not None:
        document.Root.Pages.Count = count
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


@pytest.mark.parametrize("count", [None, 3], ids=["honest count", "count says 3"])
def test_ten_thousand_pages_whatever_the_count_says(count: int | None) -> None:
    error = refusal(ten_thousand_pages(count))
    assert type(error) is TooManyPages
    assert "2,000" in str(error)


def test_two_thousand_pages_are_taken() -> None:
    document = pikepdf.new()
    for _ in range(2000):
        document.add_blank_page(page_size=(595, 842))
    out = io.BytesIO()
    document.save(out)
    assert pdf.inspect(io.BytesIO(out.getvalue())).page_count == 2000


def test_an_object_stream_that_is_a_bomb() -> None:
    bomb = zlib.compress(b"1 0 " + b" " * 200_000_000, 9)
    body = (
        b"%%PDF-1.5\n1 0 obj\n<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>stream\n%b\n"
        b"endstream\nendobj\n" % (len(bomb), bomb)
    )
    rows = b"\x00\x00\x00\x00\x00\x00" + b"\x01\x00\x00\x00\x09\x00" + b"\x02\x00\x00\x00\x01\x00"
    rows += b"\x01" + len(body).to_bytes(4) + b"\x00"
    xref = (
        b"3 0 obj\n<</Type/XRef/Size 4/W[1 4 1]/Root 2 0 R/Length %d>>stream\n%b\nendstream\nendobj\n"
        b"startxref\n%d\n%%%%EOF\n" % (len(rows), rows, len(body))
    )
    assert type(refusal(body + xref)) is DecompressionBomb


def bomb_on_a_page(size: int) -> bytes:
    document, saved = changed(letter(pages=1))
    page = document.pages[0]
    page.obj.Contents = document.make_stream(b"")
    page.obj.Contents.write(zlib.compress(b"0 0 m " * (size // 6), 9), filter=pikepdf.Name.FlateDecode)
    return bytes(saved())


def test_a_page_whose_content_is_a_bomb() -> None:
    with pytest.raises(DecompressionBomb, match="page 1"):
        seal(bomb_on_a_page(240_000_000), place=None)


def test_at_a_named_place_a_bomb_is_never_unpacked() -> None:
    source = bomb_on_a_page(60_000_000)
    seal(letter())  # what is loaded once per process does not count
    tracemalloc.start()
    try:
        _, content = seal(source)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000
    assert_valid(content)


def test_a_page_tree_that_bites_its_tail_ends() -> None:
    document, saved = changed(letter(pages=1))
    document.Root.Pages.Kids.append(document.Root.Pages)
    source = saved()
    assert pdf.inspect(io.BytesIO(source)).page_count == 1
    assert_valid(seal(source)[1])


@settings(max_examples=120, deadline=None)
@given(
    which=some.integers(0, 1),
    position=some.integers(0, 10**6),
    junk=some.binary(min_size=1, max_size=12),
    cut=some.one_of(some.none(), some.integers(0, 10**6)),
)
def test_damage_anywhere_ends_in_a_seal_or_a_refusal(
    which: int, position: int, junk: bytes, cut: int | None
) -> None:
    _, saved = changed(letter(), object_stream_mode=pikepdf.ObjectStreamMode.generate)
    source = bytearray(saved() if which else letter())
    position %= len(source)
    source[position : position + len(junk)] = junk
    del source[(cut % len(source) if cut is not None else len(source)) :]
    try:
        _, content = seal(bytes(source))
    except PdfRefused:
        return
    assert_valid(content)


@pytest.mark.parametrize("opening", [b"[", b"<</A ", b"<</Kids["])
def test_bottomless_nesting_is_refused(opening: bytes) -> None:
    source = letter().replace(b"/Type /Catalog", b"/Type /Catalog /X " + opening * 100_000)
    assert isinstance(refusal(source), PdfRefused)


def test_a_page_that_does_not_exist_and_a_place_outside_the_page() -> None:
    for place in (StampPlace(3, 0, 0), StampPlace(0, 0, 0), StampPlace(-3, 0, 0)):
        with pytest.raises(NoRoomForStamp, match="does not exist"):
            seal(letter(), place=place)
    for place in (
        StampPlace(1, 500, 10),
        StampPlace(1, 10, 800),
        StampPlace(1, -5, 10),
        StampPlace(1, 0, 0, 50),
    ):
        with pytest.raises(NoRoomForStamp, match="210 x 297 mm"):
            seal(letter(), place=place)


@pytest.mark.parametrize("box", [[0, 0, 0, 0], ["a", 1, 2, 3], [1, 2], [0, 0, 1e30, 10]])
def test_a_nonsensical_media_box_is_read_as_the_default(box: list[object]) -> None:
    values = [pikepdf.String(v) if isinstance(v, str) else v for v in box]
    source = with_page(letter(pages=1), MediaBox=pikepdf.Array(values))
    assert pdf.inspect(io.BytesIO(source)).page_sizes[0] == (612.0, 792.0)
