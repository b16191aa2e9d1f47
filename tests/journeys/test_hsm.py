"""A service whose every key is in a token that can be cut off: it seals, refuses in time, and seals again."""

from __future__ import annotations

import io
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader

from app.demo import sample_documents
from tests.journeys.conftest import House, add_agency
from tests.support.hsm import Hsm, Wire, made_hsm, wire
from tests.support.needs import requires, tool_path
from tests.support.server import RunningServer, absah, free_port

pytestmark = [pytest.mark.network, requires("softhsm2-util", "pkcs11-tool", "p11-kit", "openssl")]

SAMPLE = sample_documents()[0]


@dataclass(frozen=True)
class Vault:
    """The service, its token, and the wire between them."""

    house: House
    hsm: Hsm
    wire: Wire


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    folder = tmp_path_factory.mktemp("hsm-house")
    with ExitStack() as closing:
        hsm = closing.enter_context(made_hsm())
        line = Wire(hsm)
        closing.callback(line.cut)
        line.join()
        port = free_port()
        settings = hsm.settings(wire()) | {
            "P11_KIT_SERVER_ADDRESS": line.address,
            "ABSAH_KEYS_STORES": "pkcs11 wrapping=software",  # this wire does not carry AES-GCM
            "ABSAH_DATA_DIR": str(folder / "data"),
            "ABSAH_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "ABSAH_SERVER_WORKERS": "2",
        }
        absah("init", settings=settings)
        server = RunningServer(settings, (), folder / "serve.log", port)
        closing.callback(server.close)
        server.start()
        client = add_agency(settings, server, "dpmptsp")
        yield Vault(House(settings, server, client, folder), hsm, line)


def test_what_is_sealed_in_the_token_verifies_and_no_key_that_signs_is_anywhere_else(vault: Vault) -> None:
    house = vault.house
    _, sealed = house.seal_sample(SAMPLE)
    path = house.folder / "sealed.pdf"
    path.write_bytes(sealed)
    assert house.upload(sealed).json()["outcome"] == "valid"
    told = absah("verify", "--offline", path, settings=house.settings)
    assert told.returncode == 0
    listed = absah("keys", "list", settings=house.settings).stdout
    assert listed.count(" software ") == 1
    seen = vault.hsm.tool("--list-objects")
    for purpose in ("root-ca", "issuing-ca", "timestamping", "ocsp", "receipt", "token", "seal"):
        assert f"label:      {purpose}-" in seen


def test_time_stamps_answers_and_lists_signed_in_the_token_satisfy_openssl(vault: Vault) -> None:
    house, folder = vault.house, vault.house.folder
    trust = folder / "data" / "trust"
    for name, kind in (("root-1.crt", "x509"), ("issuing-1.crt", "x509"), ("issuing-1.crl", "crl")):
        _openssl(folder, kind, "-inform", "der", "-in", str(trust / name), "-out", f"{name}.pem")
    authorities = ("-CAfile", "root-1.crt.pem", "-untrusted", "issuing-1.crt.pem")
    # 1. A time-stamp.
    _openssl(folder, "ts", "-query", "-data", __file__, "-sha256", "-cert", "-out", "query.tsq")
    stamped = house.http.post(
        "/tsa",
        content=(folder / "query.tsq").read_bytes(),
        headers={"Content-Type": "application/timestamp-query"},
    )
    (folder / "reply.tsr").write_bytes(stamped.content)
    _openssl(folder, "ts", "-verify", "-queryfile", "query.tsq", "-in", "reply.tsr", *authorities)
    # 2. A revocation list.
    _openssl(folder, "crl", "-in", "issuing-1.crl.pem", "-CAfile", "issuing-1.crt.pem", "-noout", "-verify")
    # 3. The live OCSP responder, about the seal's certificate.
    _, sealed = house.seal_sample(SAMPLE)
    signature = PdfFileReader(io.BytesIO(sealed), strict=False).embedded_signatures[0]
    leaf = x509.load_der_x509_certificate(signature.signer_cert.dump())
    (folder / "leaf.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    issuer = ("-issuer", "issuing-1.crt.pem", "-cert", "leaf.pem", "-CAfile", "root-1.crt.pem")
    [responder] = [
        access.access_location.value
        for access in leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        if access.access_method == x509.AuthorityInformationAccessOID.OCSP
    ]
    assert "leaf.pem: good" in _openssl(folder, "ocsp", *issuer, "-url", responder)


def test_a_token_that_is_cut_off_is_answered_with_retry_later_and_serves_again_when_joined(
    vault: Vault,
) -> None:
    house = vault.house
    vault.wire.cut()
    for _ in range(3):
        refused = house.seal(SAMPLE.pdf, number="503/1/2026")
        assert refused.status_code == 503, refused.text
        assert refused.headers["Retry-After"]
    assert house.http.get("/readyz").status_code == 503
    vault.wire.join()
    deadline = time.monotonic() + 30
    while house.seal(SAMPLE.pdf, number="503/2/2026").status_code != 201:
        assert time.monotonic() < deadline, "the service did not come back"
        time.sleep(0.2)
    assert house.http.get("/readyz").status_code == 200
    assert 'absah_hsm_errors_total{error="' in house.http.get("/metrics").text


def _openssl(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [tool_path("openssl"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
