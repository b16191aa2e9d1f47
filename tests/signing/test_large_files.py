"""A file of any size is streamed: what sealing holds in memory does not grow with it."""

from __future__ import annotations

import subprocess
import sys

SIZE = 200 << 20

PROGRAM = """
import resource, sys, tempfile, zlib
import pikepdf
from signing import pdf
from tests.signing.pdfs import CORNER, DIGITS, LINK, TEXT, letter, changed
from tests.signing.pki import NOW, hierarchy

size = int(sys.argv[1])
source, target = tempfile.TemporaryFile(), tempfile.TemporaryFile()
start = letter()
source.write(start[: start.rindex(b"xref\\n", 0, start.rindex(b"startxref"))])
at = source.tell()
source.write(b"99 0 obj\\n<</Length %d>>stream\\n" % size)
for _ in range(size >> 20):
    source.write(bytes(1 << 20))
source.write(b"\\nendstream\\nendobj\\n")
tail = start[start.rindex(b"xref\\n", 0, start.rindex(b"startxref")):]
table = source.tell()
source.write(tail[: tail.index(b"startxref")] + b"startxref\\n%d\\n%%%%EOF\\n" % table)
source.flush()
root = hierarchy()

def seal(stream, into):
    with pdf.prepare(stream) as prepared:
        return pdf.seal_pdf(
            source=prepared, target=into, stamp=TEXT, link=LINK, receipt_digits=DIGITS, place=CORNER, at=NOW,
            identity=root.seal(), timestamper=root.timestamper(), evidence=root.evidence_for(root.seal()),
        )

import io
seal(io.BytesIO(start), io.BytesIO())
idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sealed = seal(source, target)
assert sealed.size > size
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle)
"""


def test_sealing_200_mb_takes_less_than_16_mb_above_idle() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(SIZE)], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) * 1024 < 16 << 20
