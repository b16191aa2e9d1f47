"""``absah ca ceremony`` and ``absah ca transcript``: acts on a root that is kept offline.

They read no settings, open no database and no network: the machine has none of them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import __version__
from app.cli.context import err, out

if TYPE_CHECKING:
    from ca.ceremony.conduct import Planned
    from ca.ceremony.script import Script


def register(ca: typer.Typer) -> None:
    ca.command("ceremony", rich_help_panel="A root that is kept elsewhere")(ceremony)
    ca.command("transcript", rich_help_panel="A root that is kept elsewhere")(transcript)


def ceremony(
    script: Annotated[
        Path, typer.Argument(help="The reviewed script, YAML: docs/runbooks/root-ceremony.md.")
    ],
    *,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check and rehearse all of it, print what would happen, and stop."),
    ] = False,
) -> None:
    """Hold a ceremony on the machine of the root: every step confirmed by those whom the script names."""
    from app.clock import system_clock
    from ca.ceremony.conduct import hold, read_inputs, rehearse
    from ca.ceremony.home import open_home
    from ca.ceremony.script import LARGEST, read_script

    with script.open("rb") as file:
        text = file.read(LARGEST + 1)
    digest = hashlib.sha256(text).hexdigest()
    parsed, beside = read_script(text), script.resolve().parent
    inputs = read_inputs(parsed, beside)
    home = open_home(beside / parsed.home, parsed.custody, beside)
    planned = rehearse(parsed, home, inputs, beside=beside, now=system_clock())
    _describe(parsed, planned, digest)
    if dry_run:
        out.print("Rehearsed on throw-away keys; nothing was written.")
        return
    master = next(iter(parsed.roles.items()))
    out.print(f"\nThe clock of this machine says {system_clock():%Y-%m-%d %H:%M:%S} UTC.")
    if not _says(*master, "the time and the SHA-256 of the script are right"):
        err.print("Nothing was done.")
        raise typer.Exit(1)
    done = hold(
        parsed,
        home,
        inputs,
        planned,
        script_sha256=digest,
        beside=beside,
        software=f"absah {__version__}",
        clock=system_clock,
        confirm=_confirm,
    )
    out.print(f"\nTranscript    {done.path}", soft_wrap=True)
    out.print(f"SHA-256       {hashlib.sha256(done.path.read_bytes()).hexdigest()}", soft_wrap=True)
    out.print(f"Its key       {done.key}", soft_wrap=True)
    out.print("Witnesses: write both down on paper and sign it.")
    if done.broken_off:
        err.print(f"[red]The ceremony was broken off:[/red] {done.broken_off}", soft_wrap=True)
        raise typer.Exit(1)


def transcript(
    file: Annotated[Path, typer.Argument(help="A transcript as `absah ca ceremony` wrote it.")],
    *,
    key: Annotated[
        str | None,
        typer.Option(help="The fingerprint of the key that the witnesses wrote down; it must be this one."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Compare the files in this folder with what the ceremony wrote.")
    ] = None,
) -> None:
    """Check a ceremony's transcript: who confirmed what, what came in, and what went out."""
    from ca.ceremony.transcript import LARGEST, read_transcript
    from ca.errors import TranscriptInvalid

    with file.open("rb") as opened:
        found = read_transcript(opened.read(LARGEST + 1))
    if key is not None and key.lower().replace(":", "") != found.key:
        raise TranscriptInvalid(f"the transcript is signed with another key: {found.key}")
    content = found.content
    out.print(f"{content['title']}, {content['place']}", soft_wrap=True, markup=False)
    out.print(f"Held          {content['started_at']} to {content['ended_at']}")
    out.print(f"Outcome       {content['outcome']}", soft_wrap=True, markup=False)
    out.print(f"Script        {content['script_sha256']}", soft_wrap=True)
    out.print(f"Software      {content['software']}, keys in {content['key_store']}", markup=False)
    for one in content["inputs"]:
        out.print(f"Input         {one['name']}  {one['sha256']}", soft_wrap=True, markup=False)
    for step in content["steps"]:
        out.print(f"{step['number']:>2}  {step['words']}", soft_wrap=True, markup=False)
        for one in step["confirmed"]:
            out.print(f"    confirmed by {one['name']} ({one['role']}) {one['at']}", markup=False)
        for one in step["outputs"]:
            out.print(f"    {one['name']}  {one['sha256']}", soft_wrap=True, markup=False)
    out.print(f"Witnesses     {', '.join(content['witnesses'])}", soft_wrap=True, markup=False)
    out.print(f"Signed by     {found.key}", soft_wrap=True)
    if folder is not None:
        _compare(folder, found.outputs)


def _describe(script: Script, planned: list[Planned], digest: str) -> None:
    out.print(f"[bold]{script.title}[/bold], {script.place}", soft_wrap=True)
    out.print(f"Script SHA-256  {digest}", soft_wrap=True)
    for role, person in script.roles.items():
        out.print(f"  {role:<16}{person}", markup=False)
    out.print(f"  {'witnesses':<16}{', '.join(script.witnesses)}", markup=False, soft_wrap=True)
    for name, expected in script.inputs.items():
        out.print(f"  {name:<16}{expected}", markup=False, soft_wrap=True)
    for one in planned:
        out.print(f"{one.step.number:>2}  {one.words}", markup=False, soft_wrap=True)
        out.print(f"    confirmed by {', '.join(role for role, _ in one.people)}", markup=False)
        if one.files:
            out.print(f"    writes {', '.join(one.files)}", markup=False, soft_wrap=True)


def _confirm(planned: Planned, role: str, person: str) -> bool:
    if role == planned.people[0][0]:
        out.print(f"\n[bold]Step {planned.step.number}[/bold]", end="  ")
        out.print(planned.words, markup=False, soft_wrap=True)
    return _says(role, person, "do it")


def _says(role: str, person: str, what: str) -> bool:
    answer: str = typer.prompt(
        f"  {person} ({role}), type your name for: {what}", default="", show_default=False
    )
    return " ".join(answer.split()).casefold() == person.casefold()


def _compare(folder: Path, outputs: dict[str, str]) -> None:
    wrong = 0
    for name, expected in outputs.items():
        path = folder / name
        if not path.is_file():
            out.print(f"missing       {name}", markup=False)
            wrong += 1
        elif hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            out.print(f"[red]ALTERED[/red]       {name}")
            wrong += 1
    if wrong:
        raise typer.Exit(1)
    out.print(f"Folder        all {len(outputs)} files are as the ceremony wrote them")
