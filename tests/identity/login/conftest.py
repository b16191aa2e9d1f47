"""People who log in, on both databases, with their real factors; mails are checked and kept in a list."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pyotp
import pytest
from sqlalchemy import Connection, Row, select

from app import audit
from app.audit import Audit
from app.database import Database
from app.vault import CustodyVault
from identity import tables
from identity.factors.model import FactorKind, FactorPolicy, PasswordCost
from identity.factors.service import Factors
from identity.login.model import Answer, Device, Opened, RecoveryPolicy
from identity.login.recovery import Recoveries
from identity.login.service import Login
from identity.login.sessions import Sessions
from identity.login.throttle import Pace, Throttle, ThrottlePolicy
from identity.mail.composing import Composer
from identity.mail.service import MailOutbox
from identity.mail.tables import mails
from identity.people.contacts import PeopleContacts
from identity.people.model import Person, PersonState, ProofingLevel, new_person_id
from identity.people.nik import Nik
from identity.people.profiles import Profiles
from identity.people.service import People
from identity.people.tables import PersonTable
from tests.conftest import Lend
from tests.support.authenticator import SoftwareAuthenticator
from tests.support.clock import FrozenClock
from tests.support.vault import vault_in

ORIGIN = "https://masuk.absah.example"
PASSWORD = "tujuh kuda lumping"
EMAIL = "siti.rahma@contoh.id"
ANDROID = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Mobile Safari/537.36"
)
PHONE = Device("103.10.66.7", ANDROID)
STRANGER = Device("198.51.100.9", "curl/8.5")
WRONG = "000000"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Mail:
    to: str
    template: str
    language: str
    values: Mapping[str, str]


class Mails:
    """The real outbox, whose mails can be read: those that were committed, in order."""

    def __init__(self, database: Database, vault: CustodyVault, clock: FrozenClock) -> None:
        self._database = database
        self._vault = vault
        composer = Composer(public_url=ORIGIN, sender="absah@contoh.id", sender_name="Absah")
        self._outbox = MailOutbox(
            begin=database.begin, read=database.read, clock=clock, vault=vault, composer=composer
        )
        self._order: list[str] = []
        self._from = 0

    def queue(
        self, tx: Connection, *, to: str, template: str, language: str, values: Mapping[str, str]
    ) -> None:
        before = self._ids(tx)
        self._outbox.queue(tx, to=to, template=template, language=language, values=values)
        self._order.extend(self._ids(tx) - before)

    @property
    def queued(self) -> list[Mail]:
        with self._database.read() as tx:
            rows = {row.id: row for row in tx.execute(select(mails))}
        return [self._opened(rows[mail_id]) for mail_id in self._order[self._from :] if mail_id in rows]

    def of(self, template: str) -> list[Mail]:
        return [mail for mail in self.queued if mail.template == template]

    def forget(self) -> None:
        self._from = len(self._order)

    def _ids(self, tx: Connection) -> set[str]:
        return set(tx.execute(select(mails.c.id)).scalars())

    def _opened(self, row: Row[Any]) -> Mail:
        content = json.loads(self._vault.open("mail", row.sealed, context=row.id))
        return Mail(content["to"], row.template, row.language, content["values"])


@dataclass
class Holder:
    """Somebody with an account, and what they log in with."""

    person_id: str
    clock: FrozenClock
    totp: pyotp.TOTP | None = None
    codes: tuple[str, ...] = ()
    phone: SoftwareAuthenticator | None = None

    def totp_code(self) -> Answer:
        """The app's next code: the clock moves on, because a code works once."""
        assert self.totp is not None
        self.clock.advance(timedelta(seconds=30))
        return Answer(FactorKind.TOTP, self.totp.at(self.clock()))

    def recovery_code(self, number: int = 0) -> Answer:
        return Answer(FactorKind.RECOVERY_CODE, self.codes[number])


