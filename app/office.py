"""Operators and what is written down about looking people up, put together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from app.audit import Audit
from app.citizens import Citizens
from app.clock import Clock
from app.database import Database
from app.holders import HolderDocuments
from identity.lookups.service import Lookups
from identity.operators.service import Operators
from identity.ports import Vault
from identity.web.account.parts import Account
from identity.web.account.routes import router as account_pages
from identity.web.shell import Shell

if TYPE_CHECKING:
    from app.wiring import Core


@dataclass(frozen=True, slots=True)
class Office:
    """What the pages of operators stand on, beside :class:`app.citizens.Citizens`."""

    operators: Operators
    lookups: Lookups


def build_office(
    *, database: Database, clock: Clock, audit: Audit, vault: Vault, citizens: Citizens
) -> Office:
    """Opens no key and asks no database."""
    ports: dict[str, Any] = {"begin": database.begin, "read": database.read, "clock": clock}
    return Office(
        operators=Operators(**ports, audit=audit, people=citizens.people),
        lookups=Lookups(**ports, vault=vault, people=citizens.people),
    )


def office_pages(shell: Shell, core: Core) -> Iterator[APIRouter]:
    """Everybody's own account, and the pages of those who work here."""
    citizens, office = core.citizens, core.office
    yield account_pages(
        shell,
        Account(
            people=citizens.people,
            factors=citizens.factors,
            sessions=citizens.sessions,
            login=citizens.login,
            sharing=core.sharing,
            rights=core.rights,
            lookups=office.lookups,
            documents=HolderDocuments(core.register),
            operators=office.operators,
            clock=core.clock,
        ),
    )
