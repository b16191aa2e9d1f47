"""The time-stamping authority: in process for sealing, and behind ``/tsa`` (RFC 3161, 5816, EN 319 422)."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509

from ca import der, tst
from ca.algorithms import DIGESTS, SIGNATURES
from ca.chains import chain_of, issuer_and_serial
from ca.errors import TimeNotAvailable
from ca.model import CertificateRecord, CertificationConfig, ProfileName
from ca.ports import Begin, Clock
from ca.tables import Certificates
from keys.errors import KeyCustodyError
from keys.handle import KeyHandle
from keys.model import KeyPurpose
from keys.service import KeyService


@dataclass(frozen=True, slots=True)
class _Unit:
    """The time-stamping unit in use, with everything that does not change from token to token."""

    record: CertificateRecord
    key: KeyHandle
    chain: tuple[bytes, ...]
    certificates: bytes
    issuer_and_serial: bytes
    signing_certificate: bytes
    digest_algorithm: bytes
    signature_algorithm: bytes
    hash: Callable[[bytes], bytes]


class TimeStampingAuthority:
    """Issues time-stamp tokens. Safe to use from several threads.

    ``begin`` is only read through. A new or revoked unit is noticed after at most ``max_staleness`` seconds.
    Tokens of the in-process way carry the unit's certificate and its CA's, so that each stands alone.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        keys: KeyService,
        clock: Clock,
        config: CertificationConfig,
        max_staleness: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begin = begin
        self._keys = keys
        self._clock = clock
        self._config = config
        self._policy = config.timestamp_policy
        self._max_staleness = max_staleness
        self._monotonic = monotonic
        self._unit: tuple[float, _Unit] | None = None
        self._latest = datetime.min.replace(tzinfo=UTC)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER certificates of the unit in use and the path above it, root included.

        Raises :class:`ca.errors.TimeNotAvailable`.
        """
        return self._current().chain

    def token(self, digest: bytes) -> bytes:
        """TimeStampToken (DER ContentInfo) over a SHA-256 ``digest`` of 32 bytes.

        Raises :class:`ca.errors.TimeNotAvailable`, and ``ValueError`` for a digest of another size.
        """
        if len(digest) != 32:
            raise ValueError(f"a SHA-256 digest has 32 bytes, not {len(digest)}")
        return self._issue(tst.TimeStampRequest(tst.imprint_of(digest), None, True))

    def respond(self, request: bytes) -> bytes:
        """DER TimeStampResp to a DER TimeStampReq. Never raises for what the request holds."""
        try:
            return tst.granted(self._issue(tst.read_request(request, policy=self._policy)))
        except tst.RequestRejected as refused:
            return tst.rejected(refused.failure, refused.text)
        except TimeNotAvailable:
            return tst.rejected(tst.FailInfo.TIME_NOT_AVAILABLE, "no time-stamping unit can sign now")

    def _moment(self) -> datetime:
        """The time, unless the clock went back by more than the accuracy that tokens state.

        Then one of the two times was wrong, and nobody here can say which (EN 319 421, 7.7.2: no token is
        issued while the clock is out of its accuracy). It ends when the clock has caught up, or with a
        restart of the process.
        """
        moment = self._clock()
        if moment + timedelta(seconds=self._config.tsa_accuracy_seconds) < self._latest:
            raise TimeNotAvailable(
                f"the clock went back from {self._latest:%Y-%m-%d %H:%M:%S} to {moment:%Y-%m-%d %H:%M:%S}: "
                "check the time service of this machine, then restart"
            )
        self._latest = max(self._latest, moment)
        return moment

    def _issue(self, request: tst.TimeStampRequest) -> bytes:
        unit = self._current()
        moment = self._moment()
        if not unit.record.not_before <= moment <= unit.record.not_after:
            raise TimeNotAvailable(
                f"certificate {unit.record.name} of the time-stamping unit is not valid now: run `absah init`"
            )
        info = tst.tst_info(
            policy=self._policy,
            imprint=request.imprint,
            serial=1 << 128 | secrets.randbits(128),
            moment=moment,
            accuracy_seconds=self._config.tsa_accuracy_seconds,
            nonce=request.nonce,
        )
        attributes = tst.signed_attributes(unit.hash(info), unit.signing_certificate)
        try:
            signature = unit.key.sign(der.tlv(der.SET, attributes))
        except KeyCustodyError as refused:
            raise TimeNotAvailable(f"the time-stamping key cannot sign: {refused}") from refused
        return tst.token(
            info=info,
            attributes=attributes,
            issuer_and_serial=unit.issuer_and_serial,
            digest_algorithm=unit.digest_algorithm,
            signature_algorithm=unit.signature_algorithm,
            signature=signature,
            certificates=unit.certificates if request.certificate_wanted else b"",
        )

    def _current(self) -> _Unit:
        now = self._monotonic()
        if self._unit is None or now - self._unit[0] >= self._max_staleness:
            self._unit = (now, self._load(None if self._unit is None else self._unit[1]))
        return self._unit[1]

    def _load(self, known: _Unit | None) -> _Unit:
        with self._begin() as tx:
            record = Certificates(tx).newest_good(ProfileName.TIMESTAMPING)
            if record is None:
                raise TimeNotAvailable("there is no time-stamping certificate that is good: run `absah init`")
            if known is not None and known.record == record:
                return known
            chain = chain_of(tx, record)
        try:
            key = self._keys.handle(record.key_id, purpose=KeyPurpose.TIMESTAMPING)
        except KeyCustodyError as refused:
            raise TimeNotAvailable(f"the time-stamping key cannot be used: {refused}") from refused
        algorithm = key.record.algorithm
        hash_name = algorithm.hash_name
        return _Unit(
            record=record,
            key=key,
            chain=chain,
            certificates=b"".join(sorted(chain[:-1])),
            issuer_and_serial=issuer_and_serial(x509.load_der_x509_certificate(record.der)),
            signing_certificate=tst.signing_certificate_attribute(record.sha256),
            digest_algorithm=DIGESTS[hash_name],
            signature_algorithm=SIGNATURES[algorithm.value],
            hash=lambda data: hashlib.new(hash_name, data).digest(),
        )
