"""What may be registered, and what matches: every vector names the failure it expects."""

from __future__ import annotations

import pytest

from identity.provider.errors import PortalInvalid
from identity.provider.model import PortalKind
from identity.provider.redirects import (
    answer_url,
    check_redirect_uri,
    check_server_uri,
    form_target,
    matches,
    sector_of,
)

WEB, NATIVE = PortalKind.WEB, PortalKind.NATIVE

REGISTRABLE = [
    ("https", WEB, "https://portal.example/callback"),
    ("https with port", WEB, "https://portal.example:8443/callback"),
    ("https with query", WEB, "https://portal.example/callback?tenant=1"),
    ("name of another script", WEB, "https://xn--bdung-ota.example/callback"),
    ("address", WEB, "https://203.0.113.7/callback"),
    ("address of version 6", WEB, "https://[2001:db8::1]:8443/callback"),
    ("claimed https of an app", NATIVE, "https://app.example/callback"),
    ("loopback of an app", NATIVE, "http://127.0.0.1/callback"),
    ("loopback of an app, version 6", NATIVE, "http://[::1]/callback"),
    ("scheme of an app", NATIVE, "id.go.example.app:/callback"),
]


@pytest.mark.parametrize(("name", "kind", "uri"), REGISTRABLE, ids=str)
def test_these_may_be_registered_in_production(name: str, kind: PortalKind, uri: str) -> None:
    check_redirect_uri(uri, kind=kind, allow_http=False)


REFUSED = [
    ("plain http", WEB, "http://portal.example/callback", "plain http"),
    ("loopback of a server", WEB, "http://127.0.0.1/callback", "plain http"),
    ("localhost by name", NATIVE, "http://localhost/callback", "plain http"),
    ("fragment", WEB, "https://portal.example/callback#here", "characters"),
    ("wildcard", WEB, "https://*.portal.example/callback", "characters"),
    ("wildcard path", WEB, "https://portal.example/*", "characters"),
    ("no path", WEB, "https://portal.example", "path"),
    ("no host", WEB, "https:///callback", "host"),
    ("user", WEB, "https://me@portal.example/callback", "user name"),
    ("user and password", WEB, "https://me:pw@portal.example/callback", "user name"),
    ("port 0", WEB, "https://portal.example:0/callback", "port"),
    ("port that is none", WEB, "https://portal.example:x/callback", "port"),
    ("port too high", WEB, "https://portal.example:70000/callback", "port"),
    ("upper-case host", WEB, "https://Portal.example/callback", "lower case"),
    ("upper-case scheme", WEB, "HTTPS://portal.example/callback", "lower case"),
    ("dot segments", WEB, "https://portal.example/a/../callback", "dot segments"),
    ("javascript", NATIVE, "javascript:alert(1)", "scheme"),
    ("data", NATIVE, "data:text/html,hello", "scheme"),
    ("file", NATIVE, "file:///etc/passwd", "scheme"),
    ("scheme without a dot", NATIVE, "myapp:/callback", "scheme"),
    ("scheme of an app for a server", WEB, "id.go.example.app:/callback", "scheme"),
    ("scheme of an app with a host", NATIVE, "id.go.example.app://host/callback", "scheme"),
    ("relative", WEB, "/callback", "scheme"),
    ("empty", WEB, "", "characters"),
    ("line break", WEB, "https://portal.example/\r\nSet-Cookie: a=b", "characters"),
    ("backslash", WEB, "https://portal.example\\@evil.example/", "characters"),
    ("semicolon in the host", WEB, "https://portal.example;script-src/callback", "host"),
    ("comma in the host", WEB, "https://portal.example,evil.example/callback", "host"),
    ("quote in the host", WEB, "https://'self'/callback", "host"),
    ("dollar in the host", WEB, "https://portal$.example/callback", "host"),
    ("percent in the host", WEB, "https://portal%2eexample/callback", "host"),
    ("underscore in the host", WEB, "https://my_portal.example/callback", "host"),
    ("label that begins with a hyphen", WEB, "https://-portal.example/callback", "host"),
    ("empty label", WEB, "https://portal..example/callback", "host"),
    ("full stop at the end", WEB, "https://portal.example./callback", "host"),
    ("label too long", WEB, f"https://{'a' * 64}.example/callback", "host"),
    ("name too long", WEB, f"https://{'a.' * 127}example/callback", "host"),
    ("number for an address", WEB, "https://2130706433/callback", "host"),
    ("address with zeros in front", WEB, "https://127.000.000.001/callback", "host"),
    ("IPv6 not in its short form", WEB, "https://[0:0:0:0:0:0:0:1]/callback", "host"),
    ("brackets around a name", WEB, "https://[portal.example]/callback", "host|address"),
    ("colon without a port", WEB, "https://portal.example:/callback", "host"),
    ("not ASCII", WEB, "https://portal.example/ünïcode", "characters"),
    ("too long", WEB, "https://portal.example/" + "a" * 512, "characters"),
    ("broken IPv6", WEB, "https://[::1/callback", "user name|address"),
]


