"""The register of portals: what an administrator may enter, and what it decides about authentication."""

from __future__ import annotations

from typing import Any

import pytest

from identity.agencies.model import Method
from identity.errors import AgencyUnknown, JwkInvalid
from identity.login.model import Session
from identity.provider.errors import PortalInvalid, PortalUnknown, TokenGrantGone
from identity.provider.model import Portal, PortalKind
from identity.provider.portals import portal_clients
from tests.identity.provider.house import JWKS, House

REFUSED: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("no name", {"name": ""}, PortalInvalid, "name"),
    ("name with a line break", {"name": "a\nb"}, PortalInvalid, "name"),
    ("name too long", {"name": "a" * 81}, PortalInvalid, "name"),
    ("no address", {"redirect_uris": ()}, PortalInvalid, "at least one"),
    ("plain http", {"redirect_uris": ("http://izin.example/cb",)}, PortalInvalid, "plain http"),
    (
        "back to plain http",
        {"post_logout_redirect_uris": ("http://i.example/",)},
        PortalInvalid,
        "plain http",
    ),
    ("told by plain http", {"backchannel_logout_uri": "http://i.example/"}, PortalInvalid, "https only"),
    (
        "several hosts",
        {"redirect_uris": ("https://a.example/", "https://b.example/")},
        PortalInvalid,
        "sector",
    ),
    ("sector that is no host", {"sector": "https://a.example"}, PortalInvalid, "host name"),
    ("scope that is none", {"scopes": frozenset({"everything"})}, PortalInvalid, "may also ask"),
    ("no keys and no app", {"jwks": None}, PortalInvalid, "JWK Set"),
    ("private key", {"jwks": '{"keys": [{"kty": "EC", "d": "x"}]}'}, JwkInvalid, "private"),
    ("no JSON", {"jwks": "keys"}, JwkInvalid, "JSON"),
    ("agency unknown", {"agency_id": "nobody"}, AgencyUnknown, "nobody"),
]


@pytest.mark.parametrize(
    ("name", "changes", "expected", "why"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_registration_that_breaks_a_rule_is_refused_by_name(
    name: str, changes: dict[str, Any], expected: type[Exception], why: str, house: House
) -> None:
    with pytest.raises(expected, match=why):
        house.portal(**changes)
    assert house.portals.all() == []


def test_nobody_joins_another_agencys_sector(house: House, portal: Portal) -> None:
    with pytest.raises(PortalInvalid, match="another agency's"):
        house.portal(agency_id="lain")
    assert house.portal().portal.sector == portal.sector


def test_an_app_is_a_sector_of_its_own(house: House) -> None:
    app = house.portal(kind=PortalKind.NATIVE, redirect_uris=("id.contoh.app:/cb",)).portal
    assert app.sector == app.id
    assert app.authentication is Method.NONE


def test_in_production_there_are_no_secrets(house: House, portal: Portal) -> None:
    assert house.portal().secret is None
    with house.database.read() as tx:
        found = portal_clients(tx, portal.id, house.clock)
    assert found is not None
    assert found.methods == {Method.PRIVATE_KEY_JWT}
    assert list(found.keys) == ["portal-1"]


def test_a_disabled_portal_is_no_client_and_its_tokens_are_dead(
    house: House, portal: Portal, session: Session
) -> None:
    answer = house.tokens(portal, session, scope="openid offline_access")
    house.portals.disable(portal.id, actor="admin")
    house.portals.disable(portal.id, actor="admin")
    with house.database.read() as tx:
        assert portal_clients(tx, portal.id, house.clock) is None
    with pytest.raises(TokenGrantGone):
        house.userinfo(answer["access_token"])
    assert house.audited().count("portal.disabled") == 1


def test_only_our_own_kind_of_id_is_looked_up(house: House) -> None:
    with house.database.read() as tx:
        for client_id in ("", "client-0000000000000000", "portal-x", "portal-" + "0" * 17, "é"):
            assert portal_clients(tx, client_id, house.clock) is None


def test_keys_are_replaced_and_private_ones_never_kept(house: House, portal: Portal) -> None:
    house.portals.replace_keys(portal.id, JWKS.replace("portal-1", "portal-2"), actor="admin")
    with house.database.read() as tx:
        found = portal_clients(tx, portal.id, house.clock)
    assert found is not None
    assert list(found.keys) == ["portal-2"]
    with pytest.raises(JwkInvalid):
        house.portals.replace_keys(portal.id, '{"keys": []}', actor="admin")
    with pytest.raises(PortalUnknown):
        house.portals.replace_keys("portal-0", JWKS, actor="admin")
    app = house.portal(kind=PortalKind.NATIVE, redirect_uris=("id.contoh.app:/cb",)).portal
    with pytest.raises(PortalInvalid):
        house.portals.replace_keys(app.id, JWKS, actor="admin")
