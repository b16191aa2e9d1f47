"""The real vault, over a database of its own: personal data in tests is sealed as it is in the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from app.vault import PURPOSES, CustodyVault
from keys import tables
from keys.envelope import Envelope
from keys.model import KeyAlgorithm, KeyPurpose
from keys.service import KeyService
from keys.stores.kek import KeyEncryptionKey, create_key_encryption_key
from keys.stores.software import SoftwareKeyStore
from tests.support.databases import tables_in


class _Unrecorded:
    """Custody's own acts are no part of what the test looks at."""

    def append(
        self, tx: Connection, *, action: str, actor: str, subject: str, facts: Mapping[str, str] | None = None
    ) -> None:
        pass


@contextmanager
def vault_in(folder: Path, clock: Callable[[], datetime]) -> Iterator[CustodyVault]:
    """A vault whose keys rest in ``folder``, so that it can be used inside any transaction of a test."""
    kek = folder / "vault-kek"
    create_key_encryption_key(kek)
    with tables_in(f"sqlite:///{folder / 'vault.db'}", tables.metadata) as begin:
        store = SoftwareKeyStore(encrypted_keys=tables.EncryptedKeyTable(begin), kek=KeyEncryptionKey(kek))
        audit = _Unrecorded()
        keys = KeyService(begin=begin, stores={store.name: store}, clock=clock, audit=audit)
        keys.activate(keys.generate(KeyPurpose.WRAPPING, KeyAlgorithm.AES_256).id)
        envelope = Envelope(keys=keys, begin=begin, clock=clock, audit=audit)
        envelope.ensure(PURPOSES)
        yield CustodyVault(envelope)
