"""What a key in the token must be, how that is asked for, and how it is read back.

A token is free to ignore a template, so nothing that was asked for is believed before it was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass

from keys.errors import TokenUnfit
from keys.model import KeyAlgorithm

RSA_BITS: Final = 3072
CURVES: Final[Mapping[KeyAlgorithm, tuple[ec.EllipticCurve, bytes]]] = {
    KeyAlgorithm.EC_P256: (ec.SECP256R1(), bytes.fromhex("06082a8648ce3d030107")),
    KeyAlgorithm.EC_P384: (ec.SECP384R1(), bytes.fromhex("06052b81040022")),
}
"""The curve, and its object identifier in DER as CKA_EC_PARAMS wants it (RFC 5480, 2.1.1.1)."""

_GUARDED: Final[Mapping[Attribute, bool]] = {
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.LOCAL: True,
    Attribute.ALWAYS_SENSITIVE: True,
    Attribute.NEVER_EXTRACTABLE: True,
}
_SIGNS: Final[Mapping[Attribute, bool]] = {
    **_GUARDED,
    Attribute.SIGN: True,
    Attribute.DECRYPT: False,
    Attribute.UNWRAP: False,
    Attribute.DERIVE: False,
}
_WRAPS: Final[Mapping[Attribute, bool]] = {
    **_GUARDED,
    Attribute.ENCRYPT: True,
    Attribute.DECRYPT: True,
    Attribute.SIGN: False,
    Attribute.WRAP: False,
    Attribute.UNWRAP: False,
    Attribute.DERIVE: False,
}
_READ_ONLY: Final = {Attribute.LOCAL, Attribute.ALWAYS_SENSITIVE, Attribute.NEVER_EXTRACTABLE}
"""Set by the token itself (PKCS #11 v3.1, 4.9); they may not stand in a template."""


def kind_of(algorithm: KeyAlgorithm) -> ObjectClass:
    """The class of the object that must never leave the token."""
    return ObjectClass.PRIVATE_KEY if algorithm.signs else ObjectClass.SECRET_KEY


def generate(session: pkcs11.Session, key_id: str, algorithm: KeyAlgorithm) -> pkcs11.Object | None:
    """Make the key under ``key_id``. Returns the public half, or None for a secret key."""
    if not algorithm.signs:
        session.generate_key(
            KeyType.AES,
            256,
            id=key_id.encode(),
            label=key_id,
            store=True,
            capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
            template=_asked(_WRAPS),
        )
        return None
    public_template: dict[Attribute, Any] = {Attribute.VERIFY: True}
    if algorithm in CURVES:
        public_template[Attribute.EC_PARAMS] = CURVES[algorithm][1]
    public, _ = session.generate_keypair(
        KeyType.EC if algorithm in CURVES else KeyType.RSA,
        None if algorithm in CURVES else RSA_BITS,
        id=key_id.encode(),
        label=key_id,
        store=True,
        capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
        public_template=public_template,
        private_template=_asked(_SIGNS),
    )
    return public


def require_guarded(key: pkcs11.Object, algorithm: KeyAlgorithm) -> None:
    """Raises :class:`keys.errors.TokenUnfit`, naming the attribute that is not as it must be."""
    for attribute, wanted in (_SIGNS if algorithm.signs else _WRAPS).items():
        try:
            found = bool(key[attribute])
        except pkcs11.AttributeTypeInvalid:
            found = not wanted
        if found is not wanted:
            raise TokenUnfit(
                f"the token keeps this key with CKA_{attribute.name} {str(found).lower()} instead of "
                f"{str(wanted).lower()}, so it is not used: have its security officer look at its policy"
            )


def public_key_info(public: pkcs11.Object, algorithm: KeyAlgorithm) -> bytes:
    """The public half as DER SubjectPublicKeyInfo. Raises :class:`keys.errors.TokenUnfit`."""
    try:
        return _public_key(public, algorithm).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except ValueError as cause:
        raise TokenUnfit(
            f"the token made no {algorithm} key ({cause}): look at its maker's software"
        ) from cause


def _public_key(
    public: pkcs11.Object, algorithm: KeyAlgorithm
) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    if algorithm in CURVES:
        curve, _ = CURVES[algorithm]
        return ec.EllipticCurvePublicKey.from_encoded_point(
            curve, encoded_point(public[Attribute.EC_POINT], curve)
        )
    modulus, exponent = (
        int.from_bytes(public[name], "big") for name in (Attribute.MODULUS, Attribute.PUBLIC_EXPONENT)
    )
    if modulus.bit_length() != RSA_BITS or exponent != 65537:
        raise ValueError(f"{modulus.bit_length()} bits with exponent {exponent}")
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def encoded_point(value: bytes, curve: ec.EllipticCurve) -> bytes:
    """The point (SEC 1, 2.3.3) in a CKA_EC_POINT, which is an OCTET STRING around it; some makers leave the
    wrapping out.

    Told by the length: the first byte of an OCTET STRING is that of an uncompressed point, too, and what
    follows in a bare point is random. Raises ``ValueError``.
    """
    size = (curve.key_size + 7) // 8
    for length in (1 + 2 * size, 1 + size):  # uncompressed, compressed
        if len(value) == length:
            return value
        if len(value) == 2 + length and value[:2] == bytes([0x04, length]):
            return value[2:]
    raise ValueError(f"{len(value)} bytes are no point of {curve.name}")


def _asked(attributes: Mapping[Attribute, bool]) -> dict[Attribute, bool]:
    return {name: value for name, value in attributes.items() if name not in _READ_ONLY}
