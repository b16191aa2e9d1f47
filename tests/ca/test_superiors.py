"""Below a root that is elsewhere: a request goes out, a chain comes back, and only what fits is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ca import tables as ca_tables
from ca.errors import CertificationError, InstallationRefused, IssuanceRefused, KeyHeldElsewhere
from ca.foreign_lists import is_due, lists_elsewhere
from ca.model import ListScope, ProfileName, RevocationReason
from ca.requests import read_request
from ca.superiors import Superiors
from ca.tables import Certificates, Crls
from ca.trust import CertifiedUse, PathStatus, StatusEvidence, check_path
from keys import tables as key_tables
from keys.errors import KeyNotUsable
from keys.model import KeyState
from tests.ca.conftest import Pki, make_pki, run
from tests.keys.conftest import audit_metadata
from tests.support.clock import FrozenClock
from tests.support.needs import requires

YEAR = timedelta(days=365)


@dataclass
class Foreign:
    """A CA of others, built directly with the library: what it issues is theirs to decide."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    now: datetime

    def certify(
        self,
        subject: x509.Name,
        public_key: object,
        *,
        years: float = 14,
        path_length: int | None = 0,
        ca: bool = True,
        extra: tuple[tuple[x509.ExtensionType, bool], ...] = (),
        key_cert_sign: bool = True,
        crl_sign: bool = True,
    ) -> x509.Certificate:
        usages = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=key_cert_sign,
            crl_sign=crl_sign,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.certificate.subject if self.certificate else subject)
            .public_key(public_key)  # type: ignore[arg-type]
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - timedelta(days=1))
            .not_valid_after(self.now + years * YEAR)
            .add_extension(x509.BasicConstraints(ca, path_length if ca else None), critical=True)
            .add_extension(usages, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)  # type: ignore[arg-type]
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
        )
        for value, critical in extra:
            builder = builder.add_extension(value, critical=critical)
        return builder.sign(self.key, hashes.SHA256())

    def list(
        self,
        *revoked: x509.Certificate,
        begins: timedelta = timedelta(0),
        life: timedelta = timedelta(days=30),
        reason: x509.ReasonFlags = x509.ReasonFlags.ca_compromise,
    ) -> bytes:
        crl = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(self.now + begins)
            .next_update(self.now + begins + life)
            .add_extension(x509.CRLNumber(2**100), critical=False)
        )
        for certificate in revoked:
            crl = crl.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(certificate.serial_number)
                .revocation_date(self.now + begins)
                .add_extension(x509.CRLReason(reason), critical=False)
                .build()
            )
        return crl.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def below(self, name: str, **how: object) -> Foreign:
        key = ec.generate_private_key(ec.SECP256R1())
        return Foreign(key, self.certify(named(name), key.public_key(), **how), self.now)  # type: ignore[arg-type]


