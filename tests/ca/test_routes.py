"""The addresses that stand in certificates, asked as relying parties ask them."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from asn1crypto import core, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from fastapi import FastAPI

from ca import published, routes
from ca.errors import CertificateUnknown
from ca.model import ProfileName, RevocationReason
from tests.ca.conftest import Pki
from tests.support.asgi import InProcess

AGENCY = "dpmptsp"


@pytest.fixture
def web(pki: Pki) -> InProcess:
    application = FastAPI()
    application.include_router(routes.router(pki.revocation, pki.tsa, read=pki.begin, clock=pki.clock))
    return InProcess(application)


def request(pki: Pki) -> bytes:
    return (
        ocsp.OCSPRequestBuilder()
        .add_certificate(
            pki.certificate(ProfileName.SEAL, AGENCY), pki.certificate(ProfileName.ISSUING), hashes.SHA1()
        )
        .build()
        .public_bytes(Encoding.DER)
    )


def test_every_address_in_a_certificate_answers(pki: Pki, web: InProcess) -> None:
    extensions = pki.certificate(ProfileName.SEAL, AGENCY).extensions
    access = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    status, issuer = (urlsplit(entry.access_location.value).path for entry in access)
    points = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    crl = urlsplit(points[0].full_name[0].value).path  # type: ignore[index]

    got = web.get(issuer)
    assert (got.status_code, got.headers["content-type"]) == (200, "application/pkix-cert")
    assert x509.load_der_x509_certificate(got.content) == pki.certificate(ProfileName.ISSUING)
    got = web.get(crl)
    assert got.headers["content-type"] == "application/pkix-crl"
    assert x509.load_der_x509_crl(got.content).issuer == pki.certificate(ProfileName.ISSUING).subject
    got = web.post(status, content=request(pki), headers={"Content-Type": "application/ocsp-request"})
    assert got.headers["content-type"] == "application/ocsp-response"
    assert got.headers["cache-control"] == "no-store"
    assert ocsp.load_der_ocsp_response(got.content).certificate_status is ocsp.OCSPCertStatus.GOOD


def test_ocsp_by_get_takes_every_base64_and_says_how_long_it_holds(pki: Pki, web: InProcess) -> None:
    """RFC 5019 6.2: max-age and Expires end with nextUpdate, and an entity tag saves the second transfer."""
    encoded = quote(base64.b64encode(request(pki)), safe="")
    got = web.get(f"/ocsp/issuing-1/{encoded}")
    told = ocsp.load_der_ocsp_response(got.content)
    assert told.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert got.headers["cache-control"] == "public, max-age=3600, must-revalidate, no-transform"
    assert parsedate_to_datetime(got.headers["expires"]) == told.next_update_utc
    assert parsedate_to_datetime(got.headers["last-modified"]) == told.this_update_utc
    pki.clock.advance(timedelta(minutes=20))
    again = web.get(f"/ocsp/issuing-1/{encoded}", headers={"If-None-Match": got.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "max-age=2400," in again.headers["cache-control"]
    plain = web.get(f"/ocsp/issuing-1/{base64.b64encode(request(pki)).decode()}")
    assert ocsp.load_der_ocsp_response(plain.content).certificate_status is ocsp.OCSPCertStatus.GOOD
    bad = web.get("/ocsp/issuing-1/%%%")
    assert (
        ocsp.load_der_ocsp_response(bad.content).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    )
    assert bad.headers["cache-control"] == "no-store"


def test_answers_to_get_are_made_once_and_anew_at_half_their_life_or_when_a_status_changes(
    pki: Pki, web: InProcess
) -> None:
    path = f"/ocsp/issuing-1/{base64.b64encode(request(pki)).decode()}"
    first = web.get(path).content
    pki.clock.advance(timedelta(minutes=29))
    pki.ticks.value += 5
    assert web.get(path).content == first
    pki.clock.advance(timedelta(minutes=1))
    second = web.get(path).content
    assert second != first
    # A status that another process changes is seen a second later, one of our own at once.
    other = pki.restarted()
    serial = pki.record(ProfileName.SEAL, AGENCY).serial
    other.revocation.revoke(serial, RevocationReason.CERTIFICATE_HOLD)
    pki.ticks.value += 1
    held = ocsp.load_der_ocsp_response(web.get(path).content)
    assert held.revocation_reason is x509.ReasonFlags.certificate_hold
    pki.revocation.release(serial)
    good = ocsp.load_der_ocsp_response(web.get(path).content)
    assert good.certificate_status is ocsp.OCSPCertStatus.GOOD


def test_answers_that_strangers_make_up_are_not_kept(pki: Pki, web: InProcess) -> None:
    known = ocsp.load_der_ocsp_request(request(pki))
    with_nonce = (
        ocsp.OCSPRequestBuilder()
        .add_certificate(
            pki.certificate(ProfileName.SEAL, AGENCY), pki.certificate(ProfileName.ISSUING), hashes.SHA256()
        )
        .add_extension(x509.OCSPNonce(b"n" * 32), critical=False)
        .build()
    )
    never_issued = (
        ocsp.OCSPRequestBuilder()
        .add_certificate_by_hash(known.issuer_name_hash, known.issuer_key_hash, 4711, hashes.SHA1())
        .build()
    )
    for made_up in (with_nonce, never_issued):
        encoded = base64.b64encode(made_up.public_bytes(Encoding.DER)).decode()
        got = web.get(f"/ocsp/issuing-1/{encoded}")
        assert got.headers["cache-control"] == "no-store"
        assert pki.revocation.ocsp.prepared("issuing-1", encoded) is None


def test_a_revocation_shows_at_the_very_next_question(pki: Pki, web: InProcess) -> None:
    asked, serial = request(pki), pki.record(ProfileName.SEAL, AGENCY).serial
    web.get("/pki/issuing-1.crl")
    pki.revocation.revoke(serial, RevocationReason.KEY_COMPROMISE)
    answer = ocsp.load_der_ocsp_response(web.post("/ocsp/issuing-1", content=asked).content)
    assert answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
    listed = x509.load_der_x509_crl(web.get("/pki/issuing-1.crl").content)
    assert [entry.serial_number for entry in listed] == [serial]


def test_time_is_told_over_http(pki: Pki, web: InProcess) -> None:
    imprint = {
        "hash_algorithm": {"algorithm": "sha256"},
        "hashed_message": hashlib.sha256(b"x").digest(),
    }
    query = tsp.TimeStampReq({"version": 1, "message_imprint": imprint, "nonce": 9}).dump()
    got = web.post("/tsa", content=query, headers={"Content-Type": "application/timestamp-query"})
    assert got.headers["content-type"] == "application/timestamp-reply"
    assert tsp.TimeStampResp.load(got.content)["status"]["status"].native == "granted"


def test_a_fault_of_ours_is_an_internal_error_not_a_crash(pki: Pki, web: InProcess) -> None:
    asked = request(pki)
    pki.keys.suspend(pki.record(ProfileName.OCSP).key_id)
    got = ocsp.load_der_ocsp_response(web.post("/ocsp/issuing-1", content=asked).content)
    assert got.response_status is ocsp.OCSPResponseStatus.INTERNAL_ERROR
    pki.keys.suspend(pki.record(ProfileName.TIMESTAMPING).key_id)
    reply = core.Sequence.load(web.post("/tsa", content=b"").content)
    assert tsp.PKIStatusInfo.load(reply[0].dump())["status"].native == "rejection"


def test_oversized_bodies_are_refused_without_being_read_whole(web: InProcess) -> None:
    big = bytes(5_000_000)
    answer = ocsp.load_der_ocsp_response(web.post("/ocsp/issuing-1", content=big).content)
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    reply = core.Sequence.load(web.post("/tsa", content=big).content)
    assert tsp.PKIStatusInfo.load(reply[0].dump())["fail_info"].native == {"bad_request"}


@pytest.mark.parametrize("path", ["/pki/tidak-ada.crt", "/pki/tidak-ada.crl", "/pki/seal.crl"])
def test_unknown_names_raise_the_fact_for_the_edge_to_map(web: InProcess, path: str) -> None:
    with pytest.raises(CertificateUnknown):
        web.get(path)
    with pytest.raises(CertificateUnknown):
        web.post("/ocsp/tidak-ada", content=b"")


def test_the_keyless_router_serves_the_latest_stored_list(pki: Pki, tmp_path: Path) -> None:
    application = FastAPI()
    application.include_router(published.router(pki.begin))
    web = InProcess(application)
    with pytest.raises(CertificateUnknown):
        web.get("/pki/issuing-1.crl")
    stored = pki.revocation.current_crl("issuing-1")
    assert web.get("/pki/issuing-1.crl").content == stored.der
    name = pki.record(ProfileName.SEAL, AGENCY).name
    assert web.get(f"/pki/{name}.crt").content == pki.record(ProfileName.SEAL, AGENCY).der
