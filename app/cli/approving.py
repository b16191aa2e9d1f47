"""``absah keys requests``, ``show``, ``approve``, ``reject`` and ``sign``: what custodians do.

A decision is proven by the custodian's own key, never by who is logged in at the machine.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import counted, err, opened_core, out, print_listing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from rich.console import Console

    from app.wiring import Core
    from keys.approvals import Decision, KeyRequest, Standing, Verdict
    from keys.model import KeyRecord

Request = Annotated[str, typer.Argument(help="Its id, as `absah keys requests` lists it.")]
As = Annotated[str, typer.Option("--as", help="Your name as a custodian.")]
Key = Annotated[Path | None, typer.Option("--key", help="Your private key file.")]
Signature = Annotated[
    str | None,
    typer.Option(help="What `absah keys sign` printed on a machine of your own, in place of --key."),
]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="File with the passphrase; asked for without.", dir_okay=False)
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")]


def register(keys: typer.Typer) -> None:
    keys.command("requests", rich_help_panel="Custodians")(requests)
    keys.command("show", rich_help_panel="Custodians")(show)
    keys.command("approve", rich_help_panel="Custodians")(approve)
    keys.command("reject", rich_help_panel="Custodians")(reject)
    keys.command("sign", rich_help_panel="Custodians")(sign)


def requests(
    *, everything: Annotated[bool, typer.Option("--all", help="Those that ended too.")] = False
) -> None:
    """Acts on keys that wait for custodians."""
    from app.approving.telling import ACTS
    from keys.approvals import RequestState

    waiting = {RequestState.WAITING, RequestState.READY, RequestState.STARTED}
    with opened_core() as core:
        listed = [
            one for one in core.dual_control.list() if everything or one.is_void or one.state in waiting
        ]
    print_listing(
        ("Request", "Act", "State", "Approvals"),
        [
            (
                one.request.id,
                f"by {one.request.requester}, until {one.request.expires_at:%Y-%m-%d %H:%M} UTC",
                (
                    ACTS["en"][one.request.act],
                    "VOID" if one.is_void else one.state.value,
                    f"{len(one.approved_by)} of {one.needed}",
                ),
            )
            for one in listed
        ],
    )


def show(
    request: Request,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Exactly what is signed, for `absah keys sign`.")
    ] = False,
) -> None:
    """What a request would do, who asked for it, and the digest that custodians sign."""
    with opened_core() as core:
        standing = core.dual_control.standing(request)
        if as_json:
            _require_whole(standing)
            sys.stdout.write(standing.request.canonical().decode())
            return
        _show(core, standing)


def approve(
    request: Request,
    name: As,
    *,
    key: Key = None,
    signature: Signature = None,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
) -> None:
    """Agree to a request, in your name as a custodian."""
    from keys.approvals import Verdict

    _decide(request, Verdict.APPROVE, _Proof(name, key, signature, passphrase_file), yes=yes)


def reject(
    request: Request,
    name: As,
    *,
    key: Key = None,
    signature: Signature = None,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
) -> None:
    """Disagree. A request that can no longer be approved ends at once."""
    from keys.approvals import Verdict

    _decide(request, Verdict.REJECT, _Proof(name, key, signature, passphrase_file), yes=yes)


def sign(
    file: Annotated[Path, typer.Argument(help="From `absah keys show REQUEST --json`.", exists=True)],
    name: As,
    key: Annotated[Path, typer.Option("--key", help="Your private key file.")],
    *,
    against: Annotated[bool, typer.Option("--reject", help="Sign a rejection.")] = False,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
) -> None:
    """Sign a decision on a machine of your own, so that your key never comes near the service's.

    Prints the signature; hand it in by `absah keys approve REQUEST --as NAME --signature …`.
    """
    from app.approving.keyfiles import signed
    from keys.approvals import KeyRequest, Verdict
    from keys.custodians import encoded

    found = KeyRequest.read(file.read_bytes().strip())
    verdict = Verdict.REJECT if against else Verdict.APPROVE
    _tell(found, err)
    _ask(verdict, yes)
    decision = signed(_opened(key, passphrase_file), found, verdict, custodian=name)
    sys.stdout.write(f"{encoded(decision.proof)}\n")


@dataclass(frozen=True, slots=True)
class _Proof:
    """Who decides, and by what it is proven: a key file here, or a signature that was made elsewhere."""

    name: str
    key: Path | None
    signature: str | None
    passphrase_file: Path | None

    def __post_init__(self) -> None:
        if (self.key is None) == (self.signature is None):
            raise typer.BadParameter("give --key or --signature, one of them", param_hint="--key")

    def decision(self, request: KeyRequest, verdict: Verdict) -> Decision:
        from app.approving.keyfiles import signed
        from keys.approvals import Decision
        from keys.custodians import decoded

        if self.key is not None:
            return signed(_opened(self.key, self.passphrase_file), request, verdict, custodian=self.name)
        try:
            return Decision(self.name, verdict, decoded((self.signature or "").strip()))
        except ValueError:
            raise typer.BadParameter(
                "is not what `absah keys sign` prints", param_hint="--signature"
            ) from None


def _decide(request_id: str, verdict: Verdict, proof: _Proof, *, yes: bool) -> None:
    with opened_core() as core:
        standing = core.dual_control.standing(request_id)
        _require_whole(standing)
        _show(core, standing)
        _ask(verdict, yes)
        core.dual_control.decide(request_id, proof.decision(standing.request, verdict))
        core.dual_control.change_custodians_due()
        after = core.dual_control.standing(request_id)
    given = counted(len(after.approved_by), "approval")
    missing = f", {after.missing} more wanted" if after.missing else ""
    out.print(f"Taken down. The request is {after.state}: {given}{missing}.")


def passphrase(file: Path | None, *, confirm: bool = False) -> str:
    """From the file, or asked for at the terminal."""
    if file is not None:
        return file.read_text().rstrip("\n")
    return str(typer.prompt("Passphrase of your key", hide_input=True, confirmation_prompt=confirm, err=True))


def print_request(request: KeyRequest) -> None:
    """After asking: what to tell the custodians."""
    from keys.approvals import grouped

    out.print(f"Request       {request.id}", soft_wrap=True)
    out.print(f"Digest        {grouped(request.digest)}", soft_wrap=True)
    out.print(
        f"It waits for {counted(request.required, 'custodian')} until "
        f"{request.expires_at:%Y-%m-%d %H:%M} UTC: `absah keys approve {request.id} --as NAME --key FILE`.",
        soft_wrap=True,
    )


def _opened(key: Path, passphrase_file: Path | None) -> EllipticCurvePrivateKey:
    from app.approving.keyfiles import open_key

    return open_key(key, passphrase(passphrase_file))


def _show(core: Core, standing: Standing) -> None:
    from keys.errors import KeyUnknown

    request = standing.request
    if standing.is_void:
        err.print("[red]VOID: this request, or a decision on it, was altered in the database.[/red]")
        return
    try:
        key = core.keys.get(request.parameters["key"]) if "key" in request.parameters else None
    except KeyUnknown:
        err.print("[yellow]The key that this request names was never made here.[/yellow]")
        key = None
    _tell(request, out, key=key)
    out.print(f"State         {standing.state}, {len(standing.approved_by)} of {standing.needed} approvals")
    _, decisions = core.dual_control.history(request.id)
    for one in decisions:
        out.print(
            f"{one.decision.verdict.value.capitalize():<13} {one.decision.custodian}, "
            f"{one.decided_at:%Y-%m-%d %H:%M} UTC",
            markup=False,
        )


def _tell(request: KeyRequest, target: Console, *, key: KeyRecord | None = None) -> None:
    """Every word is printed as it is: what stands in a request must not be able to dress it up."""
    from app.approving.telling import told
    from keys.approvals import grouped

    telling = told(request, "en", key=key)
    target.print(telling.act, style="bold", markup=False)
    for sentence in telling.what:
        target.print(sentence, markup=False)
    for label, value in (
        *telling.facts,
        ("At", request.service),
        ("Asked for by", request.requester),
        ("Asked for at", f"{request.requested_at:%Y-%m-%d %H:%M} UTC"),
        ("Waits until", f"{request.expires_at:%Y-%m-%d %H:%M} UTC"),
        ("Digest", grouped(request.digest)),
    ):
        target.print(f"{label + ' ':<13} {value}", soft_wrap=True, markup=False)


def _require_whole(standing: Standing) -> None:
    from keys.errors import RequestAltered

    if standing.is_void:
        raise RequestAltered(standing.request.id)


def _ask(verdict: Verdict, yes: bool) -> None:
    if not yes and not typer.confirm(f"{verdict.value.capitalize()} exactly this?", default=False, err=True):
        err.print("Nothing was signed.")
        raise typer.Exit(1)
