"""Signed tokens (JWS, RFC 7515): ours and other people's. The only file that imports python-jose.

python-jose decides by the token's own header unless told otherwise, takes keys in any shape (a public key as
an HMAC secret among them), reads base 64 leniently and ignores ``crit``, ``typ`` and ``kid``. So nothing
reaches it that was not held against the one right form first: canonical base64url, JSON objects with each
member once, an algorithm that was asked for, no critical extension, the right type, and a ``Key`` object
chosen by ``kid`` that knows a single algorithm. Its claims layer is not used at all: it lets a missing
``exp`` or ``aud`` pass. What claims mean is decided by whoever asked for the token, by the injected clock.

RSASSA-PSS and Ed25519, which FAPI 2.0 asks for, are unknown to python-jose 3.5; it verifies them here through
``Key`` classes of our own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from jose import jwk, jws
from jose.backends.base import Key
from jose.exceptions import JOSEError

from identity.encoding import strict_base64url, strict_json_object
from identity.errors import (
    AlgorithmRefused,
    CriticalHeader,
    JwkInvalid,
    KeyNotFound,
    SignatureWrong,
    TokenFormWrong,
    TokenTypeWrong,
)
from identity.jwks import (
    ES256,
    FAPI_ALGORITHMS,
    RS256,
    Jwk,
    canonical_algorithm,
    jwk_of,
    parse_jwk,
)
from identity.ports import TokenKeys, TokenSigner

OWN_ALGORITHMS: Final = (ES256, RS256)
LONGEST_TOKEN: Final = 8192
"""Characters. What fits into a header of HTTP servers, and far more than any token of ours."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_MEDIA_TYPE = "application/"


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key that verifies one algorithm. Made by :func:`verification_key`."""

    jwk: Jwk
    verifier: Key = field(repr=False, compare=False)

    @property
    def algorithm(self) -> str:
        return self.jwk.algorithm


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """What a token says of itself. Nothing of it may be believed; it may only choose whose keys are asked."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]


def sign(claims: Mapping[str, Any], *, typ: str, signer: TokenSigner) -> str:
    """Sign ``claims`` as a token of type ``typ`` (``at+jwt``, ``JWT``, ``logout+jwt``), in custody."""
    if signer.algorithm not in OWN_ALGORITHMS:
        raise ValueError(f"our tokens are signed with {' or '.join(OWN_ALGORITHMS)}")
    headers = {"typ": typ, "kid": signer.key_id}
    return jws.sign(dict(claims), _CustodyKey(signer), headers=headers, algorithm=signer.algorithm)


