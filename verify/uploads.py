"""Reading what people send: streamed to disk, counted while it arrives, never held in memory as a whole."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from verify.errors import UploadIncomplete, UploadNotUnderstood, UploadTooLarge

FILE_PARTS: Final = ("file", "photo")
TEXT_PARTS: Final = ("receipt", "link", "id", "text")
_LARGEST_TEXT: Final = 16_384
_FRAME: Final = 16_384  # boundaries and part headers around a file
_ONE_OF: Final = f"send exactly one of {', '.join(FILE_PARTS + TEXT_PARTS)}"


@dataclass(frozen=True, slots=True)
class Question:
    """What was sent: a file, or a text under the part's name. ``file`` is closed when the request ends."""

    part: str
    file: BinaryIO | None = None
    text: str = ""


@asynccontextmanager
async def read_question(request: Request, *, max_bytes: int) -> AsyncIterator[Question]:
    """The one thing that this request asks about, from multipart, a web form or JSON.

    Raises :class:`UploadTooLarge`, :class:`UploadIncomplete` or :class:`UploadNotUnderstood`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    match kind:
        case "multipart/form-data":
            form = await _multipart(request, max_bytes)
        case "application/x-www-form-urlencoded":
            body = _limited(request, _LARGEST_TEXT)
            form = await FormParser(request.headers, body).parse()
        case "application/json":
            yield _from_json(b"".join([chunk async for chunk in _limited(request, _LARGEST_TEXT)]))
            return
        case _:
            raise UploadNotUnderstood(
                f"Content-Type {kind or '(none)'}: send multipart/form-data with a file, or application/json."
            )
    try:
        yield _from_form(form, max_bytes)
    finally:
        await form.close()


async def _multipart(request: Request, max_bytes: int) -> FormData:
    parser = MultiPartParser(
        request.headers,
        _limited(request, max_bytes + _FRAME, told=max_bytes),
        max_files=len(FILE_PARTS),
        max_fields=len(TEXT_PARTS) + 1,
        max_part_size=_LARGEST_TEXT,
    )
    try:
        return await parser.parse()
    except MultiPartException as cause:
        raise UploadIncomplete("body", f"is not whole multipart/form-data: {cause.message}") from cause


async def _limited(request: Request, limit: int, *, told: int | None = None) -> AsyncGenerator[bytes, None]:
    """The body, cut off with an error as soon as it is known to be larger than ``limit``."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise UploadTooLarge(told or limit)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limit:
            raise UploadTooLarge(told or limit)
        yield chunk


def _from_form(form: FormData, max_bytes: int) -> Question:
    questions: list[Question] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name not in FILE_PARTS:
                raise UploadIncomplete(name, f"is not a file that this request takes; {_ONE_OF}.")
            if (value.size or 0) > max_bytes:
                raise UploadTooLarge(max_bytes)
            if value.filename or value.size:  # browsers send an empty, nameless part for a field left alone
                questions.append(Question(name, file=value.file))
        elif name in TEXT_PARTS:
            if value.strip():
                questions.append(Question(name, text=value))
        elif name == "file":
            raise UploadIncomplete(name, "was sent as text; give the part a filename.")
        elif name != "lang":
            raise UploadIncomplete(name, f"is not a part of this request; {_ONE_OF}.")
    return _the_only(questions)


def _from_json(body: bytes) -> Question:
    try:
        fields: Any = json.loads(body)
    except (ValueError, RecursionError) as cause:
        raise UploadIncomplete("body", "is not JSON.") from cause
    if not isinstance(fields, dict):
        raise UploadIncomplete("body", f"is not a JSON object; {_ONE_OF}.")
    questions = []
    for name, value in fields.items():
        if name not in TEXT_PARTS:
            raise UploadIncomplete(str(name)[:40], f"is not a field of this request; {_ONE_OF}.")
        if not isinstance(value, str) or not value.strip():
            raise UploadIncomplete(name, "is not a text with content.")
        questions.append(Question(name, text=value))
    return _the_only(questions)


def _the_only(questions: list[Question]) -> Question:
    if not questions:
        raise UploadIncomplete("file", f"nothing was sent; {_ONE_OF}.")
    if len(questions) > 1:
        raise UploadIncomplete(questions[1].part, f"more than one thing was sent; {_ONE_OF}.")
    return questions[0]
