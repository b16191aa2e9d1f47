"""From nothing to an account that logs in, as a browser without scripts walks it."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pyotp

from tests.identity.login.conftest import WRONG, House
from tests.identity.web.conftest import Browser
from tests.identity.web.walks import HALF, NEW_PASSWORD, SESSION, start
from tests.support.clock import FrozenClock


def test_from_a_form_to_an_account_that_logs_in(house: House, visitor: Browser, clock: FrozenClock) -> None:
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
