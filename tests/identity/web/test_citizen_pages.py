"""The way in, the way back in and the way out, as a browser without scripts walks them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from identity.people.model import PersonState, ProofingLevel
from tests.identity.login.conftest import EMAIL, PASSWORD, WRONG, House
from tests.identity.web.conftest import Browser
from tests.support.clock import FrozenClock

SESSION, HALF, DEVICE = "__Host-absah", "__Host-absah-login", "__Host-absah-device"
NEW_PASSWORD = "empat ekor kucing kampung"


def start(visitor: Browser, *, password: str = PASSWORD, identifier: str = EMAIL, query: str = "") -> None:
    visitor.get(f"/login{query}")
    answer = visitor.send(f"/login{query}", identifier=identifier, password=password)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith("/login/second")
    assert visitor.get(answer.headers["location"]).status_code == 200


def log_in(visitor: Browser, code: str, *, query: str = "") -> str:
    """Returns where the login led."""
    start(visitor, query=query)
    answer = visitor.send(f"/login/second{query}", kind="totp", code=code)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def without_token(html: str) -> str:
    return re.sub(r'name="csrf" value="[^"]+"', "", html)


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


def test_from_a_form_to_an_account_that_logs_in(house: House, visitor: Browser, clock: FrozenClock) -> None:
    import pyotp

    visitor.get("/register")
    visitor.send("/register", name="Siti Rahmawati", email="baru@contoh.id")
    code = house.mails.of("registration")[-1].values["code"]
    # 1. A mail program that opens the link uses nothing up.
    assert visitor.get(f"/register/confirm?code={code}").status_code == 200
    assert visitor.get(f"/register/confirm?code={code}").status_code == 200
    assert visitor.send("/register/confirm", code=code).headers["location"] == "/setup"
    assert HALF in visitor.cookies
    # 2. Password.
    assert visitor.get("/setup").headers["location"] == "/setup/password"
    page = visitor.get("/setup/password").text
    assert 'value="baru@contoh.id" autocomplete="username"' in page
    for password, again in (("", ""), ("xyzzy", "xyzzy"), (NEW_PASSWORD, "lain")):
        answer = visitor.send("/setup/password", password=password, again=again)
        assert answer.status_code == 422
        assert password == "" or password not in answer.text
    visitor.send("/setup/password", password=NEW_PASSWORD, again=NEW_PASSWORD)
    # 3. Second factor.
    assert visitor.get("/setup").headers["location"] == "/setup/second"
    page = visitor.get("/setup/totp").text
    groups = re.search(r'class="address secret"[^>]*>(.*?)</p>', page, re.DOTALL)
    setup = re.search(r'name="setup" value="([^"]+)"', page)
    assert groups is not None
    assert setup is not None
    secret = "".join(re.findall(r"<span>(\w+)</span>", groups[1]))
    app = pyotp.TOTP(secret)
    wrong = visitor.send("/setup/totp", setup=setup[1], code=WRONG)
    assert wrong.status_code == 422
    assert setup[1] in wrong.text  # the same secret, which the app knows already
    visitor.send("/setup/totp", setup=setup[1], code=app.at(clock()))
    # 4. Recovery codes: shown once, as a file too, and the end only after they were kept.
    assert visitor.get("/setup").headers["location"] == "/setup/codes"
    visitor.get("/setup/codes")
    page = visitor.send("/setup/codes").text
    codes = re.findall(r"<li>([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})</li>", page)
    assert len(codes) == 10
    file = visitor.post("/setup/codes/file", data={"csrf": visitor.token(), "codes": " ".join(codes)})
    assert file.headers["content-disposition"] == 'attachment; filename="kode-cadangan.txt"'
    assert all(code in file.text for code in codes)
    visitor.page = page
    assert visitor.send("/setup/finish", codes=" ".join(codes)).status_code == 422
    assert visitor.send("/setup/finish", codes=" ".join(codes), kept="yes").status_code == 303
    assert visitor.get("/setup/finish").headers["location"] == "/setup/done"
    assert visitor.get("/setup/done").status_code == 200
    # 5. Nobody is logged in by that: the first login shows that it works.
    assert not {SESSION, HALF} & visitor.cookies.keys()
    clock.advance(timedelta(seconds=60))
    start(visitor, identifier="baru@contoh.id", password=NEW_PASSWORD)
    assert visitor.send("/login/second", kind="totp", code=app.at(clock())).status_code == 303


def test_codes_that_nobody_made_are_not_put_into_a_file(house: House, visitor: Browser) -> None:
    visitor.get("/register")
    visitor.send("/register", name="Siti", email="baru@contoh.id")
    visitor.get("/register/confirm")
    visitor.send("/register/confirm", code=house.mails.of("registration")[-1].values["code"])
    visitor.get("/setup/codes")
    file = visitor.send("/setup/codes/file", codes="<script>alert(1)</script> 7K3M-9QXF-2T8W-ABCD \r\nX: y")
    assert "script" not in file.text
    assert "X: y" not in file.text
    assert file.text.count("7K3M-9QXF-2T8W-ABCD") == 1


def test_a_code_from_a_counter_leads_to_a_set_up_and_works_once(house: House, visitor: Browser) -> None:
    from datetime import date

    opened = house.people.open_proofed(
        officer_id="officer-1",
        nik="3273015702560001",
        name="Siti Rahmawati",
        birth_date=date(1956, 2, 17),
        email=None,
        language="id",
    )
    visitor.get("/activate")
    assert visitor.send("/activate", code="").status_code == 422
    assert visitor.send("/activate", code="7K3M-9QXF-2T8W-ABCD").status_code == 422
    typed = opened.activation_code.lower().replace("-", " ")
    assert visitor.send("/activate", code=typed).headers["location"] == "/setup"
    page = visitor.get("/setup/password").text
    assert "3273015702560001" not in page
    visitor.get("/activate")
    assert visitor.send("/activate", code=opened.activation_code).status_code == 422


def test_not_me_acts_on_the_button_only_and_once(house: House, visitor: Browser) -> None:
    holder = house.person()
    log_in(visitor, holder.totp_code().value)
    session = visitor.cookies[SESSION]
    code = house.mails.of("new_device")[-1].values["code"]
    stranger = Browser(visitor.application)
    assert stranger.get(f"/not-me?code={code}").status_code == 200
    assert house.sessions.find(session) is not None
    assert stranger.send("/not-me", code=code).status_code == 200
    assert house.sessions.find(session) is None
    assert stranger.get(f"/not-me?code={code}").status_code == 410


def test_a_forgotten_password_is_replaced_with_the_app_at_hand(house: House, visitor: Browser) -> None:
    holder = house.person(codes=True)
    visitor.get("/recovery")
    visitor.send("/recovery", identifier=EMAIL)
    code = house.mails.of("recovery_code")[-1].values["code"]
    assert visitor.get(f"/recovery/confirm?code={code}").status_code == 200
    assert visitor.send("/recovery/confirm", code=code).headers["location"] == "/recovery/proof"
    visitor.get("/recovery/proof")
    assert visitor.send("/recovery/proof", kind="totp", code=WRONG).status_code == 422
    answer = visitor.send("/recovery/proof", kind="totp", code=holder.totp_code().value)
    assert answer.headers["location"] == "/setup"
    assert visitor.get("/setup").headers["location"] == "/setup/password"
    visitor.get("/setup/password")
    visitor.send("/setup/password", password=NEW_PASSWORD, again=NEW_PASSWORD)
    assert visitor.get("/setup").headers["location"] == "/setup/finish"
    assert visitor.get("/setup/finish").headers["location"] == "/setup/done"
    start(visitor, password=NEW_PASSWORD)


def test_with_a_recovery_code_alone_one_waits_and_every_notice_can_stop_it(
    house: House, visitor: Browser
) -> None:
    holder = house.person(codes=True)
    visitor.get("/recovery")
    visitor.send("/recovery", identifier=EMAIL)
    visitor.get("/recovery/confirm")
    visitor.send("/recovery/confirm", code=house.mails.of("recovery_code")[-1].values["code"])
    visitor.get("/recovery/proof?with=recovery_code")
    answer = visitor.send("/recovery/proof", kind="recovery_code", code=holder.codes[0])
    assert answer.status_code == 200
    assert "Tunggu sampai" in answer.text
    code = house.mails.of("recovery_started")[-1].values["code"]
    assert visitor.get(f"/recovery/cancel?code={code}").status_code == 200
    assert visitor.send("/recovery/cancel", code=code).status_code == 200
    assert visitor.get(f"/recovery/cancel?code={code}").status_code == 410


def test_after_the_wait_the_link_leads_to_a_new_set_up(
    house: House, visitor: Browser, clock: FrozenClock
) -> None:
    holder = house.person(codes=True)
    visitor.get("/recovery")
    visitor.send("/recovery", identifier=EMAIL)
    visitor.get("/recovery/confirm")
    visitor.send("/recovery/confirm", code=house.mails.of("recovery_code")[-1].values["code"])
    visitor.get("/recovery/proof")
    visitor.send("/recovery/proof", kind="recovery_code", code=holder.codes[0])
    clock.advance(timedelta(days=30))
    while not house.mails.of("recovery_ready"):
        assert house.recoveries.remind()
    code = house.mails.of("recovery_ready")[-1].values["code"]
    assert visitor.get(f"/recovery/finish?code={code}").status_code == 200
    assert visitor.send("/recovery/confirm", code=code).headers["location"] == "/setup"
    assert visitor.get("/setup").headers["location"] == "/setup/password"


def test_who_was_proofed_at_a_counter_is_sent_there_when_everything_is_lost(
    house: House, visitor: Browser
) -> None:
    house.person(codes=True, totp=True, proofing=ProofingLevel.IAL2, nik="3273015702560001")
    visitor.get("/recovery")
    visitor.send("/recovery", identifier=EMAIL)
    visitor.get("/recovery/confirm")
    visitor.send("/recovery/confirm", code=house.mails.of("recovery_code")[-1].values["code"])
    page = visitor.get("/recovery/proof").text
    assert "answer_with" not in page
    answer = visitor.send("/recovery/proof", kind="recovery_code", code="7K3M-9QXF-2T8W-ABCD")
    assert "Datang ke loket" in answer.text


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
    import json

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
    import json

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
