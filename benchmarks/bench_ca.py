"""Certificates, lists and OCSP: what one core does with software keys on P-256.

Peers: the builder of `cryptography` alone, which neither checks nor remembers, and a route that does nothing.
"""

from __future__ import annotations

import base64
import hashlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from sqlalchemy import insert, select

from app.wiring import Core
from benchmarks.bench_http import CONNECTIONS, get, load
from benchmarks.harness import Figure
from benchmarks.house import AGENCY, house
from ca.issuing import issue, new_serial
from ca.model import ProfileName
from ca.profiles import profiles
from ca.tables import Certificates, certificates
from tests.support.server import environment, free_port

REVOKED: Final = 100_000
SECONDS: Final = 4.0
LIST_GOAL_MS: Final = 1500.0
MEGABYTE: Final = 1_000_000


def run(scratch: Path) -> Iterator[Figure]:
    """On SQLite; the routes are asked through one server process on one core."""
    with house(scratch) as (core, _, _):
        yield _issuing(core)
        before = _live(core)
        noop, prepared = _by_get(core, scratch)
        _fill(core)
        after = _live(core)
        yield Figure("ocsp_live", before, "answers/s", "the goal", 3000.0, before / 3000.0)
        yield Figure(
            "ocsp_live_100k_revoked", after, "answers/s", "the same with none revoked", before, after / before
        )
        yield Figure(
            "ocsp_prepared", prepared, "requests/s", "a no-op route of the same server", noop, prepared / noop
        )
        yield from _lists(core)


def _rates(*works: Callable[[], object]) -> list[float]:
    """Calls per second of one core (processor time, so that neighbours do not count), in turns; medians."""
    seen: list[list[float]] = [[] for _ in works]
    end = time.process_time() + SECONDS * len(works)
    while time.process_time() < end:
        for work, rates in zip(works, seen, strict=True):
            started, calls = time.process_time(), 0
            while time.process_time() - started < 0.25:
                work()
                calls += 1
            rates.append(calls / (time.process_time() - started))
    return [statistics.median(rates) for rates in seen]


def _issuing(core: Core) -> Figure:
    issuer, now = core.hierarchy.issuing_ca(), datetime.now(UTC)
    config = core.hierarchy.config
    rules = profiles(config)[ProfileName.SEAL]
    seal = _seal(core)
    key = core.keys.get(seal.key_id).public_key
    subject = x509.load_der_x509_certificate(seal.der).subject
    own = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.SubjectKeyIdentifier.from_public_key(own.public_key())

    def ours() -> object:
        return issue(
            profile=rules,
            subject=subject,
            public_key_info=key,
            issuer=issuer,
            serial=new_serial(),
            not_before=now,
            config=config,
            partition=1,
        )

    def peer() -> object:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject)
            .public_key(own.public_key())
            .serial_number(new_serial())
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=1))
            .add_extension(identifier, critical=False)
            .sign(own, hashes.SHA256())
        )

    rate, limit = _rates(ours, peer)
    return Figure(
        "certificates", rate, "certificates/s", "cryptography's builder alone, unchecked", limit, rate / limit
    )


def _seal(core: Core) -> Any:
    with core.database.read() as tx:
        record = Certificates(tx).newest_good(ProfileName.SEAL, AGENCY)
    assert record is not None
    return record


def _request(core: Core, nonce: bytes | None) -> bytes:
    with core.database.read() as tx:
        issuing = Certificates(tx).newest_good(ProfileName.ISSUING)
    assert issuing is not None
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        x509.load_der_x509_certificate(_seal(core).der),
        x509.load_der_x509_certificate(issuing.der),
        hashes.SHA1() if nonce is None else hashes.SHA256(),
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def _live(core: Core) -> float:
    request = _request(core, os.urandom(32))
    (rate,) = _rates(lambda: core.revocation.respond("issuing-1", request))
    return rate


def _by_get(core: Core, scratch: Path) -> tuple[float, float]:
    """Requests a second of a route that does nothing and of a prepared answer; the medians of three turns."""
    encoded = base64.b64encode(_request(core, None)).decode()
    asked = get(f"/ocsp/issuing-1/{quote(encoded, safe='')}")
    noops, answers = [], []
    with _server(scratch) as port:
        for _ in range(3):
            noops.append(load(port, [get("/noop")], status=200, connections=CONNECTIONS))
            answers.append(load(port, [asked], status=200, connections=CONNECTIONS))
    return statistics.median(noops), statistics.median(answers)


@contextmanager
def _server(scratch: Path) -> Iterator[int]:
    values = {
        "ABSAH_DATA_DIR": str(scratch),
        "ABSAH_LOG_LEVEL": "warning",
        "ABSAH_SERVER_UPKEEP": "false",
    }
    port = free_port()
    command = [
        *(sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--port", str(port)),
        *("--log-level", "error", "benchmarks.noop:create_core_app"),
    ]
    process = subprocess.Popen(command, env=environment(values) | {"PYTHONPATH": os.getcwd()})
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=50), trust_env=False) as client:
            client.get(f"http://127.0.0.1:{port}/noop").raise_for_status()
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def _fill(core: Core) -> None:
    """Revoked certificates in partitions of their own, each with reason and date of loss: the longest lists
    there can be."""
    size, now = core.hierarchy.config.crl_partition_size, datetime.now(UTC)
    with core.database.read() as tx:
        serial = f"{_seal(core).serial:x}"
        sample = tx.execute(select(certificates).where(certificates.c.serial == serial)).one()._asdict()
    for start in range(0, REVOKED, size):
        rows = []
        for number in range(start, start + size):
            serial = f"{new_serial():x}"
            rows.append(
                sample
                | {
                    "serial": serial,
                    "name": f"seal-{serial}",
                    "owner": "benchmark",
                    "partition": 2 + start // size,
                    "status": "revoked",
                    "reason": 1,
                    "revoked_at": now,
                    "invalidity_date": now - timedelta(seconds=number),
                    "status_changed_at": now,
                    "sha256": hashlib.sha256(serial.encode()).digest(),
                }
            )
        with core.database.begin() as tx:
            tx.execute(insert(certificates), rows)


def _lists(core: Core) -> Iterator[Figure]:
    """From the register to the stored list, numbers, signature and audit entry included."""

    def milliseconds(name: str) -> tuple[float, int]:
        taken, size = [], 0
        for _ in range(3):
            started = time.perf_counter()
            size = len(core.revocation.lists.issue(name).der)
            taken.append((time.perf_counter() - started) * 1000)
        return statistics.median(taken), size

    whole, _ = milliseconds("issuing-1")
    yield Figure("crl_100k_entries", whole, "ms", "the goal", LIST_GOAL_MS, LIST_GOAL_MS / whole)
    partition, size = milliseconds("issuing-1-p2")
    yield Figure("crl_partition", partition, "ms", "the whole list", whole, whole / partition)
    yield Figure("crl_partition_size", size / 1000, "kB", "the goal", MEGABYTE / 1000, MEGABYTE / size)
