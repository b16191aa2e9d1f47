"""A shell with two pages of its own, over the real layout and templates."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app import web
from app.answers import explained
from identity.login.errors import StepUpNeeded
from identity.login.model import Acr, Device, DeviceName, Opened, Place, Session
from identity.web.explained import Explained
from identity.web.routes import router as citizen_pages
from identity.web.shell import Flow, Form, Response, Shell, Visit
from tests.identity.login.conftest import ORIGIN, House, house
from tests.support.asgi import InProcess

__all__ = ["house"]

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
SECRET = "s" * 43
SESSION = Session(
    id="session-1",
    person_id="person-1",
    auth_time=NOW,
    acr=Acr.AAL2,
    amr=("pwd", "otp", "mfa"),
    created_at=NOW,
    last_seen_at=NOW,
    expires_at=NOW + timedelta(hours=12),
    device=DeviceName("Chrome", "Android"),
    place=Place("Bandung", "103.10.66.*"),
)
INDONESIAN = Flow("flow-id", "Portal Pajak", "https://portal.example", "/oauth2/authorize?flow=flow-id", "id")
FLOW = Flow("flow-1", "Portal Pajak", "https://portal.example", "/oauth2/authorize?flow=flow-1", "en")


class Broken(Exception):
    """Something that no page expects."""


def explain(scope: Any, error: Exception) -> Explained:
    return Explained(500, "Something failed", "Terjadi kesalahan", "abc123")


def application(public_url: str) -> FastAPI:
    shell = Shell(
        web.layout_loader(),
        public_url=public_url,
        asset_version="1",
        find_session={SECRET: SESSION}.get,
        explain=explain,
        find_flow={"flow-1": FLOW, "flow-id": INDONESIAN}.get,
        find_language={"person-1": "en"}.get,
    )
    section = shell.section(
        "tests.identity.web", words={"id": {"greeting": "Halo"}, "en": {"greeting": "Hello"}}
    )

    @section.page("/open", anyone=True)
    def open_page(visit: Visit) -> Response:
        visit.says("greeting")
        return visit.show("form.html", title="greeting")

    @section.form("/open", anyone=True)
    def open_posted(visit: Visit, form: Form) -> Response:
        errors = {name: f"{name} kosong." for name in ("name", "email") if not form.text(name)}
        if errors:
            return visit.show("form.html", title="greeting", errors=errors, typed=form)
        visit.open_session(Opened(SECRET, SESSION, "d" * 43))
        return visit.finish()

    @section.page("/mine/{part}")
    def mine(visit: Visit) -> Response:
        if visit.parameter("part") == "fresh":
            raise StepUpNeeded(acr="phr", max_age=timedelta(minutes=5))
        if visit.parameter("part") == "broken":
            raise Broken
        return visit.show("form.html", title=visit.session.person_id)

    @section.form("/mine/leave")
    def leave(visit: Visit, form: Form) -> Response:
        visit.end_session()
        return visit.go("/login")

    seen: list[Device] = []

    @section.page("/device", anyone=True)
    def device(visit: Visit) -> Response:
        seen.append(visit.device)
        return visit.show("form.html", title="greeting")

    made = FastAPI()
    made.state.seen = seen
    made.include_router(section.router)
    return made


class Browser(InProcess):
    """Keeps cookies as a browser does, and fills in forms that it was shown."""

    def __init__(self, application: FastAPI) -> None:
        super().__init__(application)
        self.application = application
        self.cookies: dict[str, str] = {}
        self.page = ""

    def request(self, method: str, url: str, **arguments: Any) -> httpx.Response:
        headers = dict(arguments.pop("headers", {}))
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = super().request(method, url, headers=headers, **arguments)
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        self.page = answer.text
        return answer

    def token(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.page)
        assert found, self.page
        return found[1]

    def send(self, url: str, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        return self.post(url, data={"csrf": self.token(), **fields}, headers=headers or {})


@pytest.fixture
def browser() -> Browser:
    return Browser(application("https://absah.example"))


@pytest.fixture
def pages(house: House) -> FastAPI:
    """The citizen's way in over real services, on both databases."""
    shell = Shell(
        web.layout_loader(),
        public_url=ORIGIN,
        asset_version="1",
        find_session=house.sessions.find,
        explain=explained,
        find_flow={"flow-1": FLOW}.get,
    )
    router = citizen_pages(
        shell,
        people=house.people,
        factors=house.factors,
        login=house.login,
        recoveries=house.recoveries,
        clock=house.clock,
    )
    made = FastAPI()
    made.include_router(router)
    return made


@pytest.fixture
def visitor(pages: FastAPI) -> Browser:
    return Browser(pages)
