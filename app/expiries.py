"""Everything that ends by itself, and when: what metrics, the calendar and the table of keys are made from.

Only what is in use counts: the end of a certificate that has a successor stops nothing. CAs elsewhere count
where ours stand below them: with their certificates end all that are below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ca.chains import records_above
from ca.model import CertificateRecord, CertificateStatus, ListScope, ProfileName
from ca.tables import Certificates, Crls
from keys.envelope import FINGERPRINT, Envelope
from keys.model import KeyRecord, KeyState
from keys.ports import Begin
from keys.service import KeyService

SIGNED_ELSEWHERE: Final = "elsewhere"
"""The use of a list whose CA's key is not here: people have it signed anew and bring it."""


class ExpiryKind(StrEnum):
    CERTIFICATE = "certificate"
    KEY = "key"  # its cryptoperiod (SP 800-57 part 1, 5.3)
    LIST = "list"  # nextUpdate (RFC 5280 5.1.2.5)
    DATA_KEY = "data-key"  # replaced by upkeep, without anybody's doing


@dataclass(frozen=True, slots=True)
class Expiry:
    """Something that ends ``at``, after it began ``since``. ``owner`` is an agency, or empty for the
    service."""

    kind: ExpiryKind
    use: str
    name: str
    owner: str
    since: datetime
    at: datetime

    @property
    def renews_itself(self) -> bool:
        """Whether upkeep sees to it; nobody has to think of it while that runs."""
        if self.kind is ExpiryKind.LIST:
            return self.use != SIGNED_ELSEWHERE
        return self.kind is ExpiryKind.DATA_KEY


@dataclass(frozen=True, slots=True)
class ListState:
    """The lists of one CA: the oldest and the soonest to end among the newest of each partition.

    ``lag`` is how long the last change of a status took to reach a list; while none has it, it grows.
    """

    issuer: str
    oldest: datetime
    ends: Expiry
    lag: timedelta


class Expiries:
    """Reads them from the register. ``read`` opens transactions that only read."""

    def __init__(
        self,
        *,
        read: Begin,
        keys: KeyService,
        envelope: Envelope,
        clock: Callable[[], datetime],
        data_key_life: timedelta,
    ) -> None:
        self._read = read
        self._keys = keys
        self._envelope = envelope
        self._clock = clock
        self._data_key_life = data_key_life

    def all(self) -> list[Expiry]:
        """Certificates and keys in use, lists by CA, and data keys; soonest first."""
        found = [*self.certified(), *(state.ends for state in self.lists()), *self._data_keys()]
        return sorted(found, key=lambda expiry: (expiry.at, expiry.kind, expiry.name))

    def certified(self) -> list[Expiry]:
        """Of certificates and keys in use. Their number grows with agencies, not with time."""
        active = [key for key in self._keys.list() if key.state is KeyState.ACTIVE]
        with self._read() as tx:
            certified = Certificates(tx).of_keys([key.id for key in active])
            current = in_use(active, certified)
            above = [
                superior
                for record in current.values()
                if record.profile is ProfileName.ISSUING
                for superior in records_above(tx, record)
                if superior.key_is_elsewhere
            ]
        ends = [
            Expiry(
                ExpiryKind.CERTIFICATE,
                record.profile.value,
                record.name,
                record.owner,
                record.not_before,
                record.not_after,
            )
            for record in dict.fromkeys((*current.values(), *above))
        ]
        certified_keys = {record.key_id for record in current.values()}
        superseded = {record.key_id for record in certified} - certified_keys
        return ends + [
            Expiry(ExpiryKind.KEY, key.purpose.value, key.id, key.owner, key.created_at, key.not_after)
            for key in active
            if key.not_after is not None and key.id not in superseded
        ]

    def lists(self) -> list[ListState]:
        """Of every CA whose list is here."""
        now = self._clock()
        with self._read() as tx:
            register, lists = Certificates(tx), Crls(tx)
            kinds = (ProfileName.ROOT, ProfileName.SUPERIOR, ProfileName.ISSUING)
            issuers = {
                record.name: SIGNED_ELSEWHERE if record.key_is_elsewhere else "list"
                for kind in kinds
                for record in register.of_profile(kind)
            }
            found = []
            for issuer, use in issuers.items():
                scopes = [ListScope(issuer, partition) for partition in (0, *register.partitions(issuer))]
                periods = [period for scope in scopes if (period := lists.newest_period(scope)) is not None]
                if not periods:
                    continue
                soonest = min(periods, key=lambda period: period[1])
                changed = register.last_change(scopes[0])
                told = None if changed is None else lists.first_since(scopes[0], changed)
                lag = timedelta(0) if changed is None else max(timedelta(0), (told or now) - changed)
                ends = Expiry(ExpiryKind.LIST, use, issuer, "", *soonest)
                found.append(ListState(issuer, min(since for since, _ in periods), ends, lag))
        return found

    def _data_keys(self) -> list[Expiry]:
        newest = {key.purpose: key for key in self._envelope.list() if key.purpose != FINGERPRINT}
        return [
            Expiry(
                ExpiryKind.DATA_KEY,
                "data",
                f"{key.purpose}/{key.version}",
                "",
                key.created_at,
                key.created_at + self._data_key_life,
            )
            for key in newest.values()
        ]


def in_use(
    active: Iterable[KeyRecord], certified: Iterable[CertificateRecord]
) -> dict[tuple[ProfileName, str], CertificateRecord]:
    """By profile and owner, the good certificate of the newest active key; of several the one issued last."""
    made = {key.id: key.created_at for key in active}
    current: dict[tuple[ProfileName, str], CertificateRecord] = {}
    for record in sorted(certified, key=lambda record: (made[record.key_id], record.issued_at)):
        if record.status is CertificateStatus.GOOD:
            current[record.profile, record.owner] = record
    return current
