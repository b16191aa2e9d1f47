"""The service as operators run it: the real command in a real process, spoken to over real HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support import commands
from tests.support.processes import tied_to_us

ABSAH = Path(sys.executable).with_name("absah")
_READY_SECONDS = 60.0


def absah(
    *arguments: str | Path, settings: Mapping[str, str], timeout: float = 120, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run ``absah`` with exactly these settings; with ``check`` a failure shows what it printed."""
    done = commands.run([str(one) for one in arguments], environment=environment(settings), timeout=timeout)
    if check and done.returncode:
        raise AssertionError(
            f"absah {arguments[0]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
    return done


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings plus what any process needs; the developer's own ``ABSAH_`` variables stay outside."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | dict(settings)


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class RunningServer:
    """``absah serve`` in a process group of its own. ``http`` is a client with the right base URL.

    ``command`` may be another one that serves.
    """

    settings: Mapping[str, str]
    arguments: Sequence[str]
    log: Path
    port: int
    command: tuple[str, ...] = ("serve", "--host", "127.0.0.1")

    def __post_init__(self) -> None:
        self.base_url = f"http://127.0.0.1:{self.port}"
        # trust_env: a proxy in the developer's environment must not stand between test and server.
        self.http = httpx.Client(base_url=self.base_url, timeout=30, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> None:
        """Start, or start again after :meth:`kill`, and wait until ``/readyz`` answers 200."""
        command = [*tied_to_us("TERM"), ABSAH, *self.command, "--port", str(self.port), *self.arguments]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # workers die with it, and signals do not reach the test run
            )
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                if self.http.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(
                    f"absah {self.command[0]} did not become ready:\n{self.output()[-4000:]}"
                )
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9 for the process and its workers: nothing gets the chance to tidy up."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end as an operator would; returns its exit status."""
        return self._end(signal.SIGTERM)

    def close(self) -> None:
        self.http.close()
        if self._process is not None:
            self.stop()

    def output(self) -> str:
        """What it has written to stdout and stderr so far, over all its lives."""
        return self.log.read_text(errors="replace")

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None, "the server is not running"
        process, self._process = self._process, None
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(process.pid, how)
        try:
            return process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)
            raise AssertionError(
                f"absah {self.command[0]} did not end on {how.name}:\n{self.output()[-2000:]}"
            ) from None
