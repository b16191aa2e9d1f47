"""One served house for a module's pages, with a document in every state that a page can show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from app.demo import sample_documents
from tests.journeys.conftest import House, add_agency
from tests.support.server import RunningServer, absah, free_port
from tests.verify.documents import plain_pdf, sealed

PDF = sample_documents()[0].pdf
TODAY = datetime.now(UTC).date()
UNKNOWN_ID = "7K3M9QXF7K3M9QXF"
MAX_UPLOAD = 3_000_000

HOSTILE_TITLES = {
    "markup": "<img src=x onerror=alert(1)></dd></dl><h1>Sah</h1>{{ 7*7 }} &amp;",
    "unbroken": "W" * 160,
    "right-to-left": "نسخة طبق الأصل (1) 503/2026 «صالح»",
}


@dataclass(frozen=True)
class Library:
    """Ids of documents by situation, files to upload by situation, and the service that knows them."""

    house: House
    ids: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.house.server.base_url

    def issue(self, situation: str, *, by: House | None = None, **facts: object) -> str:
        answer = (by or self.house).seal(PDF, **facts)
        assert answer.status_code == 201, answer.text
        body = answer.json()
        self.ids[situation], self.links[situation] = body["id"], body["links"]["page"]
        return self.ids[situation]

    def revoke(self, document_id: str) -> None:
        answer = self.house.http.post(
            f"/v1/documents/{document_id}/revocation",
            headers=self.house.client.bearer,
            json={"reason": "issued_in_error"},
        )
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Served over real HTTP on SQLite."""
    folder = tmp_path_factory.mktemp("pages")
    with ExitStack() as closing:
        port = free_port()
        settings = {
            "ABSAH_DATA_DIR": str(folder / "data"),
            "ABSAH_DATABASE_URL": f"sqlite:///{folder / 'absah.db'}",
            "ABSAH_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "ABSAH_VERIFY_MAX_BYTES": str(MAX_UPLOAD),
        }
        absah("init", settings=settings)
        server = RunningServer(settings, (), folder / "serve.log", port)
        closing.callback(server.close)
        server.start()
        house = House(settings, server, add_agency(settings, server, "dpmptsp"), folder)
        filled = Library(house)
        _issue_everything(filled)
        yield filled


def _issue_everything(library: Library) -> None:
    house = library.house
    holder = {"name": "Siti Aminah", "kind": "person"}
    year = {"holder": holder, "valid_until": (TODAY + timedelta(days=365)).isoformat()}
    first = library.issue("valid", **year)
    library.issue("superseded", **year)
    library.issue("successor", supersedes=library.ids["superseded"], **year)
    library.revoke(library.issue("revoked", **year))
    library.issue("expired", holder=holder, issued_on="2025-01-02", valid_until="2026-01-01")
    sandbox = House(house.settings, house.server, house.add_agency("latihan", "--sandbox"), house.folder)
    library.issue("sample", by=sandbox)
    for name, title in HOSTILE_TITLES.items():
        library.issue(name, title=title)
    genuine = house.file_of(first)
    changed = bytearray(genuine)
    changed[len(PDF) // 2] ^= 1
    library.files.update(
        genuine=genuine,
        file_differs=bytes(changed),
        not_signed=plain_pdf(),
        unreadable=genuine[:3000],
        unknown_issuer=sealed().content,
        too_large=b"%PDF-1.7\n" + bytes(MAX_UPLOAD),
    )
