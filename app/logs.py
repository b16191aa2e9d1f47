"""Structured logs on standard error, with personal data and secrets kept out.

Loads no metrics library: that one decides when it is loaded whether several processes share their numbers,
and logging is set up before the command line knows.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from app.settings import LogFormat, LogSettings

_HIDDEN: Final = "[hidden]"
_SENSITIVE_KEYS: Final = re.compile(
    r"secret|password|passphrase|token|authorization|cookie|credential|otp|pin$|nik|holder|email|phone|"
    r"address$|birth|private",
    re.IGNORECASE,
)
_SENSITIVE_TEXT: Final = re.compile(
    r"(?<!\d)\d{16}(?!\d)"  # NIK, family card number
    r"|absah_[\w-]{20,}"  # client secret
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]*"  # JWT
    r"|[\w.+-]+@[\w-]+\.[\w.]+"  # mail address
)


def configure_logging(settings: LogSettings) -> None:
    """Send every log line, those of libraries included, through one pipeline to standard error."""
    console = settings.format is LogFormat.CONSOLE or (
        settings.format is LogFormat.AUTO and sys.stderr.isatty()
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_exception,
        hide_sensitive,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    for noisy in ("alembic", "fontTools", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # What a stranger's file makes a parser say is the stranger's text: it belongs in no log.
    for parser in ("pyhanko", "pyhanko_certvalidator", "PIL", "pikepdf", "python_multipart"):
        logging.getLogger(parser).setLevel(logging.CRITICAL)


def name_exception(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """An exception's class and places, never its words: those of a library may hold somebody's data."""
    found = event.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["error"] = type(error).__qualname__
        event["at"] = places(error)
    return event


def places(error: BaseException) -> list[str]:
    """Where an exception came from, innermost last."""
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    ][-8:]


def hide_sensitive(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The last line of defence, not the first: nobody should log these things to begin with."""
    for key, value in event.items():
        if _SENSITIVE_KEYS.search(key):
            event[key] = _HIDDEN
        elif isinstance(value, str):
            event[key] = _SENSITIVE_TEXT.sub(_HIDDEN, value)
    return event
