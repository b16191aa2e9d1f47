"""`oidc-provider` from npm, the certified provider that Node.js projects use, in a process of its own."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import tied_to_us
from tests.support.server import free_port

FOLDER = Path(__file__).with_name("oidc-provider")


@dataclass(frozen=True)
class Peer:
    """``basic`` is the portal's credentials; tokens were made for eight people before it served."""

    pid: int
    port: int
    refresh_tokens: list[str]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def basic(self) -> str:
        return "Basic " + base64.b64encode(b"portal:portal-secret").decode()


@contextmanager
def running_peer(public_key: dict[str, str]) -> Iterator[Peer]:
    """Served until the block ends; installed from its lock file the first time."""
    if not (FOLDER / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=FOLDER, check=True)
    port = free_port()
    process = subprocess.Popen(
        [*tied_to_us("TERM"), "node", "server.mjs"],
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"port": port, "key": public_key}) + "\n")
        process.stdin.flush()
        while not (line := process.stdout.readline()).startswith("{"):
            if not line:
                raise RuntimeError("oidc-provider ended before it served")
        told = json.loads(line)
        yield Peer(process.pid, port, told["refresh"])
    finally:
        process.terminate()
        process.communicate(timeout=10)
