"""``absah mail``: what waits, what was given up, and whether the mail server works."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.context import opened_core, out, print_listing

mail = typer.Typer(help="Mails to people.", no_args_is_help=True)


def register(cli: typer.Typer) -> None:
    cli.add_typer(mail, name="mail", rich_help_panel="Administration")


@mail.command("list")
def list_mails() -> None:
    """How many mails wait, and which were given up. Addresses are not shown."""
    with opened_core() as core:
        standing, dead = core.outbox.standing(), core.outbox.dead_letters()
    since = f", the oldest since {standing.oldest:%Y-%m-%d %H:%M} UTC" if standing.oldest else ""
    out.print(f"Waiting       {standing.waiting}{since}")
    out.print(f"Given up      {standing.dead}")
    if dead:
        print_listing(
            ("Mail", "Last failure", "Attempts", "Given up"),
            [
                (
                    letter.id,
                    letter.template,
                    (letter.last_failure, str(letter.attempts), f"{letter.due_at:%Y-%m-%d %H:%M}"),
                )
                for letter in dead
            ],
        )


@mail.command("retry")
def retry(
    mail_id: Annotated[str | None, typer.Argument(help="As `absah mail list` shows it.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,
) -> None:
    """Send mails again that were given up. The worker does it, or a server with upkeep."""
    if (mail_id is None) is not everything:
        raise typer.BadParameter("name one mail, or use --all", param_hint="MAIL_ID")
    with opened_core() as core:
        chosen = [mail_id] if mail_id else [letter.id for letter in core.outbox.dead_letters(limit=100_000)]
        for one in chosen:
            core.outbox.revive(one)
    out.print(f"{len(chosen)} will be sent again.")


@mail.command("test")
def test(address: Annotated[str, typer.Argument(help="Who gets the mail.")]) -> None:
    """Send one mail at once, past the outbox, to see whether the settings are right."""
    from app.mail import carrier_for

    with opened_core() as core:
        core.outbox.try_out(carrier_for(core.settings), to=address)
    out.print("The server took it." if core.settings.mail.host else f"It is in {core.settings.mail_dir}.")
