"""What all jobs on people share: their ports, one transaction that settles races, codes and mails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from identity.people.codes import CodePurpose, hash_code, new_code
from identity.people.errors import CodeInvalid, PersonChanged, PersonUnknown
from identity.people.model import Person, PersonState
from identity.people.policy import PeoplePolicy
from identity.people.profiles import Profiles
from identity.people.tables import AttemptTable, CodeRecord, CodeTable, MailSlot, PersonRecord, PersonTable
from identity.ports import AuditTrail, Begin, Clock, Outbox, PersonHook, PopulationRegistry, Vault

Result = TypeVar("Result")
_ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True, repr=False)
class MadeCode:
    """A code in its two forms. ``text`` goes to its reader and is kept nowhere."""

    text: str
    hash: bytes


class PeopleJobs:
    """``read`` opens read-only transactions. Safe to share between threads.

    ``registry`` None means that nobody can be confirmed without a counter. ``endings`` take away what is open
    in somebody's name (sessions, tokens of portals) when the account is suspended or invited again;
    ``lowered`` what needs somebody to be known better than they are from now on (roles).
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditTrail,
        vault: Vault,
        outbox: Outbox,
        registry: PopulationRegistry | None = None,
        policy: PeoplePolicy | None = None,
        endings: Sequence[PersonHook] = (),
        lowered: Sequence[PersonHook] = (),
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._profiles = Profiles(vault)
        self._outbox = outbox
        self._registry = registry
        self._policy = policy or PeoplePolicy()
        self._endings = tuple(endings)
        self._lowered = tuple(lowered)

    # --- for the jobs --------------------------------------------------------------------------------

    def _settle(self, job: Callable[[Connection], Result]) -> Result:
        """Run ``job`` in a transaction, again when somebody else's came in between.

        A second run sees what the other left and decides anew: a fingerprint that was free belongs to
        somebody now. Nothing of a run that failed is left, mails and audit entries included. Raises
        :class:`identity.people.errors.PersonChanged` when that goes on and on.
        """
        for _ in range(_ATTEMPTS):
            try:
                with self._begin() as tx:
                    return job(tx)
            except (PersonChanged, IntegrityError):
                continue
        raise PersonChanged

    def _load(self, tx: Connection, person_id: str) -> tuple[PersonRecord, Person]:
        """To look at. Raises :class:`identity.people.errors.PersonUnknown`; erased people are unknown."""
        return self._known(PersonTable(tx).get(person_id))

    def _hold(self, tx: Connection, person_id: str) -> tuple[PersonRecord, Person]:
        """To change: see :meth:`identity.people.tables.PersonTable.hold`. Raises ``PersonUnknown``."""
        return self._known(PersonTable(tx).hold(person_id))

    def _known(self, record: PersonRecord | None) -> tuple[PersonRecord, Person]:
        if record is None or record.state is PersonState.ERASED:
            raise PersonUnknown
        return record, self._profiles.person(record)

    def _store(
        self, tx: Connection, over: PersonRecord, person: Person, *, now: datetime | None = None
    ) -> None:
        if not PersonTable(tx).change(self._profiles.record(person, over, now=now or self._clock())):
            raise PersonChanged

    def _erase(self, tx: Connection, record: PersonRecord) -> None:
        """Everything personal of an account is gone: the sealed profile, its fingerprints, its codes."""
        if not PersonTable(tx).change(record.erased(self._clock())):
            raise PersonChanged
        CodeTable(tx).forget(record.id)
        if record.email_fingerprint is not None:
            CodeTable(tx).forget_address(record.email_fingerprint)
        AttemptTable(tx).forget(record.id)

    def _made_code(self) -> MadeCode:
        text = new_code()
        code_hash = hash_code(text)
        assert code_hash is not None
        return MadeCode(text, code_hash)

    def _code_record(
        self,
        code: MadeCode,
        purpose: CodePurpose,
        payload: Mapping[str, str],
        *,
        lifetime: timedelta,
        person_id: str | None = None,
        slot: MailSlot | None = None,
    ) -> CodeRecord:
        now = self._clock()
        return CodeRecord(
            code_hash=code.hash,
            purpose=purpose,
            person_id=person_id,
            slot=slot,
            payload=self._profiles.sealed(payload, context=code.hash.hex()),
            created_at=now,
            expires_at=now + lifetime,
        )

    def _claimed(
        self, tx: Connection, typed: str, *purposes: CodePurpose
    ) -> tuple[CodeRecord, dict[str, str]]:
        """Use a code up and open what it brings about. Raises :class:`identity.people.errors.CodeInvalid`."""
        code_hash = hash_code(typed)
        if code_hash is None:
            raise CodeInvalid
        self._hold_for(tx, code_hash)
        record = CodeTable(tx).claim(code_hash, self._clock(), *purposes)
        if record is None or record.payload is None:
            raise CodeInvalid
        return record, self._profiles.opened(record.payload, context=record.code_hash.hex())

    def _hold_for(self, tx: Connection, code_hash: bytes, *also: str) -> None:
        """Whoever withdraws codes holds the person first: so does whoever uses one. ``also`` are people who
        change with it."""
        found = CodeTable(tx).find(code_hash)
        if found is not None and found.person_id is None and found.slot is not None:
            PersonTable(tx).hold_by_email(found.slot.address)
        whose = {found.person_id} if found is not None and found.person_id is not None else set()
        for person_id in sorted(whose.union(also)):
            PersonTable(tx).hold(person_id)

    def _mail_slot(self, tx: Connection, address: bytes) -> MailSlot | None:
        """None when a mailbox got as many codes as it may for now: nobody floods it in our name."""
        window = int(self._clock().timestamp() // self._policy.mails_window.total_seconds())
        slot = CodeTable(tx).next_slot(address, window)
        return slot if slot.number < self._policy.mails_per_address else None

    def _mail(
        self,
        tx: Connection,
        to: str | None,
        template: str,
        language: str,
        values: Mapping[str, str] | None = None,
    ) -> None:
        if to is not None:
            self._outbox.queue(tx, to=to, template=template, language=language, values=dict(values or {}))

    # --- within somebody else's transaction: identity.ports.PersonHook -------------------------------

    def end_access(self, tx: Connection, person_id: str) -> None:
        """Nothing stays open in somebody's name, nor what could open it again. The caller audits.

        Before anything else that is theirs (:meth:`hold`), or logins under way slip through. A change of the
        address under way counts: whoever asked for it in a stolen session would get the mails of the next
        recovery.
        """
        self.hold(tx, person_id)
        self.end_address_changes(tx, person_id)
        for ending in self._endings:
            ending(tx, person_id)

    def hold(self, tx: Connection, person_id: str) -> Person | None:
        """The person as they are until the transaction ends; None for nobody. Erased people are ERASED.

        First act of a transaction that takes something away: see :meth:`PersonTable.hold`.
        """
        return self._maybe(PersonTable(tx).hold(person_id))

    def hold_shared(self, tx: Connection, person_id: str) -> Person | None:
        """As :meth:`hold`, beside others who do the same: first act of a transaction that opens something."""
        return self._maybe(PersonTable(tx).hold_shared(person_id))

    def _maybe(self, record: PersonRecord | None) -> Person | None:
        return None if record is None else self._profiles.person(record)

    def end_address_changes(self, tx: Connection, person_id: str) -> None:
        """For a new password: the codes on the way to mailboxes may be somebody else's."""
        CodeTable(tx).withdraw(person_id, CodePurpose.EMAIL, self._clock())
