"""Verifiers that are not ours, with nothing but the file, the root and the new lists."""

from __future__ import annotations

import asyncio
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import DocumentSecurityStore, ades
from pyhanko.sign.validation.policy_decl import (
    CertificateFetchingRule,
    LocalKnowledge,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
    bootstrap_validation_data_handlers,
)
from pyhanko.sign.validation.status import PdfSignatureStatus
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.poe import POEManager
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer

from ca.model import ListScope, ProfileName
from ca.ocsp import IssuerHashes
from ca.tables import Certificates, Crls
from keys.model import KeyPurpose
from signing.archive import root_of, stamped_root
from signing.tables import DocumentTable
from tests.app.compromise.conftest import Town, finish
from tests.support.needs import requires


def pyhanko(town: Town, document: str) -> str:
    """Plain pyHanko over the file and the lists that relying parties can fetch: its own word.

    Without the answers of before the loss that lie in the file: it is content with the first good one.
    """
    with town.core.database.read() as tx:
        authorities = Certificates(tx).of_profile(ProfileName.ISSUING)
        roots = Certificates(tx).of_profile(ProfileName.ROOT)
        lists = [Crls(tx).latest(ListScope(one.name)) for one in (*roots, *authorities)]
    knowledge = LocalKnowledge(
        known_certs=[asn1_x509.Certificate.load(one.der) for one in authorities],
        known_crls=[CRLContainer(asn1_crl.CertificateList.load(one.der)) for one in lists if one is not None],
    )
    specification = SignatureValidationSpec(
        cert_validation_policy=CertValidationPolicySpec(
            trust_manager=SimpleTrustManager.build(
                trust_roots=[asn1_x509.Certificate.load(one.der) for one in roots]
            ),
            revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO, retroactive_revinfo=True),
        ),
        revinfo_gathering_policy=RevocationInfoGatheringSpec(
            online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY,
            certificate_fetching_rule=CertificateFetchingRule.NEVER_FETCH,
        ),
        local_knowledge=knowledge,
    )
    now = town.clock()
    timing = ValidationTimingInfo(now, now, point_in_time_validation=False)
    reader = PdfFileReader(BytesIO(town.file(document)))
    signature = reader.embedded_signatures[0]
    signature.compute_integrity_info()
    knowledge.known_certs.extend(DocumentSecurityStore.read_dss(reader).load_certs())
    result = asyncio.run(
        ades.ades_with_time_validation(
            signature.signed_data,
            specification,
            timing_info=timing,
            raw_digest=signature.compute_digest(),
            validation_data_handlers=bootstrap_validation_data_handlers(
                specification,
                timing_info=timing,
                poe_manager_override=POEManager(current_dt_override=now),
            ),
            extra_status_kwargs=signature.summarise_integrity_info(),
            status_cls=PdfSignatureStatus,
        )
    )
    return result.ades_subindic.standard_name


@pytest.mark.either_database
def test_pyhanko_trusts_what_was_sealed_before_the_loss_and_nothing_of_after_it(town: Town) -> None:
    finish(town, town.open())
    assert [pyhanko(town, one) for one in town.before] == ["OK"] * 3
    for one in town.after:
        assert "REVOKED" in pyhanko(town, one)
        assert pyhanko(town, str(town.document(one).superseded_by)) == "OK"


