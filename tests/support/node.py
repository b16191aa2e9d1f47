"""Programs that run in Node.js: other people's certified clients, installed from ``tests/clients``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.needs import ROOT, tool_path
from tests.support.processes import tied_to_us

CLIENTS: Final = ROOT / "tests" / "clients"


def node_module(name: str) -> Path:
    """Where an installed package lies; skips where ``npm ci`` has not run."""
    found = CLIENTS / "node_modules" / name
    if not found.is_dir():
        pytest.skip(f"{name} is missing: npm ci --prefix tests/clients")
    return found


class NodeRefused(Exception):
    """What the program threw: ``code`` is the protocol's word where there is one."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class NodeProgram:
    """A program that answers one JSON line for each that it gets."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, command: str, **given: Any) -> Any:
        """Raises :class:`NodeRefused` with what the program threw."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **given}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the program ended"
        answer = json.loads(line)
        if "ok" not in answer:
            raise NodeRefused(answer["error"], answer["message"])
        return answer["ok"]


@contextmanager
def running(script: str, *needs: str) -> Iterator[NodeProgram]:
    """``tests/clients/<script>``, which imports the packages ``needs``; ended at the end."""
    node = tool_path("node")
    for name in needs:
        node_module(name)
    process = subprocess.Popen(
        [*tied_to_us("TERM"), node, script],
        cwd=CLIENTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield NodeProgram(process)
    finally:
        process.terminate()
        process.communicate(timeout=10)
