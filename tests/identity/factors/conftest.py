"""Factors of real people on a real database, with the mails that they cause kept in a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from app import audit
from app.audit import Audit
from app.database import Database
from app.vault import CustodyVault
from identity import tables
from identity.factors.model import FactorPolicy, PasswordCost
from identity.factors.service import Factors
from identity.mail.model import checked_values
from identity.people.contacts import PeopleContacts
from identity.people.model import Person, PersonState, ProofingLevel, new_person_id
from identity.people.profiles import Profiles
from identity.people.tables import PersonTable
from tests.conftest import Lend
from tests.support.authenticator import SoftwareAuthenticator
from tests.support.clock import FrozenClock
from tests.support.vault import vault_in

ORIGIN = "https://masuk.absah.example"
RP_ID = "absah.example"
PASSWORD = "tujuh kuda lumping"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Mail:
    to: str
    template: str
    language: str
    values: Mapping[str, str]


@dataclass
class Mails:
    """An outbox that keeps what was queued, if there is such a mail with such values."""

    queued: list[Mail] = field(default_factory=list)

    def queue(
        self, tx: Connection, *, to: str, template: str, language: str, values: Mapping[str, str]
    ) -> None:
        self.queued.append(Mail(to, template, language, checked_values(template, values)))


@pytest.fixture
def database(lend: Lend) -> Iterator[Database]:
    """The real one: twenty callers at a time need its way of opening transactions."""
    made = Database(lend(audit.metadata, tables.metadata), pool_size=16)
    yield made
    made.close()


@pytest.fixture
def vault(tmp_path: Path, clock: FrozenClock) -> Iterator[CustodyVault]:
    with vault_in(tmp_path, clock) as made:
        yield made


@pytest.fixture
def mails() -> Mails:
    return Mails()


@pytest.fixture
def ended() -> list[str]:
    """People whose sessions were ended."""
    return []


@pytest.fixture
def factors(
    database: Database,
    clock: FrozenClock,
    vault: CustodyVault,
    mails: Mails,
    ended: list[str],
    password_cost: PasswordCost,
) -> Factors:
    return Factors(
        begin=database.begin,
        read=database.read,
        clock=clock,
        audit=Audit(clock=clock),
        vault=vault,
        outbox=mails,
        contacts=PeopleContacts(vault),
        rp_id=RP_ID,
        rp_name="Absah",
        origin=ORIGIN,
        policy=FactorPolicy(most_passkeys=3, most_open_setups=2, password_cost=password_cost),
        password_changed=[lambda tx, person_id: ended.append(person_id)],
    )


@pytest.fixture
def new_person(database: Database, vault: CustodyVault, clock: FrozenClock) -> Callable[..., str]:
    def make(*, name: str = "Siti Rahmawati", email: str = "siti.rahma@contoh.id") -> str:
        person = Person(
            id=new_person_id(),
            state=PersonState.REGISTERED,
            proofing=ProofingLevel.IAL0,
            language="id",
            name=name,
            email=email,
            email_confirmed_at=clock(),
            nik=None,
            birth_date=None,
            created_at=clock(),
        )
        with database.begin() as tx:
            PersonTable(tx).add(Profiles(vault).record(person, now=clock()))
        return person.id

    return make


@pytest.fixture
def siti(new_person: Callable[..., str]) -> str:
    """Somebody whose mailbox is confirmed and who has no factor yet."""
    return new_person()


@pytest.fixture
def phone() -> SoftwareAuthenticator:
    return SoftwareAuthenticator(ORIGIN)


def audited(database: Database) -> list[tuple[str, str]]:
    """Action and actor of every entry."""
    with database.read() as tx:
        return [(entry.action, entry.actor) for entry in Audit(clock=datetime.now).entries(tx)]


def at_once(times: int, job: Callable[[], Result]) -> list[Result | Exception]:
    """What ``times`` callers at the same moment got, errors included."""

    def attempt(_: int) -> Result | Exception:
        try:
            return job()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(attempt, range(times)))
