"""``absah keys compromise``, ``keys impact`` and ``case`` as operators type them, beside the runbook."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from asn1crypto import tsp

from keys.model import KeyPurpose, KeyState
from tests.app.compromise.conftest import Town, finish
from tests.support.server import absah

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run(town: Town) -> Run:
    given = {
        "ABSAH_DATA_DIR": str(town.core.settings.home),
        "ABSAH_DATABASE_URL": town.core.settings.database_url,
    }
    return lambda *words, **more: absah(*words, settings=given, **more)


@pytest.mark.either_database
def test_nothing_happens_without_a_yes_and_the_question_names_the_key(town: Town, run: Run) -> None:
    refused = run("keys", "compromise", town.key, "--since", "2026-01-01T00:00Z", check=False)
    assert refused.returncode == 1
    assert town.key in refused.stdout
    assert "Stop this key now?" in refused.stdout
    assert town.core.keys.get(town.key).state is KeyState.ACTIVE
    assert town.answer.list() == []


@pytest.mark.either_database
def test_what_cannot_be_is_said_in_words(town: Town, run: Run) -> None:
    root = town.core.keys.newest(KeyPurpose.ROOT_CA).id
    for arguments, words in (
        (("keys", "compromise", "seal-1", "--since", "2026-01-01T00:00Z", "--yes"), "absah keys list"),
        (("keys", "compromise", town.key, "--since", "yesterday", "--yes"), "time and zone"),
        (("keys", "compromise", town.key, "--since", "2026-01-01T00:00", "--yes"), "time and zone"),
        (("keys", "compromise", town.key, "--since", "2090-01-01T00:00Z", "--yes"), "future"),
        (("keys", "compromise", root, "--since", "2026-01-01T00:00Z", "--yes"), "runbooks/compromise.md"),
        (("case", "show", "case-1"), "absah case list"),
        (("case", "resume", "case-1"), "absah case list"),
        (("case", "evidence", "0000000000000000", "-o", "x.ers"), "0000"),
    ):
        said = run(*arguments, check=False)
        assert said.returncode != 0, arguments
        assert words in " ".join(said.stderr.split()), arguments
        assert "Traceback" not in said.stderr


@pytest.mark.either_database
def test_the_list_and_the_evidence_are_handed_out(town: Town, run: Run, tmp_path: Path) -> None:
    unit = town.core.keys.newest(KeyPurpose.TIMESTAMPING).id
    since = ("--since", town.lost_at.isoformat())
    lines = run("keys", "impact", unit, *since, "--format", "json").stdout.splitlines()
    assert [json.loads(line)["class"] for line in lines] == ["none"] * 6
    never = run("case", "evidence", town.after[0], "-o", tmp_path / "x.ers", check=False)
    assert (never.returncode, "never stamped again" in never.stdout) == (1, True)
    case = finish(town, town.open(unit))
    assert "closed" in run("case", "show", case.id).stdout
    assert case.id in run("case", "list").stdout
    run("case", "evidence", town.after[0], "-o", tmp_path / "x.ers")
    record = tsp.EvidenceRecord.load((tmp_path / "x.ers").read_bytes(), strict=True)
    assert record["version"].native == "v1"
