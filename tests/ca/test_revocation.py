"""Revocation lists and OCSP answers, judged by OpenSSL, pkilint and cryptography's own parsers."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as library
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from ca import der
from ca import tables as ca_tables
from ca.errors import CertificateUnknown, HierarchyIncomplete, RevocationRefused
from ca.model import CertificateStatus, ProfileName, RevocationReason
from ca.tables import crls
from keys import tables as key_tables
from tests.ca.conftest import Pki, run
from tests.keys.conftest import audit_metadata
from tests.support.clock import FrozenClock
from tests.support.databases import tables_in
from tests.support.needs import requires
from tests.support.pkilint import pkilint

AGENCY = "dpmptsp"
COMPROMISE = RevocationReason.KEY_COMPROMISE


def asked(pki: Pki, *, algorithm: hashes.HashAlgorithm | None = None, nonce: bytes | None = None) -> bytes:
    builder = library.OCSPRequestBuilder().add_certificate(
        pki.certificate(ProfileName.SEAL, AGENCY),
        pki.certificate(ProfileName.ISSUING),
        algorithm or hashes.SHA256(),  # type: ignore[arg-type]
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def answer(pki: Pki, request: bytes, issuer: str = "issuing-1") -> library.OCSPResponse:
    return library.load_der_ocsp_response(pki.revocation.respond(issuer, request))


# --- OCSP --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()])
def test_good_is_said_with_the_nonce_and_by_the_delegated_responder(
    pki: Pki, algorithm: hashes.HashAlgorithm
) -> None:
    response = answer(pki, asked(pki, algorithm=algorithm, nonce=b"n" * 32))
    assert response.certificate_status is library.OCSPCertStatus.GOOD
    assert response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * 32
    (responder,) = response.certificates
    assert responder == pki.certificate(ProfileName.OCSP)
    assert isinstance(responder.public_key(), ec.EllipticCurvePublicKey)
    responder.public_key().verify(  # type: ignore[union-attr,call-arg]
        response.signature,
        response.tbs_response_bytes,
        ec.ECDSA(hashes.SHA256()),  # type: ignore[arg-type]
    )
    assert response.produced_at_utc == response.this_update_utc == pki.clock()
    assert response.next_update_utc == pki.clock() + pki.config.ocsp_validity


def test_a_revocation_is_told_at_once_with_its_reason_and_time_of_loss(pki: Pki) -> None:
    lost = pki.clock() - timedelta(days=2)
    pki.clock.advance(timedelta(hours=1))
    assert answer(pki, asked(pki)).certificate_status is library.OCSPCertStatus.GOOD
    pki.revocation.revoke(pki.record(ProfileName.SEAL, AGENCY).serial, COMPROMISE, lost)
    request = _request_for_any(pki)
    response = answer(pki, request)
    assert response.certificate_status is library.OCSPCertStatus.REVOKED
    assert response.revocation_reason is x509.ReasonFlags.key_compromise
    assert response.revocation_time_utc == lost
    (extension,) = response.single_extensions
    assert extension.oid.dotted_string == "2.5.29.24"


@pytest.mark.parametrize("way", ["POST", "GET", "evidence"])
def test_no_answer_outlives_the_certificate_of_its_responder(pki: Pki, way: str) -> None:
    """Or it could not be checked to its end (RFC 6960 4.2.2.2). Without a responder there is no answer."""
    request, record = asked(pki), pki.record(ProfileName.SEAL, AGENCY)
    responder = pki.record(ProfileName.OCSP)

    def told() -> library.OCSPResponse:
        pki.ticks.value += 2
        match way:
            case "POST":
                encoded = pki.revocation.respond("issuing-1", request)
            case "GET":
                encoded = pki.revocation.ocsp.prepare("issuing-1", base64.b64encode(request).decode()).body
            case _:
                encoded = pki.revocation.answer_for(record)
        return library.load_der_ocsp_response(encoded)

    for left in (timedelta(days=2), timedelta(hours=2), timedelta(minutes=5), timedelta(seconds=2)):
        pki.clock.advance(responder.not_after - left - pki.clock())
        said = told()
        (by,) = said.certificates
        assert said.next_update_utc is not None
        assert pki.clock() < said.next_update_utc < by.not_valid_after_utc, left
    pki.clock.advance(timedelta(seconds=1))
    with pytest.raises(HierarchyIncomplete, match="absah init"):
        told()


def test_an_answer_that_was_being_made_while_the_status_changed_is_not_kept(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow token: the register was read before the revocation, the answer is kept after it."""
    encoded = base64.b64encode(asked(pki)).decode()
    serial = pki.record(ProfileName.SEAL, AGENCY).serial
    slow = pki.revocation.ocsp._answer

    def answer_late(*given: Any) -> Any:
        monkeypatch.undo()
        found = slow(*given)
        pki.revocation.revoke(serial, COMPROMISE)
        pki.ticks.value += 2
        pki.revocation.ocsp.prepare("issuing-1", encoded)  # somebody else looks for changes meanwhile
        return found

    monkeypatch.setattr(pki.revocation.ocsp, "_answer", answer_late)
    late = pki.revocation.ocsp.prepare("issuing-1", encoded)
    assert library.load_der_ocsp_response(late.body).certificate_status is library.OCSPCertStatus.GOOD
    kept = pki.revocation.ocsp.prepare("issuing-1", encoded)
    assert library.load_der_ocsp_response(kept.body).certificate_status is library.OCSPCertStatus.REVOKED


