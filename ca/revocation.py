"""Changing the status of certificates, and telling the world: by lists (CRL) and by answers (OCSP)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from ca.answers import OcspResponder
from ca.errors import CertificateUnknown, RevocationRefused
from ca.lists import RevocationLists
from ca.model import (
    COMPROMISES,
    CertificateRecord,
    CertificateStatus,
    CertificationConfig,
    CrlRecord,
    ProfileName,
    RevocationReason,
    is_graver,
)
from ca.ports import AuditTrail, Begin, Clock
from ca.profiles import CA_PURPOSES
from ca.tables import Certificates
from keys.lifecycle import SERVICE
from keys.model import KeyState
from keys.service import KeyService


class Revocation:
    """Revokes, holds and releases. Safe to use from several threads.

    ``lists`` issues what it says as lists, ``ocsp`` as answers. ``read`` opens transactions that only read
    (default: ``begin``). ``with_custodians``: they have to agree that a key is lost (:meth:`revoke_alone`).
    What is remembered is looked at again after at most ``max_staleness`` seconds.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        read: Begin | None = None,
        keys: KeyService,
        clock: Clock,
        audit: AuditTrail,
        config: CertificationConfig,
        with_custodians: bool = False,
        max_staleness: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begin = begin
        self._keys = keys
        self._clock = clock
        self._audit = audit
        self._with_custodians = with_custodians
        self.lists = RevocationLists(
            begin=begin,
            read=read or begin,
            keys=keys,
            clock=clock,
            audit=audit,
            config=config,
            max_staleness=max_staleness,
            monotonic=monotonic,
        )
        self.ocsp = OcspResponder(
            read=read or begin,
            keys=keys,
            clock=clock,
            config=config,
            max_staleness=max_staleness,
            monotonic=monotonic,
        )

    def revoke(
        self,
        serial: int,
        reason: RevocationReason,
        invalidity_date: datetime | None = None,
        *,
        actor: str = SERVICE,
    ) -> CertificateRecord:
        """Revoke for good, or put on hold with ``CERTIFICATE_HOLD``. ``invalidity_date`` says since when the
        key cannot be trusted, aware; it may lie before the revocation, not after it. It is published as
        revocationDate too, for those who know nothing else (:attr:`CertificateRecord.revocation_date`).

        What was revoked for another reason, or lost later, can still become a compromise: a loss that is
        found out afterwards only ever moves the date back.

        1. Status and audit entry are committed together. From here on OCSP tells it.
        2. New lists are issued. After a crash in between, the next look at a list issues it.

        Raises :class:`ca.errors.CertificateUnknown` or :class:`ca.errors.RevocationRefused`.
        """
        now = self._clock()
        if invalidity_date is not None and invalidity_date > now:
            raise RevocationRefused("the invalidity date lies in the future: it names when trust was lost")
        hold = reason is RevocationReason.CERTIFICATE_HOLD
        status = CertificateStatus.ON_HOLD if hold else CertificateStatus.REVOKED
        record = self._change(
            serial, status, revoked_at=now, reason=reason, invalidity_date=invalidity_date, actor=actor
        )
        self._publish(record)
        return record

    def revoke_alone(
        self,
        serial: int,
        reason: RevocationReason,
        invalidity_date: datetime | None = None,
        *,
        actor: str,
    ) -> CertificateRecord:
        """:meth:`revoke`, as far as one person's word is enough for it (:meth:`needs_custodians`). A hold
        always is.

        Raises as :meth:`revoke`.
        """
        with self._begin() as tx:
            record = Certificates(tx).by_serial(serial)
        if record is not None and self.needs_custodians(record, reason, invalidity_date):
            raise RevocationRefused(
                f"whether {record.name} is given up for lost, and since when, is for custodians to say: "
                f"`absah keys compromise {record.key_id} --since TIME` stops its key at once and asks them"
            )
        return self.revoke(serial, reason, invalidity_date, actor=actor)

    def needs_custodians(
        self, record: CertificateRecord, reason: RevocationReason, invalidity_date: datetime | None = None
    ) -> bool:
        """Whether revoking so makes documents of the past doubtful, and custodians have to agree to that: a
        loss, a date back, or a whole CA. Keys that others keep are no business of theirs."""
        final = reason is not RevocationReason.CERTIFICATE_HOLD and (
            reason in COMPROMISES or invalidity_date is not None or record.profile is ProfileName.ISSUING
        )
        return self._with_custodians and final and not record.key_is_elsewhere

    def release(self, serial: int, *, actor: str = SERVICE) -> CertificateRecord:
        """Lift a hold. Nothing else can be undone (RFC 5280 5.3.1). A hold whose key was stopped, too, is
        lifted after the key is reinstated."""
        self._require_key_in_use(serial)
        record = self._change(
            serial,
            CertificateStatus.GOOD,
            revoked_at=None,
            reason=None,
            invalidity_date=None,
            actor=actor,
        )
        self._publish(record)
        return record

    def _require_key_in_use(self, serial: int) -> None:
        with self._begin() as tx:
            record = Certificates(tx).by_serial(serial)
        if record is None or record.key_is_elsewhere:
            return
        state = self._keys.get(record.key_id).state
        if state in {KeyState.SUSPENDED, KeyState.COMPROMISED}:
            raise RevocationRefused(
                f"the key of {record.name} is {state}: the hold is lifted after its suspension, by `absah "
                f"case withdraw` or `absah keys reinstate {record.key_id}`"
            )

    def current_crl(self, name: str) -> CrlRecord:
        """As :meth:`ca.lists.RevocationLists.current`."""
        return self.lists.current(name)

    def respond(self, issuer: str, request: bytes) -> bytes:
        """As :meth:`ca.answers.OcspResponder.respond`."""
        return self.ocsp.respond(issuer, request)

    def answer_for(self, record: CertificateRecord) -> bytes:
        """As :meth:`ca.answers.OcspResponder.answer_for`."""
        return self.ocsp.answer_for(record)

    def responder_certificate(self, issuer: str) -> bytes:
        """As :meth:`ca.answers.OcspResponder.responder_certificate`."""
        return self.ocsp.responder_certificate(issuer)

    def _publish(self, record: CertificateRecord) -> None:
        self.ocsp.forget(record.issuer)
        self.lists.issue_for(record)

    def _change(
        self,
        serial: int,
        status: CertificateStatus,
        *,
        revoked_at: datetime | None,
        reason: RevocationReason | None,
        invalidity_date: datetime | None,
        actor: str,
    ) -> CertificateRecord:
        with self._begin() as tx:
            register = Certificates(tx)
            record = register.by_serial(serial)
            if record is None:
                raise CertificateUnknown(f"no certificate with serial {serial:x} was issued here")
            if record.profile is ProfileName.SUPERIOR:
                raise RevocationRefused(f"{record.name} was not issued here: ask who did to revoke it")
            if record.profile is ProfileName.ROOT:
                raise RevocationRefused("a root is not revoked but removed from trust lists: start a new one")
            _require_sense(record, status, reason, invalidity_date)
            if record.status is CertificateStatus.REVOKED:
                revoked_at = record.revoked_at  # found out later, revoked then
            if not register.set_status(
                serial,
                was=record,
                at=self._clock(),
                status=status,
                revoked_at=revoked_at,
                reason=reason,
                invalidity_date=invalidity_date,
            ):
                raise RevocationRefused(f"certificate {record.name} changed its status meanwhile: look again")
            facts = {"from": record.status.value, "to": status.value}
            if reason is not None:
                facts["reason"] = reason.name.lower()
            if invalidity_date is not None:
                facts["invalidity_date"] = invalidity_date.isoformat()
            self._audit.append(
                tx, action="certificate.status", actor=actor, subject=f"{serial:x}", facts=facts
            )
            changed = register.by_serial(serial)
        assert changed is not None
        return changed


def _require_sense(
    record: CertificateRecord,
    status: CertificateStatus,
    reason: RevocationReason | None,
    lost_at: datetime | None,
) -> None:
    if record.status is status is not CertificateStatus.REVOKED or (
        record.status is CertificateStatus.REVOKED
        and not (status is CertificateStatus.REVOKED and is_graver(record, reason, lost_at))
    ):
        raise RevocationRefused(
            f"certificate {record.name} is {record.status} already: that is not undone or redone"
        )
    is_ca = record.profile in CA_PURPOSES
    if reason in {RevocationReason.UNSPECIFIED, RevocationReason.AA_COMPROMISE}:
        raise RevocationRefused(
            f"{reason.name.lower()} says nothing about certificate {record.name}: name the reason"
        )
    if (reason is RevocationReason.CA_COMPROMISE and not is_ca) or (
        reason is RevocationReason.KEY_COMPROMISE and is_ca
    ):
        right = "ca_compromise" if is_ca else "key_compromise"
        raise RevocationRefused(f"the key of certificate {record.name} was lost as {right} (RFC 5280 5.3.1)")
