"""Proof Key for Code Exchange (RFC 7636): only whoever began a request can redeem its code. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def s256(verifier: str) -> str:
    """The challenge to a verifier (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def verifies(verifier: str | None, challenge: str) -> bool:
    """Compare in constant time; a verifier of the wrong form (RFC 7636, 4.1) is wrong."""
    if verifier is None or not _VERIFIER.fullmatch(verifier):
        return False
    return hmac.compare_digest(s256(verifier), challenge)
