"""`absah audit verify` by its exit status: whoever is called at night knows whether the trail is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.server import absah

WHOLE, BROKEN, COULD_NOT_LOOK = 0, 1, 3


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised service with an export of its trail beside it."""
    folder = tmp_path_factory.mktemp("trail")
    settings = {"ABSAH_DATA_DIR": str(folder / "data")}
    absah("init", settings=settings)
    absah("audit", "export", folder / "trail.jsonl", settings=settings)
    return folder


def status(home: Path, *arguments: object, data: str = "data") -> tuple[int, str]:
    settings = {"ABSAH_DATA_DIR": str(home / data)}
    done = absah("audit", "verify", *arguments, settings=settings, check=False)  # type: ignore[arg-type]
    return done.returncode, done.stderr


def test_a_whole_trail_is_whole_from_the_database_and_from_a_file(home: Path) -> None:
    for arguments in ((), (home / "trail.jsonl",)):
        assert status(home, *arguments) == (WHOLE, "")


def test_an_altered_entry_is_a_broken_trail(home: Path) -> None:
    altered = home / "altered.jsonl"
    altered.write_text((home / "trail.jsonl").read_text().replace("key.generated", "key.generatex", 1))
    found, said = status(home, altered)
    assert found == BROKEN
    assert "broken at entry" in said


def test_what_keeps_from_looking_is_no_broken_trail(home: Path, subtests: pytest.Subtests) -> None:
    (home / "cut-off.jsonl").write_bytes((home / "trail.jsonl").read_bytes()[:-40])
    (home / "letter.txt").write_text("Yth. Bapak/Ibu\n")
    for name, arguments, data in (
        ("no installation", (), "nowhere"),
        ("no file", (home / "missing.jsonl",), "data"),
        ("a folder", (home,), "data"),
        ("no export", (home / "letter.txt",), "data"),
        ("cut off", (home / "cut-off.jsonl",), "data"),
        ("no trust folder", (home / "trail.jsonl", "--trust", home / "missing"), "data"),
        ("no head", ("--since", "yesterday"), "data"),
    ):
        with subtests.test(name):
            found, said = status(home, *arguments, data=data)
            assert found == COULD_NOT_LOOK, said
            assert said
            assert "Traceback" not in said


def test_the_help_says_what_each_status_means(home: Path) -> None:
    said = " ".join(absah("audit", "verify", "--help", settings={"COLUMNS": "200"}).stdout.split())
    for words in ("0 whole", "1 broken", "2 whole, but", "3 could not look"):
        assert words in said
