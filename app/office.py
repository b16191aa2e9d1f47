"""Operators and what is written down about looking people up, put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.audit import Audit
from app.citizens import Citizens
from app.clock import Clock
from app.database import Database
from identity.lookups.service import Lookups
from identity.operators.service import Operators
from identity.ports import Vault


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
