"""The impact list: every document that stands on a key, sorted by what is proven about its time.

Read page by page, so that a hundred thousand of them need no more memory than a page. Written as CSV or as
JSON lines, with nothing in it that the agencies do not publish themselves: no holder, no title.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TextIO

from sqlalchemy import Connection

from app.compromise.model import Affected, Counts, sort_out
from ca.chains import doubt_about_certificate
from ca.doubts import Doubt
from ca.model import ProfileName
from ca.tables import Certificates
from keys.model import KeyPurpose, KeyRecord
from keys.ports import Begin
from signing.tables import DocumentTable

PAGE: Final = 500
_MOST_AT_ONCE: Final = 400
"""Certificates in one query: those of a CA can be many, and databases limit how many values one takes."""

COLUMNS: Final = (
    "id",
    "agency",
    "type",
    "number",
    "state",
    "sample",
    "issued_at",
    "stamped_at",
    "proven_at",
    "class",
    "superseded_by",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Impact:
    """What stands on a key. ``read`` opens transactions that only read; each page is one of its own."""

    def __init__(self, read: Begin) -> None:
        self._read = read

    def of(
        self, key: KeyRecord, since: datetime, *, in_force: bool = False, page: int = PAGE
    ) -> Iterator[Affected]:
        """Every released document that stands on ``key``: sealed, stamped or stamped again with it, or under
        a certificate of the CA that it is. Oldest first under each group of certificates. With ``in_force``
        only those in state issued.

        The key counts as lost, whatever has been revoked by now, and with a CA every certificate under it.
        """
        seals, units = self._certificates(key)
        yield from self._standing_on(seals, units, since, in_force=in_force, page=page)

    def of_unit(self, sha256: bytes, since: datetime, *, page: int = PAGE) -> Iterator[Affected]:
        """As :meth:`of`, for a time-stamping unit of others whose certificate has this SHA-256."""
        yield from self._standing_on([], [sha256], since, in_force=False, page=page)

    def _standing_on(
        self, seals: list[bytes], units: list[bytes], since: datetime, *, in_force: bool, page: int
    ) -> Iterator[Affected]:
        of_seals, of_units = frozenset(seals), frozenset(units)
        doubts: dict[bytes, Doubt | None] = dict.fromkeys((*seals, *units), Doubt(since, is_hold=False))
        for group in _groups(seals, units):
            after = 0
            while True:
                with self._read() as tx:
                    records = DocumentTable(tx).resting_on(
                        seals=group.seals,
                        units=group.units,
                        archived=group.archived,
                        in_force=in_force,
                        after=after,
                        limit=page,
                    )
                    for record in records:
                        by = record.sealed_by
                        for digest in (by.certificate, by.unit, *(unit for _, unit in record.archived)):
                            if digest not in doubts:
                                doubts[digest] = doubt_about_certificate(tx, digest)
                for record in records:
                    by = record.sealed_by
                    listed = not group.seals and by.certificate in of_seals
                    listed = listed or (bool(group.archived) and by.unit in of_units)
                    if not listed:
                        yield sort_out(record, since, doubts)
                if len(records) < page:
                    break
                after = records[-1].cursor

    def counts(self, key: KeyRecord, since: datetime, now: datetime) -> Counts:
        """How many there are of each class, and how many wait for a new seal."""
        counts = Counts()
        for one in self.of(key, since):
            counts = counts.plus(one, now)
        return counts

    def _certificates(self, key: KeyRecord) -> tuple[list[bytes], list[bytes]]:
        """The certificates of seals and of units that stand on the key."""
        with self._read() as tx:
            register = Certificates(tx)
            own = register.all_of_key(key.id)
            match key.purpose:
                case KeyPurpose.SEAL:
                    return [record.sha256 for record in own], []
                case KeyPurpose.TIMESTAMPING:
                    return [], [record.sha256 for record in own]
                case KeyPurpose.ISSUING_CA:
                    return (
                        _issued(tx, own_names := [record.name for record in own], ProfileName.SEAL),
                        _issued(tx, own_names, ProfileName.TIMESTAMPING),
                    )
        return [], []


def _issued(tx: Connection, issuers: Iterable[str], profile: ProfileName) -> list[bytes]:
    return [digest for issuer in issuers for digest in Certificates(tx).issued_by(issuer, profile)]


@dataclass(frozen=True, slots=True)
class _Group:
    """Certificates by which documents are looked up: one of the three, so that an index serves each."""

    seals: Sequence[bytes] = ()
    units: Sequence[bytes] = ()
    archived: Sequence[bytes] = ()


def _groups(seals: list[bytes], units: list[bytes]) -> Iterator[_Group]:
    for group in _parts(seals):
        yield _Group(seals=group)
    for group in _parts(units):
        yield _Group(units=group)
    for group in _parts(units):
        yield _Group(archived=group)


def _parts(certificates: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(certificates), _MOST_AT_ONCE):
        yield certificates[start : start + _MOST_AT_ONCE]


def write_csv(affected: Iterable[Affected], target: TextIO) -> int:
    """As CSV with a head line (RFC 4180); how many documents that were.

    A number that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    writer = csv.writer(target)
    writer.writerow(COLUMNS)
    count = 0
    for one in affected:
        writer.writerow([_harmless(value) for value in fields(one).values()])
        count += 1
    return count


def write_json(affected: Iterable[Affected], target: TextIO) -> int:
    """As JSON lines, one document each; how many that were."""
    count = 0
    for one in affected:
        target.write(json.dumps(fields(one), ensure_ascii=False) + "\n")
        count += 1
    return count


def fields(one: Affected) -> dict[str, Any]:
    """A line of the list; times are RFC 3339 in UTC."""
    record = one.record
    return {
        "id": record.id,
        "agency": record.agency_id,
        "type": record.type,
        "number": record.number,
        "state": record.state.value,
        "sample": record.is_sample,
        "issued_at": _shown(record.issued_at),
        "stamped_at": _shown(record.sealed_by.stamped_at),
        "proven_at": _shown(one.proven_at),
        "class": one.sorted_as.value,
        "superseded_by": record.superseded_by,
    }


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
