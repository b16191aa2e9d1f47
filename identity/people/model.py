"""People, their accounts' states and how well we know who they are. Pure.

::

    register, confirm_email ──► REGISTERED ──complete──► ACTIVE ◄──resume── SUSPENDED
                                    ▲  ▲                 │    └──suspend────────▲
    open_proofed ──► INVITED ─activate └────resume───────┼──────────────────────┘
                        ▲───────────invite_again─────────┘        every state ──► ERASED

* INVITED: opened at a counter; the activation code was not used yet.
* REGISTERED: the mailbox or the activation code was shown to be theirs; factors are still to be set up.
* ACTIVE: factors are complete. **Only ACTIVE people log in.**
* SUSPENDED: nothing opens until an operator resumes it.
* ERASED: an id without a person, so that the audit trail and the records of others still point somewhere.

How sure we are of the identity (``ProofingLevel``, claim ``ial``) is one thing, how somebody logs in (claim
``acr``) another.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from identity.people.errors import PersonStateForbids
from identity.people.nik import Nik

LANGUAGES: Final = ("id", "en")


class PersonState(StrEnum):
    REGISTERED = "registered"
    INVITED = "invited"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ERASED = "erased"


TRANSITIONS: Final[Mapping[PersonState, frozenset[PersonState]]] = {
    PersonState.INVITED: frozenset({PersonState.REGISTERED, PersonState.ERASED}),
    PersonState.REGISTERED: frozenset(
        {PersonState.ACTIVE, PersonState.INVITED, PersonState.SUSPENDED, PersonState.ERASED}
    ),
    PersonState.ACTIVE: frozenset({PersonState.SUSPENDED, PersonState.INVITED, PersonState.ERASED}),
    PersonState.SUSPENDED: frozenset({PersonState.ACTIVE, PersonState.REGISTERED, PersonState.ERASED}),
    PersonState.ERASED: frozenset(),
}


class ProofingLevel(StrEnum):
    """The claim ``ial``. Ordered: ``ial0 < ial1 < ial2`` (text order is the order)."""

    IAL0 = "ial0"  # what the person says
    IAL1 = "ial1"  # the population registry confirms the facts
    IAL2 = "ial2"  # an officer saw the person and the identity card


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever has an account. ``name``, ``email``, ``nik`` and ``birth_date`` stay out of ``repr``.

    ``email_confirmed_at`` None means that nobody showed yet that the mailbox is theirs: such an address is
    not found by :meth:`identity.people.service.People.find`, and gets no notice that reveals anything.
    ``activated_at`` is when factors were complete for the first time.
    """

    id: str
    state: PersonState
    proofing: ProofingLevel
    language: str
    name: str = field(repr=False)
    email: str | None = field(repr=False)
    email_confirmed_at: datetime | None
    nik: Nik | None
    birth_date: date | None = field(repr=False)
    created_at: datetime
    activated_at: datetime | None = None

    def require_move(self, target: PersonState) -> None:
        """Raises :class:`identity.people.errors.PersonStateForbids` when there is no such transition."""
        if target not in TRANSITIONS[self.state]:
            raise PersonStateForbids(
                f"An account that is {self.state} cannot become {target}. Look at its state again."
            )

    @property
    def confirmed_email(self) -> str | None:
        """Where notices go: None unless the mailbox was shown to be theirs."""
        return self.email if self.email_confirmed_at is not None else None


_PERSON: Final = "person-"


def new_person_id() -> str:
    """128 random bits. It is no secret, and says nothing about anybody."""
    return f"{_PERSON}{secrets.token_hex(16)}"


def is_person_id(actor: str) -> bool:
    """Whether an actor of the audit trail is a person, rather than the command line or the service itself."""
    return actor.startswith(_PERSON)
