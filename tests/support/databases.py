"""A ``Begin`` over a test database, for a slice's own tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection, MetaData, create_engine
from sqlalchemy.pool import QueuePool

Begin = Callable[[], AbstractContextManager[Connection]]


@contextmanager
def opened(url: str) -> Iterator[Begin]:
    """A ``Begin`` over the database at ``url``, as it is.

    Connections are used again, as in production: for PostgreSQL a new one is a new process. There is one for
    everybody who asks at the same moment.
    """
    engine = create_engine(url, poolclass=QueuePool, pool_size=0)
    try:
        yield engine.begin
    finally:
        engine.dispose()


@contextmanager
def tables_in(url: str, *schemas: MetaData) -> Iterator[Begin]:
    """Create the tables of ``schemas`` in the database at ``url`` and yield a ``Begin`` over it."""
    with opened(url) as begin:
        with begin() as tx:
            for schema in schemas:
                schema.create_all(tx)
        yield begin
