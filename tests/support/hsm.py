"""A SoftHSM2 token of the test's own, in a temporary folder; root or not, it reads nothing of the machine's.

The library is used directly, through p11-kit's proxy, or as a device at the other end of a wire
(``p11-kit server``) that can be cut and joined again.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from keys.stores.pkcs11.module import close_modules
from keys.stores.pkcs11.token import TokenAddress
from tests.support.needs import tool_path
from tests.support.processes import tied_to_us

LABEL: Final = "absah-test"


def _library(*patterns: str) -> Path:
    for pattern in patterns:
        for folder in ("/usr/lib", "/usr/lib64"):
            for found in Path(folder).glob(pattern):
                return found
    pytest.skip(f"{patterns[0]} is missing: apt-get install softhsm2 p11-kit-modules")


def softhsm() -> Path:
    tool_path("softhsm2-util")
    return _library("softhsm/libsofthsm2.so", "*/softhsm/libsofthsm2.so", "libsofthsm2.so")


def proxy() -> Path:
    return _library("*/p11-kit-proxy.so", "p11-kit-proxy.so")


def wire() -> Path:
    return _library("*/pkcs11/p11-kit-client.so", "pkcs11/p11-kit-client.so")


@dataclass
class Hsm:
    """A token called :data:`LABEL`. ``folder`` holds everything of it."""

    folder: Path
    pin: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)
    so_pin: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)

    @property
    def environment(self) -> dict[str, str]:
        return {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    @property
    def pin_file(self) -> Path:
        return self.folder / "pin"

    def address(self, module: Path | None = None, *, sessions: int = 8) -> TokenAddress:
        return TokenAddress(module or softhsm(), LABEL, self.pin_file, sessions)

    def settings(self, module: Path | None = None) -> dict[str, str]:
        """The environment of a service that keeps every key in this token."""
        return self.environment | {
            "ABSAH_KEYS_STORES": "pkcs11",
            "ABSAH_KEYS_PKCS11_MODULE": str(module or softhsm()),
            "ABSAH_KEYS_PKCS11_TOKEN": LABEL,
            "ABSAH_KEYS_PKCS11_PIN_FILE": str(self.pin_file),
        }

    def make(self) -> None:
        tokens = self.folder / "tokens"
        tokens.mkdir(parents=True)
        (self.folder / "softhsm2.conf").write_text(
            f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        self.pin_file.write_text(f"{self.pin}\n")
        self.pin_file.chmod(0o600)
        self._run(
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            LABEL,
            "--pin",
            self.pin,
            "--so-pin",
            self.so_pin,
        )

    def tool(self, *arguments: str, login: bool = True, named: bool = True) -> str:
        """What `pkcs11-tool` says: another program's view of the token."""
        credentials = ("--login", "--pin", self.pin) if login else ()
        which = ("--token-label", LABEL) if named else ()
        return self._run("pkcs11-tool", "--module", str(softhsm()), *which, *credentials, *arguments)

    def _run(self, tool: str, *arguments: str) -> str:
        done = subprocess.run(
            [tool_path(tool), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **self.environment},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr


@contextmanager
def made_hsm() -> Iterator[Hsm]:
    """Make a token for other processes, and remove it at the end."""
    softhsm()
    hsm = Hsm(Path(tempfile.mkdtemp(prefix="absah-hsm-")))  # short: a socket's path has at most 107 bytes
    try:
        hsm.make()
        yield hsm
    finally:
        shutil.rmtree(hsm.folder, ignore_errors=True)


@contextmanager
def running_hsm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hsm]:
    """Make a token, let this process see it and no other, and forget it at the end."""
    with made_hsm() as hsm:
        close_modules()  # the library reads its configuration when it starts
        monkeypatch.setenv("SOFTHSM2_CONF", hsm.environment["SOFTHSM2_CONF"])
        yield hsm
        close_modules()


class Wire:
    """The token as a device that can be cut off: `p11-kit server` in a process of its own."""

    def __init__(self, hsm: Hsm) -> None:
        self._hsm = hsm
        # One for all tests of this process, because the client's library reads the address once.
        self._socket = Path(tempfile.gettempdir()) / f"absah-wire-{os.getpid()}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"unix:path={self._socket}"

    def join(self) -> None:
        self._socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [
                *tied_to_us("TERM"), tool_path("p11-kit"), "server", "--foreground",
                "--name", str(self._socket), "--provider", str(softhsm()), f"pkcs11:token={LABEL}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self._hsm.environment},
            start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while not self._socket.exists():
            assert time.monotonic() < deadline, "p11-kit server did not start"
            assert self._process.poll() is None, "p11-kit server ended"
            time.sleep(0.02)

    def cut(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)  # it serves each client in a child
            self._process.wait(timeout=10)
            self._process = None
            self._socket.unlink(missing_ok=True)
