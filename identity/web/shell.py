"""What every page does before and after its own work: language, cookies, session, CSRF, errors, headers.

:class:`Visit` is one request as a page sees it. The docstring of :mod:`identity.web` shows how to add a page.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from jinja2 import BaseLoader
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from identity.login.errors import SessionGone, StepUpNeeded
from identity.login.model import Device, Opened, Session
from identity.web.cookies import Cookie, Jar
from identity.web.errors import FormRefused, FormUnreadable, LoginNeeded, PageUnknown
from identity.web.explained import Explained
from identity.web.forms import TOKEN_FIELD, Form, check_origin, check_token, new_token, read_form
from identity.web.pages import HEADERS, Pages
from identity.web.words import Language, Words, choose_language

__all__ = ["Explained", "Flow", "Form", "Response", "Section", "Session", "Shell", "Visit"]

HOME: Final = "/account"
"""Where a login leads that came from nowhere in particular."""
_CARRIED: Final = ("flow", "next")
_HANDLE: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_LOCAL_PATH: Final = re.compile(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9._~/-]*)?(?:\?[A-Za-z0-9._~=&%:+-]*)?")
_NO_WORDS: Final[Words] = {"id": {}, "en": {}}


@dataclass(frozen=True, slots=True)
class Flow:
    """A portal's request that waits for somebody to log in.

    ``path`` is where it goes on with us; ``origin`` is where the portal is answered in the end, already held
    against its registration.
    """

    handle: str
    portal_name: str
    origin: str
    path: str
    ui_locales: str | None = None
    login_hint: str | None = None


FindSession = Callable[[str], Session | None]
FindFlow = Callable[[str], Flow | None]
Explain = Callable[[Scope, Exception], Explained]
Endpoint = Callable[["Visit"], Response]
FormEndpoint = Callable[["Visit", Form], Response]
Guard = Callable[["Visit"], None]


class Shell:
    """``public_url`` is the only address that links, forms and redirects know; none comes from a request."""

    def __init__(
        self,
        layout: BaseLoader,
        *,
        public_url: str,
        asset_version: str,
        find_session: FindSession,
        explain: Explain,
        find_flow: FindFlow = lambda _: None,
    ) -> None:
        self._layout = layout
        self._asset_version = asset_version
        self.public_url = public_url.rstrip("/")
        self.secure = self.public_url.startswith("https://")
        self.find_session = find_session
        self.find_flow = find_flow
        self.explain = explain

    def section(self, package: str, *, words: Words = _NO_WORDS, guard: Guard | None = None) -> Section:
        """A set of pages whose templates lie in ``package``'s folder ``templates``.

        ``guard`` runs before each page that demands a session and raises when this person may not see it.
        """
        pages = Pages(self._layout, package=package, words=words, asset_version=self._asset_version)
        return Section(self, pages, guard)


@dataclass(slots=True)
class Visit:
    """One request. Made by the shell, used on one thread."""

    shell: Shell
    pages: Pages
    request: Request
    jar: Jar
    language: Language
    _flow: Flow | None = None
    _session: list[Session | None] = field(default_factory=list)

    # Who and from where

    @property
    def path(self) -> str:
        return self.request.url.path

    @property
    def device(self) -> Device:
        """What is told to throttling and to the list of sessions."""
        return Device(
            address=self.request.client.host if self.request.client else "",
            user_agent=self.request.headers.get("user-agent", "")[:400],
            known=self.jar.get(Cookie.DEVICE),
            session=self.jar.get(Cookie.SESSION),
        )

    @property
    def here(self) -> str:
        """This page with its query, to come back to."""
        return local_path(f"{self.path}?{self.request.url.query}".rstrip("?")) or HOME

    def parameter(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str | None:
        return self.request.query_params.get(name)

    @property
    def flow(self) -> Flow | None:
        """The portal's request that this login is for."""
        return self._flow

    @property
    def session_or_none(self) -> Session | None:
        """Looked up once; a cookie whose session has ended is as good as none."""
        if not self._session:
            secret = self.jar.get(Cookie.SESSION)
            self._session.append(self.shell.find_session(secret) if secret else None)
        return self._session[0]

    @property
    def session(self) -> Session:
        """Raises :class:`identity.web.errors.LoginNeeded`."""
        session = self.session_or_none
        if session is None:
            raise LoginNeeded
        return session

    # Answers

    def says(self, key_or_text: str, **values: object) -> str:
        """Words in this visit's language."""
        return self.pages.says(self.language, key_or_text, **values)

    def show(
        self,
        template: str,
        *,
        title: str,
        status: int | None = None,
        errors: Mapping[str, str] | None = None,
        typed: Form | None = None,
        form_target: str | None = None,
        **values: Any,
    ) -> Response:
        """A page. ``errors`` by field, ``""`` for what belongs to none; ``typed`` fills the form again.

        ``form_target`` is a foreign origin at which the page's form may end; a flow brings its own.
        """
        found = {name: self.says(text) for name, text in (errors or {}).items()}
        heading = self.says(title)
        return self.pages.render(
            template,
            self.language,
            status=status or (422 if found else 200),
            form_target=form_target or (self._flow.origin if self._flow else None),
            title=self.says("error_title", title=heading) if found else heading,
            heading=heading,
            errors=found,
            typed=typed.fields if typed else {},
            token=self._token_field,
            link=self.link,
            switch_url=self._switch_url(),
            official_host=self.shell.public_url.partition("://")[2],
            flow=self._flow,
            signed_in=self.session_or_none is not None,
            path=self.path,
            **values,
        )

    def go(self, path: str, **query: str) -> Response:
        """See there (303). ``path`` is ours; what the login is for is carried along."""
        return RedirectResponse(self.link(path, **query), status_code=303)

    def finish(self) -> Response:
        """To what the person came for: the portal's request, the page that asked, or the account."""
        return RedirectResponse(self.destination, status_code=303)

    @property
    def destination(self) -> str:
        if self._flow:
            return self._flow.path
        return local_path(self.query("next")) or HOME

    def link(self, path: str, **query: str) -> str:
        """``path`` with ``query`` and with what the login is for."""
        carried = {}
        if self._flow:
            carried["flow"] = self._flow.handle
        elif after := local_path(self.query("next")):
            carried["next"] = after
        pairs = {**carried, **query}
        return f"{path}{'&' if '?' in path else '?'}{urlencode(pairs)}" if pairs else path

    # The browser's memory

    def open_session(self, opened: Opened) -> None:
        """A new session, or one with a new secret; what led to it is over."""
        self.jar.set(Cookie.SESSION, opened.secret)
        if opened.device_secret is not None:
            self.jar.set(Cookie.DEVICE, opened.device_secret)
        self.jar.drop(Cookie.HALF_SESSION)
        self.jar.drop(Cookie.FORM)
        self._session[:] = [opened.session]

    def end_session(self) -> None:
        """Nothing stays but the language and the knowledge that this device was here before."""
        for cookie in (Cookie.SESSION, Cookie.HALF_SESSION, Cookie.FORM):
            self.jar.drop(cookie)
        self._session[:] = [None]

    def forget_lookups(self) -> None:
        """The page is drawn as for a stranger."""
        self._session[:] = [None]

    def _bound_to(self) -> str | None:
        """The secret that the form's token belongs to: the strongest there is."""
        for cookie in (Cookie.SESSION, Cookie.HALF_SESSION, Cookie.FORM):
            if value := self.jar.get(cookie):
                return value
        return None

    def _token_field(self) -> Markup:
        bound_to = self._bound_to()
        if bound_to is None:
            bound_to = secrets.token_urlsafe(32)
            self.jar.set(Cookie.FORM, bound_to)
        return Markup('<input type="hidden" name="{}" value="{}">').format(TOKEN_FIELD, new_token(bound_to))

    def _switch_url(self) -> str:
        kept = [(name, value) for name, value in self.request.query_params.multi_items() if name != "lang"]
        return f"{self.path}?{urlencode([*kept, ('lang', 'en' if self.language == 'id' else 'id')])}"

    def check_form(self, form: Form) -> None:
        """Raises :class:`identity.web.errors.FormRefused`."""
        check_origin(self.request, self.shell.public_url)
        check_token(form.fields.get(TOKEN_FIELD), self._bound_to())


