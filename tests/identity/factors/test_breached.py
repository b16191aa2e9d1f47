"""The operator's list of breached passwords: found on disk, whatever its size, and never in memory."""

from __future__ import annotations

import hashlib
import random
import tracemalloc
from pathlib import Path

import pytest

from app.audit import Audit
from app.database import Database
from app.vault import CustodyVault
from identity.factors.breached import BreachedPasswords
from identity.factors.errors import PasswordBreached
from identity.factors.service import Factors
from identity.people.contacts import PeopleContacts
from tests.identity.factors.conftest import ORIGIN, RP_ID, Mails
from tests.support.clock import FrozenClock

BREACHED = "lumpia rebung semarang jaya"


def sha1(password: str) -> str:
    return hashlib.sha1(password.encode()).hexdigest().upper()


def written(path: Path, passwords: list[str], *, counted: bool = True, end: str = "\r\n") -> Path:
    """As the downloads are: ordered by hash, with how often each was seen."""
    dice = random.Random(7)
    lines = sorted(sha1(password) for password in passwords)
    text = end.join(f"{line}:{dice.randint(1, 10**7)}" if counted else line for line in lines)
    path.write_bytes((text + end).encode())
    return path


@pytest.mark.parametrize("count", [1, 2, 60, 150, 3_000])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_every_password_of_the_list_is_found_and_no_other(tmp_path: Path, count: int, end: str) -> None:
    listed = [f"sandi {number}" for number in range(count)]
    breached = BreachedPasswords.open(written(tmp_path / "list.txt", listed, counted=count % 2 == 0, end=end))
    assert all(password in breached for password in listed)
    assert not any(f"lain {number}" in breached for number in range(count))
    assert count / 2 <= breached.estimate() <= count * 2


def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    path = written(tmp_path / "list.txt", [f"sandi {number}" for number in range(500)])
    path.write_bytes(path.read_bytes().rstrip())
    last = max((f"sandi {number}" for number in range(500)), key=sha1)
    assert last in BreachedPasswords.open(path)


def test_small_letters_and_hashes_alone_are_read_too(tmp_path: Path) -> None:
    path = written(tmp_path / "list.txt", ["satu", "dua", "tiga"], counted=False)
    path.write_text(path.read_text().lower())
    assert "dua" in BreachedPasswords.open(path)


def test_a_look_up_keeps_nothing_of_a_large_list(tmp_path: Path) -> None:
    breached = BreachedPasswords.open(
        written(tmp_path / "list.txt", [f"sandi {number}" for number in range(60_000)])
    )
    assert breached.path.stat().st_size > 2_500_000
    tracemalloc.start()
    assert "sandi 4711" in breached
    assert "bukan sandi" not in breached
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 64 * 1024


@pytest.mark.parametrize(
    "content",
    [b"", b"123456\nqwerty\n", b"x" * 100_000, b"\0" * 5_000, b"A" * 40 + b":1:2\n", b"A" * 39 + b"\n"],
)
def test_another_file_is_refused_at_the_start(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"SHA-1"):
        BreachedPasswords.open(path)


def test_a_list_in_another_order_is_refused_at_the_start(tmp_path: Path) -> None:
    lines = [sha1(f"sandi {number}") for number in range(5_000)]  # as lists by count are
    path = tmp_path / "list.txt"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="order"):
        BreachedPasswords.open(path)


def test_a_missing_list_is_no_empty_list(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        BreachedPasswords.open(tmp_path / "list.txt")


def test_nobody_can_choose_a_password_of_the_list(
    database: Database, clock: FrozenClock, vault: CustodyVault, mails: Mails, siti: str, tmp_path: Path
) -> None:
    factors = Factors(
        begin=database.begin,
        read=database.read,
        clock=clock,
        audit=Audit(clock=clock),
        vault=vault,
        outbox=mails,
        contacts=PeopleContacts(vault),
        rp_id=RP_ID,
        rp_name="Absah",
        origin=ORIGIN,
        breached=BreachedPasswords.open(written(tmp_path / "list.txt", [BREACHED, "lain"])),
    )
    with pytest.raises(PasswordBreached):
        factors.set_password(siti, BREACHED)
    factors.set_password(siti, f"{BREACHED} baru")
