"""The receipt: the signed payload in the QR code that says who issued what to whom, and when.

A receipt is a COSE_Sign1 (RFC 9052, 4.2) with ES256 over a CBOR map with integer keys:

=== ============ ==================================================================
key CBOR type    claim
=== ============ ==================================================================
0   unsigned     version of this table: 1
1   text         issuer, as printed
2   bytes (10)   document id
3   unsigned     document type (:mod:`signing.types`)
4   text         document number, as printed
5   text         holder, masked where it is a person; absent when there is none
6   unsigned     issue date, days since 1970-01-01
7   unsigned     last day of validity, days since 1970-01-01; absent when unlimited
8   unsigned     status index
9   bytes (32)   SHA-256 of the PDF before the stamp was drawn
=== ============ ==================================================================

The protected header is ``{1: -7, 4: kid}``, the unprotected header is empty, nothing else is accepted.
In the QR code the bytes stand as one decimal number behind a leading 0x01 byte, because a QR symbol packs
digits into 3 1/3 bits: 0.4 % above the bytes themselves, where base 64 costs a third.

There is exactly one encoding per receipt, and :func:`decode` accepts no other: CBOR in core deterministic
form (RFC 8949, 4.2.1), no unknown keys, no trailing bytes, no leading zeros, and only the lower of the two
equivalent ECDSA values. Two spellings of a receipt would be an attack surface.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signing.errors import ReceiptMalformed, ReceiptNotAuthentic
from signing.ids import ID_BYTES, id_from_bytes, id_to_bytes

VERSION: Final = 1
KEY_ID_BYTES: Final = 8
MAX_BYTES: Final = 1024
"""No genuine receipt comes near it; a QR symbol of version 40 holds 2,953 bytes."""

_MAX_DIGITS: Final = 2470  # of 0x01 followed by MAX_BYTES bytes
_EPOCH: Final = date(1970, 1, 1)
_LAST_DAY: Final = (date.max - _EPOCH).days
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_COSE_SIGN1_TAG: Final = 18


@dataclass(frozen=True, slots=True)
class Receipt:
    """The claims. ``source_digest`` is the SHA-256 of the PDF before the stamp (32 bytes)."""

    issuer: str
    document_id: str
    type_number: int
    number: str
    holder: str | None
    issued_on: date
    valid_until: date | None
    status_index: int
    source_digest: bytes


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A decoded receipt. Nothing in it is to be believed before :meth:`verify` has passed."""

    claims: Receipt
    key_id: bytes
    signature: bytes
    encoded: bytes

    def verify(self, public_key: ec.EllipticCurvePublicKey) -> None:
        """Check the signature with a key *from the trust store*, never one that came along.

        Raises :class:`signing.errors.ReceiptNotAuthentic`.
        """
        if not isinstance(public_key.curve, ec.SECP256R1):
            raise ReceiptNotAuthentic("The key named by the receipt is not a P-256 key.")
        r, s = int.from_bytes(self.signature[:32]), int.from_bytes(self.signature[32:])
        try:
            public_key.verify(
                encode_dss_signature(r, s),
                _to_be_signed(_protected(self.key_id), _payload(self.claims)),
                ec.ECDSA(SHA256()),
            )
        except InvalidSignature:
            raise ReceiptNotAuthentic(
                "The receipt was altered after it was issued: its signature does not match."
            ) from None


def key_id_of(public_key: ec.EllipticCurvePublicKey) -> bytes:
    """The COSE ``kid`` of a receipt key: the first 8 bytes of the SHA-256 of its SubjectPublicKeyInfo."""
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()[:KEY_ID_BYTES]


