"""Servers of time: a real one, and one that says whatever a test wants it to."""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.support.needs import tool_path
from tests.support.processes import tied_to_us

_SINCE_1900 = datetime(1900, 1, 1, tzinfo=UTC)


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_chrony(folder: Path) -> Iterator[str]:
    """chronyd serving this machine's own time on loopback, touching no clock; yields its address."""
    port = free_udp_port()
    configuration = folder / "chrony.conf"
    configuration.write_text(
        f"local stratum 8\nport {port}\nbindaddress 127.0.0.1\nallow 127.0.0.1\ncmdport 0\n"
        f"bindcmdaddress /\npidfile {folder / 'chronyd.pid'}\n"
    )
    command = [*tied_to_us("TERM"), tool_path("chronyd"), "-x", "-U", "-d", "-f", str(configuration)]
    with (folder / "chrony.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_until_it_answers(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_until_it_answers(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(0.2)
            try:
                line.connect(("127.0.0.1", port))
                line.send(b"\x23" + bytes(47))
                if line.recv(100)[1]:
                    return
            except OSError:
                time.sleep(0.1)
    raise TimeoutError("chronyd does not answer")


@dataclass
class Says:
    """What a server answers; each default is what a good one would."""

    ahead: float = 0.0  # seconds
    leap: int = 0
    mode: int = 4
    stratum: int = 2
    delay: float = 0.01
    dispersion: float = 0.01
    kiss: bytes = b"LOCL"
    cookie: Callable[[bytes], bytes] = field(default=lambda cookie: cookie)
    cut: int = 48
    silent: bool = False
    zeros: bool = False


@contextmanager
def time_server(clock: Callable[[], datetime], says: Says) -> Iterator[str]:
    """A server whose clock is ``clock`` and whose words are ``says``, which a test may change meanwhile."""
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                asked, sender = line.recvfrom(1024)
            except OSError:
                return
            if not asked:
                return
            if not says.silent:
                line.sendto(_reply(asked, clock(), says)[: says.cut], sender)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    at = line.getsockname()
    try:
        yield f"127.0.0.1:{at[1]}"
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", at)
        thread.join(5)
        line.close()


def _reply(asked: bytes, now: datetime, says: Says) -> bytes:
    seconds = (now - _SINCE_1900).total_seconds() + says.ahead
    stamp = bytes(8) if says.zeros else struct.pack(">Q", int(seconds * (1 << 32)) % (1 << 64))
    return (
        bytes([says.leap << 6 | 4 << 3 | says.mode, says.stratum, 6, 0xEC])
        + struct.pack(">iI", int(says.delay * 65536), int(says.dispersion * 65536))
        + says.kiss
        + stamp
        + says.cookie(asked[40:48])
        + stamp
        + stamp
    )
