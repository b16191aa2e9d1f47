"""Asks the page worker, and replaces it when it dies or hangs. Safe to share between threads."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from signing.errors import PagesNotInspected


@dataclass(frozen=True, slots=True)
class Room:
    """A free place: page number from 1, index of the size that fits, lower left corner in points as shown."""

    page: int
    size: int
    x: float
    y: float


class WorkerFailed(Exception):
    """The worker died or ran out of time or memory over this file. Never leaves :mod:`signing`."""


class PageBomb(Exception):
    """A page's content unpacks into far too much. Never leaves :mod:`signing`."""


class PageInspector:
    """One worker process, started with the first question. Questions queue; each has a deadline.

    ``seconds`` bounds a single question's wall time, so a hostile file costs that much and no more.
    """

    def __init__(self, seconds: float = 25.0) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._owner = 0

    def find_room(
        self,
        source: BinaryIO,
        pages: list[tuple[int, float, float]],
        sizes: list[tuple[float, float]],
    ) -> Room | None:
        """The first free place in the order of ``sizes``, then ``pages`` (number, width, height in points).

        Raises :class:`WorkerFailed`, :class:`PageBomb` and :class:`signing.errors.PagesNotInspected`.
        """
        with _descriptor_of(source) as descriptor:
            answer = self._ask({"do": "find", "pages": pages, "sizes": sizes}, [descriptor])
        if "bomb" in answer:
            raise PageBomb(f"page {answer['bomb']}")
        if answer["page"] is None:
            return None
        return Room(answer["page"], answer["size"], answer["x"], answer["y"])

    def rebuild(self, source: BinaryIO, target: BinaryIO) -> bool:
        """Write ``source`` anew into ``target`` (a real file). False when it turns out to be encrypted.

        Raises :class:`WorkerFailed` when qpdf cannot read it either.
        """
        with _descriptor_of(source) as descriptor:
            answer = self._ask({"do": "rebuild"}, [descriptor, target.fileno()])
        return "encrypted" not in answer

    def close(self) -> None:
        """Stop the worker; the next question starts a new one."""
        with self._lock:
            self._stop()

    def _ask(self, question: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        body = json.dumps(question).encode()
        with self._lock:
            channel = self._running()
            try:
                channel.settimeout(self._seconds)
                socket.send_fds(channel, [len(body).to_bytes(4)], descriptors)
                channel.sendall(body)
                size = int.from_bytes(_receive(channel, 4))
                answer: dict[str, Any] = json.loads(_receive(channel, size))
            except (OSError, EOFError) as failure:
                self._stop()
                raise WorkerFailed(type(failure).__name__) from failure
        if "failed" in answer:
            raise WorkerFailed(answer["failed"])
        return answer

    def _running(self) -> socket.socket:
        """The channel to a live worker of this very process: a forked child must not share its parent's."""
        alive = self._process is not None and self._owner == os.getpid() and self._process.poll() is None
        if alive and self._channel is not None:
            return self._channel
        if self._owner == os.getpid():
            self._stop()
        ours, theirs = socket.socketpair()
        root = str(Path(__file__).resolve().parents[2])
        environment = {"PYTHONPATH": root, "PATH": os.defpath, "LC_ALL": "C.UTF-8"}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "signing.pages.worker"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
        except OSError as failure:
            ours.close()
            raise PagesNotInspected(
                "The page worker cannot be started, so no free place for the stamp can be found: name a "
                "place, or try again later."
            ) from failure
        finally:
            theirs.close()
        self._channel, self._owner = ours, os.getpid()
        return ours

    def _stop(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._channel = self._process = None


def _receive(channel: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = channel.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


@contextlib.contextmanager
def _descriptor_of(source: BinaryIO) -> Iterator[int]:
    """A descriptor with the content of ``source``: its own where it has one, else a temporary file's."""
    source.seek(0)
    try:
        descriptor = source.fileno()
    except (OSError, AttributeError):  # in memory, so it is small
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(source, copy)
            copy.flush()
            yield copy.fileno()
    else:
        yield descriptor


inspector = PageInspector()
"""The process-wide worker."""
atexit.register(inspector.close)
