"""Whether another authority's certificates are good, asked where they say (RFC 5280 4.2.1.13, 4.2.2.1).

Addresses are taken from certificates that an anchor of the operator's stands above, never from strangers'.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from threading import Lock

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from ca.errors import Doubt, TimeStamperUnreachable, TimeStampNotBelieved
from ca.ports import Clock
from ca.status import UNREADABLE, standing
from ca.subjects import shown_name
from ca.timestampers.web import Web
from ca.trust import StatusEvidence

_LOG = logging.getLogger(__name__)
_LARGEST_ANSWER = 65_536
_LARGEST_LIST = 20_000_000
_MOST_ADDRESSES = 4
_LONGEST = timedelta(hours=1)
"""Evidence is fetched anew after this long at the latest, so that a revocation is noticed."""
_MARGIN = timedelta(minutes=5)
"""Before it ends: what is sealed with it has to be stamped while it holds."""


@dataclass(frozen=True, slots=True)
class ChainEvidence:
    """DER: the evidence for one chain, the certificates that it needs, and until when it is used."""

    certificates: tuple[bytes, ...]
    status: StatusEvidence
    until: datetime


@dataclass(frozen=True, slots=True)
class _Proof:
    """That one certificate is good: an OCSP response or a list."""

    ocsp_response: bytes | None
    crl: bytes | None
    certificates: tuple[bytes, ...]
    until: datetime


class ForeignEvidence:
    """Fetches and remembers evidence by chain. Safe to use from several threads."""

    def __init__(self, web: Web, *, clock: Clock) -> None:
        self._web = web
        self._clock = clock
        self._lock = Lock()
        self._fetching: dict[tuple[bytes, ...], Lock] = {}
        self._known: dict[tuple[bytes, ...], ChainEvidence] = {}

    def at_hand(self, chain: tuple[bytes, ...]) -> StatusEvidence | None:
        """What :meth:`of` fetched last for ``chain``, however old; None when it never did."""
        known = self._known.get(chain)
        return None if known is None else known.status

    def of(self, chain: tuple[bytes, ...]) -> ChainEvidence:
        """Evidence that is current now for every certificate of ``chain`` (unit first) but the anchor.

        Raises :class:`ca.errors.TimeStampNotBelieved` when one is revoked, or when nobody says whether it is.
        """
        with self._lock:
            fetching = self._fetching.setdefault(chain, Lock())
        with fetching:  # one look for all who wait for it, and nobody waits for another's
            now = self._clock()
            known = self._known.get(chain)
            if known is None or now >= known.until:
                known = self._known[chain] = self._fetch(chain, now)
        return known

    def _fetch(self, chain: tuple[bytes, ...], now: datetime) -> ChainEvidence:
        links = [x509.load_der_x509_certificate(encoded) for encoded in chain]
        proofs = [self._prove(certificate, issuer, now) for certificate, issuer in pairwise(links)]
        return ChainEvidence(
            certificates=tuple({one: None for proof in proofs for one in proof.certificates}),
            status=StatusEvidence(
                tuple(proof.ocsp_response for proof in proofs if proof.ocsp_response is not None),
                tuple({proof.crl: None for proof in proofs if proof.crl is not None}),
            ),
            until=min([now + _LONGEST, *(proof.until - _MARGIN for proof in proofs)]),
        )

    def _prove(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> _Proof:
        """Ask by OCSP, then look into lists; the first that decides counts."""
        name = shown_name(certificate.subject)
        for proof in self._proofs(certificate, issuer):
            known = standing(
                certificate,
                issuer,
                ocsp_responses=() if proof.ocsp_response is None else (proof.ocsp_response,),
                crls=() if proof.crl is None else (proof.crl,),
                at=now,
            )
            if known.lost_at is not None:
                raise TimeStampNotBelieved(
                    Doubt.REVOKED,
                    f"certificate {name} is revoked since {known.lost_at:%Y-%m-%d %H:%M:%S} UTC",
                )
            if known.is_known:
                return proof
        raise TimeStampNotBelieved(
            Doubt.STATUS,
            f"nobody says whether certificate {name} is revoked: its time-stamps could not be verified later",
        )

    def _proofs(self, certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[_Proof]:
        for address in _addresses_of_responders(certificate):
            try:
                yield self._by_ocsp(address, certificate, issuer)
            except (TimeStamperUnreachable, *UNREADABLE) as cause:
                _LOG.warning("OCSP for another authority's certificate failed: %s", cause)
        for address in _addresses_of_lists(certificate):
            try:
                yield self._by_list(address)
            except (TimeStamperUnreachable, *UNREADABLE) as cause:
                _LOG.warning("a list of another authority could not be fetched: %s", cause)

    def _by_ocsp(self, address: str, certificate: x509.Certificate, issuer: x509.Certificate) -> _Proof:
        asked = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1()).build()  # noqa: S303 - an identifier (RFC 6960 4.1.1), not a signature
        answer = self._web.fetch(
            "POST",
            address,
            content=asked.public_bytes(Encoding.DER),
            headers={"Content-Type": "application/ocsp-request"},
            largest=_LARGEST_ANSWER,
        )
        read = ocsp.load_der_ocsp_response(answer)
        until = min(one.next_update_utc or one.this_update_utc + _LONGEST for one in read.responses)
        responders = tuple(one.public_bytes(Encoding.DER) for one in read.certificates[:_MOST_ADDRESSES])
        return _Proof(answer, None, responders, until)

    def _by_list(self, address: str) -> _Proof:
        answer = self._web.fetch("GET", address, largest=_LARGEST_LIST)
        read = x509.load_der_x509_crl(answer)
        return _Proof(None, answer, (), read.next_update_utc or read.last_update_utc + _LONGEST)


def _addresses_of_responders(certificate: x509.Certificate) -> list[str]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return []
    return _fetchable(
        one.access_location for one in access if one.access_method == AuthorityInformationAccessOID.OCSP
    )


def _addresses_of_lists(certificate: x509.Certificate) -> list[str]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return []
    return _fetchable(name for point in points if not point.reasons for name in point.full_name or ())


def _fetchable(names: Iterator[x509.GeneralName]) -> list[str]:
    found = [
        name.value
        for name in names
        if isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith(("http://", "https://"))
    ]
    return found[:_MOST_ADDRESSES]
