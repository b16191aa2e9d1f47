"""Logging in: half sessions, sessions, step-up, delays for wrong answers, known devices, and recovery."""
