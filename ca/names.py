"""Name constraints: whose names a CA may certify (RFC 5280 4.2.1.10, 6.1.3 (b) and (c)). Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from ca.subjects import shown_name

_MOST_COMPARISONS = 10_000
"""Names times subtrees: more is a certificate made to keep verifiers busy."""


_COMPARED = (
    x509.DirectoryName,
    x509.RFC822Name,
    x509.DNSName,
    x509.UniformResourceIdentifier,
    x509.IPAddress,
)


def outside_constraints(chain: tuple[x509.Certificate, ...]) -> str | None:
    """Which name of ``chain``, leaf first, a CA above it may not certify; None when all may be.

    The constraints of the anchor count, too (RFC 5937). Self-issued certificates below the leaf's issuer are
    exempt, as link certificates must be. May raise what the library raises for unreadable extensions.
    """
    for position, authority in enumerate(chain[1:], start=1):
        constraints = constraints_of(authority)
        if constraints is None:
            continue
        for index, certificate in enumerate(chain[:position]):
            if index and certificate.subject == certificate.issuer:
                continue
            if broken := names_outside(_names_in(certificate), constraints):
                return broken
    return None


def subject_outside(subject: x509.Name, authorities: Iterable[x509.Certificate]) -> str | None:
    """The same for a subject that is to be certified below ``authorities``."""
    for authority in authorities:
        constraints = constraints_of(authority)
        if constraints and (broken := names_outside([x509.DirectoryName(subject)], constraints)):
            return broken
    return None


@lru_cache(maxsize=256)
def constraints_of(authority: x509.Certificate) -> x509.NameConstraints | None:
    try:
        return authority.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None


def names_outside(names: list[x509.GeneralName], constraints: x509.NameConstraints) -> str | None:
    """In words, the first of ``names`` that ``constraints`` do not allow."""
    permitted, excluded = constraints.permitted_subtrees or [], constraints.excluded_subtrees or []
    if len(names) * (len(permitted) + len(excluded)) > _MOST_COMPARISONS:
        return "more names and constraints than anybody has a use for"
    for name in names:
        of_kind = [subtree for subtree in permitted if type(subtree) is type(name)]
        if of_kind and not any(_is_within(name, subtree) for subtree in of_kind):
            return f"the name {_shown(name)}, which is in no permitted subtree"
        of_kind = [subtree for subtree in excluded if type(subtree) is type(name)]
        if any(not isinstance(name, _COMPARED) or _is_within(name, subtree) for subtree in of_kind):
            return f"the name {_shown(name)}, which is in an excluded subtree"
    return None


def _names_in(certificate: x509.Certificate) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    if certificate.subject.rdns:
        names.append(x509.DirectoryName(certificate.subject))
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += list(alternative)
    except x509.ExtensionNotFound:
        pass
    if not any(isinstance(name, x509.RFC822Name) for name in names):
        names += _mail_addresses(certificate.subject)
    return names


def _mail_addresses(subject: x509.Name) -> Iterator[x509.RFC822Name]:
    for attribute in subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
        try:
            yield x509.RFC822Name(str(attribute.value))
        except ValueError:  # not an address, so in no subtree of addresses: say it as one that never is
            yield x509.RFC822Name("unreadable@invalid")


def _is_within(name: x509.GeneralName, subtree: x509.GeneralName) -> bool:
    match name, subtree:
        case x509.DirectoryName(), x509.DirectoryName():
            inner, outer = _relative_names(name.value), _relative_names(subtree.value)
            return inner[: len(outer)] == outer
        case x509.RFC822Name(), x509.RFC822Name():
            wanted, address = subtree.value.lower(), name.value.lower()
            return address == wanted or _is_host_within(address.rpartition("@")[2], wanted)
        case x509.DNSName(), x509.DNSName():
            host, domain = name.value.lower(), subtree.value.lower().removeprefix(".")
            return not domain or host == domain or host.endswith(f".{domain}")
        case x509.UniformResourceIdentifier(), x509.UniformResourceIdentifier():
            return _is_host_within((urlsplit(name.value).hostname or "").lower(), subtree.value.lower())
        case x509.IPAddress(), x509.IPAddress():
            network = subtree.value
            return isinstance(network, ipaddress.IPv4Network | ipaddress.IPv6Network) and (
                getattr(name.value, "version", 0) == network.version and name.value in network
            )
        case _:
            return False  # a form that is not compared here (RFC 5280 4.2.1.10: then it is refused)


def _is_host_within(host: str, wanted: str) -> bool:
    """``.example.org`` is every host below, ``example.org`` the host itself."""
    return host.endswith(wanted) if wanted.startswith(".") else host == wanted


def _relative_names(name: x509.Name) -> list[frozenset[tuple[str, str]]]:
    """Compared as people read them: without regard to case and repeated spaces (RFC 5280 7.1)."""
    return [
        frozenset(
            (attribute.oid.dotted_string, " ".join(str(attribute.value).split()).casefold())
            for attribute in relative
        )
        for relative in name.rdns
    ]


def _shown(name: x509.GeneralName) -> str:
    text = shown_name(name.value) if isinstance(name, x509.DirectoryName) else str(name.value)
    return repr(text[:120])
