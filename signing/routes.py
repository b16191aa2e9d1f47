"""``/v1/documents``: agencies have PDFs sealed and look after what they issued."""

# No postponed annotations here: FastAPI could not resolve the guard, which is local to `router`.

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from signing.errors import NotAForm, PartMissing, RequestRefused
from signing.model import Document, DocumentFacts, DocumentState, Holder, HolderKind, StampPlace, StateReason
from signing.ports import Caller, HolderFingerprint
from signing.register import DocumentRegister
from signing.service import SealingService

CHUNK = 256 * 1024


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Strict(_Schema):
    """Read from JSON by ourselves: one way to write a date, and no numbers in quotes."""

    model_config = ConfigDict(strict=True)


class HolderIn(_Strict):
    name: str
    kind: HolderKind = HolderKind.PERSON
    nik: str | None = Field(
        default=None,
        description="So that the person finds the document in their account; kept as a keyed fingerprint "
        "only.",
    )


class StampPlaceIn(_Strict):
    page: int = Field(description="Counts from 1; -1 is the last page.")
    x: float = Field(description="PDF points from the left edge of the visible page, as shown.")
    y: float = Field(description="PDF points from its lower edge.")
    width: float | None = Field(default=None, gt=0, description="PDF points; the natural width when absent.")


class MetadataIn(_Strict):
    """The ``metadata`` part of ``POST /v1/documents``. Everything but ``place`` and ``holder.nik`` becomes
    public."""

    type: str = Field(examples=["business_licence"])
    number: str = Field(examples=["503/0217/DPMPTSP/2026"])
    title: str = Field(examples=["Nomor Induk Berusaha"])
    signatory: str = Field(examples=["Kepala Dinas Penanaman Modal"])
    issued_on: date
    valid_until: date | None = None
    holder: HolderIn | None = None
    place: StampPlaceIn | None = None
    supersedes: str | None = None

    def facts(self, fingerprint: HolderFingerprint) -> DocumentFacts:
        """Behind this a NIK exists no more. Raises :class:`signing.errors.RequestRefused` for a wrong one."""
        return DocumentFacts(
            type=self.type,
            number=self.number,
            title=self.title,
            signatory=self.signatory,
            issued_on=self.issued_on,
            valid_until=self.valid_until,
            holder=self._holder(fingerprint),
            place=StampPlace(**self.place.model_dump()) if self.place else None,
            supersedes=self.supersedes,
        )

    def _holder(self, fingerprint: HolderFingerprint) -> Holder | None:
        if self.holder is None:
            return None
        nik = self.holder.nik
        return Holder(self.holder.name, self.holder.kind, None if nik is None else fingerprint(nik))


class RevocationIn(_Schema):
    reason: StateReason


class SupersessionIn(_Schema):
    successor: str
    reason: StateReason = StateReason.REPLACED


class Links(_Schema):
    self: str
    file: str | None
    page: str | None = Field(
        description="What the QR code holds: the page and, behind #, the signed receipt."
    )
    verification: str | None


class DocumentOut(_Schema):
    id: str
    state: DocumentState
    type: str
    number: str
    title: str
    holder: str | None = Field(description="Masked when it is a person.")
    issuer: str
    signatory: str
    issued_on: date
    valid_until: date | None
    is_sample: bool
    created_at: datetime
    issued_at: datetime | None
    sha256: str | None = Field(description="Of the sealed PDF, hexadecimal.")
    size: int | None = Field(description="Of the sealed PDF, bytes.")
    state_reason: StateReason | None
    state_changed_at: datetime | None
    superseded_by: str | None
    refusal: str | None
    links: Links


class DocumentPage(_Schema):
    documents: list[DocumentOut]
    next_cursor: int | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


