"""Where the stamp goes when nobody says where, and what the page worker survives."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pikepdf
import pytest
import zxingcpp

from signing.pages.inspector import PageInspector, WorkerFailed
from signing.pages.room import find_room
from signing.stamp import StampForm
from tests.signing.pdfs import LINK, assert_valid, changed, letter, picture, qpdf_severity, seal, with_page


def rows_of(*lines: str) -> list[int]:
    return [int(line.replace(".", "0").replace("#", "1"), 2) for line in lines]


def test_the_lowest_room_is_taken_flush_with_the_right_edge_of_the_text() -> None:
    page = rows_of("..........", "..######..", "..######..", "..........", "..........", "..........")
    assert find_room(page, 10, width=3, height=2, margin=(0, 0)) == (5, 4)


def test_room_beside_ink_is_found_and_ink_is_never_touched() -> None:
    page = rows_of("########..", "########..", "########..", "##########")
    assert find_room(page, 10, width=2, height=3, margin=(0, 0)) == (8, 0)
    assert find_room(page, 10, width=3, height=1, margin=(0, 0)) is None


def test_margins_stay_free() -> None:
    page = [0] * 10
    assert find_room(page, 10, width=6, height=6, margin=(2, 2)) == (2, 2)
    assert find_room(page, 10, width=7, height=2, margin=(2, 2)) is None
    assert find_room(page, 10, width=2, height=7, margin=(2, 2)) is None


def test_the_stamp_goes_to_the_foot_of_the_last_page_and_covers_nothing(tmp_path: Path) -> None:
    source = letter(pages=3, lines=25)
    sealed, content = seal(source, place=None)
    assert (sealed.page, sealed.form, sealed.page_added) == (3, StampForm.WIDE, False)
    assert sealed.rectangle[1] < 60
    before = picture(source, 3, tmp_path, dpi=72, grey=True)
    left, bottom, right, top = sealed.rectangle
    under = before.crop((int(left), int(before.height - top), int(right), int(before.height - bottom)))
    assert under.getextrema() == (255, 255)
    assert_valid(content)


def test_a_full_last_page_sends_the_stamp_to_an_earlier_one() -> None:
    document, saved = changed(letter(pages=2))
    with pikepdf.open(io.BytesIO(letter(pages=1, ground=0.8))) as full:
        document.pages.append(full.pages[0])
        sealed, content = seal(saved(), place=None)
    assert sealed.page == 2
    assert_valid(content)


def test_the_compact_stamp_is_taken_where_only_it_fits() -> None:
    sealed, content = seal(letter(pages=1, size=(200, 420), lines=1), place=None)
    assert (sealed.page, sealed.form) == (1, StampForm.COMPACT)
    assert_valid(content)


@pytest.mark.parametrize(
    "size", [(595, 842), (842, 595), (60, 40), (14_400, 14_400)], ids=["A4", "landscape", "tiny", "huge"]
)
def test_without_room_a_page_of_its_own_is_added(size: tuple[float, float], tmp_path: Path) -> None:
    source = letter(pages=1, size=size, ground=0.7)
    sealed, content = seal(source, place=None)
    assert (sealed.page, sealed.page_added) == (2, True)
    assert_valid(content)
    assert qpdf_severity(content, tmp_path) == 0
    assert [found.text for found in zxingcpp.read_barcodes(picture(content, 2, tmp_path))] == [LINK]


@pytest.mark.parametrize("rotate", [90, 180, 270])
def test_free_room_is_found_on_turned_and_cropped_pages(rotate: int, tmp_path: Path) -> None:
    source = with_page(letter(pages=1, lines=8), Rotate=rotate, CropBox=pikepdf.Array([20, 100, 580, 820]))
    sealed, content = seal(source, place=None)
    assert not sealed.page_added
    (found,) = zxingcpp.read_barcodes(picture(content, 1, tmp_path))
    assert found.text == LINK
    assert abs(found.orientation) < 3
    assert_valid(content)


def test_a_form_field_keeps_its_room_even_when_it_draws_nothing() -> None:
    document, saved = changed(letter(pages=1, lines=20))
    field = pikepdf.Dictionary(
        Type=pikepdf.Name.Annot,
        Subtype=pikepdf.Name.Widget,
        FT=pikepdf.Name.Tx,
        T=pikepdf.String("Catatan"),
        Rect=pikepdf.Array([0, 0, 595, 300]),
    )
    reference = document.make_indirect(field)
    document.pages[0].obj.Annots = pikepdf.Array([reference])
    document.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array([reference]))
    sealed, _ = seal(saved(), place=None)
    assert sealed.page_added or sealed.rectangle[1] >= 300


def test_the_worker_cannot_reach_keys_or_secrets() -> None:
    code = "import signing.pages.worker, sys; print(sorted(m for m in sys.modules if m.split('.')[0] in "
    code += "('keys', 'ca', 'app', 'identity', 'cryptography', 'pyhanko')))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    os.environ["ABSAH_TEST_SECRET"] = "rahasia"
    inspector = PageInspector()
    try:
        inspector.find_room(io.BytesIO(letter()), [(1, 595, 842)], [(100, 50)])
        assert inspector._process is not None
        environment = Path(f"/proc/{inspector._process.pid}/environ")
        if environment.exists():
            assert b"rahasia" not in environment.read_bytes()
    finally:
        inspector.close()
        del os.environ["ABSAH_TEST_SECRET"]


def test_a_killed_worker_is_replaced() -> None:
    inspector = PageInspector()
    question = ([(1, 595.0, 842.0)], [(100.0, 50.0)])
    try:
        first = inspector.find_room(io.BytesIO(letter()), *question)
        assert inspector._process is not None
        os.kill(inspector._process.pid, signal.SIGKILL)
        inspector._process.wait()
        assert inspector.find_room(io.BytesIO(letter()), *question) == first
    finally:
        inspector.close()


def test_a_worker_that_hangs_costs_its_time_and_no_more() -> None:
    inspector = PageInspector(seconds=1.5)
    try:
        inspector.find_room(io.BytesIO(letter()), [(1, 595, 842)], [(100, 50)])
        assert inspector._process is not None
        os.kill(inspector._process.pid, signal.SIGSTOP)
        with pytest.raises(WorkerFailed):
            inspector.find_room(io.BytesIO(letter()), [(1, 595, 842)], [(100, 50)])
        assert inspector.find_room(io.BytesIO(letter()), [(1, 595, 842)], [(100, 50)]) is not None
    finally:
        inspector.close()


def test_threads_share_one_worker_and_get_their_own_answers(tmp_path: Path) -> None:
    inspector = PageInspector()

    def ask(number: int) -> object:
        path = tmp_path / f"{number}.pdf"
        content = letter(pages=1, size=(595, 400 + 50 * number), lines=3 * number)
        path.write_bytes(content)
        with path.open("rb") as source:
            source.read(10)
            room = inspector.find_room(source, [(1, 595, 400 + 50 * number)], [(150, 20 + 20 * number)])
            source.seek(0)
            assert source.read() == content
        return room

    try:
        expected = [ask(number) for number in range(6)]
        assert None not in expected
        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(ask, range(6))) == expected
    finally:
        inspector.close()
