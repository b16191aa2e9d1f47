"""What every page does for every form: where it came from, whose it is, and what the answer says."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from identity.web.visits import local_path
from tests.identity.web.conftest import SECRET, Browser, application

ORIGIN = "https://absah.example"
FILLED = {"name": "Siti", "email": "siti@contoh.id"}


def test_a_part_of_an_address_that_no_database_takes_names_no_page(browser: Browser) -> None:
    browser.get("/open")
    browser.send("/open", **FILLED)
    assert browser.get("/mine/a%00b").status_code == 404


def test_a_form_of_ours_is_accepted_once_its_page_was_seen(browser: Browser) -> None:
    assert browser.get("/open").status_code == 200
    answer = browser.send(
        "/open",
        name="Siti",
        email="siti@contoh.id",
        headers={"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"},
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")


def test_an_old_browser_that_sends_no_such_headers_is_served_by_its_token(browser: Browser) -> None:
    browser.get("/open")
    assert browser.send("/open", **FILLED).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://absah.example"},
        {"Origin": "https://absah.example.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_form_from_elsewhere_is_refused_although_its_token_is_right(
    browser: Browser, headers: dict[str, str]
) -> None:
    browser.get("/open")
    answer = browser.send("/open", headers=headers, **FILLED)
    assert answer.status_code == 403
    assert "Formulir tidak diterima" in answer.text
    assert "set-cookie" not in answer.headers or "absah=" not in answer.headers["set-cookie"]


def test_a_form_without_a_token_or_with_anothers_is_refused(browser: Browser) -> None:
    browser.get("/open")
    other = Browser(application(ORIGIN))
    other.get("/open")
    for token in (None, "", "x", other.token(), browser.token()[:-2], "A" * 86, "é"):
        fields = {**FILLED} | ({} if token is None else {"csrf": token})
        assert browser.post("/open", data=fields).status_code == 403, token


def test_a_token_dies_with_the_cookie_that_it_was_made_for(browser: Browser) -> None:
    browser.get("/open")
    before = browser.token()
    browser.send("/open", **FILLED)
    assert browser.cookies["__Host-absah"] == SECRET
    assert browser.post("/mine/leave", data={"csrf": before}).status_code == 403
    browser.get("/mine/a")
    assert browser.send("/mine/leave").status_code == 303
    assert browser.cookies.keys() <= {"__Host-absah-device", "__Host-absah-lang"}


def test_two_tokens_of_one_page_differ_and_both_hold(browser: Browser) -> None:
    browser.get("/open")
    first = browser.token()
    browser.get("/open")
    assert browser.token() != first
    assert browser.post("/open", data={"csrf": first, **FILLED}).status_code == 303


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"name=a&name=b", "application/x-www-form-urlencoded"),
        (b"name=%ff", "application/x-www-form-urlencoded"),
        ("name=é".encode(), "application/x-www-form-urlencoded"),
        (b"name=a%00b", "application/x-www-form-urlencoded"),
        (b"&".join(b"f%d=1" % number for number in range(100)), "application/x-www-form-urlencoded"),
        (b"name=" + b"x" * 70_000, "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"name=a", "text/plain"),
        (b"", ""),
    ],
)
def test_a_body_that_no_form_of_ours_sends_is_a_page_with_400(
    browser: Browser, content: bytes, content_type: str
) -> None:
    answer = browser.post("/open", content=content, headers={"Content-Type": content_type})
    assert answer.status_code == 400
    assert "Formulir tidak terbaca" in answer.text


def test_without_a_session_a_page_leads_to_the_login_and_back(browser: Browser) -> None:
    answer = browser.get("/mine/a?page=2")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fmine%2Fa%3Fpage%3D2")
    browser.get("/open?next=/mine/a%3Fpage%3D2")
    assert browser.send("/open?next=/mine/a%3Fpage%3D2", **FILLED).headers["location"] == "/mine/a?page=2"
    assert browser.get("/mine/a?page=2").status_code == 200


def test_whose_session_has_ended_is_told_so_and_the_dead_cookie_goes(browser: Browser) -> None:
    browser.cookies["__Host-absah"] = "x" * 43
    answer = browser.get("/mine/a")
    assert answer.headers["location"] == "/login?next=%2Fmine%2Fa&notice=session_gone"
    assert "__Host-absah" not in browser.cookies


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: a=b",
        "/%2f/evil.example",
        "\\\\evil.example",
        "mine",
        "",
        "/" + "a" * 2000,
    ],
)
def test_a_login_never_leads_off_the_service(browser: Browser, elsewhere: str) -> None:
    assert local_path(elsewhere) is None
    url = f"https://absah.example/open?{urlencode({'next': elsewhere})}"
    browser.get(url)
    assert browser.send(url, **FILLED).headers["location"] == "/account"


def test_a_demand_for_step_up_leads_there_and_back(browser: Browser) -> None:
    browser.cookies["__Host-absah"] = SECRET
    answer = browser.get("/mine/fresh")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/step-up?next=%2Fmine%2Ffresh&acr=phr&max_age=300"


def test_what_fails_on_our_side_is_a_page_with_its_incident(browser: Browser) -> None:
    browser.cookies["__Host-absah"] = SECRET
    answer = browser.get("/mine/broken")
    assert answer.status_code == 500
    assert "Terjadi kesalahan" in answer.text
    assert "abc123" in answer.text


def test_every_answer_is_kept_nowhere_framed_nowhere_and_runs_nothing_foreign(browser: Browser) -> None:
    browser.get("/open")
    for answer in (browser.get("/open"), browser.get("/mine/a"), browser.post("/open", data={})):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        if answer.text:
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert "<script>" not in answer.text
            assert " style=" not in answer.text


def test_a_portals_name_is_shown_and_only_its_origin_may_receive_the_end_of_the_form(
    browser: Browser,
) -> None:
    answer = browser.get("/open?flow=flow-1")
    assert "Portal Pajak" in answer.text
    assert "form-action 'self' https://portal.example;" in answer.headers["content-security-policy"]
    assert '<html lang="en">' in answer.text  # what the portal asked for by ui_locales
    assert 'action="/open?flow=flow-1"' in answer.text
    sent = browser.send("/open?flow=flow-1", **FILLED)
    assert sent.headers["location"] == "/oauth2/authorize?flow=flow-1"
    unknown = browser.get("/open?flow=other")
    assert "form-action 'self';" in unknown.headers["content-security-policy"]


def test_the_language_that_was_chosen_stays(browser: Browser) -> None:
    assert '<html lang="id">' in browser.get("/open", headers={"Accept-Language": "fr"}).text
    assert '<html lang="en">' in browser.get("/open", headers={"Accept-Language": "en-GB,id;q=0.5"}).text
    assert (
        '<html lang="id">'
        in browser.get("/open?ui_locales=id-ID%20en", headers={"Accept-Language": "en"}).text
    )
    assert '<html lang="en">' in browser.get("/open?lang=en").text
    assert '<html lang="en">' in browser.get("/open", headers={"Accept-Language": "id"}).text
    assert '<html lang="id">' in browser.get("/open?lang=id").text
    assert "__Host-absah-lang" in browser.cookies


def test_an_error_stands_beside_its_field_and_in_the_title(browser: Browser) -> None:
    browser.get("/open")
    answer = browser.send("/open", name="", email="siti@contoh.id", secret="rahasia sekali")
    assert answer.status_code == 422
    assert "<title>Kesalahan: Halo · Absah</title>" in answer.text
    assert '<p class="error" id="name-error" role="alert">' in answer.text
    assert 'aria-invalid="true" autofocus aria-describedby="name-error name-hint"' in answer.text
    assert 'value="siti@contoh.id"' in answer.text
    assert "rahasia sekali" not in answer.text


def test_several_errors_are_listed_on_top_with_a_way_to_each(browser: Browser) -> None:
    browser.get("/open")
    answer = browser.send("/open", name="", email="")
    assert answer.text.count('role="alert"') == 1
    assert '<a href="#name">name kosong.</a>' in answer.text
    assert '<a href="#email">email kosong.</a>' in answer.text
    assert answer.text.count(" autofocus") == 1


def test_cookies_carry_the_prefix_on_https_and_do_without_it_in_development(browser: Browser) -> None:
    browser.get("/open")
    line = browser.send("/open", **FILLED).headers.get_list("set-cookie")[0]
    assert line.startswith(f"__Host-absah={SECRET}; ")
    assert {part.strip().lower() for part in line.split(";")[1:]} == {
        "httponly", "path=/", "samesite=lax", "secure",
    }  # fmt: skip
    plain = Browser(application("http://127.0.0.1:8000"))
    plain.get("/open")
    line = plain.send("/open", **FILLED).headers.get_list("set-cookie")[0]
    assert line.startswith(f"absah={SECRET}; ")
    assert "secure" not in line.lower()


def test_a_forged_host_reaches_no_link_and_no_redirect(browser: Browser) -> None:
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    answer = browser.get("/mine/a", headers=forged)
    assert answer.headers["location"].startswith("/login")
    page = browser.get("/open", headers=forged)
    assert "evil.example" not in page.text + str(page.headers)


def test_a_cookie_that_we_cannot_have_made_is_none(browser: Browser) -> None:
    browser.cookies["__Host-absah-device"] = "x" * 400
    browser.get("/device")
    browser.cookies["__Host-absah-device"] = "d" * 43
    browser.get("/device", headers={"User-Agent": "A" * 5000})
    first, second = browser.application.state.seen
    assert first.known is None
    assert second.known == "d" * 43
    assert len(second.user_agent) == 400


def test_after_login_the_pages_speak_as_the_account_does_until_it_ends(browser: Browser) -> None:
    browser.get("/open")
    browser.send("/open", **FILLED)
    assert '<html lang="en">' in browser.get("/mine/a").text
    assert '<html lang="en">' in browser.get("/mine/a", headers={"Accept-Language": "id"}).text
    browser.send("/mine/leave")
    assert '<html lang="id">' in browser.get("/open").text


def test_what_was_chosen_on_the_page_goes_before_the_account(browser: Browser) -> None:
    browser.get("/open?lang=id")
    browser.send("/open?lang=id", **FILLED)
    assert '<html lang="id">' in browser.get("/mine/a").text
    browser.cookies.clear()
    browser.get("/open")
    browser.send("/open", **FILLED)
    assert '<html lang="id">' in browser.get("/mine/a?lang=id").text
    assert '<html lang="id">' in browser.get("/mine/a").text


def test_the_language_of_a_portals_login_does_not_change_on_the_way(browser: Browser) -> None:
    browser.get("/open?flow=flow-id")
    browser.send("/open?flow=flow-id", **FILLED)
    assert '<html lang="id">' in browser.get("/mine/a?flow=flow-id").text
    assert '<html lang="id">' in browser.get("/mine/a?ui_locales=id").text
    assert '<html lang="en">' in browser.get("/mine/a").text
