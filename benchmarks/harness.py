"""How a figure is taken: both sides warmed up, then run in turn, medians compared.

Taking turns cancels the drift of a shared machine; the median forgets its hiccups.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One row of the table. ``ratio`` says how many times better than the peer ours is."""

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float
    ratio: float


def compare_times(
    name: str,
    ours: Callable[[], object],
    peer: Callable[[], object],
    *,
    peer_name: str,
    seconds: float = 6.0,
    batch: int = 1,
) -> Figure:
    """Time ``ours`` against ``peer`` (milliseconds per call; smaller is better).

    ``batch`` calls of ours stand beside one of the peer, where ours is too short to time alone.
    """
    for _ in range(3):
        ours()
        peer()
    our_times: list[float] = []
    peer_times: list[float] = []
    gc.collect()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(peer_times) < 5:
        started = time.perf_counter()
        for _ in range(batch):
            ours()
        our_times.append((time.perf_counter() - started) / batch)
        started = time.perf_counter()
        peer()
        peer_times.append(time.perf_counter() - started)
    our_median, peer_median = statistics.median(our_times), statistics.median(peer_times)
    return Figure(
        name, our_median * 1000, "ms", peer_name, peer_median * 1000, ratio=peer_median / our_median
    )


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and its children have used so far, what ended included (Linux).

    Unlike the clock on the wall it does not count the time that others on the machine took.
    """
    ticks = 0
    children: dict[int, list[tuple[int, list[str]]]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        children.setdefault(int(fields[1]), []).append((int(entry.parent.name), fields))
    waiting = [found for group in children.values() for found in group if found[0] == pid]
    while waiting:
        process, fields = waiting.pop()
        ticks += sum(int(field) for field in fields[11:15])
        waiting += children.get(process, [])
    return ticks / os.sysconf("SC_CLK_TCK")
