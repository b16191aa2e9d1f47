"""The core service over HTTP: sealing, tokens, certificates, time, and verification too."""

from __future__ import annotations

from contextlib import ExitStack

from fastapi import FastAPI

from app import schema, upkeep
from app.approving.asking import Asking
from app.citizens import build_shell, citizen_pages
from app.compromise.building import build_compromise
from app.custody import token_store
from app.guards import BearerGuard
from app.holders import holder_fingerprint
from app.key_uses import KeyUseCounters
from app.logs import configure_logging
from app.mail import readings as mail_readings
from app.office import office_pages
from app.operator_callers import build_certificate_guard, build_key_guard
from app.pages import add_verification
from app.portals import add_provider
from app.readings import CaseReadings, KeyStateReadings, expiry_readings, request_readings, workflow_readings
from app.rotation.routes import router as rotation_routes
from app.settings import Settings
from app.shell import new_application, serve_with_short_turns
from app.signatories import build_signatories
from app.timekeeping import clock_readings, stamper_readings
from app.wiring import Core, build_core
from app.workflows.known import known_workflows
from ca.administration import router as certificate_routes
from ca.routes import router as ca_routes
from identity.provider.pages import flow_finder
from identity.routes import router as identity_routes
from keys.routes import router as key_routes
from signing.routes import router as signing_routes


def create_app() -> FastAPI:
    """For the HTTP server: settings from the environment."""
    settings = Settings.load()
    configure_logging(settings.log)
    serve_with_short_turns()
    closing = ExitStack()
    core = build_core(settings, closing=closing)
    schema.require_current(core.database)
    core.require_initialised()
    if core.clock_watch is not None:
        core.clock_watch.start(closing)
    if settings.server.upkeep:
        upkeep.start(core, closing=closing)
    return build_app(core, closing=closing)


def build_app(core: Core, *, closing: ExitStack) -> FastAPI:
    """The application over a core that exists."""
    token = token_store(core.settings)
    application = new_application(
        core.settings,
        title="Absah",
        probes={
            "database": core.database.ping,
            "storage": core.files.ping,
            **({} if token is None else {"token": token.ping}),
            "keys": core.keys_answer,
            "time": core.tsa.require_ready,
        },
        closing=closing,
        readings=(
            lambda: clock_readings(core.clock_watch),
            lambda: stamper_readings(core.time_stamping),
            lambda: mail_readings(core.outbox, core.clock),
            lambda: expiry_readings(core.expiries, core.clock),
            lambda: request_readings(core.dual_control.list),
            KeyStateReadings(core.keys),
            lambda: workflow_readings(known_workflows(core)),
            core.anchors.readings,
            CaseReadings(build_compromise(core)),
        ),
        has_accounts=True,
    )
    core.keys.watch(KeyUseCounters(application.state.metrics.registry))
    if token is not None:
        errors = application.state.metrics.hsm_errors
        token.watch(lambda error: errors.labels(error).inc())
    callers = core.callers
    # Routes are tried in this order: what programs ask for thousands of times comes before people's pages.
    application.include_router(
        ca_routes(core.revocation, core.tsa, read=core.database.read, clock=core.clock)
    )
    application.include_router(identity_routes(callers.reader, callers.grants, jwks=callers.tokens.jwks))
    find_flow = flow_finder(core.provider.authorizing)
    shell = build_shell(core.settings, core.citizens, find_flow=find_flow)
    add_provider(
        application,
        shell,
        settings=core.settings,
        provider=core.provider,
        callers=callers,
        citizens=core.citizens,
    )
    add_verification(
        application,
        core.settings,
        service=core.verification,
        released=core.released,
        clock=core.clock,
        closing=closing,
    )
    fingerprint = holder_fingerprint(core.vault, sample_niks=not core.settings.production)
    guard = BearerGuard(callers, build_signatories(core))
    application.include_router(
        signing_routes(core.sealing, core.register, guard=guard, fingerprint=fingerprint)
    )
    key_guard = build_key_guard(core)
    application.include_router(
        key_routes(
            keys=core.keys,
            control=core.dual_control,
            custodians=core.custodians,
            ask=Asking(core),
            guard=key_guard,
        )
    )
    application.include_router(
        certificate_routes(
            register=core.certificates,
            revocation=core.revocation,
            guard=build_certificate_guard(core),
            clock=core.clock,
        )
    )
    application.include_router(rotation_routes(core.rotations, core.cancellations, guard=key_guard))
    application.include_router(citizen_pages(shell, core.citizens, clock=core.clock))
    for pages in office_pages(shell, core):
        application.include_router(pages)
    return application
