"""``absah portal``: sites and apps that people log in to with their account here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.context import actor, opened_core, out, print_listing
from identity.provider.model import IdTokenAlgorithm, PortalKind

portal = typer.Typer(help="Portals: where people log in with their account here.", no_args_is_help=True)

DEFAULT_SCOPES = ["profile", "email"]


def register(cli: typer.Typer) -> None:
    cli.add_typer(portal, name="portal", rich_help_panel="Administration")


@portal.command("add")
def add_portal(
    agency_id: str,
    *,
    name: Annotated[str, typer.Option(help="As people read it, such as 'Izin Usaha Bandung'.")],
    redirect_uri: Annotated[
        list[str], typer.Option(help="May be repeated. Where answers go; must match in every character.")
    ],
    post_logout_redirect_uri: Annotated[
        list[str] | None, typer.Option(help="May be repeated. Where people go on after logging out.")
    ] = None,
    backchannel_logout_uri: Annotated[
        str | None, typer.Option(help="Told from server to server when a login has ended.")
    ] = None,
    jwks: Annotated[
        Path | None, typer.Option(help="File with the portal's public keys, for private_key_jwt.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="May be repeated: profile, email, birthdate, nik, offline_access, documents.…"),
    ] = None,
    native: Annotated[
        bool, typer.Option("--native", help="An app on people's devices, which can keep no secret.")
    ] = False,
    sector: Annotated[
        str | None, typer.Option(help="Host within which a person has one sub, where there are several.")
    ] = None,
    id_token_alg: Annotated[
        IdTokenAlgorithm, typer.Option(help="How ID tokens are signed.")
    ] = IdTokenAlgorithm.RS256,
    require_pushed: Annotated[
        bool, typer.Option("--require-pushed", help="Refuse requests that were not pushed (RFC 9126).")
    ] = False,
) -> None:
    """Register a portal of an agency."""
    from identity.provider.portals import PortalRegistration

    registration = PortalRegistration(
        agency_id=agency_id,
        name=name,
        redirect_uris=tuple(redirect_uri),
        kind=PortalKind.NATIVE if native else PortalKind.WEB,
        scopes=frozenset(scope or DEFAULT_SCOPES),
        post_logout_redirect_uris=tuple(post_logout_redirect_uri or ()),
        backchannel_logout_uri=backchannel_logout_uri,
        sector=sector,
        id_token_algorithm=id_token_alg,
        require_pushed=require_pushed,
        jwks=jwks.read_text() if jwks else None,
    )
    with opened_core() as core:
        made = core.provider.portals.add(registration, actor=actor())
        issuer = core.settings.issuer
    out.print(f"Portal        {made.portal.id}  {made.portal.name}", soft_wrap=True)
    out.print(f"Issuer        {issuer}", soft_wrap=True)
    if made.secret is not None:
        out.print(f"Secret        {made.secret}", soft_wrap=True)
        out.print(
            "[yellow]For development only. The secret is not stored; it cannot be shown again.[/yellow]"
        )


@portal.command("list")
def list_portals(
    agency_id: Annotated[str | None, typer.Argument(help="Of one agency; of all where left out.")] = None,
) -> None:
    """Show portals, disabled ones too."""
    rows = []
    with opened_core() as core:
        for entry in core.provider.portals.all(agency_id):
            state = [f"since {entry.created_at:%Y-%m-%d}", entry.authentication.value]
            if entry.disabled_at:
                state.append(f"disabled {entry.disabled_at:%Y-%m-%d}")
            details = ("\n".join(sorted(entry.scopes)), "\n".join(entry.redirect_uris), "\n".join(state))
            rows.append((entry.id, entry.name, details))
    print_listing(("Portal", "Scopes", "Redirects", "State"), rows)


@portal.command("keys")
def replace_keys(
    portal_id: str, jwks: Annotated[Path, typer.Argument(help="File with the new set.")]
) -> None:
    """Replace a portal's public keys; the set that was there counts no more."""
    with opened_core() as core:
        core.provider.portals.replace_keys(portal_id, jwks.read_text(), actor=actor())
    out.print(f"The keys of {portal_id} are replaced.")


@portal.command("disable")
def disable_portal(portal_id: str) -> None:
    """Shut a portal out at once, the tokens that it already has included."""
    with opened_core() as core:
        core.provider.portals.disable(portal_id, actor=actor())
    out.print(f"Portal {portal_id} is disabled.")
