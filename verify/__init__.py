"""Telling anyone what is true."""
