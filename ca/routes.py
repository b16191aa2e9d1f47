"""What relying parties ask a process with keys: ``/pki``, ``/ocsp`` (RFC 6960 A), ``/tsa`` (RFC 3161 3.4).

All of it is public and safe over plain HTTP: every answer is signed.
"""

from __future__ import annotations

import base64
import binascii
import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.exc import SQLAlchemyError

from ca import ocsp, published, tst
from ca.errors import CertificateUnknown, CertificationError
from ca.ports import Begin
from ca.revocation import Revocation
from ca.timestamping import TimeStampingAuthority
from keys.errors import KeyCustodyError

_LOG = logging.getLogger(__name__)
_LIMIT = max(ocsp.LARGEST_REQUEST, tst.LARGEST_REQUEST)
# An answer to GET may be kept by proxies, but not for so long that a revocation goes unheard.
_OCSP_CACHE = "public, max-age=10, must-revalidate, no-transform"


async def _small_body(request: Request) -> bytes:
    """The body, read to just past the size of any valid request; the parsers refuse the excess."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk[: _LIMIT + 1 - len(body)]
        if len(body) > _LIMIT:
            break
    return bytes(body)


SmallBody = Annotated[bytes, Depends(_small_body)]


def router(revocation: Revocation, tsa: TimeStampingAuthority, *, read: Begin) -> APIRouter:
    """``read`` opens a transaction that only reads."""
    routes = APIRouter(tags=["pki"])
    routes.include_router(published.router(read, current_crl=revocation.current_crl))

    def answer(issuer: str, request: bytes) -> bytes:
        try:
            return revocation.respond(issuer, request)
        except CertificateUnknown:
            raise
        except (CertificationError, KeyCustodyError, SQLAlchemyError):
            _LOG.exception("OCSP for %s cannot be answered", issuer)
            return ocsp.error_response(ocsp.ErrorStatus.INTERNAL_ERROR)

    @routes.post("/ocsp/{issuer}", summary="Certificate status by OCSP", response_class=Response)
    def ocsp_post(issuer: str, body: SmallBody) -> Response:
        return _ocsp_response(answer(issuer, body), "no-store")

    @routes.get("/ocsp/{issuer}/{encoded:path}", summary="The same, by GET", response_class=Response)
    def ocsp_get(issuer: str, encoded: str) -> Response:
        try:
            request = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            request = b""  # is answered as malformed, in OCSP's own words
        response = answer(issuer, request)
        return _ocsp_response(response, _OCSP_CACHE if ocsp.is_successful(response) else "no-store")

    @routes.post("/tsa", summary="Time-stamp by RFC 3161", response_class=Response)
    def time_stamp(body: SmallBody) -> Response:
        try:
            reply = tsa.respond(body)
        except (CertificationError, KeyCustodyError, SQLAlchemyError):
            _LOG.exception("a time-stamp cannot be issued")
            reply = tst.rejected(tst.FailInfo.SYSTEM_FAILURE, "the service has a fault; try again later")
        return Response(
            reply, media_type="application/timestamp-reply", headers={"Cache-Control": "no-store"}
        )

    return routes


def _ocsp_response(content: bytes, caching: str) -> Response:
    return Response(content, media_type="application/ocsp-response", headers={"Cache-Control": caching})
