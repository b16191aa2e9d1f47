"""The hierarchy: complete, repeatable, and to the liking of judges that share no code with us."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.errors import HierarchyIncomplete, IssuanceRefused, ProfileInvalid
from ca.issuing import Issuer, issue, key_identifier, new_serial, self_signed
from ca.model import CertificationConfig, ProfileName
from ca.profiles import PURPOSES, legal_person, profiles
from ca.tables import Certificates
from keys.model import KeyAlgorithm, KeyPurpose, KeyState
from tests.ca.conftest import CONFIG, Pki, run
from tests.support.clock import FrozenClock
from tests.support.needs import requires
from tests.support.pkilint import pkilint

CA_AND_SERVICE = (
    ProfileName.ROOT,
    ProfileName.ISSUING,
    ProfileName.TIMESTAMPING,
    ProfileName.OCSP,
    ProfileName.RECEIPT,
)
AGENCY = "dpmptsp"


def owner_of(profile: ProfileName) -> str:
    return AGENCY if profile is ProfileName.SEAL else ""


def everything(pki: Pki) -> list[bytes]:
    with pki.begin() as tx:
        return [record.der for profile in ProfileName for record in Certificates(tx).of_profile(profile)]


def test_init_makes_one_certificate_with_an_active_key_for_every_role(empty_pki: Pki) -> None:
    empty_pki.hierarchy.init()
    empty_pki.seal()
    assert len(everything(empty_pki)) == 6
    assert {key.state for key in empty_pki.keys.list()} == {KeyState.ACTIVE}
    for profile in CA_AND_SERVICE:
        key = empty_pki.keys.get(empty_pki.record(profile).key_id)
        assert key.purpose is profiles(CONFIG)[profile].purpose


def test_a_second_init_starts_from_what_is_there(empty_pki: Pki) -> None:
    empty_pki.hierarchy.init()
    seal = empty_pki.seal()
    before, keys = everything(empty_pki), empty_pki.keys.list()
    again = empty_pki.restarted()
    again.hierarchy.init()
    assert again.seal() == seal
    assert everything(again) == before
    assert again.keys.list() == keys


@pytest.mark.parametrize("crash_at", range(1, 16))
def test_a_crash_at_any_commit_is_finished_by_the_next_init(
    clock: FrozenClock, tmp_path: Path, crash_at: int
) -> None:
    from ca import tables as ca_tables
    from keys import tables as key_tables
    from tests.keys.conftest import audit_metadata
    from tests.support.databases import tables_in

    with tables_in(
        f"sqlite:///{tmp_path / 'ca.db'}", key_tables.metadata, ca_tables.metadata, audit_metadata
    ) as begin:
        broken = Pki(begin, clock, tmp_path)
        appends = 0
        real_append = broken.audit.append

        def failing_append(*args: object, **kwargs: object) -> None:
            nonlocal appends
            appends += 1
            if appends == crash_at:
                raise KeyboardInterrupt
            real_append(*args, **kwargs)  # type: ignore[arg-type]

        broken.audit.append = failing_append  # type: ignore[method-assign,assignment]
        with pytest.raises(KeyboardInterrupt):
            broken.hierarchy.init()
        healed = Pki(begin, clock, tmp_path)
        healed.hierarchy.init()
        assert len(everything(healed)) == 5
        assert [key.state for key in healed.keys.list()] == [KeyState.ACTIVE] * 5


def test_a_certificate_of_the_service_near_its_end_is_renewed_and_cas_are_not(pki: Pki) -> None:
    responder, root = pki.record(ProfileName.OCSP), pki.record(ProfileName.ROOT)
    pki.clock.advance(timedelta(days=310))
    pki.hierarchy.init()
    assert pki.record(ProfileName.OCSP).serial != responder.serial
    assert pki.record(ProfileName.ROOT) == root
    assert pki.keys.get(responder.key_id).state is KeyState.ACTIVE  # retiring is a decision of its own


def test_a_seal_is_issued_anew_when_its_subject_changes_or_its_key_is_lost(pki: Pki) -> None:
    first = pki.record(ProfileName.SEAL, AGENCY)
    renamed = pki.hierarchy.certify_seal(
        AGENCY, organisation="Dinas Perizinan Contoh", organization_identifier="NTRID-8120001234567"
    )
    assert renamed.serial != first.serial
    pki.keys.suspend(renamed.key_id)
    pki.clock.advance(timedelta(seconds=1))
    replaced = pki.hierarchy.certify_seal(
        AGENCY, organisation="Dinas Perizinan Contoh", organization_identifier="NTRID-8120001234567"
    )
    assert replaced.key_id not in {first.key_id, renamed.key_id}


def test_seals_before_init_are_refused_with_the_remedy(empty_pki: Pki) -> None:
    with pytest.raises(HierarchyIncomplete, match="absah init"):
        empty_pki.seal()


# --- judges ------------------------------------------------------------------------------------------


@requires("openssl")
@pytest.mark.parametrize("profile", [ProfileName.SEAL, ProfileName.TIMESTAMPING, ProfileName.RECEIPT])
def test_openssl_accepts_every_path_strictly(pki: Pki, profile: ProfileName) -> None:
    verdict = run(
        "openssl",
        "verify",
        "-x509_strict",
        "-policy_check",
        "-attime",
        str(int(pki.clock().timestamp())),
        "-CAfile",
        pki.pem(ProfileName.ROOT),
        "-untrusted",
        pki.pem(ProfileName.ISSUING),
        pki.pem(profile, owner_of(profile)),
    )
    assert verdict.returncode == 0, verdict.stderr


@requires("certtool")
def test_gnutls_accepts_the_chain_of_authorities(pki: Pki) -> None:
    # It judges by the wall clock and no other, so the certificates of 10 years and more are shown to it.
    chain = b"".join(
        pki.pem(profile).read_bytes()
        for profile in (ProfileName.TIMESTAMPING, ProfileName.ISSUING, ProfileName.ROOT)
    )
    verdict = run("certtool", "--verify-chain", stdin=chain)
    assert "Verified. The certificate is trusted." in verdict.stdout, verdict.stdout + verdict.stderr


@pytest.mark.parametrize("profile", sorted(PURPOSES))
def test_pkilint_finds_no_error_in_any_certificate(pki: Pki, profile: ProfileName) -> None:
    verdict = pkilint("lint_pkix_cert", "lint", "-s", "WARNING", pki.pem(profile, owner_of(profile)))
    assert (verdict.returncode, verdict.stdout.strip()) == (0, ""), verdict.stdout + verdict.stderr


@pytest.mark.parametrize("profile", [ProfileName.SEAL, ProfileName.TIMESTAMPING, ProfileName.RECEIPT])
def test_pkilint_finds_the_etsi_profile_of_a_legal_person_kept(pki: Pki, profile: ProfileName) -> None:
    verdict = pkilint(
        "lint_etsi_cert",
        "lint",
        "-t",
        "NCP-LEGAL-PERSON-CERTIFICATE",
        "-s",
        "ERROR",
        pki.pem(profile, owner_of(profile)),
    )
    findings = [line for line in verdict.stdout.splitlines() if "(ERROR)" in line or "(FATAL)" in line]
    if profile is ProfileName.TIMESTAMPING:  # RFC 3161 2.3 and EN 319 422 demand what 412-2 forbids others
        findings.remove(
            "    etsi.en_319_412_2.gen-4.3.10-1.eku_extension_is_critical (ERROR): "
            "Extension 2.5.29.37 is critical"
        )
    assert findings == [], verdict.stdout + verdict.stderr


# --- profiles ----------------------------------------------------------------------------------------


def test_ten_thousand_serials_are_unique_positive_unguessable_and_short_enough() -> None:
    serials = {new_serial() for _ in range(10_000)}
    assert len(serials) == 10_000
    assert {serial.bit_length() for serial in serials} == {129}


def test_the_root_publishes_no_addresses_and_the_rest_points_to_its_issuer(pki: Pki) -> None:
    root = pki.certificate(ProfileName.ROOT)
    with pytest.raises(x509.ExtensionNotFound):
        root.extensions.get_extension_for_class(x509.AuthorityInformationAccess)
    seal = pki.certificate(ProfileName.SEAL, AGENCY)
    text = [
        entry.access_location.value
        for entry in seal.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    ]
    assert text == ["http://pki.absah.go.id/ocsp/issuing-1", "http://pki.absah.go.id/pki/issuing-1.crt"]
    lists = seal.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    deltas = seal.extensions.get_extension_for_class(x509.FreshestCRL).value
    printed = [name.value for point in (*lists, *deltas) for name in point.full_name or ()]
    assert printed == [
        "http://pki.absah.go.id/pki/issuing-1-p1.crl",
        "http://pki.absah.go.id/pki/issuing-1-p1-delta.crl",
    ]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"usages": frozenset()}, "keyUsage"),
        ({"usages": frozenset({"key_cert_sign"})}, "only a CA"),
        ({"usages": frozenset({"content_commitment", "digital_signature"})}, "type A"),
        ({"path_length": 0}, "pathLen"),
        ({"extended_critical": True}, "critical"),
        ({"extended": ("1.3.6.1.5.5.7.3.8",)}, "timeStamping"),
        ({"ocsp_no_check": True}, "ocsp-nocheck"),
        ({"policies": ("1.2.3", "1.2.3")}, "twice"),
        ({"validity": timedelta(days=20000)}, "30 years"),
    ],
)
def test_a_contradictory_profile_stops_the_start_up(changes: dict[str, object], rule: str) -> None:
    with pytest.raises(ProfileInvalid, match=rule):
        replace(profiles(CONFIG)[ProfileName.SEAL], **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("base_url", ["https://pki.test", "pki.test", "http://", "http://pki.test/x?y"])
def test_addresses_that_cannot_be_printed_into_certificates_are_refused(base_url: str) -> None:
    with pytest.raises(ProfileInvalid, match="plain origin"):
        CertificationConfig(base_url=base_url)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"country": "Indonesia"}, "country"),
        ({"organization_identifier": "12345"}, "organizationIdentifier"),
        ({"organisation": ""}, "organisation"),
        ({"common_name": "x" * 65}, "common name"),
        ({"common_name": "dua\nbaris"}, "printable"),
        ({"organisation": "NTRID-1"}, "differ"),
    ],
)
def test_subjects_that_the_standard_does_not_allow_are_refused(changes: dict[str, str], cause: str) -> None:
    subject = {
        "common_name": "Dinas",
        "organisation": "Dinas",
        "organization_identifier": "NTRID-1",
        "country": "ID",
    }
    with pytest.raises(IssuanceRefused, match=cause):
        legal_person(**{**subject, **changes})


def test_an_issuer_refuses_what_it_may_not_issue(pki: Pki) -> None:
    issuing = pki.hierarchy.issuing_ca()
    rules = profiles(CONFIG)
    subject = pki.certificate(ProfileName.SEAL, AGENCY).subject
    spki = pki.keys.get(pki.record(ProfileName.SEAL, AGENCY).key_id).public_key

    def attempt(issuer: Issuer = issuing, **changes: object) -> x509.Certificate:
        asked: dict[str, object] = {
            "profile": rules[ProfileName.SEAL],
            "subject": subject,
            "public_key_info": spki,
            "serial": new_serial(),
            "not_before": pki.clock(),
            "config": CONFIG,
        }
        return issue(issuer=issuer, **{**asked, **changes})  # type: ignore[arg-type]

    attempt()
    with pytest.raises(IssuanceRefused, match="pathLen"):
        attempt(profile=rules[ProfileName.ISSUING])
    with pytest.raises(IssuanceRefused, match="validity"):
        attempt(not_before=pki.clock() + timedelta(days=365 * 14))
    with pytest.raises(IssuanceRefused, match="validity"):
        attempt(not_before=pki.clock() - timedelta(days=1))
    with pytest.raises(IssuanceRefused, match="its own key"):
        attempt(public_key_info=issuing.key.record.public_key)
    seal = pki.record(ProfileName.SEAL, AGENCY)
    leaf = Issuer("seal", x509.load_der_x509_certificate(seal.der), pki.keys.handle(seal.key_id))
    other = pki.keys.generate(KeyPurpose.SEAL, KeyAlgorithm.EC_P256).public_key
    with pytest.raises(IssuanceRefused, match="not a CA"):
        attempt(leaf, public_key_info=other)
    with pytest.raises(IssuanceRefused, match="not the key"):
        attempt(Issuer("issuing-1", issuing.certificate, leaf.key))
    with pytest.raises(IssuanceRefused, match="only a root"):
        self_signed(
            profile=rules[ProfileName.SEAL],
            subject=subject,
            key=leaf.key,
            serial=1,
            not_before=pki.clock(),
        )


def test_key_identifiers_follow_rfc_7093(pki: Pki) -> None:
    import hashlib

    certificate = pki.certificate(ProfileName.ISSUING)
    key = certificate.public_key()
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import PublicFormat

    assert isinstance(key, ec.EllipticCurvePublicKey)
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key_identifier(spki) == hashlib.sha256(point).digest()[:20]
    found = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert found == key_identifier(spki)


def test_of_two_certificates_of_the_same_second_the_later_one_counts(empty_pki: Pki) -> None:
    empty_pki.hierarchy.init()
    for number in range(8):  # a serial is random: one round would pass half of the time by luck
        empty_pki.clock.advance(timedelta(milliseconds=1))
        newer = empty_pki.hierarchy.certify_seal(
            "dinas", organisation=f"Dinas {number}", organization_identifier="NTRID-1"
        )
        with empty_pki.begin() as tx:
            assert Certificates(tx).newest_good(ProfileName.SEAL, "dinas") == newer
