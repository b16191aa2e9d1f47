"""``make bench``: every figure beside its peer, as a table and as ``benchmarks/latest.json``.

``python -m benchmarks NAME …`` runs only the groups named: sealing, custody, validation, memory, http,
identity, certification, time.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from benchmarks import (
    bench_ca,
    bench_custody,
    bench_http,
    bench_identity,
    bench_memory,
    bench_sealing,
    bench_tsa,
    bench_validation,
)
from benchmarks.harness import Figure
from benchmarks.house import house

LATEST = Path(__file__).with_name("latest.json")


def _in_process(scratch: Path, groups: set[str]) -> Iterator[Figure]:
    with house(scratch) as (core, client_id, _):
        if "sealing" in groups:
            yield from bench_sealing.run(core, scratch)
        if "validation" in groups:
            yield from bench_validation.run(core, client_id)


def main() -> None:
    """Run, print, and keep the whole run; a partial run replaces only its own rows."""
    logging.disable(logging.WARNING)  # the peer warns about each document
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    every = ("sealing", "custody", "validation", "memory", "http", "identity", "certification", "time")
    groups = set(sys.argv[1:]) or set(every)
    if unknown := groups.difference(every):
        raise SystemExit(f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    console = Console()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="absah-bench-") as folder:
        scratch = Path(folder)
        for name in ("house", "custody", "memory", "http", "identity", "certification", "time"):
            (scratch / name).mkdir()
        if groups & {"sealing", "validation"}:
            figures += _in_process(scratch / "house", groups)
        if "custody" in groups:
            figures += bench_custody.run(scratch / "custody")
        if "memory" in groups:
            figures += bench_memory.run(scratch / "memory")
        if "http" in groups:
            figures += bench_http.run(scratch / "http")
        if "identity" in groups:
            figures += bench_identity.run(scratch / "identity")
        if "certification" in groups:
            figures += bench_ca.run(scratch / "certification")
        if "time" in groups:
            figures += bench_tsa.run(scratch / "time")
    table = Table("figure", "ours", "unit", "peer", "peer's", "ratio")
    for figure in figures:
        table.add_row(
            figure.name,
            f"{figure.value:,.2f}",
            figure.unit,
            figure.peer,
            f"{figure.peer_value:,.2f}",
            f"{figure.ratio:.2f}",
        )
    console.print(table)
    rows = {row["name"]: row for row in (json.loads(LATEST.read_text()) if LATEST.exists() else [])}
    rows |= {figure.name: asdict(figure) for figure in figures}
    LATEST.write_text(json.dumps(list(rows.values()), indent=2) + "\n")


if __name__ == "__main__":
    main()
