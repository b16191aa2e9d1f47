"""What `make run` starts is the whole service, and what the README tells newcomers to type works on it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.demo import sample_documents
from tests.support.needs import ROOT, requires
from tests.support.server import RunningServer, environment, free_port

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """`absah demo`, which sealed its samples before it began to serve. Stops when it is told to."""
    folder, port = tmp_path_factory.mktemp("demo"), free_port()
    settings = {"ABSAH_DATA_DIR": str(folder / "data"), "ABSAH_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    server = RunningServer(settings, (), folder / "demo.log", port, command=("demo",))
    server.start()
    yield server
    status = server.stop()
    server.close()
    assert status == 0, server.output()


def typed(fence: int) -> list[str]:
    """The commands of one block of the README's first steps, as a newcomer would paste them."""
    steps = (ROOT / "README.md").read_text().split("## A first document")[1].split("\n## ")[0]
    block = re.findall(r"```console\n(.*?)```", steps, re.DOTALL)[fence]
    return [command.removeprefix("$ ") for command in re.split(r"\n(?=\$ )", block.strip())]


def paste(command: str, folder: Path, server: RunningServer, **variables: str) -> str:
    local = command.replace("http://127.0.0.1:8000", server.base_url)
    surroundings = environment(server.settings) | variables
    surroundings["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", local],
        cwd=folder,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{local}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a newcomer stands: beside a letter."""
    (tmp_path / "letter.pdf").write_bytes(sample_documents()[0].pdf)
    return tmp_path


@requires("pdfsig")
def test_the_first_document_of_the_readme_is_sealed_and_verified(demo: RunningServer, folder: Path) -> None:
    activate, *commands = typed(0)
    assert activate == ". .venv/bin/activate"
    printed = [paste(command, folder, demo) for command in commands]
    assert "Signature is Valid" in printed[-1]


@requires("curl")
def test_the_first_request_of_the_readme_gives_back_a_sealed_file(demo: RunningServer, folder: Path) -> None:
    client, secret = re.search(r"client-[0-9a-f]+", demo.output()), re.search(r"absah_\S+", demo.output())
    assert client, demo.output()
    assert secret, demo.output()
    ask, seal = typed(1)
    token = re.search(
        r'"access_token":"([^"]+)"', paste(ask, folder, demo, CLIENT=client[0], SECRET=secret[0])
    )
    assert token
    paste(seal, folder, demo, TOKEN=token[1])
    paste("absah verify sealed.pdf", folder, demo)
