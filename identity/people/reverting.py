"""A mailbox that was replaced can take its account back, for a while.

Whoever has somebody's session for an hour could otherwise make the account's mail theirs for good: recovery
and every notice would go to them. The link goes to the old mailbox alone. Using it makes void what later
changes left behind, so that of a chain of mailboxes the oldest one that speaks up has the last word.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from identity.people.codes import CodePurpose, hash_code
from identity.people.errors import CodeInvalid
from identity.people.jobs import PeopleJobs
from identity.people.model import Person, PersonState
from identity.people.tables import CodeTable, PersonTable

_REVERTIBLE = frozenset({PersonState.ACTIVE, PersonState.SUSPENDED})
"""In others the mailbox could be a way into a set-up: that is for an officer."""


@dataclass(frozen=True, slots=True)
class Asking:
    """The login from which a change is asked for: when it began, and its methods (``amr``)."""

    since: datetime
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reverted:
    """Whose address is the old one again, and the login that had asked for another."""

    person_id: str
    asking: Asking


class Reverting(PeopleJobs):
    """A part of :class:`identity.people.service.People`."""

    def is_revertible(self, code: str) -> bool:
        """Whether the link from a notice still works, for the page that asks before it acts."""
        code_hash = hash_code(code)
        if code_hash is None:
            return False
        with self._read() as tx:
            found = CodeTable(tx).find(code_hash)
        return (
            found is not None
            and found.purpose is CodePurpose.REVERT
            and found.used_at is None
            and found.expires_at > self._clock()
        )

    def revert_email(self, tx: Connection, code: str) -> Reverted:
        """The old mailbox says that it was not its owner: its address is the account's again.

        Within the caller's transaction, which ends what is open and audits. Raises
        :class:`identity.people.errors.CodeInvalid`.
        """
        # 1. The link works once, and no later one works after it.
        claimed, payload = self._claimed(tx, code, CodePurpose.REVERT)
        assert claimed.person_id is not None
        CodeTable(tx).withdraw(
            claimed.person_id, CodePurpose.REVERT, self._clock(), made_since=claimed.created_at
        )
        # 2. Whose address it is by now.
        record, person = self._hold(tx, claimed.person_id)
        holder = PersonTable(tx).by_email(self._profiles.email_fingerprint(payload["email"]))
        if (holder is not None and holder.id != person.id) or person.state not in _REVERTIBLE:
            raise CodeInvalid
        # 3. The address. The mailbox that loses it hears of it: it may be the rightful one.
        self._store(tx, record, replace(person, email=payload["email"], email_confirmed_at=self._clock()))
        if person.confirmed_email != payload["email"]:
            self._mail(tx, person.confirmed_email, "email_reverted", person.language)
        return Reverted(person.id, _asking_in(payload))

    # --- parts of the jobs ---------------------------------------------------------------------------

    def _offer_revert(self, tx: Connection, person: Person, payload: dict[str, str]) -> None:
        """Write to the mailbox that ``person`` had until now. ``payload`` is that of the change."""
        assert person.confirmed_email is not None
        code, until = self._made_code(), self._clock() + self._policy.revert_lifetime
        CodeTable(tx).add(
            self._code_record(
                code,
                CodePurpose.REVERT,
                payload | {"email": person.confirmed_email},
                lifetime=self._policy.revert_lifetime,
                person_id=person.id,
            )
        )
        values = {"code": code.text, "until": until.isoformat(timespec="seconds")}
        self._mail(tx, person.confirmed_email, "email_changed", person.language, values)


def asking_payload(asking: Asking) -> dict[str, str]:
    """For the payload of a code, beside what else is in it."""
    return {"since": asking.since.isoformat(), "methods": " ".join(asking.methods)}


def _asking_in(payload: dict[str, str]) -> Asking:
    return Asking(datetime.fromisoformat(payload["since"]), tuple(payload["methods"].split()))
