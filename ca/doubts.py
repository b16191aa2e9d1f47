"""What a seal is worth once a key that it stands on was lost, or may have been. Pure; never reaches ``keys``.

The rule, for a seal and the time-stamps that speak for it:

1. A time-stamp proves its time only while nobody else may have had its unit's key or that of a CA above it.
   Whoever has such a key writes any time, also one before the theft, so a lost unit proves nothing at all,
   not even what it stamped before (RFC 3161, 4).
2. A seal whose key was not lost is good, whatever became of the time-stamp.
3. A seal whose key was lost is good where a time-stamp of rule 1 shows that it was there before the loss.
4. While a key is on hold and not lost, what depends on it cannot be said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from ca.model import COMPROMISES, CertificateRecord, CertificateStatus, RevocationReason

_LOSSES: Final = COMPROMISES | {RevocationReason.UNSPECIFIED, RevocationReason.AA_COMPROMISE}
"""After these somebody else may have the key. We always name a reason; lists of CAs elsewhere need not, and
the missing one counts as a loss (RFC 3161, 4), as it does to who judges a file alone (:mod:`ca.status`)."""


class SealStanding(StrEnum):
    """What a seal is worth."""

    GOOD = "good"
    UNPROVEN = "unproven"  # good, but the time of its sealing is not proven any more
    PROVEN = "proven"  # good, although its key was lost: it was sealed before, provably
    HELD = "held"  # a key is on hold, and it depends on how that ends
    LOST = "lost"  # nobody can tell it from a thief's


@dataclass(frozen=True, slots=True)
class Doubt:
    """Since when a certificate's key may have been somebody else's. ``is_hold``: it is being looked into."""

    since: datetime
    is_hold: bool


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time that somebody states, and what is to be said against them."""

    at: datetime
    doubt: Doubt | None = None


def doubt_about(path: Iterable[CertificateRecord]) -> Doubt | None:
    """What stands against a certificate by its own record and those of the CAs above it.

    A loss outweighs a hold; of several of a kind the earliest counts. Revocations for other reasons take
    nothing from what was signed before them.
    """
    doubts = [doubt for record in path if (doubt := _doubt(record)) is not None]
    lost = [doubt for doubt in doubts if not doubt.is_hold]
    return min(lost or doubts, key=lambda doubt: doubt.since, default=None)


def _doubt(record: CertificateRecord) -> Doubt | None:
    since = record.revocation_date
    if since is None:
        return None
    if record.status is CertificateStatus.ON_HOLD:
        return Doubt(since, is_hold=True)
    return Doubt(since, is_hold=False) if record.reason in _LOSSES else None


def proven_time(stamps: Iterable[Stamp], *, even_held: bool = False) -> datetime | None:
    """The earliest time that is proven; with ``even_held`` also by units that are on hold."""
    return min(
        (one.at for one in stamps if one.doubt is None or (even_held and one.doubt.is_hold)), default=None
    )


def standing_of(seal: Doubt | None, stamps: Iterable[Stamp]) -> SealStanding:
    """Apply the rule above to what stands against the seal's key and to the time-stamps over the seal."""
    stamps = tuple(stamps)
    proven = proven_time(stamps)
    if seal is None:
        return SealStanding.GOOD if proven is not None else SealStanding.UNPROVEN
    if proven is not None and proven < seal.since:
        return SealStanding.PROVEN
    perhaps = proven_time(stamps, even_held=True)
    if seal.is_hold or (perhaps is not None and perhaps < seal.since):
        return SealStanding.HELD
    return SealStanding.LOST
