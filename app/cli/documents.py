"""``absah seal`` and ``absah verify``."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import actor, load_settings, opened_core, out, sqlite_missing
from app.cli.verdicts import EXIT_STATUS, print_unknown, print_verdict

if TYPE_CHECKING:
    from app.settings import Settings
    from identity.agencies.model import Agency
    from verify.service import VerificationService
    from verify.verdict import Verdict

_LARGEST_RECORD = 1_000_000
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]


def register(cli: typer.Typer) -> None:
    cli.command(rich_help_panel="Documents")(seal)
    cli.command(rich_help_panel="Documents")(verify)


def seal(
    source: Annotated[
        Path, typer.Argument(help="The PDF to seal.", exists=True, dir_okay=False, readable=True)
    ],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the sealed PDF goes.", dir_okay=False)
    ],
    number: Annotated[str, typer.Option(help="The document's number, as printed.")],
    title: Annotated[str, typer.Option(help="What it is, as printed.")],
    signatory: Annotated[str, typer.Option(help="The office that signs, as printed.")],
    agency: Annotated[
        str | None, typer.Option(help="Agency id; may be left out if there is one only.")
    ] = None,
    type_code: Annotated[
        str, typer.Option("--type", help="Document type, such as business_licence.")
    ] = "other",
    holder: Annotated[str | None, typer.Option(help="To whom it is issued; stored and shown masked.")] = None,
    organisation: Annotated[bool, typer.Option("--organisation", help="The holder is not a person.")] = False,
    issued_on: Day = None,
    valid_until: Day = None,
    supersedes: Annotated[str | None, typer.Option(help="Id of the document that this one replaces.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Repeating with the same key seals once.")
    ] = None,
) -> None:
    """Seal a PDF here, without going through HTTP."""
    from signing.model import DocumentFacts, Holder, HolderKind
    from signing.ports import Caller

    kind = HolderKind.ORGANISATION if organisation else HolderKind.PERSON
    with opened_core() as core:
        facts = DocumentFacts(
            type=type_code,
            number=number,
            title=title,
            signatory=signatory,
            issued_on=(issued_on or core.clock()).date(),
            valid_until=valid_until.date() if valid_until else None,
            holder=Holder(holder, kind) if holder else None,
            supersedes=supersedes,
        )
        issuer = _agency(core.agencies.agencies(), agency)
        scopes = frozenset({"documents.issue:*", "documents.revoke"})
        caller = Caller(actor()[:64], issuer.id, issuer.name, scopes)
        with source.open("rb") as stream:
            document = core.sealing.seal(caller, facts, stream, idempotency_key=idempotency_key)
        with core.register.open_file(document) as sealed, output.open("wb") as target:
            while chunk := sealed.read(1024 * 1024):
                target.write(chunk)
        out.print(f"Sealed        {output}")
        out.print(f"Id            {document.id}")
        out.print(f"Link          {core.register.links(document).page}", soft_wrap=True)


def verify(
    what: Annotated[
        str, typer.Argument(help="A file (PDF or picture of a QR code), a link, a receipt or an id.")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The verdict as JSON.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Write the validation report of ETSI TS 119 102-2 here.", dir_okay=False),
    ] = None,
    lang: Annotated[str, typer.Option(help="id or en.")] = "id",
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask the register; signatures and receipts only.")
    ] = False,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Validate every signature, also of a file known by its digest.")
    ] = False,
    evidence: Annotated[
        list[Path] | None,
        typer.Option(
            help="Evidence record of the file (RFC 4998), from `absah case evidence`: a later time-stamp, "
            "for where the one in the file is not believed any more. May be repeated.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    trust: Annotated[
        Path | None, typer.Option(help="Folder of trusted certificates, in place of the service's own.")
    ] = None,
) -> None:
    """Is it genuine? Ends with 0: valid, 1: not valid, 2: cannot say."""
    from verify.errors import UnknownDocument
    from verify.report import verdict_json
    from verify.words import choose_language

    settings = load_settings()
    language = choose_language(lang, None)
    with ExitStack() as closing:
        service = _verifier(settings, closing, offline=offline, trust=trust)
        try:
            records = [_content(path) for path in evidence or ()]
            is_thorough = thorough or report is not None or bool(records)
            verdict = _verdict(service, what, thorough=is_thorough, evidence=records)
        except UnknownDocument as unknown:
            if as_json:
                typer.echo(json.dumps({"outcome": "unknown_document", "detail": str(unknown)}))
            else:
                print_unknown(unknown.shown, language)
            sys.exit(1)
    if report is not None:
        from verify.etsi import etsi_report

        report.write_text(etsi_report(verdict), encoding="utf-8")
    if as_json:
        typer.echo(verdict_json(verdict).decode())
    else:
        print_verdict(verdict, language)
    sys.exit(EXIT_STATUS.get(verdict.outcome.value, 1))


def _agency(agencies: list[Agency], wanted: str | None) -> Agency:
    if wanted is None and len(agencies) == 1:
        return agencies[0]
    for agency in agencies:
        if agency.id == wanted:
            return agency
    known = ", ".join(agency.id for agency in agencies) or "none yet; see `absah agency add`"
    raise typer.BadParameter(f"say which agency issues; there are: {known}", param_hint="--agency")


def _verifier(
    settings: Settings, closing: ExitStack, *, offline: bool, trust: Path | None
) -> VerificationService:
    """With the register where there is one on this machine or named in the settings, else without."""
    from app.clock import system_clock
    from app.database import Database
    from app.register import ReleasedDocuments
    from app.verification import verification_service
    from verify.trust import read_trust_folder

    store = read_trust_folder(trust or settings.trust_dir)
    released = None
    if not offline and trust is None and not sqlite_missing(settings):
        database = Database.from_settings(settings)
        closing.callback(database.close)
        released = ReleasedDocuments(database.read)
    return verification_service(
        settings, released=released, trust=lambda: store, clock=system_clock, closing=closing
    )


def _content(record: Path) -> bytes:
    with record.open("rb") as file:
        return file.read(_LARGEST_RECORD)


def _verdict(service: VerificationService, what: str, *, thorough: bool, evidence: list[bytes]) -> Verdict:
    path = Path(what)
    if _is_file(path):
        with path.open("rb") as file:
            return service.by_file(file, thorough=thorough, evidence=evidence)
    if evidence:
        raise typer.BadParameter("an evidence record speaks for a PDF: give the file", param_hint="WHAT")
    if path.suffix.lower() in {".pdf", ".png", ".jpg", ".jpeg"} and "://" not in what:
        raise typer.BadParameter(f"there is no file {what}", param_hint="WHAT")
    return service.by_text(what)


def _is_file(path: Path) -> bool:
    """A receipt is longer than any file name may be, and the system says so with an error."""
    try:
        return path.is_file()
    except OSError:
        return False
