"""DPoP over HTTP: a token that is bound to a key opens nothing without that key (RFC 9449)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey

from app.callers import Callers
from identity.agencies.dpop import normalised
from identity.agencies.errors import DpopNonceNeeded, DpopProofInvalid
from identity.agencies.model import AgencyPolicy
from identity.agencies.service import NewClient
from tests.support.agency_system import ORIGIN, RSA_KEY, TOKEN_URL, AgencySystem, signed
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.tokens import bearer_token

ME = f"{ORIGIN}/v1/me"


@pytest.fixture
def nonce(callers: Callers) -> str:
    return callers.reader.proofs.nonce()


def _token(http: InProcess, system: AgencySystem, nonce: str) -> str:
    answer = http.post("/oauth2/token", data=system.form(), headers={"DPoP": system.proof(nonce=nonce)})
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "DPoP"
    assert answer.headers["dpop-nonce"] == nonce
    token: str = answer.json()["access_token"]
    return token


def _call(http: InProcess, token: str, *proofs: str, scheme: str = "DPoP", method: str = "GET") -> Any:
    headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", proof) for proof in proofs)]
    return http.request(method, "/v1/me", headers=headers)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("ES256", ECKey.generate_key("P-256", private=True)),
        ("PS256", RSA_KEY),
        ("EdDSA", OKPKey.generate_key("Ed25519", private=True)),
    ],
    ids=["ES256", "PS256", "EdDSA"],
)
def test_a_bound_token_opens_the_api_with_a_proof_for_each_request(
    alg: str, key: Any, http: InProcess, system: AgencySystem, nonce: str
) -> None:
    system.proof_key, system.proof_alg = key, alg
    token = _token(http, system, nonce)
    for method in ("GET", "POST"):
        proof = system.proof(method, ME, nonce=nonce, access_token=token)
        answer = _call(http, token, proof, method=method)
        assert (answer.status_code, answer.json().get("client")) == (200, system.id), answer.text


def test_the_query_is_not_part_of_what_is_proved(http: InProcess, system: AgencySystem, nonce: str) -> None:
    token = _token(http, system, nonce)
    for htu, path in ((ME, "/v1/me?x=1"), (f"{ME}?y=2#z", "/v1/me")):
        proof = system.proof("GET", htu, nonce=nonce, access_token=token)
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
        assert http.get(path, headers=headers).status_code == 200


def test_both_endpoints_hand_out_the_nonce_that_they_want(
    http: InProcess, system: AgencySystem, nonce: str
) -> None:
    refused = http.post("/oauth2/token", data=system.form(), headers={"DPoP": system.proof()})
    assert (refused.status_code, refused.json()["error"]) == (400, "use_dpop_nonce")
    assert refused.headers["dpop-nonce"] == nonce
    token = _token(http, system, nonce)
    refused = _call(http, token, system.proof("GET", ME, access_token=token))
    assert refused.status_code == 401
    assert refused.headers["dpop-nonce"] == nonce
    assert refused.headers["www-authenticate"].startswith('DPoP algs="ES256 PS256 EdDSA"')
    assert 'error="use_dpop_nonce"' in refused.headers["www-authenticate"]


def test_a_nonce_lives_through_the_next_stretch_and_is_the_same_in_every_process(
    http: InProcess, callers: Callers, system: AgencySystem, nonce: str, clock: FrozenClock
) -> None:
    clock.advance(AgencyPolicy().nonce_life)
    assert callers.reader.proofs.nonce() != nonce
    assert callers.reader.proofs.check(system.proof(nonce=nonce), method="POST", path="/oauth2/token")
    clock.advance(AgencyPolicy().nonce_life)
    with pytest.raises(DpopNonceNeeded):
        callers.reader.proofs.check(system.proof(nonce=nonce), method="POST", path="/oauth2/token")


Make = Callable[[AgencySystem, str], str]


def _proof(**changes: Any) -> Make:
    return lambda system, nonce: system.proof(nonce=nonce, **changes)


def _shifted(seconds: int) -> Make:
    return lambda system, nonce: system.proof(nonce=nonce, iat=system.now() + seconds)


BAD_PROOFS: dict[str, Make] = {
    "another method": lambda s, n: s.proof("GET", nonce=n),
    "method in lower case": lambda s, n: s.proof("post", nonce=n),
    "another path": lambda s, n: s.proof(url=f"{ORIGIN}/oauth2/par", nonce=n),
    "path with a slash": lambda s, n: s.proof(url=f"{TOKEN_URL}/", nonce=n),
    "path in another case": lambda s, n: s.proof(url=f"{ORIGIN}/OAuth2/token", nonce=n),
    "another host": lambda s, n: s.proof(url="https://absah.example.attacker/oauth2/token", nonce=n),
    "the host of the request": lambda s, n: s.proof(url="http://absah.test/oauth2/token", nonce=n),
    "another port": lambda s, n: s.proof(url="https://absah.example:8443/oauth2/token", nonce=n),
    "plain http": lambda s, n: s.proof(url="http://absah.example/oauth2/token", nonce=n),
    "somebody in front of the host": lambda s, n: s.proof(
        url="https://absah.example@attacker.example/oauth2/token", nonce=n),
    "port that is no number": lambda s, n: s.proof(url="https://absah.example:x/oauth2/token", nonce=n),
    "no htu": _proof(htu=...),
    "htu is a list": _proof(htu=[TOKEN_URL]),
    "htu is empty": _proof(htu=""),
    "no htm": _proof(htm=...),
    "htm is a list": _proof(htm=["POST"]),
    "no iat": _proof(iat=...),
    "iat is text": _proof(iat="1"),
    "iat beyond numbers": _proof(iat=10**400),
    "a minute old": _shifted(-61),
    "from the future": _shifted(11),
    "no jti": _proof(jti=...),
    "jti is a number": _proof(jti=7),
    "jti is empty": _proof(jti=""),
    "jti is long": _proof(jti="x" * 257),
    "typ of an assertion": _proof(header={"typ": "JWT"}),
    "no typ": _proof(header={"typ": ...}),
    "no key": _proof(header={"jwk": ...}),
    "the private key too": lambda s, n: s.proof(
        nonce=n, header={"jwk": s.proof_key.as_dict(private=True)}),
    "another key than it is signed with": lambda s, n: s.proof(
        nonce=n, header={"jwk": ECKey.generate_key("P-256", private=True).as_dict(private=False)}),
    "not a token": lambda _, __: "x",
    "empty": lambda _, __: "",
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_PROOFS)
def test_a_proof_that_proves_nothing_gets_no_token(
    name: str, http: InProcess, system: AgencySystem, nonce: str
) -> None:
    proof = BAD_PROOFS[name](system, nonce)
    answer = http.post("/oauth2/token", data=system.form(), headers={"DPoP": proof})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof"), answer.text


@pytest.mark.parametrize("nonce_given", ["x", "", 1, None, ["x"]])
def test_any_other_nonce_is_answered_with_the_right_one(
    nonce_given: Any, http: InProcess, system: AgencySystem
) -> None:
    made = signed(
        {"typ": "dpop+jwt", "alg": "ES256", "jwk": system.proof_key.as_dict(private=False)},
        {"jti": "a", "htm": "POST", "htu": TOKEN_URL, "iat": system.now(), "nonce": nonce_given},
        system.proof_key,
    )
    answer = http.post("/oauth2/token", data=system.form(), headers={"DPoP": made})
    assert (answer.status_code, answer.json()["error"]) == (400, "use_dpop_nonce")


def test_a_proof_is_good_for_once(http: InProcess, system: AgencySystem, nonce: str) -> None:
    proof = system.proof(nonce=nonce)
    first, second = (
        http.post("/oauth2/token", data=system.form(), headers={"DPoP": proof}) for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (200, 400)
    assert second.json()["error"] == "invalid_dpop_proof"
    token = first.json()["access_token"]
    proof = system.proof("GET", ME, nonce=nonce, access_token=token)
    assert [_call(http, token, proof).status_code for _ in range(2)] == [200, 401]


def test_of_twenty_uses_of_one_proof_at_the_same_time_one_counts(
    callers: Callers, system: AgencySystem, nonce: str
) -> None:
    proof = system.proof(nonce=nonce)

    def use(_: int) -> bool:
        try:
            callers.reader.proofs.check(proof, method="POST", path="/oauth2/token")
        except DpopProofInvalid:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(use, range(20))) == 1


def test_a_stolen_token_opens_nothing(
    http: InProcess, system: AgencySystem, nonce: str, clock: FrozenClock
) -> None:
    token = _token(http, system, nonce)
    thief = AgencySystem(clock)
    good = system.proof("GET", ME, nonce=nonce, access_token=token)
    attempts = {
        "as a bearer token": _call(http, token, scheme="Bearer"),
        "as a bearer token with a proof": _call(http, token, good, scheme="Bearer"),
        "without a proof": _call(http, token),
        "with two proofs": _call(http, token, good, good),
        "with another key's proof": _call(
            http, token, thief.proof("GET", ME, nonce=nonce, access_token=token)
        ),
        "with a proof for no token": _call(http, token, system.proof("GET", ME, nonce=nonce)),
        "with a proof for another token": _call(
            http, token, system.proof("GET", ME, nonce=nonce, access_token="x")
        ),
        "with a proof for another request": _call(
            http, token, system.proof("POST", ME, nonce=nonce, access_token=token)
        ),
    }
    for name, answer in attempts.items():
        assert answer.status_code == 401, name
        assert answer.json()["type"].endswith("access-token-invalid"), name
        assert "error=" in answer.headers["www-authenticate"], name
    assert _call(http, token, good).status_code == 200  # none of the attempts has used it up


def test_a_bearer_token_is_not_presented_as_a_bound_one(
    http: InProcess, system: AgencySystem, client: NewClient, nonce: str
) -> None:
    token = bearer_token(http, client)
    proof = system.proof("GET", ME, nonce=nonce, access_token=token)
    assert _call(http, token, proof).status_code == 401
    assert _call(http, token, scheme="bearer").status_code == 200


def test_a_client_with_keys_gets_no_unbound_token(http: InProcess, system: AgencySystem) -> None:
    answer = http.post("/oauth2/token", data=system.form())
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert "DPoP proof" in answer.json()["error_description"]


def test_a_development_client_may_bind_its_token_too(
    http: InProcess, system: AgencySystem, client: NewClient, nonce: str
) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": client.client.id,
        "client_secret": client.secret,
    }
    answer = http.post("/oauth2/token", data=form, headers={"DPoP": system.proof(nonce=nonce)})
    assert answer.json()["token_type"] == "DPoP"
    assert _call(http, answer.json()["access_token"], scheme="Bearer").status_code == 401


def test_a_wrong_client_uses_up_nobodys_proof(http: InProcess, system: AgencySystem, nonce: str) -> None:
    """Who first: a proof is looked at only once the client is known."""
    proof = system.proof(nonce=nonce)
    assert http.post("/oauth2/token", data=system.form("x"), headers={"DPoP": proof}).status_code == 401
    assert http.post("/oauth2/token", data=system.form(), headers={"DPoP": proof}).status_code == 200


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("HTTPS://Absah.Example:443", "https://absah.example/"),
        ("http://absah.example:80/a?b#c", "http://absah.example/a"),
        ("http://absah.example:443/a", "http://absah.example:443/a"),
        ("https://absah.example/%7ea/%2f", "https://absah.example/~a/%2F"),
        ("https://absah.example/é", "https://absah.example/%C3%A9"),
        ("https://[::1]:8000/a", "https://[::1]:8000/a"),
        ("ftp://absah.example/", None),
        ("//absah.example/", None),
        ("/oauth2/token", None),
        ("https://user@absah.example/", None),
        ("https://absah.example:99999/", None),
        ("https://äbsah.example/", None),
        ("https://[::1", None),
        ("", None),
    ],
)
def test_addresses_are_compared_in_one_spelling(url: str, spelled: str | None) -> None:
    assert normalised(url) == spelled


def test_marks_are_forgotten_after_the_proof_could_count(
    http: InProcess, callers: Callers, system: AgencySystem, nonce: str, clock: FrozenClock
) -> None:
    proof = system.proof(nonce=nonce)
    callers.reader.proofs.check(proof, method="POST", path="/oauth2/token")
    clock.advance(AgencyPolicy().proof_life)
    assert callers.once.purge() == 0
    clock.advance(timedelta(seconds=2))
    assert callers.once.purge() == 1
    with pytest.raises(DpopProofInvalid, match="this moment"):
        callers.reader.proofs.check(proof, method="POST", path="/oauth2/token")
