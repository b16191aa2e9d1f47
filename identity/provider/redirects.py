"""Where answers may go: what may be registered, what matches, and how an answer is written. Pure.

A redirect address that is not exactly right is how codes are stolen (RFC 9700, 2.1 and 4.1), so there are no
patterns: a registered address matches itself, character for character. The one exception is the port of a
native app's loopback address, which the operating system picks at run time (RFC 8252, 7.3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlencode, urlsplit

from identity.provider.errors import PortalInvalid
from identity.provider.model import LONGEST_URI, PortalKind

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?@!$&'()+,;=%\[\]-]+")  # of RFC 3986, without # and *
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")  # RFC 1123, 2.1; other scripts as xn--
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+)(?::[1-9][0-9]{0,4})?")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")
_LOOPBACK_ADDRESS = re.compile(r"http://(127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?(/.*)")


def check_redirect_uri(uri: str, *, kind: PortalKind, allow_http: bool) -> None:
    """Whether ``uri`` may be registered as a redirect address. Raises :class:`PortalInvalid`, saying why not.

    A portal on a server has https (RFC 9700, 2.6). An app has a claimed https address, a loopback address by
    number, or a scheme of its own that holds a dot, as reversed domain names do (RFC 8252, 7).
    """
    parts = _split(uri)
    if parts.scheme == "https":
        return
    if parts.scheme == "http":
        if kind is PortalKind.NATIVE and parts.hostname in {"127.0.0.1", "::1"}:
            return
        if allow_http and parts.hostname in _LOOPBACK:
            return
        raise PortalInvalid(
            f"{uri} is plain http. Use https; an app may also use http://127.0.0.1/PATH (RFC 8252, 7.3)."
        )
    if kind is PortalKind.NATIVE and _PRIVATE_SCHEME.fullmatch(parts.scheme) and not parts.netloc:
        return
    raise PortalInvalid(
        f"{uri} has a scheme that is not allowed here. Use https; an app may also use a scheme of its own "
        "such as id.go.example.app:/callback (RFC 8252, 7.1)."
    )


def check_server_uri(uri: str, *, allow_http: bool) -> None:
    """Whether we may call ``uri`` ourselves (back-channel logout). Raises :class:`PortalInvalid`."""
    parts = _split(uri)
    if parts.scheme == "https" or (allow_http and parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return
    raise PortalInvalid(f"{uri} is not https. Logout tokens are sent over https only.")


def matches(presented: str, registered: tuple[str, ...], kind: PortalKind) -> bool:
    """Whether a request's redirect address is a registered one."""
    if presented in registered:
        return True
    without_port = _without_port(presented) if kind is PortalKind.NATIVE else None
    return without_port is not None and without_port in {_without_port(uri) for uri in registered}


def sector_of(redirect_uris: tuple[str, ...]) -> str | None:
    """The one host of all addresses, or None where there is not just one (OpenID Connect Core, 8.1)."""
    hosts = {urlsplit(uri).hostname for uri in redirect_uris}
    host = hosts.pop() if len(hosts) == 1 else None
    return None if host in _LOOPBACK else host


def answer_url(redirect_uri: str, members: Mapping[str, str]) -> str:
    """The address with an answer in its query; a query that was registered stays (RFC 6749, 3.1.2)."""
    separator = "&" if "?" in redirect_uri else "?"
    return f"{redirect_uri}{separator}{urlencode(members)}"


def form_target(redirect_uri: str) -> str:
    """What a page's ``form-action`` names so that its form may end at ``redirect_uri`` (CSP 3, 6.4.1)."""
    parts = urlsplit(redirect_uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def _split(uri: str) -> SplitResult:
    if not 0 < len(uri) <= LONGEST_URI or not _CHARACTERS.fullmatch(uri):
        raise PortalInvalid(
            f"{uri[:80]!r} is not an address of at most {LONGEST_URI} characters without # and *."
        )
    try:
        parts = urlsplit(uri)
        valid = parts.port is None or parts.port > 0
    except ValueError:
        valid = False
    if not valid or parts.username is not None or parts.password is not None:
        raise PortalInvalid(f"{uri} is not an address without user name and with a valid port.")
    if parts.scheme in {"http", "https"} and (not parts.hostname or not parts.path.startswith("/")):
        raise PortalInvalid(f"{uri} needs a host and a path, such as https://portal.example/callback.")
    if parts.netloc != parts.netloc.lower() or not uri.startswith(f"{parts.scheme}:"):
        raise PortalInvalid(f"Write scheme and host of {uri} in lower case, as browsers send them.")
    if parts.netloc and not _is_host(parts.netloc):
        raise PortalInvalid(
            f"The host of {uri} is neither a name of letters, digits and hyphens nor an IP address. Write "
            "names of other scripts as xn-- labels (RFC 5890), and an IPv6 address in its short form."
        )
    if any(segment in {".", ".."} for segment in parts.path.split("/")):
        raise PortalInvalid(f"{uri} holds dot segments. Write the path that they lead to.")
    return parts


def _is_host(authority: str) -> bool:
    """A name whose characters mean nothing in a header or a policy, or an address as browsers write it."""
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        return False
    host = found[1]
    if not host.startswith("[") and not host.rpartition(".")[2].isdigit():
        return _HOST.fullmatch(host) is not None
    try:  # a name whose last label is a number is read as an address (URL Standard, 3.5)
        return str(ip_address(host.strip("[]"))) == host.strip("[]")
    except ValueError:
        return False


def _without_port(uri: str) -> tuple[str, str] | None:
    """Host and path of a loopback address by number; None for every other address."""
    found = _LOOPBACK_ADDRESS.fullmatch(uri)
    return (found[1], found[2]) if found else None
