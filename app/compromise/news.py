"""Who is written to when a key was lost: the agencies' administrators, and holders whose documents changed.

Everybody once for each kind of letter in a case, whatever the number of documents, in the transaction of what
they are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from app.compromise.model import Case
from app.compromise.tables import Cases
from identity.agencies.tables import AgencyTable
from identity.operators.model import Role
from identity.operators.tables import GrantTable
from identity.people.tables import PersonTable
from identity.ports import Contacts, Outbox
from keys.ports import Clock


class News:
    """Safe to share between threads."""

    def __init__(self, *, outbox: Outbox, contacts: Contacts, clock: Clock) -> None:
        self._outbox = outbox
        self._contacts = contacts
        self._clock = clock

    def key_lost(self, tx: Connection, case: Case, agencies: Mapping[str, int]) -> None:
        """To each agency's administrators: how many of its documents have to be replaced."""
        for agency_id, count in agencies.items():
            values = {"since": case.since.isoformat(), **_counted(tx, agency_id, count)}
            self._tell(
                tx, case, GrantTable(tx).holders(Role.AGENCY_ADMINISTRATOR, agency_id), "seal_lost", values
            )

    def finished(self, tx: Connection, case: Case, agencies: Mapping[str, int]) -> None:
        """To each agency's administrators: how many of its documents were sealed anew."""
        for agency_id, count in agencies.items():
            values = {"when": self._clock().isoformat(), **_counted(tx, agency_id, count)}
            people = GrantTable(tx).holders(Role.AGENCY_ADMINISTRATOR, agency_id)
            self._tell(tx, case, people, "seal_renewed", values)

    def sealed_anew(self, tx: Connection, case: Case, holder: bytes, *, issuer: str) -> None:
        """To the person whose NIK has the fingerprint ``holder``, if they have an account."""
        person = PersonTable(tx).by_nik(holder)
        if person is not None:
            self._tell(tx, case, [person.id], "document_sealed_anew", {"issuer": issuer})

    def _tell(
        self, tx: Connection, case: Case, people: Iterable[str], template: str, values: Mapping[str, str]
    ) -> None:
        for person_id in people:
            contact = self._contacts.of(tx, person_id)
            if contact is None or contact.email is None:
                continue
            if Cases(tx).tell_once(case.id, template, person_id):
                self._outbox.queue(
                    tx, to=contact.email, template=template, language=contact.language, values=values
                )


def _counted(tx: Connection, agency_id: str, count: int) -> dict[str, str]:
    agency = AgencyTable(tx).get(agency_id)
    return {"agency": agency.name if agency else agency_id, "count": str(count)}
