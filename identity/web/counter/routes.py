"""The counter as one router."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter

from identity.operators.desk import Desk
from identity.people.rights import Rights
from identity.ports import Clock
from identity.web.counter.accounts import Sheets, add_accounts
from identity.web.counter.requests import add_requests
from identity.web.counter.words import WORDS
from identity.web.duty import Duty
from identity.web.shell import Shell


def router(
    shell: Shell, *, desk: Desk, rights: Rights, duty: Duty, clock: Clock, code_lifetime: timedelta
) -> APIRouter:
    """Everything under ``/counter``; ``duty`` is that of officers."""
    section = shell.section("identity.web.counter", words=WORDS, guard=duty.guard)
    add_accounts(section, desk=desk, duty=duty, sheets=Sheets(clock=clock, lifetime=code_lifetime))
    add_requests(section, rights=rights, desk=desk, duty=duty, clock=clock)
    return section.router
