"""Composition root: settings, wiring, HTTP and command line."""
