"""Validation of foreign PDFs in processes of their own: a hostile file costs a bounded time and memory.

A thread that is stuck in a parser cannot be stopped; a process can. A worker lives as long as it answers in
time, and is replaced when it does not.
"""

from __future__ import annotations

import os
import pickle
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from verify.findings import Limits, PdfFindings, PdfUnreadable
from verify.trust import TrustStore
from verify.verdict import Reason

_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class Question:
    """What a worker needs besides the file. Certificates are DER, as parsed ones cannot be sent."""

    anchors: tuple[bytes, ...]
    foreign_anchors: tuple[bytes, ...]
    time_anchors: tuple[bytes, ...]
    distrusted: tuple[bytes, ...]
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    now: datetime
    limits: Limits

    def trust(self) -> TrustStore:
        def loaded(encoded: tuple[bytes, ...]) -> tuple[x509.Certificate, ...]:
            return tuple(x509.load_der_x509_certificate(certificate) for certificate in encoded)

        return TrustStore(
            anchors=loaded(self.anchors),
            certificates=loaded(self.certificates),
            foreign_anchors=loaded(self.foreign_anchors),
            time_anchors=loaded(self.time_anchors),
            distrusted=loaded(self.distrusted),
            crls=self.crls,
        )


class ConfinedValidator:
    """Stands in for :func:`verify.any_shape.validate`. Safe to call from several threads.

    ``workers`` processes are started with the first questions; further callers wait for one to be free.
    """

    def __init__(self, *, workers: int = 2) -> None:
        self._free: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._all = tuple(_Worker() for _ in range(workers))
        for worker in self._all:
            self._free.put(worker)

    def __call__(self, file: BinaryIO, *, trust: TrustStore, now: datetime, limits: Limits) -> PdfFindings:
        """Raises :class:`verify.findings.PdfUnreadable`, also when time or memory ran out over the file."""
        question = Question(
            anchors=_encoded(trust.anchors),
            foreign_anchors=_encoded(trust.foreign_anchors),
            time_anchors=_encoded(trust.time_anchors),
            distrusted=_encoded(trust.distrusted),
            certificates=_encoded(trust.certificates),
            crls=trust.crls,
            now=now,
            limits=limits,
        )
        worker = self._free.get()
        try:
            with _descriptor_of(file) as descriptor:
                answer = worker.ask(question, descriptor)
        finally:
            self._free.put(worker)
        if isinstance(answer, PdfFindings):
            return answer
        raise PdfUnreadable(*answer)

    def close(self) -> None:
        """Stop the processes; the next question starts them anew."""
        for worker in self._all:
            worker.stop()


class _Worker:
    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._owner = 0

    def ask(self, question: Question, descriptor: int) -> PdfFindings | tuple[Reason, str]:
        body = pickle.dumps(question)
        try:
            return self._asked(body, descriptor, question.limits.seconds)
        except TimeoutError:
            pass
        except (OSError, EOFError):
            # A process may also have died of something else, as when the machine ran out of memory while it
            # was idle: the file gets a second chance, in a process that has seen no other.
            self.stop()
            try:
                return self._asked(body, descriptor, question.limits.seconds)
            except (OSError, EOFError):
                pass
        self.stop()
        return Reason.LIMIT_EXCEEDED, "validation did not end within its limits of time and memory"

    def _asked(self, body: bytes, descriptor: int, seconds: float) -> PdfFindings | tuple[Reason, str]:
        """Raises ``TimeoutError``, and other ``OSError`` or ``EOFError`` where the process is gone."""
        channel = self._running()
        channel.settimeout(seconds)
        socket.send_fds(channel, [len(body).to_bytes(_LENGTH)], [descriptor])
        channel.sendall(body)
        size = int.from_bytes(receive(channel, _LENGTH))
        # The worker is this program; a file can make it fail, not choose what it sends.
        answer: PdfFindings | tuple[Reason, str] = pickle.loads(receive(channel, size))  # noqa: S301
        return answer

    def stop(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._channel = self._process = None

    def _running(self) -> socket.socket:
        # A forked child must not talk on its parent's channel, nor end its parent's process.
        if self._owner != os.getpid():
            self._channel = self._process = None
        if self._channel is not None and self._process is not None and self._process.poll() is None:
            return self._channel
        self.stop()
        ours, theirs = socket.socketpair()
        root = str(Path(__file__).resolve().parents[1])
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "verify.worker"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PYTHONPATH": root, "PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                cwd="/",
                start_new_session=True,
            )
        self._channel, self._owner = ours, os.getpid()
        return ours


def receive(channel: socket.socket, size: int) -> bytes:
    """Exactly ``size`` bytes; raises ``EOFError`` when the other side hangs up before."""
    data = bytearray()
    while len(data) < size:
        part = channel.recv(min(size - len(data), 1 << 20))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


def _encoded(certificates: tuple[x509.Certificate, ...]) -> tuple[bytes, ...]:
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)


@contextmanager
def _descriptor_of(file: BinaryIO) -> Iterator[int]:
    """A descriptor with the content of ``file``: its own where it has one, else a temporary file's."""
    file.seek(0)
    if not getattr(file, "_rolled", True):  # a spooled upload that still lives in memory
        descriptor = None
    else:
        try:
            file.flush()
            descriptor = file.fileno()
        except (OSError, AttributeError):
            descriptor = None
    if descriptor is not None:
        yield descriptor
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        yield copy.fileno()
