"""``absah keys list`` and ``absah keys calendar``: what there is, what is due, and when."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer
from rich.padding import Padding
from rich.text import Text

from app.cli.context import counted, opened_core, out

if TYPE_CHECKING:
    from app.due import KeyLine
    from app.expiries import Expiry
    from app.wiring import Core

_SIGNS: Final = {
    "pre-activation": "○",
    "active": "●",
    "suspended": "‖",
    "deactivated": "◌",
    "compromised": "✗",
    "destroyed": "·",
}
"""Beside the word for each state: nobody has to tell colours apart."""
_MARKS: Final = {"now": ("‼", "bold red"), "soon": ("!", "yellow"), "later": (" ", "")}
_KEY, _STATE, _ENDS = 34, 17, 12  # columns; with the mark and the next step they come to 80
_WIDE: Final = 100
"""Columns of a terminal from which on a step in the future is named, as in `absah ca show`."""


def register(keys: typer.Typer) -> None:
    keys.command("list", rich_help_panel="What there is")(list_keys)
    keys.command("calendar", rich_help_panel="What there is")(calendar)


def list_keys(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Destroyed keys, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Every key, what is due first: state, end, next step, owner, place, age and uses."""
    with opened_core() as core:
        now, lines = core.clock(), _lines(core)
    if as_json:
        json.dump([_as_json(line, now) for line in lines], sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    shown = [line for line in lines if everything or line.key.state != "destroyed"]
    _summary(lines, hidden=len(lines) - len(shown))
    _row("", "Key", "State", "Ends", "Next step", style="dim")
    for line in shown:
        _print(line, now)


def _lines(core: Core) -> list[KeyLine]:
    from app.due import key_lines
    from app.rotation.schedule import schedule_policy
    from ca.tables import Certificates

    known = core.keys.list()
    with core.database.read() as tx:
        certificates = Certificates(tx).of_keys([key.id for key in known])
    return key_lines(
        known,
        certificates,
        uses=core.keys.usage.of_all(),
        policy=schedule_policy(core.settings, core.keys.usage.limits),
        now=core.clock(),
    )


def _summary(lines: list[KeyLine], *, hidden: int) -> None:
    due = [line for line in lines if line.urgency != "later"]
    words = Text(f"{counted(len(lines), 'key')}. ")
    if due:
        words.append(f"{len(due)} due: the first {'one' if len(due) == 1 else len(due)}.", "bold yellow")
    else:
        words.append("Nothing is due.", "green")
    if hidden:
        words.append(f" {hidden} destroyed {'is' if hidden == 1 else 'are'} not shown: --all", "dim")
    out.print(words)
    out.print()


def _print(line: KeyLine, now: datetime) -> None:
    mark, style = _MARKS[line.urgency]
    ends = f"{line.ends:%Y-%m-%d}" if line.ends is not None else "–"
    step = line.step or "–"
    if step.startswith("in ") and out.width >= _WIDE:
        step = f"rotate {step}"
    _row(mark, line.key.id, f"{_SIGNS[line.key.state]} {line.key.state}", ends, step, style=style)
    out.print(Padding(Text(_described(line, now), "dim"), (0, 0, 0, 4), expand=False))
    if line.urgency != "later":
        out.print(Padding(Text(f"→ {line.why}", style), (0, 0, 0, 4), expand=False))


def _row(*cells: str, style: str) -> None:
    """Mark, key, state, end, next step."""
    widths = (2, _KEY, _STATE, _ENDS, 0)
    words = "".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
    out.print(Text(words.rstrip(), style), soft_wrap=True)


def _described(line: KeyLine, now: datetime) -> str:
    from app.due import in_words

    key, uses = line.key, line.uses.uses
    age = now - key.created_at
    old = f"{in_words(age)} old" if age >= timedelta(days=1) else "made today"
    used = counted(uses, "use") if line.limit is None else f"{uses:,} of {counted(line.limit, 'use')}"
    parts = [key.owner, key.algorithm, key.store, old, used]
    return " · ".join(part for part in parts if part)


def _as_json(line: KeyLine, now: datetime) -> dict[str, Any]:
    key = line.key
    return {
        "id": key.id,
        "purpose": key.purpose,
        "owner": key.owner,
        "algorithm": key.algorithm,
        "store": key.store,
        "state": key.state,
        "state_since": key.since.isoformat(),
        "created_at": key.created_at.isoformat(),
        "age_seconds": int((now - key.created_at).total_seconds()),
        "uses": line.uses.uses,
        "unwraps": line.uses.unwraps,
        "limit": line.limit,
        "certificate": None if line.certificate is None else line.certificate.name,
        "ends_at": None if line.ends is None else line.ends.isoformat(),
        "urgency": line.urgency,
        "next_step": line.step,
        "why": line.why,
    }


def calendar(
    *,
    months: Annotated[int, typer.Option(min=1, max=360, help="How far to look ahead.")] = 12,
    ics: Annotated[
        Path | None, typer.Option(help="Write an iCalendar file with everything, whenever it ends.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """What ends when, month by month: certificates, keys, revocation lists, data keys."""
    with opened_core() as core:
        now, found = core.clock(), core.expiries.all()
        host = urlsplit(core.settings.public_url).hostname or "localhost"
    if ics is not None:
        from app.calendar import icalendar

        ics.write_bytes(icalendar(found, host=host, now=now))
        out.print(f"Wrote {ics}: import it, or serve it to your team's calendar.")
        return
    if as_json:
        json.dump([_end_as_json(expiry) for expiry in found], sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    near = [expiry for expiry in found if expiry.at - now <= timedelta(days=30.44 * months)]
    _print_months(near, now)
    if later := len(found) - len(near):
        out.print(Text(f"{later} {'ends' if later == 1 else 'end'} later: --months", "dim"))


def _end_as_json(expiry: Expiry) -> dict[str, Any]:
    return {
        "kind": expiry.kind,
        "use": expiry.use,
        "name": expiry.name,
        "owner": expiry.owner,
        "since": expiry.since.isoformat(),
        "at": expiry.at.isoformat(),
    }


def _print_months(expiries: list[Expiry], now: datetime) -> None:
    from app.calendar import what_ends
    from app.due import in_words

    by_month: dict[str, dict[tuple[datetime, str], list[Expiry]]] = defaultdict(dict)
    for expiry in expiries:
        month = by_month["Overdue" if expiry.at <= now else f"{expiry.at:%B %Y}"]
        day = expiry.at.replace(hour=0, minute=0, second=0, microsecond=0)
        month.setdefault((day, what_ends(expiry)), []).append(expiry)
    for name, days in by_month.items():
        out.print(Text(name, "bold red" if name == "Overdue" else "bold"))
        for (day, what), ending in days.items():
            soonest = ending[0]
            itself = soonest.renews_itself and soonest.at > now
            away = "ended" if soonest.at <= now else f"in {in_words(soonest.at - now)}"
            style = "dim" if itself else "red" if soonest.at <= now else ""
            said = f"{what}{', by itself' if itself else ''}"
            out.print(Text(f"  {day:%Y-%m-%d %a}  {away:<14}{said}", style), soft_wrap=True)
            names = ", ".join(f"{e.name} of {e.owner}" if e.owner else e.name for e in ending)
            out.print(Padding(Text(names, "dim"), (0, 0, 0, 4), expand=False))
        out.print()
