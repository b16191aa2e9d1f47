"""Is this path good at time T? Scenarios over the real hierarchy, then over PKIs made to deceive."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ca import der
from ca.model import ProfileName, RevocationReason
from ca.trust import CertifiedUse, PathStatus, PathVerdict, StatusEvidence, check_path
from tests.ca.conftest import Pki

AGENCY = "dpmptsp"
SEAL, TSU = CertifiedUse.SEAL, CertifiedUse.TIMESTAMPING


def evidence_of(pki: Pki) -> StatusEvidence:
    """What sealing embeds: OCSP for the leaves, the root's list for the issuing CA."""
    answers = tuple(
        pki.revocation.answer_for(pki.record(profile, owner))
        for profile, owner in ((ProfileName.SEAL, AGENCY), (ProfileName.TIMESTAMPING, ""))
    )
    return StatusEvidence(answers, (pki.revocation.current_crl("root-1").der,))


def check(
    pki: Pki,
    *,
    at: datetime | None = None,
    evidence: StatusEvidence | None = None,
    use: CertifiedUse = SEAL,
    leaf: x509.Certificate | None = None,
) -> PathVerdict:
    return check_path(
        leaf or pki.certificate(ProfileName.SEAL, AGENCY),
        intermediates=(pki.certificate(ProfileName.ISSUING),),
        anchors=(pki.certificate(ProfileName.ROOT),),
        at=at or pki.clock(),
        use=use,
        evidence=evidence,
    )


# --- our own files -----------------------------------------------------------------------------------


def test_a_file_sealed_with_answers_from_seconds_before_is_good_for_ever(pki: Pki) -> None:
    evidence = evidence_of(pki)
    sealed_at = pki.clock() + timedelta(seconds=3)
    verdict = check(pki, at=sealed_at, evidence=evidence)
    assert verdict.status is PathStatus.GOOD, verdict.reason
    assert len(verdict.chain) == 3
    tsu = pki.certificate(ProfileName.TIMESTAMPING)
    assert check(pki, at=sealed_at, evidence=evidence, leaf=tsu, use=TSU).status is PathStatus.GOOD


def test_a_root_list_of_almost_half_its_life_still_covers(pki: Pki) -> None:
    crl = pki.revocation.current_crl("root-1").der
    pki.clock.advance(timedelta(days=89))
    answer = pki.revocation.answer_for(pki.record(ProfileName.SEAL, AGENCY))
    assert check(pki, evidence=StatusEvidence((answer,), (crl,))).status is PathStatus.GOOD


def test_missing_evidence_is_unknown_and_unasked_evidence_is_said_so(pki: Pki) -> None:
    verdict = check(pki, evidence=StatusEvidence())
    assert verdict.status is PathStatus.STATUS_UNKNOWN
    not_looked = check(pki)
    assert not_looked.status is PathStatus.GOOD
    assert "not looked at" in not_looked.reason
    only_leaf = StatusEvidence(evidence_of(pki).ocsp_responses)
    assert check(pki, evidence=only_leaf).status is PathStatus.STATUS_UNKNOWN


def test_lists_alone_are_enough(pki: Pki) -> None:
    lists = tuple(pki.revocation.current_crl(name).der for name in ("root-1", "issuing-1"))
    assert check(pki, evidence=StatusEvidence((), lists)).status is PathStatus.GOOD


@pytest.mark.parametrize("voice", ["ocsp", "crl"])
@pytest.mark.parametrize(
    ("at", "status"),
    [
        (timedelta(days=-3), PathStatus.GOOD),
        (timedelta(days=-2), PathStatus.REVOKED),
        (timedelta(days=-1), PathStatus.REVOKED),
        (timedelta(0), PathStatus.REVOKED),
        (timedelta(days=9), PathStatus.REVOKED),
    ],
)
def test_a_revocation_counts_from_the_loss_and_not_before(
    pki: Pki, voice: str, at: timedelta, status: PathStatus
) -> None:
    record = pki.record(ProfileName.SEAL, AGENCY)
    leaf = pki.certificate(ProfileName.SEAL, AGENCY)
    pki.clock.advance(timedelta(days=10))
    now = pki.clock()
    root = pki.revocation.current_crl("root-1").der
    revoked = pki.revocation.revoke(record.serial, RevocationReason.KEY_COMPROMISE, now - timedelta(days=2))
    issuing = pki.revocation.current_crl("issuing-1").der
    evidence = (
        StatusEvidence((pki.revocation.answer_for(revoked),), (root,))
        if voice == "ocsp"
        else StatusEvidence((), (issuing, root))
    )
    verdict = check(pki, at=now + at, evidence=evidence, leaf=leaf)
    # The root's list of today also covers the past: the issuing CA was good then.
    assert verdict.status is status, verdict.reason
    if status is PathStatus.REVOKED:
        assert verdict.revoked_at == now - timedelta(days=2)


