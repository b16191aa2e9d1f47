"""Reading forms: limits, encoding, where they came from, and the token that every one of ours carries.

Three walls against forged requests (OWASP ASVS 5.0, 3.5): SameSite cookies, the ``Origin`` and
``Sec-Fetch-Site`` headers, and a token bound to the session, the half session or, before either, to a cookie
of its own. Any one of them would do in a browser of today; an old phone may lack two.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from identity.web.errors import FormRefused, FormUnreadable

TOKEN_FIELD: Final = "csrf"  # noqa: S105 - the name of a field
LONGEST_FORM: Final = 64 * 1024
"""Bytes. A key set or a passkey's answer fits; no file does."""
_MOST_FIELDS: Final = 64
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BETWEEN_DIGITS: Final = re.compile(r"[\s.\-‐-―]+")
_PAD: Final = 32


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, each at most once."""

    fields: Mapping[str, str]

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def text(self, name: str, *, most: int = 200) -> str:
        """A line as a person means it: NFC, no blanks around it, one blank inside; cut at ``most``."""
        line = " ".join(unicodedata.normalize("NFC", self.fields.get(name, "")).split())
        return line[:most]

    def block(self, name: str, *, most: int = LONGEST_FORM) -> str:
        """Several lines, as they are."""
        return self.fields.get(name, "").strip()[:most]

    def secret(self, name: str) -> str:
        """Exactly what was typed: blanks belong to a password."""
        return self.fields.get(name, "")

    def code(self, name: str, *, most: int = 40) -> str:
        """A code without the blanks, dots and hyphens that people type between its groups, in capitals."""
        return _BETWEEN_DIGITS.sub("", self.fields.get(name, "")[: 2 * most]).upper()[:most]


async def read_form(request: Request) -> Form:
    """Raises :class:`identity.web.errors.FormUnreadable`."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise FormUnreadable("The body is not a form. Send it from the page.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            raise FormUnreadable(f"The form is longer than {LONGEST_FORM} bytes. Shorten it.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise FormUnreadable("The form is not correctly encoded. Send it from the page.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise FormUnreadable("A field is there twice. Send the form from the page.")
    if any(_CONTROL.search(value) for value in fields.values()):
        raise FormUnreadable("A field holds control characters. Type the text anew.")
    return Form(fields)


def check_origin(request: Request, origins: Collection[str]) -> None:
    """What the browser says about the page that sent the form. Raises :class:`FormRefused`.

    A header that is missing is not held against an old browser: the token decides then.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        raise FormRefused("Another site sent this form.")
    origin = request.headers.get("origin")
    if origin is not None and origin.lower() not in origins:
        raise FormRefused("This form comes from another address than the official one.")


def new_token(bound_to: str) -> str:
    """A token for one page, bound to the secret of a cookie.

    Masked anew every time, so that a compressed answer betrays nothing about it (BREACH).
    """
    pad = secrets.token_bytes(_PAD)
    mac = _mac(bound_to)
    masked = bytes(one ^ other for one, other in zip(mac, pad, strict=True))
    return base64.urlsafe_b64encode(pad + masked).rstrip(b"=").decode()


def check_token(token: str | None, bound_to: str | None) -> None:
    """Raises :class:`identity.web.errors.FormRefused` unless :func:`new_token` made it for this secret."""
    if not token or not bound_to:
        raise FormRefused("The form carries no token of this browser's session.")
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    pad, masked = raw[:_PAD], raw[_PAD:]
    if len(masked) != _PAD or not hmac.compare_digest(
        bytes(one ^ other for one, other in zip(masked, pad, strict=True)), _mac(bound_to)
    ):
        raise FormRefused("The form belongs to an earlier session.")


def _mac(bound_to: str) -> bytes:
    return hmac.new(bound_to.encode(), b"absah form token v1", hashlib.sha256).digest()
