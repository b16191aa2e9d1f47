"""``private_key_jwt`` over HTTP, as FAPI 2.0 wants it: who may ask for tokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey

from app.callers import Callers
from identity.agencies.service import Agencies, NewClient
from tests.identity.conftest import EC_KEY
from tests.identity.forging import forge, hs256, spki
from tests.support.agency_system import (
    ORIGIN,
    RSA_KEY,
    TOKEN_URL,
    AgencySystem,
    signed,
)
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock


def _ask(http: InProcess, callers: Callers, system: AgencySystem, form: dict[str, str]) -> tuple[int, Any]:
    """Asks for a token with a good proof; only the form is on trial."""
    proof = system.proof(nonce=callers.reader.proofs.nonce())
    answer = http.post("/oauth2/token", data=form, headers={"DPoP": proof})
    return answer.status_code, answer.json()


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(
    ("alg", "key"),
    [("ES256", None), ("PS256", RSA_KEY), ("EdDSA", OKPKey.generate_key("Ed25519", private=True))],
    ids=["ES256", "PS256", "EdDSA"],
)
def test_a_system_proves_who_it_is_by_each_algorithm_of_fapi(
    alg: str, key: Any, http: InProcess, callers: Callers, client: NewClient, clock: FrozenClock
) -> None:
    system = AgencySystem(clock, alg=alg, key=key)
    system.registered = callers.agencies.register_client(
        "dinas", name="keys", scopes=["documents.read"], jwks=system.jwks(), actor="test"
    )
    status, body = _ask(http, callers, system, system.form())
    assert (status, body["token_type"], body["scope"]) == (200, "DPoP", "documents.read")
    status, body = _ask(http, callers, system, system.form(client_id=system.id, scope="documents.read"))
    assert status == 200


def test_a_single_registered_key_needs_no_kid(
    http: InProcess, callers: Callers, system: AgencySystem
) -> None:
    claims = {"iss": system.id, "sub": system.id, "aud": ORIGIN, "jti": "x", "exp": system.now() + 60}
    assertion = signed({"alg": "ES256"}, claims, system.key)
    assert _ask(http, callers, system, system.form(assertion))[0] == 200


STRANGER = ECKey.generate_key("P-256", private=True)
Make = Callable[[AgencySystem], str]
REFUSED: dict[str, Make] = {
    "aud is the token endpoint": lambda s: s.assertion(aud=TOKEN_URL),
    "aud is a list": lambda s: s.assertion(aud=[ORIGIN]),
    "aud is a list with others": lambda s: s.assertion(aud=[ORIGIN, "https://other.example"]),
    "aud is another service": lambda s: s.assertion(aud="https://other.example"),
    "aud with a slash": lambda s: s.assertion(aud=f"{ORIGIN}/"),
    "no aud": lambda s: s.assertion(aud=...),
    "no exp": lambda s: s.assertion(exp=...),
    "exp as text": lambda s: s.assertion(exp=str(s.now() + 60)),
    "exp as true": lambda s: s.assertion(exp=True),
    "exp beyond numbers": lambda s: s.assertion(exp=10**400),
    "exp below zero": lambda s: s.assertion(exp=-1),
    "expired": lambda s: s.assertion(exp=s.now()),
    "lives too long": lambda s: s.assertion(exp=s.now() + 400),
    "from the future": lambda s: s.assertion(iat=s.now() + 30),
    "not yet": lambda s: s.assertion(nbf=s.now() + 30),
    "iat as text": lambda s: s.assertion(iat="now"),
    "no jti": lambda s: s.assertion(jti=...),
    "jti is a number": lambda s: s.assertion(jti=1),
    "jti is empty": lambda s: s.assertion(jti=""),
    "jti is long": lambda s: s.assertion(jti="x" * 257),
    "no iss": lambda s: s.assertion(iss=...),
    "another iss": lambda s: s.assertion(iss="client-0000000000000000"),
    "no sub": lambda s: s.assertion(sub=...),
    "another sub": lambda s: s.assertion(sub="client-0000000000000000"),
    "sub is a list": lambda s: s.assertion(sub=[s.id]),
    "sub is not an id": lambda s: s.assertion(sub="' OR 1=1 --", iss="' OR 1=1 --"),
    "a stranger's key": lambda s: s.assertion(key=STRANGER),
    "foreign kid": lambda s: s.assertion(header={"kid": "x"}),
    "unknown crit": lambda s: s.assertion(header={"crit": ["exp"], "exp": 1}),
    "an access token's typ": lambda s: s.assertion(header={"typ": "at+jwt"}),
    "a DPoP proof": lambda s: s.proof(),
    "alg none": lambda s: forge({"alg": "none"}, {"sub": s.id, "iss": s.id}, lambda _: b"x"),
    "HS256 with its own public key": lambda s: forge(
        {"alg": "HS256", "kid": "main"}, {"sub": s.id, "iss": s.id},
        hs256(json.dumps(s.key.as_dict(private=False)).encode()),
    ),
    "HS256 with our public key as DER": lambda s: forge(
        {"alg": "HS256"}, {"sub": s.id, "iss": s.id}, hs256(spki(EC_KEY))
    ),
    "not a token": lambda _: "x",
    "empty": lambda _: "",
    "too long": lambda _: "a." * 5000,
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_an_assertion_that_proves_nothing_is_refused_as_invalid_client(
    name: str, http: InProcess, callers: Callers, system: AgencySystem
) -> None:
    if name == "unknown crit":  # joserfc does not even make one
        made = forge(
            {"alg": "ES256", "kid": "main", "crit": ["exp"], "exp": 1}, {"sub": system.id}, lambda _: b"x"
        )
    else:
        made = REFUSED[name](system)
    status, body = _ask(http, callers, system, system.form() | {"client_assertion": made})
    assert (status, body["error"]) == (401, "invalid_client"), body


def test_an_assertion_is_good_for_once(http: InProcess, callers: Callers, system: AgencySystem) -> None:
    form = system.form()
    assert _ask(http, callers, system, form)[0] == 200
    status, body = _ask(http, callers, system, form)
    assert (status, body["error"]) == (401, "invalid_client")
    assert "used before" in body["error_description"]


def test_of_twenty_at_the_same_time_one_is_let_in(callers: Callers, system: AgencySystem) -> None:
    from identity.agencies.authentication import ClientRequest
    from identity.agencies.errors import AssertionRefused

    request = ClientRequest(None, system.form(), "")

    def ask(_: int) -> bool:
        try:
            callers.reader._authentication.authenticate(request)
        except AssertionRefused:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(ask, range(20))) == 1


def test_two_systems_may_use_the_same_jti(
    http: InProcess, callers: Callers, system: AgencySystem, clock: FrozenClock
) -> None:
    other = AgencySystem(clock)
    other.registered = callers.agencies.register_client(
        "dinas", name="other", scopes=["documents.read"], jwks=other.jwks(), actor="test"
    )
    for each in (system, other):
        assert _ask(http, callers, each, each.form(each.assertion(jti="one")))[0] == 200


def test_what_was_seen_is_forgotten_when_it_could_not_be_used_again_anyway(
    http: InProcess, callers: Callers, system: AgencySystem, clock: FrozenClock
) -> None:
    form = system.form()
    assert _ask(http, callers, system, form)[0] == 200
    assert callers.once.purge() == 0
    clock.advance(timedelta(minutes=6))
    assert callers.once.purge() == 2  # the assertion and the proof
    assert _ask(http, callers, system, form)[0] == 401


MIXED: dict[str, Callable[[AgencySystem, NewClient], tuple[dict[str, str], dict[str, str]]]] = {
    "assertion and secret": lambda s, c: (s.form(client_secret=c.secret), {}),
    "assertion and basic": lambda s, _: (s.form(), {"Authorization": "Basic eDp5"}),
    "assertion without its type": lambda s, _: (
        {k: v for k, v in s.form().items() if k != "client_assertion_type"}, {}),
    "assertion of another type": lambda s, _: (
        s.form() | {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", MIXED)
def test_a_client_authenticates_in_one_way(
    name: str, http: InProcess, system: AgencySystem, client: NewClient
) -> None:
    form, headers = MIXED[name](system, client)
    answer = http.post("/oauth2/token", data=form, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_client_with_keys_has_no_secret_and_one_with_a_secret_no_keys(
    http: InProcess, callers: Callers, system: AgencySystem, client: NewClient
) -> None:
    form = {"grant_type": "client_credentials", "client_id": system.id}
    for secret in ("", "x", client.secret):
        answer = http.post("/oauth2/token", data=form | {"client_secret": secret})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    forged = system.assertion(iss=client.client.id, sub=client.client.id)
    assert _ask(http, callers, system, system.form(forged))[0] == 401
    named = system.form(client_id=client.client.id)
    assert _ask(http, callers, system, named)[0] == 401


def test_a_disabled_system_is_not_let_in(
    http: InProcess, agencies: Agencies, callers: Callers, system: AgencySystem
) -> None:
    agencies.disable_client(system.id, actor="test")
    assert _ask(http, callers, system, system.form())[0] == 401


def test_a_rotated_key_authenticates_through_its_overlap_and_not_longer(
    http: InProcess, callers: Callers, system: AgencySystem, clock: FrozenClock
) -> None:
    new = AgencySystem(clock)
    new.registered = system.registered
    keys = json.loads(new.jwks())["keys"][0] | {"kid": "next"}
    callers.agencies.replace_keys(
        system.id, json.dumps({"keys": [keys]}), overlap=timedelta(hours=1), actor="ani"
    )
    by_new = new.form(new.assertion(header={"kid": "next"}))
    assert _ask(http, callers, new, by_new)[0] == 200
    assert _ask(http, callers, system, system.form())[0] == 200
    clock.advance(timedelta(hours=1))
    assert _ask(http, callers, system, system.form())[0] == 401
    by_new = new.form(new.assertion(header={"kid": "next"}))
    assert _ask(http, callers, new, by_new)[0] == 200
    callers.agencies.remove_key(system.id, "next", actor="ani")
    assert _ask(http, callers, new, new.form(new.assertion(header={"kid": "next"})))[0] == 401
