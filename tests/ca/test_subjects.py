"""Names in certificates as people read and compare them."""

from __future__ import annotations

import re
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from ca.profiles import legal_person
from ca.subjects import shown_name
from tests.support.needs import ROOT


def test_an_organisation_is_shown_with_its_identifier_and_what_that_is() -> None:
    name = legal_person(
        common_name="Dinas Contoh, Kota",
        organisation="Pemerintah Kota Contoh",
        organization_identifier="NTRID-8120001234567",
        country="ID",
    )
    assert shown_name(name) == (
        r"CN=Dinas Contoh\, Kota,organizationIdentifier=NTRID-8120001234567,O=Pemerintah Kota Contoh,C=ID"
    )


def test_a_natural_person_s_attributes_have_words_and_unknown_ones_their_number() -> None:
    odd = x509.ObjectIdentifier("1.3.6.1.4.1.32473.1")
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.GIVEN_NAME, "Siti"),
            x509.NameAttribute(NameOID.SURNAME, "Rahma"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, "PNOID-1"),
            x509.NameAttribute(odd, "x"),
        ]
    )
    assert shown_name(name) == "1.3.6.1.4.1.32473.1=x,serialNumber=PNOID-1,surname=Rahma,givenName=Siti"


def test_names_are_shown_in_this_one_way() -> None:
    """Whoever prints a name by the library's own way shows 2.5.4.97 to somebody again."""
    found = [
        path
        for slice_ in ("app", "ca", "identity", "keys", "signing", "verify")
        for path in sorted((Path(ROOT) / slice_).rglob("*.py"))
        if re.search(r"\.rfc4514_string\(", path.read_text())
    ]
    assert [path.name for path in found] == ["subjects.py"]
