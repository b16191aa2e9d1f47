"""A certified client (npm openid-client) logs people in at our service, over real HTTP, without any hook."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from identity.encoding import base64url
from identity.jwks import jwk_of
from identity.provider.model import IdTokenAlgorithm, PortalKind
from identity.provider.portals import NewPortal, PortalRegistration
from tests.journeys.portals import Browser, PortalServer
from tests.pages.town import Citizen, Town, served_town
from tests.support.needs import requires
from tests.support.node import NodeProgram, NodeRefused, running

pytestmark = [requires("node"), pytest.mark.network]

CALLBACK = "http://127.0.0.1:9/callback"
LEFT = "http://127.0.0.1:9/left"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with served_town(tmp_path_factory.mktemp("portals")) as served:
        served.core.agencies.add_agency(
            "dinas", name="Dinas Perizinan", organization_identifier="NTRID-1", actor="test"
        )
        yield served


@pytest.fixture
def portal() -> Iterator[NodeProgram]:
    with running("portal.mjs", "openid-client") as program:
        yield program


@pytest.fixture
def server() -> Iterator[PortalServer]:
    made = PortalServer()
    yield made
    made.close()


@pytest.fixture
def browser(town: Town) -> Iterator[Browser]:
    with Browser(town.url) as opened:
        yield opened


@pytest.fixture
def citizen(town: Town) -> Citizen:
    return town.citizen(codes=False)


def register(town: Town, **changes: object) -> NewPortal:
    asked = {
        "agency_id": "dinas",
        "name": "Izin Bandung",
        "redirect_uris": (CALLBACK,),
        "post_logout_redirect_uris": (LEFT,),
        "scopes": frozenset({"profile", "email", "offline_access"}),
    } | changes
    return town.core.provider.portals.add(PortalRegistration(**asked), actor="test")  # type: ignore[arg-type]


def key_pair() -> tuple[dict[str, str], str]:
    """A portal's private key as JWK, and its public set."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = jwk_of(key.public_key(), key_id="portal-1", algorithm="ES256").as_json()
    private = public | {"d": base64url(key.private_numbers().private_value.to_bytes(32))}
    return private, json.dumps({"keys": [public]})


def log_in(portal: NodeProgram, browser: Browser, citizen: Citizen, **start: object) -> dict[str, Any]:
    """The first time: login, second factor, consent."""
    browser.open(portal.ask("start", redirectUri=CALLBACK, **start)["url"])
    page = browser.log_in(citizen)
    assert urlsplit(page).path == "/oauth2/authorize", page
    came_back = browser.send("/oauth2/consent", decision="agree")
    assert came_back.startswith(f"{CALLBACK}?"), came_back
    finished: dict[str, Any] = portal.ask("finish", url=came_back)
    return finished


@pytest.mark.parametrize("algorithm", list(IdTokenAlgorithm))
@pytest.mark.parametrize("pushed", [False, True], ids=["plain", "pushed"])
def test_a_certified_client_goes_all_the_way(
    algorithm: IdTokenAlgorithm,
    pushed: bool,
    town: Town,
    portal: NodeProgram,
    browser: Browser,
    citizen: Citizen,
    server: PortalServer,
) -> None:
    key, jwks = key_pair()
    registered = register(
        town,
        jwks=jwks,
        id_token_algorithm=algorithm,
        require_pushed=pushed,
        backchannel_logout_uri=f"{server.url}/ended",
    ).portal
    portal.ask("discover", issuer=town.url, clientId=registered.id, key=key, algorithm=algorithm.value)
    # 1. Code and S256, with state, nonce and iss checked by the client.
    finished = log_in(portal, browser, citizen, pushed=pushed)
    claims, tokens = finished["claims"], finished["tokens"]
    assert (claims["acr"], claims["ial"]) == ("aal2", "ial0")
    # 2. UserInfo.
    told = portal.ask("userinfo", token=tokens["access_token"], subject=claims["sub"])
    assert told == {
        "sub": claims["sub"],
        "ial": "ial0",
        "name": "Siti Rahmawati",
        "locale": "id",
        "email": citizen.email,
        "email_verified": True,
    }
    # 3. Refresh, introspection, revocation.
    refreshed = portal.ask("refresh", token=tokens["refresh_token"])
    assert refreshed["claims"]["sub"] == claims["sub"]
    access_token = refreshed["tokens"]["access_token"]
    assert portal.ask("introspect", token=access_token)["active"] is True
    portal.ask("revoke", token=access_token)
    assert portal.ask("introspect", token=access_token) == {"active": False}
    # 4. Logout: the browser comes back, and the portal's server is told.
    url = portal.ask("leave", idToken=refreshed["tokens"]["id_token"], returnTo=LEFT, state="bye")["url"]
    assert browser.open(url) == f"{LEFT}?state=bye"
    silent = portal.ask("start", redirectUri=CALLBACK, parameters={"prompt": "none"}, pushed=pushed)["url"]
    assert "error=login_required" in browser.open(silent)
    assert town.core.provider.logouts.deliver() == 1
    assert len(server.tokens) == 1
    with pytest.raises(NodeRefused, match="invalid_grant"):
        portal.ask("refresh", token=refreshed["tokens"]["refresh_token"])


