"""What a person shares with portals: to be seen, withdrawn, exported and forgotten."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from identity.lookups.model import Actor, ActorKind
from identity.ports import AuditTrail, Begin, Clock
from identity.provider.grant_tables import GrantTable, LogoutTable
from identity.provider.model import SCOPES, Consent, Portal
from identity.provider.tables import ConsentTable, PortalTable, SubjectTable


@dataclass(frozen=True, slots=True)
class Shared:
    """A consent that stands, with the portal it was given to."""

    portal: Portal
    consent: Consent


def looking(portal: Portal) -> Actor:
    """A portal as people find it in the list of who looked up what about them."""
    return Actor(ActorKind.PORTAL, portal.id, portal.name)


def things(scopes: frozenset[str]) -> str:
    """What it looked at. The scopes of documents are about documents, and have lines of their own."""
    return " ".join(sorted(scopes & SCOPES.keys()))


class Sharing:
    """Safe to share between threads. ``read`` opens read-only transactions."""

    def __init__(self, *, begin: Begin, read: Begin, clock: Clock, audit: AuditTrail) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit

    def of(self, person_id: str) -> tuple[Shared, ...]:
        """What is shared now, newest first."""
        with self._read() as tx:
            portals = {portal.id: portal for portal in PortalTable(tx).all()}
            return tuple(
                Shared(portals[consent.portal_id], consent) for consent in ConsentTable(tx).of(person_id)
            )

    def withdraw(self, person_id: str, portal_id: str, *, actor: str) -> bool:
        """The portal gets nothing more: its tokens end, and it is told (UU PDP 27/2022, 9).

        False when nothing was shared with it.
        """
        with self._begin() as tx:
            if not self.withdraw_within(tx, person_id, portal_id):
                return False
            self._audit.append(
                tx, action="consent.withdrawn", actor=actor, subject=person_id, facts={"portal": portal_id}
            )
        return True

    def held(self, person_id: str) -> dict[str, Any]:
        """What is held here about a person: :data:`identity.ports.HeldData`."""
        with self._read() as tx:
            names = {portal.id: portal.name for portal in PortalTable(tx).all()}
            consents = ConsentTable(tx).of(person_id)
            grants = GrantTable(tx).of_person(person_id)
        return {
            "shared_with_portals": [
                {
                    "portal": names[consent.portal_id],
                    "scopes": sorted(consent.scopes),
                    "given_at": consent.given_at.isoformat(),
                }
                for consent in consents
            ],
            "logins_at_portals": [
                {
                    "portal": names[grant.portal_id],
                    "at": grant.redeemed_at.isoformat(),
                    "scopes": sorted(grant.scopes),
                }
                for grant in grants
                if grant.redeemed_at is not None
            ],
        }

    # --- within somebody else's transaction; the caller audits ---------------------------------------

    def withdraw_within(self, tx: Connection, person_id: str, portal_id: str) -> bool:
        """See :meth:`withdraw`."""
        now = self._clock()
        if not ConsentTable(tx).withdraw(person_id, portal_id, now):
            return False
        GrantTable(tx).revoke_between(person_id, portal_id, now, "consent_withdrawn")
        LogoutTable(tx).end_between(person_id, portal_id, now)
        return True

    def sessions_ended(self, tx: Connection, session_ids: Collection[str]) -> None:
        """:data:`identity.ports.SessionsEnded`: tokens that live as long as the login do not outlive it, and
        portals hear of it."""
        now = self._clock()
        GrantTable(tx).revoke_online(session_ids, now, "logged_out")
        LogoutTable(tx).end_sessions(session_ids, now)

    def end_all(self, tx: Connection, person_id: str) -> None:
        """A :data:`identity.ports.PersonHook`: no portal can go on in this person's name.

        For accounts that close, and for new passwords (ADR 16).
        """
        now = self._clock()
        GrantTable(tx).revoke_of_person(person_id, now, "access_ended")
        LogoutTable(tx).end_of_person(person_id, now)

    def forget(self, tx: Connection, person_id: str) -> None:
        """A :data:`identity.ports.PersonHook` for erasure: afterwards no ``sub`` leads to the person."""
        self.end_all(tx, person_id)
        ConsentTable(tx).forget(person_id)
        SubjectTable(tx).forget(person_id)
