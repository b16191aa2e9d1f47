"""Attacks on a sealed file, as code: each takes a genuine file and returns a forgery of it.

They change what a reader would see, hide or add bytes, or break the signature, in the ways of
https://pdf-insecurity.org (SWA, ISA, USF, shadow) and of plain tampering. Offsets are found in the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

_RANGE = re.compile(rb"/ByteRange\[(\d+) (\d+) (\d+) (\d+)( *)\]")
Attack = Callable[[bytes], bytes]


def byte_range(content: bytes) -> tuple[int, int, int, int]:
    match = _RANGE.search(content)
    assert match is not None
    start, before, after, rest = (int(match[group]) for group in (1, 2, 3, 4))
    return start, before, after, rest


def with_byte_range(content: bytes, *numbers: int) -> bytes:
    match = _RANGE.search(content)
    assert match is not None
    room = len(match[0]) - len(b"/ByteRange[]")
    written = b"%d %d %d %d" % numbers
    return content.replace(match[0], b"/ByteRange[" + written.ljust(room) + b"]")


def bytes_behind(content: bytes) -> bytes:
    return content + b"\n% one more line\n"


def one_newline_behind(content: bytes) -> bytes:
    return content + b"\n"


def null_bytes_behind(content: bytes) -> bytes:
    return content + bytes(4096)


def unreachable_revision(content: bytes) -> bytes:
    """ISA variant B: a body behind the end, with a startxref that leads back to the signed revision."""
    (startxref,) = re.findall(rb"startxref\s+(\d+)", content)[-1:]
    body = b"\n4 0 obj\n<</Type/Page/Parent 1 0 R/MediaBox[0 0 10 10]>>\nendobj\n"
    return content + body + b"startxref\n" + startxref + b"\n%%EOF\n"


def body_without_cross_reference(content: bytes) -> bytes:
    """ISA: objects behind the end, no cross-reference at all."""
    return content + b"\n4 0 obj\n<</Type/Page/Parent 1 0 R/MediaBox[0 0 10 10]>>\nendobj\n"


def _update(content: bytes, change: Callable[[IncrementalPdfFileWriter], None]) -> bytes:
    writer = IncrementalPdfFileWriter(BytesIO(content), strict=False)
    change(writer)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def changed_page_content(content: bytes) -> bytes:
    """ISA in its plain form: an incremental update draws over the first page."""

    def draw(writer: IncrementalPdfFileWriter) -> None:
        overlay = writer.add_object(generic.StreamObject(stream_data=b"BT /F1 40 Tf 72 500 Td (999) Tj ET"))
        writer.add_stream_to_page(0, overlay)

    return _update(content, draw)


def added_page(content: bytes) -> bytes:
    def add(writer: IncrementalPdfFileWriter) -> None:
        pages = writer.root["/Pages"]
        page = generic.DictionaryObject(
            {
                generic.pdf_name("/Type"): generic.pdf_name("/Page"),
                generic.pdf_name("/Parent"): writer.root.raw_get("/Pages"),
                generic.pdf_name("/MediaBox"): generic.ArrayObject(
                    [generic.NumberObject(side) for side in (0, 0, 200, 200)]
                ),
            }
        )
        pages["/Kids"].append(writer.add_object(page))
        pages[generic.pdf_name("/Count")] = generic.NumberObject(len(pages["/Kids"]))
        writer.update_container(pages["/Kids"])
        writer.update_container(pages)

    return _update(content, add)


def changed_information(content: bytes) -> bytes:
    def rename(writer: IncrementalPdfFileWriter) -> None:
        writer.set_info(
            generic.DictionaryObject({generic.pdf_name("/Title"): generic.pdf_string("Surat lain")})
        )

    return _update(content, rename)


def replaced_stamp(content: bytes) -> bytes:
    """Shadow: the widget of the seal gets another appearance."""

    def replace(writer: IncrementalPdfFileWriter) -> None:
        field = writer.root["/AcroForm"]["/Fields"][-1]
        appearance = generic.StreamObject(
            {
                generic.pdf_name("/Type"): generic.pdf_name("/XObject"),
                generic.pdf_name("/Subtype"): generic.pdf_name("/Form"),
                generic.pdf_name("/BBox"): generic.ArrayObject(
                    [generic.NumberObject(side) for side in (0, 0, 9, 9)]
                ),
            },
            stream_data=b"0 0 9 9 re f",
        )
        field["/AP"][generic.pdf_name("/N")] = writer.add_object(appearance)
        writer.update_container(field)

    return _update(content, replace)


def hidden_by_annotation(content: bytes) -> bytes:
    """Shadow "hide": a white square over the page."""

    def cover(writer: IncrementalPdfFileWriter) -> None:
        square = generic.DictionaryObject(
            {
                generic.pdf_name("/Type"): generic.pdf_name("/Annot"),
                generic.pdf_name("/Subtype"): generic.pdf_name("/Square"),
                generic.pdf_name("/Rect"): generic.ArrayObject(
                    [generic.NumberObject(side) for side in (0, 0, 600, 800)]
                ),
                generic.pdf_name("/IC"): generic.ArrayObject([generic.NumberObject(1)]),
            }
        )
        writer.register_annotation(writer.root["/Pages"]["/Kids"].raw_get(0), writer.add_object(square))

    return _update(content, cover)


def removed_seal(content: bytes) -> bytes:
    """The form no longer lists the seal, so that careless readers find no signature."""

    def remove(writer: IncrementalPdfFileWriter) -> None:
        form = writer.root["/AcroForm"]
        form[generic.pdf_name("/Fields")] = generic.ArrayObject()
        writer.update_container(form)
        writer.update_root()

    return _update(content, remove)


def wrapped(content: bytes) -> bytes:
    """SWA: the second signed part moves to the end, and the gap between holds what was not signed."""
    start, before, after, rest = byte_range(content)
    inserted = b"\n9 0 obj\n<</Type/Page>>\nendobj\n"
    moved = content[:after] + inserted + content[after:]
    return with_byte_range(moved, start, before, after + len(inserted), rest)


def zero_contents(content: bytes) -> bytes:
    """USF: the signature value is all zeros."""
    _, before, after, _ = byte_range(content)
    return content[: before + 1] + b"0" * (after - before - 2) + content[after - 1 :]


def null_contents(content: bytes) -> bytes:
    """USF: /Contents is null."""
    _, before, after, _ = byte_range(content)
    return content[:before] + b"null".ljust(after - before) + content[after:]


def renamed_contents(content: bytes) -> bytes:
    """USF: there is no /Contents."""
    _, before, _, _ = byte_range(content)
    return content[: before - 9] + b"/Contentz" + content[before:]


def missing_byte_range(content: bytes) -> bytes:
    """USF: there is no /ByteRange."""
    return content.replace(b"/ByteRange[", b"/ByteRangf[")


def empty_byte_range(content: bytes) -> bytes:
    return with_byte_range(content, 0, 0, 0, 0)


def negative_byte_range(content: bytes) -> bytes:
    _, before, after, rest = byte_range(content)
    return with_byte_range(content, 0, before, -after, rest)


def overlapping_byte_range(content: bytes) -> bytes:
    _, before, _, _ = byte_range(content)
    return with_byte_range(content, 0, before, before, len(content) - before)


def shorter_byte_range(content: bytes) -> bytes:
    start, before, after, rest = byte_range(content)
    return with_byte_range(content, start, before, after, rest - 20)


def longer_byte_range(content: bytes) -> bytes:
    start, before, after, rest = byte_range(content)
    return with_byte_range(content, start, before, after, rest + 20)


def later_start(content: bytes) -> bytes:
    _, before, after, rest = byte_range(content)
    return with_byte_range(content, 1, before - 1, after, rest)


def changed_receipt(content: bytes) -> bytes:
    """The receipt in the signature dictionary names another day."""
    position = content.index(b"/ABSH_Receipt(") + 60
    digit = b"1" if content[position : position + 1] != b"1" else b"2"
    return content[:position] + digit + content[position + 1 :]


def cut_off(content: bytes) -> bytes:
    return content[: len(content) * 9 // 10]


def cut_last_byte(content: bytes) -> bytes:
    return content[:-2]


def two_files_in_one(content: bytes) -> bytes:
    return content + content


ATTACKS: tuple[Attack, ...] = (
    bytes_behind,
    one_newline_behind,
    null_bytes_behind,
    unreachable_revision,
    body_without_cross_reference,
    changed_page_content,
    added_page,
    changed_information,
    replaced_stamp,
    hidden_by_annotation,
    removed_seal,
    wrapped,
    zero_contents,
    null_contents,
    renamed_contents,
    missing_byte_range,
    empty_byte_range,
    negative_byte_range,
    overlapping_byte_range,
    shorter_byte_range,
    longer_byte_range,
    later_start,
    changed_receipt,
    cut_off,
    cut_last_byte,
    two_files_in_one,
)