def _request_for_any(pki: Pki) -> bytes:
    """The seal may be revoked and so not findable as good: ask by the last certificate of its profile."""
    from ca.tables import Certificates

    with pki.begin() as tx:
        record = Certificates(tx).of_profile(ProfileName.SEAL)[-1]
    return (
        library.OCSPRequestBuilder()
        .add_certificate(
            x509.load_der_x509_certificate(record.der), pki.certificate(ProfileName.ISSUING), hashes.SHA1()
        )
        .build()
        .public_bytes(Encoding.DER)
    )


def test_serials_never_issued_are_unknown_never_good(pki: Pki) -> None:
    issuer = pki.certificate(ProfileName.ISSUING)
    parsed = library.load_der_ocsp_request(asked(pki))
    request = (
        library.OCSPRequestBuilder()
        .add_certificate_by_hash(parsed.issuer_name_hash, parsed.issuer_key_hash, 4711, hashes.SHA256())
        .build()
    )
    response = answer(pki, request.public_bytes(Encoding.DER))
    assert response.certificate_status is library.OCSPCertStatus.UNKNOWN
    assert issuer.serial_number != 4711


def test_certificates_of_other_issuers_are_not_answered_for(pki: Pki) -> None:
    status = library.OCSPResponseStatus
    assert answer(pki, asked(pki), "root-1").response_status is status.UNAUTHORIZED
    with pytest.raises(CertificateUnknown):
        pki.revocation.respond("seal-1", asked(pki))


def test_malformed_requests_are_called_malformed(pki: Pki) -> None:
    good = asked(pki)
    critical = der.sequence(der.oid("1.2.3.4"), der.boolean(True), der.octet_string(b""))
    tbs = next(iter(der.read_whole(good, der.SEQUENCE).children()))
    with_critical = der.sequence(der.sequence(tbs.content, der.explicit(2, der.sequence(critical))))
    for request in (
        b"",
        b"\x30\x00",
        good + b"\x00",
        good[:-1],
        asked(pki, nonce=b"x" * 129),
        asked(pki, nonce=b""),
        with_critical,
        bytes(9000),
        der.sequence(der.sequence(der.sequence())),
    ):
        assert answer(pki, request).response_status is library.OCSPResponseStatus.MALFORMED_REQUEST, (
            request.hex()
        )


