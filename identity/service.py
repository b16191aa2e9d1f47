"""The jobs of identity that sealing needs: register agencies and clients, hand out and honour tokens."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy.exc import IntegrityError

from identity.access import AccessTokens
from identity.clients import (
    NO_CLIENT_HASH,
    Agency,
    Client,
    covered,
    hash_secret,
    is_client_id,
    new_client_id,
    new_secret,
    parse_scopes,
    secret_matches,
)
from identity.errors import (
    AgencyExists,
    AgencyUnknown,
    ClientNotAuthenticated,
    ClientUnknown,
    NameInvalid,
    ScopeNotGranted,
    TokenClientGone,
)
from identity.ports import AuditTrail, Begin, Clock
from identity.tables import AgencyTable, ClientTable
from identity.throttle import Throttle


@dataclass(frozen=True, slots=True)
class NewClient:
    """``secret`` exists nowhere else: show it once and forget it. Not part of ``repr``."""

    client: Client
    secret: str

    def __repr__(self) -> str:
        return f"NewClient(client={self.client.id!r}, secret=<hidden>)"


@dataclass(frozen=True, slots=True)
class GrantedToken:
    """The answer of the token endpoint (RFC 6749, 5.1). ``expires_in`` in seconds."""

    access_token: str
    expires_in: int
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: a client and its agency as they are now, with the scopes that the token carries."""

    client: Client
    agency: Agency
    scopes: frozenset[str]


class IdentityService:
    """Safe to share between threads. ``read`` opens read-only transactions."""

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditTrail,
        tokens: AccessTokens,
        throttle: Throttle | None = None,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._tokens = tokens
        self._throttle = throttle or Throttle()

    # --- administration ------------------------------------------------------------------------------

    def add_agency(
        self,
        agency_id: str,
        *,
        name: str,
        organization_identifier: str,
        certified_name: str | None = None,
        actor: str,
    ) -> Agency:
        """``certified_name`` is needed only where ``name`` has more than 64 characters.

        Raises :class:`identity.errors.NameInvalid` or :class:`identity.errors.AgencyExists`.
        """
        agency = Agency(agency_id, name, certified_name or name, organization_identifier, self._clock())
        agency.check()
        try:
            with self._begin() as tx:
                AgencyTable(tx).add(agency)
                self._audit.append(
                    tx, action="agency.added", actor=actor, subject=agency_id, facts={"name": agency.name}
                )
        except IntegrityError as cause:
            raise AgencyExists(
                f"There is an agency {agency_id!r} already; `absah agency list` shows it."
            ) from cause
        return agency

    def agency(self, agency_id: str) -> Agency:
        """Raises :class:`identity.errors.AgencyUnknown`."""
        with self._read() as tx:
            agency = AgencyTable(tx).get(agency_id)
        if agency is None:
            raise AgencyUnknown(
                f"There is no agency {agency_id!r}; `absah agency list` shows those there are."
            )
        return agency

    def agencies(self) -> list[Agency]:
        """By id."""
        with self._read() as tx:
            return AgencyTable(tx).all()

    def add_client(
        self, agency_id: str, *, name: str, scopes: Iterable[str], is_sandbox: bool = False, actor: str
    ) -> NewClient:
        """Make a client and its secret, which is returned here and never again.

        Raises :class:`identity.errors.AgencyUnknown`, ``ScopeInvalid`` or ``NameInvalid``.
        """
        granted = parse_scopes(scopes)
        if not 0 < len(name) <= 80 or not name.isprintable():
            raise NameInvalid(
                "A client's name has 1 to 80 printable characters, such as 'licensing backend'."
            )
        agency = self.agency(agency_id)
        secret = new_secret()
        client = Client(
            id=new_client_id(),
            agency_id=agency.id,
            name=name,
            secret_hash=hash_secret(secret),
            scopes=granted,
            is_sandbox=is_sandbox,
            created_at=self._clock(),
        )
        with self._begin() as tx:
            ClientTable(tx).add(client)
            self._audit.append(
                tx,
                action="client.added",
                actor=actor,
                subject=client.id,
                facts={"agency": agency.id, "scopes": " ".join(sorted(granted)), "sandbox": str(is_sandbox)},
            )
        return NewClient(client, secret)

    def clients(self, agency_id: str) -> list[Client]:
        """Oldest first, disabled ones included."""
        with self._read() as tx:
            return ClientTable(tx).of_agency(agency_id)

    def disable_client(self, client_id: str, *, actor: str) -> Client:
        """Takes effect at once, for tokens already handed out too. Repeating it changes nothing.

        Raises :class:`identity.errors.ClientUnknown`.
        """
        now = self._clock()
        with self._begin() as tx:
            client = ClientTable(tx).get(client_id)
            if client is None:
                raise ClientUnknown(
                    f"There is no client {client_id!r}; `absah client list` shows those there are."
                )
            if not ClientTable(tx).disable(client_id, now):
                return client
            self._audit.append(tx, action="client.disabled", actor=actor, subject=client_id)
        return replace(client, disabled_at=now)

    # --- tokens --------------------------------------------------------------------------------------

    def grant_token(
        self, client_id: str, secret: str, *, scope: str | None, address: str = ""
    ) -> GrantedToken:
        """The client credentials grant (RFC 6749, 4.4). ``scope`` None asks for all that the client holds.

        ``address`` is where the request came from. Raises :class:`identity.errors.ClientNotAuthenticated`,
        ``TooManyAttempts`` or ``ScopeNotGranted``.
        """
        self._throttle.require(client_id, secret, address)
        # 1. Authenticate; an unknown or disabled client costs the same work as a wrong secret.
        client = None
        if is_client_id(client_id):
            with self._read() as tx:
                client = ClientTable(tx).get(client_id)
        matches = secret_matches(secret, client.secret_hash if client else NO_CLIENT_HASH)
        if client is None or not matches or client.disabled_at is not None:
            self._throttle.failed(client_id, address)
            raise ClientNotAuthenticated
        self._throttle.succeeded(client_id, secret)
        # 2. Everything that was asked for, or nothing: a client that gets less would find out too late.
        wanted = client.scopes if scope is None else frozenset(scope.split())
        granted = covered(wanted, client.scopes)
        if not wanted or granted != wanted:
            raise ScopeNotGranted(
                "This client does not hold every scope that was asked for. Leave scope out to get all it has."
            )
        # 3. Sign.
        token = self._tokens.issue(client_id=client.id, scopes=granted, token_id=secrets.token_urlsafe(16))
        return GrantedToken(token, int(self._tokens.lifetime.total_seconds()), granted)

    def principal(self, token: str) -> Principal:
        """Who stands behind an access token. Raises a leaf of :class:`identity.errors.AccessTokenError`.

        The client is looked up every time: disabling it, or taking a scope from it, counts from that moment.
        """
        claims = self._tokens.read(token)
        with self._read() as tx:
            found = ClientTable(tx).with_agency(claims.client_id)
        if found is None or found[0].disabled_at is not None:
            raise TokenClientGone(
                "The client of this access token is no longer active. Ask your administrator."
            )
        client, agency = found
        return Principal(client, agency, covered(claims.scopes, client.scopes))

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys of access tokens (RFC 7517)."""
        return self._tokens.jwks()
