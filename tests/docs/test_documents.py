"""What the documents say about the tree is true: every path and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.needs import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
TOP = {entry.name for entry in ROOT.iterdir() if entry.is_dir()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_and_every_named_path_exists(document: Path) -> None:
    text = document.read_text()
    dead = [
        target
        for target in re.findall(r"(?:\]\(|src=\")([^)#\"\s]+)", text)
        if "://" not in target and not (document.parent / target).exists()
    ]
    dead += [
        path
        for path in re.findall(r"`([A-Za-z_.]+/[\w./-]+)`", text)
        if path.split("/")[0] in TOP - {"var"} and not (ROOT / path).exists()
    ]
    assert not dead


def test_every_decision_is_numbered_once_and_in_order() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "adr").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_threat_stands_in_one_table_and_is_numbered_once() -> None:
    _, attacks = (ROOT / "docs" / "threat-model.md").read_text().split("## Who attacks, and how")
    table, _ = attacks.split("\n## ", 1)
    rows = [line for line in table.strip().splitlines() if line.startswith("| ")]
    assert table.strip().count("\n\n") == 0, "a blank line ends a table"
    assert [int(row.split("|")[1]) for row in rows[1:]] == list(range(1, len(rows)))


def test_nothing_at_the_top_is_there_without_a_reason() -> None:
    """The fixed layout, and what every project of its kind has beside it."""
    expected = {
        "identity",
        "signing",
        "verify",
        "ca",
        "keys",
        "app",
        "tests",
        "docs",
        "benchmarks",
        "examples",
    }
    found = {name for name in TOP if not name.startswith((".", "__"))}
    assert found - {"requirements", "var", "build", "absah.egg-info"} == expected
