"""``absah audit``: the trail, who vouches for it, and how anybody finds out that it is whole."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from app.cli.context import failing_as, load_settings, opened_core, out

if TYPE_CHECKING:
    from app.trail.chain import ChainHead
    from app.trail.examining import Examination

audit = typer.Typer(help="The audit trail.", no_args_is_help=True)

CANNOT_SAY = 2
"""Exit status, as `absah verify` has it: whole, but not beyond doubt."""
COULD_NOT_LOOK = 3
"""Exit status: nothing was found out about the trail, so that nobody is called for a broken one."""


def register(cli: typer.Typer) -> None:
    cli.add_typer(audit, name="audit", rich_help_panel="Administration")


@audit.command("verify")
def verify(
    file: Annotated[Path | None, typer.Argument(help="An export; without it the database is read.")] = None,
    *,
    since: Annotated[
        str | None, typer.Option(help="A head that was written down earlier, as SEQUENCE:HASH.")
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option(help="Folder with the roots to trust; the service's own when unset.", file_okay=False),
    ] = None,
) -> None:
    """Recompute the chain of the audit trail, and check the time-stamps over its head.

    With FILE neither database nor keys nor network are needed. Exit status: 0 whole; 1 broken, somebody
    changed it; 2 whole, but something in it would look the same had it been written anew; 3 could not look,
    as when the database is away or FILE is no whole export.
    """
    from app.errors import AuditChainBroken

    with failing_as(COULD_NOT_LOOK, unless=AuditChainBroken):
        found = _examined(file, since, trust)
    _print(found)
    if found.doubts:
        raise typer.Exit(CANNOT_SAY)


def _examined(file: Path | None, since: str | None, trust: Path | None) -> Examination:
    """Raises :class:`app.errors.AuditChainBroken`, and much else when it cannot look."""
    from app.clock import system_clock
    from app.trail.anchors import AnchorRows
    from app.trail.examining import examine, merged
    from app.trail.file import read_trail
    from verify.trust import read_trust_folder

    noted = () if since is None else (_head(since),)
    if file is not None:
        trusted = read_trust_folder(trust or load_settings(keyless=True).trust_dir)
        with file.open("rb") as exported:
            records = read_trail(exported, str(file))
            return examine(records, trust=trusted, now=system_clock(), noted=noted)
    with opened_core() as core, core.database.read() as tx:
        trusted = core.trust() if trust is None else read_trust_folder(trust)
        records = merged(core.audit.entries(tx), AnchorRows(tx).all())
        return examine(records, trust=trusted, now=core.clock(), noted=noted)


def _head(written: str) -> ChainHead:
    from app.trail.chain import ChainHead

    sequence, _, digest = written.partition(":")
    try:
        return ChainHead(int(sequence), bytes.fromhex(digest))
    except ValueError:
        raise typer.BadParameter("write it as SEQUENCE:HASH", param_hint="--since") from None


def _print(found: Examination) -> None:
    out.print(f"[green]✓[/green] The audit trail is whole: {found.head.sequence:,} entries.")
    out.print(f"Head          {found.head}", soft_wrap=True)
    if found.last is None:
        out.print("[yellow]?[/yellow] No time-stamp vouches for any of it.")
    else:
        out.print(
            f"Time-stamps   {found.stamps:,}; the last over entry {found.last.head.sequence:,} at "
            f"{found.last.at:%Y-%m-%d %H:%M:%S} UTC"
        )
        out.print(f"              by {escape(found.last.unit)}", soft_wrap=True)
        if found.unanchored:
            waiting = (
                "1 newer entry waits" if found.unanchored == 1 else f"{found.unanchored:,} newer entries wait"
            )
            out.print(f"              {waiting} for the next one")
    for words in found.doubts:
        out.print(f"[yellow]?[/yellow] {escape(words)}", soft_wrap=True)
    if found.more_doubts:
        out.print(f"[yellow]?[/yellow] and {found.more_doubts:,} more like these")


@audit.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="Written whole or not at all.", dir_okay=False)],
) -> None:
    """Write the trail and its time-stamps to a file that `absah audit verify FILE` checks anywhere."""
    from app.trail.anchors import AnchorRows
    from app.trail.examining import merged
    from app.trail.file import export_to

    with opened_core() as core:
        core.anchors.witness()  # so that it ends vouched for, where the time is to be had
        with core.database.read() as tx:
            records = merged(core.audit.entries(tx), AnchorRows(tx).all())
            head, stamps = export_to(file, records, now=core.clock())
    out.print(f"Wrote         {head.sequence:,} entries and {stamps:,} time-stamps to {file}")
    out.print(f"Head          {head}", soft_wrap=True)
    out.print("Keep it where those who run the service cannot write.")


@audit.command("show")
def entries(
    *,
    after: Annotated[int, typer.Option(help="Show entries behind this sequence number.")] = 0,
) -> None:
    """Print entries, one line each."""
    with opened_core() as core, core.database.read() as tx:
        for entry in core.audit.entries(tx, after=after):
            sys.stdout.write(
                f"{entry.sequence}\t{entry.at}\t{entry.actor}\t{entry.action}\t{entry.subject}\t{entry.facts}\n"
            )
