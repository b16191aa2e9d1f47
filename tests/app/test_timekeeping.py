"""A clock that nobody vouches for stops every time-stamp, says so everywhere, and starts nothing anew."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta

import pytest

from app.demo import sample_documents
from app.main import build_app
from app.settings import Settings
from app.wiring import Core, build_core
from ca.errors import ClockOutOfAccuracy
from signing.model import DocumentState
from tests.app.test_sealing_jobs import _by_key, _seal
from tests.ca.test_timestamping import failure, granted
from tests.ca.test_timestamping import request as time_stamp_request
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.ntp import Says, time_server
from tests.support.tokens import bearer_token

pytestmark = pytest.mark.network


class RunningClock(FrozenClock):
    """It goes on by itself, as the monotonic clock does that it is held against."""

    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()

    def __call__(self) -> datetime:
        return super().__call__() + timedelta(seconds=time.monotonic() - self._started)


@pytest.fixture
def clock() -> FrozenClock:
    return RunningClock()


@pytest.fixture
def says() -> Says:
    return Says()


@pytest.fixture
def watched(settings: Settings, clock: FrozenClock, says: Says) -> Iterator[Core]:
    """The service, its clock held against a server of time on this machine."""
    with time_server(clock, says) as address, ExitStack() as closing:
        section = settings.clock.model_copy(update={"servers": address})
        yield build_core(settings.model_copy(update={"clock": section}), closing=closing, clock=clock)


@pytest.fixture
def web(watched: Core) -> Iterator[InProcess]:
    with ExitStack() as closing:
        yield InProcess(build_app(watched, closing=closing))


def _ask(web: InProcess) -> bytes:
    answer = web.post(
        "/tsa", content=time_stamp_request(), headers={"Content-Type": "application/timestamp-query"}
    )
    assert answer.status_code == 200
    content: bytes = answer.content
    return content


def test_while_the_clock_is_right_time_is_told_and_the_metrics_say_how_right(
    watched: Core, web: InProcess, says: Says
) -> None:
    says.ahead = 0.2
    granted(_ask(web))
    assert web.get("/readyz").json()["time"] == "ok"
    numbers = dict(
        line.split(" ") for line in web.get("/metrics").text.splitlines() if line.startswith("absah_clock")
    )
    assert float(numbers["absah_clock_offset_seconds"]) == pytest.approx(-0.2, abs=0.05)
    assert 0 < float(numbers["absah_clock_uncertainty_seconds"]) < 0.1
    assert float(numbers["absah_clock_heard_seconds_ago"]) < 10


def test_while_the_clock_is_wrong_nothing_is_issued_and_what_waited_is_finished_afterwards(
    watched: Core, web: InProcess, says: Says
) -> None:
    scopes = ["documents.issue:*"]
    client = watched.agencies.add_client("dinas", name="test", scopes=scopes, actor="test")
    bearer = bearer_token(web, client)
    says.ahead = 3.0
    assert failure(_ask(web)) == "time_not_available"
    ready = web.get("/readyz")
    assert (ready.status_code, ready.json()["time"]) == (503, "ClockOutOfAccuracy")
    answer = web.post(
        "/v1/documents",
        headers={"Authorization": f"Bearer {bearer}", "Idempotency-Key": "once"},
        data={
            "metadata": '{"type": "decree", "number": "1/2026", "title": "Penetapan", "signatory": "Kepala",'
            ' "issued_on": "2026-05-01"}'
        },
        files={"file": ("a.pdf", sample_documents()[0].pdf, "application/pdf")},
    )
    problem = answer.json()
    assert (answer.status_code, problem["type"].rpartition("/")[2]) == (503, "time-not-available")
    assert "Retry-After" in answer.headers
    says.ahead = 0.0
    assert watched.clock_watch is not None
    watched.clock_watch.measure()
    granted(_ask(web))


def test_a_source_that_is_silent_from_the_start_gives_no_time(web: InProcess, says: Says) -> None:
    says.silent = True
    assert failure(_ask(web)) == "time_not_available"


def test_a_document_that_no_time_could_be_had_for_waits_and_is_finished_by_upkeep(
    watched: Core, clock: FrozenClock, says: Says
) -> None:
    says.ahead = -9.0
    with pytest.raises(ClockOutOfAccuracy):
        _seal(watched, key="once")
    assert _by_key(watched, "once").state is DocumentState.PENDING
    clock.advance(timedelta(seconds=121))
    says.ahead = 0.0
    assert watched.clock_watch is not None
    watched.clock_watch.measure()
    watched.sealing.finish_abandoned()
    assert _by_key(watched, "once").state is DocumentState.ISSUED
