"""``/pki`` without keys: certificates and revocation lists as last issued (RFC 5280, 4.2.1.13)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from ca.errors import CertificateUnknown
from ca.tables import Certificates, Crls
from identity.ports import Begin


def router(read: Begin) -> APIRouter:
    """Reads only. The core process or the worker renews the lists."""
    routes = APIRouter(prefix="/pki", tags=["pki"])

    @routes.get("/{name}.crt", summary="A certificate, DER", response_class=Response)
    def certificate(name: str) -> Response:
        with read() as tx:
            found = Certificates(tx).by_name(name)
        if found is None:
            raise CertificateUnknown(f"No certificate is called {name[:40]!r}.")
        return Response(
            found.der, media_type="application/pkix-cert", headers={"Cache-Control": "public, max-age=86400"}
        )

    @routes.get("/{issuer}.crl", summary="The newest revocation list, DER", response_class=Response)
    def revocation_list(issuer: str) -> Response:
        with read() as tx:
            found = Crls(tx).latest(issuer)
        if found is None:
            raise CertificateUnknown(f"No CA called {issuer[:40]!r} has issued a revocation list.")
        return Response(
            found.der, media_type="application/pkix-crl", headers={"Cache-Control": "public, max-age=300"}
        )

    return routes
