"""Issuing revocation lists: complete ones and deltas, for a whole CA and for its partitions."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from cryptography import x509
from sqlalchemy.exc import IntegrityError

from ca import crl
from ca.errors import CertificateUnknown, KeyHeldElsewhere, RevocationRefused
from ca.issuing import Issuer
from ca.model import CertificateRecord, CertificationConfig, CrlRecord, ListScope, ProfileName, read_list_name
from ca.ports import AuditTrail, Begin, Clock
from ca.profiles import CA_PURPOSES
from ca.tables import Certificates, Crls
from keys.errors import KeyNotActive
from keys.lifecycle import SERVICE
from keys.service import KeyService

_ATTEMPTS = 20
_PAUSE = 0.02
"""Seconds; the n-th loser of a race for a list's number waits up to n times as long, by chance."""
_LONGEST_COMMIT = timedelta(minutes=10)
"""A release is stamped before it is committed: a delta looks this much further back than its base."""


class RevocationLists:
    """Signs lists and keeps every one of them. Safe to use from several threads and processes.

    A number is taken by storing a list under it, so numbers rise strictly whoever issues, restarts included.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        keys: KeyService,
        clock: Clock,
        audit: AuditTrail,
        config: CertificationConfig,
        max_staleness: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begin = begin
        self._read = read
        self._keys = keys
        self._clock = clock
        self._audit = audit
        self._config = config
        self._max_staleness = max_staleness
        self._monotonic = monotonic
        self._known: dict[ListScope, tuple[float, CrlRecord]] = {}

    def current(self, name: str) -> CrlRecord:
        """The list called ``name`` (:attr:`ca.model.ListScope.name`): the latest one, or a new one when half
        its life is over or a status changed after it; looked at again after ``max_staleness`` seconds.

        Raises :class:`ca.errors.CertificateUnknown` when there is no such CA or partition.
        """
        scope, ticks = _scope(name), self._monotonic()
        looked_at, known = self._known.get(scope, (float("-inf"), None))
        if known is None or ticks - looked_at >= self._max_staleness:
            known = self._renewed(self._whole(scope))
            self._known[scope] = (ticks, known)
        return known

    def issue(self, name: str) -> CrlRecord:
        """A new list called ``name``, whether it is due or not. Raises as :meth:`current`."""
        return self._issue(self._whole(_scope(name)))

    def renew(self, issuer: str) -> list[CrlRecord]:
        """Every list of a CA as :meth:`current` gives it; the job that keeps lists from lapsing."""
        with self._read() as tx:
            partitions = Certificates(tx).partitions(issuer)
        return [self.current(ListScope(issuer, partition).name) for partition in (0, *partitions)]

    def issue_for(self, record: CertificateRecord) -> None:
        """Publish a status of ``record`` that just changed: first where its own address points.

        What a CA issued whose key is elsewhere is on the next list that is signed there.
        """
        with self._read() as tx:
            issuer = Certificates(tx).by_name(record.issuer)
        if issuer is not None and issuer.key_is_elsewhere:
            return
        for partition in dict.fromkeys((record.partition, 0)):
            with suppress(KeyNotActive):  # a CA that was stopped says nothing more, and nobody asks it
                self._issue(self._whole(ListScope(record.issuer, partition)))

    def _whole(self, scope: ListScope) -> ListScope:
        """With the other generations of the CA, where the list speaks for all of them."""
        if scope.partition:
            return scope
        with self._read() as tx:
            return ListScope(scope.issuer, generations=Certificates(tx).generations_beside(scope.issuer))

    def _renewed(self, scope: ListScope) -> CrlRecord:
        now = self._clock()
        with self._read() as tx:
            authority = Certificates(tx).by_name(scope.issuer)
            latest = Crls(tx).latest(scope)
            changed = Certificates(tx).last_change(scope)
        if authority is not None and authority.key_is_elsewhere:
            if latest is None:
                raise KeyHeldElsewhere(
                    f"no list of {scope.issuer} is here, and its key is elsewhere: bring its newest list and "
                    "run `absah ca install`"
                )
            return latest
        if latest is not None and (changed is None or changed <= latest.this_update):
            half = latest.this_update + (latest.next_update - latest.this_update) / 2
            if now < half:
                return latest
        try:
            return self._issue(scope)
        except KeyNotActive:
            if latest is None:
                raise
            return latest  # the last word of a CA that was stopped

    def _issue(self, scope: ListScope) -> CrlRecord:
        """Read, sign outside any transaction, store under the number that was read. Whoever loses the race
        for a number starts again from what is then true, so a later number never knows less."""
        issuer, validity = self._issuer(scope)
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(secrets.randbelow(attempt * 1000) / 1000 * _PAUSE)
            record, entries = self._signed(scope, issuer, validity)
            try:
                with self._begin() as tx:
                    Crls(tx).add(record)
                    self._audit.append(
                        tx,
                        action="crl.issued",
                        actor=SERVICE,
                        subject=scope.name,
                        facts={"number": str(record.number), "entries": str(entries)},
                    )
            except IntegrityError:
                continue
            self._known.pop(scope, None)
            return record
        raise RevocationRefused(
            f"other processes issued {_ATTEMPTS} lists of {scope.name} meanwhile. Statuses stand as they "
            "were set, OCSP tells them, and the next look at the list issues it"
        )

    def _signed(self, scope: ListScope, issuer: Issuer, validity: timedelta) -> tuple[CrlRecord, int]:
        """The next list of ``scope`` and, for a partition, the delta that goes with it.

        The delta reaches back to the oldest list that has not ended: whoever still uses a list need not fetch
        a whole one. The first list of all is its own base.
        """
        # Before reading, so that a change after it is seen as newer than the list. In whole seconds, as the
        # list says it, and never earlier than the change that it tells.
        now = self._clock()
        until = now + validity
        with self._read() as tx:
            entries = {known.serial: crl.entry(known) for known in Certificates(tx).not_good(scope)}
            number = Crls(tx).last_number(scope) + 1
            base = Crls(tx).oldest_current(scope, now) if scope.partition else None
            released = (
                Certificates(tx).released(scope, base.this_update - _LONGEST_COMMIT)
                if base is not None
                else []
            )
        where = None
        if scope.partition:
            where = crl.Distribution(self._config.crl_address(scope), self._config.delta_address(scope))

        def signed(listed: list[bytes], base_number: int | None = None) -> bytes:
            return crl.build_crl(
                issuer=issuer,
                entries=listed,
                number=number,
                this_update=now,
                next_update=until,
                distribution=where,
                base=base_number,
            )

        delta = base_number = None
        if scope.partition:
            base_number = number if base is None else base.number
            before = entries if base is None else crl.entries_of(base.der)
            delta = signed(crl.delta_entries(before, entries, released=released, at=now), base_number)
        complete = signed(list(entries.values()))
        return (
            CrlRecord(
                scope.issuer, number, complete, now, until, scope.partition, delta=delta, base=base_number
            ),
            len(entries),
        )

    def _issuer(self, scope: ListScope) -> tuple[Issuer, timedelta]:
        with self._read() as tx:
            record = Certificates(tx).by_name(scope.issuer)
            is_known = scope.partition == 0 or scope.partition in Certificates(tx).partitions(scope.issuer)
        if record is None or record.profile not in CA_PURPOSES or not is_known:
            raise CertificateUnknown(f"there is no CA with a list called {scope.name[:80]!r} here")
        if record.key_is_elsewhere:
            raise KeyHeldElsewhere(f"the key of {record.name} is elsewhere: its lists are signed there")
        handle = self._keys.handle(record.key_id, purpose=CA_PURPOSES[record.profile])
        is_root = record.profile is ProfileName.ROOT
        validity = self._config.root_crl_validity if is_root else self._config.issuing_crl_validity
        return Issuer(record.name, x509.load_der_x509_certificate(record.der), handle), validity


def _scope(name: str) -> ListScope:
    asked = read_list_name(name)
    if asked is None:
        raise CertificateUnknown("no CA with this name has issued a revocation list")
    return asked[0]