@given(at=st.integers(0, 10_000), to=st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_one_changed_byte_in_a_request_never_crashes_and_never_makes_a_stranger_good(
    pki: Pki, at: int, to: int
) -> None:
    good = asked(pki, nonce=b"n" * 16)
    data = bytearray(good)
    data[at % len(data)] = to
    response = answer(pki, bytes(data))
    if response.response_status is library.OCSPResponseStatus.SUCCESSFUL:
        known = response.serial_number == pki.record(ProfileName.SEAL, AGENCY).serial
        assert (response.certificate_status is library.OCSPCertStatus.GOOD) is known


@requires("openssl")
def test_openssl_hears_good_revoked_and_unknown(pki: Pki, tmp_path: Path) -> None:
    root, issuing, seal = (
        pki.pem(profile, AGENCY if profile is ProfileName.SEAL else "")
        for profile in (ProfileName.ROOT, ProfileName.ISSUING, ProfileName.SEAL)
    )
    anchors = tmp_path / "anchors.pem"
    anchors.write_bytes(root.read_bytes() + issuing.read_bytes())

    def hear(*which: str | Path) -> str:
        query, reply = tmp_path / "q", tmp_path / "r"
        made = run("openssl", "ocsp", "-issuer", issuing, *which, "-reqout", query)
        assert query.exists(), made.stderr
        reply.write_bytes(pki.revocation.respond("issuing-1", query.read_bytes()))
        heard = run(
            "openssl",
            "ocsp",
            "-issuer",
            issuing,
            "-no_nonce",
            *which,
            "-respin",
            reply,
            "-CAfile",
            anchors,
            "-attime",
            str(int(pki.clock().timestamp())),
            "-validity_period",
            "1000000000",
        )
        assert "Response verify OK" in heard.stderr, heard.stderr + heard.stdout
        return heard.stdout

    assert ": good" in hear("-cert", seal)
    assert "4711: unknown" in hear("-serial", "4711")
    pki.revocation.revoke(pki.record(ProfileName.SEAL, AGENCY).serial, COMPROMISE)
    assert ": revoked" in hear("-cert", seal)
    assert ": revoked" in hear("-sha256", "-cert", seal)


@pytest.mark.parametrize("revoked", [False, True])
def test_pkilint_finds_no_error_in_answers(pki: Pki, tmp_path: Path, revoked: bool) -> None:
    request = asked(pki, nonce=b"n" * 32)
    if revoked:
        pki.revocation.revoke(pki.record(ProfileName.SEAL, AGENCY).serial, COMPROMISE, pki.clock())
    reply = tmp_path / "reply"
    reply.write_bytes(base64.b64encode(pki.revocation.respond("issuing-1", request)))
    verdict = pkilint("lint_ocsp_response", "lint", "-s", "WARNING", reply)
    assert (verdict.returncode, verdict.stdout.strip()) == (0, ""), verdict.stdout + verdict.stderr


# --- CRL ---------------------------------------------------------------------------------------------


@requires("openssl")
def test_openssl_checks_the_whole_path_against_the_lists(pki: Pki, tmp_path: Path) -> None:
    seal = pki.pem(ProfileName.SEAL, AGENCY)

    def verdict() -> tuple[int, str]:
        lists = tmp_path / "lists.pem"
        lists.write_bytes(
            b"".join(
                x509.load_der_x509_crl(pki.revocation.current_crl(name).der).public_bytes(Encoding.PEM)
                for name in ("root-1", "issuing-1")
            )
        )
        done = run(
            "openssl",
            "verify",
            "-x509_strict",
            "-crl_check_all",
            "-CRLfile",
            lists,
            "-attime",
            str(int(pki.clock().timestamp())),
            "-CAfile",
            pki.folder / "root.pem",
            "-untrusted",
            pki.folder / "issuing.pem",
            seal,
        )
        return done.returncode, done.stderr

    pki.pem(ProfileName.ROOT), pki.pem(ProfileName.ISSUING)
    assert verdict() == (0, "")
    pki.revocation.revoke(pki.record(ProfileName.SEAL, AGENCY).serial, COMPROMISE)
    code, said = verdict()
    assert code != 0
    assert "certificate revoked" in said


@pytest.mark.parametrize(("issuer", "kind"), [("root-1", "ARL"), ("issuing-1", "CRL")])
def test_pkilint_finds_no_error_in_lists(pki: Pki, tmp_path: Path, issuer: str, kind: str) -> None:
    for reason in (COMPROMISE, RevocationReason.SUPERSEDED, RevocationReason.CERTIFICATE_HOLD):
        record = pki.hierarchy.certify_seal(
            f"dinas-{reason.value}", organisation="Dinas Contoh", organization_identifier="NTRID-1"
        )
        pki.revocation.revoke(record.serial, reason, pki.clock())
    path = tmp_path / "list.crl"
    path.write_bytes(pki.revocation.current_crl(issuer).der)
    verdict = pkilint("lint_crl", "lint", "-t", kind, "-p", "PKIX", "-s", "WARNING", path)
    assert (verdict.returncode, verdict.stdout.strip()) == (0, ""), verdict.stdout + verdict.stderr


def test_a_list_tells_reason_and_time_of_loss_and_numbers_rise(pki: Pki) -> None:
    first = pki.revocation.current_crl("issuing-1")
    lost = pki.clock() - timedelta(days=3)
    serial = pki.record(ProfileName.SEAL, AGENCY).serial
    pki.revocation.revoke(serial, COMPROMISE, lost)
    second = pki.revocation.current_crl("issuing-1")
    assert second.number == first.number + 1
    entry = x509.load_der_x509_crl(second.der).get_revoked_certificate_by_serial_number(serial)
    assert entry is not None
    assert entry.revocation_date_utc == lost  # for those who ignore invalidityDate
    assert entry.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc == lost
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.name == "key_compromise"


def test_a_list_is_issued_anew_at_half_its_life_and_not_before(pki: Pki) -> None:
    first = pki.revocation.current_crl("root-1")
    pki.clock.advance(timedelta(days=89))
    pki.ticks.value += 1
    assert pki.revocation.current_crl("root-1") == first
    pki.clock.advance(timedelta(days=1))
    pki.ticks.value += 1
    second = pki.revocation.current_crl("root-1")
    assert second.number == first.number + 1
    assert second.next_update == pki.clock() + timedelta(days=180)


def test_a_revocation_whose_list_was_never_stored_is_listed_at_the_next_look(pki: Pki) -> None:
    pki.revocation.current_crl("issuing-1")
    pki.clock.advance(timedelta(seconds=1))
    serial = pki.record(ProfileName.SEAL, AGENCY).serial
    pki.revocation.revoke(serial, COMPROMISE)
    with pki.begin() as tx:  # the crash came between status and list
        tx.execute(delete(crls).where(crls.c.number > 1))
    entries = x509.load_der_x509_crl(pki.revocation.current_crl("issuing-1").der)
    assert [entry.serial_number for entry in entries] == [serial]


def test_lists_issued_at_once_by_many_never_share_a_number_and_the_last_knows_all(
    postgres_url: str, clock: FrozenClock, tmp_path: Path
) -> None:
    with tables_in(postgres_url, key_tables.metadata, ca_tables.metadata, audit_metadata) as begin:
        pki = Pki(begin, clock, tmp_path)
        pki.hierarchy.init()
        serials = [pki.seal(f"dinas-{n}").serial for n in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda serial: pki.restarted().revocation.revoke(serial, COMPROMISE), serials))
        with pki.begin() as tx:
            numbers = sorted(tx.scalars(select(crls.c.number).where(crls.c.issuer == "issuing-1")))
        last = x509.load_der_x509_crl(pki.restarted().revocation.current_crl("issuing-1").der)
        assert numbers == [1, 2, 3, 4]
        assert {entry.serial_number for entry in last} == set(serials)


