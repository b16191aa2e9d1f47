"""The jobs around agencies and their systems: register them, change what they may, honour their tokens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from identity.access import AccessClaims
from identity.agencies.errors import ClientKeyUnknown, SecondPersonNeeded, SecretsNotIssued
from identity.agencies.model import (
    Agency,
    AgencyPolicy,
    Binding,
    Client,
    ClientKey,
    covered,
    hash_secret,
    new_client_id,
    new_secret,
    parse_scopes,
)
from identity.agencies.news import ClientNews
from identity.agencies.proposal_tables import ProposalTable
from identity.agencies.proposals import ProposalState
from identity.agencies.registry import Registry, existing
from identity.agencies.tables import AgencyTable, ClientKeyTable, ClientTable
from identity.encoding import strict_json_object
from identity.errors import AgencyExists, AgencyUnknown, JwkInvalid, NameInvalid, TokenClientGone
from identity.jwks import Jwk, parse_jwks
from identity.people.model import is_person_id
from identity.ports import AuditTrail, Begin, Clock


@dataclass(frozen=True, slots=True)
class NewClient:
    """``secret`` exists nowhere else: show it once and forget it. Not part of ``repr``."""

    client: Client
    secret: str

    def __repr__(self) -> str:
        return f"NewClient(client={self.client.id!r}, secret=<hidden>)"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: a client and its agency as they are now, with the scopes that the token carries."""

    client: Client
    agency: Agency
    scopes: frozenset[str]


