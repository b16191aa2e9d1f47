"""``absah agency`` and ``absah client``: who may issue, and how their systems prove who they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.approving import print_request
from app.cli.context import actor, opened_core, out, print_listing
from identity.agencies.model import Binding

if TYPE_CHECKING:
    from ca.model import CertificateRecord
    from identity.agencies.model import Client
    from keys.approvals import KeyRequest

DEFAULT_SCOPES = ["documents.issue:*", "documents.read", "documents.revoke"]

Scopes = Annotated[
    list[str] | None,
    typer.Option("--scope", help="May be repeated: documents.issue:TYPE, documents.read, documents.revoke."),
]
Sandbox = Annotated[
    bool, typer.Option("--sandbox", help="Its documents are samples and never verify as real.")
]
KeySet = Annotated[
    Path | None,
    typer.Option("--jwks", exists=True, dir_okay=False, help="File with its public keys, a JWK Set."),
]
Bound = Annotated[
    Binding, typer.Option("--binding", help="What its tokens are bound to, where it has keys: dpop or mtls.")
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
    jwks: KeySet = None,
    binding: Bound = Binding.DPOP,
) -> None:
    """Register an agency, certify its seal, and make its first API client."""
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
            jwks=None if jwks is None else jwks.read_text(),
            binding=binding,
            actor=actor(),
        )
    out.print(f"Agency        {made.agency.id}  {made.agency.name}")
    _show_seal(made.seal, made.request)
    if made.client is None:
        out.print(f"No client yet: absah client add {made.agency.id} --name … --jwks FILE", soft_wrap=True)
    else:
        _show(made.client, made.secret)


@agency.command("certify")
def certify(
    agency_id: str,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who have to agree.")] = "",
) -> None:
    """Issue the agency's seal certificate, unless a good one is there. Where there are custodians they have
    to agree: this asks them, and the worker issues it then.
    """
    from app.rotation.seals import AgencySeals

    with opened_core() as core:
        wanted = core.agencies.agency(agency_id)
        seal, request = AgencySeals(core).obtain(wanted, actor=actor(), reason=reason)
    _show_seal(seal, request)


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
    jwks: KeySet = None,
    binding: Bound = Binding.DPOP,
) -> None:
    """Make another client of an agency, by its public keys; in development a secret will do."""
    scopes = scope or DEFAULT_SCOPES
    with opened_core() as core:
        if jwks is None:
            made = core.agencies.add_client(
                agency_id, name=name, scopes=scopes, is_sandbox=sandbox, actor=actor()
            )
            _show(made.client, made.secret)
            return
        registered = core.agencies.register_client(
            agency_id,
            name=name,
            scopes=scopes,
            jwks=jwks.read_text(),
            binding=binding,
            is_sandbox=sandbox,
            actor=actor(),
        )
    _show(registered)


@client.command("list")
def list_clients(agency_id: str) -> None:
    """Show an agency's clients, disabled ones too."""
    rows = []
    with opened_core() as core:
        for entry in core.agencies.clients(core.agencies.agency(agency_id).id):
            state = [f"since {entry.created_at:%Y-%m-%d}", entry.binding.value]
            if entry.is_sandbox:
                state.append("sandbox")
            if entry.disabled_at:
                state.append(f"disabled {entry.disabled_at:%Y-%m-%d}")
            rows.append((entry.id, entry.name, ("\n".join(sorted(entry.scopes)), "\n".join(state))))
    print_listing(("Client", "Scopes", "State"), rows)


@client.command("scopes")
def change_scopes(
    client_id: str, scope: Annotated[list[str], typer.Option("--scope", help="All that it may, repeated.")]
) -> None:
    """Say anew what a client may do; it counts at once, for tokens that it already has too."""
    with opened_core() as core:
        changed = core.agencies.change_scopes(client_id, scope, actor=actor())
    out.print(f"Client {client_id} may: {' '.join(sorted(changed.scopes))}", soft_wrap=True)


