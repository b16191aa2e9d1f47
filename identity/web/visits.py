"""One request as a page sees it: who comes, from where, in which language, and how the page answers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from identity.login.model import Device, Opened, Session
from identity.web.cookies import Cookie, Jar
from identity.web.errors import LoginNeeded, PageUnknown
from identity.web.forms import TOKEN_FIELD, Form, check_origin, check_token, new_token
from identity.web.pages import Pages
from identity.web.words import Language, as_language, choose_language

if TYPE_CHECKING:
    from identity.web.shell import Shell

HOME: Final = "/account"
"""Where a login leads that came from nowhere in particular."""
_HANDLE: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_LOCAL_PATH: Final = re.compile(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9._~/-]*)?(?:\?[A-Za-z0-9._~=&%:+-]*)?")


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
    decline_path: str = "/oauth2/consent"
    """Takes the form by which somebody goes back without logging in: the portal gets ``access_denied``."""


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
        """A part of the path. Raises :class:`identity.web.errors.PageUnknown` for what names nothing here:
        text that PostgreSQL does not take, U+0000, must not reach it.
        """
        part = str(self.request.path_params[name])
        if "\0" in part:
            raise PageUnknown
        return part

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
        # What was chosen on this browser stays; else the account decides, as it does for mails.
        preferred = as_language(self.shell.find_language(opened.session.person_id))
        if preferred and self.jar.get(Cookie.LANGUAGE) is None:
            self.jar.set(Cookie.PERSONAL, preferred)
        self.jar.drop(Cookie.HALF_SESSION)
        self.jar.drop(Cookie.FORM)
        self._session[:] = [opened.session]

    def end_session(self) -> None:
        """Nothing stays but the language and the knowledge that this device was here before."""
        for cookie in (Cookie.SESSION, Cookie.HALF_SESSION, Cookie.FORM, Cookie.PERSONAL):
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
        check_origin(self.request, self.shell.origins)
        check_token(form.fields.get(TOKEN_FIELD), self._bound_to())

    def know_flow(self) -> None:
        """Look up which portal this login is for; its language counts where the person chose none."""
        handle = self.query("flow") or ""
        if not _HANDLE.fullmatch(handle):
            return
        self._flow = self.shell.find_flow(handle)
        if self._flow and self._flow.ui_locales and self.jar.get(Cookie.LANGUAGE) is None:
            self.language = choose_language(
                asked=None,
                kept=None,
                ui_locales=self._flow.ui_locales,
                accept_language=self.request.headers.get("accept-language"),
            )


def local_path(text: str | None) -> str | None:
    """A path on this service, or None: nothing that a browser could take for another host."""
    return text if text and len(text) <= 1000 and _LOCAL_PATH.fullmatch(text) else None
