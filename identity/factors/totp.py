"""One-time codes of an authenticator app: TOTP (RFC 6238) with SHA-1, six digits, 30 seconds. Pure.

pyotp computes the codes. What it leaves open is decided here: ASCII digits only, and which time step a code
belongs to, so that no step is accepted twice.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import pyotp
import qrcode
from qrcode.constants import ERROR_CORRECT_M

STEP_SECONDS: Final = 30
WINDOW: Final = 1
"""Steps before and after the current one that are accepted: a phone's clock may be 30 seconds off."""

_CODE = re.compile(r"[0-9]{3} ?[0-9]{3}")
_SECRET_CHARACTERS: Final = 32  # base 32: 160 bits, as RFC 4226, 4 R6 recommends
_QUIET_ZONE: Final = 4


@dataclass(frozen=True, slots=True)
class TotpSetup:
    """What is shown once to set an app up. ``secret_text`` is in groups of four, for typing."""

    id: str
    secret_text: str = field(repr=False)
    uri: str = field(repr=False)

    @property
    def qr_svg(self) -> str:
        """An ``<svg>`` element that shows :attr:`uri`; it scales to the place it gets.

        Drawn for whoever shows it: the drawing takes longer than the rest of the set-up.
        """
        return qr_svg(self.uri)


def new_secret() -> str:
    return pyotp.random_base32(_SECRET_CHARACTERS)


def matching_step(secret: str, code: str, *, now: datetime, after: int = -1) -> int | None:
    """The time step whose code this is: within the window around ``now`` and later than ``after``.

    None when there is none. Every step of the window is compared, in constant time.
    """
    if not _CODE.fullmatch(code):
        return None
    digits = code.replace(" ", "")
    generator = pyotp.TOTP(secret)
    current = int(now.timestamp()) // STEP_SECONDS
    matching = [
        step
        for step in range(current - WINDOW, current + WINDOW + 1)
        if hmac.compare_digest(generator.generate_otp(step), digits) and step > after
    ]
    return matching[0] if matching else None


def setup(setup_id: str, secret: str, *, account: str, issuer: str) -> TotpSetup:
    """``account`` and ``issuer`` are what the app shows beside its codes."""
    uri = pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)
    grouped = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    return TotpSetup(setup_id, grouped, uri)


def qr_svg(text: str) -> str:
    """A QR symbol of level M with its quiet zone, as one SVG path: black on white, also on dark pages.

    No ids, styles or scripts, so that it can stand in a page under a strict content security policy.
    """
    symbol = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=_QUIET_ZONE)
    symbol.add_data(text)
    symbol.make(fit=True)
    matrix = symbol.get_matrix()
    size = len(matrix)
    dark = "".join(
        f"M{x} {y}h1v1h-1z" for y, row in enumerate(matrix) for x, is_dark in enumerate(row) if is_dark
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges" '
        f'aria-hidden="true" focusable="false"><path fill="#fff" d="M0 0h{size}v{size}H0z"/>'
        f'<path fill="#000" d="{dark}"/></svg>'
    )
