"""Bringing the service to life: ``init``, ``demo``, ``serve``, ``worker``."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.context import (
    actor,
    err,
    load_settings,
    opened_core,
    out,
    warn_online_root,
    warn_unsafe,
)

if TYPE_CHECKING:
    from app.settings import Settings


_LAST_REQUEST_SECONDS = 60
"""For the requests under way when the service stops; after that a process that hangs is ended."""


def register(cli: typer.Typer) -> None:
    cli.command(rich_help_panel="Running it")(init)
    cli.command(rich_help_panel="Running it")(demo)
    cli.command(rich_help_panel="Running it")(serve)
    cli.command(rich_help_panel="Running it")(worker)


def init(
    *,
    root_offline: Annotated[
        Path | None,
        typer.Option(
            "--root-offline",
            metavar="CSR",
            help="Make no root here: write the request for the issuing CA to this file, for a ceremony or "
            "another hierarchy to certify. `absah ca install` then brings the certificate.",
        ),
    ] = None,
) -> None:
    """Make everything the service needs: schema, keys, certificates, trust folder. Safe to repeat."""
    from app.cli.superiors import write_request
    from app.provisioning import initialise, prepare
    from ca.subjects import shown_name

    settings = load_settings()
    warn_unsafe(settings)
    with ExitStack() as closing:
        if root_offline is not None:
            write_request(prepare(settings, closing=closing), root_offline)
            return
        core = initialise(settings, closing=closing, actor=actor())
        warn_online_root(core)
        for certificate in core.trust().anchors:
            out.print(f"Root          {shown_name(certificate.subject)}", soft_wrap=True)
    out.print(f"Data          {settings.home}")
    out.print(f"Trust folder  {settings.trust_dir}")
    out.print("Next: [bold]absah agency add[/bold], then [bold]absah serve[/bold].")


def demo(
    *,
    port: Annotated[int | None, typer.Option(help="Port to serve on.")] = None,
    only_prepare: Annotated[
        bool, typer.Option("--only-prepare", help="Seal the samples, print them, and stop.")
    ] = False,
) -> None:
    """Seal sample documents of sample agencies, print one QR code, and serve on this machine."""
    from app.cli.showcase import prepare

    server = {"port": port} if port else {}
    settings = load_settings(server=server) if server else load_settings()
    warn_unsafe(settings)
    if not only_prepare:
        _count_together(settings)
    prepare(settings)
    if not only_prepare:
        _serve(settings, public=False, used=True)


def serve(
    *,
    public: Annotated[
        bool, typer.Option("--public", help="Verification only: a process without any private key.")
    ] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; one per core is a good start.")] = None,
) -> None:
    """Serve over HTTP. TLS is the reverse proxy's."""
    given = {"host": host, "port": port, "workers": workers}
    server: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    settings = load_settings(quiet=False, keyless=public, **({"server": server} if server else {}))
    warn_unsafe(settings, keyless=public)
    _count_together(settings)
    if not public:  # the keyless process may hold a role that can only read
        with opened_core(settings) as core:
            warn_online_root(core)
    _serve(settings, public=public)


def worker(
    *,
    once: Annotated[bool, typer.Option("--once", help="One round, then stop; for a timer.")] = False,
) -> None:
    """Finish abandoned documents, renew lists, certificates and keys, and send mails, round after round."""
    import signal
    import threading

    from app import upkeep
    from app.mail import carrier_for

    settings = load_settings(quiet=False)
    carrier = carrier_for(settings)
    with opened_core(settings) as core, ExitStack() as closing:
        warn_online_root(core)
        if once:
            raise typer.Exit(0 if upkeep.run_round(core, carrier) else 1)
        if core.clock_watch is not None:
            core.clock_watch.start(closing)
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        upkeep.run_forever(core, carrier, stopping)


def _count_together(settings: Settings) -> None:
    """Several processes add up their metrics in a folder. The metrics library reads where that is when it is
    loaded, so nothing that loads it may come before."""
    if settings.server.workers > 1:
        folder = settings.home / "run" / "metrics"
        shutil.rmtree(folder, ignore_errors=True)  # counts of processes that are gone
        folder.mkdir(parents=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def _serve(settings: Settings, *, public: bool, used: bool = False) -> None:
    """``used``: this process has stored or signed something. Copies of it would hold the libraries for that
    without their threads, and wait for ever; server processes start afresh then."""
    import multiprocessing

    from granian import Granian
    from granian.constants import Interfaces
    from granian.http import HTTP1Settings

    if used:
        multiprocessing.set_start_method("spawn", force=True)
    Granian(
        "app.public:create_public_app" if public else "app.main:create_app",
        address=settings.server.host,
        port=settings.server.port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=settings.server.workers,
        http1_settings=HTTP1Settings(header_read_timeout=15_000),
        websockets=False,
        workers_kill_timeout=_LAST_REQUEST_SECONDS,
        log_enabled=False,  # ours is configured in every process
    ).serve()
    err.print("Stopped.")