@requires("initdb", "postgres")
def test_no_revocation_fails_because_others_issue_lists_too(
    postgres_url: str, clock: FrozenClock, tmp_path: Path
) -> None:
    with tables_in(postgres_url, key_tables.metadata, ca_tables.metadata, audit_metadata) as begin:
        pki = Pki(begin, clock, tmp_path)
        pki.hierarchy.init()
        serials = [pki.seal(f"dinas-{n}").serial for n in range(32)]
        with ThreadPoolExecutor(8) as pool:
            revoked = pool.map(lambda serial: pki.restarted().revocation.revoke(serial, COMPROMISE), serials)
            assert {record.status for record in revoked} == {CertificateStatus.REVOKED}
        last = x509.load_der_x509_crl(pki.restarted().revocation.current_crl("issuing-1").der)
        assert {entry.serial_number for entry in last} == set(serials)


def test_evidence_is_signed_once_a_second_and_never_outlives_a_change(pki: Pki) -> None:
    record = pki.record(ProfileName.SEAL, AGENCY)
    first = pki.revocation.answer_for(record)
    assert pki.revocation.answer_for(record) is first
    pki.ticks.value += 1.0
    assert pki.revocation.answer_for(record) is not first
    revoked = pki.revocation.revoke(record.serial, COMPROMISE)
    answer = library.load_der_ocsp_response(pki.revocation.answer_for(revoked))
    assert answer.certificate_status is library.OCSPCertStatus.REVOKED