def test_a_good_answer_never_outvotes_a_revocation(pki: Pki) -> None:
    leaf, record = pki.certificate(ProfileName.SEAL, AGENCY), pki.record(ProfileName.SEAL, AGENCY)
    before = evidence_of(pki)
    pki.revocation.revoke(record.serial, RevocationReason.SUPERSEDED)
    crl = pki.revocation.current_crl("issuing-1").der
    both = StatusEvidence(before.ocsp_responses, (*before.crls, crl))
    assert check(pki, evidence=both, leaf=leaf).status is PathStatus.REVOKED


def test_a_hold_counts_until_newer_evidence_lifts_it(pki: Pki) -> None:
    leaf, record = pki.certificate(ProfileName.SEAL, AGENCY), pki.record(ProfileName.SEAL, AGENCY)
    root = pki.revocation.current_crl("root-1").der
    held = pki.revocation.revoke(record.serial, RevocationReason.CERTIFICATE_HOLD)
    on_hold = pki.revocation.answer_for(held)
    at = pki.clock()
    assert check(pki, at=at, evidence=StatusEvidence((on_hold,), (root,)), leaf=leaf).status is (
        PathStatus.ON_HOLD
    )
    pki.clock.advance(timedelta(hours=1))
    lifted = pki.revocation.answer_for(pki.revocation.release(record.serial))
    both = StatusEvidence((lifted, on_hold), (root,))
    assert check(pki, at=at, evidence=both, leaf=leaf).status is PathStatus.GOOD


def test_stale_good_evidence_does_not_cover_later_times(pki: Pki) -> None:
    evidence = evidence_of(pki)
    late = pki.clock() + pki.config.ocsp_validity + timedelta(seconds=1)
    assert check(pki, at=late, evidence=evidence).status is PathStatus.STATUS_UNKNOWN


def test_unknown_is_never_good(pki: Pki) -> None:
    from dataclasses import replace

    stranger = replace(pki.record(ProfileName.SEAL, AGENCY), issuer="root-1")
    foreign = StatusEvidence((pki.revocation.answer_for(replace(stranger, issuer="issuing-1", serial=5)),))
    crl = pki.revocation.current_crl("root-1").der
    verdict = check(pki, evidence=StatusEvidence(foreign.ocsp_responses, (crl,)))
    assert verdict.status is PathStatus.STATUS_UNKNOWN


@pytest.mark.parametrize(
    ("profile", "use", "status"),
    [
        (ProfileName.TIMESTAMPING, SEAL, PathStatus.CONSTRAINT),
        (ProfileName.RECEIPT, SEAL, PathStatus.CONSTRAINT),
        (ProfileName.OCSP, SEAL, PathStatus.CONSTRAINT),
        (ProfileName.SEAL, TSU, PathStatus.CONSTRAINT),
        (ProfileName.SEAL, CertifiedUse.RECEIPT, PathStatus.CONSTRAINT),
        (ProfileName.ISSUING, SEAL, PathStatus.CONSTRAINT),
        (ProfileName.RECEIPT, CertifiedUse.RECEIPT, PathStatus.GOOD),
        (ProfileName.OCSP, CertifiedUse.OCSP, PathStatus.GOOD),
        (ProfileName.TIMESTAMPING, TSU, PathStatus.GOOD),
    ],
)
def test_every_certificate_serves_its_own_use_only(
    pki: Pki, profile: ProfileName, use: CertifiedUse, status: PathStatus
) -> None:
    leaf = pki.certificate(profile, AGENCY if profile is ProfileName.SEAL else "")
    assert check(pki, leaf=leaf, use=use).status is status


def test_times_outside_the_validity_are_named(pki: Pki) -> None:
    assert check(pki, at=pki.clock() - timedelta(days=1)).status is PathStatus.NOT_YET_VALID
    assert check(pki, at=pki.clock() + timedelta(days=1096)).status is PathStatus.EXPIRED


