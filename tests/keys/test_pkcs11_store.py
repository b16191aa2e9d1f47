"""The PKCS #11 store against SoftHSM2: the contract of all stores, then what only a token does or suffers."""

from __future__ import annotations

import ctypes
import os
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from keys.errors import (
    KeyEncryptionKeyUnsafe,
    KeyUnavailable,
    TokenBusy,
    TokenPinRefused,
    TokenUnfit,
    TokenUnreachable,
)
from keys.model import SIGNATURE_ALGORITHMS, KeyAlgorithm
from keys.ports import KeyStore
from keys.stores.pkcs11.module import close_modules, module_at
from keys.stores.pkcs11.store import Pkcs11KeyStore
from keys.stores.pkcs11.token import Token
from tests.keys.store_contract import KeyStoreContract, made, verify
from tests.support.hsm import LABEL, Hsm, Wire, proxy, running_hsm, softhsm, wire


@pytest.fixture
def hsm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hsm]:
    with running_hsm(monkeypatch) as made:
        yield made


class TestPkcs11Store(KeyStoreContract):
    @pytest.fixture
    def store(self, hsm: Hsm) -> KeyStore:
        return Pkcs11KeyStore(Token(hsm.address()))

    @pytest.fixture
    def reopened(self, hsm: Hsm) -> Callable[[], KeyStore]:
        return lambda: Pkcs11KeyStore(Token(hsm.address()))


@pytest.mark.parametrize(
    "algorithm", [KeyAlgorithm.EC_P256, KeyAlgorithm.EC_P384, KeyAlgorithm.RSA_3072], ids=str
)
def test_another_program_sees_a_private_key_that_signs_and_never_leaves(
    hsm: Hsm, algorithm: KeyAlgorithm
) -> None:
    made(Pkcs11KeyStore(Token(hsm.address())), "seal-1", algorithm)
    seen = hsm.tool("--list-objects", "--type", "privkey")
    assert "label:      seal-1" in seen
    assert f"ID:         {b'seal-1'.hex()}" in seen
    assert "Usage:      sign\n" in seen
    assert "Access:     sensitive, always sensitive, never extractable, local\n" in seen


def test_another_program_sees_a_wrapping_key_that_never_leaves(hsm: Hsm) -> None:
    made(Pkcs11KeyStore(Token(hsm.address())), "wrapping-1", KeyAlgorithm.AES_256)
    seen = hsm.tool("--list-objects", "--type", "secrkey")
    assert "AES length 32" in seen
    assert "Usage:      encrypt, decrypt\n" in seen
    assert "Access:     sensitive, always sensitive, never extractable, local\n" in seen


