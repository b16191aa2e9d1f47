"""Public keys as JSON (RFC 7517), read strictly: each has one algorithm and one spelling. Pure.

What FAPI 2.0 (Security Profile, 5.4) allows for others' keys is P-256 with ES256, RSA of at least 2048 bits
with PS256, and Ed25519 with EdDSA. RS256 is for our own tokens and for portals that know nothing better.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from identity.encoding import base64url, strict_base64url
from identity.errors import JwkInvalid

ES256: Final = "ES256"
RS256: Final = "RS256"
PS256: Final = "PS256"
EDDSA: Final = "EdDSA"

FAPI_ALGORITHMS: Final = (ES256, PS256, EDDSA)
"""In this order where a key's kind leaves a choice."""
RSA_BITS: Final = range(2048, 8192 + 1)
MOST_KEYS: Final = 10
LONGEST_KEY_ID: Final = 128

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_ED25519_NAMES = frozenset({EDDSA, "Ed25519"})  # RFC 8037's name and the one that RFC 9864 puts in its place
_KEY_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "EC": frozenset({ES256}),
    "RSA": frozenset({PS256, RS256}),
    "OKP": frozenset({EDDSA}),
}


@dataclass(frozen=True, slots=True)
class Jwk:
    """A public key with its one algorithm. ``members`` are those that make it up, and nothing else."""

    key_id: str | None
    algorithm: str
    members: Mapping[str, str]
    public_key: PublicKey = field(repr=False, compare=False)

    @property
    def thumbprint(self) -> str:
        """SHA-256 over the required members, base64url (RFC 7638, 3)."""
        canonical = json.dumps(dict(self.members), sort_keys=True, separators=(",", ":"))
        return base64url(hashlib.sha256(canonical.encode()).digest())

    def as_json(self) -> dict[str, str]:
        """For a JWK Set; without a ``kid`` of its own the key is named by its thumbprint."""
        named = {"kid": self.key_id or self.thumbprint, "use": "sig", "alg": self.algorithm}
        return dict(self.members) | named


def canonical_algorithm(name: object) -> str | None:
    """The name by which an algorithm goes here; None where it is not text."""
    if not isinstance(name, str):
        return None
    return EDDSA if name in _ED25519_NAMES else name


def parse_jwk(jwk: object, *, algorithms: Collection[str], header_algorithm: str | None = None) -> Jwk:
    """Read one public key. Raises :class:`identity.errors.JwkInvalid`, saying what is wrong with it.

    Its algorithm is what its ``alg`` says, or else ``header_algorithm`` (for a key that travels inside the
    header it signs), or else the first of ``algorithms`` that fits the kind of key.
    """
    if not isinstance(jwk, dict):
        raise JwkInvalid("A key is a JSON object (RFC 7517, 4).")
    if _PRIVATE_MEMBERS & jwk.keys():
        raise JwkInvalid(
            "This key holds its private or secret half. Register the public half only, and replace the key: "
            "it must be taken as known to others now."
        )
    if jwk.get("use", "sig") != "sig":
        raise JwkInvalid("The key is not for signatures: its use is not sig.")
    operations = jwk.get("key_ops")
    if operations is not None and (not isinstance(operations, list) or "verify" not in operations):
        raise JwkInvalid("The key is not for verifying: verify is not among its key_ops.")
    key_id = jwk.get("kid")
    if key_id is not None and not _is_key_id(key_id):
        raise JwkInvalid(f"A kid has 1 to {LONGEST_KEY_ID} printable ASCII characters.")
    public_key, members = _public_key(jwk)
    algorithm = _algorithm(jwk, members["kty"], algorithms, header_algorithm)
    return Jwk(key_id, algorithm, members, public_key)


def parse_jwks(document: object, *, algorithms: Collection[str] = FAPI_ALGORITHMS) -> tuple[Jwk, ...]:
    """Read a JWK Set of 1 to :data:`MOST_KEYS` keys. Keys without a ``kid`` get their thumbprint as one.

    Raises :class:`identity.errors.JwkInvalid`.
    """
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise JwkInvalid('A JWK Set is a JSON object such as {"keys": [...]} (RFC 7517, 5).')
    keys = document["keys"]
    if not 0 < len(keys) <= MOST_KEYS:
        raise JwkInvalid(f"A JWK Set has 1 to {MOST_KEYS} keys here.")
    parsed = tuple(_named(parse_jwk(key, algorithms=algorithms)) for key in keys)
    if len({key.key_id for key in parsed}) != len(parsed) or len({key.thumbprint for key in parsed}) != len(
        parsed
    ):
        raise JwkInvalid("A key or a kid is there twice. Each key stands once, under a kid of its own.")
    return parsed


