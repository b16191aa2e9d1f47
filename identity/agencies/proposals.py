"""What an administrator asks for on behalf of an agency, and a second person has to confirm. Pure.

One administrator alone could register a system whose keys only they hold, and issue false documents with it.
So whatever lets a system of an agency do more for real documents waits for a second pair of eyes: another
administrator of that agency, or an auditor. Taking away never waits, and neither do sandbox systems, whose
documents are samples for ever.

PROPOSED → CONFIRMED, WITHDRAWN or LAPSED, once.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from identity.agencies.errors import ProposalNotOpen, ProposerGone
from identity.agencies.model import Binding, Client, ClientKey, covered
from identity.jwks import Jwk, parse_jwks
from identity.operators.errors import FourEyesNeeded, RoleMissing
from identity.operators.model import Grant, GrantState, Powers, Role


class ProposalKind(StrEnum):
    """Values are stored and audited."""

    SYSTEM = "system"
    KEYS = "keys"
    SCOPES = "scopes"


@dataclass(frozen=True, slots=True)
class NewSystem:
    """A system that does not exist yet, for real documents."""

    kind: ClassVar[ProposalKind] = ProposalKind.SYSTEM
    name: str
    scopes: frozenset[str]
    binding: Binding
    keys: tuple[Jwk, ...]

    def content(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "scopes": sorted(self.scopes),
            "binding": self.binding.value,
            "keys": [key.as_json() for key in self.keys],
        }

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> NewSystem:
        return cls(
            content["name"],
            frozenset(content["scopes"]),
            Binding(content["binding"]),
            parse_jwks({"keys": content["keys"]}),
        )


@dataclass(frozen=True, slots=True)
class NewKeys:
    """A complete key set in the place of the present one; ``at_once`` ends the old keys without overlap."""

    kind: ClassVar[ProposalKind] = ProposalKind.KEYS
    keys: tuple[Jwk, ...]
    at_once: bool

    def content(self) -> dict[str, Any]:
        return {"keys": [key.as_json() for key in self.keys], "at_once": self.at_once}

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> NewKeys:
        return cls(parse_jwks({"keys": content["keys"]}), bool(content["at_once"]))


@dataclass(frozen=True, slots=True)
class NewScopes:
    """All that a system may do from then on."""

    kind: ClassVar[ProposalKind] = ProposalKind.SCOPES
    scopes: frozenset[str]

    def content(self) -> dict[str, Any]:
        return {"scopes": sorted(self.scopes)}

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> NewScopes:
        return cls(frozenset(content["scopes"]))


Change = NewSystem | NewKeys | NewScopes


def read_change(kind: ProposalKind, content: Mapping[str, Any]) -> Change:
    """The reverse of ``content()``."""
    match kind:
        case ProposalKind.SYSTEM:
            return NewSystem.read(content)
        case ProposalKind.KEYS:
            return NewKeys.read(content)
        case ProposalKind.SCOPES:
            return NewScopes.read(content)


class ProposalState(StrEnum):
    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that waits, or waited. ``proposed_by`` and ``decided_by`` are person ids.

    ``client_id`` of a new system is the one that it will have: nobody finds a client by it before.
    """

    id: str
    agency_id: str
    client_id: str
    change: Change
    state: ProposalState
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over all that was proposed, by whom and when. The audit trail has it too."""
        return _digest(
            {
                "proposal": self.id,
                "agency": self.agency_id,
                "client": self.client_id,
                "kind": self.change.kind.value,
                "content": self.change.content(),
                "by": self.proposed_by,
                "at": self.proposed_at.isoformat(),
                "until": self.expires_at.isoformat(),
            }
        )

    def is_open_at(self, now: datetime) -> bool:
        return self.state is ProposalState.PROPOSED and now < self.expires_at

    def require_second(self, confirmer: Powers, now: datetime) -> None:
        """Whether these are the second pair of eyes: another administrator of the agency, or an auditor.

        Raises :class:`ProposalNotOpen`, :class:`identity.operators.errors.FourEyesNeeded` or ``RoleMissing``.
        """
        if not self.is_open_at(now):
            raise ProposalNotOpen
        if confirmer.person_id == self.proposed_by:
            raise FourEyesNeeded
        require_overseer(confirmer, self.agency_id)

    def require_proposer(self, grants: Iterable[Grant]) -> None:
        """Whether who proposed this still holds the very role that it was proposed under.

        ``grants`` are those of the proposer. One that was confirmed anew since does not count: the account
        changed hands in between, or the role was taken away for a reason. Raises :class:`ProposerGone`.
        """
        for grant in grants:
            if (
                (grant.role, grant.agency_id) == (Role.AGENCY_ADMINISTRATOR, self.agency_id)
                and grant.state is GrantState.ACTIVE
                and grant.confirmed_at is not None
                and grant.confirmed_at <= self.proposed_at
            ):
                return
        raise ProposerGone


def require_overseer(powers: Powers, agency_id: str) -> None:
    """Whoever sees, confirms and withdraws what waits for an agency.

    Raises :class:`identity.operators.errors.RoleMissing`.
    """
    if not powers.has(Role.AUDITOR) and not powers.has(Role.AGENCY_ADMINISTRATOR, agency_id):
        raise RoleMissing


@dataclass(frozen=True, slots=True)
class Review:
    """A proposal beside the system as it is now: what somebody looks at before they confirm.

    ``client`` is None for a system that does not exist yet; ``keys`` are those that authenticate now.
    """

    proposal: Proposal
    client: Client | None
    keys: tuple[ClientKey, ...]

    @property
    def seen(self) -> str:
        """SHA-256 (hex) over the proposal and what it would change: whoever confirms, confirms this."""
        client = None
        if self.client is not None:
            client = {
                "scopes": sorted(self.client.scopes),
                "binding": self.client.binding.value,
                "secret": self.client.secret_hash is not None,
                "disabled": self.client.disabled_at is not None,
                "keys": sorted([key.key_id, key.jwk, key.ends_at is not None] for key in self.keys),
            }
        return _digest({"proposal": self.proposal.digest, "client": client})

    @property
    def name(self) -> str:
        """Of the system."""
        if isinstance(self.proposal.change, NewSystem):
            return self.proposal.change.name
        return "" if self.client is None else self.client.name

    @property
    def gained_keys(self) -> tuple[Jwk, ...]:
        """That authenticate when this is confirmed, and do not, or not for long, today."""
        match self.proposal.change:
            case NewSystem(keys=keys) | NewKeys(keys=keys):
                return tuple(key for key in keys if _key_id(key) not in lasting(self.keys))
            case NewScopes():
                return ()

    @property
    def lost_keys(self) -> tuple[ClientKey, ...]:
        """That authenticate today and go."""
        match self.proposal.change:
            case NewKeys(keys=keys):
                wanted = {_key_id(key) for key in keys}
                return tuple(key for key in self.keys if key.key_id not in wanted)
            case NewSystem() | NewScopes():
                return ()

    @property
    def gained_scopes(self) -> tuple[str, ...]:
        match self.proposal.change:
            case NewSystem(scopes=wanted) | NewScopes(scopes=wanted):
                return tuple(sorted(wanted - (self.client.scopes if self.client else frozenset())))
            case NewKeys():
                return ()

    @property
    def lost_scopes(self) -> tuple[str, ...]:
        match self.proposal.change:
            case NewScopes(scopes=wanted) if self.client is not None:
                return tuple(sorted(self.client.scopes - wanted))
            case _:
                return ()


def widens_scopes(wanted: frozenset[str], held: frozenset[str]) -> bool:
    """Whether there is anything in ``wanted`` that ``held`` does not reach already."""
    return covered(wanted, held) != wanted


def widens_keys(wanted: Collection[Jwk], had: Iterable[ClientKey]) -> bool:
    """Whether a key authenticates under the new set that does not under the old, or for longer."""
    staying = lasting(had)
    return any(_key_id(key) not in staying for key in wanted)


def lasting(keys: Iterable[ClientKey]) -> frozenset[str]:
    """The ids of the keys that have no end."""
    return frozenset(key.key_id for key in keys if key.ends_at is None)


def new_proposal(
    change: Change, *, agency_id: str, client_id: str, by: str, now: datetime, life: timedelta
) -> Proposal:
    return Proposal(
        id=f"proposal-{secrets.token_hex(12)}",
        agency_id=agency_id,
        client_id=client_id,
        change=change,
        state=ProposalState.PROPOSED,
        proposed_by=by,
        proposed_at=now,
        expires_at=now + life,
    )


def facts_of(change: Change) -> dict[str, str]:
    """For the audit trail: keys by thumbprint (RFC 7638), so that they are known even if their ids lie."""
    facts = {"change": change.kind.value}
    if not isinstance(change, NewScopes):
        facts["keys"] = " ".join(sorted(f"{key.thumbprint}={key.algorithm}" for key in change.keys))
    if not isinstance(change, NewKeys):
        facts["scopes"] = " ".join(sorted(change.scopes))
    if isinstance(change, NewSystem):
        facts["binding"] = change.binding.value
    return facts


def _key_id(key: Jwk) -> str:
    return key.key_id or key.thumbprint


def _digest(facts: Mapping[str, Any]) -> str:
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
