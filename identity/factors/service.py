"""The jobs on factors: set up, check once, list, remove. Every change is audited and announced by mail.

``check_…`` answers whether something was right and burns what works once, in the statement that decides.
Counting wrong answers and delaying them is the login's, which knows device and address. So is asking for a
fresh factor before one is added or removed here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from identity.factors.errors import FactorNeeded, FactorUnknown
from identity.factors.jobs import held_factors
from identity.factors.model import Factor, FactorKind, is_complete, may_remove
from identity.factors.passkey_jobs import PasskeyJobs
from identity.factors.passkey_tables import ChallengeTable, PasskeyTable
from identity.factors.password_jobs import PasswordJobs
from identity.factors.recovery_jobs import RecoveryCodeJobs
from identity.factors.tables import PasswordTable, RecoveryCodeTable, TotpTable
from identity.factors.totp_jobs import TotpJobs


class Factors(PasswordJobs, TotpJobs, PasskeyJobs, RecoveryCodeJobs):
    """All jobs on factors. Its ports are those of :class:`identity.factors.jobs.FactorJobs`."""

    def of(self, person_id: str) -> tuple[Factor, ...]:
        """Password, app, passkeys (oldest first), recovery codes."""
        with self._read() as tx:
            return held_factors(tx, person_id)

    def is_complete(self, person_id: str) -> bool:
        """Enough to log in on an ordinary day, without recovery codes."""
        return is_complete([factor.kind for factor in self.of(person_id)])

    def remove(self, person_id: str, factor_id: str, *, actor: str | None = None) -> None:
        """Raises :class:`identity.factors.errors.FactorUnknown` or ``FactorNeeded``."""
        with self._begin() as tx:
            self._lock(tx, person_id)
            held = held_factors(tx, person_id)
            factor = next((factor for factor in held if factor.id == factor_id), None)
            if factor is None:
                raise FactorUnknown
            if not may_remove(factor_id, held):
                raise FactorNeeded
            _drop_one(tx, person_id, factor)
            self._announce(
                tx,
                person_id,
                "factor.removed",
                factor.kind,
                name=factor.name,
                actor=actor,
                facts={"id": factor.id},
            )

    def drop(self, tx: Connection, person_id: str, kinds: Collection[FactorKind] = tuple(FactorKind)) -> None:
        """Take factors away whatever is left, as recovery and erasure must. The caller audits and tells."""
        for kind in kinds:
            _DROP_ALL[kind](tx, person_id)
        if FactorKind.PASSKEY in kinds:
            ChallengeTable(tx).remove_all(person_id)
        if FactorKind.TOTP in kinds:
            TotpTable(tx).drop_setups(person_id)

    def drop_since(self, tx: Connection, person_id: str, since: datetime) -> None:
        """Take away what was set up after ``since``, whatever is left. The caller audits and tells."""
        for factor in held_factors(tx, person_id):
            if factor.created_at > since:
                _drop_one(tx, person_id, factor)

    def held(self, person_id: str) -> Mapping[str, object]:
        """For the export of a person's data: what there is and since when, but no secret."""
        return {
            "ways_to_log_in": [
                {
                    "kind": factor.kind.value,
                    "name": factor.name,
                    "since": factor.created_at.isoformat(),
                    "last_used": factor.last_used_at.isoformat() if factor.last_used_at else None,
                }
                for factor in self.of(person_id)
            ]
        }

    def discard_expired(self) -> int:
        """For upkeep: challenges and set-ups whose time is over. Returns how many there were."""
        now = self._clock()
        with self._begin() as tx:
            return ChallengeTable(tx).drop_expired(now) + TotpTable(tx).drop_expired(now)


def _drop_one(tx: Connection, person_id: str, factor: Factor) -> None:
    if factor.kind is FactorKind.PASSKEY:
        PasskeyTable(tx).remove(factor.id, person_id=person_id)
    else:
        _DROP_ALL[factor.kind](tx, person_id)


_DROP_ALL: Final[Mapping[FactorKind, Callable[[Connection, str], object]]] = {
    FactorKind.PASSWORD: lambda tx, person_id: PasswordTable(tx).remove(person_id),
    FactorKind.TOTP: lambda tx, person_id: TotpTable(tx).remove(person_id),
    FactorKind.PASSKEY: lambda tx, person_id: PasskeyTable(tx).remove_all(person_id),
    FactorKind.RECOVERY_CODE: lambda tx, person_id: RecoveryCodeTable(tx).remove_all(person_id),
}
