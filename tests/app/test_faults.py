"""People get pages where programs get problem documents, in their language and with nothing in them."""

from __future__ import annotations

import re
from contextlib import ExitStack

import pytest
from fastapi import FastAPI

from app.errors import StorageNotReady
from app.settings import Settings
from app.shell import new_application
from tests.support.asgi import InProcess

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
ENGLISH = BROWSER | {"Accept-Language": "en-GB,en;q=0.9"}


@pytest.fixture
def application() -> FastAPI:
    made = new_application(
        Settings(public_url="https://absah.example", pki_url="http://pki.example"),
        title="t",
        probes={},
        closing=ExitStack(),
        has_accounts=True,
    )

    @made.get("/crash")
    def crash() -> None:
        raise ZeroDivisionError("NIK 3273010101900001 of Siti Aminah")

    @made.get("/away")
    def away() -> None:
        raise StorageNotReady("the disk /srv/absah is full")

    @made.get("/v1/crash")
    def api_crash() -> None:
        raise ZeroDivisionError

    return made


@pytest.fixture
def http(application: FastAPI) -> InProcess:
    return InProcess(application)


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (BROWSER["Accept"], True),
        ("TEXT/HTML", True),
        ("application/json, text/html", True),
        ("application/json, text/html;q=0.5", False),
        ("application/problem+json;q=0.2, text/html;q=0.3", True),
        ("text/html;q=0", False),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("text/html;q=abc", True),
    ],
)
def test_who_names_html_gets_a_page(http: InProcess, accept: str, is_page: bool) -> None:
    answer = http.get("/nowhere", headers={"Accept": accept})
    assert answer.status_code == 404
    kind = "text/html; charset=utf-8" if is_page else "application/problem+json"
    assert answer.headers["content-type"] == kind


@pytest.mark.parametrize(
    "path",
    ["/v1/nowhere", "/v1/crash", "/oauth2/token", "/oauth2/jwks", "/pki/x.crl", "/.well-known/nowhere"],
)
def test_addresses_of_programs_answer_problem_documents_to_everybody(http: InProcess, path: str) -> None:
    answer = http.get(path, headers=BROWSER)
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_page_has_the_frame_and_the_headers_of_every_page(http: InProcess) -> None:
    answer = http.get("/nowhere?lang=id", headers=ENGLISH)
    assert '<html lang="id">' in answer.text
    assert "Halaman ini tidak ada" in answer.text
    assert 'href="/account"' in answer.text
    assert answer.headers["content-language"] == "id"
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "There is no such page" in http.get("/nowhere", headers=ENGLISH).text
    kept = ENGLISH | {"Cookie": "__Host-absah-lang=id"}
    assert "Halaman ini tidak ada" in http.get("/nowhere", headers=kept).text


def test_a_method_that_a_page_does_not_take_is_a_page_too(http: InProcess) -> None:
    answer = http.post("/crash", headers=ENGLISH)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "HEAD, GET"
    assert "cannot be opened directly" in answer.text


def test_what_breaks_on_our_side_shows_a_number_and_nothing_else(
    http: InProcess, caplog: pytest.LogCaptureFixture
) -> None:
    broken = http.get("/crash", headers=BROWSER)
    assert broken.status_code == 500
    assert re.search(r'class="address">[0-9a-f]{12}<', broken.text)
    away = http.get("/away", headers=ENGLISH)
    assert (away.status_code, away.headers["retry-after"]) == (503, "5")
    assert "Not available at the moment" in away.text
    assert 'href="/away"' in away.text
    for secret in ("Siti", "3273010101900001", "/srv", "Traceback", "ZeroDivision"):
        assert secret not in broken.text + away.text


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "/%2F%2Fevil.example", "/a%22onload=x", "/\\evil.example"]
)
def test_no_link_on_it_leads_anywhere_but_to_us(http: InProcess, path: str) -> None:
    text = http.get(f"https://absah.example{path}", headers=BROWSER).text
    links = re.findall(r'(?:href|src|action)="([^"]*)"', text)
    assert links
    assert all(re.fullmatch(r"#main|/(?![/\\]).*", link) for link in links), links
    assert "evil.example" not in text


def test_a_body_that_is_too_large_is_told_to_people_in_words(http: InProcess) -> None:
    answer = http.post("/crash", headers=ENGLISH, content=b" " * (1024**2 + 1))
    assert answer.status_code == 413
    assert "Choose a smaller file" in answer.text
