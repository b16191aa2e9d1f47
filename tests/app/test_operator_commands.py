"""``absah operator``: appointing people from the command line, on a new installation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.server import absah

NIK = "9971015403790001"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    made = {"ABSAH_DATA_DIR": str(tmp_path / "data")}
    absah("init", settings=made)
    return made


def invite(settings: dict[str, str], serial: int, *options: str) -> str:
    nik = f"997101540379{serial:04}"
    who = ("--nik", nik, "--name", "Ratna Wulandari", "--birth-date", "14-03-1979")
    return absah("operator", "invite", *who, *options, settings=settings).stdout


def test_an_auditor_is_in_force_at_once_and_an_officer_waits_for_one(settings: dict[str, str]) -> None:
    early = invite(settings, 1, "--role", "officer")
    assert "waits for an auditor" in early
    assert "no auditor yet" in early
    assert re.search(r"Code +[0-9A-Z]{4}(-[0-9A-Z]{4}){3}\b", early)
    invited = invite(settings, 2, "--role", "auditor")
    assert "in force" in invited
    assert "no auditor yet" not in invite(settings, 3, "--role", "key_custodian")
    listed = absah("operator", "list", settings=settings).stdout
    assert all(words in listed for words in ("officer", "auditor", "proposed", "active", "Ratna Wulandari"))
    assert NIK not in listed
    # Two duties that check each other are refused, whoever asks.
    person = re.search(r"person-[0-9a-f]{32}", invited).group()  # type: ignore[union-attr]
    refused = absah("operator", "add", person, "officer", settings=settings, check=False)
    assert refused.returncode == 1
    assert "one checks the other" in refused.stderr
    # A role is taken away, and only once.
    grant = re.search(r"grant-[0-9a-f]{24}", invited).group()  # type: ignore[union-attr]
    assert "no longer auditor" in absah("operator", "remove", grant, settings=settings).stdout
    assert absah("operator", "remove", grant, settings=settings, check=False).returncode == 1


def test_what_is_not_a_role_or_a_date_is_said_in_words(settings: dict[str, str]) -> None:
    for arguments in (
        ("operator", "add", "person-0", "king"),
        ("operator", "invite", "--nik", NIK, "--name", "R", "--birth-date", "1979-03-14"),
    ):
        refused = absah(*arguments, settings=settings, check=False)
        assert refused.returncode != 0
        assert "Traceback" not in refused.stderr
