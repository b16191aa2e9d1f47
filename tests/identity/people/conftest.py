"""People on both databases, with the real vault and audit trail, and an outbox that can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, Text, insert, select

from app import audit
from app.audit import Audit
from app.vault import CustodyVault
from identity.people.policy import PeoplePolicy
from identity.people.registry import SimulatedRegistry
from identity.people.service import People
from identity.tables import metadata
from tests.support.clock import FrozenClock
from tests.support.databases import Begin
from tests.support.vault import vault_in

mails_metadata = MetaData()
mails = Table(
    "test_mails",
    mails_metadata,
    Column("id", Integer, primary_key=True),
    Column("recipient", String(254), nullable=False),
    Column("template", String(64), nullable=False),
    Column("language", String(2), nullable=False),
    Column("code", Text),
    Column("known", Text, nullable=False),
)


@dataclass(frozen=True)
class Mail:
    to: str
    template: str
    language: str
    code: str | None
    values: str


class ReadableOutbox:
    """Rows of the caller's transaction, as the real outbox writes them: a rollback takes mails along."""

    def queue(
        self, tx: Connection, *, to: str, template: str, language: str, values: Mapping[str, str]
    ) -> None:
        tx.execute(
            insert(mails).values(
                recipient=to, template=template, language=language, code=values.get("code"), known=str(values)
            )
        )


class Post:
    """What arrived."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    def all(self) -> list[Mail]:
        query = select(
            mails.c.recipient, mails.c.template, mails.c.language, mails.c.code, mails.c.known
        ).order_by(mails.c.id)
        with self._begin() as tx:
            return [Mail(*row) for row in tx.execute(query)]

    def to(self, address: str) -> list[Mail]:
        return [mail for mail in self.all() if mail.to == address]

    def code(self, address: str) -> str:
        """The code in the last mail to somebody."""
        code = self.to(address)[-1].code
        assert code is not None
        return code


@pytest.fixture(scope="session")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CustodyVault]:
    """The real one. It keeps nothing about anybody, so one serves all tests."""
    with vault_in(tmp_path_factory.mktemp("vault"), FrozenClock()) as made:
        yield made


@pytest.fixture
def begin(begin_with: Callable[..., Begin]) -> Begin:
    return begin_with(audit.metadata, metadata, mails_metadata)


@pytest.fixture
def post(begin: Begin) -> Post:
    return Post(begin)


@pytest.fixture
def ended() -> list[str]:
    """Ids of people whose access was ended."""
    return []


@pytest.fixture
def people(begin: Begin, clock: FrozenClock, vault: CustodyVault, ended: list[str]) -> People:
    return People(
        begin=begin,
        read=begin,
        clock=clock,
        audit=Audit(clock=clock),
        vault=vault,
        outbox=ReadableOutbox(),
        registry=SimulatedRegistry(is_production=False),
        policy=PeoplePolicy(sample_niks=True),
        endings=[lambda _tx, person_id: ended.append(person_id)],
    )
