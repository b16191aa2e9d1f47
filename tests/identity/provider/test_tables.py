"""What the provider's tables promise, on both databases."""

from __future__ import annotations

from datetime import timedelta

from identity.people.model import Person
from identity.provider.grant_tables import RevokedTokenTable
from identity.provider.model import Consent, Portal
from identity.provider.tables import ConsentTable
from tests.identity.provider.house import House, at_once


def test_whoever_puts_a_row_there_is_told_so_and_everybody_else_not(house: House) -> None:
    until = house.clock() + timedelta(minutes=5)

    def add(token_id: str) -> bool:
        with house.database.begin() as tx:
            return RevokedTokenTable(tx).add(token_id, until)

    assert add("t-1")
    assert not add("t-1")
    assert sorted(map(str, at_once(8, lambda: add("t-2")))) == ["False"] * 7 + ["True"]


def test_a_consent_that_was_withdrawn_can_be_given_again(house: House, portal: Portal, siti: Person) -> None:
    def give(*scopes: str) -> None:
        with house.database.begin() as tx:
            ConsentTable(tx).give(Consent(siti.id, portal.id, frozenset(scopes), house.clock()))

    give("openid")
    house.sharing.withdraw(siti.id, portal.id, actor=siti.id)
    give("openid", "email")
    with house.database.read() as tx:
        standing = ConsentTable(tx).get(siti.id, portal.id)
    assert standing is not None
    assert standing.scopes == {"openid", "email"}
