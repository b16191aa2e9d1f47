"""The provider on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app import audit
from app.audit import Audit
from app.database import Database
from app.vault import CustodyVault
from identity import tables
from identity.access import AccessTokens
from identity.agencies.model import AgencyPolicy
from identity.agencies.service import Agencies
from identity.login.model import Session
from identity.login.sessions import Sessions
from identity.lookups.service import Lookups
from identity.people.contacts import PeopleContacts
from identity.people.model import Person
from identity.people.service import People
from identity.provider.authorizing import Authorizing
from identity.provider.granting import PortalGrants
from identity.provider.hints import Hints
from identity.provider.inspecting import Inspecting
from identity.provider.logout import Logouts
from identity.provider.model import Portal, ProviderPolicy
from identity.provider.portals import Portals
from identity.provider.sharing import Sharing
from tests.conftest import Lend
from tests.identity.conftest import TokenKeys
from tests.identity.people.conftest import Post, ReadableOutbox, mails_metadata
from tests.identity.provider.house import ISSUER, House, Posted
from tests.support.clock import FrozenClock


@pytest.fixture
def house(lend: Lend, clock: FrozenClock, vault: CustodyVault) -> Iterator[House]:
    database = Database(lend(audit.metadata, tables.metadata, mails_metadata), pool_size=24)
    ports: dict[str, Any] = {
        "begin": database.begin,
        "read": database.read,
        "clock": clock,
        "audit": Audit(clock=clock),
    }
    policy = ProviderPolicy(issuer=ISSUER)
    keys, posted = TokenKeys(), Posted()
    access = AccessTokens(
        keys=keys, clock=clock, issuer=ISSUER, audience=ISSUER, lifetime=timedelta(minutes=10)
    )
    sharing = Sharing(**ports)
    sessions = Sessions(**ports, vault=vault, endings=[sharing.sessions_ended])
    people = People(
        **ports, vault=vault, outbox=ReadableOutbox(), endings=[sessions.end_access, sharing.end_all]
    )
    lookups = Lookups(begin=database.begin, read=database.read, clock=clock, vault=vault, people=people)
    hints = Hints(keys=keys, issuer=ISSUER)
    agencies = Agencies(**ports, policy=AgencyPolicy())
    for agency_id in ("dinas", "lain"):
        agencies.add_agency(
            agency_id, name=f"Dinas {agency_id}", organization_identifier="NTRID-1", actor="t"
        )
    yield House(
        database=database,
        clock=clock,
        vault=vault,
        policy=policy,
        people=people,
        sessions=sessions,
        access=access,
        portals=Portals(**ports, policy=policy),
        authorizing=Authorizing(
            **ports,
            outbox=ReadableOutbox(),
            contacts=PeopleContacts(vault),
            hints=hints,
            session_within=sessions.standing_within,
            resource=ISSUER,
            policy=policy,
        ),
        grants=PortalGrants(
            begin=database.begin,
            clock=clock,
            audit=ports["audit"],
            vault=vault,
            people=people,
            lookups=lookups,
            access=access,
            keys=keys,
            policy=policy,
        ),
        inspecting=Inspecting(**ports, people=people, lookups=lookups, access=access, policy=policy),
        logouts=Logouts(**ports, hints=hints, keys=keys, policy=policy, send=posted),
        sharing=sharing,
        lookups=lookups,
        posted=posted,
        post=Post(database.begin),
    )
    database.close()


@pytest.fixture
def portal(house: House) -> Portal:
    return house.portal().portal


@pytest.fixture
def siti(house: House) -> Person:
    return house.person()


@pytest.fixture
def session(house: House, siti: Person) -> Session:
    return house.login(siti)
