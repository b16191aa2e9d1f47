"""Holding a ceremony: look at everything, rehearse it, then do it step by step before witnesses.

1. The inputs are read once, and their SHA-256 compared with the script.
2. Every step is rehearsed on throw-away keys, with the code that will run: what fails, fails here.
3. Each step is read aloud and confirmed by those whom the script names, then done, then noted.
4. The transcript is signed, also when the ceremony was broken off: what was done by then stands in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ca.ceremony.acts import Acts
from ca.ceremony.home import Home, write_durably
from ca.ceremony.script import Act, Script, Step
from ca.ceremony.transcript import FORMAT, fingerprint, sign_transcript
from ca.errors import CeremonyRefused, CertificationError
from ca.model import ProfileName
from ca.profiles import profiles
from keys.errors import KeyCustodyError
from keys.model import KeyAlgorithm, KeyPurpose

_LARGEST_INPUT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Planned:
    """A step as it will happen: in words, who confirms it, and which files it writes."""

    step: Step
    words: str
    people: tuple[tuple[str, str], ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """``path`` is the signed transcript. ``broken_off`` says why, and is empty when all of it was done."""

    path: Path
    key: str
    broken_off: str


Confirm = Callable[[Planned, str, str], bool]
"""Asks the person in a role (second and third argument) whether the step may be done."""


def read_inputs(script: Script, beside: Path) -> dict[str, bytes]:
    """The files that the script names, each the one that was reviewed. Raises ``CeremonyRefused``."""
    found = {}
    for name, expected in script.inputs.items():
        try:
            with (beside / name).open("rb") as file:
                content = file.read(_LARGEST_INPUT + 1)
        except OSError as missing:
            raise CeremonyRefused(f"the input {name} cannot be read: {missing.strerror}") from missing
        digest = hashlib.sha256(content).hexdigest()
        if len(content) > _LARGEST_INPUT or digest != expected:
            raise CeremonyRefused(
                f"the input {name} is not the one that the script was written for: its SHA-256 is {digest}"
            )
        found[name] = content
    return found


def rehearse(
    script: Script, home: Home, inputs: Mapping[str, bytes], *, beside: Path, now: datetime
) -> list[Planned]:
    """Everything that will happen, tried on throw-away keys. Writes nothing.

    Raises :class:`ca.errors.CeremonyRefused` naming the step that would fail.
    """
    rules = profiles(script.config)[ProfileName.ROOT]
    acts = Acts(script, home.rehearsal(rules), inputs)
    planned = []
    for step in script.steps:
        if step.act is Act.PUBLISH and (beside / step.fields["folder"]).exists():
            raise CeremonyRefused(f"step {step.number}: the folder {step.fields['folder']} exists already")
        try:
            words = acts.words(step)
            outcome = acts.run(step, now)
        except CertificationError as refused:
            raise CeremonyRefused(f"step {step.number} ({step.act}) would fail: {refused}") from refused
        people = tuple((role, script.roles[role]) for role in step.confirmed_by)
        planned.append(Planned(step, words, people, tuple(outcome.files)))
    return planned


def hold(
    script: Script,
    home: Home,
    inputs: Mapping[str, bytes],
    planned: list[Planned],
    *,
    script_sha256: str,
    beside: Path,
    software: str,
    clock: Callable[[], datetime],
    confirm: Confirm,
) -> Held:
    """Do it. Whoever does not confirm ends the ceremony; the transcript says so."""
    key = home.signing_key()
    if key is None:
        key = home.generate(KeyPurpose.CEREMONY, KeyAlgorithm.EC_P256, clock())
        home.save(home)
    acts, done, broken_off = Acts(script, home, inputs), [], ""
    started_at = clock()
    for plan in planned:
        entry: dict[str, Any] = {"number": plan.step.number, "act": plan.step.act, "words": plan.words}
        entry |= {"confirmed": [], "outputs": []}
        done.append(entry)
        try:
            broken_off = _confirmed(plan, entry, clock, confirm)
            if broken_off:
                break
            entry["outputs"] = _done(acts, plan.step, beside, clock())
            entry["done_at"] = _time(clock())
        except (CertificationError, KeyCustodyError, OSError) as failed:
            broken_off = f"step {plan.step.number} failed: {failed}"
            break
        except KeyboardInterrupt:
            broken_off = f"step {plan.step.number} was interrupted"
            break
    content = {
        "format": FORMAT,
        "software": software,
        "title": script.title,
        "place": script.place,
        "script_sha256": script_sha256,
        "roles": dict(script.roles),
        "witnesses": list(script.witnesses),
        "key_store": home.store.name,
        "inputs": [{"name": name, "sha256": digest} for name, digest in script.inputs.items()],
        "started_at": _time(started_at),
        "ended_at": _time(clock()),
        "outcome": broken_off or "completed",
        "steps": done,
        "previous": home.transcripts[-1] if home.transcripts else "",
    }
    text = sign_transcript(content, key.public_key, home.handle(key.id).sign)
    path = beside / f"transcript-{len(home.transcripts) + 1}.json"
    write_durably(path, text)
    home.transcripts.append(hashlib.sha256(text).hexdigest())
    home.save(home)
    return Held(path, fingerprint(key.public_key), broken_off)


def _confirmed(plan: Planned, entry: dict[str, Any], clock: Callable[[], datetime], confirm: Confirm) -> str:
    for role, person in plan.people:
        if not confirm(plan, role, person):
            return f"{person} ({role}) did not confirm step {plan.step.number}"
        entry["confirmed"].append({"role": role, "name": person, "at": _time(clock())})
    return ""


def _done(acts: Acts, step: Step, beside: Path, now: datetime) -> list[dict[str, str]]:
    files = acts.run(step, now).files
    folder = step.fields.get("folder")
    if folder is not None:
        for name, content in files.items():
            write_durably(beside / folder / name, content)
    return [{"name": name, "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()]


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
