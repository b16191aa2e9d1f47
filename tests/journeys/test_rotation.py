"""Keys change while agencies seal, and what retired keys sealed verifies with the service stopped."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import inputs
from tests.journeys.conftest import House
from tests.support.server import absah

pytestmark = [pytest.mark.network, pytest.mark.timeout(600)]

CLIENTS = 4


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
    statuses, sealed = seal_while(house, 6, new)
    assert set(statuses) == {201}, statuses
    assert len(sealed) > 8
    assert switches(house) == before + 1
    for document_id in (sealed[0], sealed[-1]):
        assert house.upload(house.file_of(document_id)).json()["outcome"] == "valid"


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
def in_two_processes(house: House) -> Iterator[House]:
    """The same service as it is run in production: a switch has to reach every process that serves."""
    house.server.stop()
    served = replace(house.server, settings=house.settings | {"ABSAH_SERVER_WORKERS": "2"})
    served.start()
    try:
        yield replace(house, server=served)
    finally:
        served.close()
        house.server.start()


@pytest.mark.soak
def test_a_minute_of_sealing_does_not_notice_three_rotations(house: House) -> None:
    """As fast as two processes can: the rate is printed."""
    with in_two_processes(house) as served:
        before, new = switches(served), list[str]()
        total, seconds = 0, 0.0
        for _ in range(3):
            began = time.monotonic()
            statuses, sealed = seal_while(served, 20, new)
            assert set(statuses) == {201}, statuses
            total += len(sealed)
            seconds += time.monotonic() - began
            for document_id in (sealed[0], sealed[len(sealed) // 2], sealed[-1]):
                assert served.upload(served.file_of(document_id)).json()["outcome"] == "valid"
        print(f"{total / seconds:.0f} documents/s while three keys changed")
        assert switches(served) == before + 3
        assert len(set(new)) == 3
