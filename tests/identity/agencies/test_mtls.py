"""Tokens bound to a TLS client certificate, as a proxy hands it on (RFC 8705)."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from ipaddress import ip_network
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from app.callers import Callers
from identity.agencies.errors import CertificateUnreadable
from identity.agencies.model import Binding
from identity.agencies.mtls import CertificateHeader, thumbprint_of
from identity.agencies.service import Agencies, NewClient
from tests.identity.forging import b64
from tests.support.agency_system import AgencySystem
from tests.support.asgi import InProcess
from tests.support.clock import START, FrozenClock


def _certificate() -> x509.Certificate:
    """Self-signed: what counts is that the handshake proved possession of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "system of an agency")])
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(START - timedelta(days=1))
        .not_valid_after(START + timedelta(days=90))
        .sign(key, hashes.SHA256())
    )


OURS, THEIRS = _certificate(), _certificate()
DER = OURS.public_bytes(Encoding.DER)
RFC_9440 = f":{base64.b64encode(DER).decode()}:"
OTHER = f":{base64.b64encode(THEIRS.public_bytes(Encoding.DER)).decode()}:"
THUMBPRINT = b64(hashlib.sha256(DER).digest())


@pytest.fixture
def bound(agencies: Agencies, client: NewClient, clock: FrozenClock) -> AgencySystem:
    system = AgencySystem(clock)
    system.registered = agencies.register_client(
        "dinas",
        name="mtls",
        scopes=["documents.read"],
        jwks=system.jwks(),
        binding=Binding.MTLS,
        actor="test",
    )
    return system


def test_a_token_is_bound_to_the_certificate_and_opens_nothing_without_it(
    http: InProcess, callers: Callers, bound: AgencySystem
) -> None:
    answer = http.post("/oauth2/token", data=bound.form(), headers={"Client-Cert": RFC_9440})
    assert (answer.status_code, answer.json()["token_type"]) == (200, "Bearer"), answer.text
    token = answer.json()["access_token"]
    confirmation = callers.tokens.read(token).confirmation
    assert confirmation is not None
    assert confirmation.as_claim() == {"x5t#S256": THUMBPRINT}
    bearer = {"Authorization": f"Bearer {token}"}
    assert http.get("/v1/me", headers=bearer | {"Client-Cert": RFC_9440}).status_code == 200
    for headers in (bearer, bearer | {"Client-Cert": OTHER}, {"Authorization": f"DPoP {token}"}):
        refused = http.get("/v1/me", headers=headers)
        assert refused.status_code == 401
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def test_without_a_certificate_the_client_gets_no_token(http: InProcess, bound: AgencySystem) -> None:
    answer = http.post("/oauth2/token", data=bound.form())
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert "certificate" in answer.json()["error_description"]


def test_a_header_from_anybody_but_the_proxy_says_nothing(
    http: InProcess, callers: Callers, bound: AgencySystem
) -> None:
    """The test's requests come from 127.0.0.1, which is no longer the proxy's address."""
    callers.reader._certificates = CertificateHeader("Client-Cert", (ip_network("10.0.0.0/8"),))
    answer = http.post("/oauth2/token", data=bound.form(), headers={"Client-Cert": RFC_9440})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    callers.reader._certificates = None
    answer = http.post("/oauth2/token", data=bound.form(), headers={"Client-Cert": RFC_9440})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("peer", ["", "testclient", "unix:/run/x", "192.0.2.1", "::2"])
def test_only_addresses_of_the_trusted_networks_are_the_proxy(peer: str) -> None:
    header = CertificateHeader("Client-Cert", (ip_network("10.0.0.0/8"), ip_network("::1/128")))
    assert not header.is_trusted(peer)
    assert header.is_trusted("10.1.2.3")
    assert header.is_trusted("::1")


PEM = OURS.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    "value",
    [RFC_9440, RFC_9440.strip(":"), quote(PEM), quote(PEM, safe=""), f" {RFC_9440} "],
    ids=["RFC 9440", "bare base64", "percent-encoded PEM", "all encoded", "spaces"],
)
def test_the_forms_that_proxies_write_mean_the_same_certificate(value: str) -> None:
    assert thumbprint_of([value]) == THUMBPRINT


@pytest.mark.parametrize(
    "values",
    [["x"], [":x:"], ["::"], [RFC_9440, OTHER], [f"{RFC_9440}, {OTHER}"], ["-----BEGIN%20X"], ["é"],
     [base64.b64encode(DER + b"\0").decode()], ["A" * 20_000]],
    ids=range(9),
)  # fmt: skip
def test_anything_else_in_the_header_is_refused(values: list[str]) -> None:
    with pytest.raises(CertificateUnreadable):
        thumbprint_of(values)


def test_no_certificate_is_none() -> None:
    assert thumbprint_of([]) is None
    assert thumbprint_of(["", " "]) is None


def test_a_header_that_cannot_be_read_is_answered_and_never_a_failure(
    http: InProcess, bound: AgencySystem
) -> None:
    answer = http.post("/oauth2/token", data=bound.form(), headers={"Client-Cert": "x"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    answer = http.get("/v1/me", headers={"Authorization": "Bearer x", "Client-Cert": "x"})
    assert answer.status_code in {400, 401}
