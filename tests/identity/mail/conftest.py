"""An outbox on a real database with a real vault, and a carrier that fails when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.message import EmailMessage

import pytest

from app.vault import CustodyVault
from identity.mail.composing import Composer
from identity.mail.ports import Round
from identity.mail.service import MailOutbox
from identity.mail.tables import mails
from identity.tables import metadata
from tests.support.clock import FrozenClock
from tests.support.databases import Begin

SITE = "https://absah.example"


class Carried:
    """What would have left the house. ``faults`` are raised, each once, in place of taking a message over;
    ``fault`` is raised instead of connecting."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, EmailMessage]] = []
        self.faults: list[Exception] = []
        self.fault: Exception | None = None
        self.rounds = 0
        self.meanwhile: Callable[[], object] = lambda: None

    @contextmanager
    def round(self) -> Iterator[Round]:
        self.rounds += 1
        if self.fault is not None:
            raise self.fault
        yield self

    def hand_over(self, message: EmailMessage, *, to: str) -> None:
        self.meanwhile()
        if self.faults:
            raise self.faults.pop(0)
        self.taken.append((to, message))

    @property
    def subjects(self) -> list[str]:
        return [str(message["Subject"]) for _, message in self.taken]


@pytest.fixture
def carried() -> Carried:
    return Carried()


@pytest.fixture
def begin(begin_with: Callable[..., Begin]) -> Begin:
    assert mails.metadata is metadata
    return begin_with(metadata)


@pytest.fixture
def composer() -> Composer:
    return Composer(public_url=SITE, sender="absah@absah.example", sender_name="Absah")


@pytest.fixture
def outbox(begin: Begin, clock: FrozenClock, vault: CustodyVault, composer: Composer) -> MailOutbox:
    return MailOutbox(begin=begin, read=begin, clock=clock, vault=vault, composer=composer)


@pytest.fixture
def queue(begin: Begin, outbox: MailOutbox) -> Callable[..., None]:
    """Queue a mail in a transaction of its own; by default one without values."""

    def put(
        template: str = "account_ready",
        values: Mapping[str, str] | None = None,
        *,
        to: str = "siti@contoh.example",
        language: str = "id",
    ) -> None:
        with begin() as tx:
            outbox.queue(tx, to=to, template=template, language=language, values=values or {})

    return put
