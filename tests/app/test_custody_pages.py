"""``/custody``: what custodians and auditors see there, and what a passkey signs."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape

import httpx
import pytest
from sqlalchemy import update

from app import doctor
from app.approving.telling import ACTS, KINDS, PURPOSES, STATES
from app.custodians import passkey_of_custodian
from app.settings import Settings
from app.settings.sections import KeysSettings
from app.wiring import Core, build_core
from identity.factors.model import FactorKind
from identity.operators.model import Role
from keys.approval_tables import key_requests
from keys.approvals import KeyAct, KeyRequest, RequestState, grouped
from keys.custodians import Change, ProofKind, parameters_of
from keys.model import KeyPurpose, KeyState
from keys.tables import keys as key_rows
from tests.app.conftest import inhabited
from tests.app.custody_room import Keeper, ask, list_freely, new_keeper, new_passkey
from tests.app.test_role_mails import Postman, holder_with_mailbox
from tests.app.walker import Walker, appoint, facts_of, log_in, person
from tests.support.asgi import InProcess
from tests.support.authenticator import SoftwareAuthenticator
from tests.support.clock import FrozenClock
from tests.support.estate import Estate

pytestmark = pytest.mark.either_database

TWO_AGREE = KeysSettings(approvals=2)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"keys": TWO_AGREE})


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return inhabited(tmp_path_factory.mktemp("estate"), _furnish, keys=TWO_AGREE)


@dataclass
class Room:
    core: Core
    api: InProcess
    auditor: Walker
    keepers: dict[str, Keeper] = field(default_factory=dict)

    def decide(
        self, who: str, request: KeyRequest, verdict: str, phone: SoftwareAuthenticator | None = None
    ) -> httpx.Response:
        """As the page's script does it."""
        keeper = self.keepers[who]
        keeper.walker.get("/account/language")  # for the token of a form, wherever the page shows none
        path = f"/custody/{request.id}"
        asked = keeper.walker.post(f"{path}/options/{verdict}")
        if asked.status_code != 200:
            return asked
        answer = (phone or keeper.phone).get(json.dumps(asked.json()["options"]))
        return keeper.walker.post(path, act=verdict, challenge=asked.json()["challenge"], response=answer)

    def state(self, request: KeyRequest) -> RequestState:
        return self.core.dual_control.standing(request.id).state


@pytest.fixture
def room(estate: Estate, core: Core, api: InProcess, clock: FrozenClock) -> Room:
    room: Room = estate.remembered(core, clock, api)
    return room


def _furnish(core: Core, api: InProcess, clock: FrozenClock) -> Room:
    """Ani and Budi are in the register, Citra only has the role."""
    auditor = person(core, api, clock, 1, name="Pengawas")
    appoint(core, auditor, Role.AUDITOR)
    new_passkey(core, auditor.person_id)
    log_in(core, auditor, (FactorKind.PASSKEY,))
    room = Room(core, api, auditor)
    for serial, name in enumerate(("ani", "budi", "citra"), start=2):
        room.keepers[name] = new_keeper(core, api, clock, serial, name)
        if name != "citra":
            list_freely(core, room.keepers[name])
    return room


def text_of(answer: httpx.Response) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def test_two_passkeys_approve_exactly_what_the_page_shows(room: Room) -> None:
    request = ask(room.core)
    page = room.keepers["ani"].walker.get(f"/custody/{request.id}?lang=en")
    words = text_of(page)
    for shown in ("signs nothing any more", "pindah ke HSM baru", request.parameters["key"]):
        assert shown in words
    assert grouped(request.digest) in words
    assert room.decide("ani", request, "approve").status_code == 303
    assert room.state(request) is RequestState.WAITING
    assert room.decide("budi", request, "approve").status_code == 303
    assert room.core.dual_control.claim(request.id) == request
    assert {
        actor for actor, subject, _ in facts_of(room.core, "key.request_approved") if subject == request.id
    } == {
        "custodian:ani",
        "custodian:budi",
    }


