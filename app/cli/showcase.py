"""What `absah demo` prepares and prints. A second run finds everything and adds nothing."""

from __future__ import annotations

import hashlib
import io
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import qrcode
from qrcode.constants import ERROR_CORRECT_L
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from app.cli.context import actor, out
from app.demo import SAMPLE_AGENCIES, SampleDocument, sample_documents
from app.demo.people import CITIZEN, SampleLogin, sample_logins
from app.holders import holder_fingerprint
from app.provisioning import certify_agency, initialise
from identity.errors import AgencyUnknown
from signing.model import Document, DocumentFacts
from signing.ports import Caller
from signing.types import document_type

if TYPE_CHECKING:
    from app.settings import Settings
    from app.wiring import Core
    from identity.agencies.model import Agency
    from identity.agencies.service import NewClient

_SCOPES = ("documents.issue:*", "documents.read", "documents.revoke")
_CLIENT = "demo"


def prepare(settings: Settings) -> None:
    """Hierarchy, sample agencies, sealed sample documents; then say where everything is."""
    with ExitStack() as closing:
        with Progress(
            SpinnerColumn(), TextColumn("{task.description}"), console=out, transient=True
        ) as progress:
            task = progress.add_task("Keys and certificates …")
            core = initialise(settings, closing=closing, actor=actor())
            agencies = _agencies(core)
            progress.update(task, description="Sample documents …")
            issued = []
            for sample in sample_documents():
                progress.update(task, description=f"Sealing: {sample.title} …")
                issued.append(_seal(core, agencies[sample.agency], sample))
            client = _first_client(core, SAMPLE_AGENCIES[0].slug)
            progress.update(task, description="Sample people …")
            logins = [] if settings.production else sample_logins(core, _samples(settings), actor=actor())
        _print_documents(core, issued)
        _print_qr(core.register.links(issued[0]).page or "")
        _print_people(settings, logins)
        _print_ways(core, issued[0], client)


def _agencies(core: Core) -> dict[str, Agency]:
    """The sample agencies by slug, each with a seal."""
    agencies: dict[str, Agency] = {}
    for sample in SAMPLE_AGENCIES:
        try:
            agency = core.agencies.agency(sample.slug)
        except AgencyUnknown:
            agency = core.agencies.add_agency(
                sample.slug,
                name=sample.name,
                organization_identifier=sample.organization_identifier,
                actor=actor(),
            )
        certify_agency(core, agency, actor=actor())
        agencies[sample.slug] = agency
    return agencies


def _first_client(core: Core, agency_id: str) -> NewClient | None:
    """A client to try the API with, if this run is the first: its secret cannot be shown again."""
    if core.agencies.clients(agency_id):
        return None
    return core.agencies.add_client(agency_id, name="demo", scopes=_SCOPES, actor=actor())


def _seal(core: Core, agency: Agency, sample: SampleDocument) -> Document:
    holder = sample.holder
    if holder is not None and holder.name == CITIZEN.name and not core.settings.production:
        fingerprint = holder_fingerprint(core.vault, sample_niks=True)(CITIZEN.nik.reveal())
        holder = replace(holder, fingerprint=fingerprint)
    facts = DocumentFacts(
        type=sample.type,
        number=sample.number,
        title=sample.title,
        signatory=sample.signatory,
        issued_on=sample.issued_on,
        valid_until=sample.valid_until,
        holder=holder,
        place=sample.place,
    )
    # The same sample again is the same document; a sample that a newer release draws anew is another one.
    content = hashlib.sha256(sample.pdf + repr(facts).encode() + bool(holder and holder.fingerprint) * b"1")
    caller = Caller(_CLIENT, agency.id, agency.name, frozenset(_SCOPES))
    return core.sealing.seal(
        caller, facts, io.BytesIO(sample.pdf), idempotency_key=f"{sample.slug}-{content.hexdigest()[:16]}"
    )


def _print_documents(core: Core, issued: list[Document]) -> None:
    table = Table(title="Sealed documents", title_justify="left", expand=False)
    table.add_column("Document")
    table.add_column("Issuer")
    table.add_column("Page behind the QR code", no_wrap=True)
    for document in issued:
        table.add_row(
            f"{document.facts.title}\n[dim]{document_type(document.facts.type).name_en}[/dim]",
            document.issuer_name,
            f"{core.settings.public_url}/d/{document.id}",
        )
    out.print(table)


def _samples(settings: Settings) -> Path:
    return settings.home / "samples"


def _print_people(settings: Settings, logins: list[SampleLogin]) -> None:
    """Four sample people and how to be them, in full: nothing of it opens anything but this sample."""
    if not logins:
        return
    table = Table(title="People to log in as", title_justify="left", expand=False, show_lines=True)
    table.add_column("Person")
    table.add_column("NIK, password, and secret for the authenticator app", no_wrap=True)
    for login in logins:
        table.add_row(
            f"{login.name}\n[dim]{login.title}[/dim]", f"{login.nik}\n{login.password}\n{login.secret}"
        )
    out.print(table)
    out.print(f"Log in                [bold]{settings.public_url}/login[/bold]")
    if settings.passkey_origin != settings.public_url:
        out.print(
            "[dim]Operators need a passkey, and browsers bind passkeys to names: for that open "
            f"{settings.passkey_origin}/login. Once they have one, the auditor confirms their roles there, "
            "or `absah demo` does when it is run again.[/dim]",
            soft_wrap=True,
        )


def _print_qr(link: str) -> None:
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_L, border=2)
    code.add_data(link)
    code.make(fit=True)
    if code.modules_count + 4 > out.width:
        out.print(
            f"[dim]The window is too narrow for the QR code; it needs {code.modules_count + 4} columns.[/dim]"
        )
        return
    drawing = io.StringIO()
    code.print_ascii(out=drawing, invert=True)
    out.print(drawing.getvalue().rstrip(), style="white on black", soft_wrap=True)
    out.print("[dim]The QR code of the first document: its page and, behind #, the signed receipt.[/dim]\n")


def _print_ways(core: Core, first: Document, client: NewClient | None) -> None:
    settings = core.settings
    file = _samples(settings) / f"{first.id}.pdf"
    file.parent.mkdir(exist_ok=True)
    with core.register.open_file(first) as sealed:
        file.write_bytes(sealed.read())
    out.print(f"Verify in a browser   [bold]{settings.public_url}/verify[/bold]")
    out.print(f"A sealed PDF          [bold]{file}[/bold]")
    out.print(f"Verify it offline     [bold]absah verify {file} --offline[/bold]", soft_wrap=True)
    if client is not None:
        out.print(f"API client            {client.client.id}")
        out.print(f"its secret, once      {client.secret}")
    out.print()
