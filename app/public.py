"""The public process: verification without any private key. It never imports ``keys``, not even indirectly.

It needs to read the database and nothing else: no key-encryption key, no storage, no right to write.
"""

from __future__ import annotations

from contextlib import ExitStack

from fastapi import FastAPI

from app import schema
from app.clock import Clock, system_clock
from app.database import Database
from app.logs import configure_logging
from app.pages import add_verification
from app.register import RegisterTrust, ReleasedDocuments
from app.settings import Settings
from app.shell import new_application, serve_with_short_turns
from app.verification import verification_service
from ca import published


def create_public_app() -> FastAPI:
    """For the HTTP server: settings from the environment."""
    settings = Settings.load(keyless=True)
    configure_logging(settings.log)
    serve_with_short_turns()
    closing = ExitStack()
    database = Database.from_settings(settings)
    closing.callback(database.close)
    schema.require_current(database)
    return build_public_app(settings, database, closing=closing)


def build_public_app(
    settings: Settings, database: Database, *, closing: ExitStack, clock: Clock = system_clock
) -> FastAPI:
    """The application over a database that exists."""
    released = ReleasedDocuments(database.read)
    trust = RegisterTrust(database.read, settings.trust_dir)
    application = new_application(
        settings,
        title="Absah verification",
        probes={"database": database.ping, "trust": trust},
        closing=closing,
    )
    add_verification(
        application,
        settings,
        service=verification_service(settings, released=released, trust=trust, clock=clock, closing=closing),
        released=released,
        clock=clock,
        closing=closing,
    )
    application.include_router(published.router(database.read))
    return application
