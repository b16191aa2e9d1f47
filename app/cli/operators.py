"""``absah keys`` and ``absah ca``: what security teams look at."""

from __future__ import annotations

import typer

from app.cli import (
    approving,
    ceremony,
    certificates,
    compromising,
    custodians,
    distrusting,
    keyring,
    revoking,
    rotating,
    superiors,
)

keys = typer.Typer(help="Keys in custody.", no_args_is_help=True)
ca = typer.Typer(help="Certificates and revocation lists.", no_args_is_help=True)


def register(cli: typer.Typer) -> None:
    # The order of the parts in `absah keys --help`: whoever has lost a key finds that near the top.
    keyring.register(keys)
    compromising.register(keys)
    rotating.register(keys)
    approving.register(keys)
    custodians.register(keys)
    certificates.register(ca)
    revoking.register(ca)
    distrusting.register(ca)
    superiors.register(ca)
    ceremony.register(ca)
    cli.add_typer(keys, name="keys", rich_help_panel="Administration")
    cli.add_typer(ca, name="ca", rich_help_panel="Administration")
