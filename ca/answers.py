"""Answering OCSP requests: live for POST, prepared and kept for GET (RFC 6960, RFC 5019, RFC 9654)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime

from cryptography import x509

from ca import ocsp
from ca.algorithms import SIGNATURES
from ca.errors import CertificateUnknown, HierarchyIncomplete, MalformedDer
from ca.in_use import certificate_in_use
from ca.model import CertificateRecord, CertificationConfig, ListScope, ProfileName, is_published_name
from ca.ports import Begin, Clock
from ca.profiles import CA_PURPOSES
from ca.tables import Certificates, Crls
from keys.handle import KeyHandle
from keys.model import KeyPurpose
from keys.service import KeyService

_MOST_REMEMBERED = 10_000
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class PreparedAnswer:
    """An answer to GET with what HTTP caches need. ``fresh_until`` None: nobody may keep it.

    ``prepared_until`` is when it is signed anew, half of its life before its end.
    """

    body: bytes
    etag: str = ""
    last_modified: str = ""
    expires: str = ""
    fresh_until: datetime | None = None
    prepared_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Authority:
    """A CA as OCSP sees it."""

    record: CertificateRecord
    hashes: ocsp.IssuerHashes


@dataclass(frozen=True, slots=True)
class _Responder:
    record: CertificateRecord
    parts: ocsp.ResponderParts
    key: KeyHandle


class OcspResponder:
    """Safe to use from several threads.

    An answer is never older than the transaction that it was read in. Prepared answers, and which responder
    signs, are looked at again after at most ``max_staleness`` seconds.
    """

    def __init__(
        self,
        *,
        read: Begin,
        keys: KeyService,
        clock: Clock,
        config: CertificationConfig,
        max_staleness: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._keys = keys
        self._clock = clock
        self._config = config
        self._max_staleness = max_staleness
        self._monotonic = monotonic
        self._authorities: dict[str, _Authority] = {}
        self._responders: dict[str, tuple[float, _Responder]] = {}
        self._evidence: dict[int, tuple[float, CertificateRecord, bytes]] = {}
        self._prepared: dict[str, dict[str, PreparedAnswer]] = {}
        self._marks: dict[str, tuple[float, object]] = {}

    def respond(self, issuer: str, request: bytes) -> bytes:
        """DER OCSPResponse to a DER OCSPRequest about certificates of ``issuer``.

        Never raises for what the request holds; a failure of our own becomes ``internalError`` in the route.
        Raises :class:`ca.errors.CertificateUnknown` when there is no such CA.
        """
        asked = self._asked(issuer, request)
        if isinstance(asked, ocsp.ErrorStatus):
            return ocsp.error_response(asked)
        return self._answer(issuer, asked, self._config.ocsp_validity)[0]

    def answer_for(self, record: CertificateRecord) -> bytes:
        """DER OCSPResponse about one certificate, as evidence for a file: SHA-256 CertID, no nonce.

        ``record`` is the certificate as the register holds it now. The same answer serves for at most
        ``max_staleness`` seconds, and only as long as the record has not changed.
        """
        ticks = self._monotonic()
        made_at, about, response = self._evidence.get(record.serial, (float("-inf"), None, b""))
        if about == record and ticks - made_at < self._max_staleness:
            return response
        asked = ocsp.OcspRequest((self._authority(record.issuer).hashes.cert_id(record.serial),), None)
        response, _, _ = self._answer(record.issuer, asked, self._config.ocsp_validity)
        if len(self._evidence) >= _MOST_REMEMBERED:
            self._evidence.clear()
        self._evidence[record.serial] = (ticks, record, response)
        return response

    def responder_certificate(self, issuer: str) -> bytes:
        """DER certificate of the responder that answers for ``issuer`` now."""
        return self._responder(issuer).record.der

    # --- GET -----------------------------------------------------------------------------------------

    def prepared(self, issuer: str, encoded: str) -> PreparedAnswer | None:
        """The answer that is at hand for the base64 request of a GET; None: :meth:`prepare` it.

        Touches nothing but memory, so that an event loop can call it.
        """
        looked_at, _ = self._marks.get(issuer, (float("-inf"), None))
        if self._monotonic() - looked_at >= self._max_staleness:
            return None
        answer = self._prepared.get(issuer, {}).get(encoded)
        if answer is None or answer.prepared_until is None or self._clock() >= answer.prepared_until:
            return None
        return answer

    def prepare(self, issuer: str, encoded: str) -> PreparedAnswer:
        """The same, made now unless nothing changed since it was made.

        Kept are answers about one certificate that was issued here, asked for without a nonce (RFC 5019 2.1):
        what strangers make up fills no memory. Raises as :meth:`respond`.
        """
        self._look_for_changes(issuer)
        known = self.prepared(issuer, encoded)
        if known is not None:
            return known
        try:
            request = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            request = b""  # is answered as malformed, in OCSP's own words
        asked = self._asked(issuer, request)
        if isinstance(asked, ocsp.ErrorStatus):
            return PreparedAnswer(ocsp.error_response(asked))
        # Taken before the statuses are read: a change in between drops it, with what is put there too late.
        kept = self._prepared.setdefault(issuer, {})
        body, until, all_known = self._answer(issuer, asked, self._config.ocsp_cached_validity)
        if asked.nonce is not None or len(asked.certificates) > 1 or not all_known:
            return PreparedAnswer(body)
        now = self._clock().replace(microsecond=0)
        answer = PreparedAnswer(
            body,
            etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            last_modified=format_datetime(now, usegmt=True),
            expires=format_datetime(until, usegmt=True),
            fresh_until=until,
            prepared_until=now + (until - now) / 2,
        )
        if len(kept) >= _MOST_REMEMBERED:
            kept.clear()
        kept[encoded] = answer
        return answer

    def forget(self, issuer: str) -> None:
        """Drop the prepared answers of ``issuer``: a status changed."""
        self._prepared.pop(issuer, None)

    def _look_for_changes(self, issuer: str) -> None:
        """Drop what was prepared when another process changed a status. Two signs, for one may be missing: a
        crash leaves out the list, and a change that was stamped early may be committed late."""
        ticks = self._monotonic()
        looked_at, before = self._marks.get(issuer, (float("-inf"), None))
        if ticks - looked_at < self._max_staleness:
            return
        self._authority(issuer)  # or anything that strangers ask for would be remembered
        whole = ListScope(issuer)
        with self._read() as tx:
            mark = (Crls(tx).last_number(whole), Certificates(tx).last_change(whole))
        if mark != before:
            self.forget(issuer)
        self._marks[issuer] = (ticks, mark)

    # --- what both need ------------------------------------------------------------------------------

    def _asked(self, issuer: str, request: bytes) -> ocsp.OcspRequest | ocsp.ErrorStatus:
        authority = self._authority(issuer)
        try:
            asked = ocsp.read_request(request)
        except MalformedDer:
            return ocsp.ErrorStatus.MALFORMED_REQUEST
        # A root's few certificates are on its list; no responder is delegated by it.
        by_list_only = authority.record.profile is ProfileName.ROOT
        if by_list_only or not all(entry.is_issued_by(authority.hashes) for entry in asked.certificates):
            return ocsp.ErrorStatus.UNAUTHORIZED
        return asked

    def _answer(
        self, issuer: str, asked: ocsp.OcspRequest, validity: timedelta
    ) -> tuple[bytes, datetime, bool]:
        """The response, its nextUpdate, and whether everything asked about was issued here."""
        responder = self._responder(issuer)
        serials = {entry.serial for entry in asked.certificates}
        with self._read() as tx:
            known = Certificates(tx).standings(issuer, serials)
        now = self._clock()
        # A responder outlives what it signs, or the answer could not be checked to its end.
        until = min(now + validity, responder.record.not_after - _SECOND)
        response = ocsp.basic_response(
            responder=responder.parts,
            produced_at=now,
            responses=tuple(
                ocsp.single_response(entry, known.get(entry.serial), this_update=now, next_update=until)
                for entry in asked.certificates
            ),
            nonce=asked.nonce,
            signature_algorithm=SIGNATURES[responder.key.record.algorithm.value],
            sign=responder.key.sign,
        )
        return response, until, len(known) == len(serials)

    def _authority(self, name: str) -> _Authority:
        known = self._authorities.get(name)
        if known is None:
            record = None
            if is_published_name(name):
                with self._read() as tx:
                    record = Certificates(tx).by_name(name)
            if record is None or record.profile not in CA_PURPOSES:
                raise CertificateUnknown(f"there is no CA called {name[:64]!r} here")
            known = _Authority(record, ocsp.IssuerHashes(x509.load_der_x509_certificate(record.der)))
            self._authorities[name] = known
        return known

    def _responder(self, issuer: str) -> _Responder:
        ticks = self._monotonic()
        read_at, responder = self._responders.get(issuer, (float("-inf"), None))
        if responder is not None and ticks - read_at < self._max_staleness:
            return responder
        record = certificate_in_use(self._read, self._keys, ProfileName.OCSP, issuer)
        if record is None or record.not_after - _SECOND <= self._clock():
            raise HierarchyIncomplete(f"no OCSP responder is certified by {issuer} now: run `absah init`")
        if responder is None or responder.record != record:
            responder = _Responder(
                record,
                ocsp.ResponderParts.of(x509.load_der_x509_certificate(record.der)),
                self._keys.handle(record.key_id, purpose=KeyPurpose.OCSP),
            )
        self._responders[issuer] = (ticks, responder)
        return responder
