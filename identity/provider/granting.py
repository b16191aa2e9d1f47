"""The token endpoint's two grants for portals: a code becomes tokens once, a refresh token its successor.

Both decide in one transaction and sign after it has committed, so that no token exists which the register
does not know. The grace of refresh tokens covers an answer that is lost on the way; where it was the answer
to a code, the portal sends the browser once more.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from identity import tokens
from identity.access import AccessTokens, Authentication, Confirmation
from identity.agencies.grants import TokenAnswer, TokenRequest
from identity.agencies.model import Method
from identity.errors import OAuthError, ScopeNotGranted, TokenRequestInvalid
from identity.lookups.model import LookupKind
from identity.lookups.service import Lookups
from identity.people.errors import PersonError
from identity.people.model import Person, PersonState
from identity.people.service import People
from identity.ports import AuditTrail, Begin, Clock, TokenKeys, Vault
from identity.provider import claims
from identity.provider.errors import GrantInvalid, GrantNotForClient
from identity.provider.grant_tables import GrantTable, RefreshTable
from identity.provider.model import (
    OPENID,
    Grant,
    Portal,
    ProviderPolicy,
    RefreshToken,
    hash_secret,
    new_secret,
)
from identity.provider.pkce import verifies
from identity.provider.sharing import looking, things
from identity.provider.tables import PortalTable

SEALED_FOR: Final = "oauth"
"""The vault's purpose for successors of refresh tokens."""
REUSED: Final = "reused"


@dataclass(frozen=True, slots=True)
class _Presented:
    """A request at the token endpoint. ``client_id`` has authenticated; ``proof_key`` is its DPoP key."""

    client_id: str
    form: Mapping[str, str] = field(repr=False)
    proof_key: str | None
    at: datetime

    def secret(self, name: str) -> bytes:
        """The hash of the code or token. Raises :class:`identity.errors.TokenRequestInvalid`."""
        value = self.form.get(name)
        if not value:
            raise TokenRequestInvalid(f"{name} is missing.")
        return hash_secret(value)


@dataclass(frozen=True, slots=True)
class _Issued:
    """What the transaction gave. ``scopes`` is what the access token shall carry."""

    portal: Portal
    grant: Grant
    scopes: frozenset[str]
    refresh_token: str = field(repr=False)


