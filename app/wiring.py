"""Builds the core service from settings, through constructors: read it to see what stands on what."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta

from app.audit import Audit
from app.callers import Callers, build_callers, build_tokens
from app.certifying.reading import CertificateRegister
from app.citizens import Citizens, build_citizens
from app.clock import Clock, system_clock
from app.custodians import DistrustNews, build_dual_control
from app.custody import (
    CertifiedIdentities,
    CustodyTokenKeys,
    key_stores,
    limits_of_purposes,
    store_of_purposes,
    token_key_policy,
)
from app.database import Database
from app.errors import DatabaseNotReady, NotInitialised
from app.evidence import CombinedEvidence, RegisterEvidence
from app.expiries import Expiries
from app.mail import build_outbox
from app.office import Office, build_office
from app.portals import Provider, build_provider, build_sharing
from app.register import RegisterTrust, ReleasedDocuments
from app.rights import build_rights
from app.rotation.building import build_rotation
from app.rotation.canary import Canaries
from app.rotation.cancelling import Cancellations
from app.rotation.endings import KeyEndings
from app.rotation.schedule import Schedule
from app.rotation.service import Rotations
from app.sealing import build_sealing
from app.settings import Settings
from app.storage import ObjectFiles
from app.timekeeping import TimeStamping, build_clock_watch, build_time_stamping
from app.trail.anchors import Anchors
from app.vault import CustodyVault
from app.verification import verification_service
from ca.clockwatch import ClockWatch
from ca.distrust import Distrust
from ca.hierarchy import Hierarchy
from ca.model import CertificationConfig, TimeStampingRules
from ca.revocation import Revocation
from ca.superiors import Superiors
from ca.timestamping import TimeStampingAuthority
from identity.agencies.news import ClientNews
from identity.agencies.service import Agencies
from identity.mail.service import MailOutbox
from identity.people.rights import Rights
from identity.provider.portals import portal_clients
from identity.provider.sharing import Sharing
from keys.custodianship import Custodians
from keys.dual_control import DualControl
from keys.envelope import Envelope
from keys.model import KeyPurpose
from keys.service import KeyService
from signing.register import DocumentRegister
from signing.resealing import Resealing
from signing.service import SealingService
from verify.service import VerificationService


@dataclass(frozen=True, slots=True)
class Core:
    """Everything that the core processes and the command line work with."""

    settings: Settings
    clock: Clock
    database: Database
    audit: Audit
    anchors: Anchors
    files: ObjectFiles
    keys: KeyService
    envelope: Envelope
    expiries: Expiries
    custodians: Custodians
    dual_control: DualControl
    rotations: Rotations
    cancellations: Cancellations
    key_endings: KeyEndings
    schedule: Schedule
    vault: CustodyVault
    outbox: MailOutbox
    hierarchy: Hierarchy
    superiors: Superiors
    distrust: Distrust
    certificates: CertificateRegister
    revocation: Revocation
    clock_watch: ClockWatch | None
    tsa: TimeStampingAuthority
    time_stamping: TimeStamping
    identities: CertifiedIdentities
    agencies: Agencies
    callers: Callers
    citizens: Citizens
    provider: Provider
    sharing: Sharing
    office: Office
    rights: Rights
    sealing: SealingService
    resealing: Resealing
    register: DocumentRegister
    released: ReleasedDocuments
    trust: RegisterTrust
    verification: VerificationService

    def require_initialised(self) -> None:
        """Raises :class:`app.errors.NotInitialised` before anything is served half-ready."""
        if not self.keys.list() or not self.trust().anchors:
            raise NotInitialised("There is no hierarchy of certificates here yet. Run `absah init` first.")

    def keys_answer(self) -> None:
        """Opens the keys that sealing and tokens need; raises when one cannot sign."""
        self.identities.receipt_signer()
        self.keys.active(KeyPurpose.TOKEN)


def online_root(core: Core) -> str | None:
    """What is to be said while the service itself keeps the key of a root; None when it does not.

    Known from the register only, so it is not among :meth:`app.settings.Settings.unsafe`. Production warns
    instead of refusing: a service that did its work yesterday would stop.
    """
    roots = core.hierarchy.roots_kept_here()
    if not roots:
        return None
    return (
        f"the private key of {roots[-1].name} is in this service, so that whoever takes it over makes CAs; "
        "keep the root offline (`absah init --root-offline`, docs/runbooks/root-ceremony.md)"
    )


def certification_config(settings: Settings) -> CertificationConfig:
    return CertificationConfig(
        base_url=settings.pki_origin,
        organisation=settings.ca.organisation,
        organization_identifier=settings.ca.organization_identifier,
        country=settings.ca.country,
        arc=settings.ca.arc,
        issuing_crl_validity=timedelta(hours=settings.ca.crl_hours),
        ocsp_validity=timedelta(hours=settings.ca.ocsp_hours),
        time=TimeStampingRules(
            policies=tuple(settings.tsa.policies.split()),
            digests=tuple(settings.tsa.digests.split()),
            accuracy=timedelta(milliseconds=settings.tsa.accuracy_ms),
            ordering=settings.tsa.ordering,
            key_life=timedelta(days=settings.tsa.key_days),
        ),
    )


def build_core(settings: Settings, *, closing: ExitStack, clock: Clock = system_clock) -> Core:
    """Connect everything. Opens no key and asks no database; ``closing`` gives back what was opened."""
    # 1. What everything stands on.
    database = Database.from_settings(settings)
    closing.callback(database.close)
    audit = Audit(clock=clock)
    files = ObjectFiles(settings.storage_url, settings.storage)
    # 2. Custody.
    keys = KeyService(
        begin=database.begin,
        read=database.read,
        stores=key_stores(settings, database),
        store_of=store_of_purposes(settings),
        limits=limits_of_purposes(settings),
        clock=clock,
        audit=audit,
    )
    keys.held_against(audit)
    closing.callback(_close_keys, keys)
    envelope = Envelope(keys=keys, begin=database.begin, read=database.read, clock=clock, audit=audit)
    expiries = Expiries(
        read=database.read,
        keys=keys,
        envelope=envelope,
        clock=clock,
        data_key_life=timedelta(days=settings.keys.data_key_days),
    )
    # 3. Certification and time.
    config = certification_config(settings)
    hierarchy = Hierarchy(begin=database.begin, keys=keys, clock=clock, audit=audit, config=config)
    revocation = Revocation(
        begin=database.begin,
        read=database.read,
        keys=keys,
        clock=clock,
        audit=audit,
        config=config,
        with_custodians=settings.keys.approvals > 0,
    )
    clock_watch = build_clock_watch(settings, database=database, clock=clock)
    tsa = TimeStampingAuthority(
        begin=database.read,
        keys=keys,
        clock=clock_watch or clock,
        config=config,
        order_file=settings.home / "order-of-time-stamps",
    )
    time_stamping = build_time_stamping(settings, tsa=tsa, read=database.read, clock=clock, closing=closing)
    anchors = Anchors(
        begin=database.begin,
        read=database.read,
        audit=audit,
        timestampers=time_stamping.stampers,
        clock=clock,
        interval=timedelta(minutes=settings.audit.anchor_minutes),
    )
    keys.witnessed_by(anchors.witness)
    # 4. Who calls.
    vault = CustodyVault(envelope)
    token_keys = CustodyTokenKeys(keys, clock=clock, policy=token_key_policy(settings))
    tokens = build_tokens(settings, keys=token_keys, clock=clock)
    outbox = build_outbox(settings, database=database, clock=clock, vault=vault)
    sharing = build_sharing(database=database, clock=clock, audit=audit)
    citizens = build_citizens(
        settings, database=database, clock=clock, audit=audit, vault=vault, outbox=outbox, sharing=sharing
    )
    news = ClientNews(outbox=outbox, contacts=citizens.contacts)
    office = build_office(
        settings, database=database, clock=clock, audit=audit, vault=vault, citizens=citizens, news=news
    )
    provider = build_provider(
        settings,
        database=database,
        clock=clock,
        audit=audit,
        vault=vault,
        keys=token_keys,
        tokens=tokens,
        outbox=outbox,
        contacts=citizens.contacts,
        people=citizens.people,
        sessions=citizens.sessions,
        lookups=office.lookups,
        closing=closing,
    )
    callers = build_callers(
        settings,
        database=database,
        clock=clock,
        audit=audit,
        vault=vault,
        tokens=tokens,
        news=news,
        directories=[portal_clients],
        grants=provider.grants,
    )
    custodians, dual_control = build_dual_control(
        settings,
        database=database,
        clock=clock,
        audit=audit,
        sealer=envelope,
        factors=citizens.factors,
        people=citizens.people,
        operators=office.operators,
        outbox=outbox,
        contacts=citizens.contacts,
    )
    rights = build_rights(
        settings,
        database=database,
        clock=clock,
        audit=audit,
        vault=vault,
        outbox=outbox,
        citizens=citizens,
        sharing=sharing,
        office=office,
        custodians=custodians,
    )
    # 5. Sealing.
    identities = CertifiedIdentities(begin=database.read, keys=keys, clock=clock)
    own_evidence = RegisterEvidence(read=database.read, revocation=revocation, clock=clock)
    sealing = build_sealing(
        settings,
        database=database,
        clock=clock,
        audit=audit,
        files=files,
        keys=keys,
        identities=identities,
        timestampers=time_stamping.stampers,
        evidence=CombinedEvidence(own_evidence, time_stamping.evidence),
        lookups=office.lookups,
    )
    # 6. Verification.
    released = ReleasedDocuments(database.read)
    trust = RegisterTrust(database.read, settings.trust_dir)
    verification = verification_service(
        settings, released=released, trust=trust, clock=clock, closing=closing
    )
    # 7. What changes the keys of all this.
    changing = build_rotation(
        settings,
        database=database,
        clock=clock,
        audit=audit,
        keys=keys,
        envelope=envelope,
        hierarchy=hierarchy,
        revocation=revocation,
        dual_control=dual_control,
        canary=Canaries(
            read=database.read,
            clock=clock,
            keys=keys,
            tsa=tsa,
            evidence=own_evidence,
            receipt_signer=identities.receipt_signer,
            trust=RegisterTrust(database.read, settings.trust_dir, max_staleness=0.0),
            public_url=settings.public_url,
        ),
    )
    hierarchy.leave_alone(changing.rotations.spoken_for)
    hierarchy.leave_to_custodians(custodians.decide)
    return Core(
        settings=settings,
        clock=clock,
        database=database,
        audit=audit,
        anchors=anchors,
        files=files,
        keys=keys,
        envelope=envelope,
        expiries=expiries,
        custodians=custodians,
        dual_control=dual_control,
        rotations=changing.rotations,
        cancellations=changing.cancellations,
        key_endings=changing.endings,
        schedule=changing.schedule,
        vault=vault,
        outbox=outbox,
        hierarchy=hierarchy,
        certificates=CertificateRegister(database.read, keys, clock),
        superiors=Superiors(begin=database.begin, keys=keys, clock=clock, audit=audit, config=config),
        distrust=Distrust(
            begin=database.begin,
            clock=clock,
            audit=audit,
            tell=DistrustNews(outbox=outbox, contacts=citizens.contacts, custodians=custodians),
        ),
        revocation=revocation,
        clock_watch=clock_watch,
        tsa=tsa,
        time_stamping=time_stamping,
        identities=identities,
        agencies=callers.agencies,
        callers=callers,
        citizens=citizens,
        provider=provider,
        sharing=sharing,
        office=office,
        rights=rights,
        sealing=sealing.service,
        resealing=sealing.resealing,
        register=sealing.register,
        released=released,
        trust=trust,
        verification=verification,
    )


def _close_keys(keys: KeyService) -> None:
    with suppress(DatabaseNotReady):  # what is not given back was counted and never used: the safe side
        keys.close()
