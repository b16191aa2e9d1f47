"""Verification over HTTP, for anyone, without an account: the page behind the QR code and its JSON twin."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from signing.ids import parse_id
from signing.model import Release
from verify.encoded import RecordAnswers
from verify.errors import (
    UnknownDocument,
    UploadIncomplete,
    UploadNotUnderstood,
    UploadTooLarge,
    VerifierBusy,
)
from verify.lookups import Lookups
from verify.pages import Pages
from verify.report import key_set, verdict_json
from verify.schemas import VerdictBody
from verify.service import VerificationService
from verify.uploads import Question, read_question
from verify.verdict import Outcome, Verdict
from verify.words import choose_language

_JSON_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_BY_ID: Final = "/v1/verifications/{document_id}"
_ID_PARAMETER: Final = {
    "name": "document_id",
    "in": "path",
    "required": True,
    "description": "16 letters and digits, with or without the hyphens that are printed between them.",
    "schema": {"type": "string", "maxLength": 64},
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": VerdictBody, "description": "The verdict, whatever its outcome."},
    503: {"model": VerdictBody, "description": "The register cannot be read: the outcome is cannot_say."},
}

_Asked = Annotated[str | None, Query(alias="lang", max_length=8)]
_Accept = Annotated[str | None, Header(alias="accept-language")]


class Gate:
    """At most ``at_once`` validations run and ``waiting`` wait; whoever comes then is told to come back."""

    def __init__(self, *, at_once: int = 2, waiting: int = 32) -> None:
        self._running = asyncio.Semaphore(at_once)
        self._inside = 0
        self._most = at_once + waiting

    async def run(self, job: Callable[[], Verdict]) -> Verdict:
        """Run ``job`` on a worker thread. Raises :class:`verify.errors.VerifierBusy`."""
        if self._inside >= self._most:
            raise VerifierBusy
        self._inside += 1
        try:
            async with self._running:
                return await run_in_threadpool(job)
        finally:
            self._inside -= 1


def router(
    service: VerificationService,
    lookups: Lookups,
    pages: Pages,
    *,
    max_upload_bytes: int = 256_000_000,
    gate: Gate | None = None,
) -> APIRouter:
    """The public routes. ``lookups`` must read from the same documents as ``service``."""
    routes = APIRouter(tags=["verification"])
    gate = gate or Gate()
    answer_for = RecordAnswers(service.of_record, service.clock)

    async def record_of(shown: str) -> Release | Verdict:
        """The record, or the verdict that we cannot say while the register is down."""
        document_id = parse_id(shown)
        if document_id is None:
            raise UnknownDocument(shown[:40])
        try:
            record = await lookups.find(document_id)
        except SQLAlchemyError:
            return service.records_unavailable(lookups.last_answer_at)
        if record is None:
            raise UnknownDocument(document_id)
        return record

    async def verdict_on(question: Question) -> Verdict:
        file = question.file
        if file is not None:
            return await gate.run(lambda: service.by_file(file))
        job = {"link": service.by_link, "id": service.by_id, "receipt": service.by_text}.get(
            question.part, service.by_text
        )
        return await gate.run(lambda: job(question.text))

    async def read_verification(request: Request) -> Response:
        found = await record_of(request.path_params["document_id"])
        if isinstance(found, Verdict):
            return _answer(found)
        return Response(answer_for(found), media_type="application/json", headers=_JSON_HEADERS)

    # A plain route, not a FastAPI one: on the service's hottest path the machinery for declared parameters
    # would cost more than the answer. It comes first and answers; the second one describes it in the schema.
    routes.add_route(_BY_ID, read_verification, methods=["GET"])
    routes.add_api_route(
        _BY_ID,
        read_verification,
        methods=["GET"],
        summary="The verdict on a document by its id",
        response_class=Response,
        responses=_ANSWERS | {404: {"description": "Nobody issued a document with this id."}},
        openapi_extra={"parameters": [_ID_PARAMETER]},
    )

    @routes.post("/v1/verifications", response_class=Response, responses=_ANSWERS)
    async def create_verification(request: Request) -> Response:
        """A verdict on a PDF, a photo of the QR code, a receipt, a link or an id. Nothing is kept.

        Multipart with one of ``file``, ``photo``, ``receipt``, ``link``, ``id``, or JSON with one of the
        texts.
        """
        async with read_question(request, max_bytes=max_upload_bytes) as question:
            return _answer(await verdict_on(question))

    @routes.get("/v1/receipt-keys", summary="The keys that receipts are checked with, as a JWK set")
    def read_receipt_keys() -> JSONResponse:
        """For programs that check the QR code themselves, and for the page's own script."""
        headers = _JSON_HEADERS | {"Cache-Control": "public, max-age=300"}
        return JSONResponse(key_set(service.receipt_keys()), headers=headers)

    _add_pages(
        routes, pages, service=service, record_of=record_of, verdict_on=verdict_on, limit=max_upload_bytes
    )
    return routes


def _add_pages(
    routes: APIRouter,
    pages: Pages,
    *,
    service: VerificationService,
    record_of: Callable[[str], Awaitable[Release | Verdict]],
    verdict_on: Callable[[Question], Awaitable[Verdict]],
    limit: int,
) -> None:
    """The same answers for people. Refusals are pages too, so none is left to become a problem document."""

    @routes.api_route(
        "/d/{document_id}", methods=["GET", "HEAD"], response_class=HTMLResponse, include_in_schema=False
    )
    async def document_page(
        request: Request, document_id: str, lang: _Asked = None, accept_language: _Accept = None
    ) -> Response:
        """The page behind the QR code."""
        language = choose_language(lang, accept_language)
        try:
            found = await record_of(document_id)
            verdict = found if isinstance(found, Verdict) else service.of_record(found)
        except UnknownDocument:
            return pages.unknown(document_id, language, path=request.url.path)
        except VerifierBusy:
            return pages.problem("busy", 503, language, path=request.url.path)
        return pages.verdict(verdict, language, path=request.url.path)

    @routes.get("/verify", response_class=HTMLResponse)
    async def upload_page(lang: _Asked = None, accept_language: _Accept = None) -> Response:
        """The page to check a file, a photo, a link or an id."""
        return pages.upload(choose_language(lang, accept_language))

    @routes.post("/verify", response_class=HTMLResponse)
    async def upload_result(
        request: Request, lang: _Asked = None, accept_language: _Accept = None
    ) -> Response:
        """The same for a browser without JavaScript: the form's answer is a page."""
        language = choose_language(lang, accept_language)
        name: Literal["too_large", "incomplete", "busy"]
        try:
            async with read_question(request, max_bytes=limit) as question:
                verdict = await verdict_on(question)
            return pages.verdict(verdict, language, path="/verify")
        except UnknownDocument as cause:
            return pages.unknown(cause.shown, language, path="/verify")
        except UploadTooLarge:
            name, status = "too_large", 413
        except (UploadIncomplete, UploadNotUnderstood):
            name, status = "incomplete", 422
        except VerifierBusy:
            name, status = "busy", 503
        return pages.problem(name, status, language, path="/verify")


def _answer(verdict: Verdict) -> Response:
    nothing_known = verdict.indication is None and verdict.receipt is None and verdict.record is None
    unanswered = verdict.outcome is Outcome.CANNOT_SAY and nothing_known
    return Response(
        verdict_json(verdict),
        status_code=503 if unanswered else 200,
        media_type="application/json",
        headers=_JSON_HEADERS,
    )
