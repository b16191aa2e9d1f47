"""What the time-stamping authority answers, judged by OpenSSL, pyHanko, asn1crypto and rfc3161-client."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
import rfc3161_client
from asn1crypto import cms, core, tsp, x509
from cryptography import x509 as c509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko_certvalidator import ValidationContext

from ca import der, tst
from ca.errors import TimeNotAvailable
from ca.model import ProfileName, RevocationReason
from tests.ca.conftest import CONFIG, Pki, run
from tests.support.needs import requires

DIGEST = hashlib.sha256(b"surat keputusan").digest()


def request(*, algorithm: str = "sha256", digest: bytes = DIGEST, **fields: object) -> bytes:
    imprint = tsp.MessageImprint({"hash_algorithm": {"algorithm": algorithm}, "hashed_message": digest})
    encoded: bytes = tsp.TimeStampReq({"version": 1, "message_imprint": imprint, **fields}).dump()
    return encoded


def status_of(response: bytes) -> tsp.PKIStatusInfo:
    """asn1crypto insists on a token in every TimeStampResp, so the status is read by itself."""
    return tsp.PKIStatusInfo.load(core.Sequence.load(response, strict=True)[0].dump(), strict=True)


def granted(response: bytes) -> cms.SignedData:
    read = tsp.TimeStampResp.load(response, strict=True)
    assert read["status"]["status"].native == "granted"
    return read["time_stamp_token"]["content"]


def failure(response: bytes) -> str:
    status = status_of(response)
    assert status["status"].native == "rejection"
    assert len(core.Sequence.load(response).native) == 1, "a rejection carries no token"
    (bit,) = status["fail_info"].native
    return str(bit)


def info_of(token: bytes) -> tsp.TSTInfo:
    signed = cms.ContentInfo.load(token, strict=True)["content"]
    return signed["encap_content_info"]["content"].parsed


@requires("openssl")
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("options", [[], ["-no_nonce"], ["-tspolicy", CONFIG.timestamp_policies[0]]])
def test_openssl_verifies_what_it_asked_for(
    pki: Pki, tmp_path: Path, digest: str, options: list[str]
) -> None:
    data, query, reply = tmp_path / "data", tmp_path / "q.tsq", tmp_path / "r.tsr"
    data.write_bytes(b"isi dokumen")
    made = run("openssl", "ts", "-query", "-data", data, f"-{digest}", "-cert", *options, "-out", query)
    assert made.returncode == 0, made.stderr
    reply.write_bytes(pki.tsa.respond(query.read_bytes()))
    for asked in (["-queryfile", query], ["-data", data]):
        verdict = run(
            "openssl",
            "ts",
            "-verify",
            *asked,
            "-in",
            reply,
            "-attime",
            str(int(pki.clock().timestamp())),
            "-CAfile",
            pki.pem(ProfileName.ROOT),
            "-untrusted",
            pki.pem(ProfileName.ISSUING),
        )
        assert "Verification: OK" in verdict.stdout, verdict.stdout + verdict.stderr


@requires("openssl")
def test_openssl_refuses_the_token_for_other_data(pki: Pki, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_bytes(pki.tsa.token(DIGEST))
    command = ["openssl", "ts", "-verify", "-token_in", "-in", token, "-CAfile", pki.pem(ProfileName.ROOT)]
    command += ["-attime", str(int(pki.clock().timestamp()))]
    assert "Verification: OK" in run(*command, "-digest", DIGEST.hex()).stdout
    refused = run(*command, "-digest", hashlib.sha256(b"lain").hexdigest())
    assert "imprint mismatch" in refused.stderr


def test_pyhanko_validates_the_token(pki: Pki) -> None:
    import asyncio

    signed = cms.ContentInfo.load(pki.tsa.token(DIGEST))["content"]
    context = ValidationContext(
        trust_roots=[x509.Certificate.load(pki.record(ProfileName.ROOT).der)],
        other_certs=[x509.Certificate.load(pki.record(ProfileName.ISSUING).der)],
        moment=pki.clock(),
        allow_fetching=False,
    )
    status = asyncio.run(validate_tst_signed_data(signed, context, lambda algorithm: DIGEST))
    assert status["valid"]
    assert status["intact"]
    assert status["trust_problem_indic"] is None


def test_the_token_says_what_rfc_5816_and_en_319_422_ask_for(pki: Pki) -> None:
    token = pki.tsa.token(DIGEST)
    assert cms.ContentInfo.load(token, strict=True).dump(force=True) == token  # canonical DER
    info = info_of(token)
    assert info["policy"].native == CONFIG.timestamp_policies[0]
    assert info["gen_time"].native == pki.clock()
    assert info["accuracy"]["seconds"].native == 1
    assert info["ordering"].native is False
    assert info["message_imprint"]["hashed_message"].native == DIGEST
    signed = cms.ContentInfo.load(token)["content"]
    (signer,) = signed["signer_infos"]
    attributes = {entry["type"].native: entry["values"][0] for entry in signer["signed_attrs"]}
    assert set(attributes) == {"content_type", "message_digest", "signing_certificate_v2"}
    (identifier,) = attributes["signing_certificate_v2"]["certs"]
    assert identifier["cert_hash"].native == pki.record(ProfileName.TIMESTAMPING).sha256
    carried = {entry.chosen.dump() for entry in signed["certificates"]}
    assert carried == set(pki.tsa.chain[:-1])
    assert pki.tsa.chain[-1] == pki.record(ProfileName.ROOT).der


def test_serials_never_repeat_and_milliseconds_are_kept(pki: Pki) -> None:
    pki.clock.advance(timedelta(microseconds=123_999))
    tokens = [info_of(pki.tsa.token(DIGEST)) for _ in range(50)]
    assert len({info["serial_number"].native for info in tokens}) == 50
    assert {info["gen_time"].native.microsecond for info in tokens} == {123_000}


@given(nonce=st.integers(-(2**200), 2**200), wanted=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
def test_the_nonce_is_echoed_and_cert_req_honoured(pki: Pki, nonce: int, wanted: bool) -> None:
    signed = granted(pki.tsa.respond(request(nonce=nonce, cert_req=wanted)))
    assert signed["encap_content_info"]["content"].parsed["nonce"].native == nonce
    assert bool(signed["certificates"].native) is wanted


def test_what_cannot_be_served_gets_its_own_fail_info(pki: Pki) -> None:
    extension = {"extn_id": "1.2.3.4", "critical": False, "extn_value": b"\x05\x00"}
    cases: list[tuple[bytes, str]] = [
        (request(req_policy="1.2.3.4"), "unaccepted_policy"),
        (request(algorithm="sha1", digest=bytes(20)), "bad_alg"),
        (request(algorithm="md5", digest=bytes(16)), "bad_alg"),
        (request(digest=bytes(31)), "bad_data_format"),
        (request(algorithm="sha512", digest=bytes(32)), "bad_data_format"),
        (request(extensions=[extension]), "unaccepted_extensions"),
        (request(extensions=[{**extension, "critical": True}]), "unaccepted_extensions"),
        (b"", "bad_data_format"),
        (b"\x30\x80", "bad_data_format"),
        (request() + b"\x00", "bad_data_format"),
        (der.sequence(der.integer(2), tst.imprint_of(DIGEST)), "bad_request"),
        (der.sequence(der.integer(1)), "bad_request"),
        (bytes(tst.LARGEST_REQUEST + 1), "bad_request"),
        (der.sequence(der.integer(1), tst.imprint_of(DIGEST), der.boolean(False)), "bad_data_format"),
        (
            der.sequence(der.integer(1), tst.imprint_of(DIGEST), der.boolean(True), der.integer(1)),
            "bad_data_format",
        ),
    ]
    for data, expected in cases:
        assert failure(pki.tsa.respond(data)) == expected, data.hex()


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
def test_garbage_is_answered_never_crashes(pki: Pki, data: bytes) -> None:
    assert failure(pki.tsa.respond(data)) in {
        "bad_data_format",
        "bad_request",
        "bad_alg",
    }


@given(at=st.integers(0, 10_000), to=st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
def test_one_changed_byte_in_a_request_never_crashes(pki: Pki, at: int, to: int) -> None:
    data = bytearray(request(nonce=77, cert_req=True, req_policy=CONFIG.timestamp_policies[0]))
    data[at % len(data)] = to
    assert status_of(pki.tsa.respond(bytes(data)))["status"].native in {
        "granted",
        "rejection",
    }


def test_no_unit_no_time(empty_pki: Pki) -> None:
    with pytest.raises(TimeNotAvailable, match="absah init"):
        empty_pki.tsa.token(DIGEST)
    assert failure(empty_pki.tsa.respond(request())) == "time_not_available"


def test_a_suspended_key_and_an_expired_unit_give_no_time(pki: Pki) -> None:
    pki.tsa.token(DIGEST)
    key = pki.record(ProfileName.TIMESTAMPING).key_id
    pki.keys.suspend(key)
    with pytest.raises(TimeNotAvailable, match="suspended"):
        pki.tsa.token(DIGEST)
    pki.keys.reinstate(key)
    pki.tsa.token(DIGEST)
    pki.clock.advance(timedelta(days=3651))
    assert failure(pki.tsa.respond(request())) == "time_not_available"


def test_below_a_ca_that_is_on_hold_or_revoked_nothing_is_stamped(pki: Pki) -> None:
    """The unit's key is whole, but its tokens would be worthless, and who asked would never hear of it."""
    ca = pki.record(ProfileName.ISSUING).serial
    granted(pki.tsa.respond(request()))
    for act, words in (
        (lambda: pki.revocation.revoke(ca, RevocationReason.CERTIFICATE_HOLD), "time_not_available"),
        (lambda: pki.revocation.release(ca), ""),
        (lambda: pki.revocation.revoke(ca, RevocationReason.CA_COMPROMISE), "time_not_available"),
    ):
        act()
        pki.ticks.value += 2
        answer = pki.tsa.respond(request())
        if words:
            assert failure(answer) == words
        else:
            granted(answer)
    with pytest.raises(TimeNotAvailable, match="below a CA"):
        pki.tsa.token(bytes(32))