def verify(
    token: str,
    *,
    typ: str | Collection[str | None],
    keys: Mapping[str, VerificationKey],
    algorithms: Collection[str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token, once one of ``keys`` (by ``kid``) is known to have signed them.

    ``typ`` is the type, or those, that will do; None among them lets the member be absent. A token without a
    ``kid`` is judged by the only key there is; where there are several it is refused. Claims are not judged
    here. Raises a leaf of :class:`identity.errors.SignedTokenError`, never anything else.
    """
    # 1. One spelling: size, canonical base64url, JSON objects without doubled members.
    header, claims = _parsed(token)
    # 2. The header against what was asked for.
    algorithm = _algorithm(header, algorithms)
    _require_type(header, typ)
    # 3. The key comes from the given set, and has this one algorithm.
    key = _chosen(header, keys)
    if key.algorithm != algorithm:
        raise AlgorithmRefused(f"The token's alg is {algorithm}, its key is for {key.algorithm} only.")
    # 4. The signature.
    _require_signature(token, header, key)
    return header, claims


def verify_embedded(
    token: str, *, typ: str, algorithms: Collection[str] = FAPI_ALGORITHMS
) -> tuple[dict[str, Any], dict[str, Any], Jwk]:
    """Header, claims and key of a token that brings its own public key (a DPoP proof, RFC 9449, 4.2).

    It proves that its sender has the private half, and nothing else: compare the key's thumbprint with one
    that is known. Raises a leaf of :class:`identity.errors.SignedTokenError`, never anything else.
    """
    header, claims = _parsed(token)
    algorithm = _algorithm(header, algorithms)
    _require_type(header, typ)
    try:
        embedded = parse_jwk(header.get("jwk"), algorithms=algorithms, header_algorithm=algorithm)
    except JwkInvalid as cause:
        raise KeyNotFound(f"The key in the token's header cannot be used. {cause}") from cause
    _require_signature(token, header, verification_key(embedded))
    return header, claims, embedded


def unverified(token: str) -> UnverifiedToken:
    """Read a token's words without believing them. Raises :class:`identity.errors.TokenFormWrong`."""
    return UnverifiedToken(*_parsed(token))


def verification_key(public: Jwk) -> VerificationKey:
    """A key ready to verify."""
    if public.algorithm in OWN_ALGORITHMS:
        return VerificationKey(public, jwk.construct(dict(public.members), public.algorithm))
    if isinstance(public.public_key, rsa.RSAPublicKey):
        return VerificationKey(public, _PssKey(public.public_key))
    assert isinstance(public.public_key, ed25519.Ed25519PublicKey)
    return VerificationKey(public, _Ed25519Key(public.public_key))


def own_keys(keys: TokenKeys) -> dict[str, VerificationKey]:
    """All keys whose tokens of ours are honoured, by key id. Cheap: each key is constructed once."""
    return {key_id: _own_key(key_id, spki) for key_id, spki in keys.public_keys().items()}


def own_jwks(keys: TokenKeys) -> dict[str, list[dict[str, str]]]:
    """Our public keys as a JWK Set (RFC 7517), for resource servers and portals."""
    return {"keys": [key.jwk.as_json() for _, key in sorted(own_keys(keys).items())]}


@lru_cache(maxsize=64)
def _own_key(key_id: str, spki: bytes) -> VerificationKey:
    public_key = load_der_public_key(spki)
    algorithm = RS256 if isinstance(public_key, rsa.RSAPublicKey) else ES256
    return verification_key(jwk_of(public_key, key_id=key_id, algorithm=algorithm))


class _CustodyKey(Key):
    """A key of python-jose's kind whose private half stays where it is kept."""

    def __init__(self, signer: TokenSigner) -> None:
        self._signer = signer

    def sign(self, msg: bytes) -> bytes:
        """For ES256 the raw form of RFC 7518, 3.4: r and s, 32 bytes each."""
        signature = self._signer.sign(msg)
        if self._signer.algorithm != ES256:
            return signature
        r, s = decode_dss_signature(signature)
        return r.to_bytes(32) + s.to_bytes(32)


class _PssKey(Key):
    """PS256 (RFC 7518, 3.5): the salt is as long as the hash."""

    def __init__(self, public_key: rsa.RSAPublicKey) -> None:
        self._public_key = public_key

    def verify(self, msg: bytes, sig: bytes) -> bool:
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
        try:
            self._public_key.verify(sig, msg, scheme, hashes.SHA256())
        except InvalidSignature:
            return False
        return True


class _Ed25519Key(Key):
    """EdDSA over Curve25519 (RFC 8037, 3.1)."""

    def __init__(self, public_key: ed25519.Ed25519PublicKey) -> None:
        self._public_key = public_key

    def verify(self, msg: bytes, sig: bytes) -> bool:
        try:
            self._public_key.verify(sig, msg)
        except InvalidSignature:
            return False
        return True


def _parsed(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if len(token) > LONGEST_TOKEN:
        raise TokenFormWrong(f"The token is longer than {LONGEST_TOKEN} characters.")
    if not _COMPACT.fullmatch(token):
        raise TokenFormWrong("Not a signed token in its compact form: three parts in base64url, with dots.")
    try:
        header, claims, _ = (strict_base64url(part) for part in token.split("."))
        return strict_json_object(header), strict_json_object(claims)
    except ValueError as cause:
        raise TokenFormWrong(
            f"The token is not in the one spelling that is read (RFC 7515, 7.1): {cause}."
        ) from cause


def _algorithm(header: Mapping[str, Any], algorithms: Collection[str]) -> str:
    if "crit" in header:
        raise CriticalHeader("The token demands an extension by crit; none is known here. Leave crit out.")
    algorithm = canonical_algorithm(header.get("alg"))
    if algorithm is None or algorithm not in algorithms:
        raise AlgorithmRefused(f"The token's alg is not one of {', '.join(algorithms)}.")
    return algorithm


def _require_type(header: Mapping[str, Any], typ: str | Collection[str | None]) -> None:
    """Types are compared without case and without the prefix that may be left out (RFC 7515, 4.1.9)."""
    wanted = {typ} if isinstance(typ, str) else typ
    given = header.get("typ")
    if isinstance(given, str):
        given = given.lower().removeprefix(_MEDIA_TYPE)
        if any(name is not None and name.lower() == given for name in wanted):
            return
    elif "typ" not in header and None in wanted:
        return
    names = ", ".join(sorted(name for name in wanted if name is not None))
    raise TokenTypeWrong(f"The token's typ is not {names}.")


def _chosen(header: Mapping[str, Any], keys: Mapping[str, VerificationKey]) -> VerificationKey:
    if "kid" not in header:
        if len(keys) == 1:
            return next(iter(keys.values()))
        raise KeyNotFound("The token names no key by kid, and there is not just one that it could mean.")
    key_id = header["kid"]
    key = keys.get(key_id) if isinstance(key_id, str) else None
    if key is None:
        raise KeyNotFound("The token's kid is not one of the keys that are asked here.")
    return key


def _require_signature(token: str, header: Mapping[str, Any], key: VerificationKey) -> None:
    try:
        jws.verify(token, key.verifier, [header["alg"]])
    except JOSEError as cause:
        raise SignatureWrong("The token's signature does not verify.") from cause
