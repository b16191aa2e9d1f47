"""What a request shows of who sends it: credentials, tokens, DPoP proofs, the connection's certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from identity.agencies.authentication import AuthenticatedClient, ClientAuthentication, ClientRequest
from identity.agencies.dpop import Proofs
from identity.agencies.errors import DpopProofInvalid
from identity.agencies.mtls import CertificateHeader, thumbprint_of
from identity.agencies.presenting import PresentedToken


@dataclass(frozen=True, slots=True)
class Holder:
    """The keys that the sender of a request has: thumbprints (``jkt`` and ``x5t#S256``), None where not
    shown."""

    proof_key: str | None = None
    certificate: str | None = None


class RequestReader:
    """Reads requests for the endpoints of ``/oauth2`` and for the guards. Safe to share between threads."""

    def __init__(
        self,
        *,
        authentication: ClientAuthentication,
        proofs: Proofs,
        certificates: CertificateHeader | None = None,
    ) -> None:
        self._authentication = authentication
        self.proofs = proofs
        self._certificates = certificates

    def client(self, request: Request, form: Mapping[str, str]) -> AuthenticatedClient:
        """Who sends this form; see :meth:`ClientAuthentication.authenticate` for what is raised."""
        return self._authentication.authenticate(
            ClientRequest(request.headers.get("authorization"), form, address_of(request))
        )

    def holder(self, request: Request) -> Holder:
        """For requests that ask for a token. Raises :class:`identity.agencies.errors.DpopProofInvalid`,
        ``DpopNonceNeeded`` or ``CertificateUnreadable``."""
        proofs = request.headers.getlist("dpop")
        if len(proofs) > 1:
            raise DpopProofInvalid("One DPoP header is enough, and no more is allowed (RFC 9449, 4.3).")
        proof_key = None
        if proofs:
            proof_key = self.proofs.check(proofs[0], method=request.method, path=path_of(request))
        return Holder(proof_key, self.certificate(request))

    def presented(self, request: Request) -> PresentedToken | None:
        """The access token of a request; None without an ``Authorization`` that could hold one."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() not in {"bearer", "dpop"} or not token:
            return None
        return PresentedToken(
            scheme=scheme.lower(),
            token=token,
            method=request.method,
            path=path_of(request),
            proofs=tuple(request.headers.getlist("dpop")),
            certificate=self.certificate(request),
        )

    def certificate(self, request: Request) -> str | None:
        """``x5t#S256`` of the connection's certificate, where a trusted proxy tells of one."""
        header = self._certificates
        if header is None or not header.is_trusted(peer_of(request)):
            return None
        return thumbprint_of(request.headers.getlist(header.name))


def address_of(request: Request) -> str:
    """Whose request it is, as far as trusted proxies tell; empty where the server does not say."""
    return request.client.host if request.client else ""


def peer_of(request: Request) -> str:
    """Who opened the connection: the proxy, where there is one."""
    peer: str = getattr(request.state, "peer", "")
    return peer or address_of(request)


def path_of(request: Request) -> str:
    """The path as it was sent, percent-encoding included."""
    raw: bytes | None = request.scope.get("raw_path")
    return raw.partition(b"?")[0].decode("latin-1") if raw else request.url.path
