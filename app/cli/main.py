"""``absah``: the front door. Commands live beside this file, one module per kind of user."""

from __future__ import annotations

import sys

import typer

from app import __version__
from app.cli import (
    agencies,
    backups,
    cases,
    diagnosis,
    documents,
    mail,
    operators,
    portals,
    roles,
    running,
    trail,
)
from app.cli.context import told

cli = typer.Typer(
    name="absah",
    help="Seal documents, and find out whether a document is genuine.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
documents.register(cli)
running.register(cli)
backups.register(cli)
diagnosis.register(cli)
agencies.register(cli)
portals.register(cli)
operators.register(cli)
cases.register(cli)
trail.register(cli)
roles.register(cli)
mail.register(cli)


@cli.command(rich_help_panel="Running it")
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Entry point. Errors that we raise on purpose are printed as cause and remedy, without a traceback."""
    try:
        cli()
    except Exception as cause:
        if not told(cause):
            raise
        sys.exit(2 if "verify" in sys.argv[1:2] else 1)
