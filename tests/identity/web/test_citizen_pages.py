"""The way in and the way out, as a browser without scripts walks them."""

from __future__ import annotations

import json

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from identity.people.model import PersonState
from tests.identity.login.conftest import EMAIL, WRONG, House
from tests.identity.web.conftest import Browser
from tests.identity.web.walks import DEVICE, HALF, SESSION, log_in, start, without_token


def test_two_factors_open_a_session_and_nothing_of_the_way_is_left(house: House, visitor: Browser) -> None:
    holder = house.person()
    start(visitor)
    half, device = visitor.cookies[HALF], visitor.cookies.get(DEVICE)
    assert SESSION not in visitor.cookies
    answer = visitor.send("/login/second", kind="totp", code=holder.totp_code().value)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert house.sessions.find(visitor.cookies[SESSION]) is not None
    assert HALF not in visitor.cookies
    assert device is None
    assert DEVICE in visitor.cookies
    visitor.cookies = {HALF: half}
    assert visitor.get("/login/second").headers["location"] == "/login?notice=half_gone"


def test_a_half_session_opens_no_page_behind_the_login(house: House, visitor: Browser) -> None:
    house.person()
    start(visitor)
    assert visitor.get("/step-up").headers["location"].startswith("/login?next=")
    assert visitor.get("/setup").status_code == 410
    assert visitor.get("/recovery/proof").status_code == 410


def test_a_login_leads_on_to_what_it_was_for(house: House, visitor: Browser) -> None:
    holder = house.person()
    assert log_in(visitor, holder.totp_code().value, query="?flow=flow-1") == "/oauth2/authorize?flow=flow-1"
    assert visitor.get("/login").headers["location"] == "/account"
    visitor.cookies.clear()
    after = "?next=%2Faccount%2Ffactors"
    assert log_in(visitor, holder.totp_code().value, query=after) == "/account/factors"


def test_known_and_unknown_people_get_the_same_page(house: House, visitor: Browser) -> None:
    house.person()
    house.person(email="tutup@contoh.id", state=PersonState.REGISTERED)
    seen = set()
    for identifier in (EMAIL, "nobody@contoh.id", "tutup@contoh.id", "3273015702560001", "x"):
        visitor.cookies.clear()
        visitor.get("/login")
        answer = visitor.send("/login", identifier=identifier, password="bukan ini")
        assert HALF not in visitor.cookies
        page = without_token(answer.text).replace(f'value="{identifier}"', "")
        seen.add((answer.status_code, page, tuple(sorted(answer.headers.keys()))))
    assert len(seen) == 1
    seen = set()
    for identifier in (EMAIL, "nobody@contoh.id", "tutup@contoh.id"):
        visitor.get("/recovery")
        answer = visitor.send("/recovery", identifier=identifier)
        seen.add((answer.status_code, answer.headers["location"]))
    assert seen == {(303, "/recovery/confirm")}
    seen = set()
    for email in (EMAIL, "nobody@contoh.id"):
        visitor.get("/register")
        answer = visitor.send("/register", name="Siti", email=email)
        seen.add((answer.status_code, answer.headers["location"]))
    assert seen == {(303, "/register/confirm")}


def test_a_wrong_code_stands_beside_its_field_and_too_many_name_the_wait(
    house: House, visitor: Browser
) -> None:
    house.person()
    start(visitor)
    answer = visitor.send("/login/second", kind="totp", code=WRONG)
    assert answer.status_code == 422
    assert 'aria-describedby="code-error code-hint"' in answer.text
    while answer.status_code == 422:
        answer = visitor.send("/login/second", kind="totp", code=WRONG)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "Terlalu banyak percobaan" in answer.text


def test_the_same_code_is_not_accepted_twice(house: House, visitor: Browser) -> None:
    holder = house.person()
    code = holder.totp_code().value
    log_in(visitor, code)
    visitor.cookies.clear()
    start(visitor)
    assert visitor.send("/login/second", kind="totp", code=code).status_code == 422


def test_digits_typed_in_groups_are_understood(house: House, visitor: Browser) -> None:
    holder = house.person(codes=True)
    code = holder.totp_code().value
    log_in(visitor, f" {code[:3]} {code[3:]} ")
    visitor.cookies.clear()
    start(visitor)
    spaced = holder.codes[0].lower().replace("-", " ")
    assert visitor.send("/login/second", kind="recovery_code", code=spaced).status_code == 303


