"""An application of ours with one route more, which does nothing: what server and framework cost alone."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from app.public import create_public_app


def create_app() -> FastAPI:
    """Used by granian in the benchmark only."""
    return _with_noop(create_public_app())


def create_core_app() -> FastAPI:
    """The same over the application that has keys."""
    from app.main import create_app  # not above: the public application is measured without keys

    return _with_noop(create_app())


def create_stamping_app() -> FastAPI:
    """The same with a second time-stamping route, whose tokens asn1crypto builds."""
    from asn1crypto import tsp

    from benchmarks.peers import pki
    from benchmarks.peers.pyhanko_sealing import CachedKeyTimeStamper

    application = create_core_app()
    made = pki.build()
    stamper = CachedKeyTimeStamper(made.tsu, made.issuing.asn1)

    @application.post("/tsa-asn1crypto")
    async def stamp(request: Request) -> Response:
        asked = tsp.TimeStampReq.load(await request.body())
        answer = await stamper.async_request_tsa_response(asked)
        return Response(answer.dump(), media_type="application/timestamp-reply")

    return application


def _with_noop(application: FastAPI) -> FastAPI:
    @application.get("/noop")
    async def noop() -> Response:
        return Response(b'{"outcome":"valid"}', media_type="application/json")

    # A route is found by trying one after the other: a peer that comes last would pay for all of ours.
    application.router.routes.insert(0, application.router.routes.pop())
    return application
