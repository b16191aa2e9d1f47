"""The certificate of a client's TLS connection, as the proxy that ends TLS hands it on (RFC 8705, 3).

A header is believed only where a setting names it *and* the connection comes from a trusted proxy, which must
overwrite that header in every request. The certificate itself is not judged: possession of its key is what
counts, and the TLS handshake proved that to the proxy.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate

from identity.agencies.errors import CertificateUnreadable
from identity.encoding import base64url

LONGEST_HEADER: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class CertificateHeader:
    """Which header holds the certificate, and from which networks it is believed."""

    name: str
    trusted: tuple[IPv4Network | IPv6Network, ...]

    def is_trusted(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:  # a Unix socket, or nothing at all
            return False
        return any(address in network for network in self.trusted)


def thumbprint_of(values: Collection[str]) -> str | None:
    """``x5t#S256`` of the certificate in a header's values: SHA-256 over its DER, base64url (RFC 8705, 3.1).

    Read are the form of RFC 9440 (``:base64 DER:``), bare base64 of DER, and PEM with percent-encoding. None
    where the connection had no certificate. Raises :class:`CertificateUnreadable`.
    """
    given = [value.strip() for value in values if value.strip()]
    if not given:
        return None
    if len(given) != 1 or len(given[0]) > LONGEST_HEADER:
        raise CertificateUnreadable(
            "The proxy's certificate header must be there once, with one certificate."
        )
    return base64url(hashlib.sha256(_der(given[0])).digest())


def _der(value: str) -> bytes:
    try:
        if value.startswith("-----BEGIN"):
            return load_pem_x509_certificate(unquote_to_bytes(value)).public_bytes(Encoding.DER)
        inner = value[1:-1] if value.startswith(":") and value.endswith(":") and len(value) > 1 else value
        der = base64.b64decode(inner, validate=True)
        load_der_x509_certificate(der)
    except (ValueError, binascii.Error, UnicodeError):
        raise CertificateUnreadable(
            "The proxy's certificate header holds no certificate that can be read: "
            "base64 of DER (RFC 9440) or PEM with percent-encoding is expected."
        ) from None
    return der
