"""Between a person and the row that keeps them: what is personal is sealed here and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from identity.people.details import email_key
from identity.people.model import Person
from identity.people.nik import Nik
from identity.people.tables import PersonRecord
from identity.ports import Vault

SEALED: Final = "person"
"""The purpose of the data key."""
EMAIL: Final = "email"
NIK: Final = "nik"
"""The purposes of the fingerprints."""


class Profiles:
    """Seals and opens. Thread-safe as the vault is.

    A profile is bound to the id of its row: copied to another row it does not open.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def person(self, record: PersonRecord) -> Person:
        """Whom a row is about. Of an erased person only the id and the times are left."""
        held: dict[str, str] = {}
        if record.profile is not None:
            held = self.opened(record.profile, context=record.id)
        nik, birth_date = held.get("nik"), held.get("birth_date")
        return Person(
            id=record.id,
            state=record.state,
            proofing=record.proofing,
            language=record.language,
            name=held.get("name", ""),
            email=held.get("email"),
            email_confirmed_at=record.email_confirmed_at,
            nik=None if nik is None else Nik.parse(nik, samples=True),  # it was let in; now it is only read
            birth_date=None if birth_date is None else date.fromisoformat(birth_date),
            created_at=record.created_at,
            activated_at=record.activated_at,
        )

    def record(self, person: Person, over: PersonRecord | None = None, *, now: datetime) -> PersonRecord:
        """The row of a person; ``over`` is the row as it was read, None for a new one."""
        state_since = over.state_since if over is not None and over.state is person.state else now
        held = {"name": person.name}
        if person.email is not None:
            held["email"] = person.email
        if person.nik is not None:
            held["nik"] = person.nik.reveal()
        if person.birth_date is not None:
            held["birth_date"] = person.birth_date.isoformat()
        email = person.confirmed_email
        return PersonRecord(
            id=person.id,
            state=person.state,
            proofing=person.proofing,
            language=person.language,
            profile=self.sealed(held, context=person.id),
            email_fingerprint=None if email is None else self.email_fingerprint(email),
            nik_fingerprint=None if person.nik is None else self.nik_fingerprint(person.nik),
            email_confirmed_at=person.email_confirmed_at,
            created_at=person.created_at,
            activated_at=person.activated_at,
            erased_at=None,
            state_since=state_since,
            version=1 if over is None else over.version,
        )

    def email_fingerprint(self, address: str) -> bytes:
        return self._vault.fingerprint(EMAIL, email_key(address))

    def nik_fingerprint(self, nik: Nik) -> bytes:
        return self._vault.fingerprint(NIK, nik.reveal())

    def sealed(self, values: Mapping[str, str], *, context: str) -> bytes:
        plaintext = json.dumps(dict(values), sort_keys=True, separators=(",", ":")).encode()
        return self._vault.seal(SEALED, plaintext, context=context)

    def opened(self, sealed: bytes, *, context: str) -> dict[str, str]:
        values: dict[str, str] = json.loads(self._vault.open(SEALED, sealed, context=context))
        return values
