"""Custody of every private key and every secret at rest."""
