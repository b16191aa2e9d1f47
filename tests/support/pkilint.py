"""pkilint's own commands, run in this process: to start one takes thirty times as long as its judgement."""

from __future__ import annotations

import io
import subprocess
import warnings
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path


def pkilint(command: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What ``command``, such as ``lint_pkix_cert``, says of a file; the caller decides."""
    words = [str(one) for one in arguments]
    with (
        redirect_stdout(io.StringIO()) as said,
        redirect_stderr(io.StringIO()) as complained,
        warnings.catch_warnings(),  # a file that it leaves open is no error of ours
    ):
        warnings.simplefilter("ignore")
        try:
            status = import_module(f"pkilint.bin.{command}").main(words)
        except SystemExit as end:
            status = end.code
    return subprocess.CompletedProcess([command, *words], status, said.getvalue(), complained.getvalue())
