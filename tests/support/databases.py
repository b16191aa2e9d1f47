"""A ``Begin`` over a test database, for a slice's own tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection, MetaData, create_engine
from sqlalchemy.pool import NullPool

Begin = Callable[[], AbstractContextManager[Connection]]


@contextmanager
def tables_in(url: str, *schemas: MetaData) -> Iterator[Begin]:
    """Create the tables of ``schemas`` in the database at ``url`` and yield a ``Begin`` over it.

    Without a pool: every transaction opens its own connection, as two processes would.
    """
    engine = create_engine(url, poolclass=NullPool)
    try:
        for schema in schemas:
            schema.create_all(engine)
        yield engine.begin
    finally:
        engine.dispose()
