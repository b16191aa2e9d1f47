"""Journeys 1 and 2 over real HTTP, with everybody's tools as judges of what comes out."""

from __future__ import annotations

import io
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zxingcpp
from asn1crypto import cms as asn1_cms
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from PIL import Image
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import DocumentSecurityStore

from app.demo import sample_documents
from app.demo.model import SampleDocument
from benchmarks.peers.pyhanko_validation import Validator
from tests.conftest import Serve
from tests.journeys.conftest import House
from tests.support.needs import requires, tool_path
from tests.support.server import absah

pytestmark = [pytest.mark.network, requires("pdfsig", "pdftoppm", "qpdf", "openssl", "zbarimg")]

SAMPLES = sample_documents()


@pytest.mark.either_database
def test_every_sample_document_seals_prints_and_verifies(house: House) -> None:
    for sample in SAMPLES:
        document, sealed = house.seal_sample(sample)
        path = house.folder / f"{sample.slug}.pdf"
        path.write_bytes(sealed)
        _other_software_agrees(path)
        link = _code_on_the_print(path)
        assert link == document["links"]["page"]
        # The link on the paper leads to a page that says what the paper says.
        page = house.http.get(link.partition("#")[0])
        assert page.status_code == 200
        for printed in (sample.number, sample.signatory):
            assert printed in page.text
        assert house.upload(sealed).json()["outcome"] == "valid"
        by_receipt = house.http.post("/v1/verifications", json={"link": link}).json()
        assert by_receipt["outcome"] == "valid"
        _says_nothing_private(sample, page.text, house.upload(sealed).text)


def test_evidence_in_the_file_satisfies_openssl(house: House) -> None:
    _, sealed = house.seal_sample(SAMPLES[0])
    reader = PdfFileReader(io.BytesIO(sealed), strict=False)
    signature = reader.embedded_signatures[0]
    store = DocumentSecurityStore.read_dss(reader)
    by_name = {
        certificate.subject.native["common_name"]: x509.load_der_x509_certificate(certificate.dump())
        for certificate in store.load_certs()
    }
    roots = [c for c in by_name.values() if c.subject == c.issuer]
    others = [c for c in by_name.values() if c.subject != c.issuer]
    (house.folder / "root.pem").write_bytes(_pem(*roots))
    (house.folder / "others.pem").write_bytes(_pem(*others))
    lists = [x509.load_der_x509_crl(entry.get_object().data) for entry in store.crls]
    lists.append(x509.load_der_x509_crl(_fetched_crl(house, others)))
    (house.folder / "lists.pem").write_bytes(b"".join(entry.public_bytes(Encoding.PEM) for entry in lists))
    leaf = x509.load_der_x509_certificate(signature.signer_cert.dump())
    (house.folder / "leaf.pem").write_bytes(_pem(leaf))
    # 1. The certificate, strictly, with revocation of every certificate of the path.
    _openssl(
        house.folder,
        *("verify", "-x509_strict", "-crl_check_all", "-CRLfile", "lists.pem"),
        *("-CAfile", "root.pem", "-untrusted", "others.pem", "leaf.pem"),
    )
    # 2. The time-stamp over the signature value.
    signer = signature.signer_info
    token = next(
        attribute["values"][0]
        for attribute in signer["unsigned_attrs"]
        if attribute["type"].native == "signature_time_stamp_token"
    )
    (house.folder / "token.der").write_bytes(asn1_cms.ContentInfo.load(token.dump()).dump())
    (house.folder / "signature.bin").write_bytes(signer["signature"].native)
    _openssl(
        house.folder,
        *("ts", "-verify", "-data", "signature.bin", "-in", "token.der", "-token_in"),
        *("-CAfile", "root.pem", "-untrusted", "others.pem"),
    )
    # 3. The live OCSP responder.
    issuing = next(c for c in others if c.subject == leaf.issuer)
    (house.folder / "issuing.pem").write_bytes(_pem(issuing))
    [responder] = [
        access.access_location.value
        for access in leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        if access.access_method == x509.AuthorityInformationAccessOID.OCSP
    ]
    answer = _openssl(
        house.folder,
        *("ocsp", "-issuer", "issuing.pem", "-cert", "leaf.pem", "-url", responder, "-CAfile", "root.pem"),
    )
    assert "leaf.pem: good" in answer
    # 4. pyHanko's AdES validation: PASSED, or the peer raises.
    Validator(roots[0].public_bytes(Encoding.DER)).validate(sealed)


