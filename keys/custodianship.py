"""The register of custodians in the database, under the seal of custody."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from keys.approval_tables import Registers
from keys.approvals import ApprovalPolicy
from keys.custodians import Register, changed, key_in
from keys.errors import CustodiansChangeRefused, DataKeyUnknown, RegisterAltered, SealedValueInvalid
from keys.ports import AuditMemory, Begin, Clock

SEAL: Final = "custodians"
"""The data key under which the register and the requests are sealed."""
CHANGED: Final = "custodians.changed"
SUBJECT: Final = "custodians"
_LOOKS: Final = 3


class Sealer(Protocol):
    """What :class:`keys.envelope.Envelope` does. Both work inside an open transaction."""

    def seal(self, purpose: str, plaintext: bytes, *, context: str) -> bytes: ...

    def open(self, purpose: str, sealed: bytes, *, context: str) -> bytes:
        """Raises :class:`keys.errors.SealedValueInvalid`."""
        ...


class Custodians:
    """Safe to share between threads and processes. ``read`` opens read-only transactions.

    The register is sealed, so that whoever writes to the database cannot make themselves a custodian. It is
    also held against the audit trail, so that nobody brings an older version back, or none at all, without
    rewriting a chain whose head is kept elsewhere. An entry that somebody appends does not help: there are
    as many of them as versions, and only custody makes a version.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin,
        clock: Clock,
        audit: AuditMemory,
        sealer: Sealer,
        policy: ApprovalPolicy,
    ) -> None:
        self._begin = begin
        self._read = read
        self._clock = clock
        self._audit = audit
        self._sealer = sealer
        self._policy = policy

    def register(self) -> Register:
        """As it is now. Raises :class:`keys.errors.RegisterAltered`."""
        with self._read() as tx:
            return self.current(tx)

    def decide(self) -> bool:
        """Whether acts on keys wait for custodians here: approvals are demanded, and there was a quorum to
        give them. Before the first one, whoever sets the service up acts alone.

        Raises :class:`keys.errors.RegisterAltered`.
        """
        return self._policy.required > 0 and not self.register().is_free(self._policy.required)

    def current(self, tx: Connection) -> Register:
        """The same inside the caller's transaction."""
        for _ in range(_LOOKS):
            newest = Registers(tx).newest()
            recorded = self._audit.newest(tx, action=CHANGED, subject=SUBJECT)
            content, seal = newest or ("", b"")
            if newest is None and recorded is None:
                return Register()
            if newest is not None and not self._is_whole(content, seal):
                break
            if recorded is not None and recorded["register"] == _digest(content).hex():
                register = Register.read(content)
                if self._audit.count(tx, action=CHANGED, subject=SUBJECT) == register.version:
                    return register
            # The two looks are two statements: somebody may have changed it in between. Look again.
        raise RegisterAltered(
            "The register of custodians is not the one that the service wrote, so nothing can be approved. "
            "Find out who changed the database (`absah audit verify`), and restore it from a backup."
        )

    def _is_whole(self, content: str, seal: bytes) -> bool:
        try:
            return self._sealer.open(SEAL, seal, context="register") == _digest(content)
        except (SealedValueInvalid, DataKeyUnknown):
            return False

    def change_freely(self, parameters: Mapping[str, str], *, actor: str) -> Register:
        """Change the register without approvals, which only works before there is a quorum.

        Raises :class:`keys.errors.CustodiansChangeRefused` or ``CustodianKeyRefused``.
        """
        with self._begin() as tx:
            if not self.current(tx).is_free(self._policy.required):
                raise CustodiansChangeRefused(
                    "There are enough custodians to approve, so they have to agree on who is one. "
                    "The change has to be requested."
                )
            return self.change(tx, parameters, actor=actor)

    def change(self, tx: Connection, parameters: Mapping[str, str], *, actor: str) -> Register:
        """The next version, inside the caller's transaction, which has made sure that it may. Audited here.

        Raises :class:`keys.errors.CustodiansChangeRefused` or ``CustodianKeyRefused`` before anything is
        written.
        """
        register = changed(self.current(tx), parameters, required=self._policy.required)
        content = register.content()
        try:
            Registers(tx).add(
                register.version,
                content,
                self._sealer.seal(SEAL, _digest(content), context="register"),
                at=self._clock(),
                by=actor,
            )
        except IntegrityError:
            raise CustodiansChangeRefused(
                "The register of custodians changed this very moment. Look at it, and try again."
            ) from None
        key = key_in(parameters)
        self._audit.append(
            tx,
            action=CHANGED,
            actor=actor,
            subject=SUBJECT,
            facts={
                "change": parameters["change"],
                "custodian": parameters["custodian"],
                "key": key.id if key else "",
                "version": str(register.version),
                "custodians": str(len(register.custodians)),
                "register": _digest(content).hex(),
            },
        )
        return register


def _digest(content: str) -> bytes:
    return hashlib.sha256(content.encode()).digest()
