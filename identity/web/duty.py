"""What the pages of all operators share: whose they are, and how lately the passkey was used."""

from __future__ import annotations

from dataclasses import dataclass

from identity.login.model import Acr
from identity.login.service import Login
from identity.operators.model import Role
from identity.operators.service import Operators
from identity.web.shell import Visit


@dataclass(frozen=True, slots=True)
class Duty:
    """Guards the pages of one role. Operators use passkeys: nothing else withstands phishing."""

    role: Role
    operators: Operators
    login: Login

    def guard(self, visit: Visit) -> None:
        """For every page of the role: :data:`identity.web.shell.Guard`.

        Raises :class:`identity.operators.errors.RoleMissing` or
        :class:`identity.login.errors.StepUpNeeded`.
        """
        self.operators.require(visit.session.person_id, self.role)
        self.login.require_fresh(visit.session, acr=Acr.PHR, max_age=self.operators.policy.shift)

    def act(self, visit: Visit) -> str:
        """Before something is changed: the operator's person id, if the passkey was used just now.

        A form that needs it stands at the address of its page, where a step-up leads back to.
        """
        self.login.require_fresh(visit.session, acr=Acr.PHR, max_age=self.operators.policy.act)
        return visit.session.person_id