def test_without_the_root_there_is_no_path_and_a_pinned_leaf_is_its_own(pki: Pki) -> None:
    leaf = pki.certificate(ProfileName.RECEIPT)
    asked = {"intermediates": (), "at": pki.clock(), "use": CertifiedUse.RECEIPT, "evidence": None}
    assert check_path(leaf, anchors=(), **asked).status is PathStatus.NO_PATH  # type: ignore[arg-type]
    pinned = check_path(leaf, anchors=(leaf,), **asked)  # type: ignore[arg-type]
    assert pinned.status is PathStatus.GOOD


# --- made to deceive ---------------------------------------------------------------------------------

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass
class Actor:
    """A name with a key, and the certificates that others gave it."""

    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def subject(self) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])

    def certify(
        self,
        who: Actor,
        *,
        ca: bool = True,
        path_length: int | None = None,
        usages: list[x509.ObjectIdentifier] | None = None,
        key_cert_sign: bool = True,
        constraints: bool = True,
        extra: x509.ExtensionType | None = None,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(who.subject)
            .issuer_name(self.subject)
            .public_key(who.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=10))
            .not_valid_after(NOW + timedelta(days=1000))
            .add_extension(
                x509.KeyUsage(not ca, not ca, *([False] * 3), ca and key_cert_sign, ca, False, False), True
            )
        )
        if constraints:
            builder = builder.add_extension(x509.BasicConstraints(ca, path_length if ca else None), True)
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
        if extra:
            builder = builder.add_extension(extra, True)
        return builder.sign(self.key, hashes.SHA256())


ROOT, MIDDLE, LOWER, LEAF = (Actor(name) for name in ("root", "middle", "lower", "leaf"))
ANCHOR = ROOT.certify(ROOT)


def judge(leaf: x509.Certificate, *intermediates: x509.Certificate, **asked: object) -> PathVerdict:
    defaults: dict[str, object] = {"anchors": (ANCHOR,), "at": NOW, "use": SEAL, "evidence": None}
    return check_path(leaf, intermediates=intermediates, **{**defaults, **asked})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("middle", "cause"),
    [
        ({"ca": False}, "basicConstraints"),
        ({"constraints": False}, "basicConstraints is missing"),
        ({"key_cert_sign": False}, "keyUsage"),
        ({"usages": [ExtendedKeyUsageOID.SERVER_AUTH]}, "extendedKeyUsage"),
        (
            {
                "extra": x509.NameConstraints(
                    [x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "ID")]))], None
                )
            },
            "nameConstraints",
        ),
        ({"extra": x509.PolicyConstraints(0, None)}, "critical extension 2.5.29.36"),
        ({"extra": x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00")}, "1.2.3"),
    ],
)
def test_an_authority_that_may_not_certify_makes_no_path(middle: dict[str, object], cause: str) -> None:
    verdict = judge(MIDDLE.certify(LEAF, ca=False), ROOT.certify(MIDDLE, **middle))  # type: ignore[arg-type]
    assert verdict.status is PathStatus.CONSTRAINT
    assert cause in verdict.reason


def test_path_length_is_kept() -> None:
    leaf, lower = LOWER.certify(LEAF, ca=False), MIDDLE.certify(LOWER)
    assert judge(leaf, lower, ROOT.certify(MIDDLE, path_length=1)).status is PathStatus.GOOD
    verdict = judge(leaf, lower, ROOT.certify(MIDDLE, path_length=0))
    assert verdict.status is PathStatus.CONSTRAINT
    assert "allows 0" in verdict.reason


def test_a_leaf_cannot_issue() -> None:
    forged = LEAF.certify(Actor("korban"), ca=False)
    assert judge(forged, MIDDLE.certify(LEAF, ca=False), ROOT.certify(MIDDLE)).status is PathStatus.CONSTRAINT


def test_a_stranger_with_the_right_names_is_no_one() -> None:
    impostor = Actor("middle")
    assert judge(impostor.certify(LEAF, ca=False), ROOT.certify(MIDDLE)).status is PathStatus.NO_PATH
    fake_root = Actor("root")
    assert judge(fake_root.certify(LEAF, ca=False), fake_root.certify(fake_root)).status is PathStatus.NO_PATH


