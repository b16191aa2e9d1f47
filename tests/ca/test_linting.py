"""What the builder wrote is read back before a CA signs it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ca import issuing
from ca.errors import IssuanceRefused
from ca.issuing import issue, key_identifier, new_serial
from ca.linting import Expected, findings
from ca.model import ProfileName
from ca.profiles import Profile, legal_person, profiles
from tests.ca.conftest import CONFIG, Pki
from tests.support.pkilint import pkilint

AGENCY = "dpmptsp"


def expected(pki: Pki) -> Expected:
    """What the seal of the fixture was meant to be, put together from what is known of it elsewhere."""
    seal = pki.certificate(ProfileName.SEAL, AGENCY)
    public_key_info = seal.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    origin = "http://pki.absah.go.id"
    return Expected(
        profile=profiles(CONFIG)[ProfileName.SEAL],
        subject=seal.subject,
        issuer=pki.certificate(ProfileName.ISSUING),
        public_key_info=public_key_info,
        key_id=key_identifier(public_key_info),
        addresses=(f"{origin}/ocsp/issuing-1", f"{origin}/pki/issuing-1.crt"),
        crl_addresses=(f"{origin}/pki/issuing-1-p1.crl",),
        delta_addresses=(f"{origin}/pki/issuing-1-p1-delta.crl",),
    )


def test_what_was_issued_keeps_every_rule(pki: Pki) -> None:
    assert findings(pki.certificate(ProfileName.SEAL, AGENCY), expected(pki)) == ()


def rules(**changes: object) -> Profile:
    profile = profiles(CONFIG)[ProfileName.SEAL]
    for name, value in changes.items():  # past the profile's own check: these are defects of ours
        object.__setattr__(profile, name, value)
    return profile


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"profile": rules(usages=frozenset({"digital_signature"}))}, "keyUsage"),
        ({"profile": rules(extended=("1.3.6.1.5.5.7.3.36",))}, "lacks extension 2.5.29.37"),
        ({"profile": rules(policies=("1.2.3",))}, "policies"),
        ({"profile": rules(is_ca=True)}, "lacks extension 2.5.29.19"),
        ({"profile": rules(validity=timedelta(days=1))}, "validity"),
        ({"profile": rules(ocsp_no_check=True)}, "lacks extension 1.3.6.1.5.5.7.48.1.5"),
        ({"key_id": bytes(20)}, "subject key identifier"),
        ({"addresses": ("http://elsewhere.test/",)}, "addresses of issuer"),
        ({"addresses": ()}, "holds extension 1.3.6.1.5.5.7.1.1"),
        ({"crl_addresses": ("http://elsewhere.test/",)}, "addresses of lists"),
        ({"delta_addresses": ("http://elsewhere.test/",)}, "addresses of deltas"),
        ({"public_key_info": b""}, "the key is not the one"),
        ({"issuer": None}, "issuer's name"),
        ({"subject": x509.Name([])}, "subject"),
    ],
)
def test_every_difference_from_what_was_meant_is_found(
    pki: Pki, changes: dict[str, object], rule: str
) -> None:
    seal = pki.certificate(ProfileName.SEAL, AGENCY)
    found = findings(seal, replace(expected(pki), **changes))  # type: ignore[arg-type]
    assert any(rule in one for one in found), found


def built(pki: Pki, *, subject: x509.Name | None = None, serial: int | None = None) -> tuple[str, ...]:
    meant = expected(pki)
    subject = subject or meant.subject
    assert meant.issuer is not None
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(meant.issuer.subject)
        .public_key(pki.certificate(ProfileName.SEAL, AGENCY).public_key())
        .serial_number(serial or new_serial())
        .not_valid_before(pki.clock())
        .not_valid_after(pki.clock() + timedelta(days=1))
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    return findings(certificate, replace(meant, subject=subject))


def test_serials_without_64_random_bits_and_strange_subjects_are_found(pki: Pki) -> None:
    assert any("64 random bits" in one for one in built(pki, serial=4711))
    twice = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in ("Dinas", "Lain")])
    assert any("twice" in one for one in built(pki, subject=twice))
    mail = x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "dinas@contoh.go.id")])
    assert any("no profile knows" in one for one in built(pki, subject=mail))


def test_what_breaks_a_rule_is_never_signed_with_the_key_of_the_ca(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = pki.hierarchy.issuing_ca()
    signed: list[bytes] = []
    monkeypatch.setattr(issuer.key, "sign", signed.append)
    two_names = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in ("Dinas", "Lain")])
    with pytest.raises(IssuanceRefused, match="was not signed: the subject names an attribute twice"):
        issue(
            profile=profiles(CONFIG)[ProfileName.SEAL],
            subject=two_names,
            public_key_info=expected(pki).public_key_info,
            issuer=issuer,
            serial=new_serial(),
            not_before=pki.clock(),
            config=CONFIG,
        )
    assert signed == []


def test_a_weak_rsa_key_is_refused(pki: Pki) -> None:
    product_of_primes = (2**1279 - 1) * (2**2203 - 1)  # Mersenne's; nothing is wrong but the exponent
    weak = rsa.RSAPublicNumbers(3, product_of_primes).public_key()
    with pytest.raises(IssuanceRefused, match="RSA key is weak"):
        issue(
            profile=profiles(CONFIG)[ProfileName.SEAL],
            subject=expected(pki).subject,
            public_key_info=weak.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            issuer=pki.hierarchy.issuing_ca(),
            serial=new_serial(),
            not_before=pki.clock(),
            config=CONFIG,
        )


def test_what_is_signed_is_what_was_linted_and_pkilint_agrees_on_the_draft(
    pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The draft under the throw-away key differs from the certificate in its signature alone."""
    drafts: list[x509.Certificate] = []

    def kept(certificate: x509.Certificate, meant: Expected) -> tuple[str, ...]:
        drafts.append(certificate)
        return findings(certificate, meant)

    monkeypatch.setattr(issuing, "findings", kept)
    record = pki.seal("dinas")
    certificate = x509.load_der_x509_certificate(record.der)
    (draft,) = drafts
    assert draft.tbs_certificate_bytes == certificate.tbs_certificate_bytes
    assert draft.signature != certificate.signature
    certificate.verify_directly_issued_by(pki.certificate(ProfileName.ISSUING))
    assert record.profile_version == profiles(CONFIG)[ProfileName.SEAL].version
    path = tmp_path / "draft.pem"
    path.write_bytes(draft.public_bytes(Encoding.PEM))
    verdict = pkilint("lint_pkix_cert", "lint", "-s", "WARNING", path)
    assert (verdict.returncode, verdict.stdout.strip()) == (0, ""), verdict.stdout + verdict.stderr


