"""Verification over HTTP: precise answers to every kind of question, and pages that say it plainly."""

from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path

import cbor2
import pytest
from fastapi import FastAPI
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry
from PIL import Image
from sqlalchemy.exc import OperationalError

from app import answers, web
from signing.qr import qr_code
from signing.receipt import decode
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.verify.documents import HOST, Register, SealedDocument, plain_pdf
from verify.lookups import Lookups
from verify.pages import PAGE_HEADERS, Pages
from verify.routes import router
from verify.service import VerificationService
from verify.verdict import Outcome
from verify.words import OUTCOMES, TEXTS

LIMIT = 2_000_000


@pytest.fixture
def client(service: VerificationService, register: Register, clock: FrozenClock) -> InProcess:
    application = FastAPI()
    answers.install(application, public_url=f"https://{HOST}", has_accounts=False)
    pages = Pages(
        web.layout_loader(),
        official_url=f"https://{HOST}",
        max_upload_bytes=LIMIT,
        asset_version=web.asset_version(),
    )
    lookups = Lookups(register.by_ids, clock)
    application.include_router(router(service, lookups, pages, max_upload_bytes=LIMIT))
    application.mount("/static", web.static_files())
    application.add_middleware(answers.ProblemMiddleware)
    return InProcess(application)


def photo(document: SealedDocument) -> bytes:
    """The document's QR code as a picture of 6 pixels per module, quiet zone included."""
    code = qr_code(document.link, "Q")
    image = Image.new("L", (code.side, code.side), 255)
    for y, row in enumerate(code.rows):
        for x, dark in enumerate(row):
            if dark:
                image.putpixel((x + 4, y + 4), 0)
    out = BytesIO()
    image.resize((image.width * 6, image.height * 6), Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()


# --- JSON -----------------------------------------------------------------------------------------


def test_the_json_twin_says_what_the_register_says(client: InProcess, document: SealedDocument) -> None:
    answer = client.get(f"/v1/verifications/{document.claims.document_id}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["outcome"] == "valid"
    assert body["document"]["number"] == document.claims.number
    assert body["reasons"][0]["code"] == "record_issued"
    assert set(body["reasons"][0]) == {"code", "id", "en"}
    assert body["checked_at"] == "2026-11-22T04:00:00Z"


def test_the_published_keys_check_a_receipt_with_software_that_is_not_ours(
    client: InProcess, document: SealedDocument
) -> None:
    signed = decode(document.receipt)
    [published] = client.get("/v1/receipt-keys").json()["keys"]
    assert published["kid"] == signed.key_id.hex()
    key = ECKey.import_key(published)
    protected, _, payload, signature = cbor2.loads(document.receipt).value
    to_be_signed = cbor2.dumps(["Signature1", protected, b"", payload])
    assert JWSRegistry.algorithms["ES256"].verify(to_be_signed, signature, key)
    assert not JWSRegistry.algorithms["ES256"].verify(to_be_signed + b"\0", signature, key)


def test_an_unknown_id_is_a_problem_document(client: InProcess) -> None:
    answer = client.get("/v1/verifications/0000000000000000")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert "Do not accept it" in answer.json()["detail"]


def test_a_register_that_is_down_is_said_and_not_called_unknown(
    client: InProcess, register: Register, document: SealedDocument
) -> None:
    register.failure = OperationalError("SELECT", {}, Exception("gone"))
    answer = client.get(f"/v1/verifications/{document.claims.document_id}")
    assert answer.status_code == 503
    assert answer.json()["outcome"] == "cannot_say"
    page = client.get(f"/d/{document.claims.document_id}?lang=en")
    assert page.status_code == 503
    assert OUTCOMES["en"][Outcome.CANNOT_SAY][0] in page.text


def test_a_file_a_photo_a_receipt_a_link_and_an_id_lead_to_the_same_document(
    client: InProcess, document: SealedDocument
) -> None:
    digits = document.link.partition("#")[2]
    for answer in (
        client.post("/v1/verifications", files={"file": ("a.pdf", document.content)}),
        client.post("/v1/verifications", files={"photo": ("a.png", photo(document))}),
        client.post("/v1/verifications", json={"receipt": digits}),
        client.post("/v1/verifications", json={"link": document.link}),
        client.post("/v1/verifications", json={"id": document.claims.document_id}),
        client.post("/v1/verifications", data={"text": document.link}),
    ):
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["outcome"] == "valid", body
        assert body["document"]["id"] == document.claims.document_id


@pytest.mark.parametrize(
    ("request_body", "status"),
    [
        ({"files": {"file": ("a.pdf", b"%PDF-" + bytes(LIMIT + 1))}}, 413),
        ({"json": {"receipt": "1" * 20_000}}, 413),
        ({"files": {"file": ("a.pdf", b"%PDF-1.7"), "photo": ("b.png", b"PNG")}}, 422),
        ({"files": {"attachment": ("a.pdf", b"%PDF-1.7")}}, 422),
        ({"files": {"file": ("", b"")}}, 422),
        ({"data": {"file": "not a file"}}, 422),
        ({"json": {}}, 422),
        ({"json": {"link": 5}}, 422),
        ({"json": {"url": "x"}}, 422),
        ({"json": []}, 422),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 422),
        ({"content": b"[" * 10_000, "headers": {"content-type": "application/json"}}, 422),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 422),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 422),
        ({"content": b"x", "headers": {"content-type": "text/plain"}}, 415),
        ({}, 415),
    ],
)
def test_a_request_that_cannot_be_answered_gets_a_precise_problem(
    client: InProcess, request_body: dict[str, object], status: int
) -> None:
    answer = client.post("/v1/verifications", **request_body)
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_an_upload_is_cut_off_although_it_lies_about_its_length(client: InProcess) -> None:
    async def endless() -> object:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
        for _ in range(100):
            yield bytes(100_000)

    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/v1/verifications", content=endless(), headers=headers)
    assert answer.status_code == 413


