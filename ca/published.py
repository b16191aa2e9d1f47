"""``/pki``: certificates and revocation lists (RFC 5280 4.2.1.13, 4.2.2.1). Needs tables only, never a key.

The public process serves the latest list that is stored; a process with keys passes ``current_crl`` and so
also renews it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from ca.errors import CertificateUnknown
from ca.model import CrlRecord, ListScope, is_published_name, read_list_name
from ca.tables import Certificates, Crls

_CERTIFICATE_CACHE = "public, max-age=86400, immutable"
# Short, because a list can be replaced before its nextUpdate, and that is the one that matters.
_CRL_CACHE = "public, max-age=60, must-revalidate"


def router(
    read: Callable[[], AbstractContextManager[Connection]],
    *,
    current_crl: Callable[[str], CrlRecord] | None = None,
) -> APIRouter:
    """Routes for relying parties; every address stands in a certificate that was issued here."""
    routes = APIRouter(prefix="/pki", tags=["pki"])

    @routes.get("/{name}.crt", summary="A certificate, DER", response_class=Response)
    def certificate(name: str) -> Response:
        found = None
        if is_published_name(name):
            with read() as tx:
                found = Certificates(tx).by_name(name)
        if found is None:
            raise CertificateUnknown("no certificate with this name was issued here")
        return Response(
            found.der, media_type="application/pkix-cert", headers={"Cache-Control": _CERTIFICATE_CACHE}
        )

    @routes.get("/{name}.crl", summary="The newest revocation list, DER", response_class=Response)
    def revocation_list(name: str) -> Response:
        asked = read_list_name(name)
        if asked is None:
            raise CertificateUnknown("no list with this name was issued here")
        scope, wants_delta = asked
        found = current_crl(scope.name) if current_crl is not None else _stored(scope)
        content = found.delta if wants_delta else found.der
        if content is None:
            raise CertificateUnknown("no list with this name was issued here")
        return Response(content, media_type="application/pkix-crl", headers={"Cache-Control": _CRL_CACHE})

    def _stored(scope: ListScope) -> CrlRecord:
        with read() as tx:
            found = Crls(tx).latest(scope)
        if found is None:
            raise CertificateUnknown("no list with this name was issued here")
        return found

    return routes