@pytest.mark.parametrize(
    "organisation",
    ["Ç'est \"l'été\", à Ñandú", "内務省 デジタル庁", "D", "x" * 64, "وزارة الداخلية"],
)
def test_pkilint_agrees_on_subjects_at_the_edges(pki: Pki, tmp_path: Path, organisation: str) -> None:
    record = pki.hierarchy.certify_seal(
        "dinas", organisation=organisation, organization_identifier="NTRID-8120001234567"
    )
    path = tmp_path / "edge.pem"
    path.write_bytes(x509.load_der_x509_certificate(record.der).public_bytes(Encoding.PEM))
    for lint in (
        ("lint_pkix_cert", "lint"),
        ("lint_etsi_cert", "lint", "-t", "NCP-LEGAL-PERSON-CERTIFICATE"),
    ):
        verdict = pkilint(*lint, "-s", "ERROR", path)
        assert "(ERROR)" not in verdict.stdout, verdict.stdout
        assert "(FATAL)" not in verdict.stdout, verdict.stdout


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
def test_serials_of_certificates_are_unique_positive_and_random(pki: Pki, count: int) -> None:
    issuer, rules_of_seals = pki.hierarchy.issuing_ca(), profiles(CONFIG)[ProfileName.SEAL]
    subject = legal_person(
        common_name="Dinas",
        organisation="Dinas",
        organization_identifier="NTRID-8120001234567",
        country="ID",
    )
    key = expected(pki).public_key_info
    seen: set[int] = set()
    ones = [0] * 128
    for _ in range(count):
        serial = issue(
            profile=rules_of_seals,
            subject=subject,
            public_key_info=key,
            issuer=issuer,
            serial=new_serial(),
            not_before=pki.clock(),
            config=CONFIG,
        ).serial_number
        assert 0 < serial < 1 << 159
        seen.add(serial)
        for bit in range(128):
            ones[bit] += serial >> bit & 1
    assert len(seen) == count
    # Every one of the 128 bits is a fair coin: within six standard deviations of the half.
    assert all(abs(fallen - count / 2) < 3 * count**0.5 for fallen in ones)
