"""Time-stamps over HTTP: one server process with a software key on P-256, asked as any client asks.

Peers, in the same run: the goal, a token built with asn1crypto behind the same server, and a route that does
nothing. Every request has a digest and a nonce of its own; one answer in the run is judged by OpenSSL.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
from cryptography.hazmat.primitives.serialization import Encoding

from app.wiring import Core
from benchmarks.bench_http import CONNECTIONS, get, load
from benchmarks.harness import Figure, cpu_seconds
from benchmarks.house import house
from ca import der, tst
from tests.support.needs import tool_path
from tests.support.server import environment, free_port

GOAL: Final = 1500.0
ROUNDS: Final = 3
_REQUESTS: Final = 256


def run(scratch: Path) -> Iterator[Figure]:
    """On SQLite. Rates are medians of turns; a rate per core is per second of the server's processor time."""
    with house(scratch) as (core, _, _):
        pass
    asked = [_request("/tsa") for _ in range(_REQUESTS)]
    peers = [_request("/tsa-asn1crypto") for _ in range(_REQUESTS)]
    ours, per_core, theirs, noops = [], [], [], []
    with _server(scratch) as (port, pid):
        _judge(core, scratch, port)
        for _ in range(ROUNDS):
            noops.append(load(port, [get("/noop")], status=200, connections=CONNECTIONS))
            theirs.append(load(port, peers, status=200, connections=CONNECTIONS))
            used = cpu_seconds(pid)
            rate = load(port, asked, status=200, connections=CONNECTIONS)
            ours.append(rate)
            # The load runs a second longer than it counts.
            per_core.append(rate * 9.0 / (cpu_seconds(pid) - used))
    rate, busy = statistics.median(ours), statistics.median(per_core)
    peer, noop = statistics.median(theirs), statistics.median(noops)
    yield Figure("tsa", rate, "tokens/s", "the goal", GOAL, rate / GOAL)
    yield Figure("tsa_per_core", busy, "tokens/s of processor", "the goal", GOAL, busy / GOAL)
    yield Figure("tsa_asn1crypto", rate, "tokens/s", "built with asn1crypto, same server", peer, rate / peer)
    yield Figure("tsa_share", rate, "tokens/s", "a no-op route of the same server", noop, rate / noop)


def _request(path: str) -> bytes:
    body = _query(secrets.token_bytes(32))
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/timestamp-query\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _query(digest: bytes) -> bytes:
    nonce = der.integer(secrets.randbits(64))
    return der.sequence(der.integer(1), tst.imprint_of(digest), nonce, der.boolean(True))


def _judge(core: Core, scratch: Path, port: int) -> None:
    """What is measured is worth measuring: OpenSSL verifies one of the answers."""
    data = b"seberapa cepat"
    answer = httpx.post(
        f"http://127.0.0.1:{port}/tsa", content=_query(hashlib.sha256(data).digest()), trust_env=False
    )
    (scratch / "reply.tsr").write_bytes(answer.content)
    (scratch / "data").write_bytes(data)
    (scratch / "root.pem").write_bytes(core.trust().anchors[0].public_bytes(Encoding.PEM))
    command = [tool_path("openssl"), "ts", "-verify", "-in", "reply.tsr", "-data", "data"]
    said = subprocess.run(
        [*command, "-CAfile", "root.pem"], cwd=scratch, capture_output=True, text=True, check=False
    )
    if "Verification: OK" not in said.stdout:
        raise RuntimeError(f"OpenSSL does not verify the token: {said.stderr}")


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}/noop", trust_env=False).raise_for_status()
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("the server did not start")


@contextmanager
def _server(scratch: Path) -> Iterator[tuple[int, int]]:
    """Port and process id of the core application with the peer's route."""
    values = {
        "ABSAH_DATA_DIR": str(scratch),
        "ABSAH_LOG_LEVEL": "warning",
        "ABSAH_SERVER_UPKEEP": "false",
    }
    port = free_port()
    command = [
        *(sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--port", str(port)),
        *("--log-level", "error", "benchmarks.noop:create_stamping_app"),
    ]
    process = subprocess.Popen(command, env=environment(values) | {"PYTHONPATH": os.getcwd()})
    try:
        _wait_for(process, port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)
