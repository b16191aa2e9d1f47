"""The two ceremonies against lying browsers, cloned sites and hostile bytes. No database."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.factors.errors import PasskeyNotVerified
from identity.factors.model import Passkey
from identity.factors.passkeys import MOST_CHARACTERS, RelyingParty
from tests.identity.factors.conftest import ORIGIN, RP_ID
from tests.support.authenticator import SoftwareAuthenticator, decode, encode
from tests.support.clock import START

SITE = RelyingParty(rp_id=RP_ID, rp_name="Absah", origin=ORIGIN, timeout=timedelta(minutes=5))
CHALLENGE = bytes(range(32))
SITI = "person-1"


def creation_options() -> str:
    return SITE.creation_options(
        challenge=CHALLENGE, person_id=SITI, account="siti@contoh.id", name="Siti", existing=[]
    )


def registered(phone: SoftwareAuthenticator) -> Passkey:
    made = SITE.register(phone.create(creation_options()), challenge=CHALLENGE)
    return Passkey(
        id="passkey-1",
        person_id=SITI,
        credential_id=made.credential_id,
        public_key=made.public_key,
        sign_count=made.sign_count,
        backup_eligible=made.backup_eligible,
        transports=made.transports,
        name="",
        created_at=START,
    )


def test_an_honest_answer_is_believed(phone: SoftwareAuthenticator) -> None:
    passkey = registered(phone)
    assert passkey.transports == ("hybrid", "internal")
    posted = phone.get(SITE.request_options(challenge=CHALLENGE))
    assert SITE.verify(SITE.read(posted), passkey, challenge=CHALLENGE) == 1


LIES: dict[str, dict[str, Any]] = {
    "no user verification": {"verifies_user": False},
    "nobody was present": {"user_is_present": False},
    "another site": {"origin": "https://absah.example.evil.example"},
    "a neighbouring site": {"origin": "https://absah.example"},
    "without encryption": {"origin": "http://masuk.absah.example"},
    "another port": {"origin": ORIGIN + ":8443"},
    "inside another site's page": {"cross_origin": True},
    "another relying party": {"rp_id": "example"},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_registration_is_refused(phone: SoftwareAuthenticator, lie: dict[str, Any]) -> None:
    for name, value in lie.items():
        setattr(phone, name, value)
    with pytest.raises(PasskeyNotVerified):
        registered(phone)


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_login_is_refused(phone: SoftwareAuthenticator, lie: dict[str, Any]) -> None:
    passkey = registered(phone)
    for name, value in lie.items():
        setattr(phone, name, value)
    posted = phone.get(SITE.request_options(challenge=CHALLENGE))
    with pytest.raises(PasskeyNotVerified):
        SITE.verify(SITE.read(posted), passkey, challenge=CHALLENGE)


@pytest.mark.parametrize(
    ("algorithm", "make_key"),
    [
        (-7, lambda: ec.generate_private_key(ec.SECP384R1())),
        (-257, lambda: rsa.generate_private_key(65537, 1024)),
        (-8, lambda: ec.generate_private_key(ec.SECP256R1())),
    ],
    ids=["P-384 as ES256", "RSA-1024", "P-256 as EdDSA"],
)
def test_a_key_that_does_not_fit_its_algorithm_is_refused(
    algorithm: int, make_key: Callable[[], Any]
) -> None:
    class Odd(SoftwareAuthenticator):
        def _new_key(self) -> Any:
            return make_key()

    with pytest.raises(PasskeyNotVerified):
        registered(Odd(ORIGIN, algorithm=algorithm))


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def garbled(posted: str, **response: Any) -> str:
    changed = json.loads(posted)
    changed["response"].update(response)
    return json.dumps(changed)


HOSTILE: dict[str, Callable[[str], str]] = {
    "nothing": lambda posted: "",
    "not JSON": lambda posted: posted[:-10],
    "null": lambda posted: "null",
    "a list": lambda posted: f"[{posted}]",
    "deeply nested": lambda posted: nested(8_000),
    "too long": lambda posted: posted + " " * MOST_CHARACTERS,
    "a number with many digits": lambda posted: '{"id": ' + "9" * 6_000 + "}",
    "another type": lambda posted: posted.replace("public-key", "password"),
    "another id": lambda posted: json.dumps({**json.loads(posted), "id": "AAAA"}),
    "ids that are numbers": lambda posted: json.dumps({**json.loads(posted), "id": 1, "rawId": 1}),
    "surrogates": lambda posted: json.dumps({**json.loads(posted), "id": "\ud800"}),
    "client data that is a list": lambda posted: garbled(posted, clientDataJSON=encode(b"[]")),
    "client data that is not UTF-8": lambda posted: garbled(posted, clientDataJSON=encode(b"\xff\xfe")),
    "client data deeply nested": lambda posted: garbled(
        posted, clientDataJSON=encode(nested(5_000).encode())
    ),
    "client data of another kind": lambda posted: garbled(
        posted,
        clientDataJSON=encode(
            b'{"type":"payment.get","challenge":"AAAA","origin":"https://masuk.absah.example"}'
        ),
    ),
    "authenticator data cut off": lambda posted: garbled(posted, authenticatorData=encode(bytes(36))),
    "authenticator data too long": lambda posted: garbled(posted, authenticatorData=encode(bytes(99))),
    "an empty signature": lambda posted: garbled(posted, signature=""),
    "attestation that is no map": lambda posted: garbled(posted, attestationObject=encode(cbor2.dumps([1]))),
    "attestation deeply nested": lambda posted: garbled(
        posted, attestationObject=encode(b"\x81" * 5_000 + b"\x80")
    ),
    "attestation that claims gigabytes": lambda posted: garbled(
        posted, attestationObject=encode(b"\x5b" + (1 << 40).to_bytes(8))
    ),
    "attestation by a TPM": lambda posted: garbled(
        posted,
        attestationObject=encode(cbor2.dumps({"fmt": "tpm", "attStmt": {}, "authData": bytes(37)})),
    ),
}
BOTH = [name for name in HOSTILE if "signature" not in name and not name.startswith(("att", "auth"))]


@pytest.mark.parametrize("how", [*BOTH, *(name for name in HOSTILE if name.startswith("att"))])
def test_a_hostile_registration_is_refused_and_crashes_nothing(
    phone: SoftwareAuthenticator, how: str
) -> None:
    posted = HOSTILE[how](phone.create(creation_options()))
    with pytest.raises(PasskeyNotVerified):
        SITE.register(posted, challenge=CHALLENGE)


@pytest.mark.parametrize("how", [*BOTH, *(name for name in HOSTILE if "auth" in name[:5] or "sig" in name)])
def test_a_hostile_login_is_refused_and_crashes_nothing(phone: SoftwareAuthenticator, how: str) -> None:
    passkey = registered(phone)
    posted = HOSTILE[how](phone.get(SITE.request_options(challenge=CHALLENGE)))
    with pytest.raises(PasskeyNotVerified):
        SITE.verify(SITE.read(posted), passkey, challenge=CHALLENGE)


@settings(max_examples=60, deadline=None)
@given(
    part=st.sampled_from(["clientDataJSON", "authenticatorData", "signature"]),
    position=st.integers(0, 10_000),
    flipped=st.integers(1, 255),
)
def test_no_answer_with_altered_bytes_is_believed(part: str, position: int, flipped: int) -> None:
    phone = SoftwareAuthenticator(ORIGIN)
    passkey = registered(phone)
    posted = json.loads(phone.get(SITE.request_options(challenge=CHALLENGE)))
    raw = bytearray(decode(posted["response"][part]))
    raw[position % len(raw)] ^= flipped
    posted["response"][part] = encode(bytes(raw))
    with pytest.raises(PasskeyNotVerified):
        SITE.verify(SITE.read(json.dumps(posted)), passkey, challenge=CHALLENGE)
