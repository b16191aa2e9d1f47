"""The process that renders pages and rebuilds damaged files. Started by :mod:`signing.pages.inspector`.

It speaks over one Unix socket (file descriptor 0): a request is four bytes of length, a JSON object, and one
or two file descriptors beside the first byte; the answer is four bytes of length and a JSON object.
It imports nothing that could reach a key, and it is expected to die: of memory, of time, of a hostile font.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import socket
import sys
import zlib
from typing import Any, Final

import pikepdf
import pypdfium2 as pdfium
from PIL import Image

from signing.pages.room import find_room

MEMORY: Final = 1 << 30
"""Bytes of address space, all libraries included."""
CPU_SECONDS: Final = 20
LARGEST_CONTENT: Final = 64 << 20
"""Bytes of drawing operators on one page, unpacked. A dense engineering drawing has a tenth of that."""
_LONGEST_SIDE: Final = 1000  # pixels
_PIXELS_PER_POINT: Final = 0.6
_WHITE: Final = 250
_CLEARANCE: Final = 4.0  # points between the stamp and what is printed
_MARGIN: Final = 26.0  # points to the edge of the page, which printers cannot reach


class _Positioned(io.RawIOBase):
    """Reads a descriptor at positions of its own: the parent shares the descriptor's offset."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = os.pread(self._descriptor, len(buffer), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def find(request: dict[str, Any], descriptor: int) -> dict[str, Any]:
    """The first place for one of ``sizes`` on one of ``pages``; all of a size's pages before the next size.

    Pages come as ``[number, width, height]`` in points as shown; the answer is in the same points, with the
    origin at the lower left corner.
    """
    pictures: dict[int, tuple[list[int], int, float, float]] = {}
    source = io.BufferedReader(_Positioned(descriptor))
    with contextlib.closing(pdfium.PdfDocument(source)) as document:
        document.init_forms()
        for index, (width, height) in enumerate(request["sizes"]):
            for number, page_width, page_height in request["pages"]:
                if number not in pictures:
                    if _content_is_a_bomb(descriptor, number):
                        return {"bomb": number}
                    pictures[number] = _picture(document, number, page_width, page_height)
                rows, columns, across, up = pictures[number]
                clear = _CLEARANCE
                room = find_room(
                    rows,
                    columns,
                    width=int((width + 2 * clear) * across) + 1,
                    height=int((height + 2 * clear) * up) + 1,
                    margin=(int((_MARGIN - clear) * across), int((_MARGIN - clear) * up)),
                    overhang=int(clear * across),
                )
                if room is not None:
                    x = room[0] / across + clear
                    y = page_height - room[1] / up - clear - height
                    return {"page": number, "size": index, "x": round(x, 2), "y": round(y, 2)}
    return {"page": None}


def _picture(document: Any, number: int, width: float, height: float) -> tuple[list[int], int, float, float]:
    """The page as rows of bits, their length, and pixels per point across and up."""
    page = document[number - 1]
    shown_width, shown_height = page.get_size()
    scale = min(_PIXELS_PER_POINT, _LONGEST_SIDE / max(shown_width, shown_height, 1))
    bitmap = page.render(scale=scale, grayscale=True, may_draw_forms=True)
    picture: Image.Image = bitmap.to_pil().convert("L")
    columns, lines = picture.size
    bits = picture.point([255] * _WHITE + [0] * (256 - _WHITE), mode="1").tobytes()
    stride = (columns + 7) // 8
    spare = 8 * stride - columns
    rows = [int.from_bytes(bits[at : at + stride], "big") >> spare for at in range(0, stride * lines, stride)]
    if page.get_rotation() == 0:
        _occupy_annotations(page, rows, columns, scale)
    return rows, columns, columns / width, lines / height