def jwk_of(public_key: object, *, key_id: str, algorithm: str) -> Jwk:
    """A key of ours as JWK. Raises :class:`identity.errors.JwkInvalid`."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        point = public_key.public_numbers()
        members = {
            "kty": "EC",
            "crv": "P-256" if isinstance(public_key.curve, ec.SECP256R1) else public_key.curve.name,
            "x": base64url(point.x.to_bytes((public_key.key_size + 7) // 8)),
            "y": base64url(point.y.to_bytes((public_key.key_size + 7) // 8)),
        }
    elif isinstance(public_key, rsa.RSAPublicKey):
        numbers = public_key.public_numbers()
        members = {"kty": "RSA", "n": _unsigned(numbers.n), "e": _unsigned(numbers.e)}
    elif isinstance(public_key, ed25519.Ed25519PublicKey):
        members = {"kty": "OKP", "crv": "Ed25519", "x": base64url(public_key.public_bytes_raw())}
    else:
        raise JwkInvalid("Tokens are signed with P-256, RSA or Ed25519 keys.")
    return parse_jwk(dict(members) | {"kid": key_id, "alg": algorithm}, algorithms=(algorithm,))


def _algorithm(
    jwk: Mapping[str, Any], key_type: str, algorithms: Collection[str], header_algorithm: str | None
) -> str:
    fitting = [name for name in algorithms if name in _KEY_TYPES[key_type]]
    if "alg" not in jwk and header_algorithm is None and fitting:
        return fitting[0]
    declared = canonical_algorithm(jwk["alg"]) if "alg" in jwk else header_algorithm
    if declared is not None and declared in fitting and header_algorithm in {None, declared}:
        return declared
    raise JwkInvalid(f"The key's algorithm is not one that is used with it here: {', '.join(algorithms)}.")


def _public_key(jwk: Mapping[str, Any]) -> tuple[PublicKey, dict[str, str]]:
    match jwk.get("kty"), jwk.get("crv"):
        case "EC", "P-256":
            return _p256(jwk)
        case "OKP", "Ed25519":
            return _ed25519(jwk)
        case "RSA", _:
            return _rsa(jwk)
    raise JwkInvalid("The key's kind is not one of P-256, Ed25519 and RSA (FAPI 2.0 Security Profile, 5.4).")


def _p256(jwk: Mapping[str, Any]) -> tuple[PublicKey, dict[str, str]]:
    x, y = (int.from_bytes(_octets(jwk, name, 32)) for name in ("x", "y"))
    try:
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError:
        raise JwkInvalid("The key is not a point of P-256.") from None
    return key, {"kty": "EC", "crv": "P-256", "x": jwk["x"], "y": jwk["y"]}


def _ed25519(jwk: Mapping[str, Any]) -> tuple[PublicKey, dict[str, str]]:
    key = ed25519.Ed25519PublicKey.from_public_bytes(_octets(jwk, "x", 32))
    return key, {"kty": "OKP", "crv": "Ed25519", "x": jwk["x"]}


def _rsa(jwk: Mapping[str, Any]) -> tuple[PublicKey, dict[str, str]]:
    raw = {name: _octets(jwk, name) for name in ("n", "e")}
    if any(not value or value[0] == 0 for value in raw.values()):
        raise JwkInvalid("A number of the key is not in its shortest form (RFC 7518, 2).")
    modulus, exponent = int.from_bytes(raw["n"]), int.from_bytes(raw["e"])
    if modulus.bit_length() not in RSA_BITS:
        raise JwkInvalid(f"An RSA key has {RSA_BITS.start} to {RSA_BITS.stop - 1} bits here; this one not.")
    # FIPS 186-5, 5.1 wants more than 2^16; a long exponent only makes verifying slow.
    if not 2**16 < exponent < 2**32:
        raise JwkInvalid("The key's exponent is not the usual 65537.")
    try:
        key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        key = None
    if key is None or modulus % 2 == 0:
        raise JwkInvalid("The key's numbers do not make an RSA key.")
    return key, {"kty": "RSA", "n": jwk["n"], "e": jwk["e"]}


def _octets(jwk: Mapping[str, Any], name: str, length: int | None = None) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str):
        raise JwkInvalid(f"The key lacks its {name}.")
    try:
        raw = strict_base64url(text)
    except ValueError:
        raise JwkInvalid(f"The key's {name} is not base64url without padding.") from None
    if length is not None and len(raw) != length:
        raise JwkInvalid(f"The key's {name} has not {length} bytes (RFC 7518, 6.2.1.2).")
    return raw


def _named(key: Jwk) -> Jwk:
    return key if key.key_id else Jwk(key.thumbprint, key.algorithm, key.members, key.public_key)


def _is_key_id(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_KEY_ID
        and value.isascii()
        and value.isprintable()
    )


def _unsigned(number: int) -> str:
    return base64url(number.to_bytes((number.bit_length() + 7) // 8))