@dataclass
class House:
    """All of a login, as the composition root puts it together."""

    database: Database
    clock: FrozenClock
    vault: CustodyVault
    mails: Mails
    sessions: Sessions
    throttle: Throttle
    factors: Factors
    people: People
    login: Login
    recoveries: Recoveries
    ended: list[str]
    parts: dict[str, Any]

    def unhurried(self) -> tuple[Login, Recoveries]:
        """The same login with a throttle that counts and never closes, for measuring."""
        open_gate = Pace(10**9, timedelta(seconds=1), timedelta(seconds=1), timedelta(seconds=1))
        policy = ThrottlePolicy(account=open_gate, factor=open_gate, address=open_gate, mail=open_gate)
        throttle = Throttle(begin=self.database.begin, clock=self.clock, vault=self.vault, policy=policy)
        login = Login(**self.parts | {"throttle": throttle})
        return login, Recoveries(**self.parts | {"throttle": throttle}, login=login)

    def person(
        self,
        *,
        email: str | None = EMAIL,
        nik: str | None = None,
        proofing: ProofingLevel = ProofingLevel.IAL0,
        state: PersonState = PersonState.ACTIVE,
        password: bool = True,
        totp: bool = True,
        codes: bool = False,
        passkey: bool = False,
    ) -> Holder:
        person = Person(
            id=new_person_id(),
            state=state,
            proofing=proofing,
            language="id",
            name="Siti Rahmawati",
            email=email,
            email_confirmed_at=self.clock() if email else None,
            nik=Nik.parse(nik, samples=True) if nik else None,
            birth_date=date(1956, 2, 17) if nik else None,
            created_at=self.clock(),
        )
        with self.database.begin() as tx:
            PersonTable(tx).add(Profiles(self.vault).record(person, now=self.clock()))
        holder = Holder(person.id, self.clock)
        if password:
            self.factors.set_password(person.id, PASSWORD)
        if totp:
            setup = self.factors.begin_totp(person.id)
            holder.totp = pyotp.TOTP(setup.secret_text.replace(" ", ""))
            self.factors.confirm_totp(person.id, setup.id, holder.totp.at(self.clock()))
        if codes:
            holder.codes = self.factors.renew_recovery_codes(person.id)
        if passkey:
            holder.phone = SoftwareAuthenticator(ORIGIN)
            challenge = self.factors.begin_passkey(person.id)
            self.factors.confirm_passkey(person.id, challenge.id, holder.phone.create(challenge.options_json))
        self.mails.forget()
        return holder

    def passkey_answer(self, holder: Holder, person_id: str | None = None) -> Answer:
        assert holder.phone is not None
        challenge = self.factors.passkey_options(person_id)
        return Answer(FactorKind.PASSKEY, holder.phone.get(challenge.options_json), challenge.id)

    def enter(self, holder: Holder, device: Device = PHONE, *, password: str = PASSWORD) -> Opened:
        """Password and app."""
        half = self.login.start(EMAIL, password, device)
        return self.login.second(half, holder.totp_code(), device)

    def audited(self) -> list[str]:
        with self.database.read() as tx:
            return [entry.action for entry in Audit(clock=datetime.now).entries(tx)]

    def facts(self, action: str) -> dict[str, Any]:
        """Of the last such entry."""
        with self.database.read() as tx:
            entries = [entry for entry in Audit(clock=datetime.now).entries(tx) if entry.action == action]
        facts: dict[str, Any] = json.loads(entries[-1].facts)
        return facts


@pytest.fixture
def house(lend: Lend, tmp_path: Path, clock: FrozenClock, password_cost: PasswordCost) -> Iterator[House]:
    database = Database(lend(audit.metadata, tables.metadata), pool_size=16)
    ended: list[str] = []
    with vault_in(tmp_path, clock) as vault:
        outbox = Mails(database, vault, clock)
        ports: dict[str, Any] = {
            "begin": database.begin,
            "read": database.read,
            "clock": clock,
            "audit": Audit(clock=clock),
            "vault": vault,
        }
        sessions = Sessions(**ports, endings=[lambda tx, ids: ended.extend(ids)])
        contacts = PeopleContacts(vault)
        people = People(**ports, outbox=outbox, endings=[sessions.end_access])
        factors = Factors(
            **ports,
            outbox=outbox,
            contacts=contacts,
            rp_id="absah.example",
            rp_name="Absah",
            origin=ORIGIN,
            policy=FactorPolicy(password_cost=password_cost),
            password_changed=[sessions.password_changed],
        )
        throttle = Throttle(begin=database.begin, clock=clock, vault=vault)
        parts: dict[str, Any] = ports | {
            "outbox": outbox,
            "contacts": contacts,
            "people": people,
            "factors": factors,
            "sessions": sessions,
            "throttle": throttle,
        }
        login = Login(**parts)
        recoveries = Recoveries(**parts, login=login, policy=RecoveryPolicy())
        yield House(
            database,
            clock,
            vault,
            outbox,
            sessions,
            throttle,
            factors,
            people,
            login,
            recoveries,
            ended,
            parts,
        )
    database.close()


def at_once(times: int, job: Callable[[], Result]) -> list[Result | Exception]:
    """What ``times`` callers at the same moment got, errors included."""

    def attempt(_: int) -> Result | Exception:
        try:
            return job()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(attempt, range(times)))
