"""One receipt, one spelling; any other spelling and any changed bit is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from signing import ids, receipt
from signing.errors import ReceiptMalformed, ReceiptNotAuthentic
from signing.receipt import Receipt

KEY = ec.generate_private_key(ec.SECP256R1())
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

SAMPLE = Receipt(
    issuer="Dinas Penanaman Modal dan PTSP Kabupaten Nusa Permata",
    document_id="7K3M9QXF4TB2W6ZD",
    type_number=1,
    number="503/0217/IUMK/DPMPTSP/2026",
    holder="B*** S***",
    issued_on=date(2026, 11, 22),
    valid_until=date(2031, 11, 21),
    status_index=123456,
    source_digest=bytes(range(32)),
)

text = st.text(st.characters(blacklist_categories=["Cs"]), max_size=60)
receipts = st.builds(
    Receipt,
    issuer=text,
    document_id=st.binary(min_size=10, max_size=10).map(ids.id_from_bytes),
    type_number=st.integers(0, 65535),
    number=text,
    holder=st.none() | text,
    issued_on=st.dates(min_value=date(1970, 1, 1)),
    valid_until=st.none() | st.dates(min_value=date(1970, 1, 1)),
    status_index=st.integers(0, 2**63 - 1),
    source_digest=st.binary(min_size=32, max_size=32),
)


def sign(data: bytes) -> bytes:
    return KEY.sign(data, ec.ECDSA(SHA256()))


def signed(claims: Receipt = SAMPLE) -> bytes:
    return receipt.encode(claims, key_id=receipt.key_id_of(KEY.public_key()), sign=sign)


@given(receipts)
def test_what_was_encoded_is_what_is_decoded_and_it_verifies(claims: Receipt) -> None:
    found = receipt.decode(receipt.from_digits(receipt.to_digits(signed(claims))))
    assert found.claims == claims
    found.verify(KEY.public_key())


def test_every_flipped_bit_is_either_malformed_or_not_authentic() -> None:
    encoded = signed()
    for position in range(len(encoded) * 8):
        changed = bytearray(encoded)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises((ReceiptMalformed, ReceiptNotAuthentic)):
            receipt.decode(bytes(changed)).verify(KEY.public_key())


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_malformed_never_a_crash(noise: bytes) -> None:
    with pytest.raises(ReceiptMalformed):
        receipt.decode(noise)


@given(st.binary(max_size=200), st.integers(0, 260))
def test_bytes_spliced_into_a_receipt_are_refused_never_a_crash(noise: bytes, at: int) -> None:
    encoded = signed()
    spliced = encoded[:at] + noise + encoded[at + len(noise) :]
    if spliced == encoded:
        return
    with pytest.raises((ReceiptMalformed, ReceiptNotAuthentic)):
        receipt.decode(spliced).verify(KEY.public_key())


@given(st.text(max_size=80))
def test_arbitrary_text_is_not_a_printed_receipt(noise: str) -> None:
    if noise.isascii() and noise.isdigit() and noise[0] != "0":
        return
    with pytest.raises(ReceiptMalformed):
        receipt.from_digits(noise)


@pytest.mark.parametrize("digits", ["", "0", "1", "01", "255", "٣", "１２", "9" * 2471, "+1", "1 "])
def test_digits_that_hold_no_receipt_are_refused(digits: str) -> None:
    with pytest.raises(ReceiptMalformed):
        receipt.from_digits(digits)


def test_the_other_equivalent_ecdsa_value_is_refused() -> None:
    encoded = signed()
    s = int.from_bytes(encoded[-32:])
    with pytest.raises(ReceiptMalformed, match="canonical"):
        receipt.decode(encoded[:-32] + (ORDER - s).to_bytes(32))


def test_a_signer_that_returns_high_s_still_gives_the_one_encoding() -> None:
    def sign_high(data: bytes) -> bytes:
        r, s = decode_dss_signature(sign(data))
        return encode_dss_signature(r, max(s, ORDER - s))

    encoded = receipt.encode(SAMPLE, key_id=receipt.key_id_of(KEY.public_key()), sign=sign_high)
    receipt.decode(encoded).verify(KEY.public_key())


def _with_parts(**changes: Any) -> bytes:
    tag = cbor2.loads(signed())
    parts = dict(zip(("protected", "unprotected", "payload", "signature"), tag.value, strict=True)) | changes
    return cbor2.dumps(cbor2.CBORTag(18, list(parts.values())))


def _with_claims(change: dict[int, Any], drop: int | None = None) -> bytes:
    claims = cbor2.loads(cbor2.loads(signed()).value[2]) | change
    claims.pop(drop, None)
    return _with_parts(payload=cbor2.dumps(claims, canonical=True))


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("trailing byte", signed() + b"\x00"),
        ("no tag", cbor2.dumps(cbor2.loads(signed()).value)),
        ("another tag", cbor2.dumps(cbor2.CBORTag(17, cbor2.loads(signed()).value))),
        ("unprotected header", _with_parts(unprotected={4: b"x"})),
        ("algorithm EdDSA", _with_parts(protected=cbor2.dumps({1: -8, 4: bytes(8)}))),
        ("no key id", _with_parts(protected=cbor2.dumps({1: -7}))),
        ("critical header", _with_parts(protected=cbor2.dumps({1: -7, 2: [1], 4: bytes(8)}))),
        ("signature of 63 bytes", _with_parts(signature=bytes(63))),
        ("signature of zeros", _with_parts(signature=bytes(64))),
        ("unknown claim", _with_claims({10: 1})),
        ("missing claim", _with_claims({}, drop=9)),
        ("text key", _with_claims({"1": 1})),  # type: ignore[dict-item]
        ("version 2", _with_claims({0: 2})),
        ("boolean as number", _with_claims({3: True})),
        ("float as number", _with_claims({3: 1.0})),
        ("date out of range", _with_claims({6: 10**9})),
        ("negative date", _with_claims({6: -1})),
        ("short id", _with_claims({2: bytes(9)})),
        ("short digest", _with_claims({9: bytes(31)})),
        ("null holder", _with_claims({5: None})),
        ("more than the limit", bytes(1025)),
        ("empty", b""),
    ],
)
def test_a_receipt_in_any_other_form_is_malformed(name: str, encoded: bytes) -> None:
    with pytest.raises(ReceiptMalformed):
        receipt.decode(encoded)


def test_another_key_and_another_curve_do_not_verify_it() -> None:
    found = receipt.decode(signed())
    for curve in (ec.SECP256R1(), ec.SECP384R1()):
        with pytest.raises(ReceiptNotAuthentic):
            found.verify(ec.generate_private_key(curve).public_key())


def test_a_typical_receipt_fits_a_code_that_prints_small() -> None:
    assert len(signed()) <= 280


@given(st.binary(min_size=10, max_size=10))
def test_ids_survive_print_and_typing(raw: bytes) -> None:
    document_id = ids.id_from_bytes(raw)
    assert ids.id_to_bytes(document_id) == raw
    assert ids.parse_id(ids.grouped(document_id).lower()) == document_id


def test_ids_forgive_the_letters_that_people_confuse() -> None:
    assert ids.parse_id(" oilk-3m9q-xf4t-b2w6 ") == "011K3M9QXF4TB2W6"
    assert ids.parse_id("U" * 16) is None
    assert ids.parse_id("") is None
    assert ids.parse_id("0" * 100) is None
