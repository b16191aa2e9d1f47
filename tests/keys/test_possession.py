"""A key that waits signs a certification request of its own, and no other bytes whatever they are."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from asn1crypto import cms, csr, ocsp, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import strategies as st

from keys.errors import KeyNotUsable
from keys.possession import LARGEST, require_request

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Absah Issuing CA")])


@cache
def private_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def spki(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None) -> bytes:
    public = (key or private_key()).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@cache
def info() -> bytes:
    """A CertificationRequestInfo as `absah ca request` writes it."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(NAME)
    builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
    return builder.sign(private_key(), hashes.SHA256()).tbs_certrequest_bytes


def to_be_signed_certificate() -> bytes:
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).serial_number(1)
    builder = builder.public_key(private_key().public_key()).not_valid_before(NOW)
    return (
        builder.not_valid_after(NOW + timedelta(1)).sign(private_key(), hashes.SHA256()).tbs_certificate_bytes
    )


def to_be_signed_list() -> bytes:
    builder = x509.CertificateRevocationListBuilder().issuer_name(NAME).last_update(NOW)
    builder = builder.next_update(NOW + timedelta(1))
    number = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), spki())
    return builder.add_extension(number, False).sign(private_key(), hashes.SHA256()).tbs_certlist_bytes


def ocsp_answer() -> bytes:
    answer = ocsp.ResponseData(
        {
            "responder_id": ocsp.ResponderId("by_key", hashlib.sha1(spki()).digest()),
            "produced_at": NOW,
            "responses": [],
            "response_extensions": [{"extn_id": "1.2.3", "extn_value": spki()}],
        }
    )
    return bytes(answer.dump())


def time_stamp() -> bytes:
    stamp = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.2.3",
            "message_imprint": {
                "hash_algorithm": {"algorithm": "sha256"},
                "hashed_message": hashlib.sha256(spki()).digest(),
            },
            "serial_number": int.from_bytes(spki(), "big"),
            "gen_time": NOW,
        }
    )
    return bytes(stamp.dump())


def signed_attributes() -> bytes:
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": ["data"]},
            {"type": "message_digest", "values": [hashlib.sha256(b"").digest()]},
            {"type": "1.2.3", "values": [cms.OctetString(spki())]},
        ]
    )
    return bytes(attributes.dump())


@pytest.mark.parametrize(
    "other",
    [
        to_be_signed_certificate,
        to_be_signed_list,
        ocsp_answer,
        time_stamp,
        signed_attributes,
        lambda: b'{"type":"absah key decision v1","verdict":"approve"}' + spki(),
        lambda: base64.urlsafe_b64encode(json.dumps({"alg": "ES256"}).encode()) + b"." + spki(),
        lambda: b"\x84\x6aSignature1\x40\x40\x58\x5b" + spki(),  # COSE Sig_structure (RFC 9052, 4.4)
        spki,
        lambda: b"",
    ],
)
def test_nothing_else_that_is_ever_signed_passes_for_a_request(other: Callable[[], bytes]) -> None:
    with pytest.raises(KeyNotUsable):
        require_request(other(), spki())


def test_a_request_for_the_key_itself_is_signed_and_for_no_other() -> None:
    require_request(info(), spki())
    with pytest.raises(KeyNotUsable, match="another key"):
        require_request(info(), spki(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(KeyNotUsable, match="of its own"):
        require_request(info(), b"")  # a secret key has no public half


def test_a_key_of_any_algorithm_may_ask_for_its_certificate() -> None:
    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 3072)):
        builder = x509.CertificateSigningRequestBuilder().subject_name(NAME)
        require_request(builder.sign(key, hashes.SHA384()).tbs_certrequest_bytes, spki(key))


def test_a_request_is_whole_and_alone() -> None:
    for wrong in (info() + b"\x00", b"\x00" + info(), info()[:-1], info() + info(), b"\x30\x00" + info()):
        with pytest.raises(KeyNotUsable):
            require_request(wrong, spki())
    with pytest.raises(KeyNotUsable):
        require_request(bytes(LARGEST) + info(), spki())


@given(before=st.binary(max_size=60), after=st.binary(max_size=60))
@example(before=b"\x30\x81\x7e", after=b"")
def test_bytes_around_the_key_make_no_request(before: bytes, after: bytes) -> None:
    with pytest.raises(KeyNotUsable):
        require_request(before + spki() + after, spki())


@given(at=st.integers(0, 10_000), to=st.integers(0, 255))
def test_what_passes_after_one_changed_byte_is_still_a_request_for_the_key(at: int, to: int) -> None:
    changed = bytearray(info())
    changed[at % len(changed)] = to
    try:
        require_request(bytes(changed), spki())
    except KeyNotUsable:
        return
    read = csr.CertificationRequestInfo.load(bytes(changed), strict=True)
    assert read["version"].native == "v1"
    assert read["subject_pk_info"].dump() == spki()
    assert read["attributes"].dump()[0] == 0xA0  # where the others have a signature algorithm or a time
