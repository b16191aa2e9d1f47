"""Keys change while agencies seal, and what retired keys sealed verifies with the service stopped."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import quantiles

import httpx
import pytest

from benchmarks import inputs
from tests.journeys.conftest import House
from tests.support.server import absah

pytestmark = [pytest.mark.network, pytest.mark.timeout(600)]

CLIENTS = 4
SYSTEMS = 16


def rotate(house: House) -> str:
    """As an operator does, while the server runs. The new key's id."""
    said = absah("keys", "rotate", "seal", "--owner", "dpmptsp", settings=house.settings).stdout
    found = re.search(r"^(seal-\w+) \(ec-p256\) seal of dpmptsp is in use", said, re.MULTILINE)
    assert found, said
    return found[1]


def seal_while(house: House, seconds: float, meanwhile: list[str]) -> tuple[Counter[int], list[str]]:
    """Clients seal as fast as they are answered; in the middle the key changes. Statuses, and ids."""
    pdf, stop = inputs.two_pages(), threading.Event()
    statuses: Counter[int] = Counter()
    sealed: list[str] = []

    def client(name: int) -> None:
        made = 0
        while not stop.is_set():
            answer = house.seal(pdf, number=f"{name}/{made}")
            statuses[answer.status_code] += 1
            made += 1
            if answer.status_code == 201:
                sealed.append(answer.json()["id"])

    with ThreadPoolExecutor(CLIENTS) as pool:
        jobs = [pool.submit(client, name) for name in range(CLIENTS)]
        time.sleep(seconds / 4)
        meanwhile.append(rotate(house))
        time.sleep(seconds * 3 / 4)
        stop.set()
        for job in jobs:
            job.result()
    return statuses, sealed


def switches(house: House) -> int:
    trail = absah("audit", "show", settings=house.settings).stdout
    return sum("\trotation.switched\t" in line for line in trail.splitlines())


def test_a_seal_is_rotated_under_load_and_no_request_fails(house: House) -> None:
    before, new = switches(house), list[str]()
    statuses, sealed = seal_while(house, 4, new)
    assert set(statuses) == {201}, statuses
    assert len(sealed) > 8
    assert switches(house) == before + 1
    for document_id in (sealed[0], sealed[-1]):
        assert house.upload(house.file_of(document_id)).json()["outcome"] == "valid"


@pytest.mark.either_database
def test_documents_of_three_retired_keys_verify_with_the_service_stopped(
    house: House, tmp_path: Path
) -> None:
    retired: list[Path] = []
    for number in range(3):
        keys = re.findall(
            r"(seal-[0-9a-f]{20})[^\n]* active", absah("keys", "list", settings=house.settings).stdout
        )
        answer = house.seal(inputs.two_pages(), number=f"retired-{number}")
        path = tmp_path / f"{number}.pdf"
        path.write_bytes(house.file_of(answer.json()["id"]))
        retired.append(path)
        new = rotate(house)
        time.sleep(1.5)  # longer than any process remembers which key is in use
        for key in keys:
            if key != new:
                absah("keys", "retire", key, settings=house.settings)
    house.server.stop()
    try:
        for path in retired:
            told = absah("verify", "--offline", path, settings=house.settings)
            assert told.returncode == 0, told.stdout
    finally:
        house.server.start()


@contextmanager
def as_in_production(house: House) -> Iterator[House]:
    """Two processes, their own pace, and systems that connect anew for every document: a switch has to reach
    every process that serves."""
    house.server.stop()
    hurried = ("ABSAH_SIGNING_LEASE_SECONDS", "ABSAH_WORKER_INTERVAL_SECONDS")
    settings = {name: value for name, value in house.settings.items() if name not in hurried}
    settings["ABSAH_SERVER_WORKERS"] = "2"
    served = replace(house.server, settings=settings)
    served.start()
    connections = httpx.Limits(max_keepalive_connections=0)
    try:
        with httpx.Client(base_url=served.base_url, timeout=60, trust_env=False, limits=connections) as http:
            served.http.close()
            served.http = http
            yield replace(house, server=served)
    finally:
        served.close()
        house.server.start()


@dataclass(frozen=True)
class Arrivals:
    """Documents that arrive at a steady rate, whether or not those before them are done."""

    per_second: int
    statuses: Counter[int]
    waited: list[float]
    sealed: list[str]
    seconds: float

    def __str__(self) -> str:
        waits = quantiles(self.waited, n=100)
        return (
            f"{len(self.sealed) / self.seconds:.1f} documents/s of {self.per_second} that arrived; "
            f"waited {waits[49]:.2f} s (median), {waits[94]:.2f} s (p95), {max(self.waited):.2f} s (most)"
        )


def arriving(house: House, *, per_second: int, seconds: float, meanwhile: Callable[[], object]) -> Arrivals:
    """``meanwhile`` begins at a quarter of the time."""
    pdf, statuses, waited, sealed = inputs.two_pages(), Counter[int](), list[float](), list[str]()
    began = time.monotonic()

    def system(number: int) -> None:
        due = began + number / per_second
        time.sleep(max(0.0, due - time.monotonic()))
        answer = house.seal(pdf, number=str(number))
        statuses[answer.status_code] += 1
        waited.append(time.monotonic() - due)
        if answer.status_code == 201:
            sealed.append(answer.json()["id"])

    with ThreadPoolExecutor(SYSTEMS) as pool:
        jobs = [pool.submit(system, number) for number in range(int(per_second * seconds))]
        time.sleep(seconds / 4)
        meanwhile()
        for job in jobs:
            job.result()
    return Arrivals(per_second, statuses, waited, sealed, time.monotonic() - began)


@pytest.mark.soak
def test_sealing_fifty_documents_a_second_does_not_notice_three_rotations(house: House) -> None:
    """Whether this machine can do as many is printed; that none fails is promised of any machine."""
    with as_in_production(house) as served:
        before, new = switches(served), list[str]()
        for _ in range(3):
            arrived = arriving(
                served, per_second=50, seconds=20, meanwhile=lambda: new.append(rotate(served))
            )
            print(arrived)
            assert arrived.statuses == {201: 1000}
            for document_id in (arrived.sealed[0], arrived.sealed[500], arrived.sealed[-1]):
                assert served.upload(served.file_of(document_id)).json()["outcome"] == "valid"
        assert switches(served) == before + 3
        assert len(set(new)) == 3
