"""The confined process: validates one PDF after the other for :mod:`verify.confined`, within a memory limit.

Speaks over the socket that it got as standard input: a length with the file's descriptor, then the question;
the answer goes back with its length in front.
"""

from __future__ import annotations

import logging
import os
import pickle
import resource
import socket
import sys
import warnings
from typing import Final

from verify import any_shape
from verify.confined import Question, receive
from verify.findings import PdfFindings, PdfUnreadable
from verify.verdict import Reason

_LENGTH: Final = 4


def main() -> None:
    """Answer questions until the other side hangs up."""
    # What a hostile file makes the parsers complain about belongs into the verdict, not into anyone's log.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    channel = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    while True:
        head, descriptors, _, _ = socket.recv_fds(channel, _LENGTH, 1)
        if not head or not descriptors:
            return
        body = receive(channel, int.from_bytes(head))
        # Both ends are this program; nothing in a file can choose what is sent here.
        question: Question = pickle.loads(body)  # noqa: S301
        resource.setrlimit(resource.RLIMIT_AS, (question.limits.memory, resource.RLIM_INFINITY))
        answer = pickle.dumps(_answer(question, descriptors[0]))
        channel.sendall(len(answer).to_bytes(_LENGTH) + answer)


def _answer(question: Question, descriptor: int) -> PdfFindings | tuple[Reason, str]:
    with os.fdopen(descriptor, "rb") as file:
        try:
            return any_shape.validate(file, trust=question.trust(), now=question.now, limits=question.limits)
        except PdfUnreadable as cause:
            return cause.reason, str(cause)


if __name__ == "__main__":
    main()
