"""What every HTTP process of ours has, whatever it serves: limits, problems, telemetry, health."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import Final

import anyio.to_thread
import structlog
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import __version__, answers
from app.addresses import ClientAddressMiddleware
from app.answers import ProblemMiddleware
from app.limits import BodyLimitMiddleware, BodyLimits, UnreadBodyMiddleware
from app.settings import Settings
from app.telemetry import Metrics, Readings, TelemetryMiddleware

log = structlog.get_logger(__name__)

_READINESS_SECONDS: Final = 1.0
_PROBE_SECONDS: Final = 10.0
"""A part that takes longer counts as not ready, whatever it says in the end."""
_TURN_SECONDS: Final = 0.0005

Probe = Callable[[], object]
"""Asks one dependency whether it works now; raises when it does not."""


def serve_with_short_turns() -> None:
    """For a process that does nothing but serve. A thread that was waiting for the database gets the
    interpreter within half a millisecond, instead of Python's five: most of a look-up was that wait.
    """
    sys.setswitchinterval(_TURN_SECONDS)


class Readiness:
    """Runs the probes, at most once a second however often it is asked: the address is open to anyone.

    One caller probes; the others get what was found last, and never wait: a part that hangs must not take
    every thread with it.
    """

    def __init__(
        self, probes: Mapping[str, Probe], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._probes = probes
        self._monotonic = monotonic
        self._probing = threading.Lock()
        self._asked_at = float("-inf")
        self._part = ""
        self._failed = dict.fromkeys(probes, "NotAskedYet")

    def failures(self) -> dict[str, str]:
        """Names of what does not answer, with the class of the error. Empty: ready."""
        if not self._probing.acquire(blocking=False):
            if self._monotonic() - self._asked_at < _PROBE_SECONDS:
                return dict(self._failed)
            return {**self._failed, self._part: TimeoutError.__name__}
        try:
            if self._monotonic() - self._asked_at >= _READINESS_SECONDS:
                self._asked_at = self._monotonic()
                self._failed = self._probed()
            return dict(self._failed)
        finally:
            self._probing.release()

    def _probed(self) -> dict[str, str]:
        failed = {}
        for name, probe in self._probes.items():
            self._part = name
            try:
                probe()
            except Exception as cause:  # noqa: BLE001 - whatever it is, this part is not ready
                failed[name] = type(cause).__name__
                log.warning("not_ready", part=name, error=type(cause).__name__)
        return failed

    @property
    def parts(self) -> list[str]:
        return list(self._probes)


class HeadMiddleware:
    """Answers HEAD as GET without the body, for every address (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope["method"] = "GET"
        try:
            await self._app(scope, receive, without_body)
        finally:
            scope["method"] = "HEAD"


def new_application(
    settings: Settings,
    *,
    title: str,
    probes: Mapping[str, Probe],
    closing: ExitStack,
    readings: Sequence[Readings] = (),
    has_accounts: bool = False,
) -> FastAPI:
    """An application that refuses, measures and answers for itself. ``closing`` is unwound when it stops.

    ``has_accounts``: people log in here, and not only verify documents.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # Endpoints are synchronous functions in this pool: its size is how many requests are worked on.
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.server.threads
        with closing:
            yield

    application = FastAPI(
        title=title,
        version=__version__,
        lifespan=lifespan,
        openapi_url="/openapi.json",
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
        redirect_slashes=False,  # redirects would name the host that the caller claims
    )
    metrics = Metrics(readings)
    application.state.metrics = metrics
    answers.install(application, public_url=settings.public_url, has_accounts=has_accounts)
    _health_routes(application, Readiness(probes), metrics)
    # The last one added stands outermost.
    application.add_middleware(BodyLimitMiddleware, limits=BodyLimits.from_settings(settings))
    application.add_middleware(ProblemMiddleware)
    application.add_middleware(HeadMiddleware)
    application.add_middleware(UnreadBodyMiddleware)
    application.add_middleware(TelemetryMiddleware, metrics=metrics)
    application.add_middleware(ClientAddressMiddleware, trusted=settings.identity.trusted_proxies)
    return application


def _health_routes(application: FastAPI, readiness: Readiness, metrics: Metrics) -> None:
    @application.get(
        "/healthz", tags=["health"], summary="The process runs", response_class=PlainTextResponse
    )
    async def healthz() -> Response:
        return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})

    @application.get("/readyz", tags=["health"], summary="Everything that it needs answers")
    def readyz() -> Response:
        failed = readiness.failures()
        parts = {name: failed.get(name, "ok") for name in readiness.parts}
        return JSONResponse(parts, status_code=503 if failed else 200, headers={"Cache-Control": "no-store"})

    @application.get(
        "/metrics", tags=["health"], summary="Prometheus counters", response_class=PlainTextResponse
    )
    def exposition() -> Response:
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")
