"""The jobs on authenticator apps. A person has one; setting up another one replaces it."""

from __future__ import annotations

from typing import Final

from identity.factors import totp
from identity.factors.errors import TotpCodeWrong, TotpSetupGone
from identity.factors.jobs import FactorJobs, new_id
from identity.factors.model import Factor, FactorKind, PendingTotp, Totp
from identity.factors.tables import TotpTable
from identity.factors.totp import TotpSetup

_TOTP: Final = "totp"
"""The purpose of the vault's data key, bound to the id of the set-up, which becomes the app's."""


class TotpJobs(FactorJobs):
    """A code is accepted by the statement that moves the last accepted time step on."""

    def begin_totp(self, person_id: str) -> TotpSetup:
        """A new secret, to be shown until :meth:`confirm_totp`. Raises ``HolderUnknown``."""
        contact = self._contact_of(person_id)
        setup_id, secret = new_id(_TOTP), totp.new_secret()
        pending = PendingTotp(
            id=setup_id,
            person_id=person_id,
            sealed_secret=self._vault.seal(_TOTP, secret.encode(), context=setup_id),
            expires_at=self._clock() + self._policy.setup_lifetime,
        )
        with self._begin() as tx:
            TotpTable(tx).begin(pending, most=self._policy.most_open_setups)
        return totp.setup(setup_id, secret, account=contact.email or contact.name, issuer=self._rp_name)

    def totp_setup(self, person_id: str, setup_id: str) -> TotpSetup:
        """The same once more, for a page that is shown again.

        Raises :class:`identity.factors.errors.TotpSetupGone` or ``HolderUnknown``.
        """
        contact = self._contact_of(person_id)
        _, secret = self._pending_totp(person_id, setup_id)
        return totp.setup(setup_id, secret, account=contact.email or contact.name, issuer=self._rp_name)

    def confirm_totp(self, person_id: str, setup_id: str, code: str) -> Factor:
        """The app works: from now on it is the person's one app. The code that says so cannot log in.

        Raises a leaf of :class:`identity.factors.errors.TotpRefused`.
        """
        pending, secret = self._pending_totp(person_id, setup_id)
        now = self._clock()
        step = totp.matching_step(secret, code, now=now)
        if step is None:
            raise TotpCodeWrong
        app = Totp(pending.id, person_id, pending.sealed_secret, step, now)
        with self._begin() as tx:
            self._lock(tx, person_id)
            table = TotpTable(tx)
            if not table.finish(setup_id):
                raise TotpSetupGone
            table.drop_setups(person_id)
            replaced = table.remove(person_id)
            table.add(app)
            self._announce(
                tx,
                person_id,
                "factor.added",
                FactorKind.TOTP,
                facts={"id": app.id, "replaced": str(replaced).lower()},
            )
        return Factor(app.id, FactorKind.TOTP, "", now)

    def check_totp(self, person_id: str, code: str) -> bool:
        """True once for every time step, to one of however many callers."""
        with self._read() as tx:
            app = TotpTable(tx).get(person_id)
        if app is None:
            return False
        secret = self._vault.open(_TOTP, app.sealed_secret, context=app.id).decode()
        now = self._clock()
        step = totp.matching_step(secret, code, now=now, after=app.last_step)
        if step is None:
            return False
        with self._begin() as tx:
            return TotpTable(tx).advance(app.id, person_id=person_id, step=step, now=now)

    def _pending_totp(self, person_id: str, setup_id: str) -> tuple[PendingTotp, str]:
        with self._read() as tx:
            pending = TotpTable(tx).pending(setup_id, person_id=person_id, now=self._clock())
        if pending is None:
            raise TotpSetupGone
        return pending, self._vault.open(_TOTP, pending.sealed_secret, context=pending.id).decode()
