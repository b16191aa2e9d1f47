"""The account's pages as one router: see the modules that it is made of."""

from __future__ import annotations

from fastapi import APIRouter

from identity.web.account.factors import add_factors
from identity.web.account.overview import add_overview
from identity.web.account.parts import Account
from identity.web.account.privacy import add_privacy
from identity.web.account.proofing import add_proofing
from identity.web.account.records import add_records
from identity.web.account.sessions import add_sessions
from identity.web.account.words import WORDS
from identity.web.shell import Shell


def router(shell: Shell, account: Account) -> APIRouter:
    """Everything under ``/account``."""
    section = shell.section("identity.web.account", words=WORDS)
    add_overview(section, account)
    add_sessions(section, account)
    add_factors(section, account)
    add_records(section, account)
    add_privacy(section, account)
    add_proofing(section, account)
    return section.router
