"""What strangers upload to a running server: always answered, and never by a process that must not die."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.server import RunningServer, absah, free_port
from tests.verify.documents import plain_pdf
from tests.verify.test_corpus import CORPUS, manifest, needs_corpus

pytestmark = pytest.mark.network

WAYS = {"core": (), "public": ("--public",)}


@pytest.fixture(scope="module", params=list(WAYS))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """The core service, and the keyless one."""
    folder = tmp_path_factory.mktemp("uploads")
    settings = {"ABSAH_DATA_DIR": str(folder / "data")}
    absah("init", settings=settings)
    with ExitStack() as closing:
        running = RunningServer(settings, WAYS[request.param], folder / "serve.log", free_port())
        closing.callback(running.close)
        running.start()
        yield running


def upload(server: RunningServer, content: bytes) -> str:
    answer = server.http.post("/v1/verifications", files={"file": ("x.pdf", content)}, timeout=60)
    assert answer.status_code == 200, answer.text
    outcome: str = answer.json()["outcome"]
    return outcome


@needs_corpus
@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.soak)])
def test_hostile_and_foreign_files_are_answered_without_a_line_in_the_log(
    server: RunningServer, step: int
) -> None:
    """Every attack, and of what others signed as many as ``step`` says: ``test_corpus`` reads them all."""
    files = [*manifest("attacks"), *manifest("signed")[::step]]
    outcomes = {name: upload(server, (CORPUS / name).read_bytes()) for name, _ in files}
    assert outcomes
    assert "valid" not in outcomes.values()
    attacks = {outcome for name, outcome in outcomes.items() if name.startswith("attacks/")}
    assert attacks == {"file_differs"}
    for parser in ("Traceback", "pyhanko", "incident"):
        assert parser not in server.output()


def test_a_killed_validator_is_replaced_and_the_server_goes_on(server: RunningServer) -> None:
    assert upload(server, plain_pdf()) == "not_signed"
    before = validators(server.pid)
    assert before, "strangers' files are not validated in a process of their own"
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert upload(server, plain_pdf()) == "not_signed"
    after = validators(server.pid)
    assert after
    assert not after & before


def test_no_validator_outlives_the_server(server: RunningServer) -> None:
    upload(server, plain_pdf())
    left = validators(server.pid)
    server.kill()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/cmdline").exists() for pid in left):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.05)
    server.start()


def validators(ancestor: int) -> set[int]:
    """Process ids of the validators below this process that are alive."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # ended while we looked
            continue
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    family, found = {ancestor}, True
    while found:
        found = {pid for pid, parent in parents.items() if parent in family} - family
        family |= found
    return {pid for pid in family if b"verify.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()}
