"""Identity on a migrated database, with a token key in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app import audit
from app.audit import Audit
from app.vault import CustodyVault
from identity import tables
from identity.access import AccessTokens
from identity.ports import TokenSigner
from identity.service import IdentityService, NewClient
from tests.support.clock import FrozenClock
from tests.support.databases import Begin
from tests.support.vault import vault_in


class TokenKeys:
    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def signer(self) -> TokenSigner:
        return TokenSigner("k1", lambda data: self._key.sign(data, ec.ECDSA(hashes.SHA256())))

    def public_keys(self) -> Mapping[str, bytes]:
        public = self._key.public_key()
        return {"k1": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)}


@pytest.fixture
def begin(begin_with: Callable[..., Begin]) -> Begin:
    return begin_with(audit.metadata, tables.metadata)


@pytest.fixture
def vault(tmp_path: Path, clock: FrozenClock) -> Iterator[CustodyVault]:
    """The real one, whose keys rest in a database of its own."""
    with vault_in(tmp_path, clock) as made:
        yield made


@pytest.fixture
def identity(begin: Begin, clock: FrozenClock) -> IdentityService:
    tokens = AccessTokens(
        keys=TokenKeys(),
        clock=clock,
        issuer="https://absah.example",
        audience="https://absah.example",
        lifetime=timedelta(minutes=10),
    )
    return IdentityService(begin=begin, read=begin, clock=clock, audit=Audit(clock=clock), tokens=tokens)


@pytest.fixture
def client(identity: IdentityService) -> NewClient:
    """Of agency ``dinas``; may issue licences and read."""
    identity.add_agency("dinas", name="Dinas Contoh", organization_identifier="NTRID-1", actor="test")
    return identity.add_client(
        "dinas",
        name="licensing backend",
        scopes=["documents.issue:business_licence", "documents.read"],
        actor="test",
    )
