"""``absah keys`` and ``absah ca``: what security teams look at."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.cli import approving, ceremony, compromising, custodians, keyring, revoking, rotating, superiors
from app.cli.context import opened_core, out, print_listing

keys = typer.Typer(help="Keys in custody.", no_args_is_help=True)
ca = typer.Typer(help="Certificates and revocation lists.", no_args_is_help=True)


def register(cli: typer.Typer) -> None:
    keyring.register(keys)
    approving.register(keys)
    compromising.register(keys)
    custodians.register(keys)
    rotating.register(keys)
    revoking.register(ca)
    superiors.register(ca)
    ceremony.register(ca)
    cli.add_typer(keys, name="keys", rich_help_panel="Administration")
    cli.add_typer(ca, name="ca", rich_help_panel="Administration")


@ca.command("show")
def show() -> None:
    """Every certificate that was issued here."""
    from ca.model import ProfileName
    from ca.tables import Certificates

    now = datetime.now(UTC)
    rows = []
    with opened_core() as core, core.database.read() as tx:
        for profile in ProfileName:
            for record in Certificates(tx).of_profile(profile):
                status = "expired" if record.not_after < now else record.status.value
                rows.append((record.name, record.owner, (profile, status, f"{record.not_after:%Y-%m-%d}")))
    print_listing(("Certificate", "Profile", "Status", "Valid until"), rows)


@ca.command("crl")
def crl(
    issuer: Annotated[
        str, typer.Argument(help="Name of the CA or list, such as issuing-1 or issuing-1-p1.")
    ] = "issuing-1",
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it here, DER.")] = None,
) -> None:
    """The CA's current revocation list, renewed if half its life is over."""
    with opened_core() as core:
        found = core.revocation.current_crl(issuer)
    if output is not None:
        output.write_bytes(found.der)
    out.print(
        f"{found.issuer}  number {found.number}  {found.this_update:%Y-%m-%d %H:%M} UTC to "
        f"{found.next_update:%Y-%m-%d %H:%M} UTC  {len(found.der)} bytes"
    )
