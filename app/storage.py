"""Documents at rest through obstore: a local folder, or S3, GCS and Azure by URL."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from app.errors import SettingsInvalid, StorageNotReady
from signing.ports import StoredFile

_CHUNK: Final = 8 * 1024**2  # also the part size of an S3 multipart upload; the least S3 takes is 5 MiB
_CONCURRENCY: Final = 2  # parts in flight: a large object costs 2 chunks of memory, not the default 12
_IN_MEMORY: Final = 4 * 1024**2  # up to here one GET beats a HEAD and several ranged GETs
_BUFFER: Final = 1024**2


class ObjectFiles:
    """Implements :class:`signing.ports.DocumentFiles`. Safe to share between threads.

    ``put`` is atomic (obstore renames or completes the upload last) and durable: object stores promise it
    themselves; for a local folder the file and its directories are flushed here, because obstore does not.
    """

    def __init__(self, url: str) -> None:
        """Raises :class:`app.errors.SettingsInvalid` for a URL that no store understands."""
        self.url = url
        try:
            self._store: Any = (
                LocalStore.from_url(url, mkdir=True)
                if url.startswith("file:")
                else from_url(url)  # credentials come from the platform's own places, never from our settings
            )
        except (BaseError, ValueError, OSError) as cause:
            raise SettingsInvalid(
                f"ABSAH_STORAGE_URL {url!r} cannot be used ({_first_line(cause)}); "
                "use file:///PATH or s3://BUCKET/PREFIX."
            ) from cause
        self._folder = self._store.prefix if isinstance(self._store, LocalStore) else None

    def put(self, key: str, content: BinaryIO) -> None:
        """Store everything from the stream's position on, in bounded memory; replaces an older object."""
        with self._answers():
            obstore.put(self._store, key, content, chunk_size=_CHUNK, max_concurrency=_CONCURRENCY)
            if self._folder is not None:
                _flush(self._folder / key, self._folder)

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """A seekable stream of the whole object. Raises ``FileNotFoundError``."""
        with self._answers():
            found = obstore.get(self._store, key)
            stream: BinaryIO
            if found.meta["size"] <= _IN_MEMORY:
                stream = io.BytesIO(found.bytes())
            else:
                reader = obstore.open_reader(self._store, key, buffer_size=_BUFFER, size=found.meta["size"])
                stream = io.BufferedReader(_ObjectStream(reader), _BUFFER)
        with stream:
            yield stream

    def delete(self, key: str) -> None:
        """Idempotent."""
        with self._answers():
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError:
                return
            if self._folder is not None:
                _flush_directory((self._folder / key).parent)

    def under(self, folder: str) -> Iterator[StoredFile]:
        """Every object whose key begins with ``folder``, which ends in a slash."""
        with self._answers():
            for page in obstore.list(self._store, folder):
                for entry in page:
                    yield StoredFile(entry["path"], entry["last_modified"])

    def ping(self) -> None:
        """Write, read and delete a small object. Raises :class:`app.errors.StorageNotReady`."""
        key, probe = f"probe/{secrets.token_hex(8)}", secrets.token_bytes(16)
        self.put(key, io.BytesIO(probe))
        with self.open(key) as stream:
            came_back = stream.read()
        self.delete(key)
        if came_back != probe:
            raise StorageNotReady(f"The storage {self.url} gave back other bytes than it was given.")

    @contextmanager
    def _answers(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except (BaseError, OSError) as cause:
            raise StorageNotReady(
                f"The storage {self.url} does not answer ({_first_line(cause)}). "
                "Is it reachable, is there room, and may this service write to it? `absah doctor` tries it."
            ) from cause


class _ObjectStream(io.RawIOBase):
    """obstore's reader as Python's own kind of stream: zip, PDF and HTTP code expect ``readinto``."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        chunk = self._reader.read(len(target))
        target[: len(chunk)] = memoryview(chunk)
        return len(chunk)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._reader.seek(offset, whence))

    def tell(self) -> int:
        return int(self._reader.tell())


def _flush(file: Path, root: Path) -> None:
    """The bytes first, then the names: every directory up to the store's own, any of which may be new."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    directory = file.parent
    _flush_directory(directory)
    while directory != root:
        directory = directory.parent
        _flush_directory(directory)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _first_line(cause: Exception) -> str:
    return str(cause).partition("\n")[0]
