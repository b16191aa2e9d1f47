"""An application of ours with one route more, which does nothing: what server and framework cost alone."""

from __future__ import annotations

from fastapi import FastAPI, Response

from app.public import create_public_app


def create_app() -> FastAPI:
    """Used by granian in the benchmark only."""
    return _with_noop(create_public_app())


def create_core_app() -> FastAPI:
    """The same over the application that has keys."""
    from app.main import create_app  # not above: the public application is measured without keys

    return _with_noop(create_app())


def _with_noop(application: FastAPI) -> FastAPI:
    @application.get("/noop")
    async def noop() -> Response:
        return Response(b'{"outcome":"valid"}', media_type="application/json")

    return application
