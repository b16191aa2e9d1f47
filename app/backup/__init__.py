"""Backup of everything but the key-encryption key, and the restore that nothing is used twice after."""
