"""Every refusal is a problem document with a stable type."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import Annotated

import pytest
from fastapi import Body, FastAPI, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.types import Message

from app.problems import CUSTODY, CUSTODY_ROOT, METHOD, NOT_FOUND, PROBLEMS, UNAVAILABLE, problem_of
from app.settings import Settings
from app.shell import new_application
from signing.errors import DocumentNotFound, NotPermitted, RequestRefused
from tests.support.asgi import InProcess

ROOTS = {
    "app": "ApplicationError",
    "ca": "CertificationError",
    "identity": "IdentityError",
    "keys": "KeyCustodyError",
    "signing": "SigningError",
    "verify": "VerificationError",
}


def _leaves(kind: type[Exception]) -> Iterator[type[Exception]]:
    below = kind.__subclasses__()
    if not below:
        yield kind
    for child in below:
        yield from _leaves(child)


@pytest.mark.parametrize("slice_name", ROOTS)
def test_every_leaf_error_of_every_slice_is_in_the_table(slice_name: str) -> None:
    root: type[Exception] = getattr(import_module(f"{slice_name}.errors"), ROOTS[slice_name])
    if slice_name == "keys":
        assert f"{root.__module__}.{root.__qualname__}" == CUSTODY_ROOT
        leaves = {leaf.__name__: problem_of(leaf.__new__(leaf)) for leaf in _leaves(root)}
        assert leaves.items() >= CUSTODY.items(), "the table names what is no leaf any more"
        assert {problem for name, problem in leaves.items() if name not in CUSTODY} == {UNAVAILABLE}
        return
    missing = {leaf.__name__ for leaf in _leaves(root) if leaf.__module__.startswith(slice_name)} - {
        kind.__name__ for kind in PROBLEMS
    }
    assert missing == set()


def test_one_slug_means_one_thing() -> None:
    by_slug = {
        problem.slug: problem for problem in (*PROBLEMS.values(), *CUSTODY.values(), METHOD, NOT_FOUND)
    }
    assert all(by_slug[problem.slug] == problem for problem in (*PROBLEMS.values(), *CUSTODY.values()))
    assert all(problem.slug.replace("-", "").isalpha() for problem in by_slug.values())


class Thing(BaseModel):
    count: int


@pytest.fixture
def application() -> FastAPI:
    made = new_application(
        Settings(public_url="https://absah.example", pki_url="http://pki.example"),
        title="t",
        probes={},
        closing=ExitStack(),
    )

    @made.get("/refused")
    def refused() -> None:
        raise RequestRefused("number", "is empty")

    @made.get("/crash")
    def crash() -> None:
        raise ZeroDivisionError("NIK 3273010101900001 of Siti Aminah")

    @made.get("/unfound/{document_id}")
    def unfound(document_id: str) -> None:
        raise DocumentNotFound(document_id)

    @made.get("/forbidden")
    def forbidden() -> None:
        raise NotPermitted("The access token lacks the scope documents.read.")

    @made.post("/thing")
    def thing(thing: Annotated[Thing, Body()], limit: Annotated[int, Query(le=5)] = 1) -> Thing:
        return thing

    return made


@pytest.fixture
def http(application: FastAPI) -> InProcess:
    return InProcess(application)


def _is_problem(answer: object, status: int, slug: str) -> dict[str, object]:
    assert answer.status_code == status, answer.text  # type: ignore[attr-defined]
    assert answer.headers["content-type"] == "application/problem+json"  # type: ignore[attr-defined]
    body: dict[str, object] = answer.json()  # type: ignore[attr-defined]
    assert body["type"] == f"https://absah.example/problems/{slug}"
    assert body["status"] == status
    assert body["title"]
    return body


def test_a_typed_error_is_explained(http: InProcess) -> None:
    body = _is_problem(http.get("/refused"), 422, "document-facts-invalid")
    assert body["detail"] == "number: is empty"


def test_the_title_follows_the_readers_language(http: InProcess) -> None:
    indonesian = http.get("/refused", headers={"Accept-Language": "fr, id-ID;q=0.9, en;q=0.8"})
    english = http.get("/refused", headers={"Accept-Language": "en-GB, id;q=0.5"})
    assert (indonesian.headers["content-language"], english.headers["content-language"]) == ("id", "en")
    assert indonesian.json()["title"] == "Data dokumen melanggar aturan"


def test_a_defect_tells_the_caller_nothing_but_an_incident(
    http: InProcess, caplog: pytest.LogCaptureFixture
) -> None:
    answer = http.get("/crash")
    body = _is_problem(answer, 500, "internal")
    assert str(body["incident"]) in str(body["detail"])
    assert "Siti" not in answer.text + caplog.text
    assert "3273010101900001" not in answer.text + caplog.text


def test_unknown_addresses_and_methods_are_problems_too(http: InProcess) -> None:
    _is_problem(http.get("/nowhere"), 404, "not-found")
    answer = http.post("/refused")
    _is_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "HEAD, GET"


def test_a_request_of_the_wrong_form_names_each_place_and_repeats_no_value(http: InProcess) -> None:
    answer = http.post("/thing?limit=9", json={"count": "Siti Aminah"})
    body = _is_problem(answer, 422, "request-invalid")
    places = {entry["location"] for entry in body["errors"]}  # type: ignore[attr-defined]
    assert places == {"query.limit", "body.count"}
    assert "Siti" not in answer.text


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b""])
def test_a_body_that_is_not_json_is_refused(body: bytes, http: InProcess) -> None:
    answer = http.post("/thing", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_above_the_limit_is_refused_whether_or_not_it_says_its_length(http: InProcess) -> None:
    def drops() -> object:
        async def chunks() -> object:
            for _ in range(40):
                yield b" " * 65536

        return chunks()

    _is_problem(http.post("/thing", content=b" " * (1024**2 + 1)), 413, "body-too-large")
    streamed = http.post("/thing", content=drops(), headers={"Content-Type": "application/json"})
    _is_problem(streamed, 413, "body-too-large")


def test_a_missing_scope_says_so_in_the_header_that_clients_read(http: InProcess) -> None:
    answer = http.get("/forbidden")
    _is_problem(answer, 403, "scope-missing")
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_the_type_uri_leads_to_words(http: InProcess) -> None:
    page = http.get("/problems/pdf-encrypted")
    assert (page.status_code, "PDF terenkripsi" in page.text) == (200, True)
    assert http.get("/problems/nonsense").status_code == 404


def test_every_answer_carries_a_request_id_and_keeps_a_sound_one(http: InProcess) -> None:
    assert http.get("/healthz", headers={"X-Request-Id": "abcd-1234"}).headers["x-request-id"] == "abcd-1234"
    made_up = http.get("/healthz", headers={"X-Request-Id": "a\tb<script>"}).headers["x-request-id"]
    assert made_up.isalnum()
    refused = http.get("/nowhere")
    assert refused.json()["request_id"] == refused.headers["x-request-id"]


def test_a_caller_who_hangs_up_is_no_incident_of_ours(
    application: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    @application.post("/reads")
    async def reads(request: Request) -> None:
        await request.body()

    scope = {"type": "http", "method": "POST", "path": "/reads", "headers": [], "query_string": b""}
    asyncio.run(application(scope, receive, send))
    assert sent[0]["status"] == 400
    assert "incident" not in "".join(capsys.readouterr())
