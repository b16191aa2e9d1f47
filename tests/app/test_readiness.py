"""Whether the service is ready: asked by anyone, as often as they like."""

from __future__ import annotations

import threading

from app.shell import Readiness


class Ticks:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_probes_run_at_most_once_a_second() -> None:
    asked: list[str] = []
    ticks = Ticks()
    readiness = Readiness({"database": lambda: asked.append("database")}, monotonic=ticks)
    assert readiness.failures() == {}
    readiness.failures()
    assert asked == ["database"]
    ticks.now += 1
    readiness.failures()
    assert asked == ["database"] * 2


def test_a_failure_is_told_by_its_class_and_forgotten_when_it_is_over() -> None:
    ticks, broken = Ticks(), [True]

    def probe() -> None:
        if broken[0]:
            raise ConnectionError("db.internal:5432 refuses")

    readiness = Readiness({"database": probe}, monotonic=ticks)
    assert readiness.failures() == {"database": "ConnectionError"}
    broken[0] = False
    ticks.now += 1
    assert readiness.failures() == {}


def test_who_asks_while_a_part_hangs_is_answered_at_once() -> None:
    entered, released, ticks = threading.Event(), threading.Event(), Ticks()

    def hangs() -> None:
        entered.set()
        released.wait(20)

    readiness = Readiness({"keys": lambda: None, "storage": hangs}, monotonic=ticks)
    prober = threading.Thread(target=readiness.failures)
    prober.start()
    try:
        assert entered.wait(20)
        assert readiness.failures() == {"keys": "NotAskedYet", "storage": "NotAskedYet"}
        ticks.now += 10
        assert readiness.failures()["storage"] == "TimeoutError"
    finally:
        released.set()
        prober.join()