@pytest.mark.either_database
def test_pdf_and_receipt_verify_with_the_service_stopped(
    house: House, request: pytest.FixtureRequest
) -> None:
    document, sealed = house.seal_sample(SAMPLES[0])
    path = house.folder / "sealed.pdf"
    path.write_bytes(sealed)
    link = document["links"]["page"]
    digits = link.partition("#")[2]
    house.server.stop()
    request.addfinalizer(house.server.start)
    offline = house.settings | {"ABSAH_DATABASE_URL": "postgresql+psycopg://absah@127.0.0.1:9/absah"}
    for subject in (path, link, digits):
        told = absah("verify", "--offline", subject, settings=offline, check=False)
        assert told.returncode == 0, told.stdout + told.stderr
    # Asked for the current state, it does not guess: the register is out of reach.
    assert absah("verify", path, settings=offline, check=False).returncode == 2
    changed = bytearray(sealed)
    changed[len(SAMPLES[0].pdf) // 2] ^= 4
    path.write_bytes(changed)
    assert absah("verify", "--offline", path, settings=offline, check=False).returncode == 1
    altered = digits[:-3] + ("000" if digits[-3:] != "000" else "001")
    assert absah("verify", "--offline", altered, settings=offline, check=False).returncode == 1


def test_a_print_of_a_copied_code_shows_what_was_really_issued(house: House) -> None:
    document, _ = house.seal_sample(SAMPLES[0])
    other, _ = house.seal_sample(SAMPLES[1])
    _, digits = other["links"]["page"].split("#")
    swapped = f"{house.server.base_url}/d/{document['id']}#{digits}"
    verdict = house.http.post("/v1/verifications", json={"link": swapped}).json()
    assert verdict["outcome"] == "file_differs"


def test_documents_are_listed_revoked_and_superseded(house: House) -> None:
    first, first_pdf = house.seal_sample(SAMPLES[0])
    answer = house.seal(SAMPLES[0].pdf, supersedes=first["id"])
    assert answer.status_code == 201, answer.text
    second = answer.json()
    assert [document["id"] for document in house.documents()][:2] == [second["id"], first["id"]]
    assert house.http.get(f"/v1/verifications/{first['id']}").json()["outcome"] == "superseded"
    assert house.upload(first_pdf).json()["outcome"] == "superseded"
    revocation = f"/v1/documents/{second['id']}/revocation"
    for _ in range(2):
        revoked = house.http.post(revocation, headers=house.client.bearer, json={"reason": "fraud"})
        assert revoked.status_code == 200
    verdict = house.http.get(f"/v1/verifications/{second['id']}").json()
    assert verdict["outcome"] == "revoked"
    refused = house.http.post(
        f"/v1/documents/{second['id']}/supersession",
        headers=house.client.bearer,
        json={"successor": first["id"]},
    )
    assert refused.status_code == 409, "a revoked document stays revoked"
    withdrawn = house.http.post(
        f"/v1/documents/{first['id']}/revocation", headers=house.client.bearer, json={"reason": "fraud"}
    )
    assert withdrawn.status_code == 200, "what was replaced may turn out to be forged"
    assert house.upload(first_pdf).json()["outcome"] == "revoked"


def test_the_public_process_alone_answers_and_shows_revocation_at_once(house: House, serve: Serve) -> None:
    document, sealed = house.seal_sample(SAMPLES[0])
    public = serve(house.settings, "--public")
    asked = f"/v1/verifications/{document['id']}"
    assert public.http.get(asked).json()["outcome"] == "valid"
    assert (
        public.http.post("/v1/verifications", files={"file": ("x.pdf", sealed)}).json()["outcome"] == "valid"
    )
    assert public.http.post("/v1/documents").status_code == 404
    house.http.post(
        f"/v1/documents/{document['id']}/revocation", headers=house.client.bearer, json={"reason": "fraud"}
    )
    assert public.http.get(asked).json()["outcome"] == "revoked"


def test_samples_of_a_sandbox_client_never_verify_as_real(house: House) -> None:
    sandbox = house.add_agency("latihan", "--sandbox")
    trainee = House(house.settings, house.server, sandbox, house.folder)
    document, sealed = trainee.seal_sample(SAMPLES[0])
    assert document["is_sample"]
    assert house.http.get(f"/v1/verifications/{document['id']}").json()["outcome"] != "valid"
    assert house.upload(sealed).json()["outcome"] != "valid"


def _other_software_agrees(path: Path) -> None:
    told = subprocess.run([tool_path("pdfsig"), "-nocert", path], capture_output=True, text=True, check=True)
    assert "Signature Validation: Signature is Valid." in told.stdout
    assert "Total document signed" in told.stdout
    subprocess.run([tool_path("qpdf"), "--check", path], capture_output=True, check=True)


def _code_on_the_print(path: Path) -> str:
    """What two independent readers see on the stamped page at 200 dpi."""
    folder = path.with_suffix("")
    folder.mkdir()
    subprocess.run([tool_path("pdftoppm"), "-r", "200", "-gray", "-png", path, folder / "page"], check=True)
    seen: set[str] = set()
    for picture in sorted(folder.glob("*.png")):
        with Image.open(picture) as image:
            ours = {code.text for code in zxingcpp.read_barcodes(image, zxingcpp.BarcodeFormat.QRCode)}
        zbar = subprocess.run(
            [tool_path("zbarimg"), "--quiet", "--raw", picture], capture_output=True, text=True, check=False
        )
        theirs = set(zbar.stdout.split())
        assert ours == theirs, f"two readers disagree about {picture.name}"
        seen |= ours
    [link] = seen
    return link


def _says_nothing_private(sample: SampleDocument, *answers: str) -> None:
    if sample.holder is None or sample.holder.kind != "person":
        return
    for answer in answers:
        for word in sample.holder.name.split():
            assert word not in answer


def _pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def _fetched_crl(house: House, certificates: list[x509.Certificate]) -> bytes:
    """The issuing CA's list, from the address that its certificates name."""
    for certificate in certificates:
        try:
            points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        except x509.ExtensionNotFound:
            continue
        names = points[0].full_name
        assert names is not None
        if "issuing" in names[0].value:
            answer = house.http.get(names[0].value)
            assert answer.status_code == 200
            assert x509.load_der_x509_crl(answer.content).next_update_utc > datetime.now(UTC)  # type: ignore[operator]
            return answer.content
    raise AssertionError("no certificate names the issuing CA's revocation list")


def _openssl(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [tool_path("openssl"), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
