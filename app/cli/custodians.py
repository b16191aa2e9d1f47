"""``absah keys custodian``: who may approve acts on keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.text import Text

from app.cli.approving import PassphraseFile, passphrase, print_request
from app.cli.context import actor, counted, opened_core, out

if TYPE_CHECKING:
    from app.wiring import Core
    from keys.custodians import Change, CustodianKey

_LARGEST_PUBLIC_KEY: Final = 64 * 1024

custodian = typer.Typer(help="Custodians: who may approve acts on keys.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens, such as budi-s.")]
PublicKey = Annotated[
    Path | None,
    typer.Option(
        help="File with the public key (PEM), as `new-key` wrote it; - reads it from standard input."
    ),
]
Person = Annotated[
    str | None,
    typer.Option(help="The custodian's account: person id, e-mail address or NIK. Without --public-key, its "
                 "passkey approves."),
]  # fmt: skip
Account = Annotated[
    str | None,
    typer.Option(help="Their login at this machine, so that what they ask for there is known to be theirs."),
]
Reason = Annotated[str, typer.Option(help="Why, for those who have to agree.")]


def register(keys: typer.Typer) -> None:
    keys.add_typer(custodian, name="custodian", rich_help_panel="Custodians")


@custodian.command("new-key")
def new_key(
    file: Annotated[Path, typer.Argument(help="Where the private key goes; its public half: FILE.pub.")],
    *,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a key of your own, on a machine of your own. It is encrypted by a passphrase."""
    from app.approving.keyfiles import make_key

    key = make_key(file, passphrase(passphrase_file, confirm=True))
    out.print(f"Private key   {file}: keep it to yourself, and keep a copy offline", soft_wrap=True)
    out.print(f"Public key    {file}.pub: to whoever keeps the register", soft_wrap=True)
    out.print(f"Fingerprint   {key.id}", soft_wrap=True)


@custodian.command("list")
def list_custodians() -> None:
    """Who may approve, and the fingerprints of their keys."""
    from app.approving.telling import KINDS

    with opened_core() as core:
        register, required = core.custodians.register(), core.dual_control.policy.required
    for one in register.custodians:
        names = " ".join(filter(None, (one.person_id, one.account)))
        out.print(Text.assemble((one.name, "bold"), (f"  {names}" if names else "", "dim")), soft_wrap=True)
        for key in one.keys:  # whole and in one piece, however narrow the terminal: it is compared
            out.print(f"  {KINDS['en'][key.kind]:<9} {key.id}", soft_wrap=True)
    found = len(register.custodians)
    agree = f"{required} {'has' if required == 1 else 'have'} to agree to an act"
    out.print(f"{counted(found, 'custodian')}; {agree}. Fingerprints are SHA-256.")
    if register.is_free(required):
        out.print("[yellow]The register still changes without approvals.[/yellow]")
    elif found == required:
        out.print(
            "[yellow]None of them can ask for an act: the others would be too few. Add one more.[/yellow]"
        )


@custodian.command("add")
def add(
    name: Name,
    *,
    public_key: PublicKey = None,
    person: Person = None,
    account: Account = None,
    reason: Reason = "",
) -> None:
    """Make somebody a custodian: at once until there are enough, then by a request that they approve."""
    from keys.custodians import Change

    _bring(Change.ADD, name, public_key, person=person, account=account, reason=reason)


@custodian.command("replace-key")
def replace_key(
    name: Name,
    *,
    public_key: PublicKey = None,
    person: Person = None,
    account: Account = None,
    reason: Reason = "",
) -> None:
    """Give a custodian a new key file, or a new passkey; the old one of its kind counts no more."""
    from keys.custodians import Change

    _bring(Change.REPLACE_KEY, name, public_key, person=person, account=account, reason=reason)


@custodian.command("remove")
def remove(name: Name, *, reason: Reason = "") -> None:
    """Let somebody approve no more."""
    from keys.custodians import Change, parameters_of

    with opened_core() as core:
        _ask(core, parameters_of(Change.REMOVE, name, reason=reason))


def _bring(
    change: Change,
    name: str,
    public_key: Path | None,
    *,
    person: str | None,
    account: str | None,
    reason: str,
) -> None:
    """A change that brings a key, and says under which other names its custodian is known."""
    from app.cli.roles import person_id_of
    from keys.custodians import parameters_of, read_public_key

    with opened_core() as core:
        person_id = person_id_of(core, person) if person else ""
        key = read_public_key(_content(public_key)) if public_key else _passkey(core, person_id)
        out.print(f"Fingerprint   {key.id}: compare it with what its owner reads to you", soft_wrap=True)
        other_name = f"cli:{account}" if account else ""
        _ask(
            core,
            parameters_of(change, name, key=key, person_id=person_id, account=other_name, reason=reason),
        )


def _content(file: Path) -> bytes:
    """Of a file, or of what is piped in: a container has files of its own."""
    if file == Path("-"):
        return sys.stdin.buffer.read(_LARGEST_PUBLIC_KEY)
    with file.open("rb") as opened:
        return opened.read(_LARGEST_PUBLIC_KEY)


def _ask(core: Core, parameters: dict[str, str]) -> None:
    register = core.custodians.register()
    if register.is_free(core.dual_control.policy.required):
        changed = core.custodians.change_freely(parameters, actor=actor())
        found = counted(len(changed.custodians), "custodian")
        out.print(f"Done: {found}, version {changed.version} of the register.")
        return
    from keys.approvals import KeyAct

    print_request(core.dual_control.request(KeyAct.CUSTODIANS, parameters, requester=actor()))


def _passkey(core: Core, person_id: str) -> CustodianKey:
    from app.custodians import passkey_of_custodian
    from identity.operators.model import Role
    from keys.errors import CustodianKeyRefused

    if not person_id:
        raise typer.BadParameter("give --public-key, --person, or both", param_hint="--public-key")
    if not core.office.operators.powers(person_id).has(Role.KEY_CUSTODIAN):
        raise CustodianKeyRefused(
            "This account does not hold the role key_custodian, so what its passkey signs would not count: "
            "`absah operator add PERSON key_custodian`, and have an auditor confirm it."
        )
    held = core.citizens.factors.passkeys_of(person_id)
    if len(held) != 1:
        raise CustodianKeyRefused(
            f"This account has {len(held)} passkeys, and the register names exactly one. "
            f"Have its holder ask for it at {core.settings.public_url}/custody."
        )
    return passkey_of_custodian(held[0])
