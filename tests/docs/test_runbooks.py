"""The runbook is executed as it stands, so that it works on the day when it is needed.

Commands in ``console`` blocks run one after the other against a service in the state that the runbook
describes. What is printed there must be printed: line by line, but for ids, times, names and blanks.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.demo import sample_documents
from tests.support import commands
from tests.support.needs import ROOT
from tests.support.server import absah, environment

RUNBOOK = ROOT / "docs" / "runbooks" / "compromise.md"
PASSPHRASE = "tujuh kuda lumping biru"
_IDS = (
    (r"\b(seal|case|key-request|tsu|issuing)-[0-9a-f]{10,}", r"\1-…"),
    (r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?", "DATE"),
    (r"cli:\w+", "cli:NAME"),
    (r"\s+", " "),
)


@dataclass(frozen=True)
class Step:
    command: str
    printed: tuple[str, ...]


def steps() -> Iterator[Step]:
    for block in re.findall(r"```console\n(.*?)```", RUNBOOK.read_text(), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *printed = part.rstrip("\n").split("\n")
            yield Step(command, tuple(printed))


def plain(text: str) -> str:
    for pattern, placeholder in _IDS:
        text = re.sub(pattern, placeholder, text)
    return text.strip()


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return {"ABSAH_DATA_DIR": str(tmp_path / "data"), "ABSAH_KEYS_APPROVALS": "2", "COLUMNS": "300"}


@pytest.fixture
def told(settings: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The words to fill in, of a service with custodians, and documents of before the loss and after it."""
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n")
    absah("init", settings=settings)
    add = ("agency", "add", "dinas", "--name", "Dinas Contoh", "--organization-identifier", "NTRID-1")
    absah(*add, settings=settings)
    for name in ("ani", "budi"):
        key, public = tmp_path / f"{name}.key", tmp_path / f"{name}.key.pub"
        made = ("keys", "custodian", "new-key", key, "--passphrase-file", tmp_path / "passphrase")
        absah(*made, settings={})
        absah("keys", "custodian", "add", name, "--public-key", public, settings=settings)
    (tmp_path / "in.pdf").write_bytes(sample_documents()[0].pdf)

    def seal(number: str) -> str:
        facts = ("--number", number, "--title", "Penetapan", "--signatory", "Kepala", "--type", "decree")
        absah("seal", tmp_path / "in.pdf", "-o", tmp_path / f"{number}.pdf", *facts, settings=settings)
        return f"{number}.pdf"

    before = [seal(f"before-{n}") for n in (1, 2)]
    time.sleep(1.5)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    time.sleep(1.5)
    after = [seal(f"after-{n}") for n in (1, 2)]
    key = re.search(r"seal-[0-9a-f]{10,}", absah("keys", "list", settings=settings).stdout)
    assert key is not None
    return {"KEY": key[0], "SINCE": since, "BEFORE": before[0], "AFTER": after[0]}


def run(command: str, *, settings: dict[str, str], folder: Path) -> str:
    """As somebody types it; who is asked says yes, and types their passphrase."""
    absah, *words = command.split()
    assert absah == "absah"
    done = commands.run(
        words, environment=environment(settings), timeout=120, given=f"y\n{PASSPHRASE}\n", folder=folder
    )
    assert done.returncode in {0, 1} if " verify " in command else done.returncode == 0, (
        f"{command}\n{done.stdout}\n{done.stderr}"
    )
    return done.stdout + done.stderr


@pytest.mark.timeout(900)
def test_every_command_of_the_runbook_does_and_prints_what_it_says(
    settings: dict[str, str], told: dict[str, str], tmp_path: Path
) -> None:
    ran = 0
    for step in steps():
        if "$FALSE_ALARM" in step.command:
            told["FALSE_ALARM"] = _false_alarm(settings)
        command = re.sub(r"\$([A-Z_]+)", lambda name: told[name[1]], step.command)
        said = run(command, settings=settings, folder=tmp_path)
        printed = {plain(line) for line in said.splitlines()}
        for line in step.printed:
            assert any(plain(line) in one for one in printed), f"{command}\n{line!r} is not in\n{said}"
        for name, pattern in (("CASE", r"case-[0-9a-f]+"), ("REQUEST", r"key-request-[0-9a-f]+")):
            found = re.search(pattern, said)
            if found is not None:
                told.setdefault(name, found[0])
        ran += 1
    assert ran >= 10
    listed = (tmp_path / "impact.csv").read_text().splitlines()
    assert len(listed) == 5
    assert [line.split(",")[9] for line in listed[1:]] == ["before", "before", "after", "after"]


def _false_alarm(settings: dict[str, str]) -> str:
    """Another key that somebody worried about."""
    key = re.findall(r"seal-[0-9a-f]{10,}", absah("keys", "list", settings=settings).stdout)[-1]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    said = absah("keys", "compromise", key, "--since", now, "--yes", settings=settings).stdout
    found = re.search(r"case-[0-9a-f]+", said)
    assert found is not None
    return found[0]


def test_every_command_and_setting_that_the_runbook_names_exists(settings: dict[str, str]) -> None:
    from app.settings import Settings

    text = RUNBOOK.read_text()
    for words in sorted({tuple(found.split()) for found in re.findall(r"`absah ([a-z ]+[a-z])", text)}):
        shown = absah(*words[:2], "--help", settings=settings, check=False)
        assert shown.returncode == 0, words
    for name in re.findall(r"ABSAH_([A-Z]+)_([A-Z_]+)", text):
        section = getattr(Settings(), name[0].lower())
        assert hasattr(section, name[1].lower()), name


def test_the_public_is_told_the_same_in_both_languages() -> None:
    text = RUNBOOK.read_text()
    indonesian = re.search(r"> \*\*Bahasa Indonesia\.\*\*(.*?)\n\n", text, re.DOTALL)
    english = re.search(r"> \*\*English\.\*\*(.*?)\n\n", text, re.DOTALL)
    assert indonesian is not None
    assert english is not None
    assert len(re.findall(r"\[[^\]]+\]", indonesian[1])) == len(re.findall(r"\[[^\]]+\]", english[1])) >= 5
