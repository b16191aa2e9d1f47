"""Tokens made by hand, byte by byte, as an attacker makes them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Sign = Callable[[bytes], bytes]


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forge(header: object, payload: object, sign: Sign) -> str:
    """``bytes`` stand as they are, everything else becomes JSON."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signing_input = ".".join(b64(part) for part in parts)
    return f"{signing_input}.{b64(sign(signing_input.encode()))}"


def es256(key: ec.EllipticCurvePrivateKey) -> Sign:
    """Also for other curves: r and s as long as the curve's order."""
    size = (key.key_size + 7) // 8

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(size) + s.to_bytes(size)

    return sign


def rs256(key: rsa.RSAPrivateKey) -> Sign:
    return lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def ps256(key: rsa.RSAPrivateKey, salt_length: int = 32) -> Sign:
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length)
    return lambda data: key.sign(data, scheme, hashes.SHA256())


def hs256(secret: bytes) -> Sign:
    return lambda data: hmac.new(secret, data, hashlib.sha256).digest()


def spki(key: PrivateKey, encoding: Encoding = Encoding.DER) -> bytes:
    return key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def without(members: dict[str, Any]) -> dict[str, Any]:
    """``...`` leaves a member out."""
    return {name: value for name, value in members.items() if value is not ...}