class PortalGrants:
    """``authorization_code`` and ``refresh_token`` of RFC 6749. Safe to share between threads."""

    def __init__(
        self,
        *,
        begin: Begin,
        clock: Clock,
        audit: AuditTrail,
        vault: Vault,
        people: People,
        lookups: Lookups,
        access: AccessTokens,
        keys: TokenKeys,
        policy: ProviderPolicy,
    ) -> None:
        self._begin = begin
        self._clock = clock
        self._audit = audit
        self._vault = vault
        self._people = people
        self._lookups = lookups
        self._access = access
        self._keys = keys
        self._policy = policy

    def redeem(self, request: TokenRequest) -> TokenAnswer:
        """``grant_type=authorization_code``.

        Raises :class:`identity.errors.TokenRequestInvalid`, or ``GrantInvalid`` or ``GrantNotForClient``.
        """
        presented = self._presented(request)
        with self._begin() as tx:
            outcome = self._redeem(tx, presented)
        if isinstance(outcome, OAuthError):  # raised out here: what it took back must stay taken back
            raise outcome
        return self._answer(outcome, presented, nonce=outcome.grant.nonce)

    def refresh(self, request: TokenRequest) -> TokenAnswer:
        """``grant_type=refresh_token``. ``scope`` may ask for less.

        Raises :class:`identity.errors.TokenRequestInvalid` or ``ScopeNotGranted``, or ``GrantInvalid`` or
        ``GrantNotForClient``.
        """
        presented = self._presented(request)
        # The audit trail hears of it with the next round of upkeep (identity.provider.trail).
        with self._begin() as tx:
            outcome = self._refresh(tx, presented)
        if isinstance(outcome, OAuthError):
            raise outcome
        # A refreshed ID token has no nonce: it answers no request (OpenID Connect Core, 12.2).
        return self._answer(outcome, presented, nonce=None)

    def _presented(self, request: TokenRequest) -> _Presented:
        return _Presented(request.client.id, request.form, request.holder.proof_key, self._clock())

    # --- within the transaction ----------------------------------------------------------------------

    def _redeem(self, tx: Connection, presented: _Presented) -> _Issued | OAuthError:
        grants, now = GrantTable(tx), presented.at
        # 1. Whose code it is, for which request. Whoever cannot prove that learns nothing and breaks nothing.
        portal = _portal(tx, presented)
        grant = grants.of_code(presented.secret("code"))
        if (
            grant is None
            or not _is_for(grant, portal, presented)
            or grant.redirect_uri != presented.form.get("redirect_uri")
            or not verifies(presented.form.get("code_verifier"), grant.code_challenge)
        ):
            return _invalid("code")
        # 2. Once. The second time, somebody else has it too: what it gave is taken back (RFC 9700, 4.5).
        if not grants.redeem(grant.id, now, proof_key=_key_to_keep(grant, portal, presented)):
            return self._taken_back(tx, grant, now, "code")
        if now >= grant.code_expires_at:
            grants.revoke(grant.id, now, "expired")
            return _invalid("code")
        # 3. The first link of the chain.
        refresh_token = new_secret()
        RefreshTable(tx).add(
            hash_secret(refresh_token), grant_id=grant.id, issued_at=now, expires_at=self._end(grant, now)
        )
        # 4. Written down for the person, and for the trail.
        self._lookups.note_within(
            tx, looking(portal), LookupKind.PORTAL_LOGIN, grant.person_id, things(grant.scopes)
        )
        self._audit.append(
            tx,
            action="portal.logged_in",
            actor=grant.person_id,
            subject=portal.id,
            facts={
                "grant": grant.id,
                "scopes": " ".join(sorted(grant.scopes)),
                "acr": grant.acr.value,
                "session": grant.session_id,
            },
        )
        return _Issued(portal, grant, grant.scopes, refresh_token)

    def _refresh(self, tx: Connection, presented: _Presented) -> _Issued | OAuthError:
        chain, now = RefreshTable(tx), presented.at
        # 1. Whose token it is, and what is asked for.
        portal = _portal(tx, presented)
        found = chain.with_grant(presented.secret("refresh_token"))
        if found is None or not _is_for(found[1], portal, presented):
            return _invalid("refresh token")
        link, grant = found
        scopes = frozenset(presented.form.get("scope", "").split()) or grant.scopes
        if not scopes <= grant.scopes:
            return ScopeNotGranted("A refresh cannot ask for more than the person agreed to.")
        # 2. Link and family stand. If the family ends this very moment, its new tokens are dead with it:
        #    whoever is shown one asks for the family.
        if not grant.stands or now >= min(link.expires_at, grant.expires_at):
            return _invalid("refresh token")
        # 3. One successor for everybody who asks: a lost answer is repeated within the grace.
        successor = self._succeed(chain, link, grant, now) or self._again(chain, link, grant, now)
        if successor is None:
            # 4. Two hold the old token and nobody knows who is the thief: the family ends (RFC 9700, 4.14).
            return self._taken_back(tx, grant, now, "refresh token")
        return _Issued(portal, grant, scopes, successor)

    def _succeed(self, chain: RefreshTable, link: RefreshToken, grant: Grant, now: datetime) -> str | None:
        """The next link, for the one who is first."""
        successor = new_secret()
        successor_hash = hash_secret(successor)
        sealed = self._vault.seal(SEALED_FOR, successor.encode(), context=grant.id)
        if not chain.use(link.token_hash, now, successor_hash=successor_hash, successor=sealed):
            return None
        chain.add(successor_hash, grant_id=grant.id, issued_at=now, expires_at=self._end(grant, now))
        return successor

    def _again(self, chain: RefreshTable, link: RefreshToken, grant: Grant, now: datetime) -> str | None:
        """The successor once more: soon after the first time, and unless its holder has used it already."""
        used = chain.get(link.token_hash)  # read anew: the other transaction has committed
        if used is None or used.used_at is None or used.successor is None or used.successor_hash is None:
            return None
        heir = chain.get(used.successor_hash)
        if now - used.used_at > self._policy.refresh_grace or heir is None or heir.used_at is not None:
            return None
        return self._vault.open(SEALED_FOR, used.successor, context=grant.id).decode()

    def _taken_back(self, tx: Connection, grant: Grant, now: datetime, what: str) -> GrantInvalid:
        if GrantTable(tx).revoke(grant.id, now, REUSED):
            self._audit.append(
                tx,
                action="portal.grant_reused",
                actor=grant.portal_id,
                subject=grant.person_id,
                facts={"grant": grant.id, "by": what},
            )
        return _invalid(what)

    def _end(self, grant: Grant, now: datetime) -> datetime:
        return min(grant.expires_at, now + self._policy.refresh_idle)

    # --- after it has committed ----------------------------------------------------------------------

    def _answer(self, issued: _Issued, presented: _Presented, *, nonce: str | None) -> TokenAnswer:
        portal, grant = issued.portal, issued.grant
        person = self._person(grant)
        access_token = self._access.issue(
            client_id=portal.id,
            scopes=issued.scopes,
            token_id=f"{grant.id}.{secrets.token_urlsafe(12)}",
            subject=grant.subject,
            authentication=Authentication(
                acr=grant.acr.value, auth_time=int(grant.auth_time.timestamp()), ial=person.proofing.value
            ),
            confirmation=Confirmation(jkt=presented.proof_key) if presented.proof_key else None,
        )
        answer = {
            "access_token": access_token,
            "token_type": "DPoP" if presented.proof_key else "Bearer",
            "expires_in": int(self._access.lifetime.total_seconds()),
            "scope": " ".join(sorted(issued.scopes)),
            "refresh_token": issued.refresh_token,
        }
        if OPENID in issued.scopes:
            answer["id_token"] = self._id_token(issued, person, presented.at, nonce, access_token)
        return answer

    def _id_token(
        self, issued: _Issued, person: Person, now: datetime, nonce: str | None, access_token: str
    ) -> str:
        said = claims.id_token(
            issued.grant,
            person,
            issuer=self._policy.issuer,
            now=now,
            life=self._policy.id_token_life,
            nonce=nonce,
            access_token=access_token,
        )
        return tokens.sign(said, typ="JWT", signer=self._keys.signer(issued.portal.id_token_algorithm))

    def _person(self, grant: Grant) -> Person:
        """Whoever may not log in gets no new tokens either."""
        try:
            person = self._people.get(grant.person_id)
        except PersonError:
            raise _invalid("code or refresh token") from None
        if person.state is not PersonState.ACTIVE:
            raise _invalid("code or refresh token")
        return person


def _portal(tx: Connection, presented: _Presented) -> Portal:
    portal = PortalTable(tx).get(presented.client_id)
    if portal is None or portal.disabled_at is not None:
        raise GrantNotForClient("This grant is for portals; an agency's system has other grants.")
    return portal


def _is_for(grant: Grant, portal: Portal, presented: _Presented) -> bool:
    """A grant that is bound to a DPoP key is for that key alone (RFC 9449, 5 and 10)."""
    return grant.portal_id == portal.id and grant.proof_key in {None, presented.proof_key}


def _key_to_keep(grant: Grant, portal: Portal, presented: _Presented) -> str | None:
    """An app that keeps no secret has its refresh tokens bound to the key that it brings (RFC 9449, 5)."""
    return presented.proof_key if portal.authentication is Method.NONE else grant.proof_key


def _invalid(what: str) -> GrantInvalid:
    return GrantInvalid(
        f"The {what} is unknown, expired, used, revoked, or was given to another client. Log in again."
    )