def named(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "ID"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def root_of_others(now: datetime, **how: object) -> Foreign:
    key = ec.generate_private_key(ec.SECP384R1())
    made = Foreign(key, None, now)  # type: ignore[arg-type]
    how = {"years": 20, "path_length": None} | how
    return replace(made, certificate=made.certify(named("Root of others"), key.public_key(), **how))  # type: ignore[arg-type]


@pytest.fixture
def others(clock: FrozenClock) -> Foreign:
    return root_of_others(clock())


@pytest.fixture
def bare(begin_with: Callable[..., object], clock: FrozenClock, tmp_path: Path) -> Pki:
    begin = begin_with(key_tables.metadata, ca_tables.metadata, audit_metadata)
    return make_pki(begin, clock, tmp_path)  # type: ignore[arg-type]


def superiors(pki: Pki) -> Superiors:
    return Superiors(begin=pki.begin, keys=pki.keys, clock=pki.clock, audit=pki.audit, config=pki.config)


def asked(pki: Pki) -> x509.CertificateSigningRequest:
    return read_request(superiors(pki).request().der)


def ours(pki: Pki, issuer: Foreign, **how: object) -> x509.Certificate:
    request = asked(pki)
    return issuer.certify(request.subject, request.public_key(), **how)  # type: ignore[arg-type]


# --- the request -------------------------------------------------------------------------------------


@requires("openssl")
def test_openssl_finds_the_request_in_order_and_its_key_has_signed_nothing_else(bare: Pki) -> None:
    made = superiors(bare).request()
    verdict = run("openssl", "req", "-inform", "DER", "-verify", "-noout", "-text", stdin=made.der)
    assert verdict.returncode == 0, verdict.stderr
    assert "verify OK" in verdict.stdout + verdict.stderr
    assert "CA:TRUE, pathlen:0" in verdict.stdout
    assert "Certificate Sign, CRL Sign" in verdict.stdout
    assert bare.keys.get(made.key_id).state is KeyState.PRE_ACTIVATION
    with pytest.raises(KeyNotUsable, match="no certification request"):
        bare.keys.prove_possession(made.key_id, b"anything else")


def test_a_repeated_request_is_for_the_same_key(bare: Pki) -> None:
    assert superiors(bare).request().key_id == superiors(bare.restarted()).request().key_id
    assert len(bare.keys.list()) == 1


def test_while_a_request_waits_no_root_is_made_here(bare: Pki) -> None:
    superiors(bare).request()
    with pytest.raises(KeyHeldElsewhere, match="ca install"):
        bare.hierarchy.init()
    with bare.begin() as tx:
        assert Certificates(tx).of_profile(ProfileName.ROOT) == []


# --- what comes back ---------------------------------------------------------------------------------


def test_below_a_root_of_others_everything_is_issued_and_verified(bare: Pki, others: Foreign) -> None:
    policy = others.below("Policy CA of others", path_length=1)
    certificate = ours(bare, policy)
    done = superiors(bare).install(
        [certificate, policy.certificate], [others.list(), policy.list()], root=others.certificate
    )
    assert [record.name for record in done.certificates] == ["root-1", "superior-1", "issuing-1"]
    assert [entry.issuer for entry in done.lists] == ["root-1", "superior-1"]
    bare.hierarchy.init()
    seal = bare.seal()
    answer = bare.revocation.answer_for(seal)
    verdict = check_path(
        x509.load_der_x509_certificate(seal.der),
        intermediates=(certificate, policy.certificate),
        anchors=(others.certificate,),
        at=bare.clock(),
        use=CertifiedUse.SEAL,
        evidence=StatusEvidence(
            (answer,),
            (bare.revocation.current_crl("superior-1").der, bare.revocation.current_crl("root-1").der),
        ),
    )
    assert verdict.status is PathStatus.GOOD, verdict.reason
    assert len(verdict.chain) == 4


def test_installing_again_changes_nothing_and_a_newer_list_is_taken(bare: Pki, others: Foreign) -> None:
    chain = [ours(bare, others), others.certificate]
    superiors(bare).install(chain, [others.list()])
    again = superiors(bare.restarted()).install(chain)
    assert (again.certificates, again.lists) == ((), ())
    with pytest.raises(InstallationRefused, match="not newer"):
        superiors(bare).install([], [others.list()])
    bare.clock.advance(timedelta(days=16))
    assert [is_due(newest, bare.clock()) for _, newest in lists_elsewhere(bare.begin)] == [True]
    (newer,) = superiors(bare).install([], [others.list(begins=timedelta(days=16))]).lists
    assert newer.number == 2
    bare.ticks.value += 5
    assert bare.revocation.current_crl("root-1") == newer
    assert [is_due(newest, bare.clock()) for _, newest in lists_elsewhere(bare.begin)] == [False]


def test_a_successor_below_a_root_elsewhere_waits_for_its_activation(bare: Pki, others: Foreign) -> None:
    superiors(bare).install([ours(bare, others), others.certificate], [others.list()])
    bare.hierarchy.init()
    bare.clock.advance(timedelta(days=10))
    made = superiors(bare).request()
    with pytest.raises(KeyHeldElsewhere, match="ca request issuing"):
        bare.hierarchy.certify_successor(ProfileName.ISSUING, "", made.key_id, actor="ani")
    request = read_request(made.der)
    superiors(bare).install([others.certify(request.subject, request.public_key())])
    bare.hierarchy.init()
    assert bare.seal().issuer == "issuing-1"
    record = bare.hierarchy.certify_successor(ProfileName.ISSUING, "", made.key_id, actor="ani")
    assert (record.name, record.issuer) == ("issuing-2", "root-1")
    bare.keys.activate(made.key_id)
    bare.ticks.value += 5
    assert bare.seal("dinkes").issuer == "issuing-2"


def test_a_revocation_of_ours_stands_here_at_once_and_its_list_is_signed_elsewhere(
    bare: Pki, others: Foreign
) -> None:
    superiors(bare).install([ours(bare, others), others.certificate], [others.list()])
    bare.hierarchy.init()
    record = bare.revocation.revoke(
        bare.record(ProfileName.ISSUING).serial, RevocationReason.CA_COMPROMISE, bare.clock()
    )
    assert record.status.value == "revoked"
    with pytest.raises(KeyHeldElsewhere):
        bare.revocation.lists.issue("root-1")


def test_what_a_brought_list_says_of_ours_stands_here_too(bare: Pki, others: Foreign) -> None:
    certificate = ours(bare, others)
    superiors(bare).install([certificate, others.certificate], [others.list()])
    bare.hierarchy.init()

    def status_after(days: int, *revoked: x509.Certificate, **how: x509.ReasonFlags) -> str:
        bare.clock.advance(timedelta(days=1))
        superiors(bare).install([], [others.list(*revoked, begins=timedelta(days=days), **how)])  # type: ignore[arg-type]
        with bare.begin() as tx:
            record = Certificates(tx).by_serial(certificate.serial_number)
            changed = Certificates(tx).last_change(ListScope("root-1"))
            assert changed is not None
            assert Crls(tx).first_since(ListScope("root-1"), changed) == changed  # it waits for no other list
        assert record is not None
        return record.status.value

    assert status_after(1, certificate, reason=x509.ReasonFlags.certificate_hold) == "on-hold"
    assert status_after(2) == "good"
    assert status_after(3, certificate) == "revoked"
    assert status_after(4) == "revoked"  # a list that forgets makes nothing good again
    with pytest.raises(CertificationError):
        bare.seal()


def test_a_brought_list_does_not_lift_a_hold_that_its_signers_were_not_told_of(
    bare: Pki, others: Foreign
) -> None:
    certificate = ours(bare, others)
    superiors(bare).install([certificate, others.certificate], [others.list()])
    bare.hierarchy.init()
    bare.revocation.revoke(certificate.serial_number, RevocationReason.CERTIFICATE_HOLD)
    bare.clock.advance(timedelta(days=1))
    superiors(bare).install([], [others.list(begins=timedelta(days=1))])
    with bare.begin() as tx:
        record = Certificates(tx).by_serial(certificate.serial_number)
    assert record is not None
    assert record.status.value == "on-hold"


def constrained(*permitted: str) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    subtrees = [
        x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, country)]))
        for country in permitted
    ]
    return ((x509.NameConstraints(subtrees, None), True),)


