"""Identity on a real database, with token keys in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from ipaddress import ip_network

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import Depends

from app import audit
from app.audit import Audit
from app.callers import Callers
from app.guards import BearerGuard
from app.settings import Settings
from app.shell import new_application
from identity import tables
from identity.access import AccessTokens
from identity.agencies.authentication import ClientAuthentication, agency_clients
from identity.agencies.dpop import Proofs
from identity.agencies.grants import ClientCredentials, Grants
from identity.agencies.model import AgencyPolicy, Client
from identity.agencies.mtls import CertificateHeader
from identity.agencies.once import OnceOnly
from identity.agencies.presenting import TokenGate
from identity.agencies.requests import RequestReader
from identity.agencies.service import Agencies, NewClient
from identity.factors.model import PasswordCost
from identity.login.throttle import Throttle
from identity.ports import TokenSigner
from identity.routes import router
from signing.ports import Caller
from tests.support.agency_system import ORIGIN, AgencySystem, KeyedFingerprints
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.databases import Begin

EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)


class TokenKeys:
    """Both kinds of key of our own, in memory."""

    def signer(self, algorithm: str = "ES256") -> TokenSigner:
        if algorithm == "RS256":
            return TokenSigner(
                "r1", lambda data: RSA_KEY.sign(data, padding.PKCS1v15(), hashes.SHA256()), algorithm
            )
        return TokenSigner("k1", lambda data: EC_KEY.sign(data, ec.ECDSA(hashes.SHA256())))

    def public_keys(self) -> Mapping[str, bytes]:
        keys: dict[str, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey] = {"k1": EC_KEY, "r1": RSA_KEY}
        return {
            name: key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            for name, key in keys.items()
        }


@pytest.fixture
def password_cost() -> PasswordCost:
    """Hardly any. Tests where the real one matters are parametrized with it."""
    return PasswordCost(memory_kib=64, passes=1)


@pytest.fixture
def begin(begin_with: Callable[..., Begin]) -> Begin:
    return begin_with(audit.metadata, tables.metadata)


@pytest.fixture
def access_tokens(clock: FrozenClock) -> AccessTokens:
    return AccessTokens(
        keys=TokenKeys(), clock=clock, issuer=ORIGIN, audience=ORIGIN, lifetime=timedelta(minutes=10)
    )


def build(begin: Begin, clock: FrozenClock, access_tokens: AccessTokens, policy: AgencyPolicy) -> Callers:
    """Everything that judges who calls, under one policy."""
    once = OnceOnly(begin=begin, clock=clock)
    proofs = Proofs(once=once, clock=clock, vault=KeyedFingerprints(), origins={ORIGIN}, policy=policy)
    authentication = ClientAuthentication(
        read=begin,
        clock=clock,
        once=once,
        directories=[agency_clients],
        issuer=ORIGIN,
        policy=policy,
        throttle=Throttle(begin=begin, clock=clock, vault=KeyedFingerprints()),
    )
    reader = RequestReader(
        authentication=authentication,
        proofs=proofs,
        certificates=CertificateHeader("Client-Cert", (ip_network("127.0.0.1/32"),)),
    )
    return Callers(
        agencies=Agencies(begin=begin, read=begin, clock=clock, audit=Audit(clock=clock), policy=policy),
        tokens=access_tokens,
        once=once,
        reader=reader,
        gate=TokenGate(tokens=access_tokens, proofs=proofs),
        grants=Grants({"client_credentials": ClientCredentials(access_tokens)}),
    )


@pytest.fixture
def callers(begin: Begin, clock: FrozenClock, access_tokens: AccessTokens) -> Callers:
    return build(begin, clock, access_tokens, AgencyPolicy())


@pytest.fixture
def agencies(callers: Callers) -> Agencies:
    return callers.agencies


def serve(callers: Callers) -> InProcess:
    """The routes of tokens, and one guarded route that tells who called."""
    application = new_application(Settings(), title="t", probes={}, closing=ExitStack())
    application.include_router(router(callers.reader, callers.grants, jwks=callers.tokens.jwks))
    guard = BearerGuard(callers)

    @application.get("/v1/me")
    @application.post("/v1/me")
    def me(caller: Caller = Depends(guard)) -> dict[str, object]:  # noqa: B008 - FastAPI's way
        return {"client": caller.client_id, "scopes": sorted(caller.scopes), "sandbox": caller.is_sandbox}

    return InProcess(application)


@pytest.fixture
def http(callers: Callers) -> InProcess:
    return serve(callers)


@pytest.fixture
def client(agencies: Agencies) -> NewClient:
    """With a secret, of agency ``dinas``; may issue licences and read."""
    agencies.add_agency("dinas", name="Dinas Contoh", organization_identifier="NTRID-1", actor="test")
    return agencies.add_client(
        "dinas",
        name="licensing backend",
        scopes=["documents.issue:business_licence", "documents.read"],
        actor="test",
    )


@pytest.fixture
def system(agencies: Agencies, client: NewClient, clock: FrozenClock) -> AgencySystem:
    """A system of the same agency that authenticates by its key and holds DPoP-bound tokens."""
    made = AgencySystem(clock)
    made.registered = _register(agencies, made)
    return made


def _register(agencies: Agencies, system: AgencySystem) -> Client:
    return agencies.register_client(
        "dinas", name="keys", scopes=["documents.read"], jwks=system.jwks(), actor="test"
    )
