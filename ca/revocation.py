"""Revocation, and its two voices: lists (CRL) and answers (OCSP)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from sqlalchemy.exc import IntegrityError

from ca import ocsp
from ca.algorithms import SIGNATURES
from ca.crl import build_crl
from ca.errors import CertificateUnknown, HierarchyIncomplete, MalformedDer, RevocationRefused
from ca.issuing import Issuer
from ca.model import (
    CertificateRecord,
    CertificateStatus,
    CertificationConfig,
    CrlRecord,
    ProfileName,
    RevocationReason,
    is_published_name,
)
from ca.ports import AuditTrail, Begin, Clock
from ca.tables import Certificates, Crls
from keys.handle import KeyHandle
from keys.model import KeyPurpose
from keys.service import SERVICE, KeyService

_ATTEMPTS = 20
_PAUSE = 0.02
"""Seconds; the n-th loser of a race for a list's number waits up to n times as long, by chance."""
_MOST_REMEMBERED = 10_000
_CA_PURPOSES = {ProfileName.ROOT: KeyPurpose.ROOT_CA, ProfileName.ISSUING: KeyPurpose.ISSUING_CA}


@dataclass(frozen=True, slots=True)
class _Authority:
    """A CA as OCSP sees it."""

    record: CertificateRecord
    hashes: ocsp.IssuerHashes


@dataclass(frozen=True, slots=True)
class _Responder:
    record: CertificateRecord
    certificate: x509.Certificate
    key: KeyHandle


