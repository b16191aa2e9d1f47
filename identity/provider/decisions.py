"""What has to happen before a request can be answered with a code. Pure: the rules of the front door.

1. Somebody is logged in, and it is whom ``id_token_hint`` names.
2. As strongly as ``acr_values`` asks, and as lately as ``prompt=login`` and ``max_age`` ask.
3. The person has agreed to what is shared, and was asked anew where the portal wants that.

``prompt=none`` turns each thing that is missing into its error (OpenID Connect Core, 3.1.2.6), and says no
more than the error's name does: the portal asks without the person seeing it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from identity.login.model import Acr, Session
from identity.provider.errors import AuthorizationRefused, ErrorCode
from identity.provider.model import AuthorizationRequest, Consent, Prompt


@dataclass(frozen=True, slots=True)
class LogIn:
    """Nobody is logged in."""


@dataclass(frozen=True, slots=True)
class StepUp:
    """The login is too weak or too old: a factor is to be shown again, of at least ``acr``."""

    acr: Acr


@dataclass(frozen=True, slots=True)
class Ask:
    """The person has to agree first."""


@dataclass(frozen=True, slots=True)
class Proceed:
    """Nothing is missing."""

    session: Session


Step = LogIn | StepUp | Ask | Proceed


def next_step(
    request: AuthorizationRequest,
    *,
    session: Session | None,
    subject: str | None,
    consent: Consent | None,
    begun_at: datetime,
    now: datetime,
    agreed: bool = False,
) -> Step:
    """``subject`` is who the session's person is to the portal so far, ``consent`` what stands between them.

    ``begun_at`` is when the browser came with this request; ``agreed`` says that the person has just agreed
    to exactly this request. Raises :class:`identity.provider.errors.AuthorizationRefused`.
    """
    silent = Prompt.NONE in request.prompts
    # 1. Who.
    if session is None:
        if silent:
            raise _silently(ErrorCode.LOGIN_REQUIRED)
        return LogIn()
    if request.hinted_subject is not None and request.hinted_subject != subject:
        if silent:
            raise _silently(ErrorCode.LOGIN_REQUIRED)
        raise AuthorizationRefused(
            ErrorCode.LOGIN_REQUIRED, "Somebody else is logged in than the id_token_hint names."
        )
    # 2. How strongly, how lately.
    wanted = _weakest(request.acr_values)
    if not session.acr.reaches(wanted) or not _is_fresh(request, session, begun_at, now):
        if silent:
            raise _silently(ErrorCode.LOGIN_REQUIRED)
        return StepUp(wanted)
    # 3. What is shared.
    if not agreed and _must_ask(request, consent):
        if silent:
            raise _silently(ErrorCode.CONSENT_REQUIRED)
        return Ask()
    return Proceed(session)


def _silently(code: ErrorCode) -> AuthorizationRefused:
    return AuthorizationRefused(code, "This cannot be answered without the person. Ask without prompt=none.")


def _weakest(values: tuple[Acr, ...]) -> Acr:
    """Any of the values will do, so the weakest decides."""
    order = list(Acr)
    return min(values, key=order.index, default=order[0])


def _is_fresh(request: AuthorizationRequest, session: Session, begun_at: datetime, now: datetime) -> bool:
    """A login made for this very request stays fresh, however long the person then reads the next page."""
    if session.auth_time >= begun_at:
        return True
    if Prompt.LOGIN in request.prompts:
        return False
    return request.max_age is None or now - session.auth_time <= timedelta(seconds=request.max_age)


def _must_ask(request: AuthorizationRequest, consent: Consent | None) -> bool:
    """An account can be chosen only by being shown one, so that ``select_account`` asks as well."""
    if request.prompts & {Prompt.CONSENT, Prompt.SELECT_ACCOUNT}:
        return True
    return consent is None or not request.scopes <= consent.scopes
