"""Operators are people who log in."""

__all__ = ["house"]

from tests.identity.login.conftest import house
