"""Whole services that are made once per run: their keys take seconds to make, and none to copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from app.settings import Settings
from app.wiring import Core
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.shelf import Layout


@dataclass(frozen=True)
class Past:
    """What happened in a service before it was copied. ``memory`` is what tests hold on to of it."""

    core: Core
    api: InProcess
    clock: FrozenClock
    memory: Any


class Estate:
    """``initialise`` makes a service; :attr:`layout` is its database, :meth:`home` its folder."""

    def __init__(self, folder: Path, initialise: Callable[[Settings], Past | None]) -> None:
        self._folder = folder
        self._initialise = initialise
        self._homes: dict[str, Path] = {}
        self._pasts: dict[str, Past | None] = {}
        self.layout = Layout(f"estate {folder.name}", self._build)

    def home(self, url: str, folder: Path) -> Path:
        """``folder``, with a copy of the files that belong to the database at ``url``."""
        return Path(shutil.copytree(self._homes[_key(url)], folder))

    def remembered(self, core: Core, clock: FrozenClock, api: InProcess | None = None) -> Any:
        """A copy of the memory, with this service where it speaks of the one that was copied.

        ``clock`` goes to where the past ended.
        """
        past = self._pasts[_key(core.settings.database_url)]
        assert past is not None, "nothing happened in this service yet"
        clock.set(past.clock())
        return deepcopy(past.memory, {id(past.core): core, id(past.clock): clock, id(past.api): api})

    def _build(self, url: str) -> None:
        home = self._folder / f"home-{len(self._homes)}"
        past = self._initialise(Settings(data_dir=home, database={"url": url}))
        documents = home / "documents"
        if not any(documents.iterdir()):
            documents.rmdir()  # a service whose documents lie elsewhere has none
        self._homes[_key(url)] = home
        self._pasts[_key(url)] = past


def _key(url: str) -> str:
    """All databases of one kind are copies of one."""
    return make_url(url).get_backend_name()
