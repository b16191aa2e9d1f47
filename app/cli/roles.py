"""``absah operator``: who works with the service, and in which role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import actor, opened_core, out, print_listing

if TYPE_CHECKING:
    from app.wiring import Core
    from identity.operators.model import Grant, Role

_ROLES = "officer, agency_administrator, key_custodian, ca_administrator, auditor, help_desk, signatory"

PersonArgument = Annotated[str, typer.Argument(help="Person id, or e-mail address or NIK.")]
RoleArgument = Annotated[str, typer.Argument(help=f"One of {_ROLES}.")]
AgencyOption = Annotated[
    str | None, typer.Option("--agency", help="For agency_administrator and signatory: the agency's id.")
]

operator = typer.Typer(help="Operators: people in a role.", no_args_is_help=True)


def register(cli: typer.Typer) -> None:
    cli.add_typer(operator, name="operator", rich_help_panel="Administration")


@operator.command("add")
def add(person: PersonArgument, role: RoleArgument, *, agency: AgencyOption = None) -> None:
    """Give somebody a role. Most roles wait until an auditor confirms them: begin with an auditor."""
    with opened_core() as core:
        grant = core.office.operators.propose(person_id_of(core, person), _role(role), agency, actor=actor())
        _show(core, grant)


@operator.command("list")
def list_operators() -> None:
    """Show who holds which role, and what waits for a confirmation."""
    with opened_core() as core:
        rows = [
            (
                grant.id,
                _name(core, grant),
                (
                    f"{grant.role}\n{grant.agency_id or ''}".rstrip(),
                    f"{grant.state}\n{grant.granted_at:%Y-%m-%d}",
                ),
            )
            for grant in core.office.operators.grants()
        ]
    print_listing(("Grant", "Role", "State"), rows)


@operator.command("remove")
def remove(grant: Annotated[str, typer.Argument(help="From `absah operator list`.")]) -> None:
    """Take a role away, or turn a proposal down. Counts from this moment."""
    with opened_core() as core:
        ended = core.office.operators.end(grant, actor=actor())
        out.print(f"{_name(core, ended)} is no longer {ended.role}.")


@operator.command("invite")
def invite(
    *,
    nik: Annotated[str, typer.Option(prompt=True, hide_input=True, help="Asked for unless given.")],
    name: Annotated[str, typer.Option(prompt=True, help="As on the identity card.")],
    birth_date: Annotated[str, typer.Option(prompt="Birth date (DD-MM-YYYY)", help="As 17-08-1975.")],
    email: Annotated[str | None, typer.Option(help="The code is sent there; printed here without.")] = None,
    language: Annotated[str, typer.Option(help="id or en.")] = "id",
    role: Annotated[str | None, typer.Option("--role", help=f"Also give one of {_ROLES}.")] = None,
    agency: AgencyOption = None,
) -> None:
    """Open a proofed account for somebody whom you have before you, with their identity card.

    For the first operators of a new installation; after that, officers do it at the counter.
    """
    from identity.web.dates import typed_date

    born = typed_date(birth_date)
    if born is None:
        raise typer.BadParameter("write it as 17-08-1975", param_hint="--birth-date")
    wanted = _role(role) if role else None
    with opened_core() as core:
        opened = core.citizens.people.open_proofed(
            officer_id=actor(),
            nik=nik,
            name=name,
            birth_date=born,
            email=email,
            language=language,
            send=email is not None,
        )
        out.print(f"Person        {opened.person.id}")
        if opened.activation_code is None:
            out.print("Code          sent by mail")
        else:
            out.print(f"Code          {opened.activation_code}")
            out.print(f"to be used at {core.settings.public_url}/activate", soft_wrap=True)
        if wanted is not None:
            grant = core.office.operators.propose(opened.person.id, wanted, agency, actor=actor())
            _show(core, grant)


def _show(core: Core, grant: Grant) -> None:
    from identity.operators.model import GrantState, Role

    out.print(f"Role          {grant.role}{f' of {grant.agency_id}' if grant.agency_id else ''}")
    out.print(f"Grant         {grant.id}")
    if grant.state is GrantState.ACTIVE:
        out.print("It is in force. Logging in as an operator takes a passkey.")
        return
    out.print(
        f"It waits for an auditor to confirm it at {core.settings.public_url}/operators, "
        "once its holder has a passkey.",
        soft_wrap=True,
    )
    if not any(
        other.role is Role.AUDITOR and other.state is GrantState.ACTIVE
        for other in core.office.operators.grants()
    ):
        out.print("[yellow]There is no auditor yet: add one first, a person of their own.[/yellow]")


def person_id_of(core: Core, text: str) -> str:
    """Raises :class:`identity.people.errors.PersonUnknown`."""
    from identity.people.errors import PersonUnknown

    if text.startswith("person-"):
        return core.citizens.people.get(text).id
    found = core.citizens.people.find(text)
    if found is None:
        raise PersonUnknown
    return found.id


def _role(text: str) -> Role:
    from identity.operators.model import Role

    try:
        return Role(text)
    except ValueError:
        raise typer.BadParameter(f"is not a role; there are {_ROLES}", param_hint="role") from None


def _name(core: Core, grant: Grant) -> str:
    from identity.people.errors import PersonUnknown

    try:
        return core.citizens.people.get(grant.person_id).name
    except PersonUnknown:
        return grant.person_id
