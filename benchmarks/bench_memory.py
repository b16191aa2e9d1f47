"""``memory_200mb``: how far sealing a 200 MB PDF lifts the resident memory of a process above idle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks import inputs
from benchmarks.harness import Figure

MEGABYTES = 200

# A process of its own: the peak of a process never comes down again.
_CHILD = """
import resource, sys
from datetime import date
from pathlib import Path
from benchmarks.house import AGENCY, AGENCY_NAME, SCOPES, house
from signing.model import DocumentFacts, StampPlace
from signing.ports import Caller

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

scratch, source = Path(sys.argv[1]), Path(sys.argv[2])
place = StampPlace(1, 60, 60)
facts = DocumentFacts("decree", "1/2026", "Keputusan", "Bupati", date(2026, 11, 22), place=place)
with house(scratch) as (core, client_id, _):
    caller = Caller(client_id, AGENCY, AGENCY_NAME, frozenset(SCOPES))
    def seal(path):
        with path.open("rb") as stream:
            core.sealing.seal(caller, facts, stream)
    small = scratch / "small.pdf"
    from benchmarks import inputs
    small.write_bytes(inputs.two_pages())
    seal(small)
    idle = peak()
    seal(source)
    print((peak() - idle) / 1024)
"""


def run(scratch: Path) -> list[Figure]:
    """Idle is a process that has sealed a small document; the peer is the file held in memory once."""
    source = scratch / "large.pdf"
    inputs.large_pdf(source, MEGABYTES)
    house_dir = scratch / "house"
    house_dir.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(house_dir), str(source)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    above_idle = float(done.stdout.split()[-1])
    return [
        Figure(
            "memory_200mb",
            above_idle,
            "MiB above idle",
            "the file held in memory once",
            float(MEGABYTES),
            MEGABYTES / max(above_idle, 0.1),
        )
    ]