class Revocation:
    """Changes the status of certificates and tells the world. Safe to use from several threads.

    An answer is never older than the transaction that it was read in; which responder signs is remembered
    for at most ``max_staleness`` seconds. ``read`` opens transactions that only read (default: ``begin``).
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
        max_staleness: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begin = begin
        self._read = read or begin
        self._keys = keys
        self._clock = clock
        self._audit = audit
        self._config = config
        self._max_staleness = max_staleness
        self._monotonic = monotonic
        self._authorities: dict[str, _Authority] = {}
        self._responders: dict[str, tuple[float, _Responder]] = {}
        self._evidence: dict[int, tuple[float, CertificateRecord, bytes]] = {}
        self._lists: dict[str, tuple[float, CrlRecord]] = {}

    # --- status --------------------------------------------------------------------------------------

    def revoke(
        self,
        serial: int,
        reason: RevocationReason,
        invalidity_date: datetime | None = None,
        *,
        actor: str = SERVICE,
    ) -> CertificateRecord:
        """Revoke for good, or put on hold with ``CERTIFICATE_HOLD``. ``invalidity_date`` says since when the
        key cannot be trusted, aware; it may lie before the revocation, not after it.

        1. Status and audit entry are committed together. From here on OCSP tells it.
        2. A new CRL is issued. After a crash in between, the next look at the CRL issues it.

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
        self._issue_crl(record.issuer)
        return record

    def release(self, serial: int, *, actor: str = SERVICE) -> CertificateRecord:
        """Lift a hold. Nothing else can be undone (RFC 5280 5.3.1)."""
        record = self._change(
            serial,
            CertificateStatus.GOOD,
            revoked_at=None,
            reason=None,
            invalidity_date=None,
            actor=actor,
        )
        self._issue_crl(record.issuer)
        return record

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
            if record.profile is ProfileName.ROOT:
                raise RevocationRefused("a root is not revoked but removed from trust lists: start a new one")
            was = record.status
            if was is CertificateStatus.REVOKED or was is status:
                raise RevocationRefused(
                    f"certificate {record.name} is {was} already: that is not undone or redone"
                )
            if not register.set_status(
                serial,
                was=was,
                at=self._clock(),
                status=status,
                revoked_at=revoked_at,
                reason=reason,
                invalidity_date=invalidity_date,
            ):
                raise RevocationRefused(f"certificate {record.name} changed its status meanwhile: look again")
            facts = {"from": was.value, "to": status.value}
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

    # --- lists ---------------------------------------------------------------------------------------

    def current_crl(self, issuer: str) -> CrlRecord:
        """The issuer's list: the latest one, or a new one when half its life is over or a status changed
        after it; looked at again after at most ``max_staleness`` seconds.

        Raises :class:`ca.errors.CertificateUnknown` when there is no such CA.
        """
        ticks = self._monotonic()
        looked_at, known = self._lists.get(issuer, (float("-inf"), None))
        if known is None or ticks - looked_at >= self._max_staleness:
            known = self._renewed_crl(issuer)
            self._lists[issuer] = (ticks, known)
        return known

    def _renewed_crl(self, issuer: str) -> CrlRecord:
        now = self._clock()
        with self._read() as tx:
            latest = Crls(tx).latest(issuer)
            changed = Certificates(tx).last_change(issuer)
        if latest is not None and (changed is None or changed <= latest.this_update):
            half = latest.this_update + (latest.next_update - latest.this_update) / 2
            if now < half:
                return latest
        return self._issue_crl(issuer)

    def _issue_crl(self, issuer: str) -> CrlRecord:
        """Read, sign outside any transaction, store under the number that was read. Whoever loses the race
        for a number starts again from what is then true, so a later number never knows less."""
        authority = self._issuer(issuer)
        root = authority.certificate.issuer == authority.certificate.subject
        validity = self._config.root_crl_validity if root else self._config.issuing_crl_validity
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(secrets.randbelow(attempt * 1000) / 1000 * _PAUSE)
            now = self._clock()  # before reading, so that a change after it is seen as newer than the list
            with self._read() as tx:
                entries = Certificates(tx).not_good(issuer)
                number = Crls(tx).next_number(issuer)
            encoded = build_crl(
                issuer=authority, entries=entries, number=number, this_update=now, next_update=now + validity
            )
            record = CrlRecord(issuer, number, encoded, now, now + validity)
            try:
                with self._begin() as tx:
                    Crls(tx).add(record)
                    self._audit.append(
                        tx,
                        action="crl.issued",
                        actor=SERVICE,
                        subject=issuer,
                        facts={"number": str(number), "entries": str(len(entries))},
                    )
            except IntegrityError:
                continue
            self._lists.pop(issuer, None)
            return record
        raise RevocationRefused(
            f"other processes issued {_ATTEMPTS} lists of {issuer} meanwhile. Statuses stand as they were "
            "set, OCSP tells them, and the next look at the list issues it"
        )

    def _issuer(self, name: str) -> Issuer:
        record = self._authority(name).record
        handle = self._keys.handle(record.key_id, purpose=_CA_PURPOSES[record.profile])
        return Issuer(name, x509.load_der_x509_certificate(record.der), handle)

    # --- answers -------------------------------------------------------------------------------------

    def respond(self, issuer: str, request: bytes) -> bytes:
        """DER OCSPResponse to a DER OCSPRequest about certificates of ``issuer``.

        Never raises for what the request holds; a failure of our own becomes ``internalError`` in the route.
        Raises :class:`ca.errors.CertificateUnknown` when there is no such CA.
        """
        authority = self._authority(issuer)
        try:
            asked = ocsp.read_request(request)
        except MalformedDer:
            return ocsp.error_response(ocsp.ErrorStatus.MALFORMED_REQUEST)
        # A root's few certificates are on its list; no responder is delegated by it.
        by_list_only = authority.record.profile is ProfileName.ROOT
        if by_list_only or not all(entry.is_issued_by(authority.hashes) for entry in asked.certificates):
            return ocsp.error_response(ocsp.ErrorStatus.UNAUTHORIZED)
        return self._answer(issuer, asked)

    def answer_for(self, record: CertificateRecord) -> bytes:
        """DER OCSPResponse about one certificate, as evidence for a file: SHA-256 CertID, no nonce.

        ``record`` is the certificate as the register holds it now. The same answer serves for at most
        ``max_staleness`` seconds, and only as long as the record has not changed.
        """
        ticks = self._monotonic()
        made_at, about, response = self._evidence.get(record.serial, (float("-inf"), None, b""))
        if about == record and ticks - made_at < self._max_staleness:
            return response
        authority = self._authority(record.issuer)
        asked = ocsp.OcspRequest((authority.hashes.cert_id(record.serial),), None)
        response = self._answer(record.issuer, asked)
        if len(self._evidence) >= _MOST_REMEMBERED:
            self._evidence.clear()
        self._evidence[record.serial] = (ticks, record, response)
        return response

    def _answer(self, issuer: str, asked: ocsp.OcspRequest) -> bytes:
        responder = self._responder(issuer)
        with self._read() as tx:
            known = Certificates(tx).by_serials(issuer, {entry.serial for entry in asked.certificates})
        now = self._clock()
        until = min(now + self._config.ocsp_validity, responder.record.not_after)
        return ocsp.basic_response(
            responder=responder.certificate,
            produced_at=now,
            responses=tuple(
                ocsp.single_response(entry, known.get(entry.serial), this_update=now, next_update=until)
                for entry in asked.certificates
            ),
            nonce=asked.nonce,
            signature_algorithm=SIGNATURES[responder.key.record.algorithm.value],
            sign=responder.key.sign,
        )

    def responder_certificate(self, issuer: str) -> bytes:
        """DER certificate of the responder that answers for ``issuer`` now."""
        return self._responder(issuer).record.der

    def _authority(self, name: str) -> _Authority:
        known = self._authorities.get(name)
        if known is None:
            record = None
            if is_published_name(name):
                with self._read() as tx:
                    record = Certificates(tx).by_name(name)
            if record is None or record.profile not in _CA_PURPOSES:
                raise CertificateUnknown(f"there is no CA called {name[:64]!r} here")
            known = _Authority(record, ocsp.IssuerHashes(x509.load_der_x509_certificate(record.der)))
            self._authorities[name] = known
        return known

    def _responder(self, issuer: str) -> _Responder:
        ticks = self._monotonic()
        read_at, responder = self._responders.get(issuer, (float("-inf"), None))
        if responder is not None and ticks - read_at < self._max_staleness:
            return responder
        with self._read() as tx:
            record = Certificates(tx).newest_good(ProfileName.OCSP)
        if record is None or record.issuer != issuer or record.not_after < self._clock():
            raise HierarchyIncomplete(f"no OCSP responder is certified by {issuer} now: run `absah init`")
        if responder is None or responder.record != record:
            responder = _Responder(
                record,
                x509.load_der_x509_certificate(record.der),
                self._keys.handle(record.key_id, purpose=KeyPurpose.OCSP),
            )
        self._responders[issuer] = (ticks, responder)
        return responder
