"""Fonts of the sample documents; ``build.py`` tells where they come from."""
