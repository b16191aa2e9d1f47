"""The jobs of an operator that span slices: make the service exist, register an agency with its seal."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from app import schema
from app.clock import Clock, system_clock
from app.custody import ensure_data_keys, ensure_wrapping_key, rotate_token_keys, token_key_policy
from app.database import Database
from app.register import export_trust, read_published_trust
from app.rotation.errors import SealRefused
from app.rotation.seals import AgencySeals, certify_agreed, good_seal
from app.settings import Settings
from app.wiring import Core, build_core
from ca.errors import IssuanceRefused
from ca.model import CertificateRecord
from ca.superiors import Installation
from identity.agencies.model import Agency, Binding, Client
from identity.agencies.service import parse_key_set
from keys.approvals import KeyRequest


@dataclass(frozen=True, slots=True)
class NewAgency:
    """A registered agency, its seal, and the client that may issue for it.

    ``seal`` is None while custodians have to agree to it, to ``request``. ``client`` is None in production
    where no key set was given; ``secret`` is there in development only.
    """

    agency: Agency
    seal: CertificateRecord | None
    request: KeyRequest | None = None
    client: Client | None = None
    secret: str | None = field(default=None, repr=False)


def initialise(settings: Settings, *, closing: ExitStack, actor: str, clock: Clock = system_clock) -> Core:
    """Make everything that the service needs exist, and return it. Repeating it completes and renews.

    1. The data directory, the database's schema, and the tables of durable workflows.
    2. The key-encryption key, if nobody provided one.
    3. Under the lock for changing the schema, because two hierarchies must never be born: root, issuing CA,
       time-stamping unit, OCSP responder, receipt signer, the key of access tokens, and the data keys.
    4. The trust folder that verification uses while the service is stopped.
    """
    core = prepare(settings, closing=closing, clock=clock)
    complete_hierarchy(core, actor=actor)
    publish_trust(core)
    return core


def _make_workflow_tables(database: Database) -> None:
    if not database.is_sqlite:  # there the engine makes its own file, when it is first needed
        from app.workflows import durable  # noqa: PLC0415 - half a second that other commands need not wait

        with database.exclusively():
            durable.migrate(database)


def prepare(settings: Settings, *, closing: ExitStack, clock: Clock = system_clock) -> Core:
    """The first two steps of :func:`initialise`: a place for everything, and nothing in it yet."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database.from_settings(settings)
    schema.upgrade(database)
    _make_workflow_tables(database)
    database.close()
    ensure_wrapping_key(settings)
    return build_core(settings, closing=closing, clock=clock)


def install(
    core: Core,
    certificates: Iterable[x509.Certificate],
    lists: Iterable[bytes],
    *,
    root: x509.Certificate | None,
    actor: str,
) -> Installation:
    """Take certificates and lists that came from the CAs above, and complete what they make possible.

    The first certificate of an issuing CA is put to use; a later one waits, as every successor does, for its
    key to be activated.
    """
    with core.database.exclusively():
        done = core.superiors.install(certificates, lists, root=root, actor=actor)
    complete_hierarchy(core, actor=actor)
    publish_trust(core)
    return done


def complete_hierarchy(core: Core, *, actor: str) -> None:
    """Make what is missing and renew what ends: hierarchy, service certificates, token and data keys."""
    with core.database.exclusively():
        core.hierarchy.init(actor=actor)
        spoken_for = core.rotations.spoken_for()
        rotate_token_keys(
            core.keys,
            token_key_policy(core.settings),
            clock=core.clock,
            actor=actor,
            successors=False,
            spoken_for=spoken_for,
        )
        ensure_data_keys(core.keys, core.envelope, actor=actor, spoken_for=spoken_for)


def publish_trust(core: Core) -> datetime | None:
    """Renew the revocation lists that need it and write the trust folder.

    Returns when the first of the lists expires.
    """
    for authority in core.hierarchy.list_signers():
        core.revocation.lists.renew(authority.name)
    return export_trust(read_published_trust(core.database.read), core.settings.trust_dir)


def add_agency(
    core: Core,
    agency_id: str,
    *,
    name: str,
    organization_identifier: str,
    certified_name: str | None = None,
    scopes: Iterable[str],
    is_sandbox: bool,
    jwks: str | None = None,
    binding: Binding = Binding.DPOP,
    actor: str,
) -> NewAgency:
    """Register an agency, certify its seal or ask custodians to agree to that, and make its first client.

    The client authenticates by the keys of ``jwks``. Without them it gets a secret, in development; in
    production it is left to be registered with its keys. An agency whose registration was interrupted is
    completed by ``agency certify`` and ``client add``.
    """
    if jwks is not None:
        parse_key_set(jwks)  # before anything is registered
    agency = core.agencies.add_agency(
        agency_id,
        name=name,
        organization_identifier=organization_identifier,
        certified_name=certified_name,
        actor=actor,
    )
    seal, request = AgencySeals(core).obtain(agency, actor=actor)
    name = "first client"
    if jwks is not None:
        client = core.agencies.register_client(
            agency_id,
            name=name,
            scopes=scopes,
            jwks=jwks,
            binding=binding,
            is_sandbox=is_sandbox,
            actor=actor,
        )
        return NewAgency(agency, seal, request, client)
    if not core.agencies.issues_secrets:
        return NewAgency(agency, seal, request)
    made = core.agencies.add_client(agency_id, name=name, scopes=scopes, is_sandbox=is_sandbox, actor=actor)
    return NewAgency(agency, seal, request, made.client, made.secret)


def certify_request(
    core: Core, agency_id: str, request: bytes, *, actor: str
) -> tuple[CertificateRecord, tuple[bytes, ...]]:
    """A seal for a key that the agency keeps itself, and the path to the root.

    Not in production, nor where custodians have to agree to acts on keys: who could do this alone could give
    themselves the seal of any agency.
    """
    if core.settings.production or core.custodians.decide():
        raise IssuanceRefused(
            "in production, and where there are custodians, nobody alone certifies a key that the service "
            "does not keep: let the service make the agency's key (`absah agency certify`)"
        )
    agency = core.agencies.agency(agency_id)
    return core.hierarchy.certify_request(
        agency.id,
        request,
        organisation=agency.certified_name,
        organization_identifier=agency.organization_identifier,
        country=core.settings.ca.country,
        actor=actor,
    )


def certify_agency(core: Core, agency: Agency, *, actor: str) -> CertificateRecord:
    """The agency's seal certificate: a new one unless a good one is there.

    Raises :class:`app.rotation.errors.SealRefused` where custodians have to agree to a new one.
    """
    if core.custodians.decide() and good_seal(core, agency) is None:
        raise SealRefused(
            f"Custodians agree to seals here: ask them with `absah agency certify {agency.id}`."
        )
    return certify_agreed(core, agency, actor=actor)
