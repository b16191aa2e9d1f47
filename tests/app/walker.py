"""A browser without JavaScript in this process, for people who are logged in already."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pyotp

from app.wiring import Core
from identity.factors.model import FactorKind
from identity.login.model import Device
from identity.operators.model import EMPOWERING, Role
from identity.people.nik import Nik
from tests.support.asgi import InProcess
from tests.support.authenticator import SoftwareAuthenticator
from tests.support.clock import FrozenClock

HOST = "127.0.0.1:8000"
ORIGIN = f"http://{HOST}"
PASSWORD = "tujuh kuda lumping biru"
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')
_WITH_APP = (FactorKind.PASSWORD, FactorKind.TOTP)


@dataclass
class Walker:
    """Somebody at a browser: keeps cookies, sends the token of the page that it stands on."""

    api: InProcess
    person_id: str
    nik: str
    app: pyotp.TOTP
    clock: FrozenClock
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""
    at: str = ""

    def get(self, url: str) -> httpx.Response:
        return self._keep(self.api.get(url, headers=self._headers()))

    def post(self, url: str, **fields: str) -> httpx.Response:
        fields = {"csrf": self.token, **fields}
        return self._keep(self.api.post(url, headers=self._headers(), data=fields))

    def follow(self, answer: httpx.Response) -> httpx.Response:
        """As far as the redirects stay with us."""
        while answer.is_redirect and urlsplit(urljoin(ORIGIN, answer.headers["location"])).netloc == HOST:
            answer = self.get(answer.headers["location"])
        return answer

    def code(self) -> str:
        """The next code of the app; each works once."""
        self.clock.advance(timedelta(seconds=30))
        return self.app.at(self.clock())

    def _headers(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def _keep(self, answer: httpx.Response) -> httpx.Response:
        self.cookies |= dict(answer.cookies)
        self.at = urlsplit(str(answer.url)).path
        if found := _TOKEN.search(answer.text):
            self.token = unescape(found.group(1))
        return answer


def person(core: Core, api: InProcess, clock: FrozenClock, serial: int, name: str = "Siti Aminah") -> Walker:
    """A proofed person with password and app, not logged in."""
    nik = Nik.compose(
        region="327301", birth_date=date(1980, 8, 17), is_woman=True, serial=serial, samples=True
    ).reveal()
    citizens = core.citizens
    opened = citizens.people.open_proofed(
        officer_id="cli:test", nik=nik, name=name, birth_date=date(1980, 8, 17), email=None, language="id"
    )
    assert opened.activation_code is not None
    made = citizens.people.activate(opened.activation_code)
    citizens.factors.set_password(made.id, PASSWORD)
    setup = citizens.factors.begin_totp(made.id)
    app = pyotp.TOTP(setup.secret_text.replace(" ", ""))
    citizens.factors.confirm_totp(made.id, setup.id, app.at(clock()))
    citizens.people.complete(made.id)
    return Walker(api, made.id, nik, app, clock)


def log_in(core: Core, walker: Walker, used: Collection[FactorKind] = _WITH_APP) -> None:
    with core.database.begin() as tx:
        opened = core.citizens.sessions.open_within(tx, walker.person_id, used, Device("127.0.0.1", "test"))
    walker.cookies["absah"] = opened.secret


def appoint(core: Core, walker: Walker, role: Role, agency_id: str | None = None) -> None:
    """As two people do it: somebody proposes; its holder has a passkey by then, and an auditor confirms."""
    grant = core.office.operators.propose(walker.person_id, role, agency_id, actor="cli:test")
    if role in EMPOWERING:
        give_passkey(core, walker.person_id)
        core.office.operators.confirm(grant.id, confirmer_id=auditor_of(core))


def give_passkey(core: Core, person_id: str) -> None:
    factors, phone = core.citizens.factors, SoftwareAuthenticator(core.settings.passkey_origin)
    challenge = factors.begin_passkey(person_id)
    factors.confirm_passkey(person_id, challenge.id, phone.create(challenge.options_json))


def auditor_of(core: Core) -> str:
    for grant in core.office.operators.grants():
        if grant.role is Role.AUDITOR:
            return grant.person_id
    raise AssertionError("appoint an auditor first")


def facts_of(core: Core, action: str) -> list[tuple[str, str, Any]]:
    """Actor, subject and facts of the audit trail's entries of one kind."""
    with core.database.read() as tx:
        return [
            (entry.actor, entry.subject, entry.facts)
            for entry in core.audit.entries(tx)
            if entry.action == action
        ]
