"""Account and offices in a real browser: both languages, a small phone and a desk, no script, axe-core.

What stands behind the login, with something on every list. The way in is in ``test_citizen_pages``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import update

from app.custodians import passkey_of_custodian
from app.demo import sample_documents
from app.main import build_app
from app.provisioning import certify_agency
from app.wiring import Core
from ca.model import ProfileName, RevocationReason
from identity.factors.model import FactorKind
from identity.operators.model import Role
from identity.web.words import Language
from keys.approval_tables import key_requests
from keys.approvals import KeyAct, Outcome
from keys.custodians import Change, parameters_of
from keys.endings import Ending
from tests.app.test_office_pages import ACCOUNT, KEY, OFFICES, WITH_PASSKEY
from tests.app.walker import Walker, appoint, log_in, person
from tests.pages.faults import faults_of
from tests.pages.test_citizen_pages import WIDTHS, refused, scripts_off, violations
from tests.pages.town import Town, axe_script, served_town
from tests.support.asgi import InProcess
from tests.support.browser import keep_picture
from tests.support.clock import FrozenClock
from tests.support.custodians import KeyHolder
from tests.support.needs import requires
from tests.support.tokens import bearer_token

pytestmark = [pytest.mark.network, requires("chromium")]

NEW_KEY = (
    "_x8AjohPUj75-Kkpjxm4PPohHdUHecn-9QrkOoTK0zU",
    "WhihEVf9mGW79vOxdgKCLfmZ0CLDvCQyeoEMuS4SFvw",
)
"""A point of P-256."""

SECTIONS = (
    "/account",
    "/counter",
    "/help-desk",
    "/agency",
    "/operators",
    "/proposals",
    "/custody",
    "/certificates",
)


@dataclass(frozen=True)
class Sending:
    """A form that is filled in and sent; ``form`` is its number on the page. Unless ``is_taken``, wrongly."""

    name: str
    path: str
    fields: dict[str, str] = field(default_factory=dict)
    form: int = 0
    is_taken: bool = False

    def send(self, page: Any, url: str) -> None:
        page.goto(url)
        form = page.locator("main form").nth(self.form)
        for name, value in self.fields.items():
            field = form.locator(f"[name='{name}']").first
            field.check() if value == "yes" else field.fill(value)
        with page.expect_navigation(wait_until="load"):
            form.locator("button").first.click()

    def faults(self, page: Any) -> list[str]:
        if page.title().startswith(("Kesalahan", "Error")) == self.is_taken:
            return [f"was {'refused' if self.is_taken else 'taken'}: {page.title()}"]
        if self.is_taken or page.evaluate(
            "document.activeElement.matches(\"[aria-invalid='true'], "
            "[aria-invalid='true'] input, .problems\")"
        ):
            return []
        return ["the error has no focus"]


@dataclass
class Inhabited:
    """A town whose people have something on every page; ``visits`` says who goes where, ``sendings`` which
    forms they send.
    """

    town: Town
    application: FastAPI
    visits: list[tuple[Walker, tuple[str, ...]]] = field(default_factory=list)
    sendings: list[tuple[Walker, tuple[Sending, ...]]] = field(default_factory=list)


@pytest.fixture(scope="module")
def inhabited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inhabited]:
    with served_town(tmp_path_factory.mktemp("inner")) as town, ExitStack() as closing:
        made = Inhabited(town, build_app(town.core, closing=closing))
        _settle(made)
        yield made


@pytest.mark.parametrize("language", ["id", pytest.param("en", marks=pytest.mark.soak)])
def test_every_page_behind_the_login_works_without_a_script_and_is_whole_for_everybody(
    language: Language, chromium: Any, inhabited: Inhabited, screenshots: Path
) -> None:
    axe, found = axe_script(), []
    for walker, paths in inhabited.visits:
        context = chromium.new_context(locale="id-ID", timezone_id="Asia/Jakarta")
        context.add_cookies([{"name": "absah", "value": walker.cookies["absah"], "url": inhabited.town.url}])
        page = context.new_page()
        page.on("requestfailed", lambda request: found.extend(refused(request)))
        with scripts_off(page) as allowed:
            for path in paths:
                status = page.goto(f"{inhabited.town.url}{path}?lang={language}").status
                if (status, page.url.partition("?")[0]) != (200, f"{inhabited.town.url}{path}"):
                    found.append(f"{path}: {status} at {page.url}")
                name = re.sub(r"\W+", "-", path).strip("-")
                for width, height in WIDTHS.items():
                    page.set_viewport_size({"width": width, "height": height})
                    keep_picture(page, screenshots / f"{width}-{name}.png")
                    found.extend(f"{path} at {width}: {fault}" for fault in faults_of(page))
                if page.evaluate("document.documentElement.lang") != language:
                    found.append(f"{path} is not in {language}")
                with allowed():
                    found.extend(f"{path}: {fault}" for fault in violations(page, axe))
        context.close()
    assert found == []


@pytest.mark.parametrize("language", ["id", pytest.param("en", marks=pytest.mark.soak)])
def test_what_a_form_answers_is_whole_for_everybody_and_an_error_has_the_focus(
    language: Language, chromium: Any, inhabited: Inhabited, screenshots: Path
) -> None:
    axe, found = axe_script(), []
    for walker, sendings in inhabited.sendings:
        context = chromium.new_context(locale="id-ID", timezone_id="Asia/Jakarta")
        context.add_cookies([{"name": "absah", "value": walker.cookies["absah"], "url": inhabited.town.url}])
        page = context.new_page()
        with scripts_off(page) as allowed:
            for sent in sendings:
                sent.send(page, f"{inhabited.town.url}{sent.path}?lang={language}")
                for width, height in WIDTHS.items():
                    page.set_viewport_size({"width": width, "height": height})
                    keep_picture(page, screenshots / f"{width}-{sent.name}.png")
                    found.extend(f"{sent.name} at {width}: {fault}" for fault in faults_of(page))
                if page.evaluate("document.documentElement.lang") != language:
                    found.append(f"{sent.name} is not in {language}")
                with allowed():
                    found.extend(f"{sent.name}: {fault}" for fault in violations(page, axe))
                    found.extend(f"{sent.name}: {fault}" for fault in sent.faults(page))
        context.close()
    assert found == []
    assert len({sent.name for _, sendings in inhabited.sendings for sent in sendings}) >= 19


def test_no_page_behind_the_login_was_left_out(inhabited: Inhabited) -> None:
    visited = [path for _, paths in inhabited.visits for path in paths]
    templates = {
        context.path
        for context in iter_route_contexts(inhabited.application.routes)
        if context.path and "GET" in (context.methods or ()) and context.path.startswith(SECTIONS)
    }
    assert len(templates) >= 25
    left_out = {
        template
        for template in templates
        if not any(re.fullmatch(re.sub(r"\{.*?\}", "[^/]+", template), path) for path in visited)
    }
    assert left_out == set()


def _settle(made: Inhabited) -> None:
    """An auditor first; then one of each office, a citizen, and what they have to do with each other."""
    town, core = made.town, made.town.core
    agency = core.agencies.add_agency(
        "dinas", name="Dinas Perizinan", organization_identifier="NTRID-1", actor="test"
    )
    certify_agency(core, agency, actor="test")
    nobody = InProcess(made.application)
    people: dict[Role | None, Walker] = {}
    for serial, role in enumerate(
        (Role.AUDITOR, *(role for role in OFFICES if role is not Role.AUDITOR), None), start=1
    ):
        people[role] = walker = person(
            core, nobody, FrozenClock(datetime.now(UTC)), serial, name=f"Warga {'ABCDEFGH'[serial]}"
        )
        if role is not None:
            appoint(core, walker, role, "dinas" if role.is_of_agency else None)
        weak = (FactorKind.PASSWORD, FactorKind.TOTP)
        log_in(core, walker, WITH_PASSKEY if role else weak)
    citizen = people[None]
    _seal_for(town, citizen)
    request = core.rights.request_correction(citizen.person_id, "Nama saya Siti Aminah.")
    system = core.agencies.register_client(
        "dinas", name="Izin", scopes=["documents.read"], jwks=KEY, actor="test"
    )
    administrator = people[Role.AGENCY_ADMINISTRATOR]
    core.agencies.add_agency("lain", name="Dinas Lain", organization_identifier="NTRID-2", actor="test")
    appoint(core, administrator, Role.AGENCY_ADMINISTRATOR, "lain")  # one of a single agency sees no list
    waiting = core.office.operators.propose(
        citizen.person_id, Role.SIGNATORY, "dinas", actor=administrator.person_id
    )
    proposed = _propose(core, system.id, administrator.person_id)
    asked = _ask(core, people[Role.KEY_CUSTODIAN].person_id)
    made.visits = [
        (citizen, ACCOUNT),
        (
            people[Role.OFFICER],
            (
                *OFFICES[Role.OFFICER],
                f"/counter/people/{citizen.person_id}",
                f"/counter/people/{citizen.person_id}/code",
                f"/counter/requests/{request.id}",
            ),
        ),
        (people[Role.HELP_DESK], (*OFFICES[Role.HELP_DESK], f"/help-desk/people/{citizen.person_id}")),
        (
            administrator,
            (
                "/agency",
                *OFFICES[Role.AGENCY_ADMINISTRATOR],
                f"/agency/dinas/clients/{system.id}",
                f"/proposals/{proposed[0]}",
            ),
        ),
        (
            people[Role.AUDITOR],
            (
                *OFFICES[Role.AUDITOR],
                f"/operators/{waiting.id}",
                "/proposals",
                *(f"/proposals/{proposal}" for proposal in proposed[1:]),
                "/custody",
                f"/custody/{asked[0]}",
            ),
        ),
        (
            people[Role.KEY_CUSTODIAN],
            (*OFFICES[Role.KEY_CUSTODIAN], *(f"/custody/{request}" for request in asked)),
        ),
        (
            people[Role.CA_ADMINISTRATOR],
            (*OFFICES[Role.CA_ADMINISTRATOR], *(f"/certificates/{name}" for name in _certificates(core))),
        ),
    ]
    _send(made, people, request.id)


def _ask(core: Core, person_id: str) -> list[str]:
    """Requests in every state that a page shows: waiting, approved, one's own, rejected, altered, done,
    failed."""
    holders = [KeyHolder("ani"), KeyHolder("budi")]
    for holder in holders:
        core.custodians.change_freely(holder.joining, actor="test")
    (passkey,) = core.citizens.factors.passkeys_of(person_id)
    joining = parameters_of(
        Change.ADD,
        "citra",
        key=passkey_of_custodian(passkey),
        person_id=person_id,
        reason="menggantikan Dewi",
    )
    control, named = core.dual_control, core.keys.list()[0].id
    joined = control.request(KeyAct.CUSTODIANS, joining, requester="cli:root")
    asked = [
        control.request(act, parameters, requester=requester)
        for act, parameters, requester in (
            (KeyAct.RETIRE, {"key": named, "reason": "pindah ke HSM baru"}, "cli:root"),
            (KeyAct.ROTATE, {"purpose": "seal", "owner": "dinas"}, person_id),
            (KeyAct.DESTROY, {"key": named}, "upkeep"),
            (KeyAct.COMPROMISE, {"key": named, "since": "2026-11-20T01:00:00Z"}, "cli:root"),
            (
                KeyAct.CERTIFY,
                {
                    "owner": "lain",
                    "organisation": "Dinas Lain",
                    "organization_identifier": "NTRID-2",
                    "reason": "segel pertama",
                },
                "cli:root",
            ),
            (
                KeyAct.TRUST,
                {"unit": "0f" * 32, "issuer": "CN=CA Cap Waktu Nasional,O=Otoritas Waktu,C=ID"},
                "cli:root",
            ),
        )
    ]
    for request in (joined, asked[2]):
        for holder in holders:
            control.decide(request.id, holder.approves(request))
    control.change_custodians_due()
    for holder in holders:
        control.decide(asked[3].id, holder.rejects(asked[3]))
    for request in asked[4:]:
        for holder in holders:
            control.decide(request.id, holder.approves(request))
    # One that was carried out and one that was refused by something whose words are in English.
    control.claim(asked[2].id)
    control.finish(asked[2].id, Outcome.DONE, detail=Ending.BACKUPS.said())
    control.claim(asked[4].id)
    control.finish(asked[4].id, Outcome.FAILED, detail="No issuing CA can sign now: run `absah init`")
    altered = control.request(KeyAct.REINSTATE, {"key": named}, requester="cli:root")
    with core.database.begin() as tx:
        tx.execute(update(key_requests).where(key_requests.c.id == altered.id).values(required=1))
    return [request.id for request in (*asked, joined, altered)]


def _certificates(core: Core) -> list[str]:
    """One that may be held, one on hold, one that was revoked; another may only be looked at."""
    held, revoked = (
        next(one.record for one in core.certificates.certificates() if one.record.profile is profile)
        for profile in (ProfileName.OCSP, ProfileName.RECEIPT)
    )
    core.revocation.revoke(held.serial, RevocationReason.CERTIFICATE_HOLD, actor="test")
    core.revocation.revoke(revoked.serial, RevocationReason.SUPERSEDED, actor="test")
    return ["root-1", held.name, revoked.name]


def _propose(core: Core, client_id: str, person_id: str) -> list[str]:
    """One of each kind, and one that was turned down."""
    new = [
        {**json.loads(KEY)["keys"][0], "kid": "dua", "x": NEW_KEY[0], "y": NEW_KEY[1]},
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    ]
    changes = core.office.changes
    system = {"scopes": ["documents.issue:*", "documents.read"], "jwks": KEY, "actor": person_id}
    asked = [
        changes.register("dinas", name="Perizinan berusaha", **system),  # type: ignore[arg-type]
        changes.replace_keys(client_id, json.dumps({"keys": new}), actor=person_id),
        changes.change_scopes(client_id, ["documents.issue:business_licence"], actor=person_id),
        changes.register("dinas", name="Pajak daerah", **system),  # type: ignore[arg-type]
    ]
    made = [one.proposal.id for one in asked if one.proposal is not None]
    changes.withdraw(made[-1], actor=person_id)
    return made


def _send(made: Inhabited, people: dict[Role | None, Walker], request_id: str) -> None:
    """What people send wrongly, and what they get for what is right."""
    citizen, newcomer = people[None], _newcomer(made.town)
    at_counter = f"/counter/people/{citizen.person_id}/code"
    request, unknown = f"/counter/requests/{request_id}", "3273015702560001"
    wrong, common = {"nik": "123", "birth_date": "17-08-1980"}, {"password": "rahasia1", "again": "rahasia1"}
    made.sendings = [
        (
            newcomer,
            (
                Sending("proofing-code", "/account/proofing"),
                Sending("proofing-nik", "/account/proofing", wrong, form=1),
                Sending("name-missing", "/account/privacy/correction", {"name": " "}),
            ),
        ),
        (
            citizen,
            (
                Sending("password-missing", "/account/factors/password"),
                Sending("password-common", "/account/factors/password", common),
                Sending("totp-missing", "/account/factors/totp"),
                Sending("codes-shown", "/account/factors/codes", is_taken=True),
                Sending("email-wrong", "/account/privacy/email", {"email": "siti@"}),
                Sending("details-missing", "/account/privacy/correction"),
                Sending("erasure-unsure", "/account/privacy/erasure"),
            ),
        ),
        (
            people[Role.OFFICER],
            (
                Sending("nik-wrong", "/counter", {"nik": "123"}),
                Sending("nik-unknown", "/counter", {"nik": unknown}, is_taken=True),
                Sending("open-empty", "/counter/open"),
                Sending("card-unseen", at_counter),
                Sending("correction-wrong", request, {"birth_date": "31-02-1980"}),
                Sending("refusal-missing", request, form=1),
            ),
        ),
        (
            people[Role.HELP_DESK],
            (
                Sending("nobody-found", "/help-desk", {"identifier": "nobody@contoh.id"}),
                Sending("reason-missing", f"/help-desk/people/{citizen.person_id}", form=1),
            ),
        ),
        (
            people[Role.AGENCY_ADMINISTRATOR],
            (
                Sending("signatory-nobody", "/agency/dinas/signatories", {"identifier": unknown}, form=1),
            ),
        ),
        (people[Role.KEY_CUSTODIAN], (Sending("passkey-unchosen", "/custody/me"),)),
        (
            people[Role.CA_ADMINISTRATOR],
            (Sending("revocation-empty", "/certificates/issuing-1", form=1),),
        ),
    ]  # fmt: skip


def _newcomer(town: Town) -> Walker:
    """Somebody whom nobody has checked, logged in."""
    citizen = town.citizen()
    found = town.core.citizens.people.find(citizen.email)
    assert found is not None
    made = Walker(InProcess(FastAPI()), found.id, "", citizen.totp, FrozenClock(datetime.now(UTC)))
    log_in(town.core, made)
    return made


def _seal_for(town: Town, holder: Walker) -> None:
    """A document for somebody, which its agency has looked at since."""
    http: Any = town.server.http
    scopes = ["documents.issue:*", "documents.read"]
    client = town.core.agencies.add_client("dinas", name="Uji", scopes=scopes, actor="test")
    bearer = {"Authorization": f"Bearer {bearer_token(http, client)}"}
    metadata = {
        "type": "business_licence",
        "number": "503/0217/DPMPTSP/2026",
        "title": "Nomor Induk Berusaha",
        "signatory": "Kepala Dinas",
        "issued_on": "2026-05-30",
        "holder": {"name": "Siti Aminah", "nik": holder.nik},
    }
    sealed = http.post(
        "/v1/documents",
        headers=bearer,
        files={"file": ("izin.pdf", sample_documents()[0].pdf, "application/pdf")},
        data={"metadata": json.dumps(metadata)},
    )
    assert sealed.status_code == 201, sealed.text
    assert http.get(f"/v1/documents/{sealed.json()['id']}", headers=bearer).status_code == 200
