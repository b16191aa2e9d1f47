"""Custody: states, services and the contract of key stores."""
