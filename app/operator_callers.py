"""Operators at a portal: from a person's access token to what their role lets them do over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from starlette.requests import Request

from app.callers import Callers
from app.clock import Clock
from app.freshness import require_fresh
from app.guards import SAFE_METHODS, TokenGuard
from identity.login.model import Acr
from identity.operators.errors import RoleMissing
from identity.operators.model import Role
from identity.operators.service import Operators
from identity.people.model import PersonState
from identity.people.service import People
from identity.provider.errors import TokenGrantGone, TokenScopeMissing
from identity.provider.inspecting import Inspecting
from identity.provider.model import CERTIFICATES, KEYS
from keys.ports import KeyCaller

if TYPE_CHECKING:
    from app.wiring import Core


Caller = TypeVar("Caller")


class OperatorGuard(Generic[Caller]):
    """A FastAPI dependency: whoever holds ``role`` reads and acts, auditors read. A system's own token opens
    nothing here. Acting wants a passkey of a moment ago, as the pages of operators do.

    ``caller`` is made of the person's id and whether they hold the role that acts.
    """

    def __init__(
        self,
        callers: Callers,
        *,
        scope: str,
        role: Role,
        caller: Callable[[str, bool], Caller],
        inspecting: Inspecting,
        operators: Operators,
        people: People,
        clock: Clock,
    ) -> None:
        self._token = TokenGuard(callers)
        self._scope = scope
        self._role = role
        self._caller = caller
        self._inspecting = inspecting
        self._operators = operators
        self._people = people
        self._clock = clock

    def __call__(self, request: Request) -> Caller:
        """Raises what :class:`app.guards.TokenGuard` raises, ``TokenScopeMissing``, ``TokenGrantGone``,
        ``RoleMissing`` or :class:`app.errors.AuthenticationInsufficient`.
        """
        # 1. A person's token, from a portal that they let do this.
        claims = self._token(request)
        if claims.authentication is None:
            raise RoleMissing
        grant = self._inspecting.standing(claims)
        if self._scope not in claims.scopes & grant.scopes:
            raise TokenScopeMissing(
                f"This needs a person's access token with the scope {self._scope}.", scope=self._scope
            )
        if self._people.get(grant.person_id).state is not PersonState.ACTIVE:
            raise TokenGrantGone("The account behind this access token is not active. Log in again.")
        # 2. The role, now.
        powers = self._operators.powers(grant.person_id)
        acts = powers.has(self._role)
        if not acts and not (powers.has(Role.AUDITOR) and request.method in SAFE_METHODS):
            raise RoleMissing
        # 3. How strongly and how lately they proved who they are.
        if request.method not in SAFE_METHODS:
            require_fresh(
                claims.authentication,
                acr=Acr.PHR,
                max_age=self._operators.policy.act,
                now=self._clock(),
            )
        return self._caller(grant.person_id, acts)


def build_key_guard(core: Core) -> OperatorGuard[KeyCaller]:
    """Custodians read and act, auditors read. The token lets somebody in, and no more: what a custodian
    decides is proven by their signature."""
    return _guard(core, KEYS, Role.KEY_CUSTODIAN, KeyCaller)


def build_certificate_guard(core: Core) -> OperatorGuard[str]:
    """CA administrators read and act, auditors read; gives the person's id."""
    return _guard(core, CERTIFICATES, Role.CA_ADMINISTRATOR, lambda person_id, _: person_id)


def _guard(
    core: Core, scope: str, role: Role, caller: Callable[[str, bool], Caller]
) -> OperatorGuard[Caller]:
    return OperatorGuard(
        core.callers,
        scope=scope,
        role=role,
        caller=caller,
        inspecting=core.provider.inspecting,
        operators=core.office.operators,
        people=core.citizens.people,
        clock=core.clock,
    )
