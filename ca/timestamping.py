"""The time-stamping authority: in process for sealing, and behind ``/tsa`` (RFC 3161, 5816, EN 319 422)."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock

from cryptography import x509

from ca import der, tst
from ca.algorithms import DIGESTS, SIGNATURES
from ca.chains import chain_of, issuer_and_serial, records_above
from ca.errors import TimeNotAvailable
from ca.model import CertificateRecord, CertificateStatus, CertificationConfig, ProfileName
from ca.ordering import RisingTime
from ca.ports import Begin, Clock
from ca.tables import Certificates
from keys.errors import KeyCustodyError
from keys.handle import KeyHandle
from keys.model import KeyPurpose
from keys.service import KeyService
from keys.stores.software import SoftwareKeyStore


@dataclass(frozen=True, slots=True)
class _Unit:
    """A time-stamping unit, with everything that does not change from token to token.

    ``ends`` is when the private key may no longer be used, or the certificate ends.
    """

    record: CertificateRecord
    ends: datetime
    key: KeyHandle
    chain: tuple[bytes, ...]
    certificates: bytes
    issuer_and_serial: bytes
    signing_certificate: bytes
    digest_algorithm: bytes
    signature_algorithm: bytes
    hash: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class OwnUnit:
    """One unit, and no other: implements :class:`signing.ports.TimeStamper`."""

    chain: tuple[bytes, ...]
    token: Callable[[bytes], bytes]


class TimeStampingAuthority:
    """Issues time-stamp tokens. Safe to use from several threads.

    ``begin`` is only read through. ``clock`` may raise :class:`ca.errors.TimeNotAvailable`, as
    :class:`ca.clockwatch.ClockWatch` does when it does not trust the machine's. A new, revoked or
    activated unit is noticed after at most ``max_staleness`` seconds. ``order_file`` is needed where tokens
    promise an order (:class:`ca.ordering.RisingTime`).
    Tokens of the in-process way carry the unit's certificate and its CA's, so that each stands alone.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        keys: KeyService,
        clock: Clock,
        config: CertificationConfig,
        order_file: Path | None = None,
        max_staleness: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if config.time.ordering and order_file is None:
            raise ValueError("tokens that promise an order need the file that keeps it")
        self._begin = begin
        self._keys = keys
        self._clock = clock
        self._rules = config.time
        self._accepted = tst.Accepted.of(config.timestamp_policies, config.time.digests)
        self._accuracy = tst.accuracy_of(config.time.accuracy)
        self._rising = RisingTime(order_file) if order_file and config.time.ordering else None
        self._max_staleness = max_staleness
        self._monotonic = monotonic
        self._loading = Lock()
        self._unit: tuple[float, _Unit] | None = None
        self._renewed_for = float("-inf")
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
        return self._token(digest, unit=self._current())

    def units(self) -> Iterator[OwnUnit]:
        """The unit in use; then, for whom it failed, the one that has taken over meanwhile.

        Raises :class:`ca.errors.TimeNotAvailable`.
        """
        unit = self._current()
        yield self._bound(unit)
        successor = self._current(anew=True)
        if successor.record.serial != unit.record.serial:
            yield self._bound(successor)

    def unit_of(self, record: CertificateRecord, key: KeyHandle) -> OwnUnit:
        """A unit that is not in use yet, for the token that proves that it works."""
        with self._begin() as tx:
            chain = chain_of(tx, record)
        return self._bound(_unit(record, key, chain))

    def _bound(self, unit: _Unit) -> OwnUnit:
        return OwnUnit(unit.chain, partial(self._token, unit=unit))

    def require_ready(self) -> None:
        """Raise :class:`ca.errors.TimeNotAvailable` unless a token could be issued now."""
        self._require_within(self._current(), self._clock())

    def respond(self, request: bytes) -> bytes:
        """DER TimeStampResp to a DER TimeStampReq. Never raises for what the request holds."""
        return self._respond(request, self._current)

    def respond_at_once(self, request: bytes) -> bytes | None:
        """The same where nobody has to be waited for; None where the register or a token has to be asked."""
        known = self._unit
        if known is None or self._rising is not None:
            return None
        age = self._monotonic() - known[0]
        if age >= self._max_staleness:
            return None
        if age >= self._max_staleness / 2 and self._renewed_for != known[0]:
            self._renewed_for = known[0]  # this one goes and looks, so that the others never wait for it
            return None
        unit = known[1]
        if unit.key.record.store != SoftwareKeyStore.name or not self._keys.usage.is_at_hand(
            unit.record.key_id
        ):
            return None
        return self._respond(request, lambda: unit)

    def _respond(self, request: bytes, unit: Callable[[], _Unit]) -> bytes:
        try:
            return tst.granted(self._issue(tst.read_request(request, self._accepted), unit()))
        except tst.RequestRejected as refused:
            return tst.rejected(refused.failure, refused.text)
        except TimeNotAvailable:
            return tst.rejected(tst.FailInfo.TIME_NOT_AVAILABLE, "no time-stamp can be issued now")

    def _token(self, digest: bytes, *, unit: _Unit) -> bytes:
        if len(digest) != 32:
            raise ValueError(f"a SHA-256 digest has 32 bytes, not {len(digest)}")
        request = tst.TimeStampRequest(tst.imprint_of(digest), self._accepted.policies[0], None, True)
        return self._issue(request, unit)

    def _moment(self) -> datetime:
        """The time, unless the clock went back by more than the accuracy that tokens state.

        Then one of the two times was wrong, and nobody here can say which (EN 319 421, 7.7.2: no token is
        issued while the clock is out of its accuracy). It ends when the clock has caught up, or with a
        restart of the process.
        """
        moment = self._clock()
        if moment + self._rules.accuracy < self._latest:
            raise TimeNotAvailable(
                f"the clock went back from {self._latest:%Y-%m-%d %H:%M:%S} to {moment:%Y-%m-%d %H:%M:%S}: "
                "check the time service of this machine, then restart"
            )
        if self._rising is not None:
            moment = self._rising.at(moment, tolerance=self._rules.accuracy)
        self._latest = max(self._latest, moment)
        return moment

    def _require_within(self, unit: _Unit, moment: datetime) -> None:
        if not unit.record.not_before <= moment <= unit.ends:
            raise TimeNotAvailable(
                f"time-stamping unit {unit.record.name} may be used until {unit.ends:%Y-%m-%d %H:%M:%S} UTC, "
                "certificate and private key: run `absah init`"
            )

    def _issue(self, request: tst.TimeStampRequest, unit: _Unit) -> bytes:
        moment = self._moment()
        self._require_within(unit, moment)
        info = tst.tst_info(
            policy=request.policy,
            imprint=request.imprint,
            serial=1 << 128 | secrets.randbits(128),
            moment=moment,
            accuracy=self._accuracy,
            nonce=request.nonce,
            ordering=self._rules.ordering,
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

    def _current(self, *, anew: bool = False) -> _Unit:
        asked = self._monotonic()
        with self._loading:  # those who find it stale at the same moment wait for one look at the register
            now = self._monotonic()
            known = self._unit
            if known is None or now - known[0] >= self._max_staleness / 2 or (anew and known[0] <= asked):
                known = self._unit = (now, self._load(None if known is None else known[1]))
            return known[1]

    def _load(self, known: _Unit | None) -> _Unit:
        """The newest unit whose key may sign: one that waits for its turn has a certificate already.

        None below a CA that is on hold or revoked: its tokens would prove nothing, and nobody would tell
        those who asked for them (EN 319 421, 7.13).
        """
        with self._begin() as tx:
            paths = [records_above(tx, unit) for unit in Certificates(tx).good(ProfileName.TIMESTAMPING)]
        refusal: KeyCustodyError | None = None
        for path in paths:
            if any(link.status is not CertificateStatus.GOOD for link in path):
                continue
            record, chain = path[0], tuple(link.der for link in path)
            try:
                key = self._keys.handle(record.key_id, purpose=KeyPurpose.TIMESTAMPING, anew=True)
            except KeyCustodyError as refused:
                refusal = refusal or refused
                continue
            return known if known and known.record == record else _unit(record, key, chain)
        if refusal is not None:
            raise TimeNotAvailable(f"the time-stamping key cannot be used: {refusal}") from refusal
        if paths:
            raise TimeNotAvailable("every time-stamping unit is below a CA that is on hold or revoked")
        raise TimeNotAvailable("there is no time-stamping certificate that is good: run `absah init`")


def _unit(record: CertificateRecord, key: KeyHandle, chain: tuple[bytes, ...]) -> _Unit:
    algorithm = key.record.algorithm
    hash_name = algorithm.hash_name
    certificate = x509.load_der_x509_certificate(record.der)
    return _Unit(
        record=record,
        ends=min(record.not_after, _key_ends(certificate) or record.not_after),
        key=key,
        chain=chain,
        certificates=b"".join(sorted(chain[:-1])),
        issuer_and_serial=issuer_and_serial(certificate),
        signing_certificate=tst.signing_certificate_attribute(record.sha256),
        digest_algorithm=DIGESTS[hash_name],
        signature_algorithm=SIGNATURES[algorithm.value],
        hash=lambda data: hashlib.new(hash_name, data).digest(),
    )


def _key_ends(certificate: x509.Certificate) -> datetime | None:
    try:
        period = certificate.extensions.get_extension_for_class(x509.PrivateKeyUsagePeriod).value
    except x509.ExtensionNotFound:
        return None
    return period.not_after and period.not_after.replace(tzinfo=UTC)
