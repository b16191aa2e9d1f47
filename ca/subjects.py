"""How people are shown the name in a certificate. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

_NAMED: Final[Mapping[x509.ObjectIdentifier, str]] = {
    NameOID.ORGANIZATION_IDENTIFIER: "organizationIdentifier",  # as EN 319 412-1 5.1.4 and X.520 spell it
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.GIVEN_NAME: "givenName",
    NameOID.SURNAME: "surname",
}
"""Attributes that RFC 4514 has no short name for, and that stand in the subjects of persons (EN 319 412)."""


def shown_name(name: x509.Name) -> str:
    """One line as in RFC 4514, most specific first, with words where that has bare object identifiers."""
    return name.rfc4514_string(_NAMED)
