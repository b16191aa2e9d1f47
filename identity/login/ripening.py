"""The waiting time before an account comes back: who waits is told of it again and again, and of its end."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from identity.login.jobs import moment
from identity.login.model import Recovery, RecoveryState
from identity.login.recovery_jobs import RecoveryJobs, known_code
from identity.login.recovery_tables import forget_old_recoveries
from identity.people.codes import new_code

_BATCH: Final = 100


class Ripening(RecoveryJobs):
    """A part of :class:`identity.login.recovery.Recoveries`: what upkeep does."""

    def remind(self) -> int:
        """Tell those who wait, or that the waiting is over. Returns how many mails; each is sent once."""
        now, told = self._clock(), 0
        with self._read() as tx:
            due = self._table(tx).due(now, _BATCH)
        for recovery, at in due:
            assert recovery.person_id is not None
            assert recovery.ready_at is not None
            with self._begin() as tx:
                if recovery.ready_at > now:
                    then = min(recovery.ready_at, now + self._policy.reminder)
                    if self._table(tx).remind_next(recovery.id, due=at, then=then):
                        self._warn(tx, recovery)
                        told += 1
                elif self._ripen(tx, recovery, recovery.person_id, now):
                    told += 1
        return told

    def forget_over(self) -> int:
        """Attempts that were over long ago. Returns how many."""
        with self._begin() as tx:
            return forget_old_recoveries(tx, self._clock() - self._policy.keep)

    def _ripen(self, tx: Connection, recovery: Recovery, person_id: str, now: datetime) -> bool:
        code, expires_at = new_code(), now + self._policy.ready_lifetime
        ripe = self._table(tx).move(
            recovery, RecoveryState.READY, code_hash=known_code(code), expires_at=expires_at
        )
        if ripe:
            self._notice(tx, person_id, "recovery_ready", {"code": code, "until": moment(expires_at)})
        return ripe