def test_cross_certificates_lead_around_a_dead_end_and_loops_end() -> None:
    other = Actor("other root")
    leaf = MIDDLE.certify(LEAF, ca=False)
    dead_end, bad, way = other.certify(MIDDLE), ROOT.certify(MIDDLE, ca=False), ROOT.certify(MIDDLE)
    loop = (MIDDLE.certify(other), other.certify(MIDDLE), MIDDLE.certify(MIDDLE))
    verdict = judge(leaf, dead_end, bad, *loop, way)
    assert verdict.status is PathStatus.GOOD
    assert verdict.chain == (leaf, way, ANCHOR)
    assert judge(leaf, dead_end, *loop).status is PathStatus.NO_PATH


def test_a_search_through_a_thicket_of_certificates_is_bounded() -> None:
    actors = [Actor(f"a{n}") for n in range(8)]
    thicket = [one.certify(two) for one in actors for two in actors]
    assert judge(actors[0].certify(LEAF, ca=False), *thicket).status is PathStatus.NO_PATH


def test_sha1_signatures_carry_nothing() -> None:
    _, *fields = der.read_whole(MIDDLE.certify(LEAF, ca=False).tbs_certificate_bytes, der.SEQUENCE).children()
    weak_scheme = der.sequence(der.oid("1.2.840.10045.4.1"))  # ecdsa-with-SHA1
    tbs = der.sequence(
        der.explicit(0, der.integer(2)),
        fields[0].encoded,
        weak_scheme,
        *(part.encoded for part in fields[2:]),
    )
    signature = der.bit_string(MIDDLE.key.sign(tbs, ec.ECDSA(hashes.SHA1())))
    weak = x509.load_der_x509_certificate(der.sequence(tbs, weak_scheme, signature))
    assert weak.subject == LEAF.subject
    assert judge(weak, ROOT.certify(MIDDLE)).status is PathStatus.NO_PATH


def ocsp_answer(
    leaf: x509.Certificate,
    issuer: x509.Certificate,
    signer: Actor,
    responder: x509.Certificate,
    *,
    include: bool = True,
) -> bytes:
    from cryptography.x509 import ocsp

    builder = ocsp.OCSPResponseBuilder().add_response(
        leaf, issuer, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, NOW, NOW + timedelta(days=1), None, None
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, responder)
    if include:
        builder = builder.certificates([responder])
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_only_authorised_responders_are_heard() -> None:
    leaf = ROOT.certify(LEAF, ca=False)
    helper, thief = Actor("responder"), Actor("thief")
    real_now = datetime.now(UTC)  # the library writes producedAt from the machine's clock
    assert ANCHOR.not_valid_after_utc > real_now > ANCHOR.not_valid_before_utc, "make a new test hierarchy"
    signing = [ExtendedKeyUsageOID.OCSP_SIGNING]
    no_check = x509.OCSPNoCheck()
    delegated = _with(ROOT, helper, signing, no_check)
    unchecked = _with(ROOT, helper, signing, None)
    no_usage = _with(ROOT, helper, [ExtendedKeyUsageOID.CLIENT_AUTH], no_check)
    self_made = _with(thief, thief, signing, no_check)

    def heard(answer: bytes) -> PathStatus:
        return judge(leaf, evidence=StatusEvidence((answer,))).status

    assert heard(ocsp_answer(leaf, ANCHOR, ROOT, ANCHOR, include=False)) is PathStatus.GOOD
    assert heard(ocsp_answer(leaf, ANCHOR, helper, delegated)) is PathStatus.GOOD
    for signer, responder in ((helper, no_usage), (helper, unchecked), (thief, self_made), (LEAF, leaf)):
        assert heard(ocsp_answer(leaf, ANCHOR, signer, responder)) is PathStatus.STATUS_UNKNOWN
    altered = bytearray(ocsp_answer(leaf, ANCHOR, helper, delegated))
    altered[-1] ^= 1  # the last byte of the responder's certificate
    assert heard(bytes(altered)) is PathStatus.STATUS_UNKNOWN