def test_a_ca_that_may_name_one_country_only_issues_for_that(bare: Pki, others: Foreign) -> None:
    certificate = ours(bare, others, extra=constrained("ID"))
    superiors(bare).install([certificate, others.certificate], [others.list()])
    bare.hierarchy.init()
    bare.seal()
    with pytest.raises(IssuanceRefused, match="permitted subtree"):
        bare.hierarchy.certify_seal(
            "elsewhere", organisation="Jabatan", organization_identifier="NTRMY-1", country="MY"
        )


REFUSED: dict[str, tuple[Callable[[Pki, Foreign], x509.Certificate], str]] = {
    "another key": (
        lambda pki, others: others.certify(
            asked(pki).subject, ec.generate_private_key(ec.SECP256R1()).public_key(), path_length=None
        ),
        "neither for a key that waits here nor above one",
    ),
    "another name": (
        lambda pki, others: others.certify(named("Somebody"), asked(pki).public_key()),
        "under the name of the request",
    ),
    "no CA": (lambda pki, others: ours(pki, others, ca=False), "not an authority"),
    "no signing of certificates": (
        lambda pki, others: ours(pki, others, key_cert_sign=False),
        "may not sign certificates",
    ),
    "no signing of lists": (lambda pki, others: ours(pki, others, crl_sign=False), "lacks cRLSign"),
    "TLS only": (
        lambda pki, others: ours(
            pki, others, extra=((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),)
        ),
        "extendedKeyUsage",
    ),
    "an extension that nobody knows": (
        lambda pki, others: ours(
            pki,
            others,
            extra=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),),
        ),
        "critical extension",
    ),
    "no room": (lambda pki, others: ours(pki, root_of_others(others.now)), "does not fit"),
    "too short a life": (lambda pki, others: ours(pki, others, years=0.5), "a year left"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_and_nothing_is_kept(bare: Pki, others: Foreign, case: str) -> None:
    made, words = REFUSED[case]
    certificate = made(bare, others)
    with pytest.raises(CertificationError, match=words):
        superiors(bare).install([certificate], [others.list()], root=others.certificate)
    with bare.begin() as tx:
        assert all(Certificates(tx).of_profile(profile) == [] for profile in ProfileName)


def test_every_constraint_of_the_path_above_counts(bare: Pki, others: Foreign) -> None:
    for policy, words in (
        (others.below("No room", path_length=0), "authorities below"),
        (others.below("Malaysia", path_length=1, extra=constrained("MY")), "nameConstraints"),
    ):
        with pytest.raises(InstallationRefused, match=words):
            superiors(bare).install([ours(bare, policy), policy.certificate], root=others.certificate)


def test_a_root_that_nobody_vouched_for_is_refused_once_there_is_one(bare: Pki, others: Foreign) -> None:
    superiors(bare).install([ours(bare, others), others.certificate], [others.list()])
    stranger = root_of_others(others.now)
    with pytest.raises(InstallationRefused, match="--root"):
        superiors(bare).install([ours(bare, stranger), stranger.certificate])


def test_lists_of_strangers_old_lists_and_future_lists_are_refused(bare: Pki, others: Foreign) -> None:
    superiors(bare).install([ours(bare, others), others.certificate], [others.list()])
    for encoded, words in (
        (root_of_others(others.now).list(), "not signed by a CA above"),
        (others.list(begins=-timedelta(days=40)), "which is not now"),
        (others.list(begins=timedelta(days=1)), "which is not now"),
        (b"\x30\x03\x02\x01\x01", "cannot be read"),
    ):
        with pytest.raises(InstallationRefused, match=words):
            superiors(bare).install([], [encoded])
