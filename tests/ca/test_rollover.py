"""A key gets its successor: certified beside the one in use, in use with one act, old and new linked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ca.cross import links
from ca.errors import HierarchyIncomplete, IssuanceRefused
from ca.model import CertificateRecord, CertificateStatus, ProfileName, RevocationReason
from ca.profiles import profiles
from ca.tables import Certificates
from ca.trust import CertifiedUse, PathStatus, check_path
from keys.model import KeyState
from tests.ca.conftest import CONFIG, Pki, run
from tests.support.needs import requires
from tests.support.pkilint import pkilint

AGENCY = "dpmptsp"


def successor(pki: Pki, profile: ProfileName, owner: str = "") -> CertificateRecord:
    """Generated and certified, not in use yet."""
    pki.clock.advance(timedelta(days=30))
    rules = profiles(CONFIG)[profile]
    key = pki.keys.generate(rules.purpose, rules.algorithm, owner)
    return pki.hierarchy.certify_successor(profile, owner, key.id, actor="ani")


def roll_over(pki: Pki, profile: ProfileName) -> CertificateRecord:
    """The new CA issues, and everything is linked."""
    record = successor(pki, profile)
    if pki.keys.get(record.key_id).state is KeyState.PRE_ACTIVATION:
        pki.keys.activate(record.key_id)
    pki.ticks.value += 5
    pki.hierarchy.init()
    return record


def named(pki: Pki, name: str) -> CertificateRecord:
    with pki.begin() as tx:
        record = Certificates(tx).by_name(name)
    assert record is not None, name
    return record


def certificate(pki: Pki, name: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(named(pki, name).der)


def pem(pki: Pki, *names: str) -> Path:
    path = pki.folder / f"{'+'.join(names)}.pem"
    path.write_bytes(b"".join(certificate(pki, name).public_bytes(Encoding.PEM) for name in names))
    return path


def status_of(pki: Pki, record: CertificateRecord) -> ocsp.OCSPResponse:
    issuer = certificate(pki, record.issuer)
    subject = x509.load_der_x509_certificate(record.der)
    request = ocsp.OCSPRequestBuilder().add_certificate(subject, issuer, hashes.SHA256()).build()
    return ocsp.load_der_ocsp_response(
        pki.revocation.respond(record.issuer, request.public_bytes(Encoding.DER))
    )


# --- the switch --------------------------------------------------------------------------------------


def test_a_successor_waits_until_its_key_is_activated_and_then_everybody_uses_it(pki: Pki) -> None:
    before = pki.tsa.chain[0]
    made = successor(pki, ProfileName.TIMESTAMPING)
    pki.hierarchy.init()  # upkeep does not switch behind anybody's back
    pki.ticks.value += 5
    assert pki.tsa.chain[0] == before
    assert pki.keys.get(made.key_id).state is KeyState.PRE_ACTIVATION
    pki.keys.activate(made.key_id)
    pki.ticks.value += 5
    assert pki.tsa.chain[0] == made.der


def test_the_successor_of_a_seal_has_the_same_subject(pki: Pki) -> None:
    first = pki.certificate(ProfileName.SEAL, AGENCY)
    made = successor(pki, ProfileName.SEAL, AGENCY)
    assert x509.load_der_x509_certificate(made.der).subject == first.subject
    # Also where the first was revoked because its key was lost.
    pki.revocation.revoke(made.serial, RevocationReason.KEY_COMPROMISE)
    again = successor(pki, ProfileName.SEAL, AGENCY)
    assert x509.load_der_x509_certificate(again.der).subject == first.subject


def test_to_certify_a_successor_again_gives_the_same_certificate(pki: Pki) -> None:
    made = successor(pki, ProfileName.ISSUING)
    again = pki.restarted().hierarchy.certify_successor(ProfileName.ISSUING, "", made.key_id, actor="ani")
    assert again == made
    with pki.begin() as tx:
        assert len(Certificates(tx).of_profile(ProfileName.CROSS)) == 1


def test_a_key_of_another_use_or_another_owner_is_not_certified(pki: Pki) -> None:
    rules = profiles(CONFIG)[ProfileName.SEAL]
    key = pki.keys.generate(rules.purpose, rules.algorithm, AGENCY)
    for profile, owner in ((ProfileName.SEAL, "dinkes"), (ProfileName.RECEIPT, ""), (ProfileName.CROSS, "")):
        with pytest.raises(IssuanceRefused, match="cannot succeed"):
            pki.hierarchy.certify_successor(profile, owner, key.id, actor="ani")


def test_a_key_whose_certificate_was_revoked_or_that_is_retired_is_not_certified_again(pki: Pki) -> None:
    made = successor(pki, ProfileName.RECEIPT)
    pki.revocation.revoke(made.serial, RevocationReason.SUPERSEDED)
    with pytest.raises(IssuanceRefused, match="is revoked: use another key"):
        pki.hierarchy.certify_successor(ProfileName.RECEIPT, "", made.key_id, actor="ani")
    rules = profiles(CONFIG)[ProfileName.RECEIPT]
    key = pki.keys.generate(rules.purpose, rules.algorithm)
    pki.keys.activate(key.id)
    pki.keys.deactivate(key.id)
    with pytest.raises(IssuanceRefused, match="deactivated"):
        pki.hierarchy.certify_successor(ProfileName.RECEIPT, "", key.id, actor="ani")


def test_an_agency_without_a_seal_has_nothing_to_succeed(pki: Pki) -> None:
    with pytest.raises(HierarchyIncomplete, match="agency certify"):
        successor(pki, ProfileName.SEAL, "dinkes")


def test_a_responder_answers_for_the_ca_that_is_its_owner(pki: Pki) -> None:
    roll_over(pki, ProfileName.ISSUING)
    made = successor(pki, ProfileName.OCSP, "issuing-1")
    assert made.issuer == "issuing-1"
    with pytest.raises(IssuanceRefused, match="no issuing CA"):
        successor(pki, ProfileName.OCSP, "root-1")


# --- a new issuing CA --------------------------------------------------------------------------------


def test_the_new_ca_issues_and_the_old_one_goes_on_telling_about_its_own(pki: Pki) -> None:
    old_seal = pki.record(ProfileName.SEAL, AGENCY)
    roll_over(pki, ProfileName.ISSUING)
    new_seal = pki.seal("dinkes")
    assert (old_seal.issuer, new_seal.issuer) == ("issuing-1", "issuing-2")
    for seal in (old_seal, new_seal):
        answer = status_of(pki, seal)
        assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
        responder = answer.certificates[0]
        responder.verify_directly_issued_by(certificate(pki, seal.issuer))  # RFC 6960 4.2.2.2
        assert pki.revocation.revoke(seal.serial, RevocationReason.SUPERSEDED).status.value == "revoked"
        listed = x509.load_der_x509_crl(pki.revocation.current_crl(f"{seal.issuer}-p1").der)
        assert listed.get_revoked_certificate_by_serial_number(seal.serial) is not None
    assert pki.hierarchy.owed_until("issuing-1") > pki.clock() + timedelta(days=3650 - 31)


def test_the_whole_list_of_either_key_speaks_for_the_one_name(pki: Pki) -> None:
    old_seal = pki.record(ProfileName.SEAL, AGENCY)
    roll_over(pki, ProfileName.ISSUING)
    pki.revocation.current_crl("issuing-2")
    pki.clock.advance(timedelta(seconds=1))
    pki.revocation.revoke(old_seal.serial, RevocationReason.SUPERSEDED)
    pki.ticks.value += 5
    for name in ("issuing-1", "issuing-2"):
        crl = x509.load_der_x509_crl(pki.revocation.current_crl(name).der)
        assert crl.issuer == certificate(pki, name).subject
        assert crl.is_signature_valid(certificate(pki, name).public_key())  # type: ignore[arg-type]
        assert crl.get_revoked_certificate_by_serial_number(old_seal.serial) is not None


def test_old_and_new_key_certify_each_other_under_the_one_name(pki: Pki) -> None:
    roll_over(pki, ProfileName.ISSUING)
    old, new = certificate(pki, "issuing-1"), certificate(pki, "issuing-2")
    for name, subject, issuer in (
        ("issuing-2-by-issuing-1", new, old),
        ("issuing-1-by-issuing-2", old, new),
    ):
        link = certificate(pki, name)
        assert link.subject == link.issuer == subject.subject
        assert link.public_key() == subject.public_key()
        link.verify_directly_issued_by(issuer)
        assert link.not_valid_before_utc == subject.not_valid_before_utc
        assert link.not_valid_after_utc == old.not_valid_after_utc
        assert status_of(pki, named(pki, name)).certificate_status is ocsp.OCSPCertStatus.GOOD


def test_links_are_made_between_neighbours_and_not_with_what_was_revoked_or_ended(pki: Pki) -> None:
    for _ in range(2):
        roll_over(pki, ProfileName.ISSUING)
    with pki.begin() as tx:
        made = {record.name for record in Certificates(tx).of_profile(ProfileName.CROSS)}
        cas = Certificates(tx).of_profile(ProfileName.ISSUING)
    assert made == {
        "issuing-2-by-issuing-1",
        "issuing-1-by-issuing-2",
        "issuing-3-by-issuing-2",
        "issuing-2-by-issuing-3",
    }
    revoked = [replace(cas[0], status=CertificateStatus.REVOKED), *cas[1:2]]
    assert list(links(revoked, pki.clock())) == []
    assert list(links(cas[:2], cas[0].not_after - timedelta(hours=1))) == []


def test_a_compromised_ca_certifies_nothing_and_the_new_one_is_not_held_up(pki: Pki) -> None:
    old = pki.record(ProfileName.ISSUING)
    pki.keys.suspend(old.key_id)
    pki.ticks.value += 5
    record = roll_over(pki, ProfileName.ISSUING)
    assert pki.seal("dinkes").issuer == record.name
    with pki.begin() as tx:
        made = [record.name for record in Certificates(tx).of_profile(ProfileName.CROSS)]
    assert made == ["issuing-1-by-issuing-2"]


# --- paths, and who agrees ---------------------------------------------------------------------------

ANCHORED = [
    # trusted, at hand, the certificate
    ("root-1", ("issuing-1",), "old"),
    ("root-1", ("issuing-2",), "new"),
    ("root-1", ("issuing-1", "issuing-2-by-issuing-1"), "new"),
    ("issuing-1", ("issuing-2-by-issuing-1",), "new"),
    ("issuing-2", ("issuing-1-by-issuing-2",), "old"),
    ("root-2", ("root-1-by-root-2", "issuing-1"), "old"),
    ("root-2", ("issuing-3",), "newest"),
    ("root-1", ("root-2-by-root-1", "issuing-3"), "newest"),
]


@pytest.fixture
def rolled(pki: Pki) -> dict[str, CertificateRecord]:
    """Seals of the first issuing CA, of its successor, and of the one under the new root."""
    old = pki.record(ProfileName.SEAL, AGENCY)
    roll_over(pki, ProfileName.ISSUING)
    new = pki.seal("dinkes")
    roll_over(pki, ProfileName.ROOT)
    roll_over(pki, ProfileName.ISSUING)
    return {"old": old, "new": new, "newest": pki.seal("samsat")}


@requires("openssl")
def test_everybody_finds_the_path_from_whatever_they_trust(
    pki: Pki, rolled: dict[str, CertificateRecord]
) -> None:
    for anchor, at_hand, which in ANCHORED:
        leaf = rolled[which]
        verdict = check_path(
            x509.load_der_x509_certificate(leaf.der),
            intermediates=tuple(certificate(pki, name) for name in at_hand),
            anchors=(certificate(pki, anchor),),
            at=pki.clock(),
            use=CertifiedUse.SEAL,
            evidence=None,
        )
        assert verdict.status is PathStatus.GOOD, (anchor, at_hand, verdict.reason)
        assert len(verdict.chain) == 2 + len(at_hand)
        lists = pki.folder / "lists.pem"
        issuers = {named(pki, name).issuer for name in at_hand} | {leaf.issuer}
        lists.write_bytes(
            b"".join(
                x509.load_der_x509_crl(pki.revocation.current_crl(scope).der).public_bytes(Encoding.PEM)
                for scope in issuers
            )
        )
        said = run(
            "openssl",
            "verify",
            "-x509_strict",
            *(("-crl_check_all",) if anchor.startswith("root") else ("-crl_check", "-partial_chain")),
            "-attime",
            str(int(pki.clock().timestamp())),
            "-CAfile",
            pem(pki, anchor),
            "-CRLfile",
            lists,
            "-untrusted",
            pem(pki, *at_hand),
            pem(pki, leaf.name),
        )
        assert said.returncode == 0, (anchor, at_hand, said.stdout + said.stderr)


def test_what_was_signed_before_the_new_root_is_found_good_by_those_who_trust_only_that(
    pki: Pki, rolled: dict[str, CertificateRecord]
) -> None:
    leaf = x509.load_der_x509_certificate(rolled["old"].der)
    verdict = check_path(
        leaf,
        intermediates=(certificate(pki, "root-1-by-root-2"), certificate(pki, "issuing-1")),
        anchors=(certificate(pki, "root-2"),),
        at=leaf.not_valid_before_utc + timedelta(hours=1),  # long before root-2 was born
        use=CertifiedUse.SEAL,
        evidence=None,
    )
    assert verdict.status is PathStatus.GOOD, verdict.reason


@requires("certtool")
def test_certtool_agrees_through_the_link(pki: Pki, rolled: dict[str, CertificateRecord]) -> None:
    chain = (rolled["newest"].name, "issuing-3", "root-2-by-root-1", "root-1")
    verdict = run("certtool", "--verify-chain", stdin=pem(pki, *chain).read_bytes())
    assert "Verified. The certificate is trusted." in verdict.stdout, verdict.stdout + verdict.stderr


def test_pkilint_finds_no_error_in_the_links(pki: Pki, rolled: dict[str, CertificateRecord]) -> None:
    del rolled
    for name in (
        "issuing-2-by-issuing-1",
        "issuing-1-by-issuing-2",
        "root-2-by-root-1",
        "root-1-by-root-2",
        "root-2",
        "issuing-3",
    ):
        verdict = pkilint("lint_pkix_cert", "lint", "-s", "WARNING", pem(pki, name))
        assert (verdict.returncode, verdict.stdout.strip()) == (0, ""), verdict.stdout + verdict.stderr
