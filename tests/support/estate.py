"""Whole services that are made once per run: their keys take seconds to make, and none to copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import make_url

from app.settings import Settings
from tests.support.shelf import Layout


class Estate:
    """``initialise`` makes a service; :attr:`layout` is its database, :meth:`home` its folder."""

    def __init__(self, folder: Path, initialise: Callable[[Settings], None]) -> None:
        self._folder = folder
        self._initialise = initialise
        self._homes: dict[str, Path] = {}
        self.layout = Layout(f"estate {folder.name}", self._build)

    def home(self, url: str, folder: Path) -> Path:
        """``folder``, with a copy of the files that belong to the database at ``url``."""
        return Path(shutil.copytree(self._homes[_key(url)], folder))

    def _build(self, url: str) -> None:
        home = self._folder / f"home-{len(self._homes)}"
        self._initialise(Settings(data_dir=home, database={"url": url}))
        shutil.rmtree(home / "documents")  # empty; a service whose documents lie elsewhere has none
        self._homes[_key(url)] = home


def _key(url: str) -> str:
    """All SQLite files are copies of one; databases of PostgreSQL were initialised one by one."""
    parsed = make_url(url)
    return "sqlite" if parsed.get_backend_name() == "sqlite" else str(parsed.database)
