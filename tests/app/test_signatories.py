"""A signatory has a document issued through a portal: by a login strong and fresh enough, or not at all."""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from app.demo import sample_documents
from app.main import build_app
from app.settings import Settings
from app.wiring import Core
from identity.encoding import base64url
from identity.operators.model import Role
from identity.provider.portals import NewPortal, PortalRegistration
from tests.app.walker import Walker, appoint, facts_of, log_in, person
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock

CALLBACK = "http://127.0.0.1:9/callback"
VERIFIER = "v" * 64
CHALLENGE = base64url(hashlib.sha256(VERIFIER.encode()).digest())
PDF = sample_documents()[0].pdf
METADATA = {
    "type": "business_licence",
    "number": "503/0217/DPMPTSP/2026",
    "title": "Nomor Induk Berusaha",
    "signatory": "Kepala Dinas",
    "issued_on": "2026-05-30",
}


@dataclass
class Desk:
    """A signatory of ``dinas`` at the agency's portal."""

    core: Core
    api: InProcess
    walker: Walker
    portal: NewPortal

    def authorize(self, **more: str) -> str:
        """Through the browser to a new access token; a step-up on the way is answered with the app."""
        request = {
            "client_id": self.portal.portal.id,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": "openid documents.issue:*",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "s",
            **more,
        }
        answer = self.walker.follow(self.walker.get(f"/oauth2/authorize?{urlencode(request)}"))
        if self.walker.at == "/step-up":
            answer = self.walker.follow(
                self.walker.post(str(answer.url), kind="totp", code=self.walker.code())
            )
        if not answer.is_redirect:
            flow = parse_qs(urlsplit(str(answer.url)).query)["flow"][0]
            answer = self.walker.follow(self.walker.post(f"/oauth2/consent?flow={flow}", decision="agree"))
        code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
        tokens = self.api.post(
            "/oauth2/token",
            data={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": CALLBACK,
                "code_verifier": VERIFIER,
            },
            auth=httpx.BasicAuth(self.portal.portal.id, self.portal.secret or ""),
        )
        assert tokens.status_code == 200, tokens.text
        token: str = tokens.json()["access_token"]
        return token

    def seal(self, token: str, **changes: Any) -> httpx.Response:
        return self.api.post(
            "/v1/documents",
            headers={"Authorization": f"Bearer {token}"},
            files={"file": ("izin.pdf", PDF, "application/pdf")},
            data={"metadata": json.dumps(METADATA | changes)},
        )


@pytest.fixture
def desk(core: Core, api: InProcess, clock: FrozenClock) -> Desk:
    walker = person(core, api, clock, 1)
    appoint(core, person(core, api, clock, 2), Role.AUDITOR)
    appoint(core, walker, Role.SIGNATORY, "dinas")
    log_in(core, walker)
    portal = core.provider.portals.add(
        PortalRegistration(
            agency_id="dinas",
            name="Meja Kepala Dinas",
            redirect_uris=(CALLBACK,),
            scopes=frozenset({"openid", "documents.issue:*"}),
        ),
        actor="test",
    )
    return Desk(core, api, walker, portal)


def test_a_login_that_is_too_old_is_refused_until_the_person_steps_up(desk: Desk, clock: FrozenClock) -> None:
    # 1. Fresh: sealed, and the trail names who authorised it, from the intent to the outcome.
    token = desk.authorize()
    sealed = desk.seal(token)
    assert sealed.status_code == 201, sealed.text
    for action in ("document.intended", "document.issued"):
        ((actor, subject, facts),) = facts_of(desk.core, action)
        assert (actor, subject) == (desk.portal.portal.id, sealed.json()["id"])
        assert json.loads(facts)["authorised_by"] == desk.walker.person_id
    # 2. Six minutes later it is not, and the answer says what would be (RFC 9470, 3).
    clock.advance(timedelta(minutes=6))
    refused = desk.seal(token)
    assert refused.status_code == 401
    assert refused.json()["type"].endswith("/authentication-insufficient")
    challenge = refused.headers["www-authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge
    assert 'acr_values="aal2"' in challenge
    assert 'max_age="300"' in challenge
    # 3. The portal asks for just that; the person answers with the app; the new token seals.
    renewed = desk.authorize(max_age="300", acr_values="aal2")
    assert desk.seal(renewed).status_code == 201
    assert desk.seal(token).status_code == 401


@pytest.mark.either_database
def test_a_login_that_is_too_weak_is_refused_where_passkeys_are_demanded(
    desk: Desk, settings: Settings
) -> None:
    token = desk.authorize()
    strict = settings.model_copy(
        update={"identity": settings.identity.model_copy(update={"signatory_acr": "phr"})}
    )
    with ExitStack() as closing:
        core = type(desk.core)(
            **{name: getattr(desk.core, name) for name in desk.core.__slots__} | {"settings": strict}
        )
        api = InProcess(build_app(core, closing=closing))
        refused = Desk(core, api, desk.walker, desk.portal).seal(token)
    assert refused.status_code == 401
    assert 'acr_values="phr"' in refused.headers["www-authenticate"]


@pytest.mark.either_database
def test_a_portal_for_all_types_may_ask_for_one_and_seals_that_one_only(desk: Desk) -> None:
    token = desk.authorize(scope="openid documents.issue:business_licence")
    assert desk.seal(token).status_code == 201
    assert desk.seal(token, type="decree").status_code == 403


@pytest.mark.either_database
def test_a_role_that_has_ended_seals_nothing_more(desk: Desk) -> None:
    token = desk.authorize()
    (grant,) = desk.core.office.operators.grants("dinas")
    desk.core.office.operators.end(grant.id, actor="cli:test")
    refused = desk.seal(token)
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("/role-missing")


@pytest.mark.either_database
def test_a_suspended_signatory_seals_nothing_more(desk: Desk) -> None:
    from identity.people.service import SuspensionReason

    token = desk.authorize()
    desk.core.citizens.people.suspend(
        desk.walker.person_id, actor="cli:test", reason=SuspensionReason.REPORTED
    )
    assert desk.seal(token).status_code == 401


@pytest.mark.either_database
def test_a_signatory_of_another_agency_seals_nothing_here(
    core: Core, api: InProcess, clock: FrozenClock, desk: Desk
) -> None:
    core.agencies.add_agency("lain", name="Dinas Lain", organization_identifier="NTRID-2", actor="test")
    other = person(core, api, clock, 3)
    appoint(core, other, Role.SIGNATORY, "lain")
    log_in(core, other)
    refused = Desk(core, api, other, desk.portal).seal(Desk(core, api, other, desk.portal).authorize())
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("/role-missing")