def test_a_key_that_somebody_imported_is_not_used(hsm: Hsm, tmp_path: Path) -> None:
    """Its bytes were outside once: whoever has them signs in our name."""
    imported = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "key.der"
    file.write_bytes(imported.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    public = tmp_path / "public.der"
    info = imported.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    public.write_bytes(info)
    for kind, path in (("privkey", file), ("pubkey", public)):
        hsm.tool("--write-object", str(path), "--type", kind, "--id", b"foreign".hex(), "--usage-sign")
    store = Pkcs11KeyStore(Token(hsm.address()))
    record = replace(made(store, "own"), id="foreign", public_key=info)
    with pytest.raises(TokenUnfit, match=r"CKA_(LOCAL|EXTRACTABLE|ALWAYS_SENSITIVE|SENSITIVE)"):
        store.open(record)


def test_generating_under_a_used_id_never_replaces_the_first_key(hsm: Hsm) -> None:
    store = Pkcs11KeyStore(Token(hsm.address()))
    record = made(store, "k")
    with pytest.raises(KeyUnavailable, match="already"):
        store.generate("k", KeyAlgorithm.EC_P256)
    verify(record, store.open(record).sign(b"x"), b"x")


@pytest.mark.parametrize("lost", ["privkey", "pubkey"])
def test_half_a_key_is_not_opened_and_is_replaced_by_a_whole_one(hsm: Hsm, lost: str) -> None:
    store = Pkcs11KeyStore(Token(hsm.address()))
    half = made(store, "k")
    hsm.tool("--delete-object", "--type", lost, "--id", b"k".hex())
    close_modules()  # as after the crash that left it
    with pytest.raises(KeyUnavailable):
        store.open(half)
    assert store.inventory() == (set(), {"k"})
    whole = made(store, "k")
    verify(whole, store.open(whole).sign(b"x"), b"x")
    assert store.inventory() == ({"k"}, set())


def test_destroying_leaves_nothing_in_the_token(hsm: Hsm) -> None:
    store = Pkcs11KeyStore(Token(hsm.address()))
    store.destroy(made(store, "k"))
    store.destroy(made(store, "w", KeyAlgorithm.AES_256))
    assert "label:" not in hsm.tool("--list-objects")


def test_an_already_opened_key_that_was_destroyed_signs_no_more(hsm: Hsm) -> None:
    store = Pkcs11KeyStore(Token(hsm.address()))
    record = made(store, "k")
    key = store.open(record)
    store.destroy(record)
    with pytest.raises(KeyUnavailable):
        key.sign(b"x")


def test_a_long_text_is_signed_in_pieces(hsm: Hsm) -> None:
    store = Pkcs11KeyStore(Token(hsm.address()))
    for algorithm in (KeyAlgorithm.RSA_3072, KeyAlgorithm.EC_P256):
        record = made(store, f"k-{algorithm}", algorithm)
        text = secrets.token_bytes(100_001)
        verify(record, store.open(record).sign(text), text)


# --- what a token suffers ---------------------------------------------------------------------------


def test_a_wrong_pin_is_named_and_tried_once_only(hsm: Hsm) -> None:
    right = hsm.pin_file.read_text()
    hsm.pin_file.write_text("not-the-pin\n")
    store = Pkcs11KeyStore(Token(hsm.address()))
    errors: list[str] = []
    store.watch(errors.append)
    for _ in range(3):
        with pytest.raises(TokenPinRefused, match="correct the file") as refused:
            store.examine()
        assert "not-the-pin" not in str(refused.value)
        time.sleep(1.1)  # the pause between two attempts
    assert errors == ["PinIncorrect"]
    hsm.pin_file.write_text(right)
    assert LABEL in store.examine()


def test_a_pin_file_that_others_read_is_refused(hsm: Hsm) -> None:
    hsm.pin_file.chmod(0o644)
    with pytest.raises(KeyEncryptionKeyUnsafe, match="chmod 600"):
        Pkcs11KeyStore(Token(hsm.address())).examine()


def test_a_token_without_a_pin_names_who_sets_one(hsm: Hsm) -> None:
    """SoftHSM2 never locks; a token whose PIN was never set refuses with the same remedy."""
    hsm.tool(
        "--init-token",
        "--slot-index",
        "1",
        "--label",
        "fresh",
        "--so-pin",
        hsm.so_pin,
        login=False,
        named=False,
    )
    close_modules()
    with pytest.raises(TokenPinRefused, match="security officer"):
        Pkcs11KeyStore(Token(replace(hsm.address(), label="fresh"))).examine()


def test_a_missing_module_and_a_file_that_is_none_are_named(hsm: Hsm, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.so"
    with pytest.raises(TokenUnreachable, match="ABSAH_KEYS_PKCS11_MODULE"):
        Pkcs11KeyStore(Token(hsm.address(nothing))).examine()
    nothing.write_bytes(b"no library")
    with pytest.raises(TokenUnreachable, match="ABSAH_KEYS_PKCS11_MODULE"):
        Pkcs11KeyStore(Token(hsm.address(nothing))).examine()


def test_a_token_that_is_not_there_is_named_with_those_that_are(hsm: Hsm) -> None:
    store = Pkcs11KeyStore(Token(replace(hsm.address(), label="other")))
    with pytest.raises(TokenUnreachable, match=f"'other'.*'{LABEL}'.*ABSAH_KEYS_PKCS11_TOKEN"):
        store.examine()


def test_when_all_sessions_are_lent_the_next_waits_its_turn_and_then_says_so(
    hsm: Hsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keys.stores.pkcs11.token.PATIENCE", 0.2)
    token = Token(hsm.address(sessions=1))
    token.run(lambda session: None)

    def within(session: object) -> None:
        token.run(lambda other: None)

    with pytest.raises(TokenBusy, match="ABSAH_KEYS_PKCS11_SESSIONS"):
        token.run(within)
    token.run(lambda session: None)


class _Small:
    """A token with a session table of ``size``; SoftHSM2's own has no end."""

    def __init__(self, token: pkcs11.Token, size: int) -> None:
        self._token = token
        self._left = size
        self.label, self.flags = token.label, token.flags

    def open(self, **options: Any) -> pkcs11.Session:
        if not self._left:
            raise pkcs11.SessionCount
        self._left -= 1
        return self._token.open(**options)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_token_with_few_sessions_is_shared_and_one_with_none_is_named(
    hsm: Hsm, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    record = made(Pkcs11KeyStore(Token(hsm.address())), "k")
    close_modules()
    find = Token._find
    monkeypatch.setattr(Token, "_find", lambda self, module: _Small(find(self, module), size))
    store = Pkcs11KeyStore(Token(hsm.address()))
    if size == 1:  # taken by the login
        with pytest.raises(TokenBusy, match="allow more sessions"):
            store.open(record)
        return
    key = store.open(record)
    with ThreadPoolExecutor(8) as pool:
        for signature in pool.map(key.sign, [b"x"] * 40):
            verify(record, signature, b"x")


def _lose_sessions(hsm: Hsm) -> None:
    """C_CloseAllSessions, as a token does when it is reset."""
    module = module_at(softhsm())
    for slot in module.library.get_slots(token_present=True):
        assert not ctypes.CDLL(str(softhsm())).C_CloseAllSessions(ctypes.c_ulong(slot.slot_id))


def _lose_library(hsm: Hsm) -> None:
    assert not ctypes.CDLL(str(softhsm())).C_Finalize(None)


@pytest.mark.parametrize("lose", [_lose_sessions, _lose_library], ids=["sessions", "library"])
def test_keys_sign_and_wrap_on_after_the_token_forgot_us(hsm: Hsm, lose: Callable[[Hsm], None]) -> None:
    store = Pkcs11KeyStore(Token(hsm.address()))
    errors: list[str] = []
    store.watch(errors.append)
    record, rsa = made(store, "k"), made(store, "r", KeyAlgorithm.RSA_3072)
    key, rsa_key = store.open(record), store.open(rsa)
    wrapper = store.open_wrapper(made(store, "w", KeyAlgorithm.AES_256))
    wrapped = wrapper.wrap(bytes(32), b"")
    for _ in range(2):
        lose(hsm)
        verify(record, key.sign(b"x"), b"x")
        lose(hsm)
        assert wrapper.unwrap(wrapped, b"") == bytes(32)
        lose(hsm)
        verify(rsa, rsa_key.sign(b"x"), b"x")
        lose(hsm)
        made(store, f"new-{secrets.token_hex(4)}")
    assert errors


@pytest.mark.network
def test_a_token_that_goes_away_is_typed_and_serves_again_when_it_is_back(
    hsm: Hsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Wire(hsm)
    monkeypatch.setenv("P11_KIT_SERVER_ADDRESS", line.address)
    line.join()
    try:
        store = Pkcs11KeyStore(Token(hsm.address(wire())))
        record = made(store, "k")
        key = store.open(record)
        for _ in range(2):
            line.cut()
            for _ in range(3):
                with pytest.raises(TokenUnreachable):
                    key.sign(b"x")
            line.join()
            time.sleep(1.1)  # the pause between two attempts
            verify(record, key.sign(b"x"), b"x")
    finally:
        close_modules()
        line.cut()


@pytest.mark.network
def test_a_wrapping_key_is_not_made_where_it_could_not_wrap(
    hsm: Hsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """p11-kit's wire carries no AES-GCM, as some HSMs take no nonce from outside."""
    line = Wire(hsm)
    monkeypatch.setenv("P11_KIT_SERVER_ADDRESS", line.address)
    line.join()
    try:
        store = Pkcs11KeyStore(Token(hsm.address(wire())))
        with pytest.raises(TokenUnfit, match="wrapping=software"):
            made(store, "w", KeyAlgorithm.AES_256)
        assert store.inventory() == (set(), set())
    finally:
        close_modules()
        line.cut()


# --- threads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", [softhsm, proxy])
def test_eight_threads_sign_and_wrap_while_the_token_forgets_us(
    hsm: Hsm, library: Callable[[], Path]
) -> None:
    _work(hsm, library(), seconds=5, loss=1.0)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_eight_threads_work_for_ten_minutes_while_the_token_forgets_us(hsm: Hsm) -> None:
    _work(hsm, softhsm(), seconds=600, loss=5.0)


def _work(hsm: Hsm, library: Path, *, seconds: float, loss: float) -> None:
    """Eight threads, five sessions; every ``loss`` seconds the token loses them all. Nobody may notice, and
    nobody may stand still: the longest silence of any thread is bounded.
    """
    store = Pkcs11KeyStore(Token(hsm.address(library, sessions=5)))
    records = [made(store, f"k-{algorithm}", algorithm) for algorithm in SIGNATURE_ALGORITHMS]
    keys = [store.open(record) for record in records]
    wrapper = store.open_wrapper(made(store, "w", KeyAlgorithm.AES_256))
    ends = time.monotonic() + seconds
    done, slowest = [0] * 8, [0.0] * 8

    def act(number: int) -> None:
        while (began := time.monotonic()) < ends:
            turn = (number + done[number]) % 8
            text = secrets.token_bytes(40)
            if turn == 7:
                assert wrapper.unwrap(wrapper.wrap(text, b"a"), b"a") == text
            else:
                verify(records[turn % 3], keys[turn % 3].sign(text), text)
            done[number] += 1
            slowest[number] = max(slowest[number], time.monotonic() - began)

    with ThreadPoolExecutor(8) as pool:
        workers = [pool.submit(act, number) for number in range(8)]
        while time.monotonic() < ends:
            time.sleep(min(loss, max(0.0, ends - time.monotonic())))
            module = module_at(library)
            module.restart(module.generation)
        for worker in workers:
            worker.result()
    print(f"{sum(done)} acts in {seconds} s, slowest {max(slowest):.2f} s")
    assert min(done) > 0
    assert max(slowest) < 10


def test_a_forked_process_is_told_that_the_library_is_of_no_use_to_it(hsm: Hsm) -> None:
    store = Pkcs11KeyStore(Token(hsm.address()))
    store.examine()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            store.examine()
        except TokenUnreachable as cause:
            os.write(writer, str(cause).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    assert b"forked" in os.read(reader, 1000)
    os.close(reader)
