"""Another time-stamping authority over HTTP (RFC 3161 3.4)."""

from __future__ import annotations

import hashlib
import logging
import secrets
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from cryptography import x509

from ca import der, tst
from ca.errors import Doubt, TimeNotAvailable, TimeStamperPaused, TimeStampNotBelieved, UnitChanged
from ca.ports import Clock
from ca.timestampers.answers import LARGEST_ANSWER, CheckedToken, Expected, check_answer
from ca.timestampers.breaker import Breaker
from ca.timestampers.evidence import ForeignEvidence
from ca.timestampers.web import Web

_LOG = logging.getLogger(__name__)
_NONCE_BITS = 127
"""Positive, in 16 octets."""
_MOST_UNITS = 3
"""Units of one authority that are tried for one document: some answer from another machine every time."""


@dataclass(frozen=True, slots=True)
class Belief:
    """Of whom tokens are believed; see :class:`ca.timestampers.answers.Expected`. ``trusted`` are anchors,
    ``distrusted`` SHA-256 digests of units (:mod:`ca.distrust`), both asked for when they are needed."""

    trusted: Callable[[], Sequence[x509.Certificate]]
    distrusted: Callable[[], Collection[bytes]] = tuple
    policies: frozenset[str] = frozenset()
    tolerance: timedelta = timedelta(seconds=10)
    coarsest: timedelta = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Credentials:
    """For HTTP Basic (RFC 7617). Never printed."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(…)"


@dataclass(frozen=True, slots=True)
class ForeignUnit:
    """One unit of another authority: implements :class:`signing.ports.TimeStamper`."""

    chain: tuple[bytes, ...]
    token: Callable[[bytes], bytes]


class RemoteAuthority:
    """One authority at one address. Safe to use from several threads.

    The unit in use is learnt by a token over nothing in particular, and remembered: its certificate has to be
    known before there is anything to stamp.
    """

    def __init__(
        self,
        address: str,
        *,
        web: Web,
        belief: Belief,
        evidence: ForeignEvidence,
        clock: Clock,
        breaker: Breaker,
        credentials: Credentials | None = None,
    ) -> None:
        self._address = address
        self._web = web
        self._belief = belief
        self._evidence = evidence
        self._clock = clock
        self.breaker = breaker
        self._headers = {
            "Content-Type": "application/timestamp-query",
            "Accept": "application/timestamp-reply",
        }
        if credentials is not None:
            secret = f"{credentials.user}:{credentials.password}".encode()
            self._headers["Authorization"] = f"Basic {b64encode(secret).decode('ascii')}"
        self._chain: tuple[bytes, ...] | None = None

    def units(self) -> Iterator[ForeignUnit]:
        """The unit that answered last; then, when it turns out to be another one now, that one. There is
        evidence at hand for each.

        Raises :class:`ca.errors.TimeNotAvailable`.
        """
        if not self.breaker.lets_through:
            raise TimeStamperPaused(f"{self.breaker.name} failed too often and is not asked for a while")
        for _ in range(_MOST_UNITS):
            chain = self._fit()
            yield ForeignUnit(chain, partial(self._token, chain=chain))
            if self._chain == chain:
                return

    def _fit(self) -> tuple[bytes, ...]:
        """The chain of a unit that is good now. One that is not is forgotten: it may have a successor."""
        known = self._chain
        if known is not None:
            try:
                self._evidence.of(known)
            except TimeStampNotBelieved as cause:
                _LOG.warning("the unit of %s that is known is not good: %s", self.breaker.name, cause)
            else:
                return known
        return self._ask(hashlib.sha256(secrets.token_bytes(32)).digest(), to_learn=True).chain

    def _token(self, digest: bytes, *, chain: tuple[bytes, ...]) -> bytes:
        """A token over a SHA-256 ``digest`` by the unit of ``chain``.

        Raises :class:`ca.errors.TimeNotAvailable`: :class:`ca.errors.UnitChanged` when it was another unit's.
        """
        found = self._ask(digest)
        if found.chain != chain:
            raise UnitChanged(f"{self.breaker.name} stamps with another unit now")
        return found.token

    def _ask(self, digest: bytes, *, to_learn: bool = False) -> CheckedToken:
        """One token. To learn of a unit is to have evidence for it, too: whoever speaks for an authority's
        certificates is a part of it, and when it is away every document would wait for it anew."""
        if len(digest) != 32:
            raise ValueError(f"a SHA-256 digest has 32 bytes, not {len(digest)}")
        with self.breaker.attempt():
            try:
                found = self._exchange(digest)
                if to_learn:
                    self._evidence.of(found.chain)
            except TimeNotAvailable as cause:
                _LOG.warning("%s gave no time-stamp: %s", self.breaker.name, cause)
                raise
        self._chain = found.chain
        return found

    def _exchange(self, digest: bytes) -> CheckedToken:
        nonce = 1 << _NONCE_BITS - 1 | secrets.randbits(_NONCE_BITS - 1)
        asked = self._clock()
        answer = self._web.fetch(
            "POST",
            self._address,
            content=_request(digest, nonce),
            headers=self._headers,
            largest=LARGEST_ANSWER,
        )
        expected = Expected(
            digest=digest,
            nonce=nonce,
            policies=self._belief.policies,
            anchors=tuple(self._belief.trusted()),
            asked=asked,
            answered=self._clock(),
            tolerance=self._belief.tolerance,
            coarsest=self._belief.coarsest,
        )
        found = check_answer(answer, expected, self._evidence.at_hand)
        if hashlib.sha256(found.chain[0]).digest() in self._belief.distrusted():
            raise TimeStampNotBelieved(
                Doubt.REVOKED, "the unit is distrusted here (`absah ca distrust`): name another authority"
            )
        return found


def _request(digest: bytes, nonce: int) -> bytes:
    """DER TimeStampReq: nonce, and the certificates wanted; no policy, so that the authority's own counts."""
    return der.sequence(der.integer(1), tst.imprint_of(digest), der.integer(nonce), der.boolean(True))