def router(
    sealing: SealingService,
    register: DocumentRegister,
    *,
    guard: Callable[..., Caller],
    fingerprint: HolderFingerprint,
) -> APIRouter:
    """Routes under ``/v1``. ``guard`` is the dependency that turns a bearer token into a :class:`Caller`."""
    routes = APIRouter(prefix="/v1", tags=["documents"])
    Agency = Annotated[Caller, Depends(guard)]

    def shown(document: Document) -> DocumentOut:
        facts = document.facts
        return DocumentOut(
            id=document.id,
            state=document.state,
            type=facts.type,
            number=facts.number,
            title=facts.title,
            holder=facts.holder.name if facts.holder else None,
            issuer=document.issuer_name,
            signatory=facts.signatory,
            issued_on=facts.issued_on,
            valid_until=facts.valid_until,
            is_sample=document.is_sample,
            created_at=document.created_at,
            issued_at=document.issued_at,
            sha256=document.sealed_digest.hex() if document.sealed_digest else None,
            size=document.sealed_size,
            state_reason=document.state_reason,
            state_changed_at=document.state_changed_at,
            superseded_by=document.superseded_by,
            refusal=document.refusal,
            links=Links(**asdict(register.links(document))),
        )

    @routes.post(
        "/documents",
        status_code=201,
        summary="Seal a PDF",
        response_model=DocumentOut,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "multipart/form-data": {
                        "schema": {
                            "type": "object",
                            "required": ["file", "metadata"],
                            "properties": {
                                "file": {"type": "string", "format": "binary"},
                                "metadata": MetadataIn.model_json_schema(),
                            },
                        }
                    }
                },
            }
        },
    )
    async def seal(
        request: Request,
        caller: Agency,
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=128)] = None,
    ) -> Response:
        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise NotAForm("Send the PDF as multipart/form-data with the parts `file` and `metadata`.")
        # The form is read here, not by a parameter: nobody without a valid token gets to upload anything.
        async with request.form(max_files=1, max_fields=1) as form:
            facts, file = _parts(dict(form), fingerprint)
            document = await run_in_threadpool(
                sealing.seal, caller, facts, file, idempotency_key=idempotency_key
            )
        headers = {"Location": register.links(document).self, "Absah-Document-Id": document.id}
        if "application/pdf" in request.headers.get("accept", ""):
            return await run_in_threadpool(
                _pdf, document, register.open_file(document), status=201, headers=headers
            )
        return JSONResponse(shown(document).model_dump(mode="json"), status_code=201, headers=headers)

    @routes.get("/documents", summary="List the agency's documents, newest first")
    def page(
        *,
        caller: Agency,
        type: str | None = None,
        state: DocumentState | None = None,
        number: str | None = None,
        issued_from: date | None = None,
        issued_to: date | None = None,
        cursor: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> DocumentPage:
        found = register.page(
            caller,
            before=cursor,
            limit=limit,
            type_code=type,
            state=state,
            number=number,
            issued_from=issued_from,
            issued_to=issued_to,
        )
        return DocumentPage(
            documents=[shown(document) for document in found],
            next_cursor=found[-1].status_index if len(found) == limit else None,
        )

    @routes.get("/documents/{document_id}", summary="One document")
    def one(caller: Agency, document_id: str) -> DocumentOut:
        return shown(register.read(caller, document_id))

    @routes.get(
        "/documents/{document_id}/file",
        summary="The sealed PDF",
        response_class=StreamingResponse,
        responses={200: {"content": {"application/pdf": {}}}},
    )
    def file(caller: Agency, document_id: str) -> Response:
        document, opened = register.read_file(caller, document_id)
        return _pdf(document, opened)

    @routes.post("/documents/{document_id}/revocation", summary="Take a document out of force")
    def revoke(caller: Agency, document_id: str, body: RevocationIn) -> DocumentOut:
        return shown(register.revoke(caller, document_id, body.reason))

    @routes.post("/documents/{document_id}/supersession", summary="Point a document to its successor")
    def supersede(caller: Agency, document_id: str, body: SupersessionIn) -> DocumentOut:
        return shown(register.supersede(caller, document_id, body.successor, body.reason))

    return routes


def _parts(form: dict[str, Any], fingerprint: HolderFingerprint) -> tuple[DocumentFacts, BinaryIO]:
    file, metadata = form.get("file"), form.get("metadata")
    if not isinstance(file, UploadFile):
        raise PartMissing("file", "is missing: send the PDF as a file part of multipart/form-data")
    if isinstance(metadata, UploadFile):
        raise PartMissing("metadata", "is a file: send it as a text part that holds JSON")
    if metadata is None:
        raise PartMissing("metadata", "is missing: send a text part that holds JSON")
    try:
        return MetadataIn.model_validate_json(metadata).facts(fingerprint), file.file
    except ValidationError as cause:
        first = cause.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "metadata"
        raise RequestRefused(field, first["msg"]) from None


def _pdf(
    document: Document,
    opened: AbstractContextManager[BinaryIO],
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    """``opened`` is entered here: what cannot be opened is refused before the answer has begun."""
    stack = ExitStack()
    stream = stack.enter_context(opened)

    def chunks() -> Iterator[bytes]:
        with stack:
            while chunk := stream.read(CHUNK):
                yield chunk

    return StreamingResponse(
        chunks(),
        status_code=status,
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'attachment; filename="{document.id}.pdf"',
            "Content-Length": str(document.sealed_size),
            "Cache-Control": "no-store",
        }
        | (headers or {}),
    )
