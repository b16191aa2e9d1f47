"""The jobs of people around agencies' systems: what gives a system more takes two of them.

What may be done by one person happens at once; everything else becomes a
:class:`identity.agencies.proposals.Proposal` and happens when somebody else confirms it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from identity.agencies.errors import (
    ClientShut,
    ProposalChanged,
    ProposalNotOpen,
    ProposalUnknown,
    ProposalWaits,
    ProposerGone,
)
from identity.agencies.model import AgencyPolicy, Binding, Client, parse_scopes
from identity.agencies.news import ClientNews
from identity.agencies.proposal_tables import ProposalTable
from identity.agencies.proposals import (
    Change,
    NewKeys,
    NewScopes,
    NewSystem,
    Proposal,
    ProposalState,
    Review,
    facts_of,
    new_proposal,
    require_overseer,
    widens_keys,
    widens_scopes,
)
from identity.agencies.registry import Registry
from identity.agencies.service import new_client, parse_key_set
from identity.agencies.tables import ClientKeyTable, ClientTable
from identity.operators.model import Powers, Role, powers_of
from identity.operators.tables import GrantTable
from identity.people.model import PersonState
from identity.people.tables import PersonTable
from identity.ports import AuditTrail, Begin, Clock

UPKEEP = "upkeep"


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a request: ``proposal`` is None where it took effect at once."""

    client_id: str
    proposal: Proposal | None = None


