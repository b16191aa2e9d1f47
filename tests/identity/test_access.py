"""Access tokens: what they say, and what a genuine signature does not excuse."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc import jwt as judge
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from identity.access import AccessTokens, Authentication, Confirmation
from identity.errors import (
    AccessTokenError,
    TokenClaimsInvalid,
    TokenExpired,
    TokenMalformed,
    TokenNotOurs,
)
from tests.identity.conftest import EC_KEY, RSA_KEY
from tests.identity.forging import es256, forge, hs256, rs256, spki, without
from tests.support.agency_system import ORIGIN
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock

HEADER: dict[str, Any] = {"alg": "ES256", "kid": "k1", "typ": "at+jwt"}
STRANGER = ec.generate_private_key(ec.SECP256R1())
PERSON = Authentication("phr", 1_780_000_000, "ial1")


def _claims(clock: FrozenClock, **changes: Any) -> dict[str, Any]:
    now = int(clock().timestamp())
    made: dict[str, Any] = {
        "iss": ORIGIN, "aud": ORIGIN, "sub": "client-1", "client_id": "client-1", "scope": "documents.read",
        "jti": "j", "iat": now, "exp": now + 600,
    }  # fmt: skip
    return without(made | changes)


def _judge(tokens: AccessTokens, token: str, clock: FrozenClock) -> dict[str, Any]:
    """joserfc under the same policy."""
    published: Any = tokens.jwks()
    decoded = judge.decode(token, KeySet.import_key_set(published), algorithms=["ES256"])
    if decoded.header.get("typ") != "at+jwt":
        raise JoseError
    essential = {name: {"essential": True} for name in ("sub", "client_id", "scope", "jti", "iat", "exp")}
    now = int(clock().timestamp())
    exact = {name: {"essential": True, "value": ORIGIN} for name in ("iss", "aud")}
    judge.JWTClaimsRegistry(now=now, leeway=5, **essential, **exact).validate(decoded.claims)  # type: ignore[arg-type]
    return decoded.claims


def test_a_clients_token_is_read_back_and_joserfc_agrees(
    access_tokens: AccessTokens, clock: FrozenClock
) -> None:
    token = access_tokens.issue(client_id="client-1", scopes=frozenset({"documents.read"}), token_id="j")
    read = access_tokens.read(token)
    assert _judge(access_tokens, token, clock) == _claims(clock)
    assert (read.subject, read.client_id, read.scopes) == (
        "client-1",
        "client-1",
        frozenset({"documents.read"}),
    )
    assert (read.expires_at - read.issued_at, read.token_type) == (600, "Bearer")
    assert read.authentication is None
    assert read.confirmation is None


def test_a_persons_token_says_how_they_logged_in_and_how_well_they_are_known(
    access_tokens: AccessTokens, clock: FrozenClock
) -> None:
    token = access_tokens.issue(
        client_id="portal-1", scopes=frozenset({"openid"}), token_id="j", subject="p", authentication=PERSON
    )
    assert access_tokens.read(token).authentication == PERSON
    said: dict[str, Any] = {"sub": "p", "client_id": "portal-1", "scope": "openid"}
    said |= {"acr": "phr", "auth_time": 1_780_000_000, "ial": "ial1"}
    assert _judge(access_tokens, token, clock) == _claims(clock, **said)


@pytest.mark.parametrize(
    ("confirmation", "claim", "token_type"),
    [
        (Confirmation(jkt="t"), {"jkt": "t"}, "DPoP"),
        (Confirmation(x5t_s256="c"), {"x5t#S256": "c"}, "Bearer"),
    ],
)
def test_what_a_token_is_bound_to_stands_in_it_and_in_its_introspection(
    confirmation: Confirmation, claim: dict[str, str], token_type: str, access_tokens: AccessTokens
) -> None:
    token = access_tokens.issue(
        client_id="client-1", scopes=frozenset(), token_id="j", confirmation=confirmation
    )
    read = access_tokens.read(token)
    assert read.confirmation == confirmation
    told = read.introspection(ORIGIN)
    assert (told["active"], told["cnf"], told["token_type"]) == (True, claim, token_type)
    assert told["sub"] == told["client_id"] == "client-1"


HOSTILE: dict[str, tuple[dict[str, Any], Any, type[AccessTokenError]]] = {
    "alg none": (HEADER | {"alg": "none"}, lambda _: b"", TokenMalformed),
    "HS256 keyed with our public key as PEM": (
        HEADER | {"alg": "HS256"}, hs256(spki(EC_KEY, Encoding.PEM)), TokenMalformed),
    "HS256 keyed with our public key as DER": (
        HEADER | {"alg": "HS256"}, hs256(spki(EC_KEY)), TokenMalformed),
    "unknown crit": (HEADER | {"crit": ["x"], "x": 1}, es256(EC_KEY), TokenMalformed),
    "wrong typ": (HEADER | {"typ": "JWT"}, es256(EC_KEY), TokenMalformed),
    "foreign kid": (HEADER | {"kid": "x"}, es256(STRANGER), TokenNotOurs),
    "a stranger's signature": (HEADER, es256(STRANGER), TokenNotOurs),
    "no kid": (without(HEADER | {"kid": ...}), es256(EC_KEY), TokenNotOurs),
    "our RSA key, which signs ID tokens": (
        HEADER | {"alg": "RS256", "kid": "r1"}, rs256(RSA_KEY), TokenMalformed),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_token_is_refused_and_joserfc_agrees(
    name: str, access_tokens: AccessTokens, clock: FrozenClock
) -> None:
    header, sign, error = HOSTILE[name]
    token = forge(header, _claims(clock), sign)
    with pytest.raises(AccessTokenError) as refused:
        access_tokens.read(token)
    assert type(refused.value) is error
    with pytest.raises((JoseError, ValueError)):
        _judge(access_tokens, token, clock)


WRONG_CLAIMS: dict[str, tuple[dict[str, Any], type[AccessTokenError]]] = {
    **{f"{name} missing": ({name: ...}, TokenClaimsInvalid) for name in
       ("iss", "aud", "sub", "client_id", "scope", "jti", "iat", "exp")},
    "another issuer": ({"iss": f"{ORIGIN}.attacker"}, TokenClaimsInvalid),
    "another audience": ({"aud": "https://other.example"}, TokenClaimsInvalid),
    "expiry as text": ({"exp": "99999999999"}, TokenClaimsInvalid),
    "expiry as a list": ({"exp": [1]}, TokenClaimsInvalid),
    "expired": ({"iat": 0, "exp": 600}, TokenExpired),
    "from the future": ({"iat": 4102444800, "exp": 4102444900}, TokenExpired),
}  # fmt: skip
STRICTER: dict[str, tuple[dict[str, Any], type[AccessTokenError]]] = {
    "audience as a list": ({"aud": [ORIGIN]}, TokenClaimsInvalid),
    "expiry as true": ({"exp": True}, TokenClaimsInvalid),
    "expiry as a float": ({"exp": 1e12}, TokenClaimsInvalid),
    "subject as a number": ({"sub": 1}, TokenClaimsInvalid),
    "an unknown claim": ({"admin": "yes"}, TokenClaimsInvalid),
    "nbf": ({"nbf": 0}, TokenClaimsInvalid),
    "too long a life": ({"exp": 4102444800}, TokenExpired),
    "a client that logged in": ({"acr": "phr", "auth_time": 1, "ial": "ial1"}, TokenClaimsInvalid),
    "a person without acr": ({"sub": "p", "auth_time": 1, "ial": "ial1"}, TokenClaimsInvalid),
    "a time of login as text": ({"sub": "p", "acr": "phr", "auth_time": "1", "ial": "i"}, TokenClaimsInvalid),
    "acr as a list": ({"sub": "p", "acr": ["phr"], "auth_time": 1, "ial": "i"}, TokenClaimsInvalid),
    "bound to nothing": ({"cnf": {}}, TokenClaimsInvalid),
    "bound in an unknown way": ({"cnf": {"jku": "x"}}, TokenClaimsInvalid),
    "bound to a number": ({"cnf": {"jkt": 1}}, TokenClaimsInvalid),
    "bound to text": ({"cnf": "jkt"}, TokenClaimsInvalid),
}  # fmt: skip
"""Refused by us alone: the tokens that we make are never so."""


@pytest.mark.parametrize("name", WRONG_CLAIMS | STRICTER)
def test_a_genuine_signature_over_wrong_claims_is_refused_for_its_reason(
    name: str, access_tokens: AccessTokens, clock: FrozenClock
) -> None:
    changes, error = (WRONG_CLAIMS | STRICTER)[name]
    token = forge(HEADER, _claims(clock, **changes), es256(EC_KEY))
    with pytest.raises(error):
        access_tokens.read(token)
    if name in WRONG_CLAIMS:
        with pytest.raises((JoseError, ValueError)):
            _judge(access_tokens, token, clock)


def test_whatever_is_presented_the_api_answers_401_and_says_why(http: InProcess, clock: FrozenClock) -> None:
    tokens = {name: forge(header, _claims(clock), sign) for name, (header, sign, _) in HOSTILE.items()}
    for name, (changes, _) in (WRONG_CLAIMS | STRICTER).items():
        tokens[name] = forge(HEADER, _claims(clock, **changes), es256(EC_KEY))
    tokens["a client that does not exist"] = forge(HEADER, _claims(clock), es256(EC_KEY))
    tokens["a client's id that is no id"] = forge(HEADER, _claims(clock, client_id="'"), es256(EC_KEY))
    tokens["a person"] = forge(
        HEADER, _claims(clock, sub="p", acr="phr", auth_time=1, ial="ial1"), es256(EC_KEY)
    )
    for scheme in ("Bearer", "DPoP"):
        for name, token in tokens.items():
            answer = http.get("/v1/me", headers={"Authorization": f"{scheme} {token}", "DPoP": token})
            assert answer.status_code == 401, name
            assert "error=" in answer.headers["www-authenticate"], name
            assert answer.json()["detail"], name


def test_a_token_dies_on_time_and_not_before(access_tokens: AccessTokens, clock: FrozenClock) -> None:
    token = access_tokens.issue(client_id="client-1", scopes=frozenset({"documents.read"}), token_id="j")
    clock.advance(timedelta(seconds=604))
    assert access_tokens.read(token).client_id == "client-1"
    clock.advance(timedelta(seconds=1))
    with pytest.raises(TokenExpired):
        access_tokens.read(token)


def test_the_key_set_holds_public_halves_only(access_tokens: AccessTokens) -> None:
    members = {key["kid"]: set(key) for key in access_tokens.jwks()["keys"]}
    assert members == {
        "k1": {"kty", "crv", "x", "y", "kid", "use", "alg"},
        "r1": {"kty", "n", "e", "kid", "use", "alg"},
    }
