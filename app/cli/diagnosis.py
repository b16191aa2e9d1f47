"""``absah doctor``: is everything that the service stands on in order, and if not, what to do?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from app.cli.context import out

if TYPE_CHECKING:
    from app.doctor import Finding


def register(cli: typer.Typer) -> None:
    cli.command(rich_help_panel="Running it")(doctor)


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
        _print_findings(findings)
    sys.exit(1 if any(finding.health is Health.BROKEN for finding in findings) else 0)


def _print_findings(findings: list[Finding]) -> None:
    """Remedies stand beneath what was found: a narrow column would break variable names in two."""
    from app.doctor import Health

    styles = {Health.OK: "green", Health.WARNING: "yellow", Health.BROKEN: "bold red"}
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(max_width=24, style="dim")
    table.add_column(overflow="fold")
    for finding in findings:
        found = Text(finding.found)
        if finding.remedy:
            found.append(f"\n→ {finding.remedy}", style="bold")
        table.add_row(Text(finding.health, styles[finding.health]), finding.part, found)
    out.print(table)


def _print_settings(*, as_json: bool) -> None:
    from app.settings import describe

    if as_json:
        typer.echo(json.dumps([asdict(setting) for setting in describe()], indent=2))
        return
    for setting in describe():
        out.print(Text.assemble((setting.variable, "bold"), (f"  {setting.type}", "dim")))
        given = f"{setting.doc} Default: {setting.default}" if setting.default else setting.doc
        out.print(Padding(Text(given), (0, 0, 1, 2), expand=False))
