"""``absah keys rotate``, ``cancel``, ``retire``, ``destroy`` and what belongs to them: keys change, and end.

Who asks does not decide: where custodians have to agree, these commands ask, and the work begins when enough
agreed. The worker does it then; without one, ``absah worker --once`` or asking again with ``--wait``.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from app.cli.approving import print_request
from app.cli.context import actor, err, opened_core, out, print_listing

if TYPE_CHECKING:
    from app.rotation.model import Rotation
    from app.wiring import Core
    from keys.approvals import KeyAct, KeyRequest
    from keys.model import KeyAlgorithm

Key = Annotated[str, typer.Argument(help="Its id, as `absah keys list` shows it.")]
Why = Annotated[str, typer.Option("--reason", help="Why, for those who have to agree.")]

_PATIENCE = 120.0
_LOOK = 0.5


class Rotatable(StrEnum):
    SEAL = "seal"
    ISSUING_CA = "issuing-ca"
    TIMESTAMPING = "timestamping"
    OCSP = "ocsp"
    RECEIPT = "receipt"
    TOKEN = "token"  # noqa: S105 - the name of a purpose
    WRAPPING = "wrapping"
    DATA = "data"


def register(keys: typer.Typer) -> None:
    keys.command("rotate", rich_help_panel="Keys that change")(rotate)
    keys.command("rotations", rich_help_panel="Keys that change")(rotations)
    keys.command("cancel", rich_help_panel="Keys that change")(cancel)
    keys.command("retire", rich_help_panel="Keys that change")(retire)
    keys.command("reinstate", rich_help_panel="Keys that change")(reinstate)
    keys.command("destroy", rich_help_panel="Keys that change")(destroy)
    keys.command("evidence", rich_help_panel="Keys that change")(evidence)
    keys.command("attest", rich_help_panel="Keys that change")(attest)


def rotate(
    purpose: Annotated[Rotatable, typer.Argument(help="What the key is for.")],
    *,
    owner: Annotated[
        str,
        typer.Option(help="The agency, for seals; the CA, for OCSP responders (default: the one in use)."),
    ] = "",
    algorithm: Annotated[
        str, typer.Option(help="ec-p256, ec-p384 or rsa-3072; the predecessor's without it.")
    ] = "",
    reason: Why = "",
) -> None:
    """Replace a key without a pause: made, certified, tried, switched; its predecessor retires later.

    token: successors are published now and sign after ABSAH_IDENTITY_KEY_PUBLISH_MINUTES. data: new data keys
    seal from now on, and what is sealed opens as before; nobody has to agree to that.
    """
    from keys.model import KeyPurpose

    if purpose is Rotatable.DATA:
        _rotate_data_keys()
        return
    with opened_core() as core:
        request = core.rotations.request(
            KeyPurpose(purpose),
            owner,
            requester=actor(),
            reason=reason,
            algorithm=_algorithm(algorithm),
        )
        if not _is_ready(core, request):
            print_request(request)
            return
        _carried_out(core, request)
        _tell(core, core.rotations.get(request.id))


def _algorithm(named: str) -> KeyAlgorithm | None:
    from keys.model import KeyAlgorithm

    if not named:
        return None
    try:
        return KeyAlgorithm(named)
    except ValueError:
        raise typer.BadParameter("is none of ec-p256, ec-p384, rsa-3072", param_hint="--algorithm") from None


def rotations() -> None:
    """Rotations, how far they have come, and what comes next."""
    with opened_core() as core:
        listed = core.rotations.newest()
        print_listing(
            ("Rotation", "Began", "Phase"),
            [(one.id, _words(one), (f"{one.began_at:%Y-%m-%d %H:%M}", one.phase.value)) for one in listed],
        )


def cancel(
    rotation: Annotated[str, typer.Argument(help="Its id, as `absah keys rotations` shows it.")],
    *,
    reason: Why = "",
) -> None:
    """Call off a rotation that waits for its certificate: the new key is destroyed, the old one stays in use.

    Whoever asked for it is told. Nobody has to agree: nothing was signed with the new key.
    """
    from app.rotation.model import Phase

    with opened_core() as core:
        core.cancellations.cancel(rotation, actor=actor(), reason=reason)
        _carried_out(core, core.dual_control.history(rotation)[0].request)
        found = core.rotations.get(rotation)
    if found.phase is not Phase.CANCELLED:
        err.print(f"[red]{found.phase}:[/red] {escape(found.detail)}", soft_wrap=True)
        raise typer.Exit(1)
    for key_id in found.keys:
        out.print(f"{key_id} is destroyed; `absah keys evidence` tells how.", soft_wrap=True)
    out.print("The key before it stays in use. The request for its certificate is worth nothing any more.")


def retire(key: Key, *, reason: Why = "") -> None:
    """Let a key sign no more, without a successor. What it signed stays valid."""
    from keys.approvals import KeyAct

    _asked(KeyAct.RETIRE, key, reason, "signs no more")


def reinstate(key: Key, *, reason: Why = "") -> None:
    """Let a suspended key sign again."""
    from keys.approvals import KeyAct

    _asked(KeyAct.REINSTATE, key, reason, "signs again")


def destroy(key: Key, *, reason: Why = "") -> None:
    """Make a retired key unrecoverable, and record the evidence. This cannot be undone."""
    from app.rotation.endings import BACKUPS
    from keys.approvals import KeyAct

    if _asked(KeyAct.DESTROY, key, reason, "is destroyed; `absah keys evidence` tells how"):
        out.print(BACKUPS, soft_wrap=True)


def evidence(key: Key) -> None:
    """What is on record about the destruction of a key, as JSON."""
    with opened_core() as core:
        found = core.key_endings.destruction_of(key)
    typer.echo(json.dumps(asdict(found), indent=2, default=str))


def attest(
    key: Key, words: Annotated[str, typer.Argument(help="What was done with which backups, on one line.")]
) -> None:
    """Record that a destroyed key was removed from the backups, too, in your name."""
    with opened_core() as core:
        found = core.key_endings.attest(key, words, actor=actor())
    out.print(f"{key}: attested by {found.attested_by} on {found.attested_at:%Y-%m-%d %H:%M} UTC")


def _asked(act: KeyAct, key: str, reason: str, done: str) -> bool:
    """Ask for an act and, where nobody has to agree, wait for it; whether it was carried out."""
    from keys.approvals import RequestState

    with opened_core() as core:
        request = core.key_endings.request(act, key, requester=actor(), reason=reason)
        if not _is_ready(core, request):
            print_request(request)
            return False
        _carried_out(core, request)
        kept, _ = core.dual_control.history(request.id)
        if kept.state is not RequestState.DONE:
            err.print(f"[red]{kept.state}:[/red] {kept.detail or 'it goes on in the worker'}")
            raise typer.Exit(1)
    out.print(f"{key} {done}")
    return True


def _is_ready(core: Core, request: KeyRequest) -> bool:
    from keys.approvals import RequestState

    return core.dual_control.standing(request.id).state is not RequestState.WAITING


def _carried_out(core: Core, request: KeyRequest) -> None:
    """Work on it here, or watch the worker that does."""
    from app.workflows import runner
    from app.workflows.known import known_workflows
    from keys.approvals import RequestState

    ended = {RequestState.DONE, RequestState.FAILED, RequestState.CANCELLED}
    end, told = time.monotonic() + _PATIENCE, 0
    with out.status(f"{request.act} …") as status:

        def goes_on() -> bool:
            nonlocal told
            for words in _phases(core, request)[told:]:
                told += 1
                out.print(f"  {words}")
                status.update(f"{words} …")
            if _waits_for_people(core, request):
                return False
            return core.dual_control.standing(request.id).state not in ended

        while goes_on() and time.monotonic() < end:
            if not runner.run_while(core.database, known_workflows(core), goes_on, poll=_LOOK):
                time.sleep(_LOOK)  # another process works on it


def _waits_for_people(core: Core, request: KeyRequest) -> bool:
    from app.rotation.errors import RotationUnknown

    try:
        return core.rotations.get(request.id).waits_for_people
    except RotationUnknown:
        return False


def _phases(core: Core, request: KeyRequest) -> tuple[str, ...]:
    """What a rotation has come through; nothing for other acts."""
    from app.rotation.errors import RotationUnknown
    from app.rotation.model import BEFORE_SWITCH, CALLED_OFF, Phase

    try:
        phase = core.rotations.get(request.id).phase
    except RotationUnknown:
        return ()
    if phase in BEFORE_SWITCH:
        return tuple(one.value for one in BEFORE_SWITCH[: BEFORE_SWITCH.index(phase) + 1])
    is_lost = phase is Phase.FAILED or phase in CALLED_OFF
    return (phase.value,) if is_lost else (*(one.value for one in BEFORE_SWITCH), phase.value)


def _tell(core: Core, rotation: Rotation) -> None:
    from app.rotation.model import CALLED_OFF, Phase

    if rotation.phase is Phase.FAILED or rotation.phase in CALLED_OFF:
        words = f"{escape(rotation.detail)} The key before it stays in use."
        err.print(f"[red]{rotation.phase}:[/red] {words}", soft_wrap=True)
        raise typer.Exit(1)
    if rotation.waits_for_people:
        out.print(f"Waits         {rotation.detail}", soft_wrap=True)
        out.print("The key before it stays in use, and `absah worker` goes on when that is done.")
        out.print(f"To call it off: `absah keys cancel {rotation.id}`.", soft_wrap=True)
        return
    for key_id in rotation.keys:
        key = core.keys.get(key_id)
        out.print(f"{key.id} ({key.algorithm}) {_words(rotation)}", soft_wrap=True)


def _words(rotation: Rotation) -> str:
    from app.rotation.model import Phase

    if rotation.phase is Phase.SWITCHED:
        return f"{rotation.use} is in use; its predecessor retires {rotation.retire_at:%Y-%m-%d %H:%M} UTC"
    return f"{rotation.use} {rotation.detail}".strip()


def _rotate_data_keys() -> None:
    from app.vault import PURPOSES

    with opened_core() as core, core.database.exclusively():
        for data_key in PURPOSES:
            version = core.envelope.rotate(data_key, actor=actor())
            out.print(f"{data_key} is sealed by version {version} now")