def test_purposes_states_and_kinds_of_keys_are_said_in_the_readers_words(room: Room) -> None:
    """What is signed stands beside it, as it is."""
    ani, control = room.keepers["ani"].walker, room.core.dual_control
    retire = ask(room.core)
    rotate = control.request(KeyAct.ROTATE, {"purpose": "seal", "owner": "dinas"}, requester="cli:root")
    (passkey,) = room.core.citizens.factors.passkeys_of(room.keepers["citra"].person_id)
    joining = parameters_of(Change.ADD, "citra", key=passkey_of_custodian(passkey), person_id="person-1")
    join = control.request(KeyAct.CUSTODIANS, joining, requester="cli:root")
    for request, language, words in (
        (retire, "id", "Keadaan kunci dipakai (active)"),
        (retire, "en", "State of the key in use (active)"),
        (rotate, "id", "Kegunaan segel instansi (seal)"),
        (join, "id", "Jenis kunci kunci sandi (passkey)"),
        (join, "id", "Perubahan tambahkan (add)"),
    ):
        assert words in text_of(ani.get(f"/custody/{request.id}?lang={language}"))
    assert "kunci sandi:" in text_of(ani.get("/custody?lang=id"))
    for table in (PURPOSES, STATES, KINDS):
        assert set(table["id"]) == set(table["en"])
    assert set(PURPOSES["id"]) == set(KeyPurpose)
    assert set(STATES["id"]) == set(KeyState)
    assert set(KINDS["id"]) == set(ProofKind)


def test_nobody_agrees_to_destroy_a_key_believing_that_backups_are_reached(room: Room) -> None:
    request = room.core.dual_control.request(
        KeyAct.DESTROY, {"key": room.core.keys.list()[0].id}, requester="cli:root"
    )
    words = text_of(room.keepers["ani"].walker.get(f"/custody/{request.id}?lang=en"))
    assert "whoever keeps backups removes it there and attests to that" in words


def test_an_approval_survives_the_passkeys_next_login_and_another_process(
    room: Room, clock: FrozenClock
) -> None:
    request = ask(room.core)
    room.decide("ani", request, "approve")
    room.decide("budi", request, "approve")
    factors, ani = room.core.citizens.factors, room.keepers["ani"]
    begun = factors.passkey_options(None)
    factors.check_passkey(begun.id, ani.phone.get(begun.options_json), None)
    with ExitStack() as closing:
        another = build_core(room.core.settings, closing=closing, clock=clock)
        assert another.dual_control.claim(request.id) == request


def test_a_passkey_that_was_put_into_the_account_decides_nothing(room: Room) -> None:
    """An insider writes one into the table, or a thief of a session adds one: the register has another."""
    request, planted = ask(room.core), new_passkey(room.core, room.keepers["ani"].person_id)
    answer = room.decide("ani", request, "approve", planted)
    assert answer.status_code == 422
    assert "bukan yang tercantum" in text_of(answer)
    assert room.core.dual_control.standing(request.id).approved_by == ()


def test_a_stolen_session_decides_nothing_without_the_passkey(room: Room) -> None:
    request, ani = ask(room.core), room.keepers["ani"]
    ani.walker.get(f"/custody/{request.id}")
    for fields in ({}, {"response": "{}"}, {"response": "x" * 40_000}, {"response": "[" * 9_000}):
        answer = ani.walker.post(f"/custody/{request.id}", act="approve", **fields)
        assert answer.status_code == 422, fields
    assert room.core.dual_control.standing(request.id).approved_by == ()


def test_an_answer_for_one_verdict_or_request_is_none_for_another(room: Room) -> None:
    request, other, ani = ask(room.core), ask(room.core), room.keepers["ani"]
    ani.walker.get(f"/custody/{request.id}")
    asked = ani.walker.post(f"/custody/{request.id}/options/reject")
    rejection = ani.phone.get(json.dumps(asked.json()["options"]))
    for named, verdict in ((request, "approve"), (other, "reject")):
        answer = ani.walker.post(f"/custody/{named.id}", act=verdict, response=rejection)
        assert answer.status_code == 422, verdict
        assert "tidak diterima" in text_of(answer)
    for nonsense in ("", "Approve", "withdraw"):
        assert ani.walker.post(f"/custody/{request.id}", act=nonsense).status_code == 404
        assert ani.walker.post(f"/custody/{request.id}/options/x{nonsense}").status_code == 404
    taken = ani.walker.post(f"/custody/{request.id}", act="reject", response=rejection)
    assert taken.status_code == 303


