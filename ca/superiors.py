"""Standing below a CA that is elsewhere: a root kept offline, or a hierarchy of others.

Out goes a request, back come certificates and, again and again, revocation lists. Nothing of it is believed:
each certificate has to fit the key, the names and the path, and each list the CA that it speaks for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AuthorityInformationAccessOID
from sqlalchemy import Connection

from ca.cross import next_name
from ca.errors import InstallationRefused
from ca.foreign_lists import read_list, said_of
from ca.issuing import key_identifier
from ca.model import (
    ELSEWHERE,
    CertificateRecord,
    CertificateStatus,
    CertificationConfig,
    CrlRecord,
    ListScope,
    ProfileName,
    is_graver,
    is_published_name,
)
from ca.ports import AuditTrail, Begin, Clock
from ca.profiles import legal_person, profiles
from ca.requests import certification_request
from ca.status import UNREADABLE, is_issued_by, may_sign_crls
from ca.subjects import shown_name
from ca.tables import Certificates, Crls
from ca.trust import PathStatus, check_authority
from keys.lifecycle import SERVICE
from keys.model import KeyRecord, KeyState
from keys.service import KeyService

_LONGEST_CHAIN = 8
_AUTHORITIES = (ProfileName.ROOT, ProfileName.SUPERIOR, ProfileName.ISSUING, ProfileName.CROSS)
SHORTEST_CA = timedelta(days=365)
_NAME = re.compile(r"(?:root|superior)-[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class CertificationRequest:
    """What goes to the CA above: DER PKCS #10 for ``key_id``, which waits."""

    key_id: str
    subject: x509.Name
    der: bytes


@dataclass(frozen=True, slots=True)
class Installation:
    """What is new in the register: certificates and lists from elsewhere."""

    certificates: tuple[CertificateRecord, ...]
    lists: tuple[CrlRecord, ...]


