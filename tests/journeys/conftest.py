"""A whole service per test: the real commands, a real server process, real HTTP, on both databases."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.demo.model import SampleDocument
from tests.support.server import RunningServer, absah, free_port

SCOPES = ("documents.issue:*", "documents.read", "documents.revoke")


@dataclass(frozen=True)
class Client:
    """An agency's system and its access token."""

    client_id: str
    secret: str
    token: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class House:
    """Settings and data of one service, its server, and one client of the agency ``dpmptsp``."""

    settings: dict[str, str]
    server: RunningServer
    client: Client
    folder: Path

    @property
    def http(self) -> httpx.Client:
        return self.server.http

    def add_agency(self, agency_id: str, *options: str) -> Client:
        """Another agency, made with the command line while the server runs."""
        return add_agency(self.settings, self.server, agency_id, *options)

    def seal(
        self, pdf: bytes, *, key: str | None = None, accept: str = "application/json", **facts: Any
    ) -> Any:
        """``POST /v1/documents`` by the first client."""
        metadata = {
            "type": "business_licence",
            "number": "503/0217/DPMPTSP/2026",
            "title": "Nomor Induk Berusaha",
            "signatory": "Kepala Dinas Penanaman Modal",
            "issued_on": "2026-11-20",
        } | facts
        headers = self.client.bearer | {"Accept": accept} | ({"Idempotency-Key": key} if key else {})
        return self.http.post(
            "/v1/documents",
            headers=headers,
            data={"metadata": json.dumps(metadata)},
            files={"file": ("surat.pdf", pdf, "application/pdf")},
            timeout=120,
        )

    def seal_sample(self, sample: SampleDocument) -> tuple[dict[str, Any], bytes]:
        """Seal one of the project's sample documents; returns its description and the sealed PDF."""
        answer = self.seal(
            sample.pdf,
            type=sample.type,
            number=sample.number,
            title=sample.title,
            signatory=sample.signatory,
            issued_on=sample.issued_on.isoformat(),
            valid_until=sample.valid_until.isoformat() if sample.valid_until else None,
            holder={"name": sample.holder.name, "kind": sample.holder.kind} if sample.holder else None,
        )
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document, self.file_of(document["id"])

    def file_of(self, document_id: str) -> bytes:
        answer = self.http.get(f"/v1/documents/{document_id}/file", headers=self.client.bearer)
        assert answer.status_code == 200, answer.text
        return answer.content

    def documents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get("/v1/documents", headers=self.client.bearer).json()[
            "documents"
        ]
        return found

    def upload(self, content: bytes, name: str = "file.pdf") -> Any:
        """``POST /v1/verifications`` by anyone."""
        return self.http.post("/v1/verifications", files={"file": (name, content)}, timeout=60)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Initialised with the command line and served: one for a module's tests, on each kind of database."""
    folder = tmp_path_factory.mktemp("house")
    with ExitStack() as closing:
        url = f"sqlite:///{folder / 'absah.db'}"
        if request.param == "postgresql":
            url = closing.enter_context(request.getfixturevalue("postgres").database())
        port = free_port()
        settings = {
            "ABSAH_DATA_DIR": str(folder / "data"),
            "ABSAH_DATABASE_URL": url,
            "ABSAH_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "ABSAH_SIGNING_LEASE_SECONDS": "2",
            "ABSAH_WORKER_INTERVAL_SECONDS": "1",
        }
        absah("init", settings=settings)
        server = RunningServer(settings, (), folder / "serve.log", port)
        closing.callback(server.close)
        server.start()
        yield House(settings, server, add_agency(settings, server, "dpmptsp"), folder)


def add_agency(settings: dict[str, str], server: RunningServer, agency_id: str, *options: str) -> Client:
    """An agency with its seal and one system, made with the command line."""
    printed = absah(
        *("agency", "add", agency_id, "--name", f"Dinas {agency_id} Kabupaten Nusa Permata"),
        *("--organization-identifier", "NTRID-9120101234567", *options),
        *(word for scope in SCOPES for word in ("--scope", scope)),
        settings=settings,
    ).stdout
    found = dict(re.findall(r"^(Client|Secret) +(\S+)", printed, re.MULTILINE))
    answer = server.http.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(found["Client"], found["Secret"]),
    )
    assert answer.status_code == 200, answer.text
    return Client(found["Client"], found["Secret"], answer.json()["access_token"])
