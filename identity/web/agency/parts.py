"""What the agency's pages stand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from identity.agencies.changes import ClientChanges
from identity.agencies.model import Agency
from identity.agencies.service import Agencies
from identity.operators.model import Role
from identity.operators.service import Operators
from identity.people.service import People
from identity.provider.portals import Portals
from identity.web.duty import Duty
from identity.web.errors import PageUnknown
from identity.web.shell import Visit


@dataclass(frozen=True, slots=True)
class Administration:
    """The services behind the pages; ``duty`` is that of agency administrators."""

    agencies: Agencies
    changes: ClientChanges
    portals: Portals
    operators: Operators
    people: People
    duty: Duty
    clock: Callable[[], datetime]

    def own(self, visit: Visit) -> tuple[str, ...]:
        """The ids of the agencies that this person administers."""
        return self.operators.powers(visit.session.person_id).agencies(Role.AGENCY_ADMINISTRATOR)

    def agency(self, visit: Visit) -> Agency:
        """The agency that the address names. One that is not theirs is as good as none.

        Raises :class:`identity.web.errors.PageUnknown`.
        """
        if visit.parameter("agency") not in self.own(visit):
            raise PageUnknown
        return self.agencies.agency(visit.parameter("agency"))
