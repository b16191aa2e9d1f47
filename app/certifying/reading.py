"""What the table on the command line, the pages and ``/v1/ca`` show of the register."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ca.model import ListScope, ProfileName
from ca.overview import CertificateView, ListView, overview
from ca.ports import Begin, Clock
from ca.tables import Certificates, Crls
from keys.service import KeyService


@dataclass(frozen=True, slots=True)
class CertificateRegister:
    """``read`` opens transactions that only read."""

    read: Begin
    keys: KeyService
    clock: Clock

    def certificates(self) -> list[CertificateView]:
        """Every certificate, by kind, oldest first."""
        with self.read() as tx:
            records = [record for kind in ProfileName for record in Certificates(tx).of_profile(kind)]
        return overview(records, self._states(), self.clock())

    def certificate(self, name: str) -> CertificateView | None:
        """The one called so. Its use is judged among those of its owner."""
        with self.read() as tx:
            record = Certificates(tx).by_name(name)
            if record is None:
                return None
            beside = [one for one in Certificates(tx).of_profile(record.profile) if one.owner == record.owner]
        views = overview(beside, self._states(), self.clock())
        return next(view for view in views if view.record.serial == record.serial)

    def lists(self) -> list[ListView]:
        """The newest list of each CA and each of its partitions."""
        found = []
        with self.read() as tx:
            register, lists = Certificates(tx), Crls(tx)
            for kind in (ProfileName.ROOT, ProfileName.SUPERIOR, ProfileName.ISSUING):
                for record in register.of_profile(kind):
                    for partition in (0, *register.partitions(record.name)):
                        scope = ListScope(record.name, partition)
                        newest = lists.latest(scope)
                        if newest is not None:
                            found.append(
                                ListView(
                                    scope.name,
                                    newest.number,
                                    newest.this_update,
                                    newest.next_update,
                                    record.key_is_elsewhere,
                                )
                            )
        return found

    def _states(self) -> dict[str, str]:
        return {key.id: key.state.value for key in self.keys.list()}


def days_until(moment: datetime, now: datetime) -> int:
    """Whole days, negative when it has passed."""
    return (moment - now).days