def test_an_app_without_a_secret_and_a_portal_with_one_in_development(town: Town, citizen: Citizen) -> None:
    app = register(town, kind=PortalKind.NATIVE)
    web = register(town)
    for made in (app, web):
        with running("portal.mjs", "openid-client") as portal:
            portal.ask("discover", issuer=town.url, clientId=made.portal.id, secret=made.secret)
            with Browser(town.url) as other:
                finished = log_in(portal, other, citizen)
            assert finished["claims"]["aud"] == made.portal.id


def test_the_second_login_asks_nothing_and_a_demand_for_a_fresh_one_asks_a_factor(
    town: Town, portal: NodeProgram, browser: Browser, citizen: Citizen
) -> None:
    made = register(town)
    portal.ask("discover", issuer=town.url, clientId=made.portal.id, secret=made.secret)
    first = log_in(portal, browser, citizen)
    # Once agreed, nothing is asked again; neither silently ...
    url = portal.ask("start", redirectUri=CALLBACK, parameters={"prompt": "none"})["url"]
    silent = portal.ask("finish", url=browser.open(url))
    assert silent["claims"]["auth_time"] == first["claims"]["auth_time"]
    # ... nor with a login page on offer.
    came_back = browser.open(portal.ask("start", redirectUri=CALLBACK)["url"])
    assert came_back.startswith(CALLBACK)
    time.sleep(1.1)  # auth_time counts whole seconds
    # A fresh login is a factor again, and the client checks auth_time against its max_age.
    url = portal.ask("start", redirectUri=CALLBACK, parameters={"prompt": "login", "max_age": "5"})["url"]
    assert urlsplit(browser.open(url)).path == "/step-up"
    came_back = browser.send("/step-up", kind="totp", code=citizen.code())
    fresh = portal.ask("finish", url=came_back)
    assert fresh["claims"]["auth_time"] > first["claims"]["auth_time"]


def test_nobody_logged_in_is_told_to_a_silent_request(
    town: Town, portal: NodeProgram, browser: Browser
) -> None:
    made = register(town)
    portal.ask("discover", issuer=town.url, clientId=made.portal.id, secret=made.secret)
    url = portal.ask("start", redirectUri=CALLBACK, parameters={"prompt": "none"})["url"]
    with pytest.raises(NodeRefused, match="login_required"):
        portal.ask("finish", url=browser.open(url))


def test_who_declines_shares_nothing(
    town: Town, portal: NodeProgram, browser: Browser, citizen: Citizen
) -> None:
    made = register(town)
    portal.ask("discover", issuer=town.url, clientId=made.portal.id, secret=made.secret)
    browser.open(portal.ask("start", redirectUri=CALLBACK)["url"])
    browser.log_in(citizen)
    came_back = browser.send("/oauth2/consent", decision="decline")
    with pytest.raises(NodeRefused, match="access_denied"):
        portal.ask("finish", url=came_back)


@pytest.mark.parametrize("logged_in", [False, True])
def test_whoever_turns_back_at_the_login_or_the_step_up_is_told_of_as_declined(
    town: Town, portal: NodeProgram, browser: Browser, citizen: Citizen, logged_in: bool
) -> None:
    made = register(town)
    portal.ask("discover", issuer=town.url, clientId=made.portal.id, secret=made.secret)
    if logged_in:
        browser.open(portal.ask("start", redirectUri=CALLBACK)["url"])
        browser.log_in(citizen)
    wanted = {"acr_values": "phr"} if logged_in else {}
    browser.open(portal.ask("start", redirectUri=CALLBACK, parameters=wanted)["url"])
    assert f"Kembali ke {made.portal.name}" in browser.answer.text
    came_back = browser.send("/oauth2/consent", decision="decline")
    with pytest.raises(NodeRefused, match="access_denied"):
        portal.ask("finish", url=came_back)


def test_a_forged_host_reaches_no_issuer_and_no_redirect(town: Town) -> None:
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    document = town.server.http.get("/.well-known/openid-configuration", headers=forged)
    assert "evil" not in document.text
    made = register(town)
    asked = {"client_id": made.portal.id, "redirect_uri": CALLBACK, "response_type": "code", "prompt": "none"}
    answer = town.server.http.get("/oauth2/authorize", params=asked, headers=forged)
    told = parse_qs(urlsplit(answer.headers["location"]).query)
    assert told["iss"] == [town.url]
    assert answer.headers["location"].startswith(f"{CALLBACK}?")