def _occupy_annotations(page: Any, rows: list[int], columns: int, scale: float) -> None:
    """Form fields and links take room even where they draw nothing: a stamp over them could not be clicked
    or filled. Their rectangles are in the page's own space, so only unrotated pages are treated here.
    """
    raw = pdfium.raw
    height = page.get_height()
    left, bottom, _, _ = page.get_cropbox()
    rectangle = raw.FS_RECTF()
    for index in range(min(raw.FPDFPage_GetAnnotCount(page.raw), 5000)):
        annotation = raw.FPDFPage_GetAnnot(page.raw, index)
        if not annotation:
            continue
        if raw.FPDFAnnot_GetRect(annotation, rectangle):
            first = max(0, int((rectangle.left - left) * scale))
            last = min(columns, int((rectangle.right - left) * scale) + 1)
            top = max(0, int((height - (rectangle.top - bottom)) * scale))
            end = min(len(rows), int((height - (rectangle.bottom - bottom)) * scale) + 1)
            if last > first:
                ink = ((1 << (last - first)) - 1) << (columns - last)
                for row in range(top, end):
                    rows[row] |= ink
        raw.FPDFPage_CloseAnnot(annotation)


def _content_is_a_bomb(descriptor: int, number: int) -> bool:
    """Whether the page's operators unpack into more than :data:`LARGEST_CONTENT`."""
    left = LARGEST_CONTENT
    try:
        with pikepdf.open(io.BufferedReader(_Positioned(descriptor))) as pdf:
            contents = pdf.pages[number - 1].obj.get("/Contents")
            streams = list(contents) if isinstance(contents, pikepdf.Array) else [contents]
            for stream in streams:
                if isinstance(stream, pikepdf.Stream):
                    left -= _unpacked_size(stream, left)
                if left <= 0:
                    return True
    except (pikepdf.PdfError, IndexError, ValueError, TypeError, zlib.error):
        return False
    return False


def _unpacked_size(stream: pikepdf.Stream, most: int) -> int:
    data = stream.read_raw_bytes()
    filters = stream.get("/Filter", pikepdf.Array())
    for name in [filters] if isinstance(filters, pikepdf.Name) else list(filters):
        if name in ("/FlateDecode", "/Fl"):
            data = zlib.decompressobj().decompress(data, most)
    return len(data)


def rebuild(source: int, target: int) -> dict[str, Any]:
    """Read a damaged file as well as qpdf can and write it anew into ``target``."""
    try:
        with pikepdf.open(io.BufferedReader(_Positioned(source))) as pdf:
            if pdf.is_encrypted:
                return {"encrypted": True}
            # qpdf writes /Size only where the damaged file had one.
            pdf.trailer["/Size"] = len(pdf.objects) + 1
            with os.fdopen(os.dup(target), "w+b") as out:
                pdf.save(out, deterministic_id=True)
            return {"pages": len(pdf.pages)}
    except pikepdf.PasswordError:
        return {"encrypted": True}


def answer(request: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
    try:
        if request["do"] == "find":
            return find(request, descriptors[0])
        return rebuild(descriptors[0], descriptors[1])
    except MemoryError:
        return {"failed": "out of memory"}
    except Exception as failure:  # noqa: BLE001 - whatever a hostile file provokes is an answer, not a crash
        return {"failed": type(failure).__name__}


def main() -> None:
    channel = socket.socket(fileno=0)
    with contextlib.suppress(ValueError):  # macOS has no such limit; the one on time still holds
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if "keys" in sys.modules:
        raise SystemExit("the page worker must not be able to reach keys")
    while True:
        header, descriptors, _, _ = socket.recv_fds(channel, 4, 2)
        try:
            if not header:
                return
            while len(header) < 4:
                header += channel.recv(4 - len(header)) or _gone()
            body = b""
            while len(body) < int.from_bytes(header):
                body += channel.recv(int.from_bytes(header) - len(body)) or _gone()
            used = resource.getrusage(resource.RUSAGE_SELF)
            allowed = int(used.ru_utime + used.ru_stime) + 1 + CPU_SECONDS
            resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))
            reply = json.dumps(answer(json.loads(body), descriptors)).encode()
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        channel.sendall(len(reply).to_bytes(4) + reply)


def _gone() -> bytes:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