def encode(claims: Receipt, *, key_id: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Sign ``claims`` and return the COSE_Sign1 bytes.

    ``sign`` returns a DER ECDSA value over SHA-256 with the P-256 key that ``key_id`` names.
    """
    protected, payload = _protected(key_id), _payload(claims)
    r, s = decode_dss_signature(sign(_to_be_signed(protected, payload)))
    low_s = min(s, _P256_ORDER - s)
    signature = r.to_bytes(32) + low_s.to_bytes(32)
    return cbor2.dumps(cbor2.CBORTag(_COSE_SIGN1_TAG, [protected, {}, payload, signature]), canonical=True)


def decode(encoded: bytes) -> SignedReceipt:
    """Read COSE_Sign1 bytes strictly; raises :class:`signing.errors.ReceiptMalformed`. Verifies nothing."""
    if not 0 < len(encoded) <= MAX_BYTES:
        raise ReceiptMalformed(f"A receipt has at most {MAX_BYTES} bytes.")
    message = _load(encoded)
    if not isinstance(message, cbor2.CBORTag) or message.tag != _COSE_SIGN1_TAG:
        raise ReceiptMalformed("Not a COSE_Sign1 message.")
    parts = message.value
    if not isinstance(parts, list | tuple) or len(parts) != 4:
        raise ReceiptMalformed("A COSE_Sign1 message has four parts.")
    protected, unprotected, payload, signature = parts
    if not (isinstance(protected, bytes) and isinstance(payload, bytes) and isinstance(signature, bytes)):
        raise ReceiptMalformed("Header, payload and signature are byte strings.")
    if unprotected != {}:
        raise ReceiptMalformed("The unprotected header is empty.")
    header = _load(protected)
    if not isinstance(header, dict) or set(header) != {1, 4} or header[1] != -7:
        raise ReceiptMalformed("The protected header names ES256 and a key id, nothing else.")
    key_id = header[4]
    if not isinstance(key_id, bytes) or len(key_id) != KEY_ID_BYTES:
        raise ReceiptMalformed(f"The key id has {KEY_ID_BYTES} bytes.")
    if len(signature) != 64:
        raise ReceiptMalformed("An ES256 signature has 64 bytes.")
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    if not (0 < r < _P256_ORDER and 0 < s <= _P256_ORDER // 2):
        raise ReceiptMalformed("The signature is not in its one canonical form.")
    claims = _claims(_load(payload))
    canonical = cbor2.dumps(
        cbor2.CBORTag(_COSE_SIGN1_TAG, [_protected(key_id), {}, _payload(claims), signature]), canonical=True
    )
    if canonical != encoded:
        raise ReceiptMalformed("Not the canonical encoding of this receipt.")
    return SignedReceipt(claims=claims, key_id=key_id, signature=signature, encoded=encoded)


def to_digits(encoded: bytes) -> str:
    """The decimal form that stands in the QR code."""
    return str(int.from_bytes(b"\x01" + encoded))


def from_digits(digits: str) -> bytes:
    """The inverse of :func:`to_digits`; raises :class:`signing.errors.ReceiptMalformed`."""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS and digits[0] != "0"):
        raise ReceiptMalformed("A printed receipt is one decimal number without leading zeros.")
    number = int(digits)
    raw = number.to_bytes((number.bit_length() + 7) // 8)
    if raw[0] != 1 or len(raw) == 1:
        raise ReceiptMalformed("The number does not hold a receipt. Was it copied in full?")
    return raw[1:]


def link(public_url: str, document_id: str, encoded: bytes) -> str:
    """The content of the QR code: ``https://HOST/d/{id}#{digits}``.

    A plain camera opens the page; the part behind ``#`` never reaches the server.
    """
    return f"{public_url.rstrip('/')}/d/{document_id}#{to_digits(encoded)}"


def _protected(key_id: bytes) -> bytes:
    return b"\xa2\x01\x26\x04\x48" + key_id


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    return cbor2.dumps(["Signature1", protected, b"", payload], canonical=True)


def _payload(claims: Receipt) -> bytes:
    table: dict[int, object] = {
        0: VERSION,
        1: claims.issuer,
        2: id_to_bytes(claims.document_id),
        3: claims.type_number,
        4: claims.number,
        6: (claims.issued_on - _EPOCH).days,
        8: claims.status_index,
        9: claims.source_digest,
    }
    if claims.holder is not None:
        table[5] = claims.holder
    if claims.valid_until is not None:
        table[7] = (claims.valid_until - _EPOCH).days
    return cbor2.dumps(table, canonical=True)


def _load(encoded: bytes) -> Any:
    """One CBOR item and nothing behind it."""
    try:
        return cbor2.loads(encoded, max_depth=4, allow_indefinite=False, allow_duplicate_keys=False)
    except (cbor2.CBORError, ValueError, TypeError, ArithmeticError) as cause:
        raise ReceiptMalformed("Not well-formed CBOR.") from cause


def _claims(table: Any) -> Receipt:
    if not isinstance(table, dict) or not {0, 1, 2, 3, 4, 6, 8, 9} <= set(table) <= set(range(10)):
        raise ReceiptMalformed("A claim is missing or unknown.")
    if table[0] != VERSION:
        raise ReceiptMalformed("The receipt is of a newer version. Update this verifier.")
    issuer, raw_id, number, digest = table[1], table[2], table[4], table[9]
    holder = table.get(5)
    if not (isinstance(issuer, str) and isinstance(number, str) and isinstance(holder, str | None)):
        raise ReceiptMalformed("Issuer, number and holder are text.")
    if not (isinstance(raw_id, bytes) and len(raw_id) == ID_BYTES):
        raise ReceiptMalformed(f"The document id has {ID_BYTES} bytes.")
    if not (isinstance(digest, bytes) and len(digest) == 32):
        raise ReceiptMalformed("The digest has 32 bytes.")
    return Receipt(
        issuer=issuer,
        document_id=id_from_bytes(raw_id),
        type_number=_unsigned(table[3], 2**16 - 1),
        number=number,
        holder=holder,
        issued_on=_day(table[6]),
        valid_until=_day(table[7]) if 7 in table else None,
        status_index=_unsigned(table[8], 2**63 - 1),
        source_digest=digest,
    )


def _unsigned(value: Any, highest: int) -> int:
    if type(value) is not int or not 0 <= value <= highest:
        raise ReceiptMalformed("A number in the receipt is out of range.")
    return value


def _day(value: Any) -> date:
    return _EPOCH + timedelta(days=_unsigned(value, _LAST_DAY))