@pytest.mark.parametrize("no_check", [x509.OCSPNoCheck(), None], ids=["exempt", "not exempt"])
def test_a_responder_whose_key_was_lost_is_not_heard_although_nobody_need_check_it(
    no_check: x509.OCSPNoCheck | None,
) -> None:
    """Its thief says "good" of what was revoked, at any time. What others say still counts."""
    leaf, helper = ROOT.certify(LEAF, ca=False), Actor("responder")
    responder = _with(ROOT, helper, [ExtendedKeyUsageOID.OCSP_SIGNING], no_check)
    answer = ocsp_answer(leaf, ANCHOR, helper, responder)

    def heard(*revoked: x509.RevokedCertificate) -> PathStatus:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(ROOT.subject)
            .last_update(NOW - timedelta(days=2))  # too old to say anything good about now
            .next_update(NOW - timedelta(days=1))
        )
        for entry in revoked:
            builder = builder.add_revoked_certificate(entry)
        old = builder.sign(ROOT.key, hashes.SHA256()).public_bytes(Encoding.DER)
        return judge(leaf, evidence=StatusEvidence((answer,), (old,))).status

    def entry(since: datetime, reason: x509.ReasonFlags) -> x509.RevokedCertificate:
        made = x509.RevokedCertificateBuilder().serial_number(responder.serial_number).revocation_date(since)
        return made.add_extension(x509.CRLReason(reason), critical=False).build()

    assert heard() is (PathStatus.GOOD if no_check else PathStatus.STATUS_UNKNOWN)
    compromise = x509.ReasonFlags.key_compromise
    for since in (NOW - timedelta(days=3), NOW + timedelta(days=36000)):
        assert heard(entry(since, compromise)) is PathStatus.STATUS_UNKNOWN
    replaced = entry(NOW + timedelta(days=36000), x509.ReasonFlags.superseded)
    assert heard(replaced) is PathStatus.GOOD, "it was good when it answered"


def _with(
    issuer: Actor, who: Actor, usages: list[x509.ObjectIdentifier], no_check: x509.OCSPNoCheck | None
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(who.subject)
        .issuer_name(issuer.subject)
        .public_key(who.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=10))
        .not_valid_after(NOW + timedelta(days=36500))
        .add_extension(x509.ExtendedKeyUsage(usages), False)
    )
    if no_check:
        builder = builder.add_extension(no_check, False)
    return builder.sign(issuer.key, hashes.SHA256())


def crl(issuer: Actor, *, critical: bool = False, delta: bool = False) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(NOW)
        .next_update(NOW + timedelta(days=1))
    )
    if delta:
        builder = builder.add_extension(x509.DeltaCRLIndicator(1), False)
    if critical:
        point = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
        builder = builder.add_extension(point, True)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_only_full_lists_of_the_issuer_itself_count() -> None:
    leaf = ROOT.certify(LEAF, ca=False)

    def heard(encoded: bytes) -> PathStatus:
        return judge(leaf, evidence=StatusEvidence((), (encoded,))).status

    assert heard(crl(ROOT)) is PathStatus.GOOD
    for useless in (crl(ROOT, critical=True), crl(ROOT, delta=True), crl(Actor("root")), b"", b"\x30\x00"):
        assert heard(useless) is PathStatus.STATUS_UNKNOWN


def test_garbage_as_evidence_is_no_evidence() -> None:
    leaf = ROOT.certify(LEAF, ca=False)
    rubbish = (b"", b"\x30\x03\x0a\x01\x06", b"\x30\x80", bytes(1000))
    assert judge(leaf, evidence=StatusEvidence(rubbish, rubbish)).status is PathStatus.STATUS_UNKNOWN


@pytest.mark.filterwarnings("ignore:Parsed a serial number:UserWarning")  # a flip can make it negative
@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("kind", ["ocsp", "crl"])
def test_one_flipped_bit_anywhere_in_the_evidence_makes_it_worthless(pki: Pki, kind: str, step: int) -> None:
    leaf = pki.certificate(ProfileName.SEAL, AGENCY)
    root = pki.revocation.current_crl("root-1").der
    whole = (
        pki.revocation.answer_for(pki.record(ProfileName.SEAL, AGENCY))
        if kind == "ocsp"
        else pki.revocation.current_crl("issuing-1").der
    )
    for position in range(0, len(whole), step):
        altered = bytearray(whole)
        altered[position] ^= 1 << position % 8
        evidence = (
            StatusEvidence((bytes(altered),), (root,))
            if kind == "ocsp"
            else StatusEvidence((), (bytes(altered), root))
        )
        verdict = check(pki, evidence=evidence, leaf=leaf)
        assert verdict.status is PathStatus.STATUS_UNKNOWN, position


def test_the_trust_module_never_loads_keys() -> None:
    code = (
        "import sys, ca.trust, ca.tables, ca.model, ca.published; "
        "sys.exit(any(name.split('.')[0] == 'keys' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
