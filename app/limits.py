"""What a request's body may cost: bytes and time, decided before and while it arrives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import BodyTooLarge, BodyTooSlow
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """``uploads`` maps a path to its limit in bytes; every other path takes ``default`` bytes."""

    default: int
    uploads: dict[str, int]
    seconds: int

    def for_path(self, path: str) -> int:
        return self.uploads.get(path, self.default)

    @classmethod
    def from_settings(cls, settings: Settings) -> BodyLimits:
        """The slices count the file itself; here is room for what a multipart body wraps around it."""
        extra = settings.limits.upload_overhead_bytes
        return cls(
            default=settings.limits.body_bytes,
            uploads={
                "/v1/documents": settings.signing.max_bytes + extra,
                "/v1/verifications": settings.verify.max_bytes + extra,
                "/verify": settings.verify.max_bytes + extra,
            },
            seconds=settings.limits.body_seconds,
        )


class BodyLimitMiddleware:
    """Refuses by ``Content-Length`` before reading, and by counting while a body without one streams in.

    Raises :class:`app.errors.BodyTooLarge` or :class:`app.errors.BodyTooSlow` into whoever reads the body.
    """

    def __init__(self, app: ASGIApp, *, limits: BodyLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in {"GET", "HEAD"}:
            limit = self._limits.for_path(scope["path"])
            if _declared_length(scope) > limit:
                raise BodyTooLarge(limit)
            receive = _counted(receive, limit, self._limits.seconds)
        await self._app(scope, receive, send)


class UnreadBodyMiddleware:
    """Announces that the connection ends when an answer begins before the request's body was read.

    The server hangs up then. Unannounced, a client that keeps its connection would lose the next request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        complete = False

        async def watched() -> Message:
            nonlocal complete
            message = await receive()
            complete = complete or not message.get("more_body", False)
            return message

        async def announcing(message: Message) -> None:
            if message["type"] == "http.response.start" and not complete:
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await self._app(scope, watched, announcing)


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


def _counted(
    receive: Receive, limit: int, seconds: int, now: Callable[[], float] = time.monotonic
) -> Receive:
    received = 0
    complete = False
    deadline = now() + seconds

    async def counting() -> Message:
        nonlocal received, complete
        if complete:  # what comes now is the client hanging up, and it may take its time
            return await receive()
        try:
            async with asyncio.timeout(max(0.0, deadline - now())):
                message = await receive()
        except TimeoutError:
            raise BodyTooSlow(seconds) from None
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > limit:
                raise BodyTooLarge(limit)
        return message

    return counting
