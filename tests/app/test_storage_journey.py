"""The service over a real S3 bucket: the whole journey, and what callers are told when the bucket is away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.demo import sample_documents
from app.main import build_app
from app.settings import Settings
from app.wiring import Core, build_core
from tests.conftest import Serve
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.line import Line, line_to
from tests.support.s3 import BUCKET, SERVICE, Account, S3Server
from tests.support.server import absah
from tests.support.shelf import Kind

pytestmark = pytest.mark.network

PDF = sample_documents()[0].pdf
METADATA = {
    "type": "business_licence",
    "number": "503/0217/DPMPTSP/2026",
    "title": "Nomor Induk Berusaha",
    "signatory": "Kepala Dinas",
    "issued_on": "2026-05-30",
    "holder": {"name": "Siti Aminah"},
}


@pytest.fixture
def line(s3: S3Server) -> Iterator[Line]:
    with line_to(s3.ports["s3.port"]) as line:
        yield line


@pytest.fixture
def settings(settings: Settings, s3: S3Server, line: Line) -> Settings:
    """A service whose documents lie in a bucket, at the other end of ``line``."""
    storage = s3.settings().model_copy(update={"url": s3.fresh_url(), "endpoint": line.url})
    return settings.model_copy(update={"storage": storage})


@pytest.fixture(params=["sqlite"])
def database_kind(request: pytest.FixtureRequest) -> Kind:
    """Where the register lies makes no difference here."""
    kind: Kind = request.param
    return kind


def _seal(api: Any, token: str, **headers: str) -> httpx.Response:
    answer: httpx.Response = api.post(
        "/v1/documents",
        headers={"Authorization": f"Bearer {token}"} | headers,
        files={"file": ("izin.pdf", PDF, "application/pdf")},
        data={"metadata": json.dumps(METADATA)},
    )
    return answer


def _stored(s3: S3Server, url: str) -> list[str]:
    place = url.removeprefix(f"s3://{BUCKET}/") + "/"
    return sorted(key.removeprefix(place) for key in s3.keys(place))


def _assert_unavailable(answer: httpx.Response, settings: Settings) -> None:
    """A problem document that says when to come back, and nothing about our insides."""
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.json()["type"].endswith("/unavailable")
    assert int(answer.headers["retry-after"]) > 0
    inside = (settings.storage_url, settings.storage.endpoint, SERVICE.key_id, SERVICE.secret, BUCKET)
    assert not [words for words in inside if words is not None and words in answer.text]


def test_a_document_in_a_bucket_is_sealed_fetched_and_verified(
    core: Core, api: InProcess, token: str, s3: S3Server, settings: Settings
) -> None:
    answer = _seal(api, token)
    assert answer.status_code == 201, answer.text
    document = answer.json()
    file = api.get(f"/v1/documents/{document['id']}/file", headers={"Authorization": f"Bearer {token}"})
    assert file.content.startswith(PDF)
    verdict = api.post("/v1/verifications", files={"file": ("x.pdf", file.content)}).json()
    assert (verdict["outcome"], verdict["document"]["id"]) == ("valid", document["id"])
    # The sealed file and nothing else: the source with the unmasked name is gone, and no copy is on the disk.
    (stored,) = _stored(s3, settings.storage_url)
    assert re.fullmatch(rf"sealed/{document['id']}/[0-9a-f]{{16}}\.pdf", stored)
    assert not (settings.home / "documents").exists()


def test_while_the_store_is_away_callers_are_told_to_come_back_and_nothing_is_half_issued(
    core: Core, api: InProcess, token: str, line: Line, s3: S3Server, settings: Settings
) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    document = _seal(api, token).json()["id"]
    line.cut()
    _assert_unavailable(_seal(api, token, **{"Idempotency-Key": "order-17"}), settings)
    _assert_unavailable(api.get(f"/v1/documents/{document}/file", headers=bearer), settings)
    ready = api.get("/readyz")
    assert (ready.status_code, ready.json()["storage"]) == (503, "StorageNotReady")
    assert ready.json()["database"] == "ok"
    # Verification needs no store.
    assert api.get(f"/v1/verifications/{document}").json()["outcome"] == "valid"
    line.mend()
    again = _seal(api, token, **{"Idempotency-Key": "order-17"})
    assert again.status_code == 201, again.text
    listed = api.get("/v1/documents", headers=bearer).json()["documents"]
    assert {entry["id"]: entry["state"] for entry in listed} == {
        document: "issued",
        again.json()["id"]: "issued",
    }
    assert len(_stored(s3, settings.storage_url)) == 2
    core.files.ping()


def test_a_store_that_refuses_our_credentials_is_an_outage_to_callers(
    core: Core, token: str, settings: Settings, clock: FrozenClock, tmp_path: Path
) -> None:
    wrong = Account(SERVICE.key_id, "another-secret-77aa").file(tmp_path / "credentials")
    storage = settings.storage.model_copy(update={"credentials_file": wrong})
    with ExitStack() as closing:
        changed = settings.model_copy(update={"storage": storage})
        refused = build_core(changed, closing=closing, clock=clock)
        answer = _seal(InProcess(build_app(refused, closing=closing)), token)
    _assert_unavailable(answer, settings)
    assert "another-secret" not in answer.text


def test_a_served_installation_keeps_its_documents_in_the_bucket_that_its_variables_name(
    s3: S3Server, serve: Serve, tmp_path: Path
) -> None:
    url = s3.fresh_url()
    settings = {
        "ABSAH_DATA_DIR": str(tmp_path / "data"),
        "ABSAH_SERVER_WORKERS": "2",
        **s3.variables(url),
    }
    absah("init", settings=settings)
    said = absah(
        *("agency", "add", "dinas", "--name", "Dinas Contoh", "--organization-identifier", "NTRID-1"),
        *("--scope", "documents.issue:*", "--scope", "documents.read"),
        settings=settings,
    ).stdout
    assert re.search(rf"storage\s+{url}", absah("doctor", settings=settings, check=False).stdout)
    client = dict(re.findall(r"^(Client|Secret) +(\S+)", said, re.MULTILINE))
    http = serve(settings).http
    grant = {"grant_type": "client_credentials"}
    token = http.post("/oauth2/token", data=grant, auth=(client["Client"], client["Secret"])).json()
    documents = [
        _seal(http, token["access_token"]).json()["id"] for _ in range(4)
    ]  # both processes take some
    for document in documents:
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        file = http.get(f"/v1/documents/{document}/file", headers=bearer).content
        verdict = http.post("/v1/verifications", files={"file": ("x.pdf", file)}).json()
        assert (verdict["outcome"], verdict["document"]["id"]) == ("valid", document)
    assert [key.split("/")[1] for key in _stored(s3, url)] == sorted(documents)
