"""``absah ca distrust`` and ``trust``: somebody else's time-stamping unit is believed no more, or again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.approving import print_request
from app.cli.context import actor, err, opened_core, out

if TYPE_CHECKING:
    from cryptography import x509

_LARGEST = 512_000_000


def register(ca: typer.Typer) -> None:
    ca.command("distrust")(distrust)
    ca.command("trust")(trust)


def distrust(
    file: Annotated[
        Path,
        typer.Argument(
            help="The unit's certificate (PEM or DER), or any document of ours that it stamped.", exists=True
        ),
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
) -> None:
    """Believe no time of another authority's unit any more: its key was lost, or it lied. At once.

    Custodians are told; `absah ca trust` is the way back, to which they have to agree. What it stamped gets a
    time-stamp from another unit; repeat the command if that was interrupted. A unit of ours is reported by
    `absah keys compromise` instead.
    """
    from cryptography.hazmat.primitives import hashes

    from app.compromise.building import build_compromise
    from app.provisioning import publish_trust
    from ca.subjects import shown_name

    unit = _unit(file)
    out.print(f"Unit          {shown_name(unit.subject)}", soft_wrap=True, markup=False)
    out.print(f"Issued by     {shown_name(unit.issuer)}", soft_wrap=True, markup=False)
    question = "Believe none of its times any more, whenever they say they were made?"
    if not yes and not typer.confirm(question, default=False):
        err.print("Nothing was changed.")
        raise typer.Exit(1)
    with opened_core() as core:
        is_new = core.distrust.of_unit(unit, actor=actor())
        publish_trust(core)
        out.print("Distrusted." if is_new else "It was distrusted before.")
        count = build_compromise(core).restamp_after(unit.fingerprint(hashes.SHA256()), actor=actor())
    out.print(f"Stamped anew  {count} documents, by another unit.")
    out.print(f"Hand the trust folder to offline verifiers: {core.settings.trust_dir}", soft_wrap=True)


def trust(
    file: Annotated[
        Path,
        typer.Argument(
            help="The unit's certificate (PEM or DER), or any document of ours that it stamped.", exists=True
        ),
    ],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who have to agree.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
) -> None:
    """Believe a unit again that was distrusted by mistake. Where there are custodians, they have to agree.

    If its key was lost after all, whoever has it can write any past time.
    """
    from cryptography.hazmat.primitives import hashes

    from app.rotation.units import DistrustedTime
    from ca.subjects import shown_name

    unit = _unit(file)
    out.print(f"Unit          {shown_name(unit.subject)}", soft_wrap=True, markup=False)
    digest = unit.fingerprint(hashes.SHA256())
    with opened_core() as core:
        units = DistrustedTime(core)
        out.print(f"Issued by     {units.issuer(digest)}", soft_wrap=True, markup=False)
        if core.custodians.decide():
            print_request(units.request(digest, requester=actor(), reason=reason))
            out.print("`absah worker`, or a server with upkeep, does it when they agreed.")
            return
        if not yes and not typer.confirm("Believe all of its times again?", default=False):
            err.print("Nothing was changed.")
            raise typer.Exit(1)
        units.believe_again(digest, actor=actor())
    out.print("It is believed again.")
    out.print("Take it out of the folder distrusted/ of offline verifiers that had it from here.")


def _unit(file: Path) -> x509.Certificate:
    """Raises :class:`ca.errors.RevocationRefused`."""
    from cryptography import x509

    from ca.errors import RevocationRefused
    from verify.seals import NotOurs, check_timestamp, read_seal

    with file.open("rb") as stream:
        if stream.read(5) == b"%PDF-":
            try:
                return check_timestamp(read_seal(stream))[0]
            except (NotOurs, ValueError, KeyError, IndexError, StopIteration) as cause:
                raise RevocationRefused(f"{file} is not a document that we sealed, or was changed") from cause
        stream.seek(0)
        content = stream.read(_LARGEST)
    try:
        if content.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except ValueError as cause:
        raise RevocationRefused(f"{file} is neither a certificate nor a document that we sealed") from cause
