"""Time-stamping units of others that are not believed any more.

Lists and answers of their own CA reach us while we seal (:mod:`ca.timestampers.evidence`), and not later: who
checks a file years afterwards has what is in it. So that a unit of others was lost is an operator's word, on
record here and in the trust folder. As with a lost unit of ours, none of its times proves anything then,
whenever they say they were made (RFC 3161, 4). It is the word of one, because it has to be quick; that it was
a mistake is for custodians to say (:mod:`app.rotation.units`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from sqlalchemy import Connection

from ca.errors import RevocationRefused
from ca.ports import AuditTrail, Begin, Clock
from ca.status import UNREADABLE
from ca.subjects import shown_name
from ca.tables import Certificates, DistrustedUnits


class Distrust:
    """Safe to share between threads. ``tell`` lets others know of a unit that is distrusted, in the same
    transaction; it raises nothing."""

    def __init__(
        self,
        *,
        begin: Begin,
        clock: Clock,
        audit: AuditTrail,
        tell: Callable[[Connection, x509.Certificate], None] = lambda tx, unit: None,
    ) -> None:
        self._begin = begin
        self._clock = clock
        self._audit = audit
        self._tell = tell

    def of_unit(self, certificate: x509.Certificate, *, actor: str) -> bool:
        """Believe no time of this unit of others any more; False when that was so before.

        Raises :class:`ca.errors.RevocationRefused` for what is no time-stamping unit, or one of ours.
        """
        if not _is_unit(certificate):
            raise RevocationRefused(
                "this is not the certificate of a time-stamping unit (extendedKeyUsage timeStamping): for a "
                "CA take its root out of trust/time, and distrust each of its units"
            )
        encoded = certificate.public_bytes(Encoding.DER)
        digest = hashlib.sha256(encoded).digest()
        with self._begin() as tx:
            ours = Certificates(tx).by_digest(digest)
            if ours is not None:
                raise RevocationRefused(
                    f"{ours.name} is ours: report its key with `absah keys compromise {ours.key_id}`"
                )
            if not DistrustedUnits(tx).add(digest, encoded, at=self._clock()):
                return False
            self._tell(tx, certificate)
            self._audit.append(
                tx,
                action="unit.distrusted",
                actor=actor,
                subject=digest.hex(),
                facts={"issuer": shown_name(certificate.issuer)[:200]},
            )
        return True

    def lift(self, digest: bytes, *, by: datetime, actor: str) -> bool:
        """Believe the unit with this certificate again, if it was distrusted by then; whether it was.

        For callers who hold the consent that it takes: the times of a thief are believed again, too.
        """
        with self._begin() as tx:
            if not DistrustedUnits(tx).remove(digest, by=by):
                return False
            self._audit.append(tx, action="unit.believed_again", actor=actor, subject=digest.hex(), facts={})
        return True


def _is_unit(certificate: x509.Certificate) -> bool:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return False
    return ExtendedKeyUsageOID.TIME_STAMPING in usages
