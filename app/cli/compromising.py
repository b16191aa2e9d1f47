"""``absah keys compromise`` and ``keys impact``: for a team that has just learnt that a key is lost."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import actor, err, opened_core, out
from app.cli.moments import moment

if TYPE_CHECKING:
    from app.compromise.model import Case, Counts
    from app.compromise.service import Compromise

Key = Annotated[str, typer.Argument(help="The key's id, as `absah keys list` shows it.")]
Since = Annotated[
    str,
    typer.Option(
        help="Since when somebody else may have had the key, such as 2026-11-20T08:00+07:00. If in doubt, "
        "the earlier time: it can be moved back, never forward."
    ),
]


class Form(StrEnum):
    CSV = "csv"
    JSON = "json"


def register(keys: typer.Typer) -> None:
    keys.command("compromise", rich_help_panel="A key is lost")(compromise)
    keys.command("impact", rich_help_panel="A key is lost")(impact)


def compromise(
    key: Key,
    *,
    since: Since,
    reseal: Annotated[
        bool,
        typer.Option(
            "--reseal/--no-reseal",
            help="Seal anew what nobody can believe any more. Not while it is unclear which documents the "
            "agency really issued.",
        ),
    ] = True,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
) -> None:
    """Report a key as lost: it stops at once, then it is revoked and what it sealed is replaced.

    Stopping needs one person. What cannot be undone waits for the custodians, where settings ask for them.
    Repeat the command to move the time back, or after an interruption.
    """
    from app.compromise.building import build_compromise
    from app.compromise.model import Step

    lost_at = moment(since, option="--since")
    with opened_core() as core:
        known = core.keys.get(key)
        out.print(
            f"Key           {known.id} ({known.purpose}, {known.owner or 'the service'}), {known.state}"
        )
        out.print(f"Lost since    {lost_at:%Y-%m-%d %H:%M:%S} UTC")
        if not yes and not typer.confirm("Stop this key now? Nothing is signed with it from then on", False):
            err.print("Nothing was changed.")
            raise typer.Exit(1)
        answer = build_compromise(core)
        case = answer.open(key, lost_at, actor=actor(), reseals=reseal)
        out.print(f"[bold]Stopped.[/bold] The case is {case.id}.")
        while answer.may_go_on(case) and case.step is not Step.RESEAL:  # what takes seconds is done now
            out.print(f"  … {case.step}")
            case = answer.advance(case.id)
        show_case(answer, case)


def impact(
    key: Key,
    *,
    since: Since,
    form: Annotated[
        Form, typer.Option("--format", help="csv, or json: one line for each document.")
    ] = Form.CSV,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it here.")] = None,
) -> None:
    """List every document that stands on a key, sorted by what is proven about its time. Changes nothing.

    before: a time-stamp that can be believed shows it sealed before the loss. after: it shows the opposite.
    none: no time-stamp can be believed.
    """
    from app.compromise.impact import Impact, write_csv, write_json

    lost_at = moment(since, option="--since")
    write = write_csv if form is Form.CSV else write_json
    with opened_core() as core, ExitStack() as closing:
        affected = Impact(core.database.read).of(core.keys.get(key), lost_at)
        target = sys.stdout
        if output is not None:
            target = closing.enter_context(output.open("w", encoding="utf-8", newline=""))
        count = write(affected, target)
    err.print(f"{count} documents.")


def show_case(answer: Compromise, case: Case) -> None:
    """Where a case stands, and what is to be done by whom."""
    from app.compromise.model import Step

    out.print(f"Case          {case.id}, opened {case.opened_at:%Y-%m-%d %H:%M} UTC by {case.opened_by}")
    out.print(f"Key           {case.key_id} ({case.purpose}), lost since {case.since:%Y-%m-%d %H:%M:%S} UTC")
    out.print(f"Next          [bold]{case.step}[/bold]")
    counts = answer.counts(case)
    if counts.total:
        _show_counts(counts)
    if case.step is Step.DECIDE:
        out.print(
            f"Waits for     the custodians: `absah keys approve {case.request_id} --as NAME --key FILE`",
            soft_wrap=True,
        )
    elif case.step is Step.RESEAL:
        failed = f", {case.failed} could not be done in the last round: see the log" if case.failed else ""
        out.print(
            f"Goes on       in `absah worker`{failed}, or here: `absah case resume {case.id}`", soft_wrap=True
        )
    elif case.is_open:
        out.print(f"Goes on       in `absah worker`, or here: `absah case resume {case.id}`", soft_wrap=True)


def _show_counts(counts: Counts) -> None:
    out.print(f"Documents     {counts.total}")
    out.print(f"  before      {counts.before}  sealed before the loss, provably: they stay valid")
    out.print(f"  after       {counts.after}")
    out.print(f"  none        {counts.none}  without a time-stamp that can be believed")
    out.print(f"Sealed anew   {counts.replaced}, {counts.waiting} to go")
    if counts.unstamped:
        out.print(f"To be stamped {counts.unstamped}")
