"""Operators and what is written down about looking people up, put together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from app.approving.pages import Approving
from app.approving.pages import router as approving_pages
from app.audit import Audit
from app.certifying.pages import Certifying
from app.certifying.pages import router as certificate_pages
from app.citizens import Citizens
from app.clock import Clock
from app.database import Database
from app.holders import HolderDocuments
from app.policies import agency_policy, people_policy, policy_from
from app.settings import Settings
from identity.agencies.changes import ClientChanges
from identity.agencies.news import ClientNews
from identity.lookups.model import LookupPolicy
from identity.lookups.service import Lookups
from identity.operators.desk import Desk
from identity.operators.model import Role
from identity.operators.service import Operators
from identity.ports import Vault
from identity.web.account.parts import Account, AccountPolicy
from identity.web.account.routes import router as account_pages
from identity.web.agency.parts import Administration
from identity.web.agency.routes import router as agency_pages
from identity.web.counter.routes import router as counter_pages
from identity.web.duty import Duty
from identity.web.helpdesk.routes import router as help_desk_pages
from identity.web.oversight.routes import router as oversight_pages
from identity.web.proposals.routes import router as proposal_pages
from identity.web.shell import Shell

if TYPE_CHECKING:
    from app.wiring import Core


@dataclass(frozen=True, slots=True)
class Office:
    """What the pages of operators stand on, beside :class:`app.citizens.Citizens`."""

    operators: Operators
    lookups: Lookups
    desk: Desk
    documents: HolderDocuments
    changes: ClientChanges


def build_office(
    settings: Settings,
    *,
    database: Database,
    clock: Clock,
    audit: Audit,
    vault: Vault,
    citizens: Citizens,
    news: ClientNews,
) -> Office:
    """Opens no key and asks no database."""
    ports: dict[str, Any] = {"begin": database.begin, "read": database.read, "clock": clock}
    lookups = Lookups(
        **ports, vault=vault, people=citizens.people, policy=policy_from(settings.lookups, LookupPolicy)
    )
    return Office(
        operators=citizens.operators,
        lookups=lookups,
        documents=HolderDocuments(database.read, lookups),
        changes=ClientChanges(**ports, audit=audit, news=news, policy=agency_policy(settings)),
        desk=Desk(
            begin=database.begin,
            audit=audit,
            people=citizens.people,
            factors=citizens.factors,
            sessions=citizens.sessions,
            recoveries=citizens.recoveries,
            lookups=lookups,
            operators=citizens.operators,
            throttle=citizens.throttle,
            sample_niks=not settings.production,
        ),
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
            documents=office.documents,
            operators=office.operators,
            clock=core.clock,
            policy=policy_from(core.settings.account, AccountPolicy),
        ),
    )

    def duty(role: Role) -> Duty:
        return Duty(role, office.operators, citizens.login)

    yield counter_pages(
        shell,
        desk=office.desk,
        rights=core.rights,
        duty=duty(Role.OFFICER),
        clock=core.clock,
        code_lifetime=people_policy(core.settings).activation_code_lifetime,
    )
    yield help_desk_pages(shell, desk=office.desk, duty=duty(Role.HELP_DESK))
    yield agency_pages(
        shell,
        Administration(
            agencies=core.agencies,
            changes=office.changes,
            portals=core.provider.portals,
            operators=office.operators,
            people=citizens.people,
            duty=duty(Role.AGENCY_ADMINISTRATOR),
            clock=core.clock,
        ),
        office.desk,
    )
    yield oversight_pages(
        shell,
        operators=office.operators,
        people=citizens.people,
        agencies=core.agencies,
        duty=duty(Role.AUDITOR),
    )
    yield proposal_pages(
        shell,
        changes=office.changes,
        agencies=core.agencies,
        operators=office.operators,
        people=citizens.people,
        administrators=duty(Role.AGENCY_ADMINISTRATOR),
        auditors=duty(Role.AUDITOR),
        clock=core.clock,
    )
    yield certificate_pages(
        shell,
        Certifying(
            register=core.certificates,
            revocation=core.revocation,
            operators=office.operators,
            administrators=duty(Role.CA_ADMINISTRATOR),
            auditors=duty(Role.AUDITOR),
        ),
    )
    yield approving_pages(
        shell,
        Approving(
            control=core.dual_control,
            register=core.custodians,
            keys=core.keys,
            factors=citizens.factors,
            people=citizens.people,
            operators=office.operators,
            custodians=duty(Role.KEY_CUSTODIAN),
            auditors=duty(Role.AUDITOR),
        ),
    )