def test_only_sha256_digests_are_taken_in_process(pki: Pki) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        pki.tsa.token(bytes(20))


def test_rejections_name_exactly_one_bit() -> None:
    for fail_info in tst.FailInfo:
        status = status_of(tst.rejected(fail_info, "sebab"))
        assert tsp.PKIFailureInfo._map[fail_info.value] in status["fail_info"].native
        assert len(status["fail_info"].native) == 1
        assert status["status_string"].native == ["sebab"]


def test_imprints_leave_the_parameters_out() -> None:
    imprint = tsp.MessageImprint.load(tst.imprint_of(DIGEST), strict=True)
    assert imprint["hash_algorithm"]["algorithm"].native == "sha256"
    assert isinstance(imprint["hash_algorithm"]["parameters"], core.Void)


def test_a_clock_that_went_back_gives_no_time_until_it_has_caught_up(pki: Pki) -> None:
    pki.clock.advance(timedelta(hours=1))
    pki.tsa.token(DIGEST)
    before = pki.clock()
    pki.clock.advance(timedelta(seconds=-1))  # within the accuracy that tokens state
    pki.tsa.token(DIGEST)
    pki.clock.advance(timedelta(seconds=-1))
    with pytest.raises(TimeNotAvailable, match="went back"):
        pki.tsa.token(DIGEST)
    assert failure(pki.tsa.respond(request())) == "time_not_available"
    pki.clock.set(before)
    pki.tsa.token(DIGEST)


# --- other people's judgement ---------------------------------------------------------------------------


@pytest.mark.parametrize("hash_name", ["SHA256", "SHA512"])
def test_rfc3161_client_verifies_our_answers_and_refuses_them_for_other_data(
    pki: Pki, hash_name: str
) -> None:
    data = b"isi dokumen"
    algorithm = rfc3161_client.HashAlgorithm[hash_name]
    asked = rfc3161_client.TimestampRequestBuilder(data, algorithm, nonce=True, cert_req=True).build()
    response = rfc3161_client.decode_timestamp_response(pki.tsa.respond(asked.as_bytes()))
    verifier = (
        rfc3161_client.VerifierBuilder()
        .nonce(asked.nonce)
        .add_root_certificate(pki.certificate(ProfileName.ROOT))
        .add_intermediate_certificate(pki.certificate(ProfileName.ISSUING))
        .tsa_certificate(pki.certificate(ProfileName.TIMESTAMPING))
        .policy_id(c509.ObjectIdentifier(CONFIG.timestamp_policies[0]))
        .build()
    )
    assert verifier.verify_message(response, data)
    with pytest.raises(rfc3161_client.VerificationError):
        verifier.verify_message(response, b"isi lain")
