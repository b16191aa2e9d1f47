"""Somebody else was in the account: what its owner does about it ends all that was opened there."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from app.wiring import Core
from identity.factors.model import FactorKind
from identity.login.model import Answer, Device, Secret, Session
from identity.login.recovery_tables import RepudiationTable
from identity.mail.tables import mails
from identity.operators.model import GrantState, Role
from identity.people.codes import CodePurpose
from identity.people.tables import person_codes
from identity.provider.authorizing import Answered
from identity.provider.grant_tables import GrantTable
from identity.provider.model import Consent, Portal, PortalKind
from identity.provider.portals import PortalRegistration
from identity.provider.requests import Parameters
from identity.provider.tables import ConsentTable
from tests.app.walker import Walker, appoint, auditor_of, give_passkey, log_in, person
from tests.support.asgi import InProcess
from tests.support.authenticator import SoftwareAuthenticator
from tests.support.clock import FrozenClock

THIEF = Device("198.51.100.9", "curl/8.5")
SCOPES = frozenset({"openid", "offline_access"})
CALLBACK = "http://127.0.0.1:9/callback"


@pytest.fixture
def siti(core: Core, api: InProcess, clock: FrozenClock) -> Walker:
    return person(core, api, clock, 1)


def _session(core: Core, siti: Walker) -> Session:
    used = {FactorKind.PASSWORD, FactorKind.TOTP}
    with core.database.begin() as tx:
        return core.citizens.sessions.open_within(tx, siti.person_id, used, THIEF).session


def _granted(core: Core, session: Session) -> Portal:
    """An app with a grant that outlives the login."""
    registered = PortalRegistration(
        agency_id="dinas",
        name="Aplikasi Izin",
        kind=PortalKind.NATIVE,
        redirect_uris=(CALLBACK,),
        scopes=SCOPES,
    )
    portal = core.provider.portals.add(registered, actor="test").portal
    with core.database.begin() as tx:
        ConsentTable(tx).give(Consent(session.person_id, portal.id, SCOPES, core.clock()))
    asked = {
        "client_id": portal.id,
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": " ".join(SCOPES),
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
    }
    answer = core.provider.authorizing.begin(Parameters.of(asked.items()), session)
    assert isinstance(answer, Answered)
    assert "code" in answer.members
    return portal


def _standing(tx: Connection, person_id: str) -> list[str]:
    return [grant.id for grant in GrantTable(tx).of_person(person_id) if grant.stands]


def test_this_was_not_me_ends_what_portals_were_granted_to_outlive_the_login(
    core: Core, siti: Walker
) -> None:
    _granted(core, _session(core, siti))
    link, now = Secret.new(), core.clock()
    with core.database.begin() as tx:
        assert _standing(tx, siti.person_id)
        RepudiationTable(tx).add(
            link.hash,
            siti.person_id,
            ("pwd", "otp", "mfa"),
            now=now,
            expires_at=now + timedelta(days=14),
        )
    core.citizens.login.repudiate(link.text)
    with core.database.read() as tx:
        assert _standing(tx, siti.person_id) == []


def test_a_new_password_ends_what_portals_were_granted_to_outlive_the_login_and_asks_nothing_again(
    core: Core, siti: Walker
) -> None:
    portal = _granted(core, _session(core, siti))
    core.citizens.factors.set_password(siti.person_id, "sembilan naga terbang")
    with core.database.read() as tx:
        assert _standing(tx, siti.person_id) == []
        assert ConsentTable(tx).get(siti.person_id, portal.id) is not None


def test_an_operator_who_has_a_passkey_shows_it_before_ways_to_log_in_change(
    core: Core, siti: Walker, api: InProcess, clock: FrozenClock
) -> None:
    appoint(core, person(core, api, clock, 2), Role.AUDITOR)
    waiting = core.office.operators.propose(siti.person_id, Role.OFFICER, actor="cli:test")
    log_in(core, siti)
    assert siti.get("/account/factors/passkey").status_code == 200  # the first one
    give_passkey(core, siti.person_id)
    core.office.operators.confirm(waiting.id, confirmer_id=auditor_of(core))
    for page in ("passkey", "totp", "codes", "password"):
        answer = siti.get(f"/account/factors/{page}")
        assert (answer.status_code, "acr=phr" in answer.headers["location"]) == (303, True)
    log_in(core, siti, [FactorKind.PASSKEY])
    assert siti.get("/account/factors/passkey").status_code == 200


@pytest.mark.parametrize("by_passkey", [False, True])
def test_roles_wait_for_a_confirmation_after_a_recovery_without_a_passkey(
    core: Core, siti: Walker, api: InProcess, clock: FrozenClock, *, by_passkey: bool
) -> None:
    appoint(core, person(core, api, clock, 2), Role.AUDITOR)
    appoint(core, siti, Role.OFFICER)
    core.citizens.people.change_email(siti.person_id, "siti@contoh.id")
    core.citizens.people.confirm_email(_mailed(core, "email_change"))
    if by_passkey:
        authenticator = SoftwareAuthenticator(core.settings.passkey_origin)
        challenge = core.citizens.factors.begin_passkey(siti.person_id)
        made = authenticator.create(challenge.options_json)
        core.citizens.factors.confirm_passkey(siti.person_id, challenge.id, made)
        asked = core.citizens.factors.passkey_options(siti.person_id)
        answer = Answer(FactorKind.PASSKEY, authenticator.get(asked.options_json), asked.id)
    else:
        answer = Answer(FactorKind.TOTP, siti.code())
    core.citizens.recoveries.start("siti@contoh.id", THIEF)
    half = core.citizens.recoveries.confirm(_mailed(core, "recovery_code"))
    core.citizens.recoveries.prove(half.secret, answer, THIEF)
    (grant,) = [one for one in core.office.operators.grants() if one.person_id == siti.person_id]
    assert grant.state is (GrantState.ACTIVE if by_passkey else GrantState.PROPOSED)


def _mailed(core: Core, template: str) -> str:
    """The code in the one mail of this kind."""
    with core.database.read() as tx:
        (row,) = tx.execute(select(mails).where(mails.c.template == template)).all()
    content = json.loads(core.vault.open("mail", row.sealed, context=row.id))
    code: str = content["values"]["code"]
    return code


def test_a_new_password_stops_an_address_change_under_way(core: Core, siti: Walker) -> None:
    core.citizens.people.change_email(siti.person_id, "pencuri@contoh.id")
    core.citizens.factors.set_password(siti.person_id, "sembilan naga terbang")
    with core.database.read() as tx:
        (code,) = tx.execute(
            select(person_codes).where(person_codes.c.purpose == CodePurpose.EMAIL.value)
        ).all()
    assert code.used_at is not None
