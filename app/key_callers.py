"""People who act on keys: from a person's access token to what they may do at ``/v1/keys``."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from identity.provider.model import KEYS
from keys.ports import KeyCaller

if TYPE_CHECKING:
    from app.wiring import Core


class KeyGuard:
    """A FastAPI dependency: custodians read and act, auditors read. A system's own token opens nothing here.

    The token lets somebody in, and no more: what a custodian decides is proven by their signature. Acting
    wants a passkey of a moment ago, as the pages of operators do.
    """

    def __init__(
        self,
        callers: Callers,
        *,
        inspecting: Inspecting,
        operators: Operators,
        people: People,
        clock: Clock,
    ) -> None:
        self._token = TokenGuard(callers)
        self._inspecting = inspecting
        self._operators = operators
        self._people = people
        self._clock = clock

    def __call__(self, request: Request) -> KeyCaller:
        """Raises what :class:`app.guards.TokenGuard` raises, ``TokenScopeMissing``, ``TokenGrantGone``,
        ``RoleMissing`` or :class:`app.errors.AuthenticationInsufficient`.
        """
        # 1. A person's token, from a portal that they let do this.
        claims = self._token(request)
        if claims.authentication is None:
            raise RoleMissing
        grant = self._inspecting.standing(claims)
        if KEYS not in claims.scopes & grant.scopes:
            raise TokenScopeMissing(
                f"Acts on keys need a person's access token with the scope {KEYS}.", scope=KEYS
            )
        if self._people.get(grant.person_id).state is not PersonState.ACTIVE:
            raise TokenGrantGone("The account behind this access token is not active. Log in again.")
        # 2. The role, now.
        powers = self._operators.powers(grant.person_id)
        decides = powers.has(Role.KEY_CUSTODIAN)
        if not decides and not (powers.has(Role.AUDITOR) and request.method in SAFE_METHODS):
            raise RoleMissing
        # 3. How strongly and how lately they proved who they are.
        if request.method not in SAFE_METHODS:
            require_fresh(
                claims.authentication,
                acr=Acr.PHR,
                max_age=self._operators.policy.act,
                now=self._clock(),
            )
        return KeyCaller(grant.person_id, decides)


def build_key_guard(core: Core) -> KeyGuard:
    return KeyGuard(
        core.callers,
        inspecting=core.provider.inspecting,
        operators=core.office.operators,
        people=core.citizens.people,
        clock=core.clock,
    )
