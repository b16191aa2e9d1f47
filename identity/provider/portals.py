"""The register of portals: who may send people here to log in, and what they may see."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from identity.agencies.authentication import Credentials, key_set
from identity.agencies.model import Method, hash_secret, new_secret, parse_scopes
from identity.agencies.service import parse_key_set
from identity.agencies.tables import AgencyTable
from identity.errors import AgencyUnknown, ScopeInvalid
from identity.ports import AuditTrail, Begin, Clock
from identity.provider.errors import PortalInvalid, PortalUnknown
from identity.provider.grant_tables import GrantTable
from identity.provider.model import (
    OPENID,
    SCOPES,
    IdTokenAlgorithm,
    Portal,
    PortalKind,
    ProviderPolicy,
    is_portal_id,
    new_portal_id,
)
from identity.provider.redirects import check_redirect_uri, check_server_uri, sector_of
from identity.provider.tables import PortalTable

_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class PortalRegistration:
    """What an administrator asks for. ``sector`` None: the one host of the redirect addresses.

    ``jwks`` is JSON text. Without it a portal on a server gets a secret, which is for development only.
    """

    agency_id: str
    name: str
    redirect_uris: tuple[str, ...]
    kind: PortalKind = PortalKind.WEB
    scopes: frozenset[str] = frozenset({OPENID, "profile", "email"})
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    sector: str | None = None
    id_token_algorithm: IdTokenAlgorithm = IdTokenAlgorithm.RS256
    require_pushed: bool = False
    jwks: str | None = None


@dataclass(frozen=True, slots=True)
class NewPortal:
    """``secret`` exists nowhere else, and only in development: show it once and forget it."""

    portal: Portal
    secret: str | None = field(repr=False)


class Portals:
    """Safe to share between threads. ``read`` opens read-only transactions."""

    def __init__(
        self, *, begin: Begin, read: Begin, clock: Clock, audit: AuditTrail, policy: ProviderPolicy
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._policy = policy

    def add(self, registration: PortalRegistration, *, actor: str) -> NewPortal:
        """Raises :class:`identity.provider.errors.PortalInvalid`, :class:`identity.errors.AgencyUnknown`,
        ``JwkInvalid`` or ``ScopeInvalid``."""
        # 1. Everything that can be judged without the register.
        portal, secret = self._checked(registration)
        with self._begin() as tx:
            # 2. Who runs it, and that nobody else's people would become linkable to it.
            if AgencyTable(tx).get(portal.agency_id) is None:
                raise AgencyUnknown(
                    f"There is no agency {portal.agency_id!r}; `absah agency list` shows those there are."
                )
            if PortalTable(tx).agencies_in_sector(portal.sector) - {portal.agency_id}:
                raise PortalInvalid(
                    f"The sector {portal.sector} is another agency's: within a sector, people are known by "
                    "one sub. Name a sector of your own."
                )
            # 3. Register.
            PortalTable(tx).add(portal)
            self._audit.append(
                tx,
                action="portal.added",
                actor=actor,
                subject=portal.id,
                facts={
                    "agency": portal.agency_id,
                    "scopes": " ".join(sorted(portal.scopes)),
                    "redirect_uris": " ".join(portal.redirect_uris),
                    "authentication": portal.authentication.value,
                },
            )
        return NewPortal(portal, secret)

    def get(self, portal_id: str) -> Portal:
        """Raises :class:`identity.provider.errors.PortalUnknown`."""
        with self._read() as tx:
            return _existing(tx, portal_id)

    def all(self, agency_id: str | None = None) -> list[Portal]:
        """Oldest first, disabled ones included."""
        with self._read() as tx:
            return PortalTable(tx).all(agency_id)

    def replace_keys(self, portal_id: str, jwks: str, *, actor: str) -> Portal:
        """Takes effect at once. Raises ``PortalUnknown``, ``PortalInvalid`` or ``JwkInvalid``."""
        kept = _public_keys(jwks)
        with self._begin() as tx:
            portal = _existing(tx, portal_id)
            if portal.authentication is not Method.PRIVATE_KEY_JWT:
                raise PortalInvalid("This portal does not authenticate by keys. Register it anew with some.")
            PortalTable(tx).set_jwks(portal_id, kept)
            kids = " ".join(sorted(key["kid"] for key in json.loads(kept)["keys"]))
            self._audit.append(
                tx, action="portal.keys_replaced", actor=actor, subject=portal_id, facts={"kids": kids}
            )
        return replace(portal, jwks=kept)

    def disable(self, portal_id: str, *, actor: str) -> Portal:
        """Takes effect at once, for tokens already handed out too. Repeating it changes nothing.

        Raises :class:`identity.provider.errors.PortalUnknown`.
        """
        now = self._clock()
        with self._begin() as tx:
            portal = _existing(tx, portal_id)
            if not PortalTable(tx).disable(portal_id, now):
                return portal
            GrantTable(tx).revoke_of_portal(portal_id, now, "portal_disabled")
            self._audit.append(tx, action="portal.disabled", actor=actor, subject=portal_id)
        return replace(portal, disabled_at=now)

    def _checked(self, registration: PortalRegistration) -> tuple[Portal, str | None]:
        allow_http = self._policy.allow_http
        if not 0 < len(registration.name) <= 80 or not registration.name.isprintable():
            raise PortalInvalid("A portal's name has 1 to 80 printable characters; people read it.")
        if not registration.redirect_uris:
            raise PortalInvalid("A portal needs at least one redirect address.")
        for uri in (*registration.redirect_uris, *registration.post_logout_redirect_uris):
            check_redirect_uri(uri, kind=registration.kind, allow_http=allow_http)
        if registration.backchannel_logout_uri is not None:
            check_server_uri(registration.backchannel_logout_uri, allow_http=allow_http)
        authentication, jwks, secret = self._credentials(registration)
        portal_id = new_portal_id()
        portal = Portal(
            id=portal_id,
            agency_id=registration.agency_id,
            name=registration.name,
            kind=registration.kind,
            authentication=authentication,
            redirect_uris=registration.redirect_uris,
            post_logout_redirect_uris=registration.post_logout_redirect_uris,
            backchannel_logout_uri=registration.backchannel_logout_uri,
            sector=_sector(registration, portal_id),
            scopes=_scopes(registration.scopes),
            id_token_algorithm=registration.id_token_algorithm,
            require_pushed=registration.require_pushed,
            created_at=self._clock(),
            jwks=jwks,
            secret_hash=hash_secret(secret) if secret else None,
        )
        return portal, secret

    def _credentials(self, registration: PortalRegistration) -> tuple[Method, str | None, str | None]:
        if registration.jwks is not None:
            return Method.PRIVATE_KEY_JWT, _public_keys(registration.jwks), None
        if registration.kind is PortalKind.NATIVE:
            return Method.NONE, None, None
        if not self._policy.allow_http:
            raise PortalInvalid(
                "A portal on a server authenticates by its own keys: give its JWK Set. Client secrets are "
                "for development only."
            )
        return Method.SECRET_BASIC, None, new_secret()


def portal_clients(tx: Connection, client_id: str, _: Clock) -> Credentials | None:
    """The :data:`identity.agencies.authentication.Directory` of portals."""
    if not is_portal_id(client_id):
        return None
    portal = PortalTable(tx).get(client_id)
    if portal is None or portal.disabled_at is not None:
        return None
    if portal.jwks is not None:
        return Credentials(client_id, frozenset({Method.PRIVATE_KEY_JWT}), keys=key_set(portal.jwks))
    if portal.secret_hash is not None:
        methods = frozenset({Method.SECRET_BASIC, Method.SECRET_POST})
        return Credentials(client_id, methods, secret_hash=portal.secret_hash)
    return Credentials(client_id, frozenset({Method.NONE}))


def _existing(tx: Connection, portal_id: str) -> Portal:
    portal = PortalTable(tx).get(portal_id)
    if portal is None:
        raise PortalUnknown(f"There is no portal {portal_id!r}; `absah portal list` shows those there are.")
    return portal


def _scopes(wanted: Iterable[str]) -> frozenset[str]:
    """``openid`` belongs to every portal; those of documents are for portals where people issue in office."""
    scopes = frozenset(wanted) | {OPENID}
    others = scopes - SCOPES.keys()
    try:
        return scopes if not others else (scopes & SCOPES.keys()) | parse_scopes(others)
    except ScopeInvalid as cause:
        raise PortalInvalid(f"A portal may also ask for {', '.join(SCOPES)}. {cause}") from cause


def _sector(registration: PortalRegistration, portal_id: str) -> str:
    """OpenID Connect Core, 8.1; an app without a host of its own is a sector of its own."""
    host = registration.sector or sector_of(registration.redirect_uris)
    if host is None and all(uri.startswith("https:") for uri in registration.redirect_uris):
        raise PortalInvalid(
            "The redirect addresses have several hosts: name the sector in which people have one sub."
        )
    if host is not None and not _HOST.fullmatch(host):
        raise PortalInvalid(f"{host!r} is not a host name such as portal.bandung.go.id.")
    return host or portal_id


def _public_keys(jwks: str) -> str:
    """The set as it is kept: public members only, each key with a kid. Raises ``JwkInvalid``."""
    keys = [{**key.members, "kid": key.key_id, "alg": key.algorithm} for key in parse_key_set(jwks)]
    return json.dumps({"keys": keys}, sort_keys=True)
