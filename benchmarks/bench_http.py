"""``http_seal`` and ``http_verify_id``: real servers on PostgreSQL, loaded by a process of their own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert

from app.wiring import Core
from benchmarks import inputs
from benchmarks.harness import Figure
from benchmarks.house import AGENCY, AGENCY_NAME, house
from signing.ids import new_document_id
from signing.tables import documents
from tests.support.needs import tool_path
from tests.support.postgres import running_cluster
from tests.support.server import RunningServer, environment, free_port

DOCUMENTS = 100_000
CONNECTIONS = 64


def run(scratch: Path) -> list[Figure]:
    """PostgreSQL runs with its durable defaults: every commit reaches the disk."""
    with (
        running_cluster(tool_path("initdb"), tool_path("postgres"), durable=True) as cluster,
        cluster.database() as url,
        house(scratch, database_url=url) as (core, client_id, secret),
    ):
        settings = {
            "ABSAH_DATA_DIR": str(scratch),
            "ABSAH_DATABASE_URL": url,
            "ABSAH_LOG_LEVEL": "warning",
        }
        return [*_sealing(settings, scratch, client_id, secret), *_verifying(core, settings, scratch)]


def _sealing(settings: dict[str, str], scratch: Path, client_id: str, secret: str) -> list[Figure]:
    server = RunningServer(settings, ("--workers", "2"), scratch / "serve.log", free_port())
    server.start()
    try:
        token = server.http.post(
            "/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(client_id, secret),
        ).json()["access_token"]
        named = load(server.port, [_seal_request(server, token, place=True)], status=201, connections=8)
        free = load(server.port, [_seal_request(server, token, place=False)], status=201, connections=8)
    finally:
        server.close()
    return [
        Figure(
            "http_seal", named, "documents/s", "the same, room for the stamp found by us", free, named / free
        )
    ]


def _verifying(core: Core, settings: dict[str, str], scratch: Path) -> list[Figure]:
    ids = _fill(core)
    with _public_server(settings, scratch) as port:
        lookups = [get(f"/v1/verifications/{document_id}") for document_id in ids]
        shares = []
        for _ in range(3):
            noop = load(port, [get("/noop")], status=200, connections=CONNECTIONS)
            ours = load(port, lookups, status=200, connections=CONNECTIONS)
            shares.append((ours / noop, ours, noop))
        share, ours, noop = sorted(shares)[1]
    return [
        Figure("http_verify_id", ours, "requests/s", "a no-op route of the same server", noop, share),
    ]


def _fill(core: Core) -> list[str]:
    now = datetime.now(UTC)
    ids = [new_document_id() for _ in range(DOCUMENTS)]
    rows: list[dict[str, Any]] = [
        {
            "id": document_id,
            "agency_id": AGENCY,
            "client_id": "benchmark",
            "issuer_name": AGENCY_NAME,
            "type": "business_licence",
            "number": f"503/{position}/2026",
            "title": "Nomor Induk Berusaha",
            "signatory": "Kepala Dinas",
            "issued_on": date(2026, 11, 22),
            "holder_name": "B*** S***",
            "holder_kind": "person",
            "is_sample": False,
            "state": "issued",
            "created_at": now,
            "issued_at": now,
            "source_digest": secrets.token_bytes(32),
            "source_size": 1,
            "attempts": 0,
            "sealed_digest": secrets.token_bytes(32),
            "sealed_size": 1,
            "receipt": secrets.token_bytes(250),
        }
        for position, document_id in enumerate(ids)
    ]
    for start in range(0, DOCUMENTS, 5_000):
        with core.database.begin() as tx:
            tx.execute(insert(documents), rows[start : start + 5_000])
    return ids


@contextmanager
def _public_server(settings: dict[str, str], scratch: Path) -> Iterator[int]:
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("granian")),
        *("--interface", "asgi", "--factory", "--port", str(port), "--log-level", "error"),
        "benchmarks.noop:create_app",
    ]
    process = subprocess.Popen(command, env=environment(settings) | {"PYTHONPATH": os.getcwd()})
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=50), trust_env=False) as client:
            client.get(f"http://127.0.0.1:{port}/noop").raise_for_status()
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def load(port: int, requests: Sequence[bytes], *, status: int, connections: int) -> float:
    job = {
        "host": "127.0.0.1",
        "port": port,
        "requests": [request.hex() for request in requests],
        "status": status,
        "connections": connections,
        "seconds": 8.0,
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    result = json.loads(done.stdout)
    if result["failed"]:
        raise RuntimeError(f"{result['failed']:.0f} answers were not {status}")
    return float(result["per_second"])


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n".encode()


def _seal_request(server: RunningServer, token: str, *, place: bool) -> bytes:
    metadata: dict[str, object] = {
        "type": "business_licence",
        "number": "503/0217/DPMPTSP/2026",
        "title": "Nomor Induk Berusaha",
        "signatory": "Kepala Dinas Penanaman Modal",
        "issued_on": "2026-11-22",
        "holder": {"name": "Budi Santoso"},
    }
    if place:
        metadata["place"] = {"page": -1, "x": 60, "y": 60}
    request = server.http.build_request(
        "POST",
        "/v1/documents",
        headers={"Authorization": f"Bearer {token}"},
        data={"metadata": json.dumps(metadata)},
        files={"file": ("surat.pdf", inputs.two_pages(), "application/pdf")},
    )
    body = request.read()
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST /v1/documents HTTP/1.1\r\n{head}\r\n".encode() + body
