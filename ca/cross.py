"""Which keys of one CA certify each other when the CA gets a new key (RFC 4210 4.4). Pure.

- *new with old*: the new key certified by the old one. Whoever trusts only the old key finds a path to what
  the new key issued. It ends with the old certificate.
- *old with new*: the old key certified by the new one. Whoever trusts only the new key finds a path to what
  the old key issued. It begins with the old certificate, because what was signed then is asked about as of
  then.

Both are self-issued: issuer and subject are the CA's one name, so they use up no pathLen (RFC 5280 4.2.1.9).
Generations that are not neighbours are linked through those between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from ca.model import CertificateRecord, CertificateStatus, ProfileName

SHORTEST = timedelta(days=1)
"""A link for less than this helps nobody."""


@dataclass(frozen=True, slots=True)
class Link:
    """``subject``'s key, certified by ``issuer``'s, from ``begins`` to ``ends``."""

    subject: CertificateRecord
    issuer: CertificateRecord
    begins: datetime
    ends: datetime

    @property
    def name(self) -> str:
        """Its place in ``/pki/{name}.crt``, such as ``issuing-2-by-issuing-1``."""
        return f"{self.subject.name}-by-{self.issuer.name}"


def generation(record: CertificateRecord) -> int:
    """The number in a CA's name: 2 of ``issuing-2``."""
    return int(record.name.rpartition("-")[2])


def next_name(profile: ProfileName, existing: Iterable[CertificateRecord]) -> str:
    """What the next CA of this kind is called: ``root-1``, ``root-2`` …"""
    return f"{profile}-{1 + max((generation(record) for record in existing), default=0)}"


def links(generations: Iterable[CertificateRecord], now: datetime) -> Iterator[Link]:
    """Every link that neighbours among the good ``generations`` of one CA should have now.

    A CA that was revoked, or that ended, neither certifies others nor is it worth a path.
    """
    standing = [
        record
        for record in generations
        if record.status is CertificateStatus.GOOD and record.not_after - now >= SHORTEST
    ]
    for old, new in pairwise(sorted(standing, key=generation)):
        ends = min(old.not_after, new.not_after)
        yield Link(subject=new, issuer=old, begins=max(old.not_before, new.not_before), ends=ends)
        yield Link(subject=old, issuer=new, begins=old.not_before, ends=ends)
