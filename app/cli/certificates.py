"""``absah ca show``, ``crl`` and ``issue``: what was certified here, and what is due."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.padding import Padding
from rich.text import Text

from app.cli.context import actor, counted, opened_core, out

if TYPE_CHECKING:
    from ca.overview import CertificateView, ListView

_SOON: Final = timedelta(days=30)
_WHY: Final = {"decide": "on hold: release it, or revoke it"}
"""Of steps that their one word does not explain."""
_SIGNS: Final = {
    "in use": "●",
    "waits": "○",
    "lists only": "◐",
    "overlaps": "◐",
    "link": "↔",
    "elsewhere": "◆",
    "on hold": "‖",
    "retired": "◌",
    "revoked": "✗",
    "expired": "·",
}
"""Beside the word for each use: nobody has to tell colours apart."""
_MARKS: Final = {"now": ("‼", "bold red"), "soon": ("!", "yellow"), "later": (" ", "")}
_ORDER: Final = tuple(_MARKS)
_OVER: Final = frozenset({"retired", "revoked", "expired"})
_WIDTHS: Final = (2, 46, 16, 12, 0)  # the longest name is that of a unit or a seal: 42
_WIDE: Final = 100
"""Columns of a terminal from which on the next step has room beside the rest."""


def register(ca: typer.Typer) -> None:
    ca.command("show", rich_help_panel="What there is")(show)
    ca.command("crl", rich_help_panel="What there is")(crl)
    ca.command("issue", rich_help_panel="Certificates")(issue)


def show(
    *,
    due: Annotated[bool, typer.Option("--due", help="Only those with which something is due.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what is expired, revoked or retired.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Every certificate, what is due first: use, end, next step; then the revocation lists of every CA."""
    with opened_core() as core:
        now, views, lists = core.clock(), core.certificates.certificates(), core.certificates.lists()
    if as_json:
        json.dump(
            {
                "certificates": [_as_json(view, now) for view in views],
                "lists": [_list_as_json(one, now) for one in lists],
            },
            sys.stdout,
            indent=2,
        )
        sys.stdout.write("\n")
        return
    late = [one for one in lists if _list_urgency(one, now) == "now"]
    waiting = [view for view in views if view.is_due(now)]
    shown = sorted(
        (view for view in views if view in waiting or (not due and (everything or view.use not in _OVER))),
        key=lambda view: _ORDER.index(_urgency(view, now)),
    )
    hidden = sum(view.use in _OVER for view in views) if not everything else 0
    _summary(len(views), len(waiting) + len(late), hidden)
    _row("", "Certificate", "Use", "Ends", "Next step", style="dim")
    for view in shown:
        _print(view, now)
    listed = late if due else lists
    if listed:
        out.print()
        _row("", "List", "Number and age", "Ends", "Next step", style="dim")
    for one in listed:
        _print_list(one, now)


def _summary(count: int, due: int, hidden: int) -> None:
    words = Text(f"{counted(count, 'certificate')}. ")
    words.append(f"{due} due." if due else "Nothing is due.", "bold yellow" if due else "green")
    if hidden:
        are = "is" if hidden == 1 else "are"
        words.append(f" {hidden} that {are} over {are} not shown: --all", "dim")
    out.print(words)
    out.print()


def _print(view: CertificateView, now: datetime) -> None:
    from app.due import when

    record, urgency = view.record, _urgency(view, now)
    mark, style = _MARKS[urgency]
    step = f"{view.due} {when(view.due_at, now)}" if view.due and view.due_at else "–"
    use, ends = f"{_SIGNS[view.use]} {view.use}", f"{record.not_after:%Y-%m-%d}"
    _row(mark, record.name, use, ends, step, style=style)
    issued = "signed by itself" if record.issuer == record.name else f"issued by {record.issuer}"
    _beneath(" · ".join(part for part in (record.owner, record.profile.value, issued) if part), "dim")
    if why := _WHY.get(view.due):
        _beneath(f"→ {why}", style)


def _print_list(one: ListView, now: datetime) -> None:
    from app.due import when

    mark, style = _MARKS[_list_urgency(one, now)]
    age = now - one.this_update
    number = f"{one.number}, {age.days} d {age.seconds // 3600} h"
    step = f"sign elsewhere {when(one.due_at, now)}" if one.brought else "–"
    if one.next_update <= now:
        step = "ended: sign it now"
    _row(mark, one.name, number, f"{one.next_update:%Y-%m-%d}", step, style=style)


def _row(*cells: str, style: str) -> None:
    """Mark, name, use, end, next step. A name that is longer pushes the rest; it is never cut. On a narrow
    terminal the next step stands beneath, where there is one."""
    is_narrow, step = out.width < _WIDE, cells[-1]
    shown = (*cells[:-1], "") if is_narrow else cells
    words = "".join(f"{cell:<{width}}" for cell, width in zip(shown, _WIDTHS, strict=True))
    out.print(Text(words.rstrip(), style), soft_wrap=True)
    if is_narrow and style != "dim" and step != "–":
        _beneath(f"→ {step}", style)


def _beneath(words: str, style: str) -> None:
    out.print(Padding(Text(words, style), (0, 0, 0, 4), expand=False))


def _urgency(view: CertificateView, now: datetime) -> str:
    if view.due_at is None:
        return "later"
    return _urgent(view.due_at, now)


def _list_urgency(one: ListView, now: datetime) -> str:
    """Lists that are signed here are renewed by upkeep; they are late when they have ended."""
    return _urgent(one.due_at, now) if one.brought else "now" if one.next_update <= now else "later"


def _urgent(moment: datetime, now: datetime) -> str:
    return "now" if moment <= now else "soon" if moment - now < _SOON else "later"


def _as_json(view: CertificateView, now: datetime) -> dict[str, Any]:
    record = view.record
    return {
        "name": record.name,
        "serial": f"{record.serial:x}",
        "profile": record.profile,
        "owner": record.owner,
        "issuer": record.issuer,
        "key": record.key_id,
        "status": record.status,
        "use": view.use,
        "not_before": record.not_before.isoformat(),
        "not_after": record.not_after.isoformat(),
        "urgency": _urgency(view, now),
        "next_step": view.due,
        "due_at": None if view.due_at is None else view.due_at.isoformat(),
    }


def _list_as_json(one: ListView, now: datetime) -> dict[str, Any]:
    return {
        "name": one.name,
        "number": one.number,
        "this_update": one.this_update.isoformat(),
        "next_update": one.next_update.isoformat(),
        "signed_elsewhere": one.brought,
        "urgency": _list_urgency(one, now),
    }


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
    agency's, as it is registered here. Not in production: there nobody alone certifies a key that the service
    does not keep.
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
