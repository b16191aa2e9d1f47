"""The public application with one route more, which does nothing: what server and framework cost alone."""

from __future__ import annotations

from fastapi import FastAPI, Response

from app.public import create_public_app


def create_app() -> FastAPI:
    """Used by granian in the benchmark only."""
    application = create_public_app()

    @application.get("/noop")
    async def noop() -> Response:
        return Response(b'{"outcome":"valid"}', media_type="application/json")

    return application
