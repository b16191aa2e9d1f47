"""What all jobs on factors share: their ports, the lock on a person's factors, and the announcement."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from identity.factors.breached import BreachedPasswords
from identity.factors.common import CommonPasswords, shipped
from identity.factors.errors import HolderUnknown
from identity.factors.model import (
    PASSWORD_ID,
    RECOVERY_CODES_ID,
    Factor,
    FactorKind,
    FactorPolicy,
)
from identity.factors.passkey_tables import PasskeyTable
from identity.factors.passkeys import RelyingParty
from identity.factors.passwords import SlowHasher
from identity.factors.tables import HolderTable, PasswordTable, RecoveryCodeTable, TotpTable
from identity.ports import AuditTrail, Begin, Clock, Contact, Contacts, Outbox, PersonHook, Vault


class FactorJobs:
    """``read`` opens read-only transactions. Safe to share between threads.

    ``rp_id`` and ``origin`` come from the settings and bind passkeys to the site; ``rp_name`` is what apps
    and devices show for it. ``password_changed`` run in the transaction that changes a password: they end
    all sessions of the person. ``common`` are filters of passwords that nobody may have, ``breached`` is the
    operator's own list of such.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditTrail,
        vault: Vault,
        outbox: Outbox,
        contacts: Contacts,
        rp_id: str,
        rp_name: str,
        origin: str,
        policy: FactorPolicy | None = None,
        password_changed: Collection[PersonHook] = (),
        common: Sequence[CommonPasswords] | None = None,
        breached: BreachedPasswords | None = None,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._vault = vault
        self._outbox = outbox
        self._contacts = contacts
        self._policy = policy = policy or FactorPolicy()
        self._password_changed = tuple(password_changed)
        self._common = (shipped(),) if common is None else tuple(common)
        self._breached = breached
        self._hasher = SlowHasher(
            at_once=policy.passwords_at_once, waiting=policy.passwords_waiting, cost=policy.password_cost
        )
        self._rp_name = rp_name
        self._relying_party = RelyingParty(
            rp_id=rp_id, rp_name=rp_name, origin=origin, timeout=policy.challenge_lifetime
        )

    def _contact(self, tx: Connection, person_id: str) -> Contact:
        contact = self._contacts.of(tx, person_id)
        if contact is None:
            raise HolderUnknown
        return contact

    def _contact_of(self, person_id: str) -> Contact:
        with self._read() as tx:
            return self._contact(tx, person_id)

    def _lock(self, tx: Connection, person_id: str) -> None:
        """First act of a transaction that adds or removes. Raises ``HolderUnknown``."""
        if not HolderTable(tx).lock(person_id):
            raise HolderUnknown

    def _announce(
        self,
        tx: Connection,
        person_id: str,
        what: str,
        kind: FactorKind,
        *,
        name: str = "",
        actor: str | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Last acts of a transaction: a mail, if there is a mailbox, and the audit entry.

        ``what`` names both, such as ``factor.added`` (the mail: ``factor_added``). ``name`` is the person's
        own word for the factor, and goes to them alone.
        """
        facts = {"factor": kind.value, **(facts or {})}
        contact = self._contact(tx, person_id)
        if contact.email is not None:
            possible = {
                "factor": in_words(kind, name, contact.language),
                "left": facts.get("left", ""),
                "when": self._clock().isoformat(timespec="seconds"),
            }
            self._outbox.queue(
                tx,
                to=contact.email,
                template=what.replace(".", "_"),
                language=contact.language,
                values={value: possible[value] for value in _MAILS[what]},
            )
        self._audit.append(tx, action=what, actor=actor or person_id, subject=person_id, facts=facts)


_MAILS: Final[Mapping[str, tuple[str, ...]]] = {
    "factor.added": ("factor", "when"),
    "factor.removed": ("factor", "when"),
    "password.changed": ("when",),
    "recovery_codes.renewed": ("when",),
    "recovery_code.used": ("left", "when"),
    "passkey.suspected": ("factor", "when"),
}
"""What is announced, and the values of each mail."""

_WORDS: Final[Mapping[str, Mapping[FactorKind, str]]] = {
    "id": {
        FactorKind.PASSWORD: "kata sandi",
        FactorKind.TOTP: "aplikasi autentikator",
        FactorKind.PASSKEY: "kunci sandi (passkey)",
        FactorKind.RECOVERY_CODE: "kode cadangan",
    },
    "en": {
        FactorKind.PASSWORD: "password",
        FactorKind.TOTP: "authenticator app",
        FactorKind.PASSKEY: "passkey",
        FactorKind.RECOVERY_CODE: "recovery codes",
    },
}


def in_words(kind: FactorKind, name: str, language: str) -> str:
    """``kunci sandi (passkey), HP Siti``."""
    word = _WORDS.get(language, _WORDS["id"])[kind]
    return f"{word}, {name}" if name else word


def held_factors(tx: Connection, person_id: str) -> tuple[Factor, ...]:
    """Password, app, passkeys (oldest first), recovery codes, also when all of them are used up."""
    held: list[Factor] = []
    if password := PasswordTable(tx).get(person_id):
        held.append(Factor(PASSWORD_ID, FactorKind.PASSWORD, "", password.created_at, password.last_used_at))
    if totp := TotpTable(tx).get(person_id):
        held.append(Factor(totp.id, FactorKind.TOTP, "", totp.created_at, totp.last_used_at))
    held.extend(
        Factor(
            passkey.id,
            FactorKind.PASSKEY,
            passkey.name,
            passkey.created_at,
            passkey.last_used_at,
            suspected_at=passkey.suspected_at,
        )
        for passkey in PasskeyTable(tx).of(person_id)
    )
    if codes := RecoveryCodeTable(tx).standing(person_id):
        held.append(
            Factor(
                RECOVERY_CODES_ID,
                FactorKind.RECOVERY_CODE,
                "",
                codes.created_at,
                codes.last_used_at,
                left=codes.left,
            )
        )
    return tuple(held)


def new_id(kind: str) -> str:
    """128 random bits behind a word."""
    return f"{kind}-{secrets.token_hex(14)}"
