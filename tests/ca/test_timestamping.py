"""The time-stamping authority, judged by OpenSSL, pyHanko and asn1crypto."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc3161_client
from asn1crypto import cms, core, tsp, x509
from cryptography import x509 as c509
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko_certvalidator import ValidationContext
from sqlalchemy import select

from ca import der, routes, tst
from ca.errors import ProfileInvalid, TimeNotAvailable
from ca.model import ProfileName, RevocationReason, TimeStampingRules
from ca.timestamping import TimeStampingAuthority
from ca.trust import CertifiedUse, PathStatus, check_path
from keys.model import KeyAlgorithm, KeyPurpose, KeyRecord
from tests.ca.conftest import CONFIG, Pki, run
from tests.keys.conftest import audit_entries
from tests.support.asgi import InProcess
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


# --- what a deployment decides --------------------------------------------------------------------------


def governed(pki: Pki, **rules: Any) -> Pki:
    """The same deployment under other rules for time-stamps."""
    config = replace(pki.config, time=TimeStampingRules(**rules))
    return Pki(pki.begin, pki.clock, pki.folder, pki.ticks, config)


def test_several_policies_are_served_and_the_first_where_none_is_asked_for(pki: Pki) -> None:
    bound = governed(pki, policies=("0.4.0.2023.1.1", "1.3.6.1.4.1.32473.7"))
    for asked, under in (
        ({}, "0.4.0.2023.1.1"),
        ({"req_policy": "0.4.0.2023.1.1"}, "0.4.0.2023.1.1"),
        ({"req_policy": "1.3.6.1.4.1.32473.7"}, "1.3.6.1.4.1.32473.7"),
    ):
        signed = granted(bound.tsa.respond(request(**asked)))
        assert signed["encap_content_info"]["content"].parsed["policy"].native == under
    assert failure(bound.tsa.respond(request(req_policy=CONFIG.timestamp_policies[0]))) == "unaccepted_policy"


def test_only_the_digests_of_the_list_are_stamped(pki: Pki) -> None:
    bound = governed(pki, digests=("sha512", "sha3_256"))
    assert failure(bound.tsa.respond(request())) == "bad_alg"
    granted(bound.tsa.respond(request(algorithm="sha512", digest=bytes(64))))
    sha3 = der.sequence(der.sequence(der.oid("2.16.840.1.101.3.4.2.8")), der.octet_string(bytes(32)))
    granted(bound.tsa.respond(der.sequence(der.integer(1), sha3)))


@pytest.mark.parametrize(
    ("milliseconds", "stated"),
    [(1, (None, 1)), (500, (None, 500)), (1000, (1, None)), (1500, (1, 500)), (60_000, (60, None))],
)
def test_the_accuracy_is_stated_to_the_millisecond(
    pki: Pki, milliseconds: int, stated: tuple[int | None, int | None]
) -> None:
    bound = governed(pki, accuracy=timedelta(milliseconds=milliseconds))
    accuracy = info_of(bound.tsa.token(DIGEST))["accuracy"]
    assert (accuracy["seconds"].native, accuracy["millis"].native, accuracy["micros"].native) == (
        *stated,
        None,
    )


@pytest.mark.parametrize(
    "rules",
    [
        {"policies": ("1.3.6", "1.3.6")},
        {"policies": ("3.1",)},
        {"policies": ("policy",)},
        {"digests": ()},
        {"digests": ("sha1",)},
        {"accuracy": timedelta(0)},
        {"accuracy": timedelta(microseconds=1500)},
        {"accuracy": timedelta(minutes=2)},
    ],
)
def test_rules_that_cannot_be_kept_stop_the_start(rules: dict[str, Any]) -> None:
    with pytest.raises(ProfileInvalid):
        TimeStampingRules(**rules)


# --- the life of a unit's private key -------------------------------------------------------------------


def test_the_certificate_says_how_long_its_private_key_is_used(pki: Pki) -> None:
    record = pki.record(ProfileName.TIMESTAMPING)
    period = pki.certificate(ProfileName.TIMESTAMPING).extensions.get_extension_for_class(
        c509.PrivateKeyUsagePeriod
    )
    assert not period.critical
    assert period.value.not_before == record.not_before.replace(tzinfo=None)
    assert period.value.not_after is not None
    assert period.value.not_after.replace(tzinfo=UTC) - record.not_before == timedelta(days=365)
    assert record.not_after - record.not_before == timedelta(days=3650)
    ends = pki.keys.get(record.key_id).not_after
    assert ends is not None
    assert ends.replace(microsecond=0) == period.value.not_after.replace(tzinfo=UTC)


def test_after_the_period_the_key_stamps_nothing_and_its_tokens_stay_valid(pki: Pki, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_bytes(pki.tsa.token(DIGEST))
    pki.clock.advance(timedelta(days=365))
    pki.ticks.value += 2
    pki.tsa.token(DIGEST)
    pki.clock.advance(timedelta(seconds=1))
    assert failure(pki.tsa.respond(request())) == "time_not_available"  # the certificate's own statement
    pki.ticks.value += 2
    with pytest.raises(TimeNotAvailable, match="cryptoperiod"):  # custody's
        pki.tsa.token(DIGEST)
    command = ["openssl", "ts", "-verify", "-token_in", "-in", token, "-CAfile", pki.pem(ProfileName.ROOT)]
    verdict = run(*command, "-attime", str(int(pki.clock().timestamp())), "-digest", DIGEST.hex())
    assert "Verification: OK" in verdict.stdout, verdict.stderr


def test_a_unit_whose_key_is_used_up_is_replaced_before_its_certificate_ends(pki: Pki) -> None:
    first = pki.record(ProfileName.TIMESTAMPING)
    pki.clock.advance(timedelta(days=300))
    pki.hierarchy.init()
    assert pki.record(ProfileName.TIMESTAMPING) == first
    pki.clock.advance(timedelta(days=6))
    pki.hierarchy.init()
    second = pki.record(ProfileName.TIMESTAMPING)
    assert second.key_id != first.key_id
    pki.ticks.value += 2
    assert pki.tsa.chain[0] == second.der
    pki.hierarchy.init()
    assert pki.record(ProfileName.TIMESTAMPING) == second


def test_a_key_that_was_limited_long_ago_and_never_certified_is_not_certified_now(pki: Pki) -> None:
    left = pki.keys.generate(KeyPurpose.TIMESTAMPING, KeyAlgorithm.EC_P256)
    pki.keys.limit(left.id, pki.clock() + timedelta(days=365))
    pki.clock.advance(timedelta(days=400))
    pki.hierarchy.init()
    fresh = pki.record(ProfileName.TIMESTAMPING)
    assert fresh.key_id != left.id
    pki.ticks.value += 2
    assert pki.tsa.chain[0] == fresh.der


def test_a_cryptoperiod_is_only_ever_shortened(pki: Pki) -> None:
    key = pki.keys.get(pki.record(ProfileName.TIMESTAMPING).key_id)
    assert key.not_after is not None
    assert pki.keys.limit(key.id, key.not_after + timedelta(days=1)) == key
    earlier = key.not_after - timedelta(days=1)
    assert pki.keys.limit(key.id, earlier).not_after == earlier
    with pki.begin() as tx:
        limited = select(audit_entries.c.subject).where(audit_entries.c.action == "key.limited")
        assert list(tx.scalars(limited)) == [key.id, key.id]  # when it was certified, and now


# --- changing over --------------------------------------------------------------------------------------


def successor(pki: Pki) -> KeyRecord:
    """A unit that is certified and waits: its key is not active yet."""
    key = pki.keys.generate(KeyPurpose.TIMESTAMPING, KeyAlgorithm.EC_P256)
    pki.clock.advance(timedelta(seconds=1))
    pki.hierarchy._certify(
        ProfileName.TIMESTAMPING, "", pki.hierarchy._service_name(ProfileName.TIMESTAMPING), key, "test"
    )
    return key


def test_a_unit_that_waits_for_its_turn_stamps_nothing_until_its_key_is_activated(pki: Pki) -> None:
    old = pki.tsa.chain
    waiting = successor(pki)
    pki.ticks.value += 2
    assert pki.tsa.chain == old
    pki.keys.activate(waiting.id)
    pki.ticks.value += 2
    new = pki.tsa.chain
    assert new[0] == pki.record(ProfileName.TIMESTAMPING).der != old[0]


def test_a_unit_that_was_handed_out_stays_the_same_and_its_successor_is_offered_after_it(pki: Pki) -> None:
    units = pki.tsa.units()
    first = next(units)
    waiting = successor(pki)
    pki.keys.activate(waiting.id)
    pki.ticks.value += 2
    signed = cms.ContentInfo.load(first.token(DIGEST))["content"]
    assert first.chain[0] in {entry.chosen.dump() for entry in signed["certificates"]}
    pki.keys.suspend(pki.keys.list()[2].id)
    second = next(units)
    assert second.chain[0] == pki.record(ProfileName.TIMESTAMPING).der
    second.token(DIGEST)
    assert next(units, None) is None


# --- ordering -------------------------------------------------------------------------------------------


def test_ordered_tokens_say_so_and_their_times_rise_though_the_clock_stands_still(
    pki: Pki, tmp_path: Path
) -> None:
    config = replace(pki.config, time=TimeStampingRules(ordering=True))

    def authority() -> TimeStampingAuthority:
        return TimeStampingAuthority(
            begin=pki.begin, keys=pki.keys, clock=pki.clock, config=config, order_file=tmp_path / "order"
        )

    one, other = authority(), authority()  # two processes of one machine
    infos = [info_of(tsa.token(DIGEST)) for tsa in (one, other, one, one, other) for _ in range(3)]
    assert all(info["ordering"].native is True for info in infos)
    times = [info["gen_time"].native for info in infos]
    assert times == sorted(set(times))
    assert times[-1] - pki.clock() < timedelta(milliseconds=1)
    pki.clock.advance(timedelta(seconds=-2))
    with pytest.raises(TimeNotAvailable, match="went back"):
        authority().token(DIGEST)  # not even after a restart


def test_times_of_threads_and_processes_never_repeat(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from datetime import *; from ca.ordering import RisingTime\n"
        "rising = RisingTime(Path(sys.argv[1])); from concurrent.futures import ThreadPoolExecutor\n"
        "now = datetime(2026, 11, 22, tzinfo=UTC); take = lambda _: rising.at(now, tolerance=timedelta(1))\n"
        "print(*(f'{t:%f}' for t in ThreadPoolExecutor(4).map(take, range(500))))\n"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, tmp_path / "order"], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    taken = [time for process in running for time in process.communicate()[0].split()]
    assert len(taken) == len(set(taken)) == 1500


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


# --- without waiting ------------------------------------------------------------------------------------


def test_an_answer_at_once_is_the_same_and_is_given_only_while_nobody_has_to_be_asked(pki: Pki) -> None:
    asked = request(nonce=7, cert_req=True)
    assert pki.tsa.respond_at_once(asked) is None, "nothing is known of the unit yet"
    pki.tsa.respond(asked)
    at_once = pki.tsa.respond_at_once(asked)
    assert at_once is not None
    assert granted(at_once)["encap_content_info"]["content"].parsed["nonce"].native == 7
    rejected = pki.tsa.respond_at_once(b"0")
    assert rejected is not None
    assert failure(rejected) == "bad_data_format"
    pki.ticks.value += 0.6
    assert pki.tsa.respond_at_once(asked) is None, "one goes and asks the register anew"
    assert pki.tsa.respond_at_once(asked) is not None, "and nobody else waits for it"
    pki.ticks.value += 0.4
    assert pki.tsa.respond_at_once(asked) is None, "what is a second old is not relied on"


def test_an_answer_at_once_never_reads_or_writes_the_database(pki: Pki) -> None:
    """Whatever the counters of uses and the memory of keys do: who answers at once holds up everybody."""
    pki.tsa.respond(request())
    opened = 0
    real = pki.begin

    @contextmanager
    def counted() -> Iterator[Any]:
        nonlocal opened
        opened += 1
        with real() as tx:
            yield tx

    pki.keys._begin = pki.keys._read = pki.keys.usage._begin = pki.tsa._begin = counted
    answered = 0
    for _ in range(300):
        if pki.tsa.respond_at_once(request()) is None:
            assert opened == answered
            pki.tsa.respond(request())
            answered = opened
    assert opened == answered > 0


def test_who_asks_over_http_gets_the_same_answers_from_memory_and_from_a_thread(pki: Pki) -> None:
    application = FastAPI()
    application.include_router(routes.router(pki.revocation, pki.tsa, read=pki.begin, clock=pki.clock))
    web = InProcess(application)
    for _ in range(3):
        answer = web.post("/tsa", content=request(nonce=3))
        assert answer.headers["content-type"] == "application/timestamp-reply"
        assert answer.headers["cache-control"] == "no-store"
        granted(answer.content)
    assert failure(web.post("/tsa", content=bytes(10_000)).content) == "bad_request"


def test_a_time_after_the_private_key_s_period_is_not_believed_though_the_certificate_lasts(pki: Pki) -> None:
    unit, *above = (c509.load_der_x509_certificate(encoded) for encoded in pki.tsa.chain)
    for days, status in ((0, PathStatus.GOOD), (364, PathStatus.GOOD), (366, PathStatus.EXPIRED)):
        verdict = check_path(
            unit,
            intermediates=tuple(above),
            anchors=(above[-1],),
            at=pki.clock() + timedelta(days=days),
            use=CertifiedUse.TIMESTAMPING,
            evidence=None,
        )
        assert verdict.status is status, verdict.reason
