"""Revocation evidence for what is being sealed: from our own register, without a network and a second old at
most, and for the time-stamps of others from those others."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from app.remembered import Remembered
from ca.errors import CertificateNotGood, CertificationError
from ca.model import CertificateRecord, CertificateStatus, ProfileName
from ca.profiles import CA_PURPOSES
from ca.revocation import Revocation
from ca.tables import Certificates
from ca.timestampers.evidence import ForeignEvidence
from keys.errors import KeyCustodyError
from keys.ports import Begin, Clock
from signing.ports import Evidence

_Known = tuple[tuple[CertificateRecord, ...], tuple[CertificateRecord, ...]]
"""The certificates of the paths, and the cross-certificates of their CAs."""


@dataclass(slots=True)
class _Gathered:
    """Each thing once, in the order in which it was found."""

    certificates: dict[bytes, None] = field(default_factory=dict)
    answers: dict[bytes, None] = field(default_factory=dict)
    lists: dict[bytes, None] = field(default_factory=dict)


class CombinedEvidence:
    """Implements :class:`signing.ports.EvidenceSource` over chains of ours and of foreign time-stampers."""

    def __init__(self, register: RegisterEvidence, foreign: ForeignEvidence) -> None:
        self._register = register
        self._foreign = foreign

    def evidence_for(self, *chains: tuple[bytes, ...]) -> Evidence:
        """Raises :class:`ca.errors.CertificateNotGood`, :class:`ca.errors.TimeStampNotBelieved`."""
        ours = [chain for chain in chains if self._foreign.at_hand(chain) is None]
        found = self._register.evidence_for(*ours)
        for chain in chains:
            if chain not in ours:
                other = self._foreign.of(chain)
                found = Evidence(
                    (*found.certificates, *other.certificates),
                    (*found.ocsp_responses, *other.status.ocsp_responses),
                    (*found.crls, *other.status.crls),
                )
        return found


class RegisterEvidence:
    """Implements :class:`signing.ports.EvidenceSource`. Safe to share between threads."""

    def __init__(
        self,
        *,
        read: Begin,
        revocation: Revocation,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._revocation = revocation
        self._clock = clock
        self._known: Remembered[_Known] = Remembered(monotonic)

    def evidence_for(self, *chains: tuple[bytes, ...]) -> Evidence:
        """An OCSP answer for every end-entity certificate, a CRL for every CA below a root.

        Cross-certificates of the CAs come along, for those who trust a key of before or after them.
        Raises :class:`ca.errors.CertificateNotGood`.
        """
        records, links = self._known.get(chains, lambda: self._look_up(chains))
        self._require_good(records)
        found = _Gathered()
        for record in records:
            self._add(record, found)
        for link in links:
            if link.not_after <= self._clock():
                continue
            # An extra: what cannot be shown to be good today is left out, and holds up no sealing.
            with suppress(CertificationError, KeyCustodyError):
                self._add(link, found)
        return Evidence(tuple(found.certificates), tuple(found.answers), tuple(found.lists))

    def _add(self, record: CertificateRecord, found: _Gathered) -> None:
        if record.profile is ProfileName.ROOT:
            found.certificates[record.der] = None
        elif record.partition:  # what a root issued is on its one, small list
            answer = self._revocation.answer_for(record)
            responder = self._revocation.responder_certificate(record.issuer)
            found.certificates |= {record.der: None, responder: None}
            found.answers[answer] = None
        else:
            current = self._revocation.current_crl(record.issuer)
            if current.next_update <= self._clock():  # of a CA elsewhere: nobody here can sign another
                raise CertificateNotGood(
                    f"The list of {record.issuer} ended on {current.next_update:%Y-%m-%d}, and its key is "
                    "elsewhere: bring its newest list and run `absah ca install`."
                )
            found.certificates[record.der] = None
            found.lists[current.der] = None

    def _look_up(self, chains: tuple[tuple[bytes, ...], ...]) -> _Known:
        digests = dict.fromkeys(
            hashlib.sha256(certificate).digest() for chain in chains for certificate in chain
        )
        with self._read() as tx:
            found = [Certificates(tx).by_digest(digest) for digest in digests]
            records = tuple(record for record in found if record is not None)
            links = Certificates(tx).links_of(
                {record.key_id for record in records if record.profile in CA_PURPOSES}
            )
        if len(records) < len(found):
            raise CertificateNotGood(
                "A certificate of the path was not issued here, so its status is unknown."
            )
        return records, tuple(links)

    def _require_good(self, records: Iterable[CertificateRecord]) -> None:
        now = self._clock()
        for record in records:
            if (
                record.status is not CertificateStatus.GOOD
                or not record.not_before <= now <= record.not_after
            ):
                raise CertificateNotGood(
                    f"Certificate {record.name} is {record.status}, valid until {record.not_after:%Y-%m-%d}: "
                    "nothing is sealed with it."
                )
