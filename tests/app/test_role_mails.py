"""Whoever is given a role, or loses one, reads of it: nobody acts in somebody's name behind their back."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import date, timedelta

import pytest

from app.wiring import Core
from identity.operators.model import Role
from tests.app.walker import appoint, give_passkey, person
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock

HOLDER = "holder@contoh.id"
A_MOMENT = timedelta(seconds=1)
"""Mails go out in the order in which they were written."""


class Postman:
    """Keeps the plain text of what is delivered, with its subject."""

    def __init__(self) -> None:
        self.letters: list[str] = []

    @contextmanager
    def round(self):  # type: ignore[no-untyped-def]
        yield self

    def hand_over(self, message, *, to: str) -> None:  # type: ignore[no-untyped-def]
        assert to == HOLDER
        self.letters.append(f"{message['Subject']}\n{message.get_body(('plain',)).get_content()}")


def holder_with_mailbox(core: Core, language: str, postman: Postman) -> str:
    """Somebody whose mailbox is known to be theirs: the code of the counter came by mail."""
    core.citizens.people.open_proofed(
        officer_id="cli:test",
        nik="3273015702560001",
        name="Siti Rahmawati",
        birth_date=date(1956, 2, 17),
        email=HOLDER,
        language=language,
        send=True,
    )
    core.outbox.deliver(postman)
    code = re.search(r"code=(\S+)", postman.letters.pop())
    assert code is not None
    person_id = core.citizens.people.activate(code[1]).id
    give_passkey(core, person_id)
    core.outbox.deliver(postman)
    postman.letters.clear()
    return person_id


@pytest.mark.parametrize(
    ("language", "proposed", "confirmed", "ended", "role"),
    [
        ("id", "menunggu persetujuan", "sudah berlaku", "berakhir", "Penanda tangan, Dinas Contoh"),
        ("en", "waits for a confirmation", "in force", "has ended", "Signatory, Dinas Contoh"),
    ],
)
def test_the_holder_of_a_role_reads_that_it_was_proposed_confirmed_and_ended(
    core: Core, api: InProcess, clock: FrozenClock, language: str, proposed: str, confirmed: str, ended: str,
    role: str,
) -> None:  # fmt: skip
    operators, postman = core.office.operators, Postman()
    auditor = person(core, api, clock, 1)
    appoint(core, auditor, Role.AUDITOR)
    holder = holder_with_mailbox(core, language, postman)
    grant = operators.propose(holder, Role.SIGNATORY, "dinas", actor="cli:test")
    clock.advance(A_MOMENT)
    operators.confirm(grant.id, confirmer_id=auditor.person_id)
    clock.advance(A_MOMENT)
    operators.end(grant.id, actor=auditor.person_id)
    core.outbox.deliver(postman)
    subjects = [letter.partition("\n")[0] for letter in postman.letters]
    assert [
        part in subject for part, subject in zip((proposed, confirmed, ended), subjects, strict=True)
    ] == [True] * 3
    assert all(role in letter for letter in postman.letters)


def test_a_role_that_one_person_can_give_is_in_force_at_once_and_a_restored_account_waits_again(
    core: Core, api: InProcess, clock: FrozenClock
) -> None:
    operators, postman = core.office.operators, Postman()
    auditor = person(core, api, clock, 1)
    appoint(core, auditor, Role.AUDITOR)
    holder = holder_with_mailbox(core, "id", postman)
    operators.propose(holder, Role.HELP_DESK, actor="cli:test")
    clock.advance(A_MOMENT)
    officer = operators.propose(holder, Role.OFFICER, actor="cli:test")
    clock.advance(A_MOMENT)
    operators.confirm(officer.id, confirmer_id=auditor.person_id)
    clock.advance(A_MOMENT)
    with core.database.begin() as tx:
        operators.put_back(tx, holder, actor=auditor.person_id)
    core.outbox.deliver(postman)
    told = [("sudah berlaku" in letter, "Petugas loket" in letter) for letter in postman.letters]
    assert told == [(True, False), (False, True), (True, True), (False, True)]
