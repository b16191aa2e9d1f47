"""Who stands above whom: the root, the issuing CA, the service's own certificates, the agencies' seals."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.errors import HierarchyIncomplete
from ca.issuing import Issuer, issue, new_serial, self_signed
from ca.model import CertificateRecord, CertificationConfig, ProfileName
from ca.ports import AuditTrail, Begin, Clock
from ca.profiles import Profile, legal_person, profiles
from ca.tables import Certificates
from keys.handle import KeyHandle
from keys.model import KeyRecord, KeyState
from keys.service import SERVICE, KeyService

RENEWAL = timedelta(days=60)
"""A certificate of the service itself that ends within this time is replaced by the next ``init``."""

_SERVICE_PROFILES = (ProfileName.TIMESTAMPING, ProfileName.OCSP, ProfileName.RECEIPT)
_TITLES = {
    ProfileName.ROOT: "Root CA",
    ProfileName.ISSUING: "Issuing CA",
    ProfileName.TIMESTAMPING: "Time-Stamping Unit",
    ProfileName.OCSP: "OCSP Responder",
    ProfileName.RECEIPT: "Receipt Signer",
}


class Hierarchy:
    """Makes certificates exist. Every job may be repeated: it finishes what a crash left and doubles nothing.

    Run one :meth:`init` at a time: a second one that races it fails on the unique name of the CA.
    """

    def __init__(
        self, *, begin: Begin, keys: KeyService, clock: Clock, audit: AuditTrail, config: CertificationConfig
    ) -> None:
        self._begin = begin
        self._keys = keys
        self._clock = clock
        self._audit = audit
        self.config = config
        self._profiles = profiles(config)

    def init(self, *, actor: str = SERVICE) -> None:
        """Make the root, the issuing CA, and the certificates of the service itself.

        1. The root, signed by itself.
        2. The issuing CA, signed by the root.
        3. Time-stamping unit, OCSP responder and receipt signer, signed by the issuing CA.

        Each step keeps what is there, uses a key that an interrupted run left without a certificate, and
        activates the key of a certificate whose run was interrupted in between.
        """
        self._ensure(ProfileName.ROOT, "", self._service_name(ProfileName.ROOT), actor)
        self._ensure(ProfileName.ISSUING, "", self._service_name(ProfileName.ISSUING), actor)
        for profile in _SERVICE_PROFILES:
            self._ensure(profile, "", self._service_name(profile), actor)

    def certify_seal(
        self,
        agency_id: str,
        *,
        organisation: str,
        organization_identifier: str,
        common_name: str | None = None,
        country: str = "ID",
        actor: str = SERVICE,
    ) -> CertificateRecord:
        """The agency's seal certificate for exactly this subject, issued now unless a good one is there.

        ``common_name`` is what readers of PDFs show; by default the organisation's name.
        Raises :class:`ca.errors.IssuanceRefused` or :class:`ca.errors.HierarchyIncomplete`.
        """
        subject = legal_person(
            common_name=common_name or organisation,
            organisation=organisation,
            organization_identifier=organization_identifier,
            country=country,
        )
        return self._ensure(ProfileName.SEAL, agency_id, subject, actor)

    def issuing_ca(self) -> Issuer:
        """The CA that issues now. Raises :class:`ca.errors.HierarchyIncomplete`."""
        return self._issuer(ProfileName.ISSUING)

    def _ensure(self, profile: ProfileName, owner: str, subject: x509.Name, actor: str) -> CertificateRecord:
        record = self._standing(profile, owner, subject)
        if record is None:
            record = self._certify(profile, owner, subject, self._key_for(profile, owner, actor), actor)
        if self._keys.get(record.key_id).state is KeyState.PRE_ACTIVATION:
            self._keys.activate(record.key_id, actor=actor)
        return record

    def _standing(self, profile: ProfileName, owner: str, subject: x509.Name) -> CertificateRecord | None:
        """The certificate that makes a new one unnecessary."""
        with self._begin() as tx:
            record = Certificates(tx).newest_good(profile, owner)
        if record is None:
            return None
        if self._profiles[profile].is_ca:
            return record  # a new CA is a ceremony of its own, never a side effect
        if self._ends_soon(record):
            return None
        if x509.load_der_x509_certificate(record.der).subject != subject:
            return None
        usable = self._keys.get(record.key_id).state in {KeyState.PRE_ACTIVATION, KeyState.ACTIVE}
        return record if usable else None

    def _ends_soon(self, record: CertificateRecord) -> bool:
        """Certificate or private key, whichever ends first; a short life is renewed in its last quarter."""
        rules, now = self._profiles[record.profile], self._clock()
        if record.not_after - now <= RENEWAL:
            return True
        return self._is_used_up(self._keys.get(record.key_id), rules)

    def _is_used_up(self, key: KeyRecord, rules: Profile) -> bool:
        if key.not_after is None or rules.key_life is None:
            return False
        return key.not_after - self._clock() <= min(RENEWAL, rules.key_life / 4)

    def _key_for(self, profile: ProfileName, owner: str, actor: str) -> KeyRecord:
        """A key that an interrupted run generated and never certified, else a new one."""
        rules = self._profiles[profile]
        with self._begin() as tx:
            certified = Certificates(tx).certified_keys()
        for key in self._keys.list():
            use = (key.purpose, key.owner, key.algorithm)
            if (
                use == (rules.purpose, owner, rules.algorithm)
                and key.state in {KeyState.PRE_ACTIVATION, KeyState.ACTIVE}
                and key.id not in certified
                and not self._is_used_up(key, rules)
            ):
                return key
        return self._keys.generate(rules.purpose, rules.algorithm, owner, actor=actor)

    def _certify(
        self, profile: ProfileName, owner: str, subject: x509.Name, key: KeyRecord, actor: str
    ) -> CertificateRecord:
        """Sign, then commit certificate and audit entry together: an uncommitted one never leaves here."""
        rules, now, serial, partition = self._profiles[profile], self._clock(), new_serial(), 0
        if profile is ProfileName.ROOT:
            name = issuer_name = "root-1"
            certificate = self_signed(
                profile=rules,
                subject=subject,
                key=self._own_handle(key, actor),
                serial=serial,
                not_before=now,
            )
        else:
            issuer = self._issuer(ProfileName.ROOT if profile is ProfileName.ISSUING else ProfileName.ISSUING)
            name = "issuing-1" if profile is ProfileName.ISSUING else f"{profile}-{serial:x}"
            issuer_name = issuer.name
            if rules.status_published and not rules.is_ca:
                with self._begin() as tx:
                    partition = Certificates(tx).open_partition(issuer.name, self.config.crl_partition_size)
            if rules.key_life is not None:
                key = self._keys.limit(key.id, now + rules.key_life, actor=actor)
            certificate = issue(
                profile=rules,
                subject=subject,
                public_key_info=key.public_key,
                issuer=issuer,
                serial=serial,
                not_before=now,
                config=self.config,
                partition=partition,
                key_ends=key.not_after if rules.key_life else None,
            )
        encoded = certificate.public_bytes(Encoding.DER)
        record = CertificateRecord(
            serial=serial,
            name=name,
            issuer=issuer_name,
            profile=profile,
            key_id=key.id,
            owner=owner,
            der=encoded,
            sha256=hashlib.sha256(encoded).digest(),
            issued_at=now,
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
                subject=f"{serial:x}",
                facts={
                    "profile": profile.value,
                    "profile_version": str(rules.version),
                    "key": key.id,
                    "owner": owner,
                    "sha256": record.sha256.hex(),
                },
            )
        return record

    def _own_handle(self, key: KeyRecord, actor: str) -> KeyHandle:
        if key.state is KeyState.PRE_ACTIVATION:  # a root signs its own certificate, so it is active first
            self._keys.activate(key.id, actor=actor)
        return self._keys.handle(key.id)

    def _issuer(self, profile: ProfileName) -> Issuer:
        with self._begin() as tx:
            record = Certificates(tx).newest_good(profile)
        if record is None:
            raise HierarchyIncomplete(f"there is no {_TITLES[profile]} yet: run `absah init`")
        handle = self._keys.handle(record.key_id, purpose=self._profiles[profile].purpose)
        return Issuer(record.name, x509.load_der_x509_certificate(record.der), handle)

    def _service_name(self, profile: ProfileName) -> x509.Name:
        return legal_person(
            common_name=f"{self.config.organisation[:40].strip()} {_TITLES[profile]}",
            organisation=self.config.organisation,
            organization_identifier=self.config.organization_identifier,
            country=self.config.country,
        )
