"""Composition root: settings, wiring, HTTP and command line."""

from importlib.metadata import version

__version__ = version("absah")
