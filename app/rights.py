"""What people may demand about their data, put together from all parts that hold some."""

from __future__ import annotations

from app.audit import Audit
from app.citizens import Citizens
from app.clock import Clock
from app.custodians import held_of_custodian
from app.database import Database
from app.office import Office
from app.policies import people_policy, policy_from
from app.settings import Settings
from identity.people.policy import PrivacyPolicy
from identity.people.rights import Rights
from identity.ports import Outbox, Vault
from identity.provider.sharing import Sharing
from keys.custodianship import Custodians


def build_rights(
    settings: Settings,
    *,
    database: Database,
    clock: Clock,
    audit: Audit,
    vault: Vault,
    outbox: Outbox,
    citizens: Citizens,
    sharing: Sharing,
    office: Office,
    custodians: Custodians,
) -> Rights:
    """Opens no key and asks no database. Whoever comes to hold something about people joins both lists."""
    return Rights(
        begin=database.begin,
        read=database.read,
        clock=clock,
        audit=audit,
        vault=vault,
        outbox=outbox,
        held={
            "account": citizens.people.held,
            "login": citizens.factors.held,
            "sessions": citizens.sessions.held,
            "portals": sharing.held,
            "roles": office.operators.held,
            "lookups": office.lookups.held,
            "documents": office.documents.held,
            "custody": held_of_custodian(custodians),
        },
        forget=[
            citizens.sessions.forget,
            citizens.factors.drop,
            sharing.forget,
            office.operators.forget,
            office.lookups.forget,
        ],
        withdraw=sharing.withdraw_within,
        people_policy=people_policy(settings),
        policy=policy_from(settings.privacy, PrivacyPolicy),
    )
