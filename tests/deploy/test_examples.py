"""The examples work as they stand, against the real service."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.demo import SAMPLE_AGENCIES, sample_documents
from tests.support.needs import ROOT, requires
from tests.support.server import RunningServer, absah, free_port

pytestmark = pytest.mark.network
EXAMPLES = ROOT / "examples"
FACTS = {
    "type": "letter",
    "number": "045/12/2026",
    "title": "Undangan rapat",
    "signatory": "Sekretaris Daerah",
    "issued_on": "2026-04-11",
}


@dataclass(frozen=True)
class Served:
    """An installation that runs, and the environment of an agency's system with a client of its own there."""

    settings: dict[str, str]
    environment: dict[str, str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("examples")
    agency = SAMPLE_AGENCIES[0]
    port = free_port()
    settings = {
        "ABSAH_DATA_DIR": str(folder / "data"),
        "ABSAH_PUBLIC_URL": f"http://127.0.0.1:{port}",  # proofs are made for the address that is public
    }
    absah("init", settings=settings)
    printed = absah(
        *("agency", "add", agency.slug, "--name", agency.name),
        *("--organization-identifier", agency.organization_identifier, "--scope", "documents.issue:letter"),
        settings=settings,
    ).stdout
    found = dict(re.findall(r"^(Client|Secret) +(\S+)", printed, re.MULTILINE))
    server = RunningServer(settings, (), folder / "serve.log", port)
    server.start()
    environment = {
        "PATH": os.environ["PATH"],
        "BASE_URL": server.base_url,
        "CLIENT_ID": found["Client"],
        "CLIENT_SECRET": found["Secret"],
    }
    yield Served(settings, environment)
    server.close()


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "letter.pdf"
    path.write_bytes(sample_documents()[0].pdf)
    return path


def test_the_python_example_seals_and_verifies_and_repeats_without_sealing_twice(
    served: Served, letter: Path, tmp_path: Path
) -> None:
    target = tmp_path / "sealed.pdf"
    options = [word for name, value in FACTS.items() for word in (f"--{name.replace('_', '-')}", value)]
    command: list[str | Path] = [sys.executable, EXAMPLES / "agency.py", letter, target, *options]
    first, second = (_run(command, served.environment) for _ in range(2))
    assert "Verified  valid" in first
    assert first == second, "the same document again is the same document"


def test_the_python_example_works_with_keys_as_production_demands(
    served: Served, letter: Path, tmp_path: Path
) -> None:
    settings = served.settings
    key, jwks = tmp_path / "key.pem", tmp_path / "jwks.json"
    absah("client", "new-key", key, jwks, settings=settings)
    printed = absah(
        *("client", "add", SAMPLE_AGENCIES[0].slug, "--name", "with keys", "--jwks", jwks),
        settings=settings,
    ).stdout
    found = dict(re.findall(r"^(Client) +(\S+)", printed, re.MULTILINE))
    environment = {name: served.environment[name] for name in ("PATH", "BASE_URL")}
    environment |= {"CLIENT_ID": found["Client"], "CLIENT_KEY": str(key)}
    target = tmp_path / "sealed.pdf"
    options = [word for name, value in FACTS.items() for word in (f"--{name.replace('_', '-')}", value)]
    command: list[str | Path] = [sys.executable, EXAMPLES / "agency.py", letter, target, *options]
    assert "Verified  valid" in _run(command, environment)


@requires("curl", "openssl")
def test_the_curl_example_seals_and_verifies(served: Served, letter: Path, tmp_path: Path) -> None:
    metadata = tmp_path / "metadata.json"
    metadata.write_text(json.dumps(FACTS))
    target = tmp_path / "sealed.pdf"
    printed = _run([EXAMPLES / "agency.sh", letter, target, metadata], served.environment)
    assert "Verified  valid" in printed
    assert target.read_bytes().startswith(b"%PDF-")


def _run(command: list[str | Path], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
