"""Run by Alembic. The connection, and its open transaction, belong to the caller (:mod:`app.schema`)."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("target_metadata"),
    compare_type=True,
    render_as_batch=True,  # SQLite changes a column by copying its table
)
context.run_migrations()
