"""``/oauth2/authorize``, ``/oauth2/consent`` and ``/oauth2/logout``: what happens in the person's browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import RedirectResponse

from identity.agencies.service import Agencies
from identity.login.service import Login
from identity.people.model import Person
from identity.people.service import People
from identity.provider.authorizing import Answered, Authorizing, Outcome, Waiting
from identity.provider.decisions import LogIn, StepUp
from identity.provider.errors import RequestNotTrusted
from identity.provider.logout import LogoutRequest, Logouts
from identity.provider.model import SCOPES, AuthorizationRequest, ResponseMode
from identity.provider.redirects import answer_url, form_target
from identity.provider.requests import Parameters
from identity.provider.words import WORDS
from identity.web.cookies import Cookie
from identity.web.shell import Flow, Form, Response, Section, Shell, Visit

AUTHORIZE: Final = "/oauth2/authorize"


def flow_finder(authorizing: Authorizing) -> Callable[[str], Flow | None]:
    """How the shell learns which portal a login is for: :data:`identity.web.shell.FindFlow`."""

    def find(handle: str) -> Flow | None:
        pending = authorizing.pending(handle)
        if pending is None:
            return None
        return Flow(
            handle=handle,
            portal_name=pending.portal.name,
            origin=pending.form_target,
            path=f"{AUTHORIZE}?flow={handle}",
            ui_locales=" ".join(pending.request.ui_locales) or None,
            login_hint=pending.request.login_hint,
        )

    return find


def router(
    shell: Shell,
    *,
    authorizing: Authorizing,
    logouts: Logouts,
    login: Login,
    people: People,
    agencies: Agencies,
) -> APIRouter:
    """Pages of the provider; each works without JavaScript."""
    section = shell.section("identity.provider", words=WORDS)
    _add_authorization(section, authorizing, login, people, agencies)
    _add_logout(section, logouts, login)
    return section.router


def _add_authorization(
    section: Section, authorizing: Authorizing, login: Login, people: People, agencies: Agencies
) -> None:
    def show(visit: Visit, outcome: Outcome) -> Response:
        if isinstance(outcome, Answered):
            return _answer(visit, outcome)
        match outcome.step:
            case LogIn():
                return visit.go("/login", flow=outcome.handle)
            case StepUp(acr=acr):
                return visit.go("/step-up", flow=outcome.handle, acr=acr.value)
        if visit.flow is None:  # the flow has just begun: its page has an address of its own
            return RedirectResponse(f"{AUTHORIZE}?flow={outcome.handle}", status_code=303)
        return consent_page(visit, outcome)

    def consent_page(visit: Visit, waiting: Waiting) -> Response:
        person = people.get(visit.session.person_id)
        portal = waiting.portal
        agency = agencies.agency(portal.agency_id)
        return visit.show(
            "consent.html",
            title=visit.says("consent_heading", portal=portal.name),
            lead=visit.says("consent_lead", portal=portal.name, agency=agency.name),
            account_name=person.name,
            account_email=person.email,
            shared=_shared(visit, waiting.request, person),
        )

    @section.page(AUTHORIZE, anyone=True)
    def authorize(visit: Visit) -> Response:
        handle = visit.query("flow")
        try:
            if handle is not None:
                return show(visit, authorizing.proceed(handle, visit.session_or_none))
            parameters = Parameters.of(visit.request.query_params.multi_items())
            return show(visit, authorizing.begin(parameters, visit.session_or_none))
        except RequestNotTrusted:
            return _untrusted(visit)

    @section.form("/oauth2/consent", anyone=True)
    def consented(visit: Visit, form: Form) -> Response:
        handle = visit.query("flow") or ""
        try:
            match form.text("decision"):
                case "agree":
                    return show(visit, authorizing.proceed(handle, visit.session_or_none, agreed=True))
                case "decline":
                    return _answer(visit, authorizing.decline(handle))
                case "other":
                    login.logout(visit.jar.get(Cookie.SESSION))
                    visit.end_session()
                    return visit.go("/login")
                case _:
                    return RedirectResponse(visit.destination, status_code=303)
        except RequestNotTrusted:
            return _untrusted(visit)


def _add_logout(section: Section, logouts: Logouts, login: Login) -> None:
    def requested(visit: Visit, pairs: list[tuple[str, str]]) -> LogoutRequest:
        return logouts.requested(Parameters.of(pairs), visit.session_or_none)

    def leave(visit: Visit, request: LogoutRequest) -> Response:
        login.logout(visit.jar.get(Cookie.SESSION))
        visit.end_session()
        if request.return_to is not None:
            return RedirectResponse(request.return_to, status_code=303)
        return visit.show(
            "words.html",
            title="left_heading",
            tone="valid",
            icon="check",
            text=visit.says("left_text"),
            way="/login",
            way_text=visit.says("login_again"),
        )

    @section.page("/oauth2/logout", anyone=True)
    def logout_page(visit: Visit) -> Response:
        pairs = visit.request.query_params.multi_items()
        try:
            request = requested(visit, pairs)
        except RequestNotTrusted:
            return _untrusted(visit)
        if request.is_certain or visit.session_or_none is None:
            return leave(visit, request)
        return visit.show(
            "words.html",
            title="leave_heading",
            tone="cannot_say",
            icon="question",
            text=visit.says("leave_text"),
            action="/oauth2/logout/confirmed",
            hidden={name: value for name, value in pairs if name in _CARRIED},
            submit=visit.says("leave_submit"),
            way="/account",
            way_text=visit.says("leave_stay"),
            form_target=form_target(request.return_to) if request.return_to else None,
        )

    @section.form("/oauth2/logout/confirmed", anyone=True)
    def logout_confirmed(visit: Visit, form: Form) -> Response:
        pairs = [(name, form.secret(name)) for name in _CARRIED if name in form]
        try:
            return leave(visit, requested(visit, pairs))
        except RequestNotTrusted:
            return _untrusted(visit)


_CARRIED: Final = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")


def _answer(visit: Visit, answered: Answered) -> Response:
    """303 wherever it came from: a form's content must not be posted on (RFC 9700, 4.12)."""
    if answered.response_mode is ResponseMode.QUERY:
        return RedirectResponse(answer_url(answered.redirect_uri, answered.members), status_code=303)
    return visit.show(
        "forward.html",
        title="forward_heading",
        target=answered.redirect_uri,
        members=answered.members,
        submit=visit.says("forward_submit", portal=visit.flow.portal_name if visit.flow else "portal"),
        form_target=answered.form_target,
    )


def _untrusted(visit: Visit) -> Response:
    """Where an answer could go is not known, so that it stays here."""
    return visit.show(
        "words.html",
        title="untrusted_heading",
        status=400,
        tone="unreadable",
        icon="question",
        text=visit.says("untrusted_text"),
        steps=[visit.says("untrusted_step_1"), visit.says("untrusted_step_2")],
    )


def _shared(visit: Visit, request: AuthorizationRequest, person: Person) -> list[tuple[str, str | None]]:
    """Each scope in words, with what it shows where that is short."""
    unknown = visit.says("scope_unknown_value")
    values: dict[str, Any] = {
        "profile": person.name,
        "email": person.email or unknown,
        "birthdate": person.birth_date.strftime("%d-%m-%Y") if person.birth_date else unknown,
        "nik": person.nik.reveal() if person.nik else unknown,
    }
    lines = [(visit.says(f"scope_{scope}"), values.get(scope)) for scope in SCOPES if scope in request.scopes]
    if request.scopes - SCOPES.keys():
        lines.append((visit.says("scope_documents"), None))
    return lines
