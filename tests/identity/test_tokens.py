"""Hostile JWS, each refused for its own reason, with joserfc as the second judge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt as judge
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet, OKPKey, RSAKey

from identity import tokens
from identity.errors import (
    AlgorithmRefused,
    CriticalHeader,
    JwkInvalid,
    KeyNotFound,
    SignatureWrong,
    SignedTokenError,
    TokenFormWrong,
    TokenTypeWrong,
)
from identity.jwks import FAPI_ALGORITHMS, jwk_of, parse_jwk, parse_jwks
from identity.ports import TokenSigner
from tests.identity.forging import b64, es256, forge, hs256, ps256, rs256, spki, without

EC = ec.generate_private_key(ec.SECP256R1())
RETIRED = ec.generate_private_key(ec.SECP256R1())
STRANGER = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()

HEADER: dict[str, Any] = {"alg": "ES256", "kid": "e", "typ": "at+jwt"}
CLAIMS = {"sub": "someone"}
ALL = ("ES256", "RS256", "PS256", "EdDSA")

KEYS = {
    "e": tokens.verification_key(jwk_of(EC.public_key(), key_id="e", algorithm="ES256")),
    "old": tokens.verification_key(jwk_of(RETIRED.public_key(), key_id="old", algorithm="ES256")),
    "r": tokens.verification_key(jwk_of(RSA.public_key(), key_id="r", algorithm="RS256")),
    "p": tokens.verification_key(jwk_of(RSA.public_key(), key_id="p", algorithm="PS256")),
    "d": tokens.verification_key(jwk_of(ED.public_key(), key_id="d", algorithm="EdDSA")),
}
_PUBLISHED: Any = {"keys": [key.jwk.as_json() for key in KEYS.values()]}
JUDGES_KEYS = KeySet.import_key_set(_PUBLISHED)


def _verify(token: str, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return tokens.verify(token, **({"typ": "at+jwt", "keys": KEYS, "algorithms": ALL} | changes))


def _judge(token: str) -> Mapping[str, Any]:
    """joserfc under the same policy: these algorithms, this type, these keys."""
    decoded = judge.decode(token, JUDGES_KEYS, algorithms=list(ALL))
    if decoded.header.get("typ") != "at+jwt":
        raise JoseError
    return decoded.claims


SIGNERS = {
    "ES256": TokenSigner("e", lambda data: EC.sign(data, ec.ECDSA(hashes.SHA256()))),
    "RS256": TokenSigner("r", lambda data: RSA.sign(data, padding.PKCS1v15(), hashes.SHA256()), "RS256"),
}


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_what_we_sign_is_read_back_and_joserfc_agrees(algorithm: str) -> None:
    token = tokens.sign(CLAIMS, typ="at+jwt", signer=SIGNERS[algorithm])
    header, claims = _verify(token)
    assert header == {"alg": algorithm, "kid": SIGNERS[algorithm].key_id, "typ": "at+jwt"}
    assert claims == CLAIMS == _judge(token)


def test_we_sign_with_no_other_algorithm() -> None:
    with pytest.raises(ValueError, match="ES256 or RS256"):
        tokens.sign(CLAIMS, typ="at+jwt", signer=TokenSigner("h", lambda data: data, "HS256"))


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # FAPI 2.0 names it so
@pytest.mark.parametrize(
    ("kid", "alg", "sign"),
    [("e", "ES256", es256(EC)), ("old", "ES256", es256(RETIRED)), ("r", "RS256", rs256(RSA)),
     ("p", "PS256", ps256(RSA)), ("d", "EdDSA", ED.sign)],
)  # fmt: skip
def test_every_algorithm_that_is_asked_of_strangers_is_verified_as_joserfc_does(
    kid: str, alg: str, sign: Any
) -> None:
    token = forge(HEADER | {"kid": kid, "alg": alg}, CLAIMS, sign)
    assert _verify(token)[1] == CLAIMS == _judge(token)


def test_the_newer_name_of_ed25519_means_the_same() -> None:
    token = forge(HEADER | {"kid": "d", "alg": "Ed25519"}, CLAIMS, ED.sign)
    assert _verify(token)[1] == CLAIMS


DOUBLED = b'{"alg":"ES256","kid":"e","typ":"at+jwt","alg":"none"}'
TAMPERED: dict[str, tuple[Any, Any, type[SignedTokenError]]] = {
    "alg none": (HEADER | {"alg": "none"}, lambda _: b"", TokenFormWrong),
    "alg none with a signature": (HEADER | {"alg": "none"}, es256(EC), AlgorithmRefused),
    "HS256 keyed with our public key as PEM": (
        HEADER | {"alg": "HS256"}, hs256(spki(EC, Encoding.PEM)), AlgorithmRefused),
    "HS256 keyed with our public key as DER": (
        HEADER | {"alg": "HS256"}, hs256(spki(EC)), AlgorithmRefused),
    "HS256 keyed with our RSA key as PEM": (
        HEADER | {"alg": "HS256", "kid": "r"}, hs256(spki(RSA, Encoding.PEM)), AlgorithmRefused),
    "ES256 in name, HMAC with our public key": (HEADER, hs256(spki(EC)), SignatureWrong),
    "ES384": (HEADER | {"alg": "ES384"}, es256(P384), AlgorithmRefused),
    "RS512": (HEADER | {"alg": "RS512", "kid": "r"}, rs256(RSA), AlgorithmRefused),
    "alg of another key": (HEADER | {"alg": "RS256"}, rs256(RSA), AlgorithmRefused),
    "RS256 with the PS256 key": (HEADER | {"alg": "RS256", "kid": "p"}, rs256(RSA), AlgorithmRefused),
    "PS256 in name only": (HEADER | {"alg": "PS256", "kid": "p"}, rs256(RSA), SignatureWrong),
    "PS256 without salt": (HEADER | {"alg": "PS256", "kid": "p"}, ps256(RSA, 0), SignatureWrong),
    "lower-case algorithm": (HEADER | {"alg": "es256"}, es256(EC), AlgorithmRefused),
    "substring of the algorithm": (HEADER | {"alg": "ES2"}, es256(EC), AlgorithmRefused),
    "algorithm is a list": (HEADER | {"alg": ["ES256"]}, es256(EC), AlgorithmRefused),
    "no algorithm": (without(HEADER | {"alg": ...}), es256(EC), AlgorithmRefused),
    "a stranger's key under our kid": (HEADER, es256(STRANGER), SignatureWrong),
    "foreign kid": (HEADER | {"kid": "x"}, es256(STRANGER), KeyNotFound),
    "another key's kid": (HEADER | {"kid": "old"}, es256(EC), SignatureWrong),
    "no kid": (without(HEADER | {"kid": ...}), es256(EC), KeyNotFound),
    "kid is a list": (HEADER | {"kid": ["e"]}, es256(EC), KeyNotFound),
    "kid is null": (HEADER | {"kid": None}, es256(EC), KeyNotFound),
    "unknown critical extension": (HEADER | {"crit": ["exp"], "exp": 1}, es256(EC), CriticalHeader),
    "critical and empty": (HEADER | {"crit": []}, es256(EC), CriticalHeader),
    "unencoded payload": (HEADER | {"b64": False, "crit": ["b64"]}, es256(EC), CriticalHeader),
    "embedded key of a stranger": (
        HEADER | {"jwk": jwk_of(STRANGER.public_key(), key_id="e", algorithm="ES256").as_json()},
        es256(STRANGER), SignatureWrong),
    "an ID token": (HEADER | {"typ": "JWT"}, es256(EC), TokenTypeWrong),
    "no type": (without(HEADER | {"typ": ...}), es256(EC), TokenTypeWrong),
    "type is a list": (HEADER | {"typ": ["at+jwt"]}, es256(EC), TokenTypeWrong),
    "type is null": (HEADER | {"typ": None}, es256(EC), TokenTypeWrong),
    "header is a list": ([HEADER], es256(EC), TokenFormWrong),
    "header is deep": (b"[" * 1500, es256(EC), TokenFormWrong),
    "header is not UTF-8": (b"\xff\xfe{}", es256(EC), TokenFormWrong),
    "header holds half a character": (HEADER | {"x": "\ud800"}, es256(EC), TokenFormWrong),
    "header names alg twice": (DOUBLED, es256(EC), TokenFormWrong),
    "signature of zeros": (HEADER, lambda _: bytes(64), SignatureWrong),
    "signature as DER": (HEADER, lambda d: EC.sign(d, ec.ECDSA(hashes.SHA256())), SignatureWrong),
    "signature of another length": (HEADER, lambda d: es256(EC)(d) + b"\0", SignatureWrong),
}  # fmt: skip
OUR_POLICY_ONLY = {
    "critical and empty",  # joserfc has nothing to refuse in an empty list
    "header names alg twice",  # Python's JSON reader keeps the last
    "header holds half a character",
}
"""Where joserfc may be of another mind: it knows nothing of our stricter reading."""


@pytest.mark.parametrize("name", TAMPERED)
def test_a_hostile_header_or_signature_is_refused_for_its_own_reason_and_joserfc_agrees(name: str) -> None:
    header, sign, error = TAMPERED[name]
    token = forge(header, CLAIMS, sign)
    with pytest.raises(SignedTokenError) as refused:
        _verify(token)
    assert type(refused.value) is error
    if name not in OUR_POLICY_ONLY:
        with pytest.raises((JoseError, ValueError, TypeError, KeyError, RecursionError, AttributeError)):
            _judge(token)


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"null", b'"x"', b"\xff", b"{" * 900, b"[" * 1400, b'{"a":1}x', b'{"a":1,"a":2}',
     b'{"a":{"b":1,"b":2}}', b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":"\\u0000"}', b'{"a":["\\udfff"]}',
     b'{"a":' + b"9" * 5000 + b"}"],
)  # fmt: skip
def test_a_genuine_signature_over_anything_but_one_plain_object_is_refused(payload: bytes) -> None:
    with pytest.raises(TokenFormWrong):
        _verify(forge(HEADER, payload, es256(EC)))


def test_escapes_that_mean_something_are_read() -> None:
    assert _verify(forge(HEADER, b'{"sub":"\\u00e9\\ud83d\\ude00"}', es256(EC)))[1] == {"sub": "é😀"}


def test_a_second_spelling_of_a_genuine_token_is_refused() -> None:
    token = forge(HEADER, CLAIMS, es256(EC))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet[alphabet.index(token[-1]) | 1]  # the last character carries four bits that nobody reads
    spellings = (
        token + "=", token[:-1] + last, token + "\n", " " + token, token.replace(".", "..", 1), token + ".x",
        token.replace("e", "é", 1), token.replace("-", "+").replace("_", "/") + "=", "", ".", "..", "a.b",
    )  # fmt: skip
    for spelled in spellings:
        if spelled != token:
            with pytest.raises(TokenFormWrong):
                _verify(spelled)


def test_what_is_too_long_is_not_even_looked_at() -> None:
    with pytest.raises(TokenFormWrong, match="8192"):
        _verify("a" * 9000)


def test_types_are_compared_as_media_types() -> None:
    token = forge(HEADER | {"typ": "application/AT+JWT"}, CLAIMS, es256(EC))
    assert _verify(token)[1] == CLAIMS
    untyped = forge(without(HEADER | {"typ": ...}), CLAIMS, es256(EC))
    assert _verify(untyped, typ=frozenset({"at+jwt", None}))[1] == CLAIMS
    with pytest.raises(TokenTypeWrong):
        _verify(token, typ=frozenset({"JWT", None}))


def test_a_token_without_kid_is_judged_by_the_only_key_there_is() -> None:
    token = forge(without(HEADER | {"kid": ...}), CLAIMS, es256(EC))
    assert _verify(token, keys={"e": KEYS["e"]})[1] == CLAIMS
    with pytest.raises(SignatureWrong):
        _verify(token, keys={"old": KEYS["old"]})
    with pytest.raises(KeyNotFound):
        _verify(token, keys={})


def test_an_algorithm_that_was_not_asked_for_is_refused_though_the_key_is_there() -> None:
    with pytest.raises(AlgorithmRefused, match="PS256"):
        _verify(forge(HEADER | {"alg": "RS256", "kid": "r"}, CLAIMS, rs256(RSA)), algorithms=FAPI_ALGORITHMS)


EMBEDDED = {"typ": "dpop+jwt", "alg": "ES256"}


def _embedded(header: dict[str, Any], sign: Any) -> Any:
    return tokens.verify_embedded(forge(EMBEDDED | header, CLAIMS, sign), typ="dpop+jwt")


@pytest.mark.parametrize(
    ("alg", "sign", "key"),
    [("ES256", es256(EC), EC), ("PS256", ps256(RSA), RSA), ("EdDSA", ED.sign, ED), ("Ed25519", ED.sign, ED)],
    ids=["ES256", "PS256", "EdDSA", "Ed25519"],
)
def test_a_token_that_brings_its_key_names_it_by_the_thumbprint_that_joserfc_computes(
    alg: str, sign: Any, key: Any
) -> None:
    public = JWKRegistry.import_key(spki(key, Encoding.PEM), _kty(key))
    _, claims, found = _embedded({"alg": alg, "jwk": public.as_dict(private=False)}, sign)
    assert claims == CLAIMS
    assert found.thumbprint == public.thumbprint()


def _kty(key: Any) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "OKP"
    return "RSA" if isinstance(key, rsa.RSAPrivateKey) else "EC"


def _public(key: Any) -> dict[str, Any]:
    return dict(JWKRegistry.import_key(spki(key, Encoding.PEM), _kty(key)).as_dict(private=False))


EC_JWK, RSA_JWK, ED_JWK = _public(EC), _public(RSA), _public(ED)
SMALL = rsa.generate_private_key(65537, 1024)
SMALL_JWK = {"kty": "RSA", "e": "AQAB", "n": b64(SMALL.public_key().public_numbers().n.to_bytes(128))}
EMBEDDED_ATTACKS: dict[str, tuple[dict[str, Any], Any, type[SignedTokenError]]] = {
    "no key": ({}, es256(EC), KeyNotFound),
    "the private key too": (
        {"jwk": EC_JWK | {"d": b64(b"1" * 32)}}, es256(EC), KeyNotFound),
    "a symmetric key": ({"jwk": {"kty": "oct", "k": b64(b"secret")}}, hs256(b"secret"), KeyNotFound),
    "HS256 with that key": (
        {"alg": "HS256", "jwk": {"kty": "oct", "k": b64(b"secret")}}, hs256(b"secret"), AlgorithmRefused),
    "another key's signature": ({"jwk": EC_JWK}, es256(STRANGER), SignatureWrong),
    "RS256": ({"alg": "RS256", "jwk": RSA_JWK}, rs256(RSA), AlgorithmRefused),
    "RSA of 1024 bits": ({"alg": "PS256", "jwk": SMALL_JWK}, ps256(SMALL), KeyNotFound),
    "alg of another kind of key": ({"alg": "PS256", "jwk": EC_JWK}, ps256(RSA), KeyNotFound),
    "alg that the key denies": ({"jwk": EC_JWK | {"alg": "ES384"}}, es256(EC), KeyNotFound),
    "a key for encryption": ({"jwk": EC_JWK | {"use": "enc"}}, es256(EC), KeyNotFound),
    "a key for signing only": ({"jwk": EC_JWK | {"key_ops": ["sign"]}}, es256(EC), KeyNotFound),
    "P-384": ({"jwk": _public(P384)}, es256(P384), KeyNotFound),
    "P-384 under the name P-256": ({"jwk": _public(P384) | {"crv": "P-256"}}, es256(P384), KeyNotFound),
    "a point off the curve": ({"jwk": EC_JWK | {"y": EC_JWK["x"]}}, es256(EC), KeyNotFound),
    "the point 0, 0": ({"jwk": EC_JWK | {"x": "A" * 43, "y": "A" * 43}}, es256(EC), KeyNotFound),
    "padded coordinates": ({"jwk": EC_JWK | {"x": EC_JWK["x"] + "="}}, es256(EC), KeyNotFound),
    "coordinate is a number": ({"jwk": EC_JWK | {"x": 1}}, es256(EC), KeyNotFound),
    "key is a list": ({"jwk": [EC_JWK]}, es256(EC), KeyNotFound),
    "key is text": ({"jwk": json.dumps(EC_JWK)}, es256(EC), KeyNotFound),
    "RSA exponent 3": ({"alg": "PS256", "jwk": RSA_JWK | {"e": b64(b"\3")}}, ps256(RSA), KeyNotFound),
    "RSA exponent of 256 bytes": (
        {"alg": "PS256", "jwk": RSA_JWK | {"e": b64(b"\1" * 256)}}, ps256(RSA), KeyNotFound),
    "RSA modulus even": (
        {"alg": "PS256", "jwk": RSA_JWK | {"n": b64(b"\xfe" * 256)}}, ps256(RSA), KeyNotFound),
    "RSA with a leading zero": (
        {"alg": "PS256", "jwk": RSA_JWK | {"e": b64(b"\0\1\0\1")}}, ps256(RSA), KeyNotFound),
    "an access token": ({"typ": "at+jwt", "jwk": EC_JWK}, es256(EC), TokenTypeWrong),
    "crit": ({"crit": ["jwk"], "jwk": EC_JWK}, es256(EC), CriticalHeader),
}  # fmt: skip


@pytest.mark.parametrize("name", EMBEDDED_ATTACKS)
def test_a_hostile_token_with_its_own_key_is_refused_for_its_own_reason(name: str) -> None:
    header, sign, error = EMBEDDED_ATTACKS[name]
    with pytest.raises(SignedTokenError) as refused:
        _embedded(header, sign)
    assert type(refused.value) is error


def test_a_weak_key_is_neither_signed_for_nor_registered() -> None:
    with pytest.raises(JwkInvalid, match="2048"):
        jwk_of(SMALL.public_key(), key_id="s", algorithm="RS256")
    with pytest.raises(JwkInvalid, match="2048"):
        parse_jwk(SMALL_JWK, algorithms=FAPI_ALGORITHMS)


def test_a_key_set_is_read_strictly() -> None:
    good = parse_jwks({"keys": [EC_JWK, RSA_JWK | {"kid": "r"}, ED_JWK | {"alg": "EdDSA"}]})
    assert [key.algorithm for key in good] == ["ES256", "PS256", "EdDSA"]
    assert good[0].key_id == good[0].thumbprint
    refused: list[object] = [
        None, [], {}, {"keys": []}, {"keys": {}}, {"keys": [EC_JWK] * 2}, {"keys": [EC_JWK] * 11},
        {"keys": [EC_JWK | {"kid": "a"}, RSA_JWK | {"kid": "a"}]},
        {"keys": [EC_JWK | {"kid": ""}]}, {"keys": [EC_JWK | {"kid": 1}]},
        {"keys": [EC_JWK | {"kid": "a\n"}]},
        {"keys": [RSA_JWK | {"alg": "RS256"}]}, {"keys": [EC_JWK | {"alg": None}]},
        {"keys": [RSAKey.import_key(_private_pem()).as_dict(private=True)]},
    ]  # fmt: skip
    for document in refused:
        with pytest.raises(JwkInvalid):
            parse_jwks(document)


def _private_pem() -> bytes:
    from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat

    return RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_ed25519_keys_are_named_as_joserfc_names_them() -> None:
    assert parse_jwk(ED_JWK, algorithms=FAPI_ALGORITHMS).thumbprint == OKPKey.import_key(ED_JWK).thumbprint()


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, 10_000), flip=st.integers(1, 127))
def test_one_changed_character_anywhere_is_refused(position: int, flip: int) -> None:
    token = forge(HEADER, CLAIMS, es256(EC))
    position %= len(token)
    changed = token[:position] + chr(ord(token[position]) ^ flip) + token[position + 1 :]
    with pytest.raises(SignedTokenError):
        _verify(changed)


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=200) | st.from_regex(r"[\w-]+\.[\w-]+\.[\w-]{86}", fullmatch=True))
def test_any_text_at_all_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(SignedTokenError):
        _verify(text)
    with pytest.raises(SignedTokenError):
        tokens.verify_embedded(text, typ="dpop+jwt")


@settings(max_examples=200, deadline=None)
@given(
    header=st.dictionaries(st.sampled_from(["alg", "typ", "kid", "jwk", "crit"]), st.one_of(
        st.none(), st.text(max_size=5), st.integers(), st.floats(), st.lists(st.text(max_size=3), max_size=2),
        st.sampled_from(["ES256", "dpop+jwt", "e"]),
        st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "alg", "use", "kid"]), st.one_of(
            st.text(max_size=9), st.integers(), st.none(),
            st.sampled_from(["EC", "RSA", "OKP", "P-256", "Ed25519"]))),
    ))
)  # fmt: skip
def test_any_header_at_all_is_refused_or_verified_and_nothing_else_happens(header: dict[str, Any]) -> None:
    token = forge(header, CLAIMS, es256(STRANGER))
    with pytest.raises(SignedTokenError):
        _verify(token)
    with pytest.raises(SignedTokenError):
        tokens.verify_embedded(token, typ="dpop+jwt")
