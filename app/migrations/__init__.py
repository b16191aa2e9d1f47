"""Alembic migrations of all slices' tables. ``python -m app.migrations "Why"`` drafts the next one."""
