"""The jobs on recovery codes."""

from __future__ import annotations

from identity.factors import recovery_codes
from identity.factors.jobs import FactorJobs, new_id
from identity.factors.model import FactorKind, RecoveryCode
from identity.factors.tables import RecoveryCodeTable


class RecoveryCodeJobs(FactorJobs):
    """A code stands in for one factor. That a second one is there as well is the login's to see."""

    def renew_recovery_codes(self, person_id: str) -> tuple[str, ...]:
        """Ten new codes, shown here and never again; the old ones end. Raises ``HolderUnknown`` or
        ``PasswordsBusy``.
        """
        self._contact_of(person_id)
        shown = recovery_codes.new_codes()
        now = self._clock()
        kept = [
            RecoveryCode(
                id=new_id("code"),
                person_id=person_id,
                label=recovery_codes.label(code),
                hash=self._hasher.hash(code.replace("-", "")),
                created_at=now,
            )
            for code in shown
        ]
        with self._begin() as tx:
            self._lock(tx, person_id)
            RecoveryCodeTable(tx).replace(person_id, kept)
            self._announce(tx, person_id, "recovery_codes.renewed", FactorKind.RECOVERY_CODE)
        return shown

    def check_recovery_code(self, person_id: str, code: str) -> bool:
        """True once for every code, to one of however many callers. Its use is announced.

        Raises :class:`identity.factors.errors.PasswordsBusy`.
        """
        canonical = recovery_codes.canonical(code)
        stored = None
        if canonical is not None:
            with self._read() as tx:
                stored = RecoveryCodeTable(tx).find(person_id, recovery_codes.label(canonical))
        if not self._hasher.matches(stored.hash if stored else None, canonical):
            return False
        assert stored is not None
        with self._begin() as tx:
            table = RecoveryCodeTable(tx)
            if not table.use(stored.id, self._clock()):
                return False
            standing = table.standing(person_id)
            left = str(standing.left if standing else 0)
            self._announce(
                tx, person_id, "recovery_code.used", FactorKind.RECOVERY_CODE, facts={"left": left}
            )
        return True