def test_whoever_asked_is_not_offered_to_decide_and_cannot(room: Room) -> None:
    ani = room.keepers["ani"]
    request = ask(room.core, requester=ani.person_id)
    page = ani.walker.get(f"/custody/{request.id}")
    assert "Anda yang meminta ini" in text_of(page)
    assert "data-passkey" not in page.text
    assert "Anda yang meminta ini" in text_of(room.decide("ani", request, "approve"))
    assert request.id not in ani.walker.get("/custody").text.split("<h2")[1]


def test_a_decision_is_final_and_repeating_it_says_where_things_stand(room: Room) -> None:
    request = ask(room.core)
    room.decide("ani", request, "approve")
    assert "Anda sudah memutuskan" in text_of(room.keepers["ani"].walker.get(f"/custody/{request.id}"))
    assert room.decide("ani", request, "approve").status_code == 303
    assert "tidak bisa diubah" in text_of(room.decide("ani", request, "reject"))


def test_one_rejection_of_two_custodians_ends_a_request(room: Room) -> None:
    request = ask(room.core)
    room.decide("budi", request, "reject")
    assert room.state(request) is RequestState.REJECTED
    assert "ditolak" in text_of(room.keepers["ani"].walker.get(f"/custody/{request.id}"))
    assert "tidak menunggu keputusan lagi" in text_of(room.decide("ani", request, "approve"))


def test_a_custodian_joins_by_the_others_approval_with_the_passkey_that_was_chosen(room: Room) -> None:
    citra = room.keepers["citra"]
    assert "Anda belum tercantum" in text_of(citra.walker.get(f"/custody/{ask(room.core).id}"))
    page = citra.walker.get("/custody/me")
    (passkey,) = room.core.citizens.factors.passkeys_of(citra.person_id)
    assert passkey.id in page.text
    refused = citra.walker.post("/custody/me", name="Citra!", passkey=passkey.id)
    assert "Tidak bisa:" in text_of(refused)
    assert citra.walker.post("/custody/me", name="citra", passkey="passkey-other").status_code == 422
    answer = citra.walker.post("/custody/me", name="citra", passkey=passkey.id, reason="menggantikan Dewi")
    request = room.core.dual_control.standing(answer.headers["location"].rsplit("/", 1)[1]).request
    assert request.requester == citra.person_id
    assert "citra boleh menyetujui" in text_of(room.keepers["ani"].walker.get(f"/custody/{request.id}"))
    for who in ("ani", "budi"):
        room.decide(who, request, "approve")
    assert room.state(request) is RequestState.DONE
    assert room.decide("citra", ask(room.core), "approve").status_code == 303


def test_an_auditor_sees_everything_and_decides_nothing(room: Room) -> None:
    request = ask(room.core)
    room.decide("ani", request, "approve")
    listed = room.auditor.get("/custody")
    assert request.id in listed.text
    key = room.core.custodians.register().custodians[0].keys[0]
    assert grouped(key.id).replace(" ", "</span><span>") in listed.text
    page = room.auditor.get(f"/custody/{request.id}")
    assert "tidak memutuskan apa pun" in text_of(page)
    assert room.auditor.get("/custody/me").status_code == 403
    room.auditor.get("/account/language")
    for verdict in ("approve", "reject"):
        assert room.auditor.post(f"/custody/{request.id}/options/{verdict}").status_code == 404
        answer = room.auditor.post(f"/custody/{request.id}", act=verdict, response="{}")
        assert "tidak memutuskan apa pun" in text_of(answer)
    assert room.auditor.post("/custody/me", name="x").status_code == 403
    assert room.core.dual_control.standing(request.id).approved_by == ("ani",)


def test_nobody_else_gets_in(core: Core, room: Room, clock: FrozenClock) -> None:
    request = ask(core)
    citizen = person(core, room.api, clock, 9)
    log_in(core, citizen, (FactorKind.PASSKEY,))
    for path in ("/custody", "/custody/me", f"/custody/{request.id}"):
        assert citizen.get(path).status_code == 403, path
        assert room.api.get(path).status_code == 303, path


