"""The way back in, and the link that shuts somebody else out, as a browser without scripts walks them."""

from __future__ import annotations

from datetime import timedelta

from identity.people.model import ProofingLevel
from tests.identity.login.conftest import EMAIL, WRONG, House
from tests.identity.web.conftest import Browser
from tests.identity.web.walks import NEW_PASSWORD, SESSION, log_in, start
from tests.support.clock import FrozenClock


def test_not_me_acts_on_the_button_only_and_once(house: House, visitor: Browser) -> None:
    holder = house.person()
    log_in(visitor, holder.totp_code().value)
    session = visitor.cookies[SESSION]
    code = house.mails.of("new_device")[-1].values["code"]
    stranger = Browser(visitor.application)
    assert stranger.get(f"/not-me?code={code}").status_code == 200
    assert house.sessions.find(session) is not None
    assert "cara masuk yang ditambahkan sejak itu dihapus" in " ".join(stranger.page.split())
    done = stranger.send("/not-me", code=code)
    assert done.status_code == 200
    assert "sudah dihapus" in done.text
    assert 'href="/recovery"' in done.text
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
