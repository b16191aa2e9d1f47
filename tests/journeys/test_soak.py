"""`make soak`: minutes of sealing while the server is killed again and again."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from benchmarks import inputs
from tests.journeys.conftest import House
from tests.support.server import absah

pytestmark = [pytest.mark.network, pytest.mark.soak, pytest.mark.timeout(900)]

SECONDS = 120
CLIENTS = 4


def test_no_document_is_lost_or_issued_twice_while_the_server_is_killed_again_and_again(house: House) -> None:
    pdf = inputs.two_pages()
    stop = threading.Event()
    draw = random.Random(7)

    def seal_until_acknowledged(key: str) -> str:
        """As a careful agency does: the same key until there is an answer."""
        while True:
            try:
                answer = house.seal(pdf, key=key, number=key)
            except httpx.TransportError:
                time.sleep(0.3)
                continue
            if answer.status_code == 201:
                document_id: str = answer.json()["id"]
                return document_id
            assert answer.status_code in {409, 503}, answer.text
            time.sleep(0.3)

    def client(name: int) -> dict[str, str]:
        made: dict[str, str] = {}
        while not stop.is_set():
            key = f"soak-{name}-{len(made)}"
            made[key] = seal_until_acknowledged(key)
        return made

    with ThreadPoolExecutor(CLIENTS) as pool:
        jobs = [pool.submit(client, name) for name in range(CLIENTS)]
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(draw.uniform(2, 8))
            house.server.kill()
            house.server.start()
        stop.set()
        acknowledged: dict[str, str] = {}
        for job in jobs:
            acknowledged |= job.result()
    assert len(acknowledged) > 50
    assert len(set(acknowledged.values())) == len(acknowledged), "two requests share a document"
    for key, document_id in acknowledged.items():
        assert house.seal(pdf, key=key, number=key).json()["id"] == document_id
        found = house.http.get("/v1/documents", params={"number": key}, headers=house.client.bearer).json()
        assert [entry["id"] for entry in found["documents"]] == [document_id]
    for document_id in list(acknowledged.values())[::25]:
        assert house.upload(house.file_of(document_id)).json()["outcome"] == "valid"
    absah("audit", "verify", settings=house.settings)
