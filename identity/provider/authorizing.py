"""The authorization endpoint's jobs: take a request in, find out what is missing, answer it once.

A request that cannot be answered at once becomes a :class:`~identity.provider.model.Flow`: it waits on our
side while the person logs in, and only its handle travels. The handle opens nothing; the session does.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from identity.login.model import Acr, Session
from identity.ports import AuditTrail, Begin, Clock, Contacts, Outbox
from identity.provider.decisions import Ask, LogIn, Proceed, Step, StepUp, next_step
from identity.provider.errors import (
    AuthorizationRefused,
    ErrorCode,
    FlowGone,
    PortalNotRecognised,
    PushRefused,
    RedirectNotRegistered,
)
from identity.provider.flow_tables import FlowTable
from identity.provider.grant_tables import GrantTable
from identity.provider.hints import Hints
from identity.provider.model import (
    OFFLINE,
    AuthorizationRequest,
    Consent,
    Flow,
    Grant,
    Portal,
    ProviderPolicy,
    ResponseMode,
    hash_secret,
    is_portal_id,
    new_secret,
)
from identity.provider.redirects import form_target
from identity.provider.requests import (
    PUSHED_PREFIX,
    Parameters,
    ReplyTo,
    client_id_of,
    read_request,
    reply_to,
)
from identity.provider.tables import ConsentTable, PortalTable, SubjectTable


@dataclass(frozen=True, slots=True)
class Answered:
    """What the portal is told, at an address that was validated."""

    redirect_uri: str
    response_mode: ResponseMode
    members: dict[str, str] = field(repr=False)

    @property
    def form_target(self) -> str:
        return form_target(self.redirect_uri)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The person has to do something first; then the flow goes on under ``handle``."""

    handle: str
    step: LogIn | StepUp | Ask
    portal: Portal
    request: AuthorizationRequest


Outcome = Answered | Waiting

SessionWithin = Callable[[Connection, str], Session | None]
"""The session with this id as it is now, which stands until the caller's transaction ends."""


@dataclass(frozen=True, slots=True)
class PendingFlow:
    """A flow for those who show it: for which portal, and what its request said about the person."""

    handle: str
    portal: Portal
    request: AuthorizationRequest

    @property
    def form_target(self) -> str:
        """What a page's ``form-action`` must allow, because its form may end at the portal."""
        return form_target(self.request.redirect_uri)