def test_a_hold_can_be_lifted_and_a_revocation_cannot(pki: Pki) -> None:
    serial = pki.record(ProfileName.SEAL, AGENCY).serial
    held = pki.revocation.revoke(serial, RevocationReason.CERTIFICATE_HOLD)
    assert held.status is CertificateStatus.ON_HOLD
    assert len(x509.load_der_x509_crl(pki.revocation.current_crl("issuing-1").der)) == 1
    released = pki.revocation.release(serial)
    assert (released.status, released.revoked_at) == (CertificateStatus.GOOD, None)
    assert len(x509.load_der_x509_crl(pki.revocation.current_crl("issuing-1").der)) == 0
    pki.revocation.revoke(serial, RevocationReason.CERTIFICATE_HOLD)
    pki.revocation.revoke(serial, COMPROMISE)
    for attempt in (
        lambda: pki.revocation.release(serial),
        lambda: pki.revocation.revoke(serial, RevocationReason.SUPERSEDED),
    ):
        with pytest.raises(RevocationRefused, match="not undone"):
            attempt()


def test_revocations_that_make_no_sense_are_refused(pki: Pki) -> None:
    with pytest.raises(CertificateUnknown):
        pki.revocation.revoke(4711, COMPROMISE)
    with pytest.raises(RevocationRefused, match="trust lists"):
        pki.revocation.revoke(pki.record(ProfileName.ROOT).serial, COMPROMISE)
    with pytest.raises(RevocationRefused, match="future"):
        pki.revocation.revoke(
            pki.record(ProfileName.SEAL, AGENCY).serial, COMPROMISE, pki.clock() + timedelta(seconds=1)
        )


def test_status_and_lists_on_both_databases(empty_pki: Pki) -> None:
    empty_pki.hierarchy.init()
    serial = empty_pki.seal().serial
    lost = empty_pki.clock() - timedelta(hours=5)
    revoked = empty_pki.revocation.revoke(serial, COMPROMISE, lost)
    assert revoked.invalidity_date == revoked.revocation_date == lost
    assert revoked.revoked_at == empty_pki.clock()
    assert answer(empty_pki, _request_for_any(empty_pki)).certificate_status is library.OCSPCertStatus.REVOKED
    assert empty_pki.revocation.current_crl("issuing-1").number == 1


def test_a_root_delegates_no_responder_and_says_so(pki: Pki) -> None:
    request = library.OCSPRequestBuilder().add_certificate(
        pki.certificate(ProfileName.ISSUING), pki.certificate(ProfileName.ROOT), hashes.SHA256()
    )
    response = answer(pki, request.build().public_bytes(Encoding.DER), "root-1")
    assert response.response_status is library.OCSPResponseStatus.UNAUTHORIZED


def test_one_person_alone_gives_nothing_up_for_lost_where_custodians_have_to_agree(pki: Pki) -> None:
    revocation, seal = pki.revocation, pki.record(ProfileName.SEAL, AGENCY)
    issuing, now = pki.record(ProfileName.ISSUING), pki.clock()
    revocation._with_custodians = True
    for record, reason, since in (
        (seal, COMPROMISE, None),
        (seal, COMPROMISE, now),
        (seal, RevocationReason.SUPERSEDED, now),
        (issuing, RevocationReason.CA_COMPROMISE, None),
        (issuing, RevocationReason.CESSATION_OF_OPERATION, None),
    ):
        with pytest.raises(RevocationRefused, match=f"absah keys compromise {record.key_id}"):
            revocation.revoke_alone(record.serial, reason, since, actor="admin")
    held = revocation.revoke_alone(issuing.serial, RevocationReason.CERTIFICATE_HOLD, actor="admin")
    assert held.status is CertificateStatus.ON_HOLD
    revocation.release(issuing.serial)
    gone = revocation.revoke_alone(seal.serial, RevocationReason.PRIVILEGE_WITHDRAWN, actor="admin")
    assert gone.status is CertificateStatus.REVOKED


def test_a_hold_is_not_lifted_while_its_key_is_stopped(pki: Pki) -> None:
    record = pki.record(ProfileName.SEAL, AGENCY)
    pki.revocation.revoke(record.serial, RevocationReason.CERTIFICATE_HOLD)
    pki.keys.suspend(record.key_id)
    with pytest.raises(RevocationRefused, match="absah keys reinstate"):
        pki.revocation.release(record.serial)
    pki.keys.reinstate(record.key_id)
    assert pki.revocation.release(record.serial).status is CertificateStatus.GOOD