class Agencies:
    """Safe to share between threads. ``read`` opens read-only transactions.

    Every change is audited under its ``actor``. What gives a client anything happens at once here, which is
    for whoever owns the machine; people are refused it (:class:`identity.agencies.changes.ClientChanges` is
    theirs). ``news`` tells an agency's administrators about it; without it nobody is told.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditTrail,
        policy: AgencyPolicy,
        news: ClientNews | None = None,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._policy = policy
        self._news = news

    # --- agencies ------------------------------------------------------------------------------------

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

    # --- their systems -------------------------------------------------------------------------------

    def register_client(
        self,
        agency_id: str,
        *,
        name: str,
        scopes: Iterable[str],
        jwks: str,
        binding: Binding = Binding.DPOP,
        is_sandbox: bool = False,
        actor: str,
    ) -> Client:
        """A client that authenticates by the keys of ``jwks``, a JWK Set as JSON text (RFC 7517, 5).

        Raises :class:`identity.errors.AgencyUnknown`, ``ScopeInvalid``, ``NameInvalid`` or ``JwkInvalid``.
        """
        require_machine(actor)
        keys = parse_key_set(jwks)
        client = new_client(
            self.agency(agency_id).id, name, scopes, binding, is_sandbox=is_sandbox, now=self._clock()
        )
        with self._begin() as tx:
            self._registry(tx).add(client, keys, actor=actor)
            self._tell(tx, client)
        return client

    def add_client(
        self, agency_id: str, *, name: str, scopes: Iterable[str], is_sandbox: bool = False, actor: str
    ) -> NewClient:
        """A client with a secret, which is returned here and never again. For development.

        Raises :class:`identity.errors.AgencyUnknown`, ``ScopeInvalid``, ``NameInvalid``, or
        :class:`identity.agencies.errors.SecretsNotIssued` in production.
        """
        if not self.issues_secrets:
            raise SecretsNotIssued
        require_machine(actor)
        secret = new_secret()
        client = Client(
            new_client_id(),
            self.agency(agency_id).id,
            checked_name(name),
            parse_scopes(scopes),
            is_sandbox,
            self._clock(),
            Binding.BEARER,
            hash_secret(secret),
        )
        with self._begin() as tx:
            self._registry(tx).add(client, (), actor=actor)
            self._tell(tx, client)
        return NewClient(client, secret)

    @property
    def issues_secrets(self) -> bool:
        """Whether client secrets open anything here: in development only."""
        return self._policy.secrets_allowed

    def clients(self, agency_id: str) -> list[Client]:
        """Oldest first, disabled ones included."""
        with self._read() as tx:
            return ClientTable(tx).of_agency(agency_id)

    def client(self, client_id: str) -> Client:
        """Raises :class:`identity.errors.ClientUnknown`."""
        with self._read() as tx:
            return existing(ClientTable(tx).get(client_id), client_id)

    def change_scopes(self, client_id: str, scopes: Iterable[str], *, actor: str) -> Client:
        """Takes effect at once: what is taken away is taken from tokens already handed out too.

        Raises :class:`identity.errors.ClientUnknown` or ``ScopeInvalid``.
        """
        require_machine(actor)
        granted = parse_scopes(scopes)
        with self._begin() as tx:
            registry = self._registry(tx)
            client = registry.hold(client_id)
            changed = registry.set_scopes(client, granted, actor=actor)
            if changed != client:
                self._tell(tx, client)
        return changed

    def disable_client(self, client_id: str, *, actor: str) -> Client:
        """Takes effect at once, for tokens already handed out too. Repeating it changes nothing.

        What waits for a second person to give it to the client is withdrawn with it. Raises
        :class:`identity.errors.ClientUnknown`.
        """
        now = self._clock()
        with self._begin() as tx:
            client = self._registry(tx).hold(client_id)
            if not ClientTable(tx).disable(client_id, now):
                return client
            self._audit.append(tx, action="client.disabled", actor=actor, subject=client_id)
            for proposal in ProposalTable(tx).open_of(client_id, now):
                ProposalTable(tx).decide(proposal.id, ProposalState.WITHDRAWN, by=actor, at=now)
                self._audit.append(
                    tx,
                    action="client.proposal_withdrawn",
                    actor=actor,
                    subject=client_id,
                    facts={"proposal": proposal.id},
                )
        return replace(client, disabled_at=now)

    # --- their keys ----------------------------------------------------------------------------------

    def keys(self, client_id: str) -> list[ClientKey]:
        """All that the client ever had, oldest first. Raises :class:`identity.errors.ClientUnknown`."""
        with self._read() as tx:
            existing(ClientTable(tx).get(client_id), client_id)
            return ClientKeyTable(tx).of(client_id)

    def replace_keys(
        self, client_id: str, jwks: str, *, overlap: timedelta | None = None, actor: str
    ) -> list[ClientKey]:
        """Make ``jwks`` the client's key set, and return the keys that authenticate from now on.

        Keys that it leaves out go on for ``overlap`` (the policy's, unless given; zero ends them at once), so
        that every machine of the client has time to change over. A key of a client that had a secret takes
        the secret's place at once.

        Raises :class:`identity.errors.ClientUnknown` or ``JwkInvalid``.
        """
        require_machine(actor)
        keys = parse_key_set(jwks)
        with self._begin() as tx:
            registry = self._registry(tx)
            client = registry.hold(client_id)
            good = registry.replace_keys(client, keys, overlap=overlap, actor=actor)
            self._tell(tx, client)
        return good

    def remove_key(self, client_id: str, key_id: str, *, actor: str) -> None:
        """Stop a key at once: it may be known to others.

        Raises :class:`identity.errors.ClientUnknown` or
        :class:`identity.agencies.errors.ClientKeyUnknown`.
        """
        with self._begin() as tx:
            self._registry(tx).hold(client_id)
            if not ClientKeyTable(tx).end(client_id, key_id, self._clock()):
                raise ClientKeyUnknown(
                    f"Client {client_id} has no key {key_id!r} that authenticates; "
                    "`absah client keys` shows those it has."
                )
            self._audit.append(
                tx, action="client.key_removed", actor=actor, subject=client_id, facts={"key": key_id}
            )

    # --- their tokens --------------------------------------------------------------------------------

    def principal(self, claims: AccessClaims) -> Principal:
        """Who stands behind an access token. Raises :class:`identity.errors.TokenClientGone`.

        The client is looked up every time: disabling it, or taking a scope from it, counts from that moment.
        """
        with self._read() as tx:
            found = ClientTable(tx).with_agency(claims.client_id)
        if found is None or found[0].disabled_at is not None:
            raise TokenClientGone(
                "The client of this access token is no longer active. Ask your administrator."
            )
        client, agency = found
        if client.secret_hash is not None and not self._policy.secrets_allowed:
            raise TokenClientGone("The client of this access token has no key yet. Register one for it.")
        return Principal(client, agency, covered(claims.scopes, client.scopes))

    def _registry(self, tx: Connection) -> Registry:
        return Registry(tx, now=self._clock(), audit=self._audit, policy=self._policy)

    def _tell(self, tx: Connection, client: Client) -> None:
        if self._news is not None:
            self._news.changed(tx, client, self._clock())


def require_machine(actor: str) -> None:
    """Whoever owns the machine acts at once; people go through
    :class:`identity.agencies.changes.ClientChanges`, which knows what needs two of them.

    Raises :class:`identity.agencies.errors.SecondPersonNeeded`.
    """
    if is_person_id(actor):
        raise SecondPersonNeeded


def new_client(
    agency_id: str, name: str, scopes: Iterable[str], binding: Binding, *, is_sandbox: bool, now: datetime
) -> Client:
    """One that authenticates by keys. Raises :class:`identity.errors.ScopeInvalid` or ``NameInvalid``."""
    if binding is Binding.BEARER:
        raise NameInvalid("Tokens of a client with keys are bound: choose dpop or mtls.")
    return Client(
        new_client_id(), agency_id, checked_name(name), parse_scopes(scopes), is_sandbox, now, binding
    )


def checked_name(name: str) -> str:
    """Raises :class:`identity.errors.NameInvalid`."""
    if not 0 < len(name) <= 80 or not name.isprintable():
        raise NameInvalid("A client's name has 1 to 80 printable characters, such as 'licensing backend'.")
    return name


def parse_key_set(jwks: str) -> tuple[Jwk, ...]:
    """A JWK Set as JSON text. Raises :class:`identity.errors.JwkInvalid`."""
    if len(jwks) > 64 * 1024:
        raise JwkInvalid("The JWK Set is longer than 64 KiB.")
    try:
        document: dict[str, Any] = strict_json_object(jwks.encode())
    except ValueError as cause:
        raise JwkInvalid(f"The JWK Set is not JSON: {cause}.") from cause
    return parse_jwks(document)
