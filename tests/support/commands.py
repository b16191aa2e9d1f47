"""The real commands, each in a process of its own, without paying for their imports every time.

Importing the service takes most of a second and a half, and the tests run hundreds of commands. One process
per test run imports everything, holds nothing, and makes a copy of itself for each command: the copy takes
over arguments, environment, folder and streams, and runs `absah` as its script does. Servers and workers are
started by :mod:`tests.support.server` from the script itself.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from tests.support.processes import tied_to_us

_LENGTH = struct.Struct("!I")
_STATUS = struct.Struct("!i")


_IMPORTED = (
    *("app.cli.main", "app.doctor", "app.provisioning", "app.schema", "app.upkeep"),
    *("app.rotation.timestamp_check", "verify.any_shape"),
)
"""What commands import when they need it; none of it starts a thread or opens anything."""


def run(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    timeout: float,
    given: str = "",
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """As ``subprocess.run`` with captured text, without a terminal. Raises ``subprocess.TimeoutExpired``."""
    with (
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
        socket.socket(socket.AF_UNIX) as asking,
    ):
        stdin.write(given.encode())
        stdin.seek(0)
        asking.settimeout(timeout)
        asking.connect(str(_copier()))
        message = json.dumps([list(arguments), dict(environment), str(folder or Path.cwd())]).encode()
        files = [stdin.fileno(), stdout.fileno(), stderr.fileno()]
        socket.send_fds(asking, [_LENGTH.pack(len(message))], files)
        asking.sendall(message)
        pid = _STATUS.unpack(_received(asking, _STATUS.size))[0]
        try:
            ended = _received(asking, _STATUS.size)
        except TimeoutError:
            os.killpg(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(["absah", *arguments], timeout) from None
        status = _STATUS.unpack(ended)[0] if ended else -signal.SIGKILL
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(
            ["absah", *arguments], status, stdout.read().decode(), stderr.read().decode()
        )


@cache
def _copier() -> Path:
    """Where the process that is copied listens. It ends with this one."""
    folder = tempfile.TemporaryDirectory(prefix="absah-commands-")
    address = Path(folder.name) / "socket"
    process = subprocess.Popen(
        [*tied_to_us("KILL"), sys.executable, "-m", __name__, str(address)],
        # The width of the terminal is looked up at import, and is each command's own.
        env={name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}},
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n", "the process that commands are copies of did not start"

    def end() -> None:
        process.kill()
        process.wait()
        folder.cleanup()

    atexit.register(end)
    return address


def _received(connection: socket.socket, size: int) -> bytes:
    """Exactly ``size`` bytes, or fewer when the other side is gone."""
    received = b""
    while len(received) < size and (more := connection.recv(size - len(received))):
        received += more
    return received


# --- the process that is copied ----------------------------------------------------------------------


def _listen(address: str) -> NoReturn:
    for module in _IMPORTED:
        import_module(module)
    threads = len(list(Path("/proc/self/task").iterdir())) if Path("/proc/self/task").is_dir() else 1
    assert threads == 1, "an import started a thread, which copies would not have"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # copies are nobody's to wait for
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(16)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _run(connection)
            connection.close()


def _run(connection: socket.socket) -> NoReturn:
    """In the copy: become the command, and say how it ended."""
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        head, files, _, _ = socket.recv_fds(connection, _LENGTH.size, 3)
        arguments, environment, folder = json.loads(_received(connection, _LENGTH.unpack(head)[0]))
        for stream, file in enumerate(files):
            os.dup2(file, stream)
            os.close(file)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["absah", *arguments]
        connection.sendall(_STATUS.pack(os.getpid()))
        status = _command()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        connection.sendall(_STATUS.pack(status))
        os._exit(status)


def _command() -> int:
    from app.cli.main import main

    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(end.code + "\n")
            return 1
        return end.code or 0
    except BaseException:  # noqa: BLE001 - as the interpreter shows what nobody caught
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    _listen(sys.argv[1])
