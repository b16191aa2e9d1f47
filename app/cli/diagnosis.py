"""``absah doctor``: is everything that the service stands on in order, and if not, what to do?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from app.cli.context import out


def register(cli: typer.Typer) -> None:
    cli.command()(doctor)


def doctor(
    *,
    settings: Annotated[bool, typer.Option("--settings", help="List every setting instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Check this installation and print remedies. Ends with 1 when something does not work."""
    if settings:
        _print_settings(as_json=as_json)
        return
    from app.doctor import Health, examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        colours = {Health.OK: "green", Health.WARNING: "yellow", Health.BROKEN: "red"}
        table = Table("", "Part")
        table.add_column("Found", overflow="fold")
        table.add_column("Remedy", overflow="fold")
        for finding in findings:
            colour = colours[finding.health]
            table.add_row(
                f"[{colour}]{finding.health}[/{colour}]", finding.part, finding.found, finding.remedy
            )
        out.print(table)
    sys.exit(1 if any(finding.health is Health.BROKEN for finding in findings) else 0)


def _print_settings(*, as_json: bool) -> None:
    from app.settings import describe

    if as_json:
        typer.echo(json.dumps([asdict(setting) for setting in describe()], indent=2))
        return
    table = Table("Setting", "Type", "Default", "Meaning")
    for setting in describe():
        table.add_row(setting.variable, setting.type, setting.default, setting.doc)
    out.print(table)
