"""What tokens are worth now: UserInfo, introspection (RFC 7662) and revocation (RFC 7009)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection

from identity.access import AccessClaims, AccessTokens
from identity.agencies.authentication import AuthenticatedClient
from identity.agencies.model import Method
from identity.agencies.tables import ClientTable
from identity.errors import AccessTokenError
from identity.lookups.model import LookupKind, Subject
from identity.lookups.service import Lookups
from identity.people.errors import PersonError
from identity.people.model import PersonState
from identity.people.service import People
from identity.ports import AuditTrail, Begin, Clock
from identity.provider.claims import userinfo
from identity.provider.errors import RevocationNotSupported, TokenGrantGone, TokenScopeMissing
from identity.provider.grant_tables import GrantTable, RefreshTable, RevokedTokenTable
from identity.provider.model import OPENID, Grant, Portal, ProviderPolicy, hash_secret
from identity.provider.sharing import looking, things
from identity.provider.tables import PortalTable

INACTIVE: Final[Mapping[str, Any]] = {"active": False}
"""All that is said about a token that is not good, not ours, or none of the caller's business."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A token that is good. ``agency_id`` None: not known yet; a system's client may be disabled."""

    client_id: str
    agency_id: str | None
    answer: Mapping[str, Any]


class Inspecting:
    """Safe to share between threads. ``read`` opens read-only transactions."""

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditTrail,
        people: People,
        lookups: Lookups,
        access: AccessTokens,
        policy: ProviderPolicy,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._people = people
        self._lookups = lookups
        self._access = access
        self._policy = policy

    def standing(self, claims: AccessClaims) -> Grant:
        """The grant behind a person's access token; its ``person_id`` is who acts.

        For every guard that honours such tokens. Raises :class:`identity.provider.errors.TokenGrantGone`.
        """
        return self._behind(claims)[0]

    def _behind(self, claims: AccessClaims) -> tuple[Grant, Portal]:
        grant_id = grant_of(claims.token_id)
        if grant_id is not None:
            with self._read() as tx:
                found = GrantTable(tx).standing(grant_id, claims.token_id, self._clock())
            if found is not None and found[1].id == claims.client_id:
                return found
        raise TokenGrantGone("The access token, or the login behind it, was revoked. Log in again.")

    def userinfo(self, claims: AccessClaims) -> dict[str, Any]:
        """The claims that the person agreed to share (OpenID Connect Core, 5.3), written down for them.

        Raises :class:`identity.provider.errors.TokenGrantGone` or ``TokenScopeMissing``.
        """
        if claims.authentication is None or OPENID not in claims.scopes:
            raise TokenScopeMissing("UserInfo needs a person's access token with the scope openid.")
        grant, portal = self._behind(claims)
        try:
            person = self._people.get(grant.person_id)
        except PersonError:
            person = None
        if person is None or person.state is not PersonState.ACTIVE:
            raise TokenGrantGone("The account behind this access token is not active. Log in again.")
        scopes = claims.scopes & grant.scopes
        shown = [(Subject(person.id), things(scopes))]
        self._lookups.note(looking(portal), LookupKind.CLAIMS_SHARED, shown)
        return userinfo(person, subject=grant.subject, scopes=scopes)

    def introspect(self, caller: AuthenticatedClient, token: str) -> Mapping[str, Any]:
        """RFC 7662, 2.2. ``caller`` asks about tokens of its own agency, or learns nothing.

        An app that keeps no secret learns nothing either: whoever says its name would (RFC 7662, 2.1).
        """
        if caller.method is Method.NONE:
            return INACTIVE
        found = self._access_token(token) or self._refresh_token(token)
        if found is None or not self._may_ask(caller.id, found):
            return INACTIVE
        return found.answer

    def _may_ask(self, caller: str, found: _Found) -> bool:
        if caller == found.client_id:
            return True
        with self._read() as tx:
            agency = found.agency_id or _agency_of(tx, found.client_id)
            return agency is not None and agency == _agency_of(tx, caller)

    def revoke(self, caller: str, token: str) -> None:
        """RFC 7009, 2: a refresh token ends its family, an access token itself. Unknown tokens are no error.

        Raises :class:`identity.provider.errors.RevocationNotSupported` for tokens of agencies' systems.
        """
        now = self._clock()
        with self._begin() as tx:
            link = RefreshTable(tx).get(hash_secret(token))
            grant = GrantTable(tx).get(link.grant_id) if link else None
            if grant is not None:
                self._revoke_family(tx, grant, caller, now)
                return
        try:
            claims = self._access.read(token)
        except AccessTokenError:
            return
        if claims.client_id != caller:
            return
        if grant_of(claims.token_id) is None:
            raise RevocationNotSupported(
                "A system's own access token ends by itself within minutes; disable the client to end it now."
            )
        with self._begin() as tx:
            RevokedTokenTable(tx).add(claims.token_id, datetime.fromtimestamp(claims.expires_at, UTC))

    def _revoke_family(self, tx: Connection, grant: Grant, caller: str, now: datetime) -> None:
        if grant.portal_id == caller and GrantTable(tx).revoke(grant.id, now, "by_portal"):
            self._audit.append(
                tx,
                action="portal.grant_revoked",
                actor=caller,
                subject=grant.person_id,
                facts={"grant": grant.id},
            )

    def _access_token(self, token: str) -> _Found | None:
        try:
            claims = self._access.read(token)
            agency_id = None
            if grant_of(claims.token_id) is not None:
                agency_id = self._behind(claims)[1].agency_id
        except AccessTokenError:
            return None
        return _Found(claims.client_id, agency_id, claims.introspection(self._policy.issuer))

    def _refresh_token(self, token: str) -> _Found | None:
        now = self._clock()
        with self._read() as tx:
            link = RefreshTable(tx).get(hash_secret(token))
            found = GrantTable(tx).standing(link.grant_id, "", now) if link else None
        if link is None or found is None or link.used_at is not None or now >= link.expires_at:
            return None
        grant, portal = found
        answer = {
            "active": True,
            "iss": self._policy.issuer,
            "sub": grant.subject,
            "client_id": portal.id,
            "scope": " ".join(sorted(grant.scopes)),
            "iat": int(link.issued_at.timestamp()),
            "exp": int(link.expires_at.timestamp()),
            "acr": grant.acr.value,
            "auth_time": int(grant.auth_time.timestamp()),
        }
        return _Found(portal.id, portal.agency_id, answer)


def grant_of(token_id: str) -> str | None:
    """The grant behind an access token's ``jti``; None for tokens of agencies' systems."""
    grant_id, dot, _ = token_id.partition(".")
    return grant_id if dot else None


def _agency_of(tx: Connection, client_id: str) -> str | None:
    """Whose active client or portal it is."""
    portal = PortalTable(tx).get(client_id)
    if portal is not None:
        return portal.agency_id if portal.disabled_at is None else None
    client = ClientTable(tx).get(client_id)
    return client.agency_id if client and client.disabled_at is None else None
