"""What relying parties ask a process with keys: ``/pki``, ``/ocsp`` (RFC 6960 A), ``/tsa`` (RFC 3161 3.4).

All of it is public and safe over plain HTTP: every answer is signed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError

from ca import ocsp, published, tst
from ca.answers import PreparedAnswer
from ca.errors import CertificateUnknown, CertificationError
from ca.ports import Begin, Clock
from ca.revocation import Revocation
from ca.timestamping import TimeStampingAuthority
from keys.errors import KeyCustodyError

_LOG = logging.getLogger(__name__)
_OCSP_TYPE = "application/ocsp-response"
_NOT_KEPT = {"Cache-Control": "no-store"}
_LIMIT = max(ocsp.LARGEST_REQUEST, tst.LARGEST_REQUEST)


async def _small_body(request: Request) -> bytes:
    """The body, read to just past the size of any valid request; the parsers refuse the excess."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk[: _LIMIT + 1 - len(body)]
        if len(body) > _LIMIT:
            break
    return bytes(body)


class _OctetRoute(APIRoute):
    """Its endpoint is handed the request and the parts of its path as they are.

    There are only octets to read: what FastAPI would do to resolve and to validate them took a sixth of the
    time of a token.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            answer: Response = await endpoint(request=request, **request.path_params)
            return answer

        return handle


def router(revocation: Revocation, tsa: TimeStampingAuthority, *, read: Begin, clock: Clock) -> APIRouter:
    """``read`` opens a transaction that only reads."""
    routes = APIRouter(tags=["pki"], route_class=_OctetRoute)

    # Routes are tried in this order: what is asked for most comes first.
    def stamp(body: bytes) -> bytes:
        try:
            return tsa.respond(body)
        except (CertificationError, KeyCustodyError, SQLAlchemyError):
            _LOG.exception("a time-stamp cannot be issued")
            return tst.rejected(tst.FailInfo.SYSTEM_FAILURE, "the service has a fault; try again later")

    # Asynchronous, for a token that needs nobody else is made sooner than a thread is found for it.
    @routes.post("/tsa", summary="Time-stamp by RFC 3161", response_class=Response)
    async def time_stamp(request: Request) -> Response:
        body = await _small_body(request)
        reply = tsa.respond_at_once(body)
        if reply is None:
            reply = await run_in_threadpool(stamp, body)
        return Response(reply, media_type="application/timestamp-reply", headers=_NOT_KEPT)

    def answer(issuer: str, request: bytes) -> bytes:
        try:
            return revocation.respond(issuer, request)
        except CertificateUnknown:
            raise
        except (CertificationError, KeyCustodyError, SQLAlchemyError):
            _LOG.exception("OCSP for %s cannot be answered", issuer)
            return ocsp.error_response(ocsp.ErrorStatus.INTERNAL_ERROR)

    def prepare(issuer: str, encoded: str) -> PreparedAnswer:
        try:
            return revocation.ocsp.prepare(issuer, encoded)
        except CertificateUnknown:
            raise
        except (CertificationError, KeyCustodyError, SQLAlchemyError):
            _LOG.exception("OCSP for %s cannot be answered", issuer)
            return PreparedAnswer(ocsp.error_response(ocsp.ErrorStatus.INTERNAL_ERROR))

    @routes.post("/ocsp/{issuer}", summary="Certificate status by OCSP", response_class=Response)
    async def ocsp_post(issuer: str, request: Request) -> Response:
        made = await run_in_threadpool(answer, issuer, await _small_body(request))
        return Response(made, media_type=_OCSP_TYPE, headers=_NOT_KEPT)

    # Asynchronous, for what is at hand comes from memory; what has to be made is made on a thread.
    @routes.get("/ocsp/{issuer}/{encoded:path}", summary="The same, by GET", response_class=Response)
    async def ocsp_get(issuer: str, encoded: str, request: Request) -> Response:
        found = revocation.ocsp.prepared(issuer, encoded)
        if found is None:
            found = await run_in_threadpool(prepare, issuer, encoded)
        if found.fresh_until is None:
            return Response(found.body, media_type=_OCSP_TYPE, headers=_NOT_KEPT)
        seconds = int((found.fresh_until - clock()).total_seconds())
        headers = {
            "Cache-Control": f"public, max-age={seconds}, must-revalidate, no-transform",
            "ETag": found.etag,
            "Last-Modified": found.last_modified,
            "Expires": found.expires,
        }
        if request.headers.get("if-none-match") == found.etag:
            return Response(status_code=304, headers=headers)
        return Response(found.body, media_type=_OCSP_TYPE, headers=headers)

    routes.include_router(published.router(read, current_crl=revocation.current_crl))
    return routes