def run(*words: str | Path, check: bool = True) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.either_database
@requires("openssl")
def test_openssl_hears_it_from_the_list_and_from_ocsp(town: Town, tmp_path: Path) -> None:
    lost = town.key
    finish(town, town.open())
    core = town.core
    (old,) = town.answer.certificates(lost)
    (new,) = town.answer.certificates(town.key)
    with core.database.read() as tx:
        register = Certificates(tx)
        issuing, root = register.by_name("issuing-1"), register.by_name("root-1")
    assert issuing is not None
    assert root is not None
    files = {"root": root.der, "issuing": issuing.der, "old": old.der, "new": new.der}
    for name, encoded in files.items():
        pem = x509.load_der_x509_certificate(encoded).public_bytes(Encoding.PEM)
        (tmp_path / f"{name}.pem").write_bytes(pem)
    lists = [core.revocation.current_crl(name).der for name in ("root-1", "issuing-1", "issuing-1-p1")]
    (tmp_path / "lists.pem").write_bytes(
        b"".join(x509.load_der_x509_crl(one).public_bytes(Encoding.PEM) for one in lists)
    )
    verify = [
        *("openssl", "verify", "-x509_strict", "-crl_check_all", "-extended_crl"),
        *("-attime", str(int(town.clock().timestamp()))),
        *("-CAfile", tmp_path / "root.pem", "-untrusted", tmp_path / "issuing.pem"),
        *("-CRLfile", tmp_path / "lists.pem"),
    ]
    assert "certificate revoked" in run(*verify, tmp_path / "old.pem", check=False)
    assert "OK" in run(*verify, tmp_path / "new.pem")
    # The list dates it back to the loss, in both places.
    text = run("openssl", "crl", "-in", tmp_path / "lists.pem", "-noout", "-text", check=False)
    shown = "".join(
        run("openssl", "crl", "-inform", "DER", "-in", _written(tmp_path, one), "-noout", "-text")
        for one in lists[1:]
    )
    moment = f"{town.lost_at:%b} {town.lost_at.day:2} {town.lost_at:%H:%M:%S %Y} GMT"
    assert shown.count(f"Revocation Date: {moment}") == 2
    assert shown.count("Key Compromise") == 2
    assert shown.count("Invalidity Date") == 2
    assert text
    # And OCSP says the same.
    asked = IssuerHashes(x509.load_der_x509_certificate(issuing.der)).cert_id(old.serial)
    assert asked.serial == old.serial
    (tmp_path / "answer.der").write_bytes(core.revocation.answer_for(old))
    said = run(
        *("openssl", "ocsp", "-respin", tmp_path / "answer.der", "-noverify", "-text"),
        check=False,
    )
    assert "Cert Status: revoked" in said
    assert "keyCompromise" in said
    assert f"Revocation Time: {moment}" in said


def _written(folder: Path, content: bytes) -> Path:
    path = folder / "one.crl"
    path.write_bytes(content)
    return path


@pytest.mark.either_database
@requires("openssl")
@pytest.mark.parametrize("which", ["before", "after"])
def test_openssl_accepts_the_new_time_of_what_a_lost_unit_stamped(
    town: Town, tmp_path: Path, which: str
) -> None:
    finish(town, town.open(town.core.keys.newest(KeyPurpose.TIMESTAMPING).id))
    document = town.document(getattr(town, which)[0])
    assert document.sealed_digest is not None
    core = town.core
    with core.database.read() as tx:
        ((token, path),) = DocumentTable(tx).evidence_of(document.id)
        issuing, root = Certificates(tx).by_name("issuing-1"), Certificates(tx).by_name("root-1")
    assert issuing is not None
    assert root is not None
    root_digest = root_of(document.sealed_digest, path)
    assert root_digest == stamped_root(token)
    (tmp_path / "token.der").write_bytes(token)
    for name, record in (("root", root), ("issuing", issuing)):
        pem = x509.load_der_x509_certificate(record.der).public_bytes(Encoding.PEM)
        (tmp_path / f"{name}.pem").write_bytes(pem)
    said = run(
        *(
            "openssl",
            "ts",
            "-verify",
            "-digest",
            root_digest.hex(),
            "-in",
            tmp_path / "token.der",
            "-token_in",
        ),
        *("-CAfile", tmp_path / "root.pem", "-untrusted", tmp_path / "issuing.pem"),
        *("-attime", str(int(town.clock().timestamp()))),
    )
    assert "Verification: OK" in said