class Section:
    """Pages that share a package of templates. Include ``router`` in the application."""

    def __init__(self, shell: Shell, pages: Pages, guard: Guard | None) -> None:
        self.router = APIRouter()
        self._shell = shell
        self._pages = pages
        self._guard = guard
        self._shown: set[str] = set()

    def page(self, path: str, *, anyone: bool = False) -> Callable[[Endpoint], Endpoint]:
        """GET ``path``. Unless it is for ``anyone``, it demands a session and passes the section's guard."""

        self._shown.add(path)

        def add(work: Endpoint) -> Endpoint:
            async def answer(request: Request) -> Response:
                visit = self._visit(request, path)
                return await self._answer(visit, lambda: self._guarded(visit, anyone, work))

            self._add(path, answer, "GET", anyone=anyone)
            return work

        return add

    def form(self, path: str, *, anyone: bool = False) -> Callable[[FormEndpoint], FormEndpoint]:
        """POST ``path``, once the form is known to come from a page of ours."""

        def add(work: FormEndpoint) -> FormEndpoint:
            async def answer(request: Request) -> Response:
                visit = self._visit(request, path)
                try:
                    form = await read_form(request)
                    visit.check_form(form)
                except (FormRefused, FormUnreadable) as error:
                    return await self._answer(visit, _raising(error))
                return await self._answer(
                    visit, lambda: self._guarded(visit, anyone, lambda inner: work(inner, form))
                )

            self._add(path, answer, "POST", anyone=anyone)
            return work

        return add

    def _add(self, path: str, endpoint: Callable[[Request], Any], method: str, *, anyone: bool) -> None:
        # Plain routes: FastAPI has nothing to parse here, and no page belongs in the API's description.
        endpoint.demands_session = not anyone  # type: ignore[attr-defined]
        self.router.add_route(path, endpoint, methods=[method], include_in_schema=False)

    def _guarded(self, visit: Visit, anyone: bool, work: Endpoint) -> Response:
        if not anyone and visit.session is not None and self._guard is not None:
            self._guard(visit)
        return work(visit)

    def _visit(self, request: Request, path: str) -> Visit:
        request.scope.setdefault(
            "route", _Named(path)
        )  # metrics and logs know pages by it, as FastAPI's routes
        jar = Jar(self._shell.secure, request.cookies)
        asked = request.query_params.get("lang")
        language = choose_language(
            asked=asked,
            kept=jar.get(Cookie.LANGUAGE),
            ui_locales=request.query_params.get("ui_locales"),
            accept_language=request.headers.get("accept-language"),
        )
        if asked == language:
            jar.set(Cookie.LANGUAGE, language)
        return Visit(self._shell, self._pages, request, jar, language)

    async def _answer(self, visit: Visit, work: Callable[[], Response]) -> Response:
        def whole() -> Response:
            self._know_flow(visit)
            try:
                return work()
            except Exception as error:  # noqa: BLE001 - every refusal is a page; the log has what is ours
                return self._refusal(visit, error)

        response = await run_in_threadpool(whole)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        visit.jar.write(response)
        return response

    def _know_flow(self, visit: Visit) -> None:
        handle = visit.query("flow") or ""
        if _HANDLE.fullmatch(handle):
            visit._flow = self._shell.find_flow(handle)
            if visit._flow and visit.jar.get(Cookie.LANGUAGE) is None and visit._flow.ui_locales:
                visit.language = choose_language(
                    asked=None,
                    kept=None,
                    ui_locales=visit._flow.ui_locales,
                    accept_language=visit.request.headers.get("accept-language"),
                )

    def _to_login(self, visit: Visit) -> Response:
        """And back. Whoever was logged in here before is told why they are asked again."""
        if visit.jar.get(Cookie.SESSION) is None:
            return visit.go("/login", next=visit.here)
        visit.jar.drop(Cookie.SESSION)
        return visit.go("/login", next=visit.here, notice="session_gone")

    def _page_of(self, visit: Visit) -> str:
        """Where the form that was sent to this address stands."""
        if visit.request.scope["route"].path in self._shown:
            return visit.here
        return visit.link(HOME if visit.session_or_none else "/login")

    def _refusal(self, visit: Visit, error: Exception) -> Response:
        match error:
            case LoginNeeded() | SessionGone():
                return self._to_login(visit)
            case StepUpNeeded():
                age = {"max_age": str(int(error.max_age.total_seconds()))} if error.max_age else {}
                return visit.go("/step-up", next=visit.here, acr=error.acr, **age)
            case FormRefused():
                again = self._page_of(visit)
                return visit.show("refused.html", title="refused_heading", status=403, again=again)
            case FormUnreadable():
                again = self._page_of(visit)
                return visit.show("refused.html", title="unreadable_heading", status=400, again=again)
            case PageUnknown():
                return visit.show("problem.html", title="page_unknown_heading", status=404, incident=None)
        explained = self._shell.explain(visit.request.scope, error)
        visit.forget_lookups()  # what failed may have been the very look-up that the page's frame makes
        title = explained.judul if visit.language == "id" else explained.title
        return visit.show("problem.html", title=title, status=explained.status, incident=explained.incident)


@dataclass(frozen=True, slots=True)
class _Named:
    """As much of a route as metrics and logs look at."""

    path: str


def local_path(text: str | None) -> str | None:
    """A path on this service, or None: nothing that a browser could take for another host."""
    return text if text and len(text) <= 1000 and _LOCAL_PATH.fullmatch(text) else None


def _raising(error: Exception) -> Callable[[], Response]:
    def work() -> Response:
        raise error

    return work
