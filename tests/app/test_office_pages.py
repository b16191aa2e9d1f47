"""Every page of the account and of those who work here: who sees it, in both languages, and what it does."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from html import unescape

import pytest
from fastapi.routing import iter_route_contexts

from app.main import build_app
from app.wiring import Core
from identity.agencies.service import parse_key_set
from identity.factors.model import FactorKind
from identity.operators.model import GrantState, Role
from identity.people.model import PersonState, ProofingLevel
from identity.people.nik import Nik
from tests.app.walker import Walker, appoint, facts_of, give_passkey, log_in, person
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock

pytestmark = pytest.mark.either_database

WITH_PASSKEY = (FactorKind.PASSKEY,)
ACCOUNT = (
    "/account", "/account/documents", "/account/lookups", "/account/consents", "/account/sessions",
    "/account/factors", "/account/factors/password", "/account/factors/totp", "/account/factors/passkey",
    "/account/factors/codes", "/account/factors/remove/password", "/account/privacy",
    "/account/privacy/export",
    "/account/privacy/correction", "/account/privacy/email", "/account/privacy/erasure",
    "/account/proofing", "/account/language",
)  # fmt: skip
OFFICES = {
    Role.OFFICER: ("/counter", "/counter/open", "/counter/requests"),
    Role.HELP_DESK: ("/help-desk",),
    Role.AGENCY_ADMINISTRATOR: (
        "/agency/dinas",
        "/agency/dinas/clients/new",
        "/agency/dinas/signatories",
        "/proposals",
    ),
    Role.KEY_CUSTODIAN: ("/custody", "/custody/me"),
    Role.CA_ADMINISTRATOR: ("/certificates", "/certificates/issuing-1"),
    Role.AUDITOR: ("/operators",),
}
KEY = (
    '{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"satu",'
    '"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}'
)


MACHINES = re.compile(r"/v1/.*|/oauth2/(token|par|introspect|revoke|userinfo)|/ocsp/.*|/tsa")
"""What takes no cookie: there a form of somebody else gains nothing."""
HARMLESS = {"/verify", "/oauth2/authorize", "/oauth2/logout"}
"""Asked with a form that may come from anywhere: they look something up, or make a GET of it."""


@pytest.fixture
def one(core: Core, api: InProcess, clock: FrozenClock) -> Callable[..., Walker]:
    """``one(Role.OFFICER)`` is an officer who is logged in by passkey; ``one()`` a citizen, by app."""
    made = 0

    def make(*roles: Role, used: tuple[FactorKind, ...] | None = None) -> Walker:
        nonlocal made
        made += 1
        walker = person(core, api, clock, made, name=f"Warga {'ABCDEFGHIJ'[made]}")
        for role in roles:
            appoint(core, walker, role, "dinas" if role.is_of_agency else None)
        log_in(core, walker, used or (WITH_PASSKEY if roles else (FactorKind.PASSWORD, FactorKind.TOTP)))
        return walker

    make(Role.AUDITOR)
    return make


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_page_of_the_account_is_there_for_its_owner(one: Callable[..., Walker], language: str) -> None:
    walker = one()
    for path in ACCOUNT:
        answer = walker.get(f"{path}?lang={language}")
        assert answer.status_code == 200, path
        assert f'<html lang="{language}">' in answer.text


def test_nobody_else_sees_a_page(api: InProcess) -> None:
    for path in (*ACCOUNT, *(path for paths in OFFICES.values() for path in paths)):
        answer = api.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].split("?")[0].endswith("/login"), path


@pytest.mark.parametrize("role", OFFICES)
def test_a_page_of_an_office_is_for_its_role_and_a_passkey(one: Callable[..., Walker], role: Role) -> None:
    holder, citizen, weak = one(role), one(), one(role, used=(FactorKind.PASSWORD, FactorKind.TOTP))
    for path in OFFICES[role]:
        for language in ("id", "en"):
            assert holder.get(f"{path}?lang={language}").status_code == 200, path
        assert citizen.get(path).status_code in {403, 404}, path
        stepped = weak.get(path)
        assert stepped.status_code == 303, path
        assert "/step-up" in stepped.headers["location"]
        assert "acr=phr" in stepped.headers["location"]


def test_no_form_of_any_page_is_taken_without_its_token_or_from_elsewhere(
    core: Core, one: Callable[..., Walker]
) -> None:
    walker = one(Role.AGENCY_ADMINISTRATOR)
    walker.get("/agency/dinas/clients/new")
    cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in walker.cookies.items())}
    good = {"csrf": walker.token}
    with ExitStack() as closing:
        contexts = list(iter_route_contexts(build_app(core, closing=closing).routes))
    posted = {context.path or "" for context in contexts if "POST" in (context.methods or ())}
    forms = {path for path in posted if not MACHINES.fullmatch(path)} - HARMLESS
    assert len(forms) >= 45
    for path in sorted(forms):
        address = re.sub(r"\{.*?\}", "dinas", path)
        for wrong in ({"name": "Izin"}, {"csrf": "x"}):
            assert walker.api.post(address, headers=cookies, data=wrong).status_code == 403, path
        for origin in ("https://evil.example", "null", "http://127.0.0.1:8001"):
            foreign = cookies | {"Origin": origin}
            assert walker.api.post(address, headers=foreign, data=good).status_code == 403, (path, origin)
        foreign = cookies | {"Sec-Fetch-Site": "cross-site"}
        assert walker.api.post(address, headers=foreign, data=good).status_code == 403, path
    # The token was good, and so was the session: from our own page the form is taken.
    assert walker.post("/agency/dinas/clients/new").status_code == 422


def test_an_officer_opens_an_account_that_its_citizen_activates(
    core: Core, one: Callable[..., Walker]
) -> None:
    officer, nik = one(Role.OFFICER), "3273015702560001"
    officer.get("/counter")
    form = officer.post("/counter", nik=nik)
    assert nik in form.text
    fields = {"nik": nik, "name": "Siti Rahmawati", "birth_date": "17-2-1956", "hand_over": "print"}
    assert officer.post("/counter/open", **fields).status_code == 422  # without having seen the card
    officer.get("/counter/open?lang=en")
    sheet = officer.post("/counter/open", **fields, seen="yes")
    assert sheet.status_code == 200
    assert "Print and hand over" in sheet.text  # the officer's page, and the citizen's sheet
    assert "Kode aktivasi akun Anda" in sheet.text
    code = re.search(r'sheet-code">([^<]+)<', sheet.text).group(1)  # type: ignore[union-attr]
    opened = core.citizens.people.activate(unescape(code))
    assert opened.proofing is ProofingLevel.IAL2
    assert [(actor, subject) for actor, subject, _ in facts_of(core, "person.opened_at_counter")][-1] == (
        officer.person_id, opened.id,
    )  # fmt: skip
    # The same number again, and the officer's own, are refused.
    assert officer.post("/counter/open", **fields, seen="yes").status_code == 422
    own = fields | {"nik": officer.nik, "birth_date": "17-8-1980"}
    assert officer.post("/counter/open", **own, seen="yes").status_code == 422


def test_a_look_at_an_account_is_told_to_its_holder(core: Core, one: Callable[..., Walker]) -> None:
    citizen, officer, helper = one(), one(Role.OFFICER), one(Role.HELP_DESK)
    assert officer.get(f"/counter/people/{citizen.person_id}").status_code == 200
    assert helper.get(f"/help-desk/people/{citizen.person_id}").status_code == 200
    lines = citizen.get("/account/lookups?lang=en").text
    assert "Officer at a counter" in lines
    assert "Help desk" in lines
    assert "Warga" not in lines.split("<main")[1]  # the office is named, not the officer
    viewers = {
        actor for actor, subject, _ in facts_of(core, "account.viewed") if subject == citizen.person_id
    }
    assert viewers == {officer.person_id, helper.person_id}


def test_whoever_restores_an_operators_account_does_not_become_that_operator(
    core: Core, one: Callable[..., Walker]
) -> None:
    officer, colleague = one(Role.OFFICER), one(Role.AGENCY_ADMINISTRATOR)
    path = f"/counter/people/{colleague.person_id}/code"
    assert "petugas" in officer.get(path).text
    sheet = officer.post(path, hand_over="print", seen="yes")
    assert sheet.status_code == 200
    assert core.citizens.people.get(colleague.person_id).state is PersonState.INVITED
    (grant,) = [one for one in core.office.operators.grants() if one.person_id == colleague.person_id]
    assert (grant.state, grant.granted_by) == (GrantState.PROPOSED, officer.person_id)
    assert core.office.operators.powers(colleague.person_id).roles == frozenset()
    # And nobody restores their own.
    assert officer.post(f"/counter/people/{officer.person_id}/code", seen="yes").status_code == 422


def test_the_help_desk_suspends_and_resumes_and_not_itself(core: Core, one: Callable[..., Walker]) -> None:
    citizen, helper = one(), one(Role.HELP_DESK)
    helper.get("/help-desk")
    path = helper.post("/help-desk", identifier=citizen.nik).headers["location"]
    assert citizen.nik not in path
    helper.get(path)
    assert helper.post(path, act="suspend").status_code == 422
    helper.post(path, act="suspend", reason="reported")
    assert core.citizens.people.get(citizen.person_id).state is PersonState.SUSPENDED
    assert citizen.get("/account").status_code == 303
    helper.post(path, act="resume")
    assert core.citizens.people.get(citizen.person_id).state is PersonState.ACTIVE
    assert helper.post(f"/help-desk/people/{helper.person_id}", act="end_sessions").status_code == 422


def test_an_administrator_registers_a_sandbox_system_and_shuts_it_out(
    core: Core, one: Callable[..., Walker]
) -> None:
    admin = one(Role.AGENCY_ADMINISTRATOR)
    admin.get("/agency/dinas/clients/new")
    bad = admin.post("/agency/dinas/clients/new", name="Izin", may_issue="yes", jwks="nonsense")
    assert bad.status_code == 422
    made = admin.post("/agency/dinas/clients/new", name="Izin", may_issue="yes", jwks=KEY, sandbox="yes")
    assert made.status_code == 303, made.text
    (client,) = core.agencies.clients("dinas")
    page = admin.get(made.headers["location"])
    assert "satu" in page.text
    admin.post(made.headers["location"], act="change_scopes", may_read="yes")
    assert core.agencies.client(client.id).scopes == {"documents.read"}
    assert core.agencies.client(client.id).is_sandbox
    admin.post(made.headers["location"], act="remove_key", key="satu")
    assert "satu" not in admin.get(made.headers["location"]).text
    admin.post(made.headers["location"], act="disable")
    assert core.agencies.client(client.id).disabled_at is not None
    assert {actor for actor, _, _ in facts_of(core, "client.disabled")} == {admin.person_id}
    # Another agency's pages are as good as none.
    core.agencies.add_agency("lain", name="Dinas Lain", organization_identifier="NTRID-2", actor="test")
    assert admin.get("/agency/lain").status_code == 404
    assert admin.get(f"/agency/lain/clients/{client.id}").status_code == 404


def test_a_real_system_is_registered_by_one_and_confirmed_by_another_who_saw_its_thumbprint(
    core: Core, one: Callable[..., Walker]
) -> None:
    ani, budi, auditor = one(Role.AGENCY_ADMINISTRATOR), one(Role.AGENCY_ADMINISTRATOR), one(Role.AUDITOR)
    ani.get("/agency/dinas/clients/new")
    here = ani.post("/agency/dinas/clients/new", name="Izin", may_issue="yes", jwks=KEY).headers["location"]
    assert core.agencies.clients("dinas") == []
    # Who proposed it sees it, and cannot confirm it, not even by hand.
    own = re.sub(r"</?span>", "", ani.get(here).text)
    thumbprint = parse_key_set(KEY)[0].thumbprint
    assert thumbprint in own
    assert "compared" not in own
    (review,) = core.office.changes.waiting("dinas")
    by_hand = {"act": "confirm", "compared": "yes", "seen": review.seen}
    assert ani.post(here, **by_hand).status_code == 422
    # Another one finds it, and says that they compared it.
    assert here in budi.get("/proposals?lang=en").text
    assert here in auditor.get("/proposals").text
    page = re.sub(r"</?span>", "", budi.get(here).text)
    assert thumbprint in page
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', page).group(1)  # type: ignore[union-attr]
    assert budi.post(here, act="confirm", seen=seen).status_code == 422
    assert budi.post(here, act="confirm", compared="yes", seen="0" * 64).status_code == 422
    assert core.agencies.clients("dinas") == []
    assert budi.post(here, act="confirm", compared="yes", seen=seen).headers["location"] == here
    (client,) = core.agencies.clients("dinas")
    assert (client.is_sandbox, client.scopes) == (False, frozenset({"documents.issue:*"}))
    assert "confirmed" in budi.get(f"{here}?lang=en").text
    # What gives it more waits again; what takes from it does not.
    system = f"/agency/dinas/clients/{client.id}"
    ani.get(system)
    waits = ani.post(system, act="change_scopes", may_issue="yes", may_read="yes").headers["location"]
    assert waits.startswith("/proposals/")
    assert waits in ani.get(system).text
    assert ani.post(system, act="change_scopes", may_issue="yes", may_read="yes").status_code == 422
    assert ani.post(system, act="change_scopes", may_issue="yes", types="tax").headers["location"] == system
    assert core.agencies.client(client.id).scopes == {"documents.issue:tax"}
    auditor.get(waits)
    auditor.post(waits, act="withdraw")
    assert core.office.changes.waiting() == []
    assert core.agencies.client(client.id).scopes == {"documents.issue:tax"}


def test_what_waits_for_an_agency_is_shown_to_nobody_else(core: Core, one: Callable[..., Walker]) -> None:
    admin, citizen, officer = one(Role.AGENCY_ADMINISTRATOR), one(), one(Role.OFFICER)
    core.agencies.add_agency("lain", name="Dinas Lain", organization_identifier="NTRID-2", actor="test")
    other = one()
    appoint(core, other, Role.AGENCY_ADMINISTRATOR, "lain")
    log_in(core, other, WITH_PASSKEY)
    admin.get("/agency/dinas/clients/new")
    here = admin.post("/agency/dinas/clients/new", name="Izin", may_read="yes", jwks=KEY).headers["location"]
    assert other.get(here).status_code == 404
    assert here not in other.get("/proposals").text
    for walker in (citizen, officer):
        assert walker.get(here).status_code == 403
        assert walker.get("/proposals").status_code == 403
    assert admin.get("/proposals/proposal-0").status_code == 404


def test_a_signatory_is_named_by_one_and_confirmed_by_another(core: Core, one: Callable[..., Walker]) -> None:
    admin, citizen, auditor = one(Role.AGENCY_ADMINISTRATOR), one(), one(Role.AUDITOR)
    here = "/agency/dinas/signatories"
    admin.get(here)
    assert admin.post(here, act="propose", identifier=admin.nik).status_code == 422
    admin.post(here, act="propose", identifier=citizen.nik)
    (grant,) = [grant for grant in core.office.operators.grants("dinas") if grant.role is Role.SIGNATORY]
    assert admin.post(here, act="confirm", grant=grant.id).status_code == 422
    assert not core.office.operators.powers(citizen.person_id).has(Role.SIGNATORY)
    assert f"/operators/{grant.id}" in auditor.get("/operators").text
    auditor.get(f"/operators/{grant.id}")
    refused = auditor.post(f"/operators/{grant.id}", act="confirm")
    assert refused.status_code == 422  # a role is used with a passkey, and there is none yet
    assert "passkey" in refused.text
    give_passkey(core, citizen.person_id)
    auditor.post(f"/operators/{grant.id}", act="confirm")
    assert core.office.operators.powers(citizen.person_id).has(Role.SIGNATORY, "dinas")


def test_sessions_are_ended_one_by_one_and_all_others_at_once(core: Core, one: Callable[..., Walker]) -> None:
    walker = one()
    for _ in range(2):
        log_in(core, walker)
    page = walker.get("/account/sessions").text
    ends = re.findall(r'action="(/account/sessions/[^"]+/end)"', page)
    assert len(ends) == 4  # three sessions, and the others
    walker.post(ends[1])
    assert len(core.citizens.sessions.of(walker.person_id)) == 2
    walker.post("/account/sessions/others/end")
    (left,) = core.citizens.sessions.of(walker.person_id)
    walker.get("/account/sessions")
    assert walker.post(f"/account/sessions/{left.id}/end").headers["location"].endswith("/logout/done")
    assert core.citizens.sessions.of(walker.person_id) == ()


def test_a_new_password_ends_every_session(core: Core, one: Callable[..., Walker]) -> None:
    walker = one()
    walker.get("/account/factors/password")
    new = "delapan perahu layar hijau"
    assert walker.post("/account/factors/password", password=new, again="anders").status_code == 422
    assert walker.post("/account/factors/password", password=new, again=new).status_code == 200
    assert core.citizens.sessions.of(walker.person_id) == ()
    assert core.citizens.factors.check_password(walker.person_id, new)


def test_the_export_holds_every_part_and_erasure_waits_and_can_be_taken_back(
    core: Core, one: Callable[..., Walker]
) -> None:
    walker = one()
    walker.get("/account/privacy/export")
    export = walker.post("/account/privacy/export").json()
    assert export["account"]["nik"] == Nik.parse(walker.nik).reveal()
    assert {"account", "login", "sessions", "portals", "roles", "lookups"} <= export.keys()
    walker.get("/account/privacy/erasure")
    assert walker.post("/account/privacy/erasure").status_code == 422
    walker.post("/account/privacy/erasure", sure="yes")
    page = walker.get("/account/privacy").text
    back = re.search(r'action="(/account/privacy/requests/[^"]+/take-back)"', page)
    assert back is not None
    walker.post(back.group(1))
    assert "take-back" not in walker.get("/account/privacy").text
