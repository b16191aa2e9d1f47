"""Where people are reached: the port :class:`identity.ports.Contacts` over the people's own table."""

from __future__ import annotations

from sqlalchemy import Connection

from identity.people.model import PersonState
from identity.people.profiles import Profiles
from identity.people.tables import PersonTable
from identity.ports import Contact, Vault


class PeopleContacts:
    """Implements :class:`identity.ports.Contacts`."""

    def __init__(self, vault: Vault) -> None:
        self._profiles = Profiles(vault)

    def of(self, tx: Connection, person_id: str) -> Contact | None:
        record = PersonTable(tx).get(person_id)
        if record is None or record.state is PersonState.ERASED:
            return None
        person = self._profiles.person(record)
        return Contact(email=person.confirmed_email, name=person.name, language=person.language)