@client.command("keys")
def list_keys(client_id: str) -> None:
    """Show the keys of a client, those that ended too."""
    rows = []
    with opened_core() as core:
        now = core.clock()
        for key in core.agencies.keys(client_id):
            end = "" if key.ends_at is None else f"until {key.ends_at:%Y-%m-%d %H:%M} UTC"
            state = "authenticates" if key.is_good_at(now) else "ended"
            rows.append((key.key_id, key.algorithm, (f"{key.added_at:%Y-%m-%d}", f"{state} {end}".strip())))
    print_listing(("Key", "Since", "State"), rows)


@client.command("rotate")
def rotate_keys(
    client_id: str,
    jwks: Annotated[
        Path, typer.Option("--jwks", exists=True, dir_okay=False, help="File with the new JWK Set, complete.")
    ],
    overlap_hours: Annotated[
        float | None, typer.Option(help="How long keys that it leaves out go on; a day unless set.", min=0)
    ] = None,
) -> None:
    """Replace the keys of a client."""
    from datetime import timedelta

    overlap = None if overlap_hours is None else timedelta(hours=overlap_hours)
    with opened_core() as core:
        good = core.agencies.replace_keys(client_id, jwks.read_text(), overlap=overlap, actor=actor())
    for key in good:
        end = "" if key.ends_at is None else f"  until {key.ends_at:%Y-%m-%d %H:%M} UTC"
        out.print(f"{key.key_id}  {key.algorithm}{end}", soft_wrap=True)


@client.command("remove-key")
def remove_key(client_id: str, key_id: str) -> None:
    """Stop one key of a client at once: somebody else may hold it."""
    with opened_core() as core:
        core.agencies.remove_key(client_id, key_id, actor=actor())
    out.print(f"Key {key_id} of client {client_id} no longer authenticates.", soft_wrap=True)


@client.command("new-key")
def new_key(
    private: Annotated[Path, typer.Argument(help="Where the private key goes, as PEM; must not exist.")],
    jwks: Annotated[Path, typer.Argument(help="Where the JWK Set with the public key goes.")],
) -> None:
    """Make a key for a client, on the machine of the agency: the private half never comes to us."""
    import os

    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from identity.jwks import ES256, jwk_of

    key = ec.generate_private_key(ec.SECP256R1())
    unnamed = jwk_of(key.public_key(), key_id="-", algorithm=ES256)
    public = jwk_of(key.public_key(), key_id=unnamed.thumbprint, algorithm=ES256)
    # Owner only from its first moment on, and never over a key that may still be in use.
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    jwks.write_text(json.dumps({"keys": [public.as_json()]}, indent=2) + "\n")
    out.print(f"Private key   {private}  (keep it; mode 0600)", soft_wrap=True)
    out.print(f"Public keys   {jwks}  (hand it in: absah client add AGENCY --jwks {jwks})", soft_wrap=True)


@client.command("disable")
def disable_client(client_id: str) -> None:
    """Shut a client out at once, the tokens that it already has included."""
    with opened_core() as core:
        core.agencies.disable_client(client_id, actor=actor())
    out.print(f"Client {client_id} is disabled.")


def _show_seal(seal: CertificateRecord | None, request: KeyRequest | None) -> None:
    if seal is not None:
        out.print(f"Seal          {seal.name}, valid until {seal.not_after:%Y-%m-%d}", soft_wrap=True)
    if request is not None:
        out.print("Seal          waits for custodians; nothing is sealed for the agency until they agree")
        print_request(request)
        out.print("`absah worker`, or a server with upkeep, issues it then; `absah keys show` tells.")


def _show(made: Client, secret: str | None = None) -> None:
    out.print(f"Client        {made.id}")
    if secret is None:
        out.print(f"Tokens        bound by {made.binding.value}; it authenticates by private_key_jwt")
        return
    out.print(f"Secret        {secret}", soft_wrap=True)
    out.print(
        "[yellow]The secret is not stored. Hand it over by a safe way; it cannot be shown again.[/yellow]"
    )
    out.print("Secrets are for development; in production clients register their keys (--jwks).")
