"""Agencies' systems: how they authenticate, and what their tokens are bound to."""
