"""kill -9 between intent and outcome, over real HTTP: no document lost, none issued twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from benchmarks import inputs
from tests.journeys.conftest import House

pytestmark = pytest.mark.network

MEGABYTES = 40


def test_a_killed_job_is_finished_by_the_clients_retry(house: House) -> None:
    pdf = _large(house)
    killed = _kill_in_the_middle(house, pdf, key="retry-me")
    house.server.start()
    # Until the dead worker's lease lapses the answer is 409, with the advice to come again.
    _wait(lambda: house.seal(pdf, key="retry-me", number="killed").status_code == 201, seconds=30)
    again = house.seal(pdf, key="retry-me", number="killed")
    assert again.json()["id"] == killed
    assert _states(house, killed) == ["issued"]
    assert house.upload(house.file_of(killed)).json()["outcome"] == "valid"


def test_a_killed_job_without_a_retry_is_finished_after_the_restart(house: House) -> None:
    killed = _kill_in_the_middle(house, _large(house), key=None)
    house.server.start()
    _wait(lambda: _states(house, killed) == ["issued"], seconds=60)
    assert house.http.get(f"/v1/verifications/{killed}").json()["outcome"] == "valid"
    assert _query(house, "SELECT count(*) FROM documents WHERE idempotency_key IS NULL") == [1]


def _large(house: House) -> bytes:
    path = house.folder / "large.pdf"
    inputs.large_pdf(path, MEGABYTES)
    return path.read_bytes()


def _kill_in_the_middle(house: House, pdf: bytes, *, key: str | None) -> str:
    """Returns the id whose intent was committed and whose outcome was not when the server died."""

    def send() -> None:
        with suppress(httpx.TransportError):
            house.seal(pdf, key=key, number="killed")

    sender = threading.Thread(target=send)
    sender.start()
    found: list[str] = []
    _wait(lambda: bool(found.extend(_pending(house)) or found), seconds=30, pause=0.002)
    house.server.kill()
    sender.join()
    assert _states(house, found[0]) == ["pending"], "the server was faster than the kill"
    return found[0]


def _query(house: House, statement: str, **values: str) -> list[Any]:
    engine = create_engine(house.settings["ABSAH_DATABASE_URL"])
    try:
        with engine.connect() as connection:
            return [row[0] for row in connection.execute(text(statement), values)]
    finally:
        engine.dispose()


def _pending(house: House) -> list[str]:
    return _query(house, "SELECT id FROM documents WHERE state = 'pending'")


def _states(house: House, document_id: str) -> list[str]:
    return _query(house, "SELECT state FROM documents WHERE id = :id", id=document_id)


def _wait(condition: Callable[[], bool], *, seconds: float, pause: float = 0.2) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause)
