"""Draft a migration from the difference between the newest revision and the slices' tables."""

from __future__ import annotations

import sys
import tempfile

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from app.database import Database
from app.migrations.tables import all_metadata
from app.schema import MIGRATIONS


def main(words: str) -> None:
    number = len(list(ScriptDirectory(str(MIGRATIONS)).walk_revisions())) + 1
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/draft.sqlite3")
        with database.begin() as tx:
            config.attributes.update(connection=tx, target_metadata=all_metadata())
            if number > 1:
                command.upgrade(config, "head")
            command.revision(config, words, autogenerate=True, rev_id=f"{number:04d}")
        database.close()


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "Unnamed")
