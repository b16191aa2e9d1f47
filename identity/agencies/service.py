"""The jobs around agencies and their systems: register them, change what they may, honour their tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from identity.access import AccessClaims
from identity.agencies.errors import ClientKeyUnknown, SecretsNotIssued
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
from identity.agencies.tables import AgencyTable, ClientKeyTable, ClientTable
from identity.encoding import strict_json_object
from identity.errors import (
    AgencyExists,
    AgencyUnknown,
    ClientUnknown,
    JwkInvalid,
    NameInvalid,
    TokenClientGone,
)
from identity.jwks import MOST_KEYS, Jwk, parse_jwks
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

    Every change is audited under its ``actor``; whether that actor may do it is for the caller to have
    decided.
    """

    def __init__(
        self, *, begin: Begin, read: Begin, clock: Clock, audit: AuditTrail, policy: AgencyPolicy
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._policy = policy

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
        keys = parse_key_set(jwks)
        if binding is Binding.BEARER:
            raise NameInvalid("Tokens of a client with keys are bound: choose dpop or mtls.")
        client = self._new_client(agency_id, name, scopes, is_sandbox, binding)
        with self._begin() as tx:
            ClientTable(tx).add(client)
            ClientKeyTable(tx).add(_rows(client.id, keys, self._clock()))
            self._added(tx, client, actor, {"keys": _named(keys)})
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
        secret = new_secret()
        made = self._new_client(agency_id, name, scopes, is_sandbox, Binding.BEARER)
        client = replace(made, secret_hash=hash_secret(secret))
        with self._begin() as tx:
            ClientTable(tx).add(client)
            self._added(tx, client, actor, {"keys": ""})
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
            return _existing(tx, client_id)

    def change_scopes(self, client_id: str, scopes: Iterable[str], *, actor: str) -> Client:
        """Takes effect at once: what is taken away is taken from tokens already handed out too.

        Raises :class:`identity.errors.ClientUnknown` or ``ScopeInvalid``.
        """
        granted = parse_scopes(scopes)
        with self._begin() as tx:
            client = _existing(tx, client_id)
            if client.scopes == granted:
                return client
            ClientTable(tx).set_scopes(client_id, granted)
            facts = {"from": " ".join(sorted(client.scopes)), "to": " ".join(sorted(granted))}
            self._audit.append(
                tx, action="client.scopes_changed", actor=actor, subject=client_id, facts=facts
            )
        return replace(client, scopes=granted)

    def disable_client(self, client_id: str, *, actor: str) -> Client:
        """Takes effect at once, for tokens already handed out too. Repeating it changes nothing.

        Raises :class:`identity.errors.ClientUnknown`.
        """
        now = self._clock()
        with self._begin() as tx:
            client = _existing(tx, client_id)
            if not ClientTable(tx).disable(client_id, now):
                return client
            self._audit.append(tx, action="client.disabled", actor=actor, subject=client_id)
        return replace(client, disabled_at=now)

    # --- their keys ----------------------------------------------------------------------------------

    def keys(self, client_id: str) -> list[ClientKey]:
        """All that the client ever had, oldest first. Raises :class:`identity.errors.ClientUnknown`."""
        with self._read() as tx:
            _existing(tx, client_id)
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
        wanted = {key.key_id or key.thumbprint: key for key in parse_key_set(jwks)}
        now = self._clock()
        ends_at = now + max(self._policy.key_overlap if overlap is None else overlap, timedelta(0))
        with _one_at_a_time(), self._begin() as tx:
            client, table = _existing(tx, client_id), ClientKeyTable(tx)
            had = {key.key_id: key for key in table.of(client_id)}
            added = [key for key_id, key in wanted.items() if key_id not in had]
            kept = [had[key_id] for key_id in wanted.keys() & had.keys()]
            for old in kept:
                _require_same(old, wanted[old.key_id], now)
                table.resume(client_id, old.key_id)
            left = [
                old
                for key_id, old in had.items()
                if key_id not in wanted and table.end(client_id, key_id, min(ends_at, old.ends_at or ends_at))
            ]
            table.add(_rows(client_id, added, now))
            if client.secret_hash is not None:
                ClientTable(tx).drop_secret(client_id, Binding.DPOP)
            good = table.good(client_id, now)
            if len(good) > 2 * MOST_KEYS:
                raise JwkInvalid(
                    f"The client has {len(good)} keys that authenticate, those that are being replaced "
                    "included. Wait for the overlap to end, or give none."
                )
            facts = {
                "added": _named(added),
                "left": " ".join(sorted(key.key_id for key in left)),
                "left_until": ends_at.isoformat() if left else "",
            }
            self._audit.append(tx, action="client.keys_replaced", actor=actor, subject=client_id, facts=facts)
        return good

    def remove_key(self, client_id: str, key_id: str, *, actor: str) -> None:
        """Stop a key at once: it may be known to others.

        Raises :class:`identity.errors.ClientUnknown` or
        :class:`identity.agencies.errors.ClientKeyUnknown`.
        """
        with self._begin() as tx:
            _existing(tx, client_id)
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

    def _new_client(
        self, agency_id: str, name: str, scopes: Iterable[str], is_sandbox: bool, binding: Binding
    ) -> Client:
        granted = parse_scopes(scopes)
        if not 0 < len(name) <= 80 or not name.isprintable():
            raise NameInvalid(
                "A client's name has 1 to 80 printable characters, such as 'licensing backend'."
            )
        agency = self.agency(agency_id)
        return Client(new_client_id(), agency.id, name, granted, is_sandbox, self._clock(), binding)

    def _added(self, tx: Connection, client: Client, actor: str, facts: dict[str, str]) -> None:
        facts |= {
            "agency": client.agency_id,
            "scopes": " ".join(sorted(client.scopes)),
            "sandbox": str(client.is_sandbox),
            "binding": client.binding.value,
        }
        self._audit.append(tx, action="client.added", actor=actor, subject=client.id, facts=facts)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two replacements at the same moment: the second finds a kid there that it did not see."""
    try:
        yield
    except IntegrityError as cause:
        raise JwkInvalid("The client's keys were changed at the same moment. Look at them again.") from cause


def parse_key_set(jwks: str) -> tuple[Jwk, ...]:
    """A JWK Set as JSON text. Raises :class:`identity.errors.JwkInvalid`."""
    if len(jwks) > 64 * 1024:
        raise JwkInvalid("The JWK Set is longer than 64 KiB.")
    try:
        document: dict[str, Any] = strict_json_object(jwks.encode())
    except ValueError as cause:
        raise JwkInvalid(f"The JWK Set is not JSON: {cause}.") from cause
    return parse_jwks(document)


def _existing(tx: Connection, client_id: str) -> Client:
    client = ClientTable(tx).get(client_id)
    if client is None:
        raise ClientUnknown(f"There is no client {client_id!r}; `absah client list` shows those there are.")
    return client


def _rows(client_id: str, keys: Iterable[Jwk], now: datetime) -> list[ClientKey]:
    return [
        ClientKey(client_id, key.key_id or key.thumbprint, key.algorithm, json.dumps(key.as_json()), now)
        for key in keys
    ]


def _require_same(had: ClientKey, given: Jwk, now: datetime) -> None:
    """A kid means one key for ever; and a key that was stopped stays stopped."""
    if json.loads(had.jwk) != given.as_json():
        raise JwkInvalid(
            f"The client had another key under the kid {had.key_id!r}. Give the new one a new kid."
        )
    if not had.is_good_at(now):
        raise JwkInvalid(f"The key {had.key_id!r} was removed. Make a new one.")


def _named(keys: Iterable[Jwk]) -> str:
    return " ".join(sorted(f"{key.key_id}={key.algorithm}" for key in keys))
