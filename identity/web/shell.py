"""What every page does before and after its own work: language, cookies, session, CSRF, errors, headers.

A page gets its request as a :class:`identity.web.visits.Visit`; :mod:`identity.web` says how to add one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter
from jinja2 import BaseLoader
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from identity.login.errors import SessionGone, StepUpNeeded
from identity.login.model import Session
from identity.web.cookies import Cookie, Jar
from identity.web.errors import FormRefused, FormUnreadable, LoginNeeded, PageUnknown
from identity.web.explained import Explained
from identity.web.forms import Form, read_form
from identity.web.pages import HEADERS, Pages
from identity.web.visits import HOME, Flow, Visit
from identity.web.words import Words, choose_language

__all__ = ["Explained", "Flow", "Form", "Response", "Section", "Session", "Shell", "Visit"]

_NO_WORDS: Final[Words] = {"id": {}, "en": {}}

FindSession = Callable[[str], Session | None]
FindFlow = Callable[[str], Flow | None]
FindLanguage = Callable[[str], str | None]
Explain = Callable[[Scope, Exception], Explained]
Endpoint = Callable[["Visit"], Response]
FormEndpoint = Callable[["Visit", Form], Response]
Guard = Callable[["Visit"], None]


class Shell:
    """``public_url`` is the only address that links, forms and redirects know; none comes from a request.
    ``origins`` are where forms may come from: the public address, unless more are named.
    """

    def __init__(
        self,
        layout: BaseLoader,
        *,
        public_url: str,
        origins: Collection[str] = (),
        asset_version: str,
        find_session: FindSession,
        explain: Explain,
        find_flow: FindFlow = lambda _: None,
        find_language: FindLanguage = lambda _: None,
    ) -> None:
        """``find_language`` tells which language the account of a person id prefers."""
        self._layout = layout
        self._asset_version = asset_version
        self.public_url = public_url.rstrip("/")
        self.origins = frozenset(origins or {self.public_url})
        self.secure = self.public_url.startswith("https://")
        self.find_session = find_session
        self.find_flow = find_flow
        self.find_language = find_language
        self.explain = explain

    def section(self, package: str, *, words: Words = _NO_WORDS, guard: Guard | None = None) -> Section:
        """A set of pages whose templates lie in ``package``'s folder ``templates``.

        ``guard`` runs before each page that demands a session and raises when this person may not see it.
        """
        pages = Pages(self._layout, package=package, words=words, asset_version=self._asset_version)
        return Section(self, pages, guard)


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
        # A portal's language goes on to the end of its login; the account's counts everywhere else.
        wanted = (request.query_params.get("ui_locales"), jar.get(Cookie.PERSONAL))
        language = choose_language(
            asked=asked,
            kept=jar.get(Cookie.LANGUAGE),
            ui_locales=" ".join(tag for tag in wanted if tag),
            accept_language=request.headers.get("accept-language"),
        )
        if asked == language:
            jar.set(Cookie.LANGUAGE, language)
        return Visit(self._shell, self._pages, request, jar, language)

    async def _answer(self, visit: Visit, work: Callable[[], Response]) -> Response:
        def whole() -> Response:
            visit.know_flow()
            try:
                return work()
            except Exception as error:  # noqa: BLE001 - every refusal is a page; the log has what is ours
                return self._refusal(visit, error)

        response = await run_in_threadpool(whole)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        visit.jar.write(response)
        return response

    def _to_login(self, visit: Visit) -> Response:
        """And back. Whoever was logged in here before is told why they are asked again."""
        if visit.jar.get(Cookie.SESSION) is None:
            return visit.go("/login", next=visit.here)
        visit.jar.drop(Cookie.SESSION)
        visit.jar.drop(Cookie.PERSONAL)
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


def _raising(error: Exception) -> Callable[[], Response]:
    def work() -> Response:
        raise error

    return work
