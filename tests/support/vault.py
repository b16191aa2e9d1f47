"""The real vault, over a database of its own: personal data in tests is sealed as it is in the service."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, MetaData

from app.vault import PURPOSES, CustodyVault
from keys import tables
from keys.envelope import Envelope
from keys.model import KeyAlgorithm, KeyPurpose
from keys.service import KeyService
from keys.stores.kek import KeyEncryptionKey, create_key_encryption_key
from keys.stores.software import SoftwareKeyStore
from tests.support.clock import FrozenClock
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
    for name in ("vault-kek", "vault.db"):
        shutil.copy2(_prototype() / name, folder / name)
    with _opened(folder, clock) as (_, envelope):
        yield CustodyVault(envelope)


@cache
def _prototype() -> Path:
    """Made once per process: every test's vault begins with the same keys."""
    folder = Path(tempfile.mkdtemp(prefix="absah-vault-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    create_key_encryption_key(folder / "vault-kek")
    with _opened(folder, FrozenClock(), tables.metadata) as (keys, envelope):
        keys.activate(keys.generate(KeyPurpose.WRAPPING, KeyAlgorithm.AES_256).id)
        envelope.ensure(PURPOSES)
    return folder


@contextmanager
def _opened(
    folder: Path, clock: Callable[[], datetime], *schemas: MetaData
) -> Iterator[tuple[KeyService, Envelope]]:
    with tables_in(f"sqlite:///{folder / 'vault.db'}", *schemas) as begin:
        store = SoftwareKeyStore(
            encrypted_keys=tables.EncryptedKeyTable(begin), kek=KeyEncryptionKey(folder / "vault-kek")
        )
        audit = _Unrecorded()
        keys = KeyService(begin=begin, stores={store.name: store}, clock=clock, audit=audit)
        yield keys, Envelope(keys=keys, begin=begin, clock=clock, audit=audit)
