"""Sample people: residents of the simulated registry with accounts, and colleagues of theirs in office.

Their passwords and app secrets are made on this machine and kept beside the sample PDFs, so that a second run
shows them again. Nothing of this is made in production.
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyotp

from app.demo.offices import LICENSING
from identity.operators.errors import OperatorUnfit
from identity.operators.model import GrantState, Role
from identity.people.nik import Nik
from identity.people.registry import SAMPLE_RESIDENTS

if TYPE_CHECKING:
    from app.wiring import Core

FILE: Final = "people.json"


@dataclass(frozen=True, slots=True)
class SamplePerson:
    """``roles`` each with the agency that it is held for."""

    nik: Nik
    name: str
    birth_date: date
    title: str
    roles: tuple[tuple[Role, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class SampleLogin:
    """How to log in as a sample person. ``secret`` is for an authenticator app."""

    person_id: str
    nik: str
    name: str
    title: str
    password: str = field(repr=False)
    secret: str = field(repr=False)


def _official(name: str, birth_date: date, serial: int, *, is_woman: bool) -> tuple[Nik, str, date]:
    region = "997101"
    nik = Nik.compose(region=region, birth_date=birth_date, is_woman=is_woman, serial=serial, samples=True)
    return nik, name, birth_date


_CITIZENS: Final = {resident.name: resident for resident in SAMPLE_RESIDENTS}
CITIZEN: Final = _CITIZENS["Bima Arkatama Nugroho"]
"""The head of the sample family card, and so its holder."""

SAMPLE_PEOPLE: Final = (
    SamplePerson(CITIZEN.nik, CITIZEN.name, CITIZEN.birth_date, "citizen"),
    # The auditor before those whose roles an auditor confirms.
    SamplePerson(*_official("Ratna Wulandari", date(1979, 3, 14), 1, is_woman=True), "auditor",
                 ((Role.AUDITOR, None),)),
    SamplePerson(*_official("Dewi Anggraini", date(1985, 6, 2), 1, is_woman=True), "officer, help desk",
                 ((Role.OFFICER, None), (Role.HELP_DESK, None))),
    SamplePerson(*_official("Agus Santosa", date(1974, 11, 27), 1, is_woman=False), "agency administrator",
                 ((Role.AGENCY_ADMINISTRATOR, LICENSING.slug),)),
)  # fmt: skip


def sample_logins(core: Core, folder: Path, *, actor: str) -> list[SampleLogin]:
    """Make the sample people who are not there yet, and say how to log in as each."""
    file = folder / FILE
    known = {login.nik: login for login in _read(file)}
    for sample in SAMPLE_PEOPLE:
        if core.citizens.people.by_nik(sample.nik) is None:
            login = _enrol(core, sample, actor=actor)
            known[login.nik] = login
            _write(file, list(known.values()))
            _appoint(core, sample, login.person_id, actor=actor)
    _confirm(core, known)
    return [known[sample.nik.reveal()] for sample in SAMPLE_PEOPLE if sample.nik.reveal() in known]


def _enrol(core: Core, sample: SamplePerson, *, actor: str) -> SampleLogin:
    """The way that a citizen goes: an account at a counter, its code, a password, an app."""
    people, factors = core.citizens.people, core.citizens.factors
    opened = people.open_proofed(
        officer_id=actor,
        nik=sample.nik.reveal(),
        name=sample.name,
        birth_date=sample.birth_date,
        email=None,
        language="id",
    )
    assert opened.activation_code is not None
    person = people.activate(opened.activation_code)
    password = f"contoh-{secrets.token_hex(5)}"
    factors.set_password(person.id, password)
    setup = factors.begin_totp(person.id)
    secret = setup.secret_text.replace(" ", "")
    factors.confirm_totp(person.id, setup.id, pyotp.TOTP(secret).at(core.clock()))
    people.complete(person.id)
    return SampleLogin(person.id, sample.nik.reveal(), sample.name, sample.title, password, secret)


def _appoint(core: Core, sample: SamplePerson, person_id: str, *, actor: str) -> None:
    for role, agency_id in sample.roles:
        core.office.operators.propose(person_id, role, agency_id, actor=actor)


def _confirm(core: Core, known: dict[str, SampleLogin]) -> None:
    """The sample auditor confirms the roles of sample people who have set up a passkey since the last run."""
    people = {login.person_id: login.title for login in known.values()}
    auditor = next((person_id for person_id, title in people.items() if title == "auditor"), None)
    for grant in core.office.operators.grants():
        if auditor is not None and grant.person_id in people and grant.state is GrantState.PROPOSED:
            with suppress(OperatorUnfit):
                core.office.operators.confirm(grant.id, confirmer_id=auditor)


def _read(file: Path) -> list[SampleLogin]:
    if not file.exists():
        return []
    return [SampleLogin(**entry) for entry in json.loads(file.read_text())]


def _write(file: Path, logins: list[SampleLogin]) -> None:
    file.parent.mkdir(exist_ok=True, parents=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps([asdict(login) for login in logins], indent=2))