def test_step_up_changes_the_session_cookie_and_the_old_one_is_dead(house: House, visitor: Browser) -> None:
    holder = house.person()
    log_in(visitor, holder.totp_code().value)
    old = visitor.cookies[SESSION]
    visitor.get("/step-up?next=/account/factors")
    answer = visitor.send("/step-up?next=/account/factors", kind="totp", code=holder.totp_code().value)
    assert answer.headers["location"] == "/account/factors"
    assert visitor.cookies[SESSION] != old
    assert house.sessions.find(old) is None
    assert house.sessions.find(visitor.cookies[SESSION]) is not None


def test_a_passkey_is_asked_for_where_only_a_passkey_will_do(house: House, visitor: Browser) -> None:
    holder = house.person()
    log_in(visitor, holder.totp_code().value)
    page = visitor.get("/step-up?acr=phr")
    assert page.status_code == 403
    assert "/account/factors" in page.text
    visitor.get("/step-up")
    answer = visitor.send("/step-up?acr=phr", kind="totp", code=holder.totp_code().value)
    assert answer.headers["location"] == "/step-up?acr=phr"


def test_logging_out_ends_the_session_here_and_with_us(house: House, visitor: Browser) -> None:
    holder = house.person()
    log_in(visitor, holder.totp_code().value)
    old = visitor.cookies[SESSION]
    visitor.get("/logout")
    assert visitor.send("/logout").headers["location"] == "/logout/done"
    assert SESSION not in visitor.cookies
    assert house.sessions.find(old) is None
    assert visitor.get("/logout/done").status_code == 200


def test_every_form_is_refused_without_its_token_and_from_elsewhere(pages: FastAPI, visitor: Browser) -> None:
    contexts = iter_route_contexts(pages.routes)
    posted = [context.path or "" for context in contexts if "POST" in (context.methods or ())]
    assert len(posted) >= 20
    for path in posted:
        assert visitor.post(path, data={"code": "x"}).status_code == 403, path
        visitor.get("/login")
        foreign = visitor.send(path, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403, path


def test_suspended_people_learn_of_it_only_behind_both_factors(house: House, visitor: Browser) -> None:
    holder = house.person(state=PersonState.SUSPENDED)
    start(visitor)
    answer = visitor.send("/login/second", kind="totp", code=holder.totp_code().value)
    assert answer.status_code == 422
    assert "dibekukan" in answer.text
    assert SESSION not in visitor.cookies


@pytest.mark.parametrize("path", ["/login", "/register", "/activate", "/recovery", "/login/lost"])
def test_a_forged_host_reaches_no_page_and_no_mail(house: House, visitor: Browser, path: str) -> None:
    house.person()
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    page = visitor.get(path, headers=forged)
    assert "evil.example" not in page.text
    if path == "/recovery":
        visitor.send(path, identifier=EMAIL, headers=forged)
        assert all("evil" not in str(mail.values) for mail in house.mails.queued)


def test_a_passkey_logs_in_without_a_password(house: House, visitor: Browser) -> None:
    holder = house.person(passkey=True)
    assert holder.phone is not None
    visitor.get("/login")
    page = visitor.page
    asked = visitor.send("/login/passkey/options").json()
    answer = holder.phone.get(json.dumps(asked["options"]))
    visitor.page = page
    done = visitor.send("/login/passkey", challenge=asked["challenge"], response=answer)
    assert (done.status_code, done.headers["location"]) == (303, "/account")
    visitor.cookies.clear()
    visitor.get("/login")
    again = visitor.send("/login/passkey", challenge=asked["challenge"], response=answer)
    assert again.status_code == 422
    assert SESSION not in visitor.cookies


def test_a_passkey_is_the_second_factor_and_the_best_one_is_asked_for_first(
    house: House, visitor: Browser
) -> None:
    holder = house.person(passkey=True, codes=True)
    assert holder.phone is not None
    start(visitor)
    assert 'data-passkey="get"' in visitor.page
    page = visitor.page
    asked = visitor.send("/login/second/options").json()
    assert len(asked["options"]["allowCredentials"]) == 1
    visitor.page = page
    answer = holder.phone.get(json.dumps(asked["options"]))
    done = visitor.send("/login/second", kind="passkey", challenge=asked["challenge"], response=answer)
    assert done.status_code == 303