def test_the_answer_as_a_form_goes_to_the_portal_and_nowhere_else(
    town: Town, portal: NodeProgram, browser: Browser, citizen: Citizen
) -> None:
    made = register(town)
    portal.ask("discover", issuer=town.url, clientId=made.portal.id, secret=made.secret)
    parameters = {"response_mode": "form_post"}
    browser.open(portal.ask("start", redirectUri=CALLBACK, parameters=parameters)["url"])
    browser.log_in(citizen)
    browser.send("/oauth2/consent", decision="agree")
    assert f'action="{CALLBACK}"' in browser.answer.text
    assert "form-action 'self' http://127.0.0.1:9;" in browser.answer.headers["content-security-policy"]


# --- what hostile and clumsy requests get, over HTTP -----------------------------------------------------

OFF = [
    ("slash", f"{CALLBACK}/"),
    ("query", f"{CALLBACK}?x=1"),
    ("port", "http://127.0.0.1:10/callback"),
    ("case", "http://127.0.0.1:9/Callback"),
    ("elsewhere", "https://evil.example/callback"),
    ("script", "javascript:alert(1)"),
    ("missing", ""),
]


@pytest.mark.parametrize(("name", "uri"), OFF, ids=lambda value: value[:12])
def test_an_address_that_is_off_gets_a_page_and_no_redirect(name: str, uri: str, town: Town) -> None:
    asked = {"client_id": register(town).portal.id, "response_type": "code", "redirect_uri": uri}
    for answer in (
        town.server.http.get("/oauth2/authorize", params=asked),
        town.server.http.get("/oauth2/authorize", params=asked | {"prompt": "none"}),
        town.server.http.post("/oauth2/authorize", data=asked, follow_redirects=True),
    ):
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert answer.headers["content-type"].startswith("text/html")
        assert not uri or uri not in answer.text
        assert "form-action 'self';" in answer.headers["content-security-policy"]


def test_a_posted_request_comes_back_by_itself_to_where_our_cookies_come_along(town: Town) -> None:
    asked = {
        "client_id": register(town).portal.id,
        "redirect_uri": CALLBACK,
        "prompt": "none",
        "state": "a&b",
    }
    answer = town.server.http.post("/oauth2/authorize", data=asked)
    assert answer.status_code == 303
    location = urlsplit(answer.headers["location"])
    assert (location.netloc, location.path) == ("", "/oauth2/authorize")
    assert {name: values[0] for name, values in parse_qs(location.query).items()} == asked


def test_consent_takes_no_form_of_anybody_else(
    town: Town, portal: NodeProgram, browser: Browser, citizen: Citizen
) -> None:
    made = register(town)
    portal.ask("discover", issuer=town.url, clientId=made.portal.id, secret=made.secret)
    browser.open(portal.ask("start", redirectUri=CALLBACK)["url"])
    page = browser.log_in(citizen)
    address = page.replace("/oauth2/authorize", "/oauth2/consent")
    for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = browser.http.post(address, data={"decision": "agree"}, headers=headers)
        assert answer.status_code == 403
        assert "location" not in answer.headers
    assert browser.send("/oauth2/consent", decision="agree").startswith(CALLBACK)


def test_endpoints_for_machines_challenge_whoever_is_not_known(town: Town) -> None:
    http = town.server.http
    nobody = http.get("/oauth2/userinfo")
    assert nobody.status_code == 401
    assert nobody.headers["www-authenticate"].startswith("Bearer ")
    assert "error=" not in nobody.headers["www-authenticate"].partition("DPoP")[0]
    wrong = http.get("/oauth2/userinfo", headers={"Authorization": "Bearer x.y.z"})
    assert wrong.status_code == 401
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
    for path in ("/oauth2/introspect", "/oauth2/revoke", "/oauth2/par"):
        answer = http.post(path, data={"token": "x", "client_id": "portal-0000000000000000"})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), path
        assert answer.headers["cache-control"] == "no-store"


def test_a_code_shown_to_the_wrong_client_or_without_its_verifier_is_refused_over_http(
    town: Town, portal: NodeProgram, browser: Browser, citizen: Citizen
) -> None:
    made, other = register(town), register(town)
    portal.ask("discover", issuer=town.url, clientId=made.portal.id, secret=made.secret)
    browser.open(portal.ask("start", redirectUri=CALLBACK)["url"])
    browser.log_in(citizen)
    came_back = browser.send("/oauth2/consent", decision="agree")
    code = parse_qs(urlsplit(came_back).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    for who, sent in (
        (made, form),
        (made, form | {"code_verifier": "v" * 43}),
        (other, form | {"code_verifier": "v" * 43}),
    ):
        assert who.secret is not None
        answer = town.server.http.post("/oauth2/token", data=sent, auth=(who.portal.id, who.secret))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert portal.ask("finish", url=came_back)["claims"]["aud"] == made.portal.id
