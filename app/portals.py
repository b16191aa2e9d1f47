"""Portals: the OpenID provider, put together from settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from fastapi import FastAPI

from app.audit import Audit
from app.callers import Callers
from app.citizens import Citizens
from app.clock import Clock
from app.database import Database
from app.guards import TokenGuard
from app.policies import provider_policy
from app.settings import Settings
from identity.access import AccessTokens
from identity.agencies.grants import Grant
from identity.agencies.model import READ, REVOKE
from identity.login.sessions import Sessions
from identity.lookups.service import Lookups
from identity.people.service import People
from identity.ports import Contacts, Outbox, TokenKeys, Vault
from identity.provider.authorizing import Authorizing
from identity.provider.backchannel import BackChannel
from identity.provider.discovery import metadata
from identity.provider.granting import PortalGrants
from identity.provider.hints import Hints
from identity.provider.inspecting import Inspecting
from identity.provider.logout import Logouts
from identity.provider.pages import router as page_routes
from identity.provider.portals import Portals
from identity.provider.routes import router as machine_routes
from identity.provider.sharing import Sharing
from identity.provider.trail import note_refreshes
from identity.provider.upkeep import forget_ended
from identity.web.shell import Shell

_API_SCOPES: Final = (READ, REVOKE)


@dataclass(frozen=True, slots=True)
class Provider:
    """Everything that portals and their pages stand on."""

    forget_ended: Callable[[], None]
    note_refreshes: Callable[[], int]
    portals: Portals
    authorizing: Authorizing
    granting: PortalGrants
    inspecting: Inspecting
    logouts: Logouts

    @property
    def grants(self) -> Mapping[str, Grant]:
        """What the token endpoint has for portals."""
        return {"authorization_code": self.granting.redeem, "refresh_token": self.granting.refresh}


def build_sharing(*, database: Database, clock: Clock, audit: Audit) -> Sharing:
    """Before people and sessions: they tell it when they end."""
    return Sharing(begin=database.begin, read=database.read, clock=clock, audit=audit)


def build_provider(
    settings: Settings,
    *,
    database: Database,
    clock: Clock,
    audit: Audit,
    vault: Vault,
    keys: TokenKeys,
    tokens: AccessTokens,
    outbox: Outbox,
    contacts: Contacts,
    people: People,
    sessions: Sessions,
    lookups: Lookups,
    closing: ExitStack,
) -> Provider:
    """Opens no key and asks no database."""
    policy = provider_policy(settings)
    ports: dict[str, Any] = {
        "begin": database.begin,
        "read": database.read,
        "clock": clock,
        "audit": audit,
        "policy": policy,
    }
    hints = Hints(keys=keys, issuer=policy.issuer)
    send = BackChannel(policy)
    closing.callback(send.close)
    return Provider(
        forget_ended=partial(forget_ended, begin=database.begin, clock=clock, policy=policy),
        note_refreshes=partial(note_refreshes, begin=database.begin, audit=audit),
        portals=Portals(**ports),
        authorizing=Authorizing(
            **ports,
            outbox=outbox,
            contacts=contacts,
            hints=hints,
            session_within=sessions.standing_within,
            resource=settings.public_url,
        ),
        granting=PortalGrants(
            begin=database.begin,
            clock=clock,
            audit=audit,
            vault=vault,
            people=people,
            lookups=lookups,
            access=tokens,
            keys=keys,
            policy=policy,
        ),
        inspecting=Inspecting(**ports, people=people, lookups=lookups, access=tokens),
        logouts=Logouts(**ports, hints=hints, keys=keys, send=send),
    )


def add_provider(
    application: FastAPI,
    shell: Shell,
    *,
    settings: Settings,
    provider: Provider,
    callers: Callers,
    citizens: Citizens,
) -> None:
    """Put the provider's endpoints and pages into ``application``."""
    application.include_router(
        machine_routes(
            metadata=metadata(
                settings.issuer,
                grant_types=callers.grants.names,
                api_scopes=_API_SCOPES,
                secrets_allowed=not settings.production,
                certificates_seen=settings.identity.certificate_header is not None,
            ),
            reader=callers.reader,
            authorizing=provider.authorizing,
            inspecting=provider.inspecting,
            accepted=TokenGuard(callers),
        )
    )
    application.include_router(
        page_routes(
            shell,
            authorizing=provider.authorizing,
            logouts=provider.logouts,
            login=citizens.login,
            people=citizens.people,
            agencies=callers.agencies,
        )
    )