class Authorizing:
    """Safe to share between threads. ``resource`` is the audience of access tokens.

    Sessions that come along were found before our transaction began; ``session_within`` finds them again in
    it, so that no code comes of a login that ends in the meantime.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditTrail,
        outbox: Outbox,
        contacts: Contacts,
        hints: Hints,
        session_within: SessionWithin,
        resource: str,
        policy: ProviderPolicy,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._outbox = outbox
        self._contacts = contacts
        self._hints = hints
        self._session_within = session_within
        self._resource = resource
        self._policy = policy

    # --- a request comes in --------------------------------------------------------------------------

    def push(self, client_id: str, parameters: Parameters) -> tuple[str, timedelta]:
        """Take a request from the portal itself (RFC 9126, 2): its ``request_uri`` and how long it is good.

        ``client_id`` has authenticated. Raises :class:`identity.provider.errors.PushRefused`.
        """
        with self._read() as tx:
            portal = _active(tx, client_id)
        if portal is None:
            raise PushRefused(ErrorCode.UNAUTHORIZED_CLIENT, "Only portals have people log in.")
        if parameters.get("request_uri"):
            raise PushRefused(ErrorCode.INVALID_REQUEST, "A pushed request holds no request_uri.")
        if parameters.get("client_id") not in {None, client_id}:
            raise PushRefused(ErrorCode.INVALID_REQUEST, "client_id names another client.")
        try:
            request = self._read_request(parameters, portal, reply_to(parameters, portal))
        except RedirectNotRegistered as cause:
            raise PushRefused(ErrorCode.INVALID_REQUEST, str(cause)) from cause
        except AuthorizationRefused as cause:
            raise PushRefused(cause.code, str(cause)) from cause
        handle = self._save(request, self._policy.pushed_life, pushed=True)
        return PUSHED_PREFIX + handle, self._policy.pushed_life

    def begin(self, parameters: Parameters, session: Session | None) -> Outcome:
        """A browser comes with a request. Raises leaves of
        :class:`identity.provider.errors.RequestNotTrusted`; every other refusal is an answer.
        """
        # 1. Who asks. Nothing is answered to anybody unknown.
        client_id = client_id_of(parameters)
        with self._read() as tx:
            portal = _active(tx, client_id)
        if portal is None:
            raise PortalNotRecognised("No active portal has this client_id.")
        # 2. A pushed request was judged when it was pushed.
        uri = parameters.get("request_uri")
        if uri is not None and uri.startswith(PUSHED_PREFIX) and "request_uri" not in parameters.repeated:
            return self._begin_pushed(uri.removeprefix(PUSHED_PREFIX), portal, session)
        # 3. Where to answer, and only then what is asked for.
        reply = reply_to(parameters, portal)
        try:
            if uri is not None:
                raise AuthorizationRefused(
                    ErrorCode.REQUEST_URI_NOT_SUPPORTED, "Only request_uris of pushed requests are read."
                )
            if portal.require_pushed:
                raise AuthorizationRefused(
                    ErrorCode.INVALID_REQUEST, "This portal pushes its requests first (RFC 9126)."
                )
            request = self._read_request(parameters, portal, reply)
        except AuthorizationRefused as refused:
            return self._refusal(reply, refused)
        # 4. At once, where nothing is missing.
        answered = self._at_once(request, portal, session)
        if answered is not None:
            return answered
        return self.proceed(self._save(request, self._policy.flow_life, pushed=False), session)

    def _begin_pushed(self, handle: str, portal: Portal, session: Session | None) -> Outcome:
        now, handle_hash = self._clock(), hash_secret(handle)
        with self._begin() as tx:
            flows = FlowTable(tx)
            flows.begin_pushed(handle_hash, portal.id, now, now + self._policy.flow_life)
            flow = flows.open(handle_hash, now)
        if flow is None or flow.request.portal_id != portal.id:
            raise FlowGone("The pushed request is unknown, too old, or was answered already. Start again.")
        return self.proceed(handle, session)

    def _at_once(
        self, request: AuthorizationRequest, portal: Portal, session: Session | None
    ) -> Answered | None:
        """The answer if nobody has to be asked anything; a posted answer is a page and needs a flow."""
        if request.response_mode is ResponseMode.FORM_POST:
            return None
        now = self._clock()
        with self._begin() as tx:
            session = self._standing(tx, session)
            try:
                step = self._step(tx, request, portal, session, begun_at=now, now=now)
            except AuthorizationRefused as refused:
                return self._refusal(_reply(request), refused)
            return self._code(tx, request, portal, step.session, now) if isinstance(step, Proceed) else None

    # --- a flow goes on ------------------------------------------------------------------------------

    def pending(self, handle: str) -> PendingFlow | None:
        """A flow that still waits, for the pages on its way."""
        with self._read() as tx:
            flow = FlowTable(tx).open(hash_secret(handle), self._clock())
            portal = _active(tx, flow.request.portal_id) if flow else None
        return PendingFlow(handle, portal, flow.request) if flow and portal else None

    def proceed(self, handle: str, session: Session | None, *, agreed: bool = False) -> Outcome:
        """Answer the flow, or say what is missing. Exactly one of any number of calls gets an answer.

        ``agreed``: the session's person has just said yes on the page of this flow. Raises
        :class:`identity.provider.errors.FlowGone` or ``PortalNotRecognised``.
        """
        now = self._clock()
        with self._begin() as tx:
            flow, portal = self._open(tx, handle, now)
            request, session = flow.request, self._standing(tx, session)
            try:
                step = self._step(
                    tx, request, portal, session, begun_at=flow.created_at, now=now, agreed=agreed
                )
            except AuthorizationRefused as refused:
                self._close(tx, flow, now)
                return self._refusal(_reply(request), refused)
            if not isinstance(step, Proceed):
                return Waiting(handle, step, portal, request)
            self._close(tx, flow, now)
            answer = self._code(tx, request, portal, step.session, now)
            if agreed:
                self._consented(tx, step.session.person_id, portal, request, now)
            return answer

    def decline(self, handle: str) -> Answered:
        """The person said no. Raises as :meth:`proceed` does."""
        now = self._clock()
        with self._begin() as tx:
            flow, _ = self._open(tx, handle, now)
            self._close(tx, flow, now)
        refused = AuthorizationRefused(ErrorCode.ACCESS_DENIED, "The person declined.")
        return self._refusal(_reply(flow.request), refused)

    # --- inside --------------------------------------------------------------------------------------

    def _read_request(self, parameters: Parameters, portal: Portal, reply: ReplyTo) -> AuthorizationRequest:
        return read_request(
            parameters,
            portal,
            reply,
            resource=self._resource,
            subject_of_hint=lambda hint: self._hints.subject(hint, portal),
        )

    def _save(self, request: AuthorizationRequest, life: timedelta, *, pushed: bool) -> str:
        handle, now = new_secret(), self._clock()
        with self._begin() as tx:
            FlowTable(tx).add(Flow(hash_secret(handle), request, now, now + life), pushed=pushed)
        return handle

    def _open(self, tx: Connection, handle: str, now: datetime) -> tuple[Flow, Portal]:
        flow = FlowTable(tx).open(hash_secret(handle), now)
        if flow is None:
            raise FlowGone("This login took too long, or it was finished already. Start again at the portal.")
        portal = _active(tx, flow.request.portal_id)
        if portal is None:
            raise PortalNotRecognised("The portal of this login is no longer active.")
        return flow, portal

    def _standing(self, tx: Connection, session: Session | None) -> Session | None:
        return None if session is None else self._session_within(tx, session.id)

    def _close(self, tx: Connection, flow: Flow, now: datetime) -> None:
        if not FlowTable(tx).answer(flow.handle_hash, now):
            raise FlowGone("This login was finished already, in another window perhaps. Go to the portal.")

    def _step(
        self,
        tx: Connection,
        request: AuthorizationRequest,
        portal: Portal,
        session: Session | None,
        *,
        begun_at: datetime,
        now: datetime,
        agreed: bool = False,
    ) -> Step:
        subject = consent = None
        if session is not None:
            subject = SubjectTable(tx).known(session.person_id, portal.sector)
            consent = ConsentTable(tx).get(session.person_id, portal.id)
        return next_step(
            request,
            session=session,
            subject=subject,
            consent=consent,
            begun_at=begun_at,
            now=now,
            agreed=agreed,
        )

    def _code(
        self, tx: Connection, request: AuthorizationRequest, portal: Portal, session: Session, now: datetime
    ) -> Answered:
        code = new_secret()
        subjects = SubjectTable(tx)
        grant = Grant(
            id=secrets.token_urlsafe(16),
            portal_id=portal.id,
            person_id=session.person_id,
            session_id=session.id,
            subject=subjects.of(session.person_id, portal.sector),
            sid=subjects.sid(session_id=session.id, portal_id=portal.id, person_id=session.person_id, at=now),
            scopes=request.scopes,
            redirect_uri=request.redirect_uri,
            code_challenge=request.code_challenge,
            nonce=request.nonce,
            acr=Acr(session.acr),
            amr=session.amr,
            auth_time=session.auth_time,
            proof_key=request.proof_key,
            code_expires_at=now + self._policy.code_life,
            created_at=now,
            expires_at=now + self._policy.offline_life if OFFLINE in request.scopes else session.expires_at,
        )
        GrantTable(tx).add(grant, code_hash=hash_secret(code))
        return self._answer(_reply(request), {"code": code})

    def _consented(
        self,
        tx: Connection,
        person_id: str,
        portal: Portal,
        request: AuthorizationRequest,
        now: datetime,
    ) -> None:
        """What was agreed to earlier stands beside it. The person reads of it, in case it was another."""
        consents = ConsentTable(tx)
        earlier = consents.get(person_id, request.portal_id)
        scopes = request.scopes | (earlier.scopes if earlier else frozenset())
        consents.give(Consent(person_id, request.portal_id, scopes, now))
        contact = self._contacts.of(tx, person_id)
        if contact is not None and contact.email is not None:
            self._outbox.queue(
                tx,
                to=contact.email,
                template="consent_given",
                language=contact.language,
                values={"portal": portal.name, "when": now.isoformat(timespec="seconds")},
            )
        self._audit.append(
            tx,
            action="consent.given",
            actor=person_id,
            subject=request.portal_id,
            facts={"scopes": " ".join(sorted(scopes))},
        )

    def _refusal(self, reply: ReplyTo, refused: AuthorizationRefused) -> Answered:
        return self._answer(reply, {"error": refused.code.value, "error_description": str(refused)})

    def _answer(self, reply: ReplyTo, members: dict[str, str]) -> Answered:
        """With ``iss``, so that a portal that uses several providers cannot be confused (RFC 9207)."""
        if reply.state is not None:
            members["state"] = reply.state
        return Answered(reply.redirect_uri, reply.response_mode, members | {"iss": self._policy.issuer})


def _active(tx: Connection, portal_id: str) -> Portal | None:
    portal = PortalTable(tx).get(portal_id) if is_portal_id(portal_id) else None
    return portal if portal and portal.disabled_at is None else None


def _reply(request: AuthorizationRequest) -> ReplyTo:
    return ReplyTo(request.redirect_uri, request.response_mode, request.state)
