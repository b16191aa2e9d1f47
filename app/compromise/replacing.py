"""The long part of a case, in chunks: a new seal for what nobody can believe, a time for what lost its own.

Each chunk looks anew for what is still to be done and leaves nothing behind but what it finished, so that it
may be killed anywhere, run twice at once, and begun again by anybody.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import Final

import structlog

from app.compromise.errors import NoIndependentTime
from app.compromise.impact import Impact
from app.compromise.model import Affected, Case
from app.compromise.news import News
from ca.chains import doubt_about_certificate
from ca.cms import stated_time
from ca.errors import TimeNotAvailable
from ca.tables import Certificates, DistrustedUnits
from keys.errors import KeyUnavailable
from keys.model import KeyRecord
from keys.ports import AuditTrail, Begin, Clock
from signing.archive import ArchiveStamp, hash_tree
from signing.errors import JobInProgress, NoActiveSeal
from signing.ports import TimeStamper, TimeStampers
from signing.resealing import Resealing
from signing.tables import DocumentTable

log = structlog.get_logger(__name__)

_TREE: Final = 1024
"""Documents under one time-stamp: ten digests lead from each to it."""


class Pace:
    """At most ``per_second`` documents, so that the day's sealing is not held up. One for a process."""

    def __init__(
        self,
        per_second: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pause = 1 / per_second
        self._sleep = sleep
        self._monotonic = monotonic
        self._next = float("-inf")

    def wait(self) -> None:
        """Return when the next document may begin."""
        now = self._monotonic()
        if self._next > now:
            self._sleep(self._next - now)
        self._next = max(self._next, now) + self._pause


class Replacing:
    """Seals and stamps anew, with the first unit of ``times`` that does not stand on a key in doubt.

    Safe to share between threads and processes.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditTrail,
        impact: Impact,
        resealing: Resealing,
        times: TimeStampers,
        news: News,
        pace: Pace,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._impact = impact
        self._resealing = resealing
        self._times = times
        self._news = news
        self._pace = pace
        self._monotonic = monotonic

    def reseal(self, case: Case, key: KeyRecord, *, seconds: float) -> tuple[int, int]:
        """Seal anew what can be sealed anew within about ``seconds``: how many, and how many failed.

        (0, 0): nothing is left. What fails stays for the next call and keeps nothing else from being done.
        Raises what every document would raise: :class:`signing.errors.NoActiveSeal`, ``TimeNotAvailable``,
        ``KeyUnavailable``.
        """
        until, done, failed = self._monotonic() + seconds, 0, 0
        for one in self._impact.of(key, case.since, in_force=True):
            if not one.needs_new_seal(self._clock()):
                continue
            self._pace.wait()
            if self._reseal(case, one):
                done += 1
            else:
                failed += 1
            if self._monotonic() >= until:
                break
        return done, failed

    def _reseal(self, case: Case, one: Affected) -> bool:
        try:
            successor = self._resealing.reseal(one.record.id)
        except (NoActiveSeal, TimeNotAvailable, KeyUnavailable):
            raise  # the next one would fail alike
        except JobInProgress:
            return False
        except Exception as cause:  # noqa: BLE001 - whatever is wrong with one document, the next may be fine
            log.error("reseal_failed", case=case.id, document=one.record.id, error=type(cause).__name__)
            return False
        if successor is not None and one.record.holder is not None and not one.record.is_sample:
            with self._begin() as tx:
                self._news.sealed_anew(tx, case, one.record.holder, issuer=successor.issuer_name)
        return True

    def restamp(self, case: Case, key: KeyRecord) -> int:
        """Give documents that have lost the proof of their time a new one, a tree at a time; how many.

        0: nothing is left. Raises :class:`app.compromise.errors.NoIndependentTime` and ``TimeNotAvailable``.
        """
        return self._restamp(self._impact.of(key, case.since), without=key.id, actor=case.id)

    def restamp_after(self, unit: bytes, *, actor: str) -> int:
        """The same for what a unit of others stamped that is distrusted (:mod:`ca.distrust`); ``unit`` is the
        SHA-256 of its certificate.
        """
        with self._read() as tx:
            since = DistrustedUnits(tx).since(unit)
        if since is None:
            return 0
        return self._restamp(self._impact.of_unit(unit, since), without="", actor=actor)

    def _restamp(self, affected: Iterable[Affected], *, without: str, actor: str) -> int:
        wanting = (one.record for one in affected if one.needs_stamp)
        records = list(islice(wanting, _TREE))
        if not records:
            return 0
        stamper = self._independent(without)
        tree = hash_tree([record.sealed_digest for record in records])
        token = stamper.token(tree.root)
        stated = stated_time(token)
        stamp = ArchiveStamp(hashlib.sha256(token).hexdigest()[:32], token, stated.at, stated.unit)
        with self._begin() as tx:
            DocumentTable(tx).archive(
                stamp, {record.cursor: tree.paths[record.sealed_digest] for record in records}
            )
            self._audit.append(
                tx,
                action="documents.stamped_again",
                actor=actor,
                subject=stamp.id,
                facts={"documents": str(len(records)), "root": tree.root.hex(), "unit": stamp.unit.hex()},
            )
        return len(records)

    def _independent(self, lost_key: str) -> TimeStamper:
        with suppress(TimeNotAvailable):
            for unit in self._times.units():
                digest = hashlib.sha256(unit.chain[0]).digest()
                with self._read() as tx:
                    ours = Certificates(tx).by_digest(digest)
                    doubt = doubt_about_certificate(tx, digest)
                if doubt is None and (ours is None or ours.key_id != lost_key):
                    return unit
        raise NoIndependentTime(
            f"Every time-stamping unit at hand stands on {lost_key or 'a key in doubt'} or cannot stamp now. "
            "Set up one that does not (another TSA in the settings, or `absah init` for a new unit of our "
            "own), then go on."
        )