class Superiors:
    """Requests to, and installs from, the CAs above that are elsewhere. Run one :meth:`install` at a time."""

    def __init__(
        self, *, begin: Begin, keys: KeyService, clock: Clock, audit: AuditTrail, config: CertificationConfig
    ) -> None:
        self._begin = begin
        self._keys = keys
        self._clock = clock
        self._audit = audit
        self._config = config
        self._profiles = profiles(config)

    def request(self, *, actor: str = SERVICE) -> CertificationRequest:
        """A request for the next issuing CA. Repeatable: a key that waits without certificate is used again.

        The name is that of the issuing CA so far, which takes a new key (RFC 4210 4.4), or what settings say.
        """
        rules = self._profiles[ProfileName.ISSUING]
        with self._begin() as tx:
            register = Certificates(tx)
            certified, last = register.certified_keys(), register.latest(ProfileName.ISSUING)
        waiting = [
            key
            for key in self._keys.list()
            if key.purpose is rules.purpose
            and key.state is KeyState.PRE_ACTIVATION
            and key.id not in certified
        ]
        key = waiting[-1] if waiting else self._keys.generate(rules.purpose, rules.algorithm, actor=actor)
        subject = self._subject(last)
        encoded = certification_request(
            subject=subject,
            public_key_info=key.public_key,
            algorithm=key.algorithm,
            profile=rules,
            sign=lambda info: self._keys.prove_possession(key.id, info),
        )
        with self._begin() as tx:
            self._audit.append(
                tx,
                action="certificate.requested",
                actor=actor,
                subject=key.id,
                facts={"sha256": hashlib.sha256(encoded).hexdigest()},
            )
        return CertificationRequest(key.id, subject, encoded)

    def install(
        self,
        certificates: Iterable[x509.Certificate],
        lists: Iterable[bytes] = (),
        *,
        root: x509.Certificate | None = None,
        actor: str = SERVICE,
    ) -> Installation:
        """Take what came back: a chain for a key that waits, cross-certificates of roots, newer lists.

        ``root`` is the root that the chain must lead to, known by another way than the chain itself; without
        it, only a root that is in the register already will do, or the one that is in the chain where none is
        in the register yet. Nothing is stored unless all of it fits:

        1. Each certificate that is new is a CA of ours (its key waits here), a CA above, or a link of roots.
        2. Ours leads to the root; every certificate of the path may issue what is issued here, and is valid.
        3. Ours has the subject that was asked for.
        4. Each list is signed by a CA above that is known, is current, and newer than the one that is here.

        Raises :class:`ca.errors.InstallationRefused`.
        """
        given = list(dict.fromkeys([*certificates, *([root] if root else [])]))
        if len(given) > _LONGEST_CHAIN:
            raise InstallationRefused(
                f"{len(given)} certificates are no chain: bring at most {_LONGEST_CHAIN}"
            )
        with self._begin() as tx:
            register = Certificates(tx)
            known = [
                record
                for profile in (
                    ProfileName.ROOT,
                    ProfileName.SUPERIOR,
                    ProfileName.ISSUING,
                    ProfileName.CROSS,
                )
                for record in register.of_profile(profile)
            ]
        planned = self._planned(given, known, root)
        above = [record for record in (*known, *planned) if record.key_is_elsewhere]
        imported = [self._list(encoded, above) for encoded in lists]
        with self._begin() as tx:
            for record in planned:
                if Certificates(tx).by_serial(record.serial) is not None:
                    raise InstallationRefused(
                        f"serial {record.serial:x} of {record.name} is taken by another certificate here"
                    )
                Certificates(tx).add(record)
                self._note(tx, "certificate.installed", record.name, record.sha256.hex(), actor)
            for entry in imported:
                before = Crls(tx).latest(ListScope(entry.issuer))
                Crls(tx).add(entry)
                digest = hashlib.sha256(entry.der).hexdigest()
                self._note(tx, "crl.installed", ListScope(entry.issuer).name, digest, actor)
                self._take_statuses(tx, entry, before, (*known, *planned), actor)
        return Installation(tuple(planned), tuple(imported))

    def _take_statuses(
        self,
        tx: Connection,
        entry: CrlRecord,
        before: CrlRecord | None,
        below: Iterable[CertificateRecord],
        actor: str,
    ) -> None:
        """What a list says of certificates in the register stands in the register, too: or we would go on
        sealing under a CA that the world knows as revoked.

        A revocation made here first is not undone, only dated back where the list knows of an earlier loss;
        nor is a hold that the list ``before`` it did not tell: those who signed the list did not know of it.
        """
        for record in below:
            if record.issuer != entry.issuer or record.profile is ProfileName.ROOT:
                continue
            said = said_of(entry.der, record)
            was = Certificates(tx).by_serial(record.serial)
            if was is None:
                continue
            is_moved_back = said.status is CertificateStatus.REVOKED and is_graver(
                was, said.reason, said.invalidity_date
            )
            if was.status in {said.status, CertificateStatus.REVOKED} and not is_moved_back:
                continue
            if said.status is CertificateStatus.GOOD and not (
                before and said_of(before.der, record).status is CertificateStatus.ON_HOLD
            ):
                continue
            Certificates(tx).set_status(
                record.serial,
                was=was,
                at=entry.this_update,  # the world was told then, so that nothing waits for a list to tell it
                status=said.status,
                revoked_at=was.revoked_at if is_moved_back else said.revoked_at,
                reason=said.reason,
                invalidity_date=said.invalidity_date,
            )
            self._audit.append(
                tx,
                action="certificate.status",
                actor=actor,
                subject=f"{record.serial:x}",
                facts={"from": was.status.value, "to": said.status.value, "list": entry.issuer},
            )

    def _planned(
        self, given: list[x509.Certificate], known: list[CertificateRecord], root: x509.Certificate | None
    ) -> list[CertificateRecord]:
        """What is new, superiors first, each with its name and its issuer's."""
        here = {record.der: record.name for record in known}
        roots = tuple(
            x509.load_der_x509_certificate(record.der)
            for record in known
            if record.profile is ProfileName.ROOT
        )
        own = {key.public_key: key for key in self._keys.list() if key.purpose.value == "issuing-ca"}
        new = [certificate for certificate in given if _encoded(certificate) not in here]
        ours = [certificate for certificate in new if _key_info(certificate) in own]
        self_signed = tuple(certificate for certificate in new if is_issued_by(certificate, certificate))
        anchors = self._anchors(root, roots, self_signed)
        for certificate in ours:
            self._require_fit(certificate, own[_key_info(certificate)], given, anchors, known)
        planned: list[CertificateRecord] = []
        for certificate in sorted(new, key=lambda one: (one in ours, one not in self_signed)):
            planned.append(self._record(certificate, [*known, *planned], new, own, anchors))
        return planned

    def _anchors(
        self,
        root: x509.Certificate | None,
        roots: tuple[x509.Certificate, ...],
        self_signed: tuple[x509.Certificate, ...],
    ) -> tuple[x509.Certificate, ...]:
        if root is not None:
            if not is_issued_by(root, root):
                raise InstallationRefused("the given root is not signed by itself: it is no root")
            return (root,)
        if roots and any(certificate not in roots for certificate in self_signed):
            raise InstallationRefused(
                "the chain holds a root that is not known here: check its SHA-256 with those who keep it, "
                "then give it with --root"
            )
        return roots or self_signed

    def _require_fit(
        self,
        certificate: x509.Certificate,
        key: KeyRecord,
        given: list[x509.Certificate],
        anchors: tuple[x509.Certificate, ...],
        known: list[CertificateRecord],
    ) -> None:
        if key.state not in {KeyState.PRE_ACTIVATION, KeyState.ACTIVE}:
            raise InstallationRefused(f"key {key.id} is {key.state}: its certificate is of no use")
        own = [record for record in known if record.profile is ProfileName.ISSUING]
        if any(record.key_id == key.id for record in own):
            raise InstallationRefused(f"key {key.id} has its certificate already")
        wanted = self._subject(own[-1] if own else None)
        if certificate.subject != wanted:
            raise InstallationRefused(
                f"the certificate is for {shown_name(certificate.subject)!r}, the request asked for "
                f"{shown_name(wanted)!r}: have it issued under the name of the request"
            )
        path = check_authority(
            certificate,
            intermediates=tuple(one for one in given if one != certificate),
            anchors=anchors,
            at=self._clock(),
        )
        if path.status is not PathStatus.GOOD:
            raise InstallationRefused(f"the CA's certificate does not fit ({path.status}): {path.reason}")
        if not may_sign_crls(certificate):
            raise InstallationRefused("the CA's certificate lacks cRLSign: it could not sign its lists")
        ends = certificate.not_valid_after_utc
        if ends - self._clock() < SHORTEST_CA:
            raise InstallationRefused(
                f"the CA's certificate ends {ends:%Y-%m-%d}: a CA that issues has a year left, or more"
            )

    def _record(
        self,
        certificate: x509.Certificate,
        known: list[CertificateRecord],
        new: list[x509.Certificate],
        own: dict[bytes, KeyRecord],
        anchors: tuple[x509.Certificate, ...],
    ) -> CertificateRecord:
        key = own.get(_key_info(certificate))
        profile, owner_of_key = self._kind(certificate, key, known, new, anchors)
        if key is not None:
            key_id = key.id
        elif owner_of_key is not None:
            key_id = owner_of_key.key_id
        else:
            key_id = ELSEWHERE + key_identifier(_key_info(certificate)).hex()
        issuer = _issuer_among(certificate, known)
        if profile is ProfileName.CROSS:
            assert owner_of_key is not None
            assert issuer is not None
            name = f"{owner_of_key.name}-by-{issuer.name}"
        else:
            name = self._name(certificate, profile, known, new)
        if profile is not ProfileName.ROOT and issuer is None:
            raise InstallationRefused(f"who issued {shown_name(certificate.subject)!r} is not in the chain")
        encoded = _encoded(certificate)
        return CertificateRecord(
            serial=certificate.serial_number,
            name=name,
            issuer=name if issuer is None else issuer.name,
            profile=profile,
            key_id=key_id,
            owner="",
            der=encoded,
            sha256=hashlib.sha256(encoded).digest(),
            issued_at=self._clock(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            profile_version=0,  # others decided what it holds
        )

    def _kind(
        self,
        certificate: x509.Certificate,
        key: KeyRecord | None,
        known: list[CertificateRecord],
        new: list[x509.Certificate],
        anchors: tuple[x509.Certificate, ...],
    ) -> tuple[ProfileName, CertificateRecord | None]:
        """What it is here; for a link of roots, also the root whose key it certifies."""
        if key is not None:
            return ProfileName.ISSUING, None
        if is_issued_by(certificate, certificate):
            if certificate not in anchors:
                raise InstallationRefused("the chain holds a root that is not the one it must lead to")
            return ProfileName.ROOT, None
        if certificate.subject == certificate.issuer:
            for record in known:
                if record.profile is ProfileName.ROOT and _key_info(
                    x509.load_der_x509_certificate(record.der)
                ) == _key_info(certificate):
                    return ProfileName.CROSS, record
        if not any(is_issued_by(below, certificate) for below in new):
            raise InstallationRefused(
                f"{shown_name(certificate.subject)!r} is neither for a key that waits here nor above one"
            )
        return ProfileName.SUPERIOR, None

    def _name(
        self,
        certificate: x509.Certificate,
        profile: ProfileName,
        known: list[CertificateRecord],
        new: list[x509.Certificate],
    ) -> str:
        """The name that certificates below it print as its address, where that is ours; else the next one."""
        taken = {record.name for record in known}
        if profile is not ProfileName.ISSUING:
            for below in new:
                printed = self._printed_name(below) if is_issued_by(below, certificate) else None
                if printed and printed not in taken and _NAME.fullmatch(printed):
                    return printed
        return next_name(profile, (record for record in known if record.profile is profile))

    def _printed_name(self, certificate: x509.Certificate) -> str | None:
        try:
            access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        except (x509.ExtensionNotFound, *UNREADABLE):
            return None
        for description in access:
            place = description.access_location
            if description.access_method == AuthorityInformationAccessOID.CA_ISSUERS and isinstance(
                place, x509.UniformResourceIdentifier
            ):
                name = place.value.rpartition("/")[2].removesuffix(".crt")
                if is_published_name(name) and place.value == self._config.certificate_address(name):
                    return name
        return None

    def _list(self, encoded: bytes, above: list[CertificateRecord]) -> CrlRecord:
        issuer, begins, ends = read_list(encoded, above, self._clock())
        with self._begin() as tx:
            latest = Crls(tx).latest(ListScope(issuer.name))
        if latest is not None and begins <= latest.this_update:
            raise InstallationRefused(f"the list of {issuer.name} is not newer than the one that is here")
        # Numbers of others may have twenty octets; here they only count what was imported.
        number = 1 if latest is None else latest.number + 1
        return CrlRecord(issuer.name, number, encoded, begins, ends)

    def _subject(self, last: CertificateRecord | None) -> x509.Name:
        if last is not None:
            return x509.load_der_x509_certificate(last.der).subject
        return legal_person(
            common_name=f"{self._config.organisation[:40].strip()} Issuing CA",
            organisation=self._config.organisation,
            organization_identifier=self._config.organization_identifier,
            country=self._config.country,
        )

    def _note(self, tx: Connection, action: str, subject: str, sha256: str, actor: str) -> None:
        self._audit.append(tx, action=action, actor=actor, subject=subject, facts={"sha256": sha256})


def _encoded(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _key_info(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _issuer_among(
    certificate: x509.Certificate, known: Iterable[CertificateRecord]
) -> CertificateRecord | None:
    if is_issued_by(certificate, certificate):
        return None
    authorities = {ProfileName.ROOT, ProfileName.SUPERIOR}
    for record in known:
        if record.profile in authorities and is_issued_by(
            certificate, x509.load_der_x509_certificate(record.der)
        ):
            return record
    return None
