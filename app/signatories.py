"""People who issue documents in office: from a person's access token to who may seal for which agency.

A portal of the agency holds ``documents.issue:…``, the person holds the role *signatory* of that agency, and
the portal acts with the person's token. A seal in somebody's name wants that somebody lately at hand.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from app.clock import Clock
from app.freshness import require_fresh
from identity.access import AccessClaims
from identity.agencies.model import covered
from identity.agencies.service import Agencies
from identity.login.model import Acr
from identity.operators.model import Role
from identity.operators.service import Operators
from identity.people.model import PersonState
from identity.people.service import People
from identity.provider.errors import TokenGrantGone
from identity.provider.inspecting import Inspecting
from identity.provider.portals import Portals
from signing.ports import Caller

if TYPE_CHECKING:
    from app.wiring import Core


class Signatories:
    """Safe to share between threads. ``max_age`` is how long ago the person may have shown a factor, ``acr``
    how strong it has to have been.
    """

    def __init__(
        self,
        *,
        inspecting: Inspecting,
        portals: Portals,
        agencies: Agencies,
        operators: Operators,
        people: People,
        clock: Clock,
        acr: Acr,
        max_age: timedelta,
    ) -> None:
        self._inspecting = inspecting
        self._portals = portals
        self._agencies = agencies
        self._operators = operators
        self._people = people
        self._clock = clock
        self._acr = acr
        self._max_age = max_age

    def caller(self, claims: AccessClaims, *, acts: bool) -> Caller:
        """On whose behalf a person's token works; ``acts`` when something is about to change.

        Raises :class:`app.errors.AuthenticationInsufficient`,
        :class:`identity.operators.errors.RoleMissing` or
        :class:`identity.provider.errors.TokenGrantGone`.
        """
        # 1. The login behind the token, and the portal that acts, as they are now.
        grant = self._inspecting.standing(claims)
        portal = self._portals.get(grant.portal_id)
        if self._people.get(grant.person_id).state is not PersonState.ACTIVE:
            raise TokenGrantGone("The account behind this access token is not active. Log in again.")
        # 2. The role, now: one that ended a moment ago signs nothing more.
        self._operators.require(grant.person_id, Role.SIGNATORY, portal.agency_id)
        # 3. How strongly and how lately they proved who they are.
        if acts:
            require_fresh(claims.authentication, acr=self._acr, max_age=self._max_age, now=self._clock())
        agency = self._agencies.agency(portal.agency_id)
        return Caller(
            client_id=portal.id,
            agency_id=agency.id,
            agency_name=agency.name,
            scopes=covered(claims.scopes & grant.scopes, portal.scopes),
            authorised_by=grant.person_id,
        )


def build_signatories(core: Core) -> Signatories:
    return Signatories(
        inspecting=core.provider.inspecting,
        portals=core.provider.portals,
        agencies=core.agencies,
        operators=core.office.operators,
        people=core.citizens.people,
        clock=core.clock,
        acr=Acr(core.settings.identity.signatory_acr),
        max_age=timedelta(seconds=core.settings.identity.signatory_max_age_seconds),
    )
