"""Agencies and holders are told in their own language, once, and only what concerns them."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest

from app.compromise.model import Step
from identity.operators.model import Role
from keys.model import KeyPurpose
from signing.model import Holder, HolderKind
from tests.app.compromise.conftest import HOUR, Town, finish, forget
from tests.app.walker import appoint, give_passkey, person
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock

NIK = "3273015702560001"


class Postman:
    """Keeps what is delivered: to whom, and the plain text with its subject."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, str]] = []

    @contextmanager
    def round(self) -> Any:
        yield self

    def hand_over(self, message: Any, *, to: str) -> None:
        self.letters.append((to, f"{message['Subject']}\n{message.get_body(('plain',)).get_content()}"))


def citizen(town: Town, postman: Postman, *, nik: str, email: str, language: str) -> str:
    people = town.core.citizens.people
    town.core.outbox.deliver(postman)
    postman.letters.clear()
    people.open_proofed(
        officer_id="cli:test",
        nik=nik,
        name="Siti Rahmawati",
        birth_date=date(1956, 2, 17),
        email=email,
        language=language,
        send=True,
    )
    town.core.outbox.deliver(postman)
    code = re.search(r"code=(\S+)", "\n".join(text for to, text in postman.letters if to == email))
    assert code is not None
    found = people.activate(code[1]).id
    town.core.outbox.deliver(postman)
    postman.letters.clear()
    return str(found)


@pytest.mark.parametrize(
    ("language", "lost", "renewed", "anew"),
    [
        ("id", "Kunci penyegel", "selesai disegel ulang", "Dokumen Anda disegel ulang"),
        ("en", "was lost", "are sealed anew", "A document of yours was sealed anew"),
    ],
)
def test_the_agencys_administrators_and_the_holders_are_told_once(
    town: Town, api: InProcess, clock: FrozenClock, language: str, lost: str, renewed: str, anew: str
) -> None:
    core, postman = town.core, Postman()
    appoint(core, person(core, api, clock, 1), Role.AUDITOR)
    administrator = citizen(town, postman, nik="3273015702560002", email="admin@contoh.id", language=language)
    give_passkey(core, administrator)
    walker = type("Held", (), {"person_id": administrator})()
    appoint(core, walker, Role.AGENCY_ADMINISTRATOR, "dinas")
    citizen(town, postman, nik=NIK, email="siti@contoh.id", language=language)
    core.outbox.deliver(postman)
    postman.letters.clear()
    holder = Holder("Siti Rahmawati", HolderKind.PERSON, core.vault.fingerprint("nik", NIK))
    forget(core)
    for number in ("one", "two"):
        town.after.append(town.seal(number, holder=holder).id)
    clock.advance(HOUR)
    case = finish(town, town.open())
    assert case.step is Step.CLOSED
    core.outbox.deliver(postman)
    told = [(to, text.partition("\n")[0]) for to, text in postman.letters]
    assert [to for to, _ in told].count("siti@contoh.id") == 1, "one letter for two documents"
    subjects = {to: [subject for to_, subject in told if to_ == to] for to, _ in told}
    assert any(anew in subject for subject in subjects["siti@contoh.id"])
    assert any(lost in subject for subject in subjects["admin@contoh.id"])
    assert any(renewed in subject for subject in subjects["admin@contoh.id"])
    letters = "\n".join(text for _, text in postman.letters)
    assert "Dinas Contoh" in letters
    assert re.search(r"\b5\b", letters), "how many documents"
    assert NIK not in letters
    # Another round of the same case tells nobody anything twice.
    postman.letters.clear()
    town.lost_at -= HOUR / 2
    finish(town, town.open(case.key_id))
    core.outbox.deliver(postman)
    assert all(to != "siti@contoh.id" for to, _ in postman.letters)


@pytest.mark.either_database
def test_nobody_is_told_of_a_lost_unit_because_nothing_changes_for_them(town: Town) -> None:
    postman = Postman()
    finish(town, town.open(town.core.keys.newest(KeyPurpose.TIMESTAMPING).id))
    town.core.outbox.deliver(postman)
    assert postman.letters == []
