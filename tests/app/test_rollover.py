"""A CA gets a new key: what is in a sealed file is enough for whoever trusts the old one or the new."""

from __future__ import annotations

import io
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pikepdf
import pytest
from cryptography import x509

from app import upkeep
from app.evidence import RegisterEvidence
from app.provisioning import certify_agency, complete_hierarchy, publish_trust
from app.wiring import Core, build_core
from ca.chains import chain_of
from ca.model import ProfileName
from ca.tables import Certificates
from ca.trust import CertifiedUse, PathStatus, StatusEvidence, check_path
from keys.model import KeyAlgorithm, KeyPurpose
from tests.app.test_sealing_jobs import _seal
from tests.support.clock import FrozenClock
from verify.trust import read_trust_folder


@pytest.fixture
def rolled(core: Core, clock: FrozenClock) -> Core:
    """The agency's seal is certified by the new key of the issuing CA."""
    old = core.certificates.certificate("issuing-1")
    assert old is not None
    clock.advance(timedelta(days=5))
    key = core.keys.generate(*_like(core, old.record.key_id))
    core.hierarchy.certify_successor(ProfileName.ISSUING, "", key.id, actor="test")
    core.keys.activate(key.id)
    complete_hierarchy(core, actor="test")
    seal_key = core.keys.generate(*_like(core, _seal_key(core)), "dinas")
    core.hierarchy.certify_successor(ProfileName.SEAL, "dinas", seal_key.id, actor="test")
    core.keys.activate(seal_key.id)
    return core


def _like(core: Core, key_id: str) -> tuple[KeyPurpose, KeyAlgorithm]:
    key = core.keys.get(key_id)
    return key.purpose, key.algorithm


def _seal_key(core: Core) -> str:
    with core.database.read() as tx:
        record = Certificates(tx).newest_good(ProfileName.SEAL, "dinas")
    assert record is not None
    return record.key_id


def _named(core: Core, name: str) -> x509.Certificate:
    found = core.certificates.certificate(name)
    assert found is not None
    return x509.load_der_x509_certificate(found.record.der)


def _store(file: bytes) -> tuple[list[x509.Certificate], StatusEvidence]:
    """What lies in the document security store."""
    with pikepdf.open(io.BytesIO(file)) as pdf:
        store = pdf.Root.DSS
        parts = {
            name: [bytes(stream.read_bytes()) for stream in store.get(f"/{name}", [])]
            for name in ("Certs", "OCSPs", "CRLs")
        }
    certificates = [x509.load_der_x509_certificate(one) for one in parts["Certs"]]
    return certificates, StatusEvidence(tuple(parts["OCSPs"]), tuple(parts["CRLs"]))


def test_the_file_alone_leads_to_the_new_key_of_the_ca_and_to_the_old_one(
    rolled: Core, clock: FrozenClock
) -> None:
    with ExitStack() as closing:
        core = build_core(rolled.settings, closing=closing, clock=clock)  # as another process sees it
        with core.register.open_file(_seal(core)) as opened:
            file = opened.read()
    certificates, evidence = _store(file)
    (leaf,) = [one for one in certificates if one.public_key() == _public(rolled)]
    for anchor, length in (("root-1", 3), ("issuing-1", 3), ("issuing-2", 2)):
        verdict = check_path(
            leaf,
            intermediates=tuple(
                one for one in certificates if one.subject != _named(rolled, "root-1").subject
            ),
            anchors=(_named(rolled, anchor),),
            at=clock(),
            use=CertifiedUse.SEAL,
            evidence=evidence,
        )
        assert (verdict.status, len(verdict.chain)) == (PathStatus.GOOD, length), (anchor, verdict.reason)


def _public(core: Core) -> object:
    return x509.load_der_x509_certificate(core.identities.seal_of("dinas").certificate).public_key()


@pytest.mark.either_database
def test_a_link_that_cannot_be_vouched_for_today_holds_up_no_seal(rolled: Core, clock: FrozenClock) -> None:
    old = rolled.certificates.certificate("issuing-1")
    assert old is not None
    responder = next(
        view.record
        for view in rolled.certificates.certificates()
        if view.record.profile is ProfileName.OCSP and view.record.owner == "issuing-1"
    )
    rolled.keys.suspend(responder.key_id)
    with ExitStack() as closing:
        core = build_core(rolled.settings, closing=closing, clock=clock)
        source = RegisterEvidence(read=core.database.read, revocation=core.revocation, clock=clock)
        with core.database.read() as tx:
            record = Certificates(tx).newest_good(ProfileName.SEAL, "dinas")
            assert record is not None
            chain = chain_of(tx, record)
        found = source.evidence_for(chain)
    link = rolled.certificates.certificate("issuing-2-by-issuing-1")
    assert link is not None
    assert link.record.der not in found.certificates
    assert chain[0] in found.certificates


@pytest.mark.either_database
def test_links_lie_in_the_trust_folder_and_are_no_anchors(rolled: Core, tmp_path: Path) -> None:
    publish_trust(rolled)
    folder = rolled.settings.trust_dir
    assert (folder / "issuing-2-by-issuing-1.crt").is_file()
    store = read_trust_folder(folder)
    assert store.anchors == (_named(rolled, "root-1"),)
    assert _named(rolled, "issuing-2-by-issuing-1") in store.certificates
    assert _named(rolled, "issuing-1-by-issuing-2") in store.certificates


@pytest.mark.either_database
def test_an_agency_that_is_certified_again_stays_with_its_newest_key(rolled: Core) -> None:
    agency = rolled.agencies.agency("dinas")
    assert certify_agency(rolled, agency, actor="test").issuer == "issuing-2"
    assert upkeep.report_lists_elsewhere(rolled) == 0
