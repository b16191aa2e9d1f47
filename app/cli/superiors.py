"""``absah ca request`` and ``absah ca install``: standing below a CA that is kept elsewhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import actor, opened_core, out

if TYPE_CHECKING:
    from cryptography import x509

    from app.wiring import Core

_LARGEST = 64_000_000  # a list of a million entries


class Requestable(StrEnum):
    ISSUING = "issuing"


def register(ca: typer.Typer) -> None:
    ca.command("request", rich_help_panel="A root that is kept elsewhere")(request)
    ca.command("install", rich_help_panel="A root that is kept elsewhere")(install)


def request(
    what: Annotated[Requestable, typer.Argument(help="issuing: the CA that certifies seals and services.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Write the request here, PEM.")],
) -> None:
    """Write a certification request (PKCS #10) for a CA elsewhere: an offline root, or another hierarchy."""
    del what
    with opened_core(complete=False) as core:
        write_request(core, output)


def write_request(core: Core, output: Path) -> None:
    import hashlib

    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from ca.subjects import shown_name

    made = core.superiors.request(actor=actor())
    content = x509.load_der_x509_csr(made.der).public_bytes(Encoding.PEM)
    output.write_bytes(content)
    out.print(f"Request       {output}", soft_wrap=True)
    out.print(f"Subject       {shown_name(made.subject)}", soft_wrap=True, markup=False)
    out.print(f"Key           {made.key_id}")
    out.print(f"SHA-256       {hashlib.sha256(content).hexdigest()}", soft_wrap=True)
    out.print("Next: have it certified, by [bold]absah ca ceremony[/bold] or by the hierarchy above,")
    out.print("then [bold]absah ca install CHAIN --root ROOT[/bold].")


def install(
    files: Annotated[
        list[Path], typer.Argument(help="Certificates of the chain, and revocation lists, PEM or DER.")
    ],
    *,
    root: Annotated[
        Path | None,
        typer.Option(help="The root that the chain must lead to, got by another way than the chain."),
    ] = None,
) -> None:
    """Take what CAs elsewhere issued: the certificate of our issuing CA, cross-certificates, newer lists.

    All of it is checked before any of it is kept. The first issuing CA is put to use at once; a later one
    waits until its key is activated.
    """
    from app.provisioning import install as take

    certificates, lists = [], []
    for file in files:
        found, listed = _read(file)
        certificates += found
        lists += listed
    anchor = None
    if root is not None:
        (anchor,) = _read(root)[0] or _refuse(root)
    with opened_core(complete=False) as core:
        done = take(core, certificates, lists, root=anchor, actor=actor())
        for record in done.certificates:
            out.print(f"{record.name:<24} {record.profile}  until {record.not_after:%Y-%m-%d}")
            out.print(f"  SHA-256 {record.sha256.hex()}", soft_wrap=True)
        for entry in done.lists:
            out.print(f"{entry.issuer:<24} list  until {entry.next_update:%Y-%m-%d %H:%M} UTC")
        if not done.certificates and not done.lists:
            out.print("Nothing of it was new.")


def _read(file: Path) -> tuple[list[x509.Certificate], list[bytes]]:
    """What a file holds: certificates, and lists as DER."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    if file.stat().st_size > _LARGEST:
        _refuse(file)
    content = file.read_bytes()
    try:
        if b"-----BEGIN X509 CRL" in content:
            return [], [x509.load_pem_x509_crl(content).public_bytes(Encoding.DER)]
        if content.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificates(content), []
    except ValueError:
        _refuse(file)
    try:
        return [x509.load_der_x509_certificate(content)], []
    except ValueError:
        pass
    try:
        x509.load_der_x509_crl(content)
    except ValueError:
        _refuse(file)
    return [], [content]


def _refuse(file: Path) -> list[x509.Certificate]:
    from ca.errors import InstallationRefused

    raise InstallationRefused(f"{file} holds neither certificates nor a revocation list, in PEM or DER")
