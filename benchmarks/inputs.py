"""What is sealed in the benchmarks. Made here, the same bytes in every run."""

from __future__ import annotations

import io
import os
from pathlib import Path

from reportlab.pdfgen.canvas import Canvas


def two_pages() -> bytes:
    """Two A4 pages of text, under 3 KB."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=True)
    for page in ("Halaman satu", "Halaman dua"):
        canvas.setFont("Helvetica", 14)
        canvas.drawString(72, 760, page)
        for line in range(12):
            canvas.drawString(
                72, 720 - 18 * line, f"Butir {line + 1} dari keputusan ini berlaku sejak ditetapkan."
            )
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def large_pdf(path: Path, megabytes: int) -> None:
    """Two pages and an attached stream of random bytes, written piece by piece."""
    size = megabytes * 1024 * 1024
    with path.open("wb") as out:
        offsets = []

        def obj(number: int, body: bytes) -> None:
            offsets.append(out.tell())
            out.write(b"%d 0 obj\n%b\nendobj\n" % (number, body))

        out.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        obj(1, b"<</Type/Catalog/Pages 2 0 R/Absah_Bulk 5 0 R>>")
        obj(2, b"<</Type/Pages/Count 2/Kids[3 0 R 4 0 R]>>")
        for number in (3, 4):
            obj(number, b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<<>>>>")
        offsets.append(out.tell())
        out.write(b"5 0 obj\n<</Length %d>>\nstream\n" % size)
        for _ in range(megabytes):
            out.write(os.urandom(1024 * 1024))
        out.write(b"\nendstream\nendobj\n")
        xref = out.tell()
        out.write(b"xref\n0 6\n0000000000 65535 f \n")
        for offset in offsets:
            out.write(b"%010d 00000 n \n" % offset)
        out.write(b"trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % xref)
