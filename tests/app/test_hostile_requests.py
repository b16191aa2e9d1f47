"""Requests that nobody sends by mistake: each gets a precise refusal, on both databases, and never a 500."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from itertools import product
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.demo import sample_documents
from app.main import build_app
from app.wiring import Core
from signing.tables import DocumentTable
from tests.support.asgi import InProcess

PDF = sample_documents()[0].pdf
METADATA = {
    "type": "decree",
    "number": "188/12/2026",
    "title": "Penetapan",
    "signatory": "Kepala Dinas",
    "issued_on": "2026-05-30",
}
HOSTILE = ("\0", "a\0b", "0000000000000000\0", "\U0001f600", "../../etc/passwd", "A" * 5000, "%", "'", "é")
ISSUE = "/v1/documents"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _seal(api: InProcess, token: str, *, pdf: bytes = PDF, key: str | None = None, **changes: Any) -> Any:
    headers = _bearer(token) | ({"Idempotency-Key": key} if key else {})
    return api.post(
        ISSUE,
        headers=headers,
        files={"file": ("a.pdf", pdf, "application/pdf")},
        data={"metadata": json.dumps(METADATA | changes)},
    )


def _slug(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    slug: str = answer.json()["type"].rsplit("/", 1)[-1]
    return slug


@pytest.mark.either_database
def test_no_route_fails_over_a_hostile_name_in_its_address(core: Core, token: str) -> None:
    with ExitStack() as closing:
        application = build_app(core, closing=closing)
        api = InProcess(application)
        templates = {
            path: {method.upper() for method in methods} & {"GET", "POST"}
            for path, methods in application.openapi()["paths"].items()
            if "{" in path
        }
        assert len(templates) >= 8
        for path, text in product(templates, HOSTILE):
            address = re.sub(r"\{.*?\}", quote(text, safe=""), path)
            for method in templates[path]:
                body = {"reason": "fraud", "successor": text}
                answer = api.request(method, address, headers=_bearer(token), json=body)
                assert answer.status_code < 500, f"{method} {path}: {answer.text}"


def test_a_hostile_filter_is_refused(api: InProcess, token: str) -> None:
    for name, text in product(("type", "number"), ("\0", "a\0b", "A" * 5000)):
        answer = api.get(ISSUE, params={name: text}, headers=_bearer(token))
        assert _slug(answer) in {"document-facts-invalid", "document-type-unknown"}
    for cursor in (2**63, 10**30):
        assert _slug(api.get(ISSUE, params={"cursor": cursor}, headers=_bearer(token))) == "request-invalid"


def test_a_client_id_that_was_never_ours_is_an_unknown_client(api: InProcess) -> None:
    for client_id in (b"a\0b", b"\0", b"x" * 4000, b"client-\xed\xa0\x80"):
        answer = api.post(
            "/oauth2/token",
            content="grant_type=client_credentials&client_secret=x&client_id=" + quote(client_id),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.json()["error"] in {"invalid_client", "invalid_request"}
        assert answer.status_code in {400, 401}


def test_a_hostile_successor_is_no_document_of_yours(api: InProcess, token: str) -> None:
    document = _seal(api, token).json()["id"]
    for successor in ("\\u0000", "x", "A" * 5000, "\\ud800"):
        answer = api.post(
            f"{ISSUE}/{document}/supersession",
            headers=_bearer(token) | {"Content-Type": "application/json"},
            content=f'{{"successor": "{successor}"}}',
        )
        assert (answer.status_code, _slug(answer)) == (404, "document-not-found")
        assert len(answer.text) < 600


def test_an_absurd_fact_is_refused_before_anything_is_stored(api: InProcess, token: str) -> None:
    absurd: list[dict[str, Any]] = [
        {"holder": {"name": " ".join(["ab"] * 40)}},
        {"place": {"page": 10**170, "x": 0, "y": 0}},
        {"place": {"page": 1, "x": float("nan"), "y": 0}},
        {"place": {"page": 1, "x": 1e300, "y": 0}},
        {"place": {"page": "1", "x": 0, "y": 0}},
        {"issued_on": "9999-12-31"},
        {"issued_on": "2026-05-30T00:00:00"},
        {"issued_on": 20260530},
    ]
    for changes in absurd:
        answer = _seal(api, token, **changes)
        assert (answer.status_code, _slug(answer)) == (422, "document-facts-invalid"), changes
    assert api.get(ISSUE, headers=_bearer(token)).json()["documents"] == []


def test_the_longest_facts_that_are_allowed_are_sealed(api: InProcess, token: str) -> None:
    longest = {
        "number": "7" * 12 + "/" + "x" * 67,
        "title": "T" * 160,
        "holder": {"name": " ".join(["a"] * 24)},
        "place": {"page": 1, "x": 10.123456789123456, "y": 11.98765432198765, "width": 270.1234567891234},
    }
    assert _seal(api, token, **longest).status_code == 201


def test_what_is_not_a_form_with_a_file_is_told_so(api: InProcess, token: str) -> None:
    for content_type, status, slug in (
        ("application/json", 415, "upload-not-understood"),
        ("application/x-www-form-urlencoded", 415, "upload-not-understood"),
        ("", 415, "upload-not-understood"),
        ("multipart/form-data; boundary=x", 422, "upload-incomplete"),
        ("multipart/form-data", 400, "request-unreadable"),
    ):
        headers = _bearer(token) | ({"Content-Type": content_type} if content_type else {})
        answer = api.post(ISSUE, headers=headers, content=b"")
        assert (answer.status_code, _slug(answer)) == (status, slug), content_type


def test_a_refusal_is_repeated_in_the_same_words_and_under_the_same_type(api: InProcess, token: str) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"pdf": b"hello"}, "pdf-not-a-pdf"),
        ({"signatory": "\U0001f600"}, "unprintable-character"),
        ({"signatory": "W" * 120}, "stamp-text-too-long"),
    ]
    for changes, slug in refused:
        first, second = (_seal(api, token, key=slug, **changes) for _ in range(2))
        assert (_slug(first), _slug(second)) == (slug, slug)
        assert first.json()["detail"] == second.json()["detail"]


@pytest.mark.either_database
def test_no_redirect_is_built_from_the_host_header(api: InProcess, token: str) -> None:
    for path in ("/v1/documents/", "//v1/documents", "/verify/", "/healthz/", "/problems/"):
        answer = api.get(path, headers=_bearer(token) | {"Host": "evil.example"})
        assert "evil" not in answer.headers.get("location", "") + answer.text
        assert answer.status_code == 404


def test_head_is_get_without_a_body(api: InProcess, token: str) -> None:
    document = _seal(api, token).json()["id"]
    for path in ("/healthz", "/readyz", "/pki/root-1.crt", "/pki/issuing-1.crl", f"{ISSUE}/{document}/file"):
        got = api.get(path, headers=_bearer(token))
        head = api.request("HEAD", path, headers=_bearer(token))
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
        assert head.headers["content-type"] == got.headers["content-type"]
    assert api.request("HEAD", "/nowhere").status_code == 404


def test_a_method_that_is_not_taken_is_told_all_those_that_are(api: InProcess) -> None:
    answer = api.request("DELETE", ISSUE)
    assert (answer.status_code, answer.headers["allow"]) == (405, "HEAD, GET, POST")


def test_a_sealed_file_that_is_gone_is_a_fault_of_ours_before_the_answer_begins(
    core: Core, api: InProcess, token: str
) -> None:
    document = _seal(api, token).json()["id"]
    with core.database.read() as tx:
        stored = DocumentTable(tx).by_id(document)
    assert stored is not None
    core.files.delete(stored.sealed_key)
    answer = api.get(f"{ISSUE}/{document}/file", headers=_bearer(token))
    assert (answer.status_code, _slug(answer)) == (500, "internal")


def test_an_answer_before_the_body_was_read_announces_the_end_of_the_connection(api: InProcess) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert api.post(ISSUE, content=b"x" * 100_000).headers["connection"] == "close"
    assert "connection" not in api.post("/oauth2/token", content=b"a=b", headers=form).headers
    assert "connection" not in api.post(ISSUE).headers
    assert "connection" not in api.get("/healthz").headers
