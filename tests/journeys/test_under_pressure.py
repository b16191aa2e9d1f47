"""Forged hosts, downgrades of PKCE, twenty requests at once, keys that change under load: over real HTTP."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from app.custody import rotate_token_keys, token_key_policy
from app.wiring import build_core
from identity.provider.pkce import s256
from identity.provider.portals import NewPortal, PortalRegistration
from tests.journeys.portals import Browser
from tests.pages.town import PASSWORD, Citizen, Town, served_town
from tests.support.clock import FrozenClock

pytestmark = pytest.mark.network

CALLBACK = "http://127.0.0.1:9/callback"
VERIFIER = "v" * 43
PAUSE = 2.0
"""Seconds: longer than the service remembers keys and our portals theirs, together."""
FORGED = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Original-Host": "evil.example",
    "Forwarded": "host=evil.example;proto=https",
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with served_town(tmp_path_factory.mktemp("hostile")) as served:
        served.core.agencies.add_agency(
            "dinas", name="Dinas Perizinan", organization_identifier="NTRID-1", actor="test"
        )
        yield served


@pytest.fixture
def portal(town: Town) -> NewPortal:
    asked = PortalRegistration(
        agency_id="dinas",
        name="Izin Bandung",
        redirect_uris=(CALLBACK,),
        scopes=frozenset({"openid", "offline_access"}),
    )
    return town.core.provider.portals.add(asked, actor="test")


def code_for(town: Town, portal: NewPortal, citizen: Citizen, **headers: str) -> str:
    """A code, got as a browser gets it; ``headers`` go with each of its requests."""
    asked = {
        "client_id": portal.portal.id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid offline_access",
        "code_challenge": s256(VERIFIER),
        "code_challenge_method": "S256",
    }
    with Browser(town.url) as browser:
        browser.http.headers.update(headers)
        browser.open(f"{town.url}/oauth2/authorize?{urlencode(asked)}")
        browser.log_in(citizen)
        came_back = browser.send("/oauth2/consent", decision="agree")
    assert came_back.startswith(f"{CALLBACK}?"), came_back
    told = parse_qs(urlsplit(came_back).query)
    assert told["iss"] == [town.url]
    return told["code"][0]


def redeem(town: Town, portal: NewPortal, form: dict[str, str], **headers: str) -> httpx.Response:
    assert portal.secret is not None
    return town.server.http.post(
        "/oauth2/token", data=form, auth=(portal.portal.id, portal.secret), headers=headers
    )


def form_with(code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def at_once(times: int, town: Town, portal: NewPortal, form: dict[str, str]) -> list[httpx.Response]:
    with ThreadPoolExecutor(times) as pool:
        return [one.result() for one in [pool.submit(redeem, town, portal, form) for _ in range(times)]]


def test_a_forged_host_reaches_no_mail(town: Town) -> None:
    citizen, stranger = town.citizen(codes=False), town.new_email()
    with Browser(town.url) as browser:
        browser.http.headers.update(FORGED)
        browser.open(f"{town.url}/register")
        browser.send("/register", name="Siti", email=stranger)
        browser.open(f"{town.url}/recovery")
        browser.send("/recovery", identifier=citizen.email)
        browser.open(f"{town.url}/login")
        browser.log_in(citizen)
    paths = {urlsplit(link).path for email in (stranger, citizen.email) for link in town.links(email)}
    assert {"/register/confirm", "/recovery/confirm", "/not-me"} <= paths
    for _, message in town.postman.delivered:
        assert "evil" not in message.as_string()
        for part in ("plain", "html"):
            body = message.get_body((part,))
            assert body is not None
            assert "evil" not in body.get_content()


def test_a_forged_host_reaches_no_issuer(town: Town, portal: NewPortal) -> None:
    answer = redeem(town, portal, form_with(code_for(town, portal, town.citizen(), **FORGED)), **FORGED)
    assert answer.status_code == 200, answer.text
    for token in ("id_token", "access_token"):
        assert claims_of(answer.json()[token])["iss"] == town.url
    for path in ("openid-configuration", "oauth-authorization-server"):
        document = town.server.http.get(f"/.well-known/{path}", headers=FORGED)
        assert document.json()["issuer"] == town.url
        assert "evil" not in document.text


DOWNGRADES = [
    ("no challenge at all", {"code_challenge": None, "code_challenge_method": None}),
    ("a method without a challenge", {"code_challenge": None}),
    ("an empty challenge", {"code_challenge": ""}),
    ("plain", {"code_challenge": VERIFIER, "code_challenge_method": "plain"}),
    ("plain, because no method is named", {"code_challenge": VERIFIER, "code_challenge_method": None}),
    ("the method in another case", {"code_challenge_method": "s256"}),
    ("a challenge that is no SHA-256", {"code_challenge": "short"}),
]


@pytest.mark.parametrize(("name", "changes"), DOWNGRADES, ids=lambda value: str(value).replace(" ", "-"))
def test_a_request_without_a_hashed_challenge_gets_no_code_over_http(
    town: Town, portal: NewPortal, name: str, changes: dict[str, str | None]
) -> None:
    """RFC 9700, 2.1.1: refused at once, to the registered address, whether or not the request is pushed."""
    asked = {
        "client_id": portal.portal.id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid",
        "state": "s-1",
        "code_challenge": s256(VERIFIER),
        "code_challenge_method": "S256",
    } | changes
    sent = {key: value for key, value in asked.items() if value is not None}
    answer = town.server.http.get("/oauth2/authorize", params=sent, follow_redirects=False)
    assert answer.is_redirect
    place = urlsplit(answer.headers["location"])
    assert f"{place.scheme}://{place.netloc}{place.path}" == CALLBACK
    told = parse_qs(place.query)
    assert (told["error"], told["state"], told["iss"]) == (["invalid_request"], ["s-1"], [town.url])
    assert "code" not in told
    assert portal.secret is not None
    pushed = town.server.http.post("/oauth2/par", data=sent, auth=(portal.portal.id, portal.secret))
    assert (pushed.status_code, pushed.json()["error"]) == (400, "invalid_request")


def test_a_code_without_its_verifier_gives_nothing_over_http_and_is_not_used_up(
    town: Town, portal: NewPortal
) -> None:
    form = form_with(code_for(town, portal, town.citizen()))
    for verifier in (None, "", "w" * 43, s256(VERIFIER)):
        sent = {key: value for key, value in form.items() if key != "code_verifier"}
        refused = redeem(town, portal, sent if verifier is None else sent | {"code_verifier": verifier})
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert redeem(town, portal, form).status_code == 200


def test_of_twenty_redemptions_over_http_one_succeeds_and_the_others_are_invalid_grants(
    town: Town, portal: NewPortal
) -> None:
    answers = at_once(20, town, portal, form_with(code_for(town, portal, town.citizen())))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
    assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_grant"}
    # Somebody had a code that was not theirs: what it gave is taken back.
    (granted,) = (answer.json() for answer in answers if answer.status_code == 200)
    held = {"Authorization": f"Bearer {granted['access_token']}"}
    assert town.server.http.get("/oauth2/userinfo", headers=held).status_code == 401


def test_of_twenty_refreshes_over_http_all_get_the_one_successor(town: Town, portal: NewPortal) -> None:
    first = redeem(town, portal, form_with(code_for(town, portal, town.citizen()))).json()
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    answers = at_once(20, town, portal, form)
    assert {answer.status_code for answer in answers} == {200}
    (successor,) = {answer.json()["refresh_token"] for answer in answers}
    renewed = redeem(town, portal, {"grant_type": "refresh_token", "refresh_token": successor})
    assert renewed.status_code == 200
    # The successor was used: the first one is a theft now, and ends the family.
    assert redeem(town, portal, form).json()["error"] == "invalid_grant"
    left = {"grant_type": "refresh_token", "refresh_token": renewed.json()["refresh_token"]}
    assert redeem(town, portal, left).json()["error"] == "invalid_grant"


def test_twenty_posts_of_one_totp_code_open_one_session(town: Town) -> None:
    """From one browser that knows the password: as a double click, or somebody who reads along."""
    citizen = town.citizen(codes=False)
    with Browser(town.url) as browser, ThreadPoolExecutor(20) as pool:
        browser.open(f"{town.url}/login")
        browser.send("/login", identifier=citizen.email, password=PASSWORD)
        target, hidden = browser.form("/login/second")
        form = hidden | {"kind": "totp", "code": citizen.code()}
        cookies = dict(browser.http.cookies)

        def post(_: int) -> httpx.Response:
            return httpx.post(target, data=form, cookies=cookies, timeout=30, trust_env=False)

        answers = list(pool.map(post, range(20)))
    assert sum(answer.headers.get("location") == "/account" for answer in answers) == 1
    assert all(answer.status_code < 500 for answer in answers)
    assert sum("absah" in answer.cookies for answer in answers) == 1


def test_no_portal_sees_a_token_that_it_cannot_verify_while_keys_rotate_under_load(
    town: Town, portal: NewPortal
) -> None:
    """Three people's portals refresh again and again and verify by the published keys; the keys of both
    algorithms change twice beneath them. Only the clock of the rotation jumps over the days in between."""
    begun = [redeem(town, portal, form_with(code_for(town, portal, town.citizen()))) for _ in range(3)]
    over, used, counts = threading.Event(), set[str](), []

    def work(refresh_token: str) -> None:
        count, fetched_at, published = 0, 0.0, KeySet([])
        while not over.wait(0.05):
            if time.monotonic() - fetched_at > PAUSE / 4:
                fetched_at = time.monotonic()
                published = KeySet.import_key_set(town.server.http.get("/oauth2/jwks").json())
            answer = redeem(town, portal, {"grant_type": "refresh_token", "refresh_token": refresh_token})
            assert answer.status_code == 200, answer.text
            told = answer.json()
            for token in (told["id_token"], told["access_token"]):
                read = jwt.decode(token, published, algorithms=["ES256", "RS256"])
                used.add(read.header["kid"])
            held = {"Authorization": f"Bearer {told['access_token']}"}
            assert town.server.http.get("/oauth2/userinfo", headers=held).status_code == 200
            refresh_token = told["refresh_token"]
            count += 1
        counts.append(count)

    with ExitStack() as closing, ThreadPoolExecutor(3) as pool:
        clock, policy = FrozenClock(datetime.now(UTC)), token_key_policy(town.core.settings)
        ahead = build_core(town.core.settings, closing=closing, clock=clock)
        working = [pool.submit(work, answer.json()["refresh_token"]) for answer in begun]
        try:
            for _ in range(2):
                for pause in (policy.max_age - policy.publish, policy.publish, policy.overlap):
                    time.sleep(PAUSE)
                    clock.advance(pause)
                    with ahead.database.exclusively():
                        assert rotate_token_keys(ahead.keys, policy, clock=clock, actor="test") == 2
            time.sleep(PAUSE)
        finally:
            over.set()
        for one in working:
            one.result()
    assert len(used) == 6, "every key of three generations has signed, of both algorithms"
    assert min(counts) > 10
