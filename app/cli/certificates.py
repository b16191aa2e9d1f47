"""``absah ca show``, ``crl`` and ``issue``: what was certified here, and what is due."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import actor, opened_core, out, print_listing

if TYPE_CHECKING:
    from ca.overview import CertificateView, ListView

_SOON_DAYS = 30

_DUE = {"renew": "renew", "successor": "needs a successor", "decide": "release or revoke it"}


def register(ca: typer.Typer) -> None:
    ca.command("show")(show)
    ca.command("crl")(crl)
    ca.command("issue")(issue)


def show(
    *,
    due: Annotated[bool, typer.Option("--due", help="Only those with which something is due.")] = False,
) -> None:
    """Every certificate with what it is used for, and every list: what is due stands in colour."""
    with opened_core() as core:
        now = core.clock()
        views = core.certificates.certificates()
        lists = core.certificates.lists()
    wanted = [view for view in views if not due or view.is_due(now)]
    if wanted:
        print_listing(
            ("Certificate", "Kind", "Use", "Valid until", "Due"), [_row(view, now) for view in wanted]
        )
    listed = [one for one in lists if not due or (one.brought and one.due_at <= now)]
    if listed:
        print_listing(("List", "Number", "Age", "Ends", "Due"), [_list_row(one, now) for one in listed])
    if due and not wanted and not listed:
        out.print("Nothing is due.")


def _row(view: CertificateView, now: datetime) -> tuple[str, str, tuple[str, ...]]:
    record = view.record
    what = f"{_DUE[view.due]} {_in_days(view.due_at, now)}" if view.due and view.due_at else ""
    ends = f"{record.not_after:%Y-%m-%d}"
    return (
        record.name,
        record.owner,
        (record.profile, view.use, ends, _coloured(what, view.due_at, now)),
    )


def _list_row(one: ListView, now: datetime) -> tuple[str, str, tuple[str, ...]]:
    age = now - one.this_update
    ends = f"{one.next_update:%Y-%m-%d %H:%M}"
    what = f"sign it elsewhere {_in_days(one.due_at, now)}" if one.brought else ""
    moment = one.due_at if one.brought else None
    if one.next_update <= now:
        what, moment = "ended", one.next_update
    return (
        one.name,
        "",
        (str(one.number), f"{age.days} d {age.seconds // 3600} h", ends, _coloured(what, moment, now)),
    )


def _in_days(moment: datetime, now: datetime) -> str:
    days = (moment - now).days
    return "now" if days < 0 else f"in {days} days"


def _coloured(words: str, moment: datetime | None, now: datetime) -> str:
    if moment is None or not words:
        return words
    if moment <= now:
        return f"[bold red]{words}[/bold red]"
    return f"[yellow]{words}[/yellow]" if (moment - now).days < _SOON_DAYS else words


def crl(
    issuer: Annotated[
        str, typer.Argument(help="Name of the CA or list, such as issuing-1 or issuing-1-p1.")
    ] = "issuing-1",
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it here, DER.")] = None,
) -> None:
    """The CA's current revocation list, renewed if half its life is over."""
    with opened_core() as core:
        found = core.revocation.current_crl(issuer)
    if output is not None:
        output.write_bytes(found.der)
    out.print(
        f"{found.issuer}  number {found.number}  {found.this_update:%Y-%m-%d %H:%M} UTC to "
        f"{found.next_update:%Y-%m-%d %H:%M} UTC  {len(found.der)} bytes"
    )


def issue(
    request: Annotated[Path, typer.Argument(help="A certification request (PKCS #10), PEM or DER.")],
    *,
    agency: Annotated[
        str, typer.Option(help="The agency whose seal it is; its name and number stand in the certificate.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Write certificate and chain here, PEM.")],
) -> None:
    """Certify a seal whose key is kept elsewhere, such as in the agency's own HSM.

    The request proves that the agency holds the key; nothing else of it is taken over. The subject is the
    agency's, as it is registered here.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from app.provisioning import certify_request
    from ca.requests import LARGEST

    with request.open("rb") as file:
        content = file.read(LARGEST + 1)
    with opened_core() as core:
        record, chain = certify_request(core, agency, content, actor=actor())
    certificates = (x509.load_der_x509_certificate(one) for one in chain)
    output.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in certificates))
    out.print(f"Certificate   {record.name}", soft_wrap=True)
    out.print(f"Valid until   {record.not_after:%Y-%m-%d}")
    out.print(f"Chain         {output}", soft_wrap=True)
