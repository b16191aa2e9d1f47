"""Making one certificate exist: as its profile says, signed by a CA at hand, and kept in the register."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.chains import chain_of
from ca.cross import SHORTEST, Link, next_name
from ca.issuing import Issuer, issue, new_serial, self_signed
from ca.model import CertificateRecord, CertificationConfig, ProfileName
from ca.ports import AuditTrail, Begin, Clock
from ca.profiles import PURPOSES, Profile, cross_profile, profiles
from ca.tables import Certificates
from keys.handle import KeyHandle
from keys.model import KeyRecord, KeyState
from keys.service import KeyService

_SHORTEST_CUT = timedelta(days=180)
"""What is left of a CA that still issues shorter certificates; below that it is time for its successor."""


class Certifier:
    """Signs and keeps; who may have which certificate is decided before (:class:`ca.hierarchy.Hierarchy`)."""

    def __init__(
        self, *, begin: Begin, keys: KeyService, clock: Clock, audit: AuditTrail, config: CertificationConfig
    ) -> None:
        self._begin = begin
        self._keys = keys
        self._clock = clock
        self._audit = audit
        self._config = config
        self._profiles = profiles(config)

    def opened(self, record: CertificateRecord, profile: ProfileName) -> Issuer:
        """A CA ready to sign. Raises a leaf of :class:`keys.errors.KeyCustodyError`."""
        handle = self._keys.handle(record.key_id, purpose=PURPOSES[profile])
        with self._begin() as tx:
            issuer, *above = map(x509.load_der_x509_certificate, chain_of(tx, record))
        return Issuer(record.name, issuer, handle, tuple(above))

    def root(self, subject: x509.Name, key: KeyRecord, actor: str) -> CertificateRecord:
        """A root, which signs itself: its key is activated first."""
        rules, now = self._profiles[ProfileName.ROOT], self._clock()
        with self._begin() as tx:
            name = next_name(ProfileName.ROOT, Certificates(tx).of_profile(ProfileName.ROOT))
        certificate = self_signed(
            profile=rules,
            subject=subject,
            key=self._own_handle(key, actor),
            serial=new_serial(),
            not_before=now,
        )
        return self._recorded(
            certificate,
            name=name,
            issuer=name,
            rules=rules,
            key_id=key.id,
            owner="",
            partition=0,
            issued_at=now,
            actor=actor,
        )

    def below(
        self,
        issuer: Issuer,
        profile: ProfileName,
        owner: str,
        subject: x509.Name,
        key: KeyRecord,
        *,
        actor: str,
    ) -> CertificateRecord:
        """A certificate for a key in custody. Raises :class:`ca.errors.IssuanceRefused`."""
        now, key_ends = self._clock(), None
        rules = _ending_with(issuer, self._profiles[profile], now)
        if rules.key_life is not None:
            key_ends = self._keys.limit(key.id, now + rules.key_life, actor=actor).not_after
        return self._issued(
            rules,
            issuer,
            owner=owner,
            subject=subject,
            public_key_info=key.public_key,
            key_id=key.id,
            now=now,
            actor=actor,
            key_ends=key_ends,
        )

    def foreign_seal(
        self,
        issuer: Issuer,
        owner: str,
        subject: x509.Name,
        public_key_info: bytes,
        *,
        key_id: str,
        actor: str,
    ) -> CertificateRecord:
        """A seal for a key that is not in custody. Raises :class:`ca.errors.IssuanceRefused`."""
        now = self._clock()
        return self._issued(
            _ending_with(issuer, self._profiles[ProfileName.SEAL], now),
            issuer,
            owner=owner,
            subject=subject,
            public_key_info=public_key_info,
            key_id=key_id,
            now=now,
            actor=actor,
        )

    def link(self, issuer: Issuer, link: Link, profile: ProfileName, actor: str) -> CertificateRecord | None:
        """A cross-certificate (:mod:`ca.cross`); None for keys of another name, or for less than a day."""
        subject = x509.load_der_x509_certificate(link.subject.der)
        if subject.subject != issuer.certificate.subject or link.ends - link.begins < SHORTEST:
            return None
        rules, partition = cross_profile(self._profiles[profile], link.ends - link.begins), 0
        if profile is ProfileName.ISSUING:  # a root's few certificates are all on its one list
            partition = self._open_partition(issuer.name)
        certificate = issue(
            profile=rules,
            subject=subject.subject,
            public_key_info=subject.public_key().public_bytes(
                Encoding.DER, PublicFormat.SubjectPublicKeyInfo
            ),
            issuer=issuer,
            serial=new_serial(),
            not_before=link.begins,
            config=self._config,
            partition=partition,
        )
        return self._recorded(
            certificate,
            name=link.name,
            issuer=issuer.name,
            rules=rules,
            key_id=link.subject.key_id,
            owner="",
            partition=partition,
            issued_at=self._clock(),
            actor=actor,
        )

    def _issued(
        self,
        rules: Profile,
        issuer: Issuer,
        *,
        owner: str,
        subject: x509.Name,
        public_key_info: bytes,
        key_id: str,
        now: datetime,
        actor: str,
        key_ends: datetime | None = None,
    ) -> CertificateRecord:
        serial, partition = new_serial(), 0
        name = f"{rules.name}-{serial:x}"
        if rules.is_ca:
            with self._begin() as tx:
                name = next_name(rules.name, Certificates(tx).of_profile(rules.name))
        elif rules.status_published:
            partition = self._open_partition(issuer.name)
        certificate = issue(
            profile=rules,
            subject=subject,
            public_key_info=public_key_info,
            issuer=issuer,
            serial=serial,
            not_before=now,
            config=self._config,
            partition=partition,
            key_ends=key_ends,
        )
        return self._recorded(
            certificate,
            name=name,
            issuer=issuer.name,
            rules=rules,
            key_id=key_id,
            owner=owner,
            partition=partition,
            issued_at=now,
            actor=actor,
        )

    def _recorded(
        self,
        certificate: x509.Certificate,
        *,
        name: str,
        issuer: str,
        rules: Profile,
        key_id: str,
        owner: str,
        partition: int,
        issued_at: datetime,
        actor: str,
    ) -> CertificateRecord:
        """Certificate and audit entry are committed together: what was not committed never leaves here."""
        encoded = certificate.public_bytes(Encoding.DER)
        record = CertificateRecord(
            serial=certificate.serial_number,
            name=name,
            issuer=issuer,
            profile=rules.name,
            key_id=key_id,
            owner=owner,
            der=encoded,
            sha256=hashlib.sha256(encoded).digest(),
            issued_at=issued_at,
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            profile_version=rules.version,
            partition=partition,
        )
        with self._begin() as tx:
            Certificates(tx).add(record)
            self._audit.append(
                tx,
                action="certificate.issued",
                actor=actor,
                subject=f"{record.serial:x}",
                facts={
                    "profile": rules.name.value,
                    "profile_version": str(rules.version),
                    "key": key_id,
                    "owner": owner,
                    "sha256": record.sha256.hex(),
                },
            )
        return record

    def _open_partition(self, authority: str) -> int:
        with self._begin() as tx:
            return Certificates(tx).open_partition(authority, self._config.crl_partition_size)

    def _own_handle(self, key: KeyRecord, actor: str) -> KeyHandle:
        if key.state is KeyState.PRE_ACTIVATION:  # a root signs its own certificate, so it is active first
            self._keys.activate(key.id, actor=actor)
        return self._keys.handle(key.id)


def _ending_with(issuer: Issuer, rules: Profile, now: datetime) -> Profile:
    """The profile, cut to what is left of the issuer, where that is still worth a certificate."""
    left = issuer.certificate.not_valid_after_utc - now.replace(microsecond=0)
    if left >= rules.validity or left < _SHORTEST_CUT:
        return rules  # long enough, or refused when it is issued
    return replace(rules, validity=left, key_life=rules.key_life and min(rules.key_life, left))
