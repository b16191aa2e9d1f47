"""What the account's pages stand on, and the rules that all of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from identity.factors.model import FactorKind
from identity.factors.service import Factors
from identity.login.model import Acr
from identity.login.service import Login
from identity.login.sessions import Sessions
from identity.lookups.service import Lookups
from identity.operators.service import Operators
from identity.people.model import Person
from identity.people.rights import Rights
from identity.people.service import People
from identity.ports import IssuedDocuments
from identity.provider.sharing import Sharing
from identity.web.shell import Visit


@dataclass(frozen=True, slots=True)
class AccountPolicy:
    """Whoever changes factors, or takes data away, has shown a factor within ``fresh``."""

    fresh: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Account:
    """The services behind the pages."""

    people: People
    factors: Factors
    sessions: Sessions
    login: Login
    sharing: Sharing
    rights: Rights
    lookups: Lookups
    documents: IssuedDocuments
    operators: Operators
    clock: Callable[[], datetime]
    policy: AccountPolicy = field(default_factory=AccountPolicy)

    def person(self, visit: Visit) -> Person:
        """Whose account it is."""
        return self.people.get(visit.session.person_id)

    def require_fresh(self, visit: Visit) -> str:
        """The person's id, if they have shown a factor just now.

        Of an operator who has a passkey it is the passkey: a code that was typed into a clone must not add
        the thief's own passkey, and so pass for the phishing-resistant login that their pages demand.
        Raises :class:`identity.login.errors.StepUpNeeded`, which leads there and back to this page: a form
        that needs it stands at the address of its page.
        """
        person_id = visit.session.person_id
        acr = Acr.PHR if self._is_bound_to_passkey(person_id) else Acr.AAL2
        self.login.require_fresh(visit.session, acr=acr, max_age=self.policy.fresh)
        return person_id

    def _is_bound_to_passkey(self, person_id: str) -> bool:
        return self.operators.is_operator(person_id) and any(
            factor.kind is FactorKind.PASSKEY for factor in self.factors.of(person_id)
        )
