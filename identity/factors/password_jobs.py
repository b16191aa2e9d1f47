"""The jobs on passwords."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection

from identity.factors.errors import PasswordBreached, PasswordRefused
from identity.factors.guessing import require_unguessable
from identity.factors.jobs import FactorJobs
from identity.factors.model import FactorKind, PasswordHash
from identity.factors.passwords import prepare
from identity.factors.tables import PasswordTable


@dataclass(frozen=True, slots=True)
class CheckedPassword:
    """A password that was right when it was looked at. ``hash`` is the one that it was held against."""

    person_id: str
    hash: str = field(repr=False)
    rehashed: str | None = field(repr=False)


class PasswordJobs(FactorJobs):
    """Hashing happens outside transactions: it is slow on purpose, and may have to wait for its turn."""

    def set_password(self, person_id: str, password: str, *, actor: str | None = None) -> None:
        """Set or change it; all sessions end with the change.

        Raises a leaf of :class:`identity.factors.errors.PasswordRefused`, ``HolderUnknown`` or
        ``PasswordsBusy``.
        """
        # 1. May it be a password at all, and this person's?
        prepared = prepare(password)
        contact = self._contact_of(person_id)
        require_unguessable(prepared, common=self._common, about=[contact.name, contact.email or ""])
        if self._breached is not None and prepared in self._breached:
            raise PasswordBreached
        # 2. The slow part, outside any transaction.
        hashed = self._hasher.hash(prepared)
        # 3. Keep it, and end what the old one opened.
        with self._begin() as tx:
            self._lock(tx, person_id)
            is_first = PasswordTable(tx).put(PasswordHash(person_id, hashed, self._clock()))
            for changed in self._password_changed:
                changed(tx, person_id)
            what = "factor.added" if is_first else "password.changed"
            self._announce(tx, person_id, what, FactorKind.PASSWORD, actor=actor)

    def check_password(self, person_id: str | None, password: str) -> bool:
        """Whether it is theirs, with nothing to follow from it; see :meth:`match_password`."""
        checked = self.match_password(person_id, password)
        if checked is None:
            return False
        with self._begin() as tx:
            return self.use_password(tx, checked)

    def match_password(self, person_id: str | None, password: str) -> CheckedPassword | None:
        """Look at a password. What follows from a right one takes :meth:`use_password` into its transaction.

        None, a person without a password, and a text that cannot be one cost the same work. Raises
        :class:`identity.factors.errors.PasswordsBusy`.
        """
        # 1. The same look-up for everybody.
        with self._read() as tx:
            stored = PasswordTable(tx).get(person_id or "")
        try:
            prepared = prepare(password)
        except PasswordRefused:
            prepared = None
        # 2. The slow part, outside any transaction.
        if not self._hasher.matches(stored.hash if stored else None, prepared):
            return None
        assert stored is not None
        assert prepared is not None
        # 3. Its hash moves on with our parameters.
        rehashed = self._hasher.hash(prepared) if self._hasher.is_outdated(stored.hash) else None
        return CheckedPassword(stored.person_id, stored.hash, rehashed)

    def use_password(self, tx: Connection, checked: CheckedPassword) -> bool:
        """Within the caller's transaction: false when it was replaced or taken away since it was checked."""
        return PasswordTable(tx).used(
            checked.person_id, checked=checked.hash, now=self._clock(), rehashed=checked.rehashed
        )