class ClientChanges:
    """Safe to share between threads and processes. ``read`` opens read-only transactions.

    Roles are looked up inside each transaction, whatever the caller has checked before.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditTrail,
        news: ClientNews,
        policy: AgencyPolicy,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._news = news
        self._policy = policy

    # --- asking --------------------------------------------------------------------------------------

    def register(
        self,
        agency_id: str,
        *,
        name: str,
        scopes: Iterable[str],
        jwks: str,
        binding: Binding = Binding.DPOP,
        is_sandbox: bool = False,
        actor: str,
    ) -> Asked:
        """A new system: at once where it is a sandbox, else once it is confirmed.

        Raises :class:`identity.operators.errors.RoleMissing`, :class:`identity.errors.ScopeInvalid`,
        ``NameInvalid`` or ``JwkInvalid``.
        """
        keys, now = parse_key_set(jwks), self._clock()
        client = new_client(agency_id, name, scopes, binding, is_sandbox=is_sandbox, now=now)
        with self._begin() as tx:
            _powers(tx, actor).require(Role.AGENCY_ADMINISTRATOR, agency_id)
            if is_sandbox:
                self._registry(tx, now).add(client, keys, actor=actor)
                return Asked(client.id)
            change = NewSystem(client.name, client.scopes, client.binding, keys)
            return self._propose(tx, change, agency_id=agency_id, client_id=client.id, now=now, actor=actor)

    def replace_keys(self, client_id: str, jwks: str, *, at_once: bool = False, actor: str) -> Asked:
        """A complete new key set. One that only leaves keys out takes effect at once.

        Raises :class:`identity.operators.errors.RoleMissing`, :class:`identity.errors.ClientUnknown`,
        ``JwkInvalid``, or ``ClientShut`` or ``ProposalWaits`` of :mod:`identity.agencies.errors`.
        """
        keys, now = parse_key_set(jwks), self._clock()
        with self._begin() as tx:
            registry = self._registry(tx, now)
            client = self._held(tx, registry, client_id, actor)
            if client.is_sandbox or not widens_keys(keys, registry.good_keys(client_id)):
                overlap = timedelta(0) if at_once else None
                registry.replace_keys(client, keys, overlap=overlap, actor=actor)
                return Asked(client_id)
            registry.require_replaceable(client, keys)
            return self._propose(
                tx,
                NewKeys(keys, at_once),
                agency_id=client.agency_id,
                client_id=client_id,
                now=now,
                actor=actor,
            )

    def change_scopes(self, client_id: str, scopes: Iterable[str], *, actor: str) -> Asked:
        """All that the system may do from then on. Scopes that only become fewer do so at once.

        Raises :class:`identity.operators.errors.RoleMissing`, :class:`identity.errors.ClientUnknown`,
        ``ScopeInvalid``, or ``ClientShut`` or ``ProposalWaits`` of :mod:`identity.agencies.errors`.
        """
        wanted, now = parse_scopes(scopes), self._clock()
        with self._begin() as tx:
            registry = self._registry(tx, now)
            client = self._held(tx, registry, client_id, actor)
            if client.is_sandbox or not widens_scopes(wanted, client.scopes):
                registry.set_scopes(client, wanted, actor=actor)
                return Asked(client_id)
            return self._propose(
                tx,
                NewScopes(wanted),
                agency_id=client.agency_id,
                client_id=client_id,
                now=now,
                actor=actor,
            )

    # --- deciding ------------------------------------------------------------------------------------

    def waiting(self, agency_id: str | None = None) -> list[Review]:
        """What waits, of one agency or of all, oldest first."""
        now = self._clock()
        with self._read() as tx:
            return [
                _review(tx, proposal, now) for proposal in ProposalTable(tx).open(now, agency_id=agency_id)
            ]

    def review(self, proposal_id: str) -> Review:
        """One proposal, decided ones too, beside its system as it is now. Raises ``ProposalUnknown``."""
        with self._read() as tx:
            return _review(tx, _existing(ProposalTable(tx).get(proposal_id)), self._clock())

    def confirm(self, proposal_id: str, *, seen: str, confirmer_id: str) -> Proposal:
        """The second pair of eyes. ``seen`` is :attr:`Review.seen` of what they looked at.

        Raises ``ProposalUnknown``, ``ProposalNotOpen``, ``ProposerGone`` or ``ProposalChanged`` of
        :mod:`identity.agencies.errors`, :class:`identity.operators.errors.FourEyesNeeded` or ``RoleMissing``,
        or :class:`identity.errors.JwkInvalid`.
        """
        now = self._clock()
        with self._begin() as tx:
            # 1. Everything that the decision rests on stands still: the system, the proposal, the roles.
            review = self._held_review(tx, proposal_id, now)
            proposal = review.proposal
            GrantTable(tx).keep(proposal.proposed_by, confirmer_id)
            # 2. Who: another one who may, and a proposer who still might.
            proposal.require_second(_powers(tx, confirmer_id), now)
            _require_proposer(tx, proposal)
            # 3. What: exactly what was looked at.
            if not hmac.compare_digest(review.seen.encode(), seen.encode()):
                raise ProposalChanged
            # 4. Once.
            if not ProposalTable(tx).decide(proposal.id, ProposalState.CONFIRMED, by=confirmer_id, at=now):
                raise ProposalNotOpen
            # 5. The effect, and who is told.
            self._carry_out(self._registry(tx, now), review, now, confirmer_id)
            self._news.confirmed(tx, review, now)
            self._note(
                tx, "client.confirmed", proposal, actor=confirmer_id, facts={"by": proposal.proposed_by}
            )
        return _decided(proposal, ProposalState.CONFIRMED, confirmer_id, now)

    def withdraw(self, proposal_id: str, *, actor: str) -> Proposal:
        """Take a proposal back, or turn it down: any administrator of the agency, and any auditor.

        Raises ``ProposalUnknown`` or ``ProposalNotOpen`` of :mod:`identity.agencies.errors`, or
        :class:`identity.operators.errors.RoleMissing`.
        """
        now = self._clock()
        with self._begin() as tx:
            proposal = self._held_review(tx, proposal_id, now).proposal
            require_overseer(_powers(tx, actor), proposal.agency_id)
            if not proposal.is_open_at(now) or not ProposalTable(tx).decide(
                proposal.id, ProposalState.WITHDRAWN, by=actor, at=now
            ):
                raise ProposalNotOpen
            self._note(tx, "client.proposal_withdrawn", proposal, actor=actor)
        return _decided(proposal, ProposalState.WITHDRAWN, actor, now)

    def lapse(self) -> int:
        """Write down which proposals waited too long to be confirmed. Returns how many."""
        now, lapsed = self._clock(), 0
        with self._begin() as tx:
            for proposal in ProposalTable(tx).overdue(now):
                if ProposalTable(tx).decide(proposal.id, ProposalState.LAPSED, by=UPKEEP, at=now):
                    self._note(tx, "client.proposal_lapsed", proposal, actor=UPKEEP)
                    lapsed += 1
        return lapsed

    # --- inside --------------------------------------------------------------------------------------

    def _registry(self, tx: Connection, now: datetime) -> Registry:
        return Registry(tx, now=now, audit=self._audit, policy=self._policy)

    def _held(self, tx: Connection, registry: Registry, client_id: str, actor: str) -> Client:
        """The system, standing still, if ``actor`` administers its agency and it is not shut."""
        client = registry.hold(client_id)
        _powers(tx, actor).require(Role.AGENCY_ADMINISTRATOR, client.agency_id)
        if client.disabled_at is not None:
            raise ClientShut
        return client

    def _propose(
        self,
        tx: Connection,
        change: Change,
        *,
        agency_id: str,
        client_id: str,
        now: datetime,
        actor: str,
    ) -> Asked:
        table = ProposalTable(tx)
        if any(waiting.change.kind is change.kind for waiting in table.open_of(client_id, now)):
            raise ProposalWaits
        proposal = new_proposal(
            change,
            agency_id=agency_id,
            client_id=client_id,
            by=actor,
            now=now,
            life=self._policy.proposal_life,
        )
        table.add(proposal)
        self._news.proposed(tx, _review(tx, proposal, now))
        self._note(tx, "client.proposed", proposal, actor=actor, facts=facts_of(change))
        return Asked(client_id, proposal)

    def _held_review(self, tx: Connection, proposal_id: str, now: datetime) -> Review:
        """Locks in one order for everybody: the system, then the proposal (which is read again then)."""
        table = ProposalTable(tx)
        ClientTable(tx).get(_existing(table.get(proposal_id)).client_id, hold=True)
        return _review(tx, _existing(table.get(proposal_id, hold=True)), now)

    def _carry_out(self, registry: Registry, review: Review, now: datetime, actor: str) -> None:
        proposal = review.proposal
        match proposal.change:
            case NewSystem(name=name, scopes=scopes, binding=binding, keys=keys):
                made = Client(proposal.client_id, proposal.agency_id, name, scopes, False, now, binding)
                registry.add(made, keys, actor=actor)
            case NewKeys(keys=keys, at_once=at_once):
                overlap = timedelta(0) if at_once else None
                registry.replace_keys(_shown(review), keys, overlap=overlap, actor=actor)
            case NewScopes(scopes=scopes):
                registry.set_scopes(_shown(review), scopes, actor=actor)

    def _note(
        self,
        tx: Connection,
        action: str,
        proposal: Proposal,
        *,
        actor: str,
        facts: dict[str, str] | None = None,
    ) -> None:
        named = {"proposal": proposal.id, "digest": proposal.digest, "agency": proposal.agency_id}
        self._audit.append(
            tx, action=action, actor=actor, subject=proposal.client_id, facts=named | (facts or {})
        )


def _powers(tx: Connection, person_id: str) -> Powers:
    return powers_of(person_id, GrantTable(tx).open_of(person_id))


def _require_proposer(tx: Connection, proposal: Proposal) -> None:
    person = PersonTable(tx).get(proposal.proposed_by)
    if person is None or person.state is not PersonState.ACTIVE:
        raise ProposerGone
    proposal.require_proposer(GrantTable(tx).open_of(proposal.proposed_by))


def _review(tx: Connection, proposal: Proposal, now: datetime) -> Review:
    client = ClientTable(tx).get(proposal.client_id)
    return Review(proposal, client, tuple(ClientKeyTable(tx).good(proposal.client_id, now)))


def _shown(review: Review) -> Client:
    """A system that was there to be proposed for is there to be changed: clients are never deleted."""
    if review.client is None or review.client.disabled_at is not None:
        raise ProposalNotOpen
    return review.client


def _existing(proposal: Proposal | None) -> Proposal:
    if proposal is None:
        raise ProposalUnknown
    return proposal


def _decided(proposal: Proposal, state: ProposalState, by: str, at: datetime) -> Proposal:
    return replace(proposal, state=state, decided_by=by, decided_at=at)
