"""Processes that do not outlive the test run, however it ends."""

from __future__ import annotations

import shutil


def tied_to_us(signal_name: str) -> list[str]:
    """Words to put before a command: when this process dies, even of kill -9, the kernel signals the other.

    ``signal_name`` is what the command takes as a request to end, such as ``"TERM"``. Nothing is put where
    util-linux is missing; there a killed test run leaves its servers behind.
    """
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", signal_name, "--"]
