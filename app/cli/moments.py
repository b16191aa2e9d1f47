"""A moment as people type it."""

from __future__ import annotations

from datetime import UTC, datetime

import typer


def moment(text: str, *, option: str) -> datetime:
    """Date, time and zone as UTC. Raises ``typer.BadParameter``: a loss is not dated by guessing a zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter(
            "write date, time and zone, such as 2026-11-20T08:00+07:00", param_hint=option
        )
    return found.astimezone(UTC)
