"""Who is told when a system of an agency may do more, in the transaction that makes it so.

Whoever proposed something is told too: it may have been somebody at their computer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from identity.agencies.model import Client
from identity.agencies.proposals import Review
from identity.agencies.tables import AgencyTable
from identity.operators.model import Role
from identity.operators.tables import GrantTable
from identity.ports import Contacts, Outbox


class ClientNews:
    """Safe to share between threads."""

    def __init__(self, *, outbox: Outbox, contacts: Contacts) -> None:
        self._outbox = outbox
        self._contacts = contacts

    def proposed(self, tx: Connection, review: Review) -> None:
        """To the agency's administrators; where there is no second one, to the auditors as well."""
        proposal = review.proposal
        people = GrantTable(tx).holders(Role.AGENCY_ADMINISTRATOR, proposal.agency_id)
        if set(people) <= {proposal.proposed_by}:
            people += GrantTable(tx).holders(Role.AUDITOR)
        values = self._named(tx, proposal.agency_id, review.name)
        values |= {"proposal": proposal.id, "until": proposal.expires_at.isoformat()}
        self._send(tx, people, "system_proposed", values)

    def confirmed(self, tx: Connection, review: Review, now: datetime) -> None:
        """To the agency's administrators."""
        proposal = review.proposal
        people = GrantTable(tx).holders(Role.AGENCY_ADMINISTRATOR, proposal.agency_id)
        values = self._named(tx, proposal.agency_id, review.name)
        values |= {"proposal": proposal.id, "when": now.isoformat()}
        self._send(tx, people, "system_confirmed", values)

    def changed(self, tx: Connection, client: Client, now: datetime) -> None:
        """By whoever owns the machine, at once. To the agency's administrators."""
        people = GrantTable(tx).holders(Role.AGENCY_ADMINISTRATOR, client.agency_id)
        values = self._named(tx, client.agency_id, client.name) | {"when": now.isoformat()}
        self._send(tx, people, "system_changed", values)

    @staticmethod
    def _named(tx: Connection, agency_id: str, system: str) -> dict[str, str]:
        agency = AgencyTable(tx).get(agency_id)
        return {"agency": agency.name if agency else agency_id, "system": system}

    def _send(self, tx: Connection, people: Iterable[str], template: str, values: Mapping[str, str]) -> None:
        for person_id in people:
            contact = self._contacts.of(tx, person_id)
            if contact is not None and contact.email is not None:
                self._outbox.queue(
                    tx, to=contact.email, template=template, language=contact.language, values=values
                )
