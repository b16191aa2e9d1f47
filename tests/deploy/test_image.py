"""The Dockerfile copies what there is, and what it installs is whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from tests.support.needs import ROOT

PACKAGES = [
    pattern.rstrip("*")
    for pattern in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"][
        "find"
    ]["include"]
]


def test_the_base_is_pinned_and_the_process_is_not_root(dockerfile: list[list[str]]) -> None:
    arguments = dict(words[1].split("=", 1) for words in dockerfile if words[0] == "ARG")
    assert arguments["PYTHON_IMAGE"].count(".") == 2, "pin the base to a patch release"
    stages = [words[1] for words in dockerfile if words[0] == "FROM"]
    assert stages == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}"]
    last = dockerfile[max(number for number, words in enumerate(dockerfile) if words[0] == "FROM") :]
    assert ["USER", "10001:10001"] in last
    assert "HEALTHCHECK" in [words[0] for words in last]


def test_what_is_copied_exists_and_every_package_is_copied(dockerfile: list[list[str]]) -> None:
    copied = {
        source
        for words in dockerfile
        if words[0] == "COPY" and not words[1].startswith("--from")
        for source in words[1:-1]
    }
    for source in copied:
        assert (ROOT / source).exists(), f"{source} is not in the project"
    assert set(PACKAGES) <= copied
    allowed = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines()}
    assert copied <= allowed


def test_dependencies_are_installed_by_hash_and_ours_without_an_index(dockerfile: list[list[str]]) -> None:
    installs = [
        words for words in dockerfile if words[0] == "RUN" and "install" in words and "pip" in words[1]
    ]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert {"--no-deps", "--no-index"} <= set(installs[1])


def test_the_wheel_holds_every_file_that_the_packages_hold(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", tmp_path, source),
        ],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("absah-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    expected = {
        str(file.relative_to(source))
        for package in PACKAGES
        for file in (source / package).rglob("*")
        if file.is_file()
    }
    assert sorted(expected - packed) == []
