"""The CMS bytes, judged by OpenSSL and asn1crypto."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from asn1crypto import cms as asn1_cms
from cryptography.hazmat.primitives.serialization import Encoding

from ca.cms import read_signed_data
from ca.errors import MalformedDer
from keys.model import SIGNATURE_ALGORITHMS, KeyAlgorithm
from signing.cms import SCHEMES, signed_attributes, signed_data, size_of_signed_data
from tests.signing.pdfs import letter, seal, tool
from tests.signing.pki import hierarchy

CONTENT = b"isi yang ditandatangani"


def sign(algorithm: KeyAlgorithm, token: bytes | None = None) -> bytes:
    root = hierarchy()
    identity, scheme = root.seal(algorithm), SCHEMES[algorithm]
    digest = hashlib.new(scheme.digest_name, CONTENT).digest()
    attributes = signed_attributes(
        scheme, digest, identity.certificate, hashlib.sha256(identity.certificate).digest()
    )
    signature = identity.sign(attributes)
    return signed_data(
        scheme,
        attributes=attributes,
        signature=signature,
        certificates=(identity.certificate, identity.chain[0]),
        timestamp_token=token or root.timestamper().token(hashlib.sha256(signature).digest()),
    )


@pytest.mark.parametrize("algorithm", SIGNATURE_ALGORITHMS)
def test_openssl_verifies_the_signature_and_the_path(algorithm: KeyAlgorithm, tmp_path: Path) -> None:
    (tmp_path / "signature.der").write_bytes(sign(algorithm))
    (tmp_path / "content").write_bytes(CONTENT)
    (tmp_path / "root.pem").write_bytes(hierarchy().root.certificate.public_bytes(Encoding.PEM))
    run = subprocess.run(
        [
            *(tool("openssl", "openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-cades"),
            *("-in", "signature.der", "-content", "content", "-CAfile", "root.pem", "-purpose", "any"),
            *("-attime", "1795316400", "-out", "verified"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "verified").read_bytes() == CONTENT


@pytest.mark.parametrize("algorithm", SIGNATURE_ALGORITHMS)
def test_the_encoding_is_der_with_the_attributes_that_pades_asks_for_and_no_signing_time(
    algorithm: KeyAlgorithm,
) -> None:
    encoded = sign(algorithm)
    parsed = asn1_cms.ContentInfo.load(encoded, strict=True)
    signer = parsed["content"]["signer_infos"][0]
    assert read_signed_data(encoded).certificates == tuple(
        sorted((hierarchy().seal(algorithm).certificate, hierarchy().issuing.encoded))
    )
    names = [attribute["type"].native for attribute in signer["signed_attrs"]]
    assert set(names) == {"content_type", "message_digest", "signing_certificate_v2"}
    assert [a["type"].native for a in signer["unsigned_attrs"]] == ["signature_time_stamp_token"]
    assert signer["digest_algorithm"]["algorithm"].native == SCHEMES[algorithm].digest_name


@pytest.mark.parametrize("algorithm", SIGNATURE_ALGORITHMS)
def test_the_space_foreseen_is_enough_and_not_wasted(algorithm: KeyAlgorithm) -> None:
    identity = hierarchy().seal(algorithm)
    token = hierarchy().timestamper().token(bytes(32))
    foreseen = size_of_signed_data(SCHEMES[algorithm], (identity.certificate, identity.chain[0]), len(token))
    sizes = [len(sign(algorithm, token)) for _ in range(20)]
    assert foreseen - 12 <= max(sizes) <= foreseen


def test_openssl_verifies_the_embedded_timestamp(tmp_path: Path) -> None:
    sealed, content = seal(letter())
    _, first, after, _ = sealed.byte_range
    value = bytes.fromhex(content[first + 1 : after - 1].decode()).rstrip(b"\0")
    cms = asn1_cms.ContentInfo.load(value)["content"]["signer_infos"][0]
    (tmp_path / "token.der").write_bytes(cms["unsigned_attrs"][0]["values"][0].dump())
    (tmp_path / "signature").write_bytes(cms["signature"].native)
    (tmp_path / "root.pem").write_bytes(hierarchy().root.certificate.public_bytes(Encoding.PEM))
    run = subprocess.run(
        [
            *(tool("openssl", "openssl"), "ts", "-verify", "-token_in", "-in", "token.der"),
            *("-data", "signature", "-CAfile", "root.pem", "-attime", "1795316400"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Verification: OK" in run.stdout, run.stdout + run.stderr


@pytest.mark.parametrize("cut", [0, 1, 5, 100, -1])
def test_truncated_values_are_malformed(cut: int) -> None:
    with pytest.raises(MalformedDer):
        read_signed_data(sign(KeyAlgorithm.EC_P256)[:cut])


def test_trailing_bytes_are_malformed() -> None:
    with pytest.raises(MalformedDer):
        read_signed_data(sign(KeyAlgorithm.EC_P256) + b"\0")
