"""The API's description of verification is true: real answers have the shape that it promises."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from fastapi import FastAPI

from app import web
from tests.support.clock import FrozenClock
from tests.verify.attacks import bytes_behind
from tests.verify.documents import HOST, Register, SealedDocument, plain_pdf
from verify.lookups import Lookups
from verify.pages import Pages
from verify.report import verdict_json
from verify.routes import router
from verify.schemas import VerdictBody
from verify.service import VerificationService
from verify.verdict import Verdict


@pytest.fixture
def described(service: VerificationService, register: Register, clock: FrozenClock) -> dict[str, Any]:
    application = FastAPI()
    pages = Pages(web.layout_loader(), official_url=f"https://{HOST}", max_upload_bytes=1)
    application.include_router(router(service, Lookups(register.by_ids, clock), pages))
    return application.openapi()


def test_the_verdict_by_id_is_described_with_its_parameter_and_every_answer(
    described: dict[str, Any],
) -> None:
    operation = described["paths"]["/v1/verifications/{document_id}"]["get"]
    assert [parameter["name"] for parameter in operation["parameters"]] == ["document_id"]
    assert set(operation["responses"]) == {"200", "404", "503"}
    for status in ("200", "503"):
        assert _schema_of(operation, status) == {"$ref": "#/components/schemas/VerdictBody"}
    assert _schema_of(described["paths"]["/v1/verifications"]["post"], "200") == _schema_of(operation, "200")
    outcomes = described["components"]["schemas"]["Outcome"]["enum"]
    assert {"valid", "revoked", "cannot_say"} <= set(outcomes)


def test_the_plain_route_answers_and_the_described_one_does_not_stand_in_its_way(
    service: VerificationService, register: Register, clock: FrozenClock
) -> None:
    pages = Pages(web.layout_loader(), official_url=f"https://{HOST}", max_upload_bytes=1)
    routes = router(service, Lookups(register.by_ids, clock), pages).routes
    serving = [route for route in routes if getattr(route, "path", "") == "/v1/verifications/{document_id}"]
    assert [type(route).__name__ for route in serving] == ["Route", "APIRoute"]


def test_every_kind_of_answer_has_the_described_shape(
    service: VerificationService, offline: VerificationService, document: SealedDocument
) -> None:
    verdicts: list[Verdict] = [
        service.by_id(document.claims.document_id),
        service.by_link(document.link),
        offline.by_link(document.link),
        service.by_file(BytesIO(document.content)),
        service.by_file(BytesIO(document.content), thorough=True),
        service.by_file(BytesIO(bytes_behind(document.content))),
        service.by_file(BytesIO(plain_pdf())),
        service.by_file(BytesIO(b"")),
        service.records_unavailable(None),
    ]
    for verdict in verdicts:
        body = VerdictBody.model_validate_json(verdict_json(verdict))
        assert body.outcome is verdict.outcome
        assert len(body.signatures) == len(verdict.signatures)


def _schema_of(operation: dict[str, Any], status: str) -> dict[str, Any]:
    schema: dict[str, Any] = operation["responses"][status]["content"]["application/json"]["schema"]
    return schema