@pytest.mark.parametrize(("name", "kind", "uri", "why"), REFUSED, ids=lambda value: str(value)[:60])
def test_these_may_not(name: str, kind: PortalKind, uri: str, why: str) -> None:
    with pytest.raises(PortalInvalid, match=why):
        check_redirect_uri(uri, kind=kind, allow_http=False)


def test_development_may_use_loopback_by_plain_http_and_nothing_else() -> None:
    check_redirect_uri("http://localhost:3000/cb", kind=WEB, allow_http=True)
    check_server_uri("http://127.0.0.1:3000/ended", allow_http=True)
    with pytest.raises(PortalInvalid):
        check_redirect_uri("http://portal.example/cb", kind=WEB, allow_http=True)
    with pytest.raises(PortalInvalid):
        check_server_uri("http://169.254.169.254/latest", allow_http=True)
    with pytest.raises(PortalInvalid):
        check_server_uri("http://127.0.0.1:3000/ended", allow_http=False)


REGISTERED = ("https://portal.example/callback", "https://portal.example/cb?tenant=1")
OFF = [
    ("slash more", "https://portal.example/callback/"),
    ("slash less", "https://portal.example"),
    ("query more", "https://portal.example/callback?next=1"),
    ("query less", "https://portal.example/cb"),
    ("query longer", "https://portal.example/cb?tenant=12"),
    ("empty query", "https://portal.example/callback?"),
    ("port", "https://portal.example:443/callback"),
    ("other port", "https://portal.example:8443/callback"),
    ("case of the path", "https://portal.example/Callback"),
    ("case of the host", "https://PORTAL.example/callback"),
    ("scheme", "http://portal.example/callback"),
    ("subdomain", "https://a.portal.example/callback"),
    ("suffix", "https://portal.example.evil.example/callback"),
    ("user", "https://portal.example@evil.example/callback"),
    ("fragment", "https://portal.example/callback#x"),
    ("encoded", "https://portal.example/%63allback"),
    ("dot segment", "https://portal.example/./callback"),
    ("trailing dot", "https://portal.example./callback"),
    ("blank", "https://portal.example/callback "),
]


@pytest.mark.parametrize(("name", "uri"), OFF, ids=str)
def test_an_address_that_is_off_by_anything_does_not_match(name: str, uri: str) -> None:
    assert not matches(uri, REGISTERED, WEB)
    assert not matches(uri, REGISTERED, NATIVE)


def test_the_registered_address_matches() -> None:
    assert all(matches(uri, REGISTERED, WEB) for uri in REGISTERED)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://127.0.0.1:51234/callback", True),
        ("http://127.0.0.1/callback", True),
        ("http://127.0.0.1:51234/Callback", False),
        ("http://127.0.0.1:51234/callback/", False),
        ("http://127.0.0.1:512345678/callback", False),
        ("http://127.0.0.1:51234@evil.example/callback", False),
        ("http://127.0.0.1.evil.example:80/callback", False),
        ("http://localhost:51234/callback", False),
        ("http://[::1]:51234/callback", False),
        ("https://127.0.0.1:51234/callback", False),
    ],
)
def test_the_port_of_an_apps_loopback_address_is_the_one_thing_that_may_differ(
    uri: str, expected: bool
) -> None:
    assert matches(uri, ("http://127.0.0.1:8000/callback",), NATIVE) is expected


def test_a_port_in_digits_of_another_script_does_not_match() -> None:
    # Such a port fits into no header: what matched could not even be answered.
    assert not matches("http://127.0.0.1:\uff11\uff12/callback", ("http://127.0.0.1/callback",), NATIVE)


def test_the_port_of_a_servers_loopback_address_may_not_differ() -> None:
    assert not matches("http://127.0.0.1:51234/callback", ("http://127.0.0.1:8000/callback",), WEB)


def test_an_answer_keeps_the_registered_query_and_escapes_its_own_members() -> None:
    assert (
        answer_url("https://p.example/cb?t=1", {"state": "a&b=c"})
        == "https://p.example/cb?t=1&state=a%26b%3Dc"
    )
    assert answer_url("https://p.example/cb", {"code": "x"}) == "https://p.example/cb?code=x"


def test_a_form_may_end_at_the_portal_alone() -> None:
    assert form_target("https://p.example:8443/cb?x=1") == "https://p.example:8443"
    assert form_target("id.contoh.app:/cb") == "id.contoh.app:"


def test_the_sector_is_the_one_host() -> None:
    assert sector_of(REGISTERED) == "portal.example"
    assert sector_of(("https://a.example/", "https://b.example/")) is None
    assert sector_of(("id.contoh.app:/cb",)) is None
    assert sector_of(("http://127.0.0.1/cb",)) is None
