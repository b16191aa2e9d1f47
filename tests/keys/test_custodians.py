"""The register of custodians as a document: what it takes in, and what it never becomes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keys.custodians import (
    Change,
    CustodianKey,
    ProofKind,
    Register,
    changed,
    decoded,
    encoded,
    key_in,
    parameters_of,
    read_public_key,
)
from keys.errors import CustodianKeyRefused, CustodiansChangeRefused, RegisterAltered
from tests.support.custodians import KeyHolder
from tests.support.needs import requires

ANI, BUDI, CITRA = KeyHolder("ani"), KeyHolder("budi", person_id="person-b"), KeyHolder("citra")
PASSKEY = CustodianKey(ProofKind.PASSKEY, b"cose", b"credential")


def register_of(*holders: KeyHolder, required: int = 2) -> Register:
    register = Register()
    for holder in holders:
        register = changed(register, holder.joining, required=required)
    return register


def test_a_register_is_read_as_it_was_written() -> None:
    register = register_of(ANI, BUDI)
    assert Register.read(register.content()) == register
    assert register.version == 2


def test_a_register_in_another_releases_form_is_not_guessed_at() -> None:
    with pytest.raises(RegisterAltered, match="another release"):
        Register.read('{"type": "absah custodians v2"}')


def test_it_is_free_until_there_is_a_quorum_and_never_again() -> None:
    assert register_of(ANI).is_free(2)
    register = register_of(ANI, BUDI, CITRA)
    assert not register.is_free(2)
    assert not register.is_free(5), "raising the number of approvals does not open the register"
    assert register_of(ANI, BUDI, required=0).is_free(0)


def test_nobody_is_removed_whom_the_quorum_needs() -> None:
    register = register_of(ANI, BUDI, CITRA)
    left = changed(register, parameters_of(Change.REMOVE, "citra"), required=2)
    assert [one.name for one in left.custodians] == ["ani", "budi"]
    with pytest.raises(CustodiansChangeRefused, match="1 custodians would be left"):
        changed(left, parameters_of(Change.REMOVE, "ani"), required=2)


def test_one_person_is_one_custodian() -> None:
    register = register_of(ANI, BUDI)
    same_key = KeyHolder("dewi", private=ANI.private)
    same_account = KeyHolder("dewi", person_id="person-b")
    with pytest.raises(CustodiansChangeRefused, match="key is a custodian's already"):
        changed(register, same_key.joining, required=2)
    with pytest.raises(CustodiansChangeRefused, match="a person is one custodian"):
        changed(register, same_account.joining, required=2)
    with pytest.raises(CustodiansChangeRefused, match="custodian already"):
        changed(register, KeyHolder("ani").joining, required=2)


def test_a_new_key_takes_the_place_of_the_old_one_of_its_kind() -> None:
    register = register_of(ANI, BUDI)
    file = parameters_of(Change.REPLACE_KEY, "budi", key=CITRA.key)
    rekeyed = changed(register, file, required=2)
    token = parameters_of(Change.REPLACE_KEY, "budi", key=PASSKEY, person_id="person-b")
    both = changed(rekeyed, token, required=2).find("budi")
    assert both is not None
    assert both.keys == (CITRA.key, PASSKEY)
    assert both.key(BUDI.key.id) is None


def test_a_new_key_hands_nobody_anothers_name() -> None:
    theirs = parameters_of(Change.REPLACE_KEY, "budi", key=PASSKEY, person_id="person-x")
    with pytest.raises(CustodiansChangeRefused, match="another person's name"):
        changed(register_of(ANI, BUDI), theirs, required=2)


def test_a_passkey_belongs_to_an_account() -> None:
    with pytest.raises(CustodianKeyRefused, match="name the person"):
        changed(Register(), parameters_of(Change.ADD, "dewi", key=PASSKEY), required=2)


@pytest.mark.parametrize("name", ["", "a", "Ani", "ani dewi", "ani\n", "-ani", "a" * 41, "añi", "ani|budi"])
def test_names_are_ones_that_cannot_be_mistaken(name: str) -> None:
    with pytest.raises(CustodiansChangeRefused, match="lower-case letters"):
        changed(Register(), KeyHolder(name).joining | {"custodian": name}, required=2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"change": "promote", "custodian": "ani"}, "add, replace-key, remove"),
        ({"change": "remove", "custodian": "nobody"}, "no custodian is called 'nobody'"),
        (parameters_of(Change.REPLACE_KEY, "nobody", key=CITRA.key), "no custodian is called"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(change: dict[str, str], words: str) -> None:
    with pytest.raises(CustodiansChangeRefused, match=words):
        changed(register_of(ANI, BUDI, CITRA), change, required=2)


@pytest.mark.parametrize(
    "change",
    [
        {"change": "add", "custodian": "dewi"},
        {"change": "add", "custodian": "dewi", "kind": "rsa", "public_key": "AAAA"},
        {"change": "add", "custodian": "dewi", "kind": "p256", "public_key": "AAAA"},
        {"change": "add", "custodian": "dewi", "kind": "p256", "public_key": "!"},
        {"change": "add", "custodian": "dewi", "kind": "p256", "public_key": "ü"},
        {"change": "add", "custodian": "dewi", "kind": "passkey", "public_key": "AAAA", "person": "p"},
        {"change": "add", "custodian": "dewi", "kind": "p256", "public_key": encoded(ANI.pem)},
        parameters_of(Change.ADD, "dewi", key=ANI.key) | {"credential": "AAAA"},
    ],
    ids=["none", "kind", "bytes", "base64", "ascii", "no credential", "pem", "two keys"],
)
def test_a_key_that_is_none_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(CustodianKeyRefused):
        changed(Register(), change, required=2)


def test_a_key_file_is_a_p256_key_in_pem_or_der_and_nothing_else() -> None:
    der = ANI.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert read_public_key(ANI.pem) == read_public_key(der) == ANI.key
    others = (
        ec.generate_private_key(ec.SECP384R1()).public_key(),
        ed25519.Ed25519PrivateKey.generate().public_key(),
        rsa.generate_private_key(65537, 2048).public_key(),
    )
    for other in others:
        with pytest.raises(CustodianKeyRefused, match="P-256"):
            read_public_key(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for junk in (b"", b"-----BEGIN PUBLIC KEY-----", b"\x30\x80", b"x" * 10_000):
        with pytest.raises(CustodianKeyRefused):
            read_public_key(junk)


@requires("openssl")
def test_the_fingerprint_is_what_openssl_prints(tmp_path: Path) -> None:
    file = tmp_path / "ani.pub.pem"
    file.write_bytes(ANI.pem)
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "DER", "-in", file], check=True, capture_output=True
    )
    printed = subprocess.run(["openssl", "sha256"], input=der.stdout, check=True, capture_output=True)
    assert printed.stdout.decode().split()[-1] == ANI.key.id


def test_bytes_have_one_spelling() -> None:
    for value in (b"", b"a", b"ab", b"abc", bytes(range(256))):
        assert decoded(encoded(value)) == value
    for text in ("YQ==", "YR", "Y Q", "YQ\n", "+w", "A"):
        with pytest.raises(ValueError, match=r".*"):
            decoded(text)
    assert key_in({"change": "remove"}) is None