def test_an_altered_request_is_void_on_the_page_and_nothing_is_signed(room: Room) -> None:
    request = ask(room.core)
    with room.core.database.begin() as tx:
        tx.execute(update(key_requests).where(key_requests.c.id == request.id).values(required=1))
    page = room.keepers["ani"].walker.get(f"/custody/{request.id}?lang=en")
    assert "was altered in the database" in text_of(page)
    assert "data-passkey" not in page.text
    assert room.decide("ani", request, "approve").status_code == 404
    assert "Void" in text_of(room.keepers["ani"].walker.get("/custody?lang=en"))


def test_a_shift_that_is_over_is_asked_for_the_passkey_and_led_back(room: Room, clock: FrozenClock) -> None:
    request, ani = ask(room.core), room.keepers["ani"].walker
    ani.get(f"/custody/{request.id}")
    clock.advance(room.core.office.operators.policy.shift + timedelta(minutes=1))
    answer = ani.post(f"/custody/{request.id}", act="approve", response="{}")
    location = answer.headers["location"]
    assert location.startswith(("/step-up?", "/login?"))
    assert f"%2Fcustody%2F{request.id}" in location


@pytest.mark.parametrize(
    "path",
    [
        "/custody/key-request-none",
        "/custody/x%00y",
        "/custody/key-request-1/approve",
        "/custody/%F0%9F%94%91",
    ],
)
def test_what_names_no_request_is_not_there(path: str, room: Room) -> None:
    assert room.keepers["ani"].walker.get(path).status_code == 404


@pytest.mark.parametrize(
    ("language", "subjects"),
    [
        ("id", ["Permintaan tentang kunci menunggu Anda", "Permintaan tentang kunci cukup disetujui"]),
        ("en", ["A request about keys waits for you", "A request about keys has enough approvals"]),
    ],
)
def test_custodians_with_an_address_are_told_what_is_asked_and_how_it_ended(
    language: str, subjects: list[str], room: Room, clock: FrozenClock
) -> None:
    core, postman = room.core, Postman()
    person_id = holder_with_mailbox(core, language, postman)
    grant = core.office.operators.propose(person_id, Role.KEY_CUSTODIAN, actor="cli:test")
    core.office.operators.confirm(grant.id, confirmer_id=room.auditor.person_id)
    (passkey,) = core.citizens.factors.passkeys_of(person_id)
    joining = parameters_of(Change.ADD, "siti", key=passkey_of_custodian(passkey), person_id=person_id)
    added = core.dual_control.request(KeyAct.CUSTODIANS, joining, requester="cli:root")
    for who in ("ani", "budi"):
        room.decide(who, added, "approve")
    core.outbox.deliver(postman)
    postman.letters.clear()
    request = ask(core)
    clock.advance(timedelta(seconds=1))  # mails go out in the order in which they were written
    for who in ("ani", "budi"):
        room.decide(who, request, "approve")
    core.outbox.deliver(postman)
    assert [letter.split("\n")[0] for letter in postman.letters] == subjects
    for letter in postman.letters:
        assert ACTS[language][KeyAct.RETIRE] in letter
        assert f"/custody/{request.id}" in letter
        assert request.digest[:8] not in letter


def test_whose_role_has_ended_decides_nothing_and_everybody_is_told(room: Room) -> None:
    core, request = room.core, ask(room.core)
    room.decide("ani", request, "approve")
    ani = room.keepers["ani"].person_id
    (grant,) = [one for one in core.office.operators.grants() if one.person_id == ani]
    core.office.operators.end(grant.id, actor="cli:test")
    assert core.dual_control.standing(request.id).approved_by == ()
    room.decide("budi", request, "approve")
    assert room.state(request) is RequestState.WAITING
    assert "Keluarkan dari daftar" in text_of(room.auditor.get("/custody"))
    found = doctor._custodians(core)
    assert (found.health, "ani" in found.found) == (doctor.Health.WARNING, True)
    assert "absah keys custodian remove" in found.remedy


def test_a_key_whose_state_was_written_into_the_table_is_found(core: Core) -> None:
    (key,) = core.keys.in_use(KeyPurpose.SEAL, "dinas")
    core.keys.suspend(key.id)
    assert doctor._key_states(core).health is doctor.Health.OK
    with core.database.begin() as tx:
        tx.execute(update(key_rows).where(key_rows.c.id == key.id).values(state="active"))
    found = doctor._key_states(core)
    assert found.health is doctor.Health.BROKEN
    assert f"{key.id} is active, and the last act on it was key.suspended" in found.found
