"""``absah case``: lost keys, and how far answering them has come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.compromising import show_case
from app.cli.context import actor, opened_core, out, print_listing

case = typer.Typer(help="Lost keys, and how far answering them has come.", no_args_is_help=True)
CaseId = Annotated[str, typer.Argument(metavar="CASE", help="Its id, as `absah case list` shows it.")]


def register(cli: typer.Typer) -> None:
    cli.add_typer(case, name="case", rich_help_panel="Administration")


@case.command("list")
def list_cases() -> None:
    """Every case, newest first."""
    from app.compromise.building import build_compromise

    with opened_core() as core:
        cases = build_compromise(core).list()
    print_listing(
        ("Case", "Purpose", "Lost since", "Next"),
        [(one.id, one.key_id, (one.purpose, f"{one.since:%Y-%m-%d %H:%M}", one.step.value)) for one in cases],
    )


@case.command("show")
def show(case_id: CaseId) -> None:
    """Where a case stands, and what is to be done by whom."""
    from app.compromise.building import build_compromise

    with opened_core() as core:
        answer = build_compromise(core)
        show_case(answer, answer.get(case_id))


@case.command("resume")
def resume(case_id: CaseId) -> None:
    """Go on with a case here and now, with the worker or without it; nothing is done twice."""
    from rich.progress import Progress

    from app.compromise.building import build_compromise
    from app.compromise.model import Step

    with opened_core() as core:
        answer = build_compromise(core)
        one = answer.get(case_id)
        with Progress(console=out, transient=True) as progress:
            bar = progress.add_task(one.step.value, total=None)
            while answer.may_go_on(one):
                if one.step is Step.RESEAL:
                    counts = answer.counts(one)
                    total = counts.replaced + counts.waiting
                    progress.update(bar, description="reseal", total=total, completed=counts.replaced)
                one = answer.advance(case_id)
                if one.step is Step.RESEAL and one.failed and not one.done:
                    break
        show_case(answer, one)


@case.command("withdraw")
def withdraw(case_id: CaseId) -> None:
    """It was a false alarm: ask the custodians to reinstate the key. Until they agree it stays stopped."""
    from app.compromise.building import build_compromise

    with opened_core() as core:
        one = build_compromise(core).withdraw(case_id, actor=actor())
    if one.is_open:
        out.print("Asked. `absah keys requests` shows who has to agree; then the key signs again by itself.")
    else:
        out.print(f"{one.id} is withdrawn: {one.key_id} signs again, and its certificates are good.")


@case.command("evidence")
def evidence(
    document_id: Annotated[str, typer.Argument(metavar="DOCUMENT", help="Its seal ID.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Write it here, DER.")],
) -> None:
    """The evidence record (RFC 4998) of a document that was stamped again, to keep beside the file."""
    from signing.archive import evidence_record, stamped_root
    from signing.errors import DocumentNotFound
    from signing.ids import parse_id
    from signing.tables import DocumentTable

    found = parse_id(document_id) or ""
    with opened_core() as core, core.database.read() as tx:
        document = DocumentTable(tx).by_id(found)
        stamps = DocumentTable(tx).evidence_of(found)
    if document is None or document.sealed_digest is None:
        raise DocumentNotFound(document_id[:40])
    if not stamps:
        out.print("It was never stamped again: the time-stamp in the file is all there is.")
        raise typer.Exit(1)
    token, path = stamps[-1]
    output.write_bytes(evidence_record(document.sealed_digest, token, path))
    out.print(
        f"{output}: over {document.sealed_digest.hex()}, by way of {stamped_root(token).hex()}",
        soft_wrap=True,
    )
