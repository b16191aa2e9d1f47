"""Write down who looked, and show it to whom it is about."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from identity.lookups.model import Actor, Lookup, LookupKind, LookupPolicy, ShownLookup, Subject
from identity.lookups.tables import LookupTable
from identity.people.errors import PersonUnknown
from identity.people.model import ProofingLevel
from identity.people.nik import Nik
from identity.people.service import People
from identity.ports import Begin, Clock, Vault

_MOST_SHOWN: Final = 200
_REMEMBERED: Final = 20_000
_PROOFED: Final = frozenset({ProofingLevel.IAL1, ProofingLevel.IAL2})


class Lookups:
    """Safe to share between threads and processes.

    What was written today is remembered, so that a system which reads one document all day costs one write
    and not thousands. A process that forgot writes again, which changes nothing.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        vault: Vault,
        people: People,
        policy: LookupPolicy | None = None,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._vault = vault
        self._people = people
        self._policy = policy or LookupPolicy()
        self._written: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, actor: Actor, kind: LookupKind, looked_up: Sequence[tuple[Subject, str]]) -> None:
        """``actor`` looked at these things, each of somebody. In a transaction of its own, before the answer:
        what cannot be written down is not shown.
        """
        new = self._unwritten(actor, kind, looked_up)
        if not new:
            return
        with self._begin() as tx:
            LookupTable(tx).note(list(new.values()))
        self._remember(new)

    def note_within(self, tx: Connection, actor: Actor, kind: LookupKind, person_id: str, thing: str) -> None:
        """The same within the caller's transaction."""
        LookupTable(tx).note([Lookup(Subject(person_id), kind, actor, thing, self._clock())])

    def search_within(self, tx: Connection, actor: Actor, *, person_id: str | None, nik: Nik | None) -> None:
        """``actor`` asked whether somebody has an account. Whoever has none yet finds the line once they are
        proofed; nothing can be kept of an address that nobody has.
        """
        if person_id is not None:
            subject = Subject(person_id)
        elif nik is not None:
            subject = Subject(holder=self._vault.fingerprint("nik", nik.reveal()))
        else:
            return
        LookupTable(tx).note([Lookup(subject, LookupKind.ACCOUNT_SEARCHED, actor, "account", self._clock())])

    def about(self, person_id: str) -> list[ShownLookup]:
        """Who looked up what about somebody, latest first: at most 200 lines."""
        with self._read() as tx:
            return LookupTable(tx).about(self._keys_of(person_id), most=_MOST_SHOWN)

    def holder_of(self, person_id: str) -> bytes | None:
        """The fingerprint by which documents name this person; None unless somebody checked who it is."""
        try:
            person = self._people.get(person_id)
        except PersonUnknown:
            return None
        if person.nik is None or person.proofing not in _PROOFED:
            return None
        return self._vault.fingerprint("nik", person.nik.reveal())

    def held(self, person_id: str) -> Mapping[str, object]:
        """:data:`identity.ports.HeldData`."""
        return {"lookups": [line.held() for line in self.about(person_id)]}

    def forget(self, tx: Connection, person_id: str) -> None:
        """A :data:`identity.ports.PersonHook`, for erasure, before the profile goes: it names the holder."""
        for key in self._keys_of(person_id):
            LookupTable(tx).forget(key)

    def discard_old(self) -> int:
        """For upkeep: what is kept no longer. Returns how many lines."""
        with self._begin() as tx:
            return LookupTable(tx).discard(self._clock() - self._policy.keep)

    def _keys_of(self, person_id: str) -> list[str]:
        keys = [Subject(person_id).key]
        if (holder := self.holder_of(person_id)) is not None:
            keys.append(Subject(holder=holder).key)
        return keys

    def _unwritten(
        self, actor: Actor, kind: LookupKind, looked_up: Sequence[tuple[Subject, str]]
    ) -> dict[tuple[str, ...], Lookup]:
        now = self._clock()
        made = {
            (now.date().isoformat(), kind.value, actor.id, subject.key, thing): Lookup(
                subject, kind, actor, thing, now
            )
            for subject, thing in looked_up
        }
        with self._lock:
            return {key: lookup for key, lookup in made.items() if key not in self._written}

    def _remember(self, written: Mapping[tuple[str, ...], Lookup]) -> None:
        with self._lock:
            self._written.update(dict.fromkeys(written))
            while len(self._written) > _REMEMBERED:
                self._written.popitem(last=False)
