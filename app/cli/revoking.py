"""``absah ca revoke``, ``hold`` and ``release``: acts that the world hears of, each asked about twice."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import actor, err, opened_core, out
from app.cli.moments import moment

if TYPE_CHECKING:
    from app.wiring import Core
    from ca.model import CertificateRecord

Certificate = Annotated[
    str, typer.Argument(help="Its name, as `absah ca show` lists it, or its serial number.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")]


class Reason(StrEnum):
    """CRLReason (RFC 5280, 5.3.1) without those that say nothing."""

    KEY_COMPROMISE = "key-compromise"
    CA_COMPROMISE = "ca-compromise"
    AFFILIATION_CHANGED = "affiliation-changed"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation-of-operation"
    PRIVILEGE_WITHDRAWN = "privilege-withdrawn"


def register(ca: typer.Typer) -> None:
    ca.command("revoke", rich_help_panel="Certificates")(revoke)
    ca.command("hold", rich_help_panel="Certificates")(hold)
    ca.command("release", rich_help_panel="Certificates")(release)


def revoke(
    certificate: Certificate,
    reason: Annotated[Reason, typer.Argument(help="Why. It is published.")],
    *,
    since: Annotated[
        str | None,
        typer.Option(
            help="Since when somebody else may have had the key, such as 2026-11-20T08:00+07:00. What was "
            "sealed after it and has no earlier time-stamp counts as forged."
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Revoke a certificate for good.

    Where custodians have to agree, they say what was lost and when, and what becomes of a CA: `absah keys
    compromise`.
    """
    from ca.model import RevocationReason

    lost_at = None if since is None else moment(since, option="--since")
    with opened_core() as core:
        record = _found(core, certificate)
        _describe(record)
        from_when = "now" if lost_at is None else f"{lost_at:%Y-%m-%d %H:%M} UTC"
        _ask(
            f"Revoke {record.name} ({reason}), not to be trusted from {from_when} on? It cannot be undone",
            yes,
        )
        core.revocation.revoke_alone(
            record.serial, RevocationReason[reason.name], invalidity_date=lost_at, actor=actor()
        )
    out.print(f"{record.name} is revoked. Lists and OCSP say so.")


def hold(certificate: Certificate, *, yes: Yes = False) -> None:
    """Suspend a certificate while something is looked into; `release` or `revoke` ends that."""
    from ca.model import RevocationReason

    with opened_core() as core:
        record = _found(core, certificate)
        _describe(record)
        _ask(f"Put {record.name} on hold? Nothing is sealed with it until it is released", yes)
        core.revocation.revoke(record.serial, RevocationReason.CERTIFICATE_HOLD, actor=actor())
    out.print(f"{record.name} is on hold. Lists and OCSP say so.")


def release(certificate: Certificate, *, yes: Yes = False) -> None:
    """Lift the hold on a certificate. A revocation cannot be lifted."""
    with opened_core() as core:
        record = _found(core, certificate)
        _describe(record)
        _ask(f"Release {record.name}? It counts as never held", yes)
        core.revocation.release(record.serial, actor=actor())
    out.print(f"{record.name} is good again. Lists and OCSP say so.")


def _found(core: Core, named: str) -> CertificateRecord:
    from ca.errors import CertificateUnknown
    from ca.tables import Certificates

    with core.database.read() as tx:
        record = Certificates(tx).by_name(named)
        if record is None:
            digits = named.replace(":", "").removeprefix("0x").lstrip("0")
            try:
                record = Certificates(tx).by_serial(int(digits, 16))
            except ValueError:
                record = None
    if record is None:
        raise CertificateUnknown(
            f"No certificate called {named[:80]!r} was issued here: see `absah ca show`."
        )
    return record


def _describe(record: CertificateRecord) -> None:
    from cryptography import x509

    from ca.subjects import shown_name

    subject = shown_name(x509.load_der_x509_certificate(record.der).subject)
    out.print(f"Certificate   {record.name}", soft_wrap=True)
    out.print(f"Serial        {record.serial:x}", soft_wrap=True)
    out.print(f"Subject       {subject}", soft_wrap=True, markup=False)
    out.print(f"Valid until   {record.not_after:%Y-%m-%d}")
    out.print(f"Status        {record.status}")


def _ask(question: str, yes: bool) -> None:
    if not yes and not typer.confirm(f"{question}.", default=False):
        err.print("Nothing was changed.")
        raise typer.Exit(1)
