"""What every command starts from: settings, a quiet log, the core, and who is asking."""

from __future__ import annotations

import os
import pwd
import traceback
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.errors import NotInitialised

if TYPE_CHECKING:
    from app.settings import Settings
    from app.wiring import Core

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def load_settings(*, quiet: bool = True, keyless: bool = False, **overrides: Any) -> Settings:
    """Settings from the environment; a command's own log shows warnings only."""
    from app.logs import configure_logging
    from app.settings import LogLevel, Settings

    settings = Settings.load(keyless=keyless, **overrides)
    if quiet and settings.log.level is LogLevel.INFO:
        configure_logging(settings.log.model_copy(update={"level": LogLevel.WARNING}))
    else:
        configure_logging(settings.log)
    return settings


@contextmanager
def opened_core(settings: Settings | None = None, *, complete: bool = True) -> Iterator[Core]:
    """The core over what `absah init` made. Without ``complete``, a hierarchy may still be missing.

    Raises :class:`app.errors.NotInitialised`.
    """
    from app import schema
    from app.wiring import build_core

    settings = settings or load_settings()
    if sqlite_missing(settings):
        raise NotInitialised(f"There is nothing in {settings.home} yet. Run `absah init` first.")
    with ExitStack() as closing:
        core = build_core(settings, closing=closing)
        schema.require_current(core.database)
        if complete:
            core.require_initialised()
        yield core


def sqlite_missing(settings: Settings) -> bool:
    """Whether opening the database would create it: looking must not leave files behind."""
    from app.database import sqlite_file

    file = sqlite_file(settings.database_url)
    return file is not None and not file.exists()


def actor() -> str:
    """Who stands in the audit trail for what this command does.

    The system's word for who runs it, not the environment's: whoever asks for an act on a key is known not to
    approve it, and must not choose under which name they ask.
    """
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"[:128]
    except KeyError:  # a container's user without a name
        return "cli"


def warn_unsafe(settings: Settings, *, keyless: bool = False) -> None:
    """Development stand-ins are named on every start."""
    for words in settings.unsafe(keyless=keyless):
        err.print(f"[yellow]not for production:[/yellow] {words}", soft_wrap=True)


def warn_online_root(core: Core) -> None:
    """As :func:`warn_unsafe`, of what only the register knows."""
    from app.wiring import online_root

    if (words := online_root(core)) is not None:
        err.print(f"[yellow]not for production:[/yellow] {words}", soft_wrap=True)


def counted(number: int, one: str) -> str:
    """``1 key``, ``4,096 keys``."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def print_listing(columns: tuple[str, ...], rows: Iterable[tuple[str, str, tuple[str, ...]]]) -> None:
    """A table in which what is copied into the next command is never cut.

    A row is what it is called by, a line of words beneath that may wrap, and the other columns.
    """
    listed = list(rows)
    if not listed:
        out.print("There is none.", style="dim")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(columns[0], min_width=max((len(name) for name, _, _ in listed), default=0))
    for column in columns[1:]:
        table.add_column(column, no_wrap=True)
    for name, words, others in listed:
        table.add_row(f"{name}\n[dim]{escape(words)}[/dim]" if words else name, *others)
    out.print(table)


def told(cause: Exception) -> bool:
    """Print an error that is raised on purpose as cause and remedy; False for a defect."""
    words = _explained(cause)
    if words is not None:
        err.print(f"[red]absah:[/red] {escape(words)}", soft_wrap=True)
    return words is not None


@contextmanager
def failing_as(status: int, *, unless: type[Exception]) -> Iterator[None]:
    """End with exit ``status`` for whatever goes wrong within, a defect or a bad option included, but for
    ``unless``: that is an answer, and goes on to its own status."""
    try:
        yield
    except unless:
        raise
    except typer.BadParameter as misused:
        misused.exit_code = status
        raise
    except Exception as cause:  # defects too: their status must not be one of the answers
        if not told(cause):
            traceback.print_exc()
        raise typer.Exit(status) from cause


def _explained(cause: Exception) -> str | None:
    """The message of an error of ours or of the machine; None for a defect, which keeps its traceback."""
    from app.errors import ApplicationError
    from ca.errors import CertificationError
    from identity.errors import IdentityError
    from keys.errors import KeyCustodyError
    from signing.errors import SigningError
    from verify.errors import VerificationError

    ours = (
        ApplicationError,
        CertificationError,
        IdentityError,
        KeyCustodyError,
        SigningError,
        VerificationError,
    )
    if isinstance(cause, ours):
        return str(cause)
    if isinstance(cause, OSError) and cause.strerror:
        return f"{cause.filename or 'The system'}: {cause.strerror}."
    return None
