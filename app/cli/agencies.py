"""``absah agency`` and ``absah client``: who may issue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import actor, opened_core, out, print_listing

if TYPE_CHECKING:
    from identity.agencies.service import NewClient

DEFAULT_SCOPES = ["documents.issue:*", "documents.read", "documents.revoke"]

Scopes = Annotated[
    list[str] | None,
    typer.Option("--scope", help="May be repeated: documents.issue:TYPE, documents.read, documents.revoke."),
]
Sandbox = Annotated[
    bool, typer.Option("--sandbox", help="Its documents are samples and never verify as real.")
]

agency = typer.Typer(help="Agencies: who issues documents.", no_args_is_help=True)
client = typer.Typer(help="API clients: an agency's systems.", no_args_is_help=True)


def register(cli: typer.Typer) -> None:
    cli.add_typer(agency, name="agency", rich_help_panel="Administration")
    cli.add_typer(client, name="client", rich_help_panel="Administration")


@agency.command("add")
def add_agency(
    agency_id: Annotated[str, typer.Argument(help="Short and lasting, such as dpmptsp-bandung.")],
    *,
    name: Annotated[str, typer.Option(help="As printed on documents.")],
    organization_identifier: Annotated[
        str, typer.Option(help="EN 319 412-1, 5.1.4, such as NTRID-9120101234567 or VATID-0012345678901000.")
    ],
    certified_name: Annotated[
        str | None, typer.Option(help="For the certificate, where the name has more than 64 characters.")
    ] = None,
    scope: Scopes = None,
    sandbox: Sandbox = False,
) -> None:
    """Register an agency, certify its seal, and make its first API client; the secret is shown once."""
    from app import provisioning

    with opened_core() as core:
        made = provisioning.add_agency(
            core,
            agency_id,
            name=name,
            organization_identifier=organization_identifier,
            certified_name=certified_name,
            scopes=scope or DEFAULT_SCOPES,
            is_sandbox=sandbox,
            actor=actor(),
        )
    out.print(f"Agency        {made.agency.id}  {made.agency.name}")
    out.print(f"Seal          {made.seal.name}, valid until {made.seal.not_after:%Y-%m-%d}", soft_wrap=True)
    _show(made.client)


@agency.command("certify")
def certify(agency_id: str) -> None:
    """Issue the agency's seal certificate, unless a good one is there."""
    from app.provisioning import certify_agency

    with opened_core() as core:
        seal = certify_agency(core, core.agencies.agency(agency_id), actor=actor())
    out.print(f"Seal          {seal.name}, valid until {seal.not_after:%Y-%m-%d}", soft_wrap=True)


@agency.command("list")
def list_agencies() -> None:
    """Show agencies and their clients."""
    rows = []
    with opened_core() as core:
        for entry in core.agencies.agencies():
            clients = [found.id for found in core.agencies.clients(entry.id) if not found.disabled_at]
            rows.append((entry.id, entry.name, (entry.organization_identifier, "\n".join(clients))))
    print_listing(("Agency", "Identifier", "Clients"), rows)


@client.command("add")
def add_client(
    agency_id: str,
    *,
    name: Annotated[str, typer.Option(help="Which system it is, such as 'licensing backend'.")],
    scope: Scopes = None,
    sandbox: Sandbox = False,
) -> None:
    """Make another client of an agency; the secret is shown once."""
    with opened_core() as core:
        made = core.agencies.add_client(
            agency_id, name=name, scopes=scope or DEFAULT_SCOPES, is_sandbox=sandbox, actor=actor()
        )
    _show(made)


@client.command("list")
def list_clients(agency_id: str) -> None:
    """Show an agency's clients, disabled ones too."""
    rows = []
    with opened_core() as core:
        for entry in core.agencies.clients(core.agencies.agency(agency_id).id):
            state = [f"since {entry.created_at:%Y-%m-%d}"]
            if entry.is_sandbox:
                state.append("sandbox")
            if entry.disabled_at:
                state.append(f"disabled {entry.disabled_at:%Y-%m-%d}")
            rows.append((entry.id, entry.name, ("\n".join(sorted(entry.scopes)), "\n".join(state))))
    print_listing(("Client", "Scopes", "State"), rows)


@client.command("disable")
def disable_client(client_id: str) -> None:
    """Shut a client out at once, the tokens that it already has included."""
    with opened_core() as core:
        core.agencies.disable_client(client_id, actor=actor())
    out.print(f"Client {client_id} is disabled.")


def _show(made: NewClient) -> None:
    out.print(f"Client        {made.client.id}")
    out.print(f"Secret        {made.secret}", soft_wrap=True)
    out.print(
        "[yellow]The secret is not stored. Hand it over by a safe way; it cannot be shown again.[/yellow]"
    )
