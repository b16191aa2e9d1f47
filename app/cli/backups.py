"""``absah backup`` and ``absah restore``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from app.cli.context import actor, load_settings, opened_core, out

if TYPE_CHECKING:
    from app.backup.restoring import Restored


def register(cli: typer.Typer) -> None:
    cli.command(rich_help_panel="Running it")(backup)
    cli.command(rich_help_panel="Running it")(restore)


def backup(
    folder: Annotated[Path, typer.Argument(help="New or empty.", file_okay=False)],
    *,
    documents: Annotated[
        bool, typer.Option(help="Documents, too; without, where the bucket keeps its own copies.")
    ] = True,
) -> None:
    """Write everything but the key-encryption key into FOLDER, while the service goes on."""
    from app.backup.taking import take

    with opened_core() as core:
        taken = take(core, folder, with_documents=documents)
        kek = None if core.settings.keys.passphrase_file else core.settings.kek_path
    out.print(f"Backup        {folder}: {len(taken.manifest.files):,} files, {taken.documents:,} documents")
    out.print(f"Audit head    {taken.manifest.head}", soft_wrap=True)
    if not taken.is_stamped:
        out.print("[yellow]?[/yellow] No time-stamp over it: the time-stamping unit does not sign now.")
    if kek is not None and kek.exists():
        out.print(f"[yellow]![/yellow] Not in it: {escape(str(kek))}. Keep a copy of that apart from it.")


def restore(
    folder: Annotated[Path, typer.Argument(help="A backup.", exists=True, file_okay=False)],
    *,
    lists: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder with revocation lists published after the backup; may be repeated.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Put a backup into an empty database, so that nothing used since then is used twice."""
    from app.backup.restoring import restore as put_back

    with ExitStack() as closing:
        _, done = put_back(load_settings(), folder, lists=lists or (), actor=actor(), closing=closing)
    _print(done)


def _print(done: Restored) -> None:
    out.print(f"Restored      the service of {done.manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")
    out.print(f"Documents     {done.documents:,}")
    for name, floor in done.floors.items():
        out.print(f"List          {name} goes on above number {floor:,}")
    for what, count in done.ended.items():
        if count:
            out.print(f"Ended         {count:,} {what}")
    for name in done.revoked:
        out.print(f"Revoked       {name}, as the lists say")
    for key in done.suspended:
        out.print(f"Suspended     {key}: its certificate was revoked for a compromise")
    if done.unknown_serials:
        out.print(
            f"[yellow]![/yellow] The lists name {done.unknown_serials:,} certificates that the backup does "
            "not know. They stay off the new lists: certify their holders anew.",
            soft_wrap=True,
        )
    for name in done.strangers:
        out.print(f"[yellow]![/yellow] {escape(name)} is no list of ours, and was not looked at.")
    for name in done.not_published:
        out.print(
            f"[yellow]![/yellow] The list {escape(name)} could not be issued: its key is elsewhere, "
            "suspended, or not opened by the key-encryption key here. Issue it before its last ends.",
            soft_wrap=True,
        )
    out.print("What came after the backup is lost: see docs/runbooks/backup.md, then `absah doctor`.")
