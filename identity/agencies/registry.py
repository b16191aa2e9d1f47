"""Changes of agencies' systems within a caller's transaction, each audited.

Whether they may be made was decided before: by :class:`identity.agencies.service.Agencies` for whoever owns
the machine, by :class:`identity.agencies.changes.ClientChanges` for people.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from identity.agencies.model import AgencyPolicy, Binding, Client, ClientKey
from identity.agencies.tables import ClientKeyTable, ClientTable
from identity.errors import ClientUnknown, JwkInvalid
from identity.jwks import MOST_KEYS, Jwk
from identity.ports import AuditTrail


class Registry:
    """The systems of agencies within one transaction. ``now`` is the transaction's one instant."""

    def __init__(self, tx: Connection, *, now: datetime, audit: AuditTrail, policy: AgencyPolicy) -> None:
        self._tx = tx
        self._now = now
        self._audit = audit
        self._policy = policy
        self._clients = ClientTable(tx)
        self._keys = ClientKeyTable(tx)

    def hold(self, client_id: str) -> Client:
        """One change of a system at a time: rules about it see all of it.

        Raises :class:`identity.errors.ClientUnknown`.
        """
        return existing(self._clients.get(client_id, hold=True), client_id)

    def good_keys(self, client_id: str) -> list[ClientKey]:
        """Those that authenticate now."""
        return self._keys.good(client_id, self._now)

    def add(self, client: Client, keys: Iterable[Jwk], *, actor: str) -> None:
        keys = list(keys)
        self._clients.add(client)
        self._keys.add(self._rows(client.id, keys))
        facts = {
            "keys": _named(keys),
            "agency": client.agency_id,
            "scopes": " ".join(sorted(client.scopes)),
            "sandbox": str(client.is_sandbox),
            "binding": client.binding.value,
        }
        self._audit.append(self._tx, action="client.added", actor=actor, subject=client.id, facts=facts)

    def set_scopes(self, client: Client, scopes: frozenset[str], *, actor: str) -> Client:
        if client.scopes == scopes:
            return client
        self._clients.set_scopes(client.id, scopes)
        facts = {"from": " ".join(sorted(client.scopes)), "to": " ".join(sorted(scopes))}
        self._audit.append(
            self._tx, action="client.scopes_changed", actor=actor, subject=client.id, facts=facts
        )
        return replace(client, scopes=scopes)

    def require_replaceable(self, client: Client, keys: Collection[Jwk]) -> dict[str, ClientKey]:
        """Whether ``keys`` can be the system's key set; returns all the keys that it ever had, by id.

        Raises :class:`identity.errors.JwkInvalid`.
        """
        had = {key.key_id: key for key in self._keys.of(client.id)}
        for key in keys:
            old = had.get(key.key_id or key.thumbprint)
            if old is not None:
                _require_same(old, key, self._now)
        return had

    def replace_keys(
        self, client: Client, keys: Collection[Jwk], *, overlap: timedelta | None, actor: str
    ) -> list[ClientKey]:
        """See :meth:`identity.agencies.service.Agencies.replace_keys`. The client is held.

        Raises :class:`identity.errors.JwkInvalid`.
        """
        had = self.require_replaceable(client, keys)
        wanted = {key.key_id or key.thumbprint: key for key in keys}
        ends_at = self._now + max(self._policy.key_overlap if overlap is None else overlap, timedelta(0))
        added = [key for key_id, key in wanted.items() if key_id not in had]
        for key_id in wanted.keys() & had.keys():
            self._keys.resume(client.id, key_id)
        left = [
            old
            for key_id, old in had.items()
            if key_id not in wanted
            and self._keys.end(client.id, key_id, min(ends_at, old.ends_at or ends_at))
        ]
        self._keys.add(self._rows(client.id, added))
        if client.secret_hash is not None:
            self._clients.drop_secret(client.id, Binding.DPOP)
        good = self.good_keys(client.id)
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
        self._audit.append(
            self._tx, action="client.keys_replaced", actor=actor, subject=client.id, facts=facts
        )
        return good

    def _rows(self, client_id: str, keys: Iterable[Jwk]) -> list[ClientKey]:
        return [
            ClientKey(
                client_id, key.key_id or key.thumbprint, key.algorithm, json.dumps(key.as_json()), self._now
            )
            for key in keys
        ]


def existing(client: Client | None, client_id: str) -> Client:
    """Raises :class:`identity.errors.ClientUnknown`."""
    if client is None:
        raise ClientUnknown(f"There is no client {client_id!r}; `absah client list` shows those there are.")
    return client


def _require_same(had: ClientKey, given: Jwk, now: datetime) -> None:
    """A kid means one key for ever; and a key that was stopped stays stopped."""
    stored: Mapping[str, str] = json.loads(had.jwk)
    if stored != given.as_json():
        raise JwkInvalid(
            f"The client had another key under the kid {had.key_id!r}. Give the new one a new kid."
        )
    if not had.is_good_at(now):
        raise JwkInvalid(f"The key {had.key_id!r} was removed. Make a new one.")


def _named(keys: Iterable[Jwk]) -> str:
    return " ".join(sorted(f"{key.key_id}={key.algorithm}" for key in keys))
