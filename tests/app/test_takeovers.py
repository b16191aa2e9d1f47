"""Somebody else was in the account: what its owner does about it ends all that was opened there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from app.wiring import Core
from identity.factors.model import FactorKind
from identity.login.model import Device, Secret, Session
from identity.login.recovery_tables import RepudiationTable
from identity.people.codes import CodePurpose
from identity.people.tables import person_codes
from identity.provider.authorizing import Answered
from identity.provider.grant_tables import GrantTable
from identity.provider.model import Consent, Portal, PortalKind
from identity.provider.portals import PortalRegistration
from identity.provider.requests import Parameters
from identity.provider.tables import ConsentTable
from tests.app.walker import Walker, person
from tests.support.asgi import InProcess
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


def test_a_new_password_stops_an_address_change_under_way(core: Core, siti: Walker) -> None:
    core.citizens.people.change_email(siti.person_id, "pencuri@contoh.id")
    core.citizens.factors.set_password(siti.person_id, "sembilan naga terbang")
    with core.database.read() as tx:
        (code,) = tx.execute(
            select(person_codes).where(person_codes.c.purpose == CodePurpose.EMAIL.value)
        ).all()
    assert code.used_at is not None
