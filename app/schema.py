"""The database's schema: bring it to the newest revision, or refuse to work with another one.

Imports no slice's tables: the public process checks the revision too, and must not load ``keys``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from app.database import Database
from app.errors import DatabaseNotReady

MIGRATIONS: Final = Path(__file__).with_name("migrations")


def upgrade(database: Database) -> str:
    """Run every migration that is missing, in one transaction, and return the revision reached.

    Safe to call from several processes at once: one migrates, the others wait and find nothing to do.
    Raises :class:`app.errors.DatabaseNotReady` when the schema is from a newer release.
    """
    with database.exclusively():
        found = revision(database)
        if found != head():
            _refuse_newer(found)
            with database.begin() as tx:
                upgrade_within(tx)
    return head()


def upgrade_within(tx: Connection) -> None:
    """Run the migrations that are missing inside the caller's transaction."""
    command.upgrade(_config(connection=tx), "head")


def require_current(database: Database) -> None:
    """Raises :class:`app.errors.DatabaseNotReady` unless the schema is exactly this release's."""
    found = revision(database)
    if found != head():
        _refuse_newer(found)
        raise DatabaseNotReady(
            f"The database has schema {found or 'none'}, this release needs {head()}. Run `absah init`."
        )


def revision(database: Database) -> str | None:
    """The revision that the database is at; None when it is empty."""
    with database.read() as tx:
        return MigrationContext.configure(tx).get_current_revision()


def head() -> str:
    """The newest revision of this release."""
    newest = _scripts().get_current_head()
    assert newest is not None
    return newest


def known() -> frozenset[str]:
    """Every revision that this release can migrate from, its own included."""
    return frozenset(script.revision for script in _scripts().walk_revisions())


def _refuse_newer(found: str | None) -> None:
    if found is not None and found not in known():
        raise DatabaseNotReady(
            f"The database has schema {found}, which this release does not know. Install the newer release."
        )


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(MIGRATIONS))


def _config(**attributes: object) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes.update(attributes)
    return config