# --- pages ----------------------------------------------------------------------------------------


def test_the_page_shows_the_printed_lines_in_their_order(client: InProcess, document: SealedDocument) -> None:
    page = client.get(f"/d/{document.claims.document_id}?lang=id")
    assert page.status_code == 200
    printed = ["Izin usaha", document.claims.number, "S*** R******", document.claims.issuer, "Kepala Dinas"]
    facts = page.text[page.text.index('class="facts"') :]
    positions = [facts.index(text) for text in [*printed, "22 November 2026", "21 November 2031"]]
    assert positions == sorted(positions)
    assert re.sub(r"<template.*?</template>", "", page.text, flags=re.DOTALL).count("<h1") == 1
    assert HOST in page.text


def test_the_page_speaks_the_language_asked_for(client: InProcess, document: SealedDocument) -> None:
    path = f"/d/{document.claims.document_id}"
    assert '<html lang="id">' in client.get(path).text
    english = client.get(path, headers={"accept-language": "en"})
    assert '<html lang="en">' in english.text
    assert english.headers["content-language"] == "en"
    assert '<html lang="id">' in client.get(f"{path}?lang=id", headers={"accept-language": "en"}).text


@pytest.mark.parametrize("outcome", [Outcome.SUPERSEDED, Outcome.REVOKED])
def test_each_outcome_of_the_register_has_its_own_page(
    client: InProcess, register: Register, document: SealedDocument, outcome: Outcome
) -> None:
    register.change(document.claims.document_id, state=outcome.value, state_reason="fraud")
    page = client.get(f"/d/{document.claims.document_id}?lang=en").text
    assert OUTCOMES["en"][outcome][0] in page
    assert OUTCOMES["en"][Outcome.VALID][1] not in page
    assert f"tone-{outcome.value}" in page


def test_an_unknown_document_has_a_clear_page(client: InProcess) -> None:
    page = client.get("/d/AAAA-BBBB-CCCC-DDDD?lang=en")
    assert page.status_code == 404
    assert TEXTS["en"]["unknown_text"] in page.text
    assert "AAAA-BBBB-CCCC-DDDD" in page.text


def test_what_a_stranger_puts_into_the_address_is_only_text(client: InProcess) -> None:
    page = client.get("/d/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert page.status_code == 404
    assert "<script" not in page.text


def test_the_form_answers_with_a_page(client: InProcess, document: SealedDocument) -> None:
    good = client.post("/verify?lang=en", files={"file": ("a.pdf", document.content)})
    assert good.status_code == 200
    assert OUTCOMES["en"][Outcome.VALID][1] in good.text
    unsigned = client.post("/verify?lang=en", files={"file": ("a.pdf", plain_pdf())})
    assert OUTCOMES["en"][Outcome.NOT_SIGNED][1] in unsigned.text
    empty = client.post("/verify?lang=en", files={"file": ("", b"")})
    assert empty.status_code == 422
    assert TEXTS["en"]["incomplete_text"] in empty.text
    large = client.post("/verify?lang=en", files={"file": ("a.pdf", bytes(LIMIT + 20_000))})
    assert large.status_code == 413
    unknown = client.post("/verify?lang=en", data={"text": "AAAABBBBCCCCDDDD"})
    assert unknown.status_code == 404


def test_every_page_is_locked_down(client: InProcess, document: SealedDocument) -> None:
    for page in (
        client.get(f"/d/{document.claims.document_id}"),
        client.get("/d/unknown"),
        client.get("/verify"),
        client.post("/verify", files={"file": ("", b"")}),
    ):
        for name, value in PAGE_HEADERS.items():
            assert page.headers[name] == value
        assert not re.search(
            r"<script(?! type=\"module\" src=\"/static/)|<style|\sstyle=|\son\w+=|javascript:", page.text
        )
        assert not re.search(r'(?:src|href|action)="(?!/|#)', page.text), "nothing leaves this host"
        for asset in re.findall(r'"(/static/[^"?]+)', page.text):
            assert client.get(asset).status_code == 200


def test_nothing_but_the_public_record_is_shown(client: InProcess, document: SealedDocument) -> None:
    allowed = {
        "id", "type", "type_name", "number", "title", "holder", "issuer", "signatory", "issued_on",
        "valid_until", "state", "is_sample", "issued_at", "state_changed_at", "state_reason",
        "superseded_by", "sha256",
    }  # fmt: skip
    body = json.loads(client.get(f"/v1/verifications/{document.claims.document_id}").content)
    assert set(body["document"]) == allowed


def test_colours_have_contrast_for_everyone() -> None:
    """WCAG 2.2 1.4.3: 4.5 to 1 for every tone on its wash, and for the quiet text on every ground."""
    sheet = (Path(web.__file__).parent / "static" / "absah.css").read_text(encoding="utf-8")
    root = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", sheet[sheet.index(":root") :].partition("}")[0]))
    pairs = re.findall(r"--tone: (#[0-9a-f]{6}); --wash: (#[0-9a-f]{6})", sheet)
    assert len(pairs) >= 6
    for tone, wash in pairs:
        assert _contrast(tone, wash) >= 4.5
        assert _contrast(root["quiet"], wash) >= 4.5
        assert _contrast(root["ink"], wash) >= 7
    for ground in (root["paper"], root["card"], root["wash"]):
        assert _contrast(root["quiet"], ground) >= 4.5
        assert _contrast(root["brand-dark"], ground) >= 4.5
    assert _contrast("#ffffff", root["brand"]) >= 4.5


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
