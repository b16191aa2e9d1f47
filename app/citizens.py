"""People and how they log in, put together from settings, and the shell of their pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter
from sqlalchemy import Connection

from app import web
from app.answers import explained
from app.audit import Audit
from app.clock import Clock
from app.database import Database
from app.errors import SettingsInvalid
from app.policies import people_policy, policy_from
from app.settings import Settings
from identity.factors.breached import BreachedPasswords
from identity.factors.model import FactorPolicy, PasswordCost
from identity.factors.service import Factors
from identity.login.devices import Places
from identity.login.model import LoginPolicy, RecoveryPolicy, SessionPolicy
from identity.login.recovery import Recoveries
from identity.login.service import Login
from identity.login.sessions import Sessions
from identity.login.throttle import Throttle, ThrottlePolicy
from identity.operators.model import OperatorPolicy
from identity.operators.service import Operators
from identity.people.contacts import PeopleContacts
from identity.people.registry import SimulatedRegistry
from identity.people.service import People
from identity.ports import Outbox, Vault
from identity.provider.sharing import Sharing
from identity.web.routes import router
from identity.web.shell import FindFlow, Shell


@dataclass(frozen=True, slots=True)
class Citizens:
    """Everything that the pages for people stand on."""

    contacts: PeopleContacts
    people: People
    factors: Factors
    sessions: Sessions
    throttle: Throttle
    login: Login
    recoveries: Recoveries
    operators: Operators


def build_citizens(
    settings: Settings,
    *,
    database: Database,
    clock: Clock,
    audit: Audit,
    vault: Vault,
    outbox: Outbox,
    sharing: Sharing,
) -> Citizens:
    """Opens no key and asks no database. ``sharing`` is told whose login or account ends."""
    ports: dict[str, Any] = {
        "begin": database.begin,
        "read": database.read,
        "clock": clock,
        "audit": audit,
        "vault": vault,
    }
    contacts = PeopleContacts(vault)
    places = Places.load(settings.identity.places_file) if settings.identity.places_file else Places()
    sessions = Sessions(
        **ports,
        places=places,
        policy=policy_from(settings.session, SessionPolicy),
        endings=[sharing.sessions_ended],
    )

    def proofing_lowered(tx: Connection, person_id: str) -> None:
        operators.proofing_lowered(tx, person_id)  # which needs people, and so is made after them

    people = People(
        **ports,
        outbox=outbox,
        endings=[sessions.end_access, sharing.end_all],
        lowered=[proofing_lowered],
        registry=None if settings.production else SimulatedRegistry(is_production=False),
        policy=people_policy(settings),
    )
    factors = Factors(
        **ports,
        outbox=outbox,
        contacts=contacts,
        rp_id=urlsplit(settings.passkey_origin).hostname or "localhost",
        rp_name="Absah",
        origin=settings.passkey_origin,
        password_changed=[sessions.password_changed, people.end_address_changes, sharing.end_all],
        policy=policy_from(settings.factors, FactorPolicy, password_cost=PasswordCost()),
        breached=breached_passwords(settings),
    )
    parts: dict[str, Any] = ports | {
        "outbox": outbox,
        "contacts": contacts,
        "people": people,
        "factors": factors,
        "sessions": sessions,
        "throttle": Throttle(
            begin=database.begin,
            clock=clock,
            vault=vault,
            policy=policy_from(settings.throttle, ThrottlePolicy),
        ),
    }
    login = Login(**parts, policy=policy_from(settings.login, LoginPolicy))
    operators = Operators(
        begin=database.begin,
        read=database.read,
        clock=clock,
        audit=audit,
        people=people,
        factors=factors,
        outbox=outbox,
        contacts=contacts,
        policy=policy_from(settings.operators, OperatorPolicy),
    )

    def roles_wait(tx: Connection, person_id: str) -> None:
        operators.put_back(tx, person_id, actor=person_id)

    return Citizens(
        contacts=contacts,
        people=people,
        factors=factors,
        sessions=sessions,
        throttle=parts["throttle"],
        login=login,
        recoveries=Recoveries(
            **parts,
            login=login,
            places=places,
            policy=policy_from(settings.recovery, RecoveryPolicy),
            given_back=[roles_wait],
        ),
        operators=operators,
    )


def breached_passwords(settings: Settings) -> BreachedPasswords | None:
    """The operator's list. Raises :class:`app.errors.SettingsInvalid` for what cannot be one."""
    path = settings.identity.breached_passwords_file
    if path is None:
        return None
    try:
        return BreachedPasswords.open(path)
    except (OSError, ValueError) as cause:
        raise SettingsInvalid(
            f"ABSAH_IDENTITY_BREACHED_PASSWORDS_FILE names no list of breached passwords: {cause}. Name a "
            "text file of SHA-1 hashes in ascending order, or unset it."
        ) from None


def build_shell(settings: Settings, citizens: Citizens, *, find_flow: FindFlow = lambda _: None) -> Shell:
    """The frame of every page for people; ``find_flow`` knows which portal a login is for."""
    return Shell(
        web.layout_loader(),
        public_url=settings.public_url,
        origins=settings.page_origins,
        asset_version=web.asset_version(),
        find_session=citizens.sessions.find,
        explain=explained,
        find_flow=find_flow,
        find_language=lambda person_id: citizens.people.get(person_id).language,
    )


def citizen_pages(shell: Shell, citizens: Citizens, *, clock: Clock) -> APIRouter:
    """The way in and back in."""
    return router(
        shell,
        people=citizens.people,
        factors=citizens.factors,
        login=citizens.login,
        recoveries=citizens.recoveries,
        clock=clock,
    )
