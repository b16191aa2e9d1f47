"""Revocation evidence for what is being sealed, from our own register: no network, a second old at most."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable

from app.remembered import Remembered
from ca.errors import CertificateNotGood
from ca.model import CertificateRecord, CertificateStatus, ProfileName
from ca.revocation import Revocation
from ca.tables import Certificates
from keys.ports import Begin, Clock
from signing.ports import Evidence


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
        self._known: Remembered[tuple[CertificateRecord, ...]] = Remembered(monotonic)

    def evidence_for(self, *chains: tuple[bytes, ...]) -> Evidence:
        """An OCSP answer for every end-entity certificate, a CRL for every CA below a root.

        Raises :class:`ca.errors.CertificateNotGood`.
        """
        records = self._known.get(chains, lambda: self._look_up(chains))
        self._require_good(records)
        certificates: dict[bytes, None] = {record.der: None for record in records}
        answers: dict[bytes, None] = {}
        lists: dict[bytes, None] = {}
        for record in records:
            if record.profile is ProfileName.ROOT:
                continue
            if record.profile is ProfileName.ISSUING:
                lists[self._revocation.current_crl(record.issuer).der] = None
            else:
                answers[self._revocation.answer_for(record)] = None
                certificates[self._revocation.responder_certificate(record.issuer)] = None
        return Evidence(tuple(certificates), tuple(answers), tuple(lists))

    def _look_up(self, chains: tuple[tuple[bytes, ...], ...]) -> tuple[CertificateRecord, ...]:
        digests = dict.fromkeys(
            hashlib.sha256(certificate).digest() for chain in chains for certificate in chain
        )
        with self._read() as tx:
            found = [Certificates(tx).by_digest(digest) for digest in digests]
        records = tuple(record for record in found if record is not None)
        if len(records) < len(found):
            raise CertificateNotGood(
                "A certificate of the path was not issued here, so its status is unknown."
            )
        return records

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
