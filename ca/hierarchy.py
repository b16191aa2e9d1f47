"""Who stands above whom: the root, the issuing CA, the service's own certificates, the agencies' seals."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from cryptography import x509
from sqlalchemy import Connection

from ca.certifier import Certifier
from ca.chains import chain_of, records_above
from ca.cross import Link, links
from ca.errors import HierarchyIncomplete, IssuanceRefused, KeyHeldElsewhere
from ca.in_use import certificate_in_use
from ca.issuing import Issuer, key_identifier
from ca.model import ELSEWHERE, CertificateRecord, CertificateStatus, CertificationConfig, ProfileName
from ca.overview import RENEWAL
from ca.ports import AuditTrail, Begin, Clock
from ca.profiles import CA_PURPOSES, Profile, legal_person, profiles
from ca.requests import read_request, requested_key
from ca.tables import Certificates
from keys.errors import KeyExpired, KeyNotActive, KeyUnknown
from keys.lifecycle import SERVICE
from keys.model import KeyPurpose, KeyRecord, KeyState
from keys.service import KeyService

LAST_CALL = timedelta(days=7)
"""How long before its end something of the service's own is renewed though custodians did not decide."""

_SERVICE_PROFILES = (ProfileName.TIMESTAMPING, ProfileName.RECEIPT)
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
        self.config = config
        self._profiles = profiles(config)
        self._certifier = Certifier(begin=begin, keys=keys, clock=clock, audit=audit, config=config)
        self._spoken_for: Callable[[], Collection[str]] = tuple
        self._custodians_decide: Callable[[], bool] = bool

    def leave_alone(self, spoken_for: Callable[[], Collection[str]]) -> None:
        """Whoever replaces keys step by step names them here: :meth:`init` neither certifies nor activates a
        key that is ``spoken_for``, and makes none beside one that has its certificate."""
        self._spoken_for = spoken_for

    def leave_to_custodians(self, decide: Callable[[], bool]) -> None:
        """While ``decide`` says so, successors of the service's own keys are for custodians to agree to, who
        are asked in time; :meth:`init` renews only what is about to stand still (:data:`LAST_CALL`)."""
        self._custodians_decide = decide

    def init(self, *, actor: str = SERVICE) -> None:
        """Make the root, the issuing CA, and the certificates of the service itself.

        1. The root, signed by itself.
        2. The issuing CA, signed by the root.
        3. For every issuing CA whose key can sign: its own OCSP responder.
        4. Time-stamping unit and receipt signer, signed by the issuing CA in use.
        5. The cross-certificates that the keys at hand can sign.

        Each step keeps what is there, uses a key that an interrupted run left without a certificate, and
        activates the key of a certificate whose run was interrupted in between. Successors that wait beside
        a key in use are left to wait: activating them is the switch, and a decision of its own
        (:meth:`leave_alone`).
        """
        if not self._root_elsewhere():
            self._require_no_request()
            self._ensure(ProfileName.ROOT, "", self._service_name(ProfileName.ROOT), actor)
        self._ensure(ProfileName.ISSUING, "", self._service_name(ProfileName.ISSUING), actor)
        for authority in self.list_signers():
            if authority.profile is ProfileName.ISSUING and authority.status is CertificateStatus.GOOD:
                self._ensure_responder(authority.name, actor)
        for profile in _SERVICE_PROFILES:
            self._ensure(profile, "", self._service_name(profile), actor)
        self.cross_certify(actor=actor)

    def certify_request(
        self,
        agency_id: str,
        request: bytes,
        *,
        organisation: str,
        organization_identifier: str,
        country: str = "ID",
        actor: str,
    ) -> tuple[CertificateRecord, tuple[bytes, ...]]:
        """A seal for a key that the agency keeps itself: its certificate, and the path from it to the root.

        ``request`` is a PKCS #10, PEM or DER. It proves that the key is held; the subject is what is
        registered of the agency, whatever the request says. Repeatable.

        Raises :class:`ca.errors.IssuanceRefused` or :class:`ca.errors.HierarchyIncomplete`.
        """
        public_key_info = requested_key(read_request(request))
        key_id = ELSEWHERE + key_identifier(public_key_info).hex()
        if any(key.public_key == public_key_info for key in self._keys.list()):
            raise IssuanceRefused("the request is for a key that this service keeps: one key, one purpose")
        with self._begin() as tx:
            record = Certificates(tx).of_key(key_id, ProfileName.SEAL)
        if record is not None and (record.owner != agency_id or record.status is not CertificateStatus.GOOD):
            raise IssuanceRefused(
                f"the key of the request was certified before ({record.name}): use a new key"
            )
        if record is None:
            subject = legal_person(
                common_name=organisation,
                organisation=organisation,
                organization_identifier=organization_identifier,
                country=country,
            )
            issuer = self.issuing_ca()
            self._ensure_responder(issuer.name, actor)
            record = self._certifier.foreign_seal(
                issuer, agency_id, subject, public_key_info, key_id=key_id, actor=actor
            )
        with self._begin() as tx:
            return record, chain_of(tx, record)

    def certify_successor(
        self, profile: ProfileName, owner: str, key_id: str, *, actor: str
    ) -> CertificateRecord:
        """Certify a key in state PRE_ACTIVATION beside the one in use, which stays in use until the key is
        activated. Repeatable: for a key that has its certificate, that is the answer.

        The subject is that of the owner's last certificate, for a CA takes its new key under its old name
        (RFC 4210 4.4). For :attr:`ProfileName.OCSP`, ``owner`` is the name of the CA that it answers for. A
        new key of a CA is certified by the old ones, too; the old ones by the new when it can sign
        (:meth:`cross_certify`). A root signs itself, so that its key is activated here.

        Raises :class:`ca.errors.IssuanceRefused` or :class:`ca.errors.HierarchyIncomplete`.
        """
        key, rules = self._keys.get(key_id), self._profiles.get(profile)
        if rules is None or (key.purpose, key.owner) != (rules.purpose, owner):
            raise IssuanceRefused(
                f"key {key_id} is a {key.purpose} key of {key.owner or 'the service'!r}: it cannot succeed "
                f"one of {owner or 'the service'!r} with profile {profile}"
            )
        with self._begin() as tx:
            record, predecessor = (
                Certificates(tx).of_key(key_id, profile),
                Certificates(tx).latest(profile, owner),
            )
        if record is not None and record.status is not CertificateStatus.GOOD:
            raise IssuanceRefused(
                f"certificate {record.name} of key {key_id} is {record.status}: use another key"
            )
        if record is None:
            if key.state not in {KeyState.PRE_ACTIVATION, KeyState.ACTIVE}:
                raise IssuanceRefused(f"key {key_id} is {key.state}: only a key that waits is certified")
            record = self._certify(profile, owner, self._inherited_name(profile, predecessor), key, actor)
        if rules.is_ca:
            self.cross_certify(actor=actor)
        return record

    def cross_certify(self, *, actor: str = SERVICE) -> list[CertificateRecord]:
        """Issue the cross-certificates between generations of a CA that are missing (:mod:`ca.cross`), as far
        as the keys to sign them are active here. Repeatable; returns the new ones."""
        made = []
        for profile in CA_PURPOSES:
            with self._begin() as tx:
                register = Certificates(tx)
                wanted = links(register.of_profile(profile), self._clock())
                missing = [link for link in wanted if register.by_name(link.name) is None]
            made += [record for link in missing if (record := self._link(link, profile, actor)) is not None]
        return made

    def roots_kept_here(self) -> list[CertificateRecord]:
        """Roots whose private keys this service can use: whoever takes it over can make CAs (EN 319 411-1
        6.5.1 keeps a root's key off line)."""
        purpose = CA_PURPOSES[ProfileName.ROOT]
        kept = {
            key.id
            for key in self._keys.list()
            if key.purpose is purpose and key.state is not KeyState.DESTROYED
        }
        with self._begin() as tx:
            return [
                record for record in Certificates(tx).of_profile(ProfileName.ROOT) if record.key_id in kept
            ]

    def list_signers(self) -> list[CertificateRecord]:
        """Every CA whose key can sign lists here, oldest first; revoked ones, too, for their lists say so."""
        active = {key.id for purpose in CA_PURPOSES.values() for key in self._keys.in_use(purpose)}
        with self._begin() as tx:
            register = Certificates(tx)
            authorities = [record for profile in CA_PURPOSES for record in register.of_profile(profile)]
        return [record for record in authorities if record.key_id in active]

    def owed_until(self, name: str) -> datetime | None:
        """When the last certificate ends that the CA ``name`` issued, itself not counted: until then it owes
        the world lists and OCSP answers, so that its key stays active. None when it issued nothing."""
        with self._begin() as tx:
            return Certificates(tx).last_end(name)

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

    def good_seal(
        self, agency_id: str, *, organisation: str, organization_identifier: str, country: str = "ID"
    ) -> CertificateRecord | None:
        """The certificate that :meth:`certify_seal` would return without making anything, if there is one."""
        subject = legal_person(
            common_name=organisation,
            organisation=organisation,
            organization_identifier=organization_identifier,
            country=country,
        )
        record = self._standing(ProfileName.SEAL, agency_id, subject)
        if record is None or self._keys.get(record.key_id).state is not KeyState.ACTIVE:
            return None
        return record

    def issuing_ca(self) -> Issuer:
        """The CA that issues now: the one with the newest key. Older ones sign lists and answers only.

        Raises :class:`ca.errors.HierarchyIncomplete`.
        """
        return self._issuer(ProfileName.ISSUING)

    def _ensure(self, profile: ProfileName, owner: str, subject: x509.Name, actor: str) -> CertificateRecord:
        record = self._standing(profile, owner, subject)
        if record is None:
            record = self._certify(profile, owner, subject, self._key_for(profile, owner, actor), actor)
        spoken_for = self._spoken_for()  # asked first: what is switched in between is seen to be active
        waits = self._keys.get(record.key_id).state is KeyState.PRE_ACTIVATION
        if waits and record.key_id not in spoken_for:
            self._keys.activate(record.key_id, actor=actor)
        return record

    def _standing(self, profile: ProfileName, owner: str, subject: x509.Name) -> CertificateRecord | None:
        """The certificate that makes a new one unnecessary: the one in use, else the newest good one, which
        is what an interrupted run left before its key was activated."""
        in_use = certificate_in_use(self._begin, self._keys, profile, owner)
        with self._begin() as tx:
            newest = Certificates(tx).newest_good(profile, owner)
            if self._profiles[profile].is_ca and newest is None:
                newest = self._on_hold(tx, profile)
            standing = [record for record in (in_use, newest) if record and not _is_orphan(tx, record)]
        for record in standing:
            if record.key_is_elsewhere and not self._profiles[profile].is_ca:
                continue  # the agency's own key: the one that is kept here has its own certificate
            if self._profiles[profile].is_ca:
                return record  # a new CA is a ceremony of its own, never a side effect
            if self._ends_soon(record):
                continue
            if x509.load_der_x509_certificate(record.der).subject != subject:
                continue
            if self._keys.get(record.key_id).state in {KeyState.PRE_ACTIVATION, KeyState.ACTIVE}:
                return record
        return None

    def _on_hold(self, tx: Connection, profile: ProfileName) -> CertificateRecord | None:
        """A CA that is on hold may come back: it is not replaced as a side effect either."""
        held = [
            record
            for record in Certificates(tx).of_profile(profile)
            if record.status is CertificateStatus.ON_HOLD
        ]
        return held[-1] if held else None

    def _ends_soon(self, record: CertificateRecord) -> bool:
        """Certificate or private key, whichever ends first; a short life is renewed in its last quarter."""
        rules, now = self._profiles[record.profile], self._clock()
        if record.not_after - now <= self._lead(rules):
            return True
        return self._is_used_up(self._keys.get(record.key_id), rules)

    def _is_used_up(self, key: KeyRecord, rules: Profile) -> bool:
        if key.not_after is None or rules.key_life is None:
            return False
        return key.not_after - self._clock() <= min(self._lead(rules), rules.key_life / 4)

    def _lead(self, rules: Profile) -> timedelta:
        """How long before its end something is renewed. A seal is renewed because somebody asks for it."""
        is_of_service = rules.purpose is not KeyPurpose.SEAL
        return LAST_CALL if is_of_service and self._custodians_decide() else RENEWAL

    def _key_for(self, profile: ProfileName, owner: str, actor: str) -> KeyRecord:
        """A key that an interrupted run generated and never certified, else a new one."""
        rules = self._profiles[profile]
        spoken_for = self._spoken_for()
        with self._begin() as tx:
            certified = Certificates(tx).certified_keys()
        for key in self._keys.list():
            use = (key.purpose, key.owner, key.algorithm)
            if (
                use == (rules.purpose, owner, rules.algorithm)
                and key.state in {KeyState.PRE_ACTIVATION, KeyState.ACTIVE}
                and key.id not in certified
                and key.id not in spoken_for
                and not self._is_used_up(key, rules)
            ):
                return key
        return self._keys.generate(rules.purpose, rules.algorithm, owner, actor=actor)

    def _certify(
        self, profile: ProfileName, owner: str, subject: x509.Name, key: KeyRecord, actor: str
    ) -> CertificateRecord:
        if profile is ProfileName.ROOT:
            return self._certifier.root(subject, key, actor)
        issuer, rules = self._issuer_for(profile, owner), self._profiles[profile]
        if rules.status_published and not rules.is_ca:
            self._ensure_responder(issuer.name, actor)  # or nobody could ask about it
        return self._certifier.below(issuer, profile, owner, subject, key, actor=actor)

    def _link(self, link: Link, profile: ProfileName, actor: str) -> CertificateRecord | None:
        """None when the issuer's key cannot sign now, or its name is another."""
        try:
            issuer = self._certifier.opened(link.issuer, profile)
        except (KeyNotActive, KeyExpired, KeyUnknown):
            return None
        if profile is ProfileName.ISSUING:
            self._ensure_responder(issuer.name, actor)
        return self._certifier.link(issuer, link, profile, actor)

    def _ensure_responder(self, authority: str, actor: str) -> None:
        """Each CA has its own: a responder is delegated by the CA whose certificates it answers for."""
        self._ensure(ProfileName.OCSP, authority, self._service_name(ProfileName.OCSP), actor)

    def _inherited_name(self, profile: ProfileName, predecessor: CertificateRecord | None) -> x509.Name:
        if predecessor is not None:
            return x509.load_der_x509_certificate(predecessor.der).subject
        if profile is ProfileName.SEAL:
            raise HierarchyIncomplete("this agency never had a seal: `absah agency certify` makes the first")
        return self._service_name(profile)

    def _issuer_for(self, profile: ProfileName, owner: str) -> Issuer:
        """The root above CAs, the CA itself above its responder, the CA in use above everybody else."""
        if profile is ProfileName.ISSUING:
            return self._issuer(ProfileName.ROOT)
        if profile is not ProfileName.OCSP:
            return self._issuer(ProfileName.ISSUING)
        with self._begin() as tx:
            authority = Certificates(tx).by_name(owner)
        if authority is None or authority.profile is not ProfileName.ISSUING:
            raise IssuanceRefused(f"there is no issuing CA called {owner[:64]!r} to answer for")
        return self._certifier.opened(authority, ProfileName.ISSUING)

    def _issuer(self, profile: ProfileName) -> Issuer:
        record = certificate_in_use(self._begin, self._keys, profile)
        if record is None and profile is ProfileName.ROOT and self._root_elsewhere():
            raise KeyHeldElsewhere(
                "the root's key is not here: write a request with `absah ca request issuing`, have it "
                "certified at a ceremony, and bring the certificate with `absah ca install`"
            )
        if record is None:
            raise HierarchyIncomplete(f"no {_TITLES[profile]} can sign now: run `absah init`")
        return self._certifier.opened(record, profile)

    def _require_no_request(self) -> None:
        """A key of an issuing CA without any root is one whose certificate was asked for elsewhere."""
        with self._begin() as tx:
            has_root = bool(Certificates(tx).of_profile(ProfileName.ROOT))
        waiting = [key.id for key in self._keys.list() if key.purpose is KeyPurpose.ISSUING_CA]
        if waiting and not has_root:
            raise KeyHeldElsewhere(
                f"key {waiting[-1]} waits for its certificate from elsewhere: `absah ca install` brings it, "
                "`absah ca request issuing` writes the request again"
            )

    def _root_elsewhere(self) -> bool:
        with self._begin() as tx:
            roots = Certificates(tx).of_profile(ProfileName.ROOT)
        return any(root.key_is_elsewhere for root in roots)

    def _service_name(self, profile: ProfileName) -> x509.Name:
        return legal_person(
            common_name=f"{self.config.organisation[:40].strip()} {_TITLES[profile]}",
            organisation=self.config.organisation,
            organization_identifier=self.config.organization_identifier,
            country=self.config.country,
        )


def _is_orphan(tx: Connection, record: CertificateRecord) -> bool:
    """Whether a CA above was revoked: the certificate is as it was, and nobody believes it."""
    _, *above = records_above(tx, record)
    return any(link.status is CertificateStatus.REVOKED for link in above)
