"""Whether a trail is whole, and since when somebody vouches for it. The same for the database and for a
file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from app.errors import AnchorInvalid, AuditChainBroken
from app.trail.anchors import Anchor
from app.trail.chain import AuditEntry, Chain, ChainHead
from app.trail.stamps import Stamp, check_stamp
from verify.trust import TrustStore

LATEST: Final = timedelta(hours=25)
"""An entry is vouched for within a day, while the service works: it anchors its head every hour."""
_CLOCKS_APART: Final = timedelta(seconds=60)
"""Entries are dated by the clock of the machine that wrote them, stamps by that of the unit."""
_MOST_DOUBTS: Final = 20


@dataclass
class Examination:
    """What was found of a trail that is whole. ``doubts`` say what a rewritten trail would show, too."""

    head: ChainHead = field(default_factory=lambda: Chain().head)
    stamps: int = 0
    last: Stamp | None = None
    unanchored: int = 0
    doubts: list[str] = field(default_factory=list)
    more_doubts: int = 0

    def doubt(self, words: str) -> None:
        if len(self.doubts) < _MOST_DOUBTS:
            self.doubts.append(words)
        else:
            self.more_doubts += 1


def examine(
    records: Iterable[AuditEntry | Anchor],
    *,
    trust: TrustStore,
    now: datetime,
    noted: Iterable[ChainHead] = (),
) -> Examination:
    """Follow the chain, and hold every anchor against the entry before it. Memory does not grow with it.

    1. The chain: every entry continues the one before it.
    2. Anchors: each stands behind the entry that it is of, and is a time-stamp over exactly that head.
    3. Times: stamps do not run backwards, and none was made much later than what it vouches for.
    4. Heads that were written down elsewhere are still in it.

    Raises :class:`app.errors.AuditChainBroken`.
    """
    chain, found, doubted = Chain(), Examination(), ""
    wanted = {head.sequence: head for head in noted if head.sequence}
    first_open: AuditEntry | None = None
    for record in records:
        if isinstance(record, AuditEntry):
            chain.follow(record)
            found.unanchored += 1
            first_open = first_open or record
            latest = record
            if (head := wanted.pop(record.sequence, None)) is not None:
                chain.require(head)
            continue
        if record.head != chain.head or not found.unanchored:
            raise AnchorInvalid(
                record.head.sequence, "its time-stamp is of another head than the entry that it stands behind"
            )
        stamp = check_stamp(record.head, record.token, trust=trust)
        assert first_open is not None
        _compare_times(found, stamp, first_open, latest)
        if stamp.doubt and stamp.doubt != doubted:
            found.doubt(f"from entry {stamp.head.sequence} on: {stamp.doubt}")
        doubted = stamp.doubt
        found.last, found.unanchored, first_open = stamp, 0, None
        found.stamps += 1
    if wanted:
        raise AuditChainBroken(
            chain.head.sequence + 1, "the trail ends before the head that was written down"
        )
    if first_open is not None and now - _written(first_open) > LATEST:
        found.doubt(
            f"entries {first_open.sequence} to {chain.head.sequence} are vouched for by nobody, "
            f"since {_written(first_open):%Y-%m-%d %H:%M} UTC"
        )
    found.head = chain.head
    return found


def _compare_times(found: Examination, stamp: Stamp, first: AuditEntry, latest: AuditEntry) -> None:
    if found.last is not None and stamp.at < found.last.at - _CLOCKS_APART:
        found.doubt(f"the time-stamp behind entry {latest.sequence} is older than the one before it")
    if stamp.at - _written(first) > LATEST:
        found.doubt(
            f"entries {first.sequence} to {latest.sequence} were vouched for only "
            f"{(stamp.at - _written(first)).days} days after they say they were written: the service stood "
            "still meanwhile, or they were written anew"
        )
    if _written(latest) - stamp.at > _CLOCKS_APART:
        found.doubt(f"entry {latest.sequence} says it was written after the time at which it was stamped")


def _written(entry: AuditEntry) -> datetime:
    try:
        return datetime.fromisoformat(entry.at)
    except ValueError:
        raise AuditChainBroken(entry.sequence, "its time is not one") from None


def merged(entries: Iterable[AuditEntry], anchors: Iterator[Anchor]) -> Iterator[AuditEntry | Anchor]:
    """Each anchor behind its entry; one whose entry is missing stands where that would be."""
    waiting = next(anchors, None)
    for entry in entries:
        while waiting is not None and waiting.head.sequence < entry.sequence:
            yield waiting
            waiting = next(anchors, None)
        yield entry
    while waiting is not None:
        yield waiting
        waiting = next(anchors, None)
