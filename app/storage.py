"""Documents at rest through obstore: a local folder, or a bucket of any S3 server."""

from __future__ import annotations

import io
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore

from app.errors import SettingsInvalid, StorageNotReady
from app.s3 import open_bucket
from app.settings import StorageSettings
from signing.ports import StoredFile

_CHUNK: Final = 8 * 1024**2  # also the part size of an S3 multipart upload; the least S3 takes is 5 MiB
_CONCURRENCY: Final = 2  # parts in flight: a large object costs 2 chunks of memory, not the default 12
_IN_MEMORY: Final = 4 * 1024**2  # up to here one GET beats a HEAD and several ranged GETs
_BUFFER: Final = 1024**2
_PLAIN: Final = StorageSettings()
_CAUSES: Final = (
    (r"<Code>(\w+)</Code>", "S3 says {}"),
    (
        r"InvalidCertificate\(\s*(\w+)",
        "its certificate is refused: {}; ABSAH_STORAGE_CA_FILE names the issuer",
    ),
    (r"(?:message|error): \"([^\"]+)\"", "{}"),
)


class ObjectFiles:
    """Implements :class:`signing.ports.DocumentFiles`. Safe to share between threads.

    ``put`` is atomic (obstore renames or completes the upload last) and durable: object stores promise it
    themselves; for a local folder the file and its directories are flushed here, because obstore does not.
    """

    def __init__(self, url: str, settings: StorageSettings = _PLAIN) -> None:
        """``settings`` says how to reach a bucket. Raises :class:`app.errors.SettingsInvalid`."""
        scheme = url.partition(":")[0]
        if scheme not in {"file", "s3"}:
            raise SettingsInvalid("ABSAH_STORAGE_URL must be file:///PATH or s3://BUCKET/PREFIX.")
        if scheme == "file" and settings != StorageSettings(url=settings.url):
            raise SettingsInvalid(
                "ABSAH_STORAGE_ENDPOINT, _REGION, _CREDENTIALS_FILE and _CA_FILE are for s3:// only. "
                "Unset them, or set ABSAH_STORAGE_URL to the bucket."
            )
        self.url = url
        try:
            self._store: Any = (
                LocalStore.from_url(url, mkdir=True) if scheme == "file" else open_bucket(url, settings)
            )
        except (BaseError, ValueError, OSError) as cause:
            raise SettingsInvalid(
                f"ABSAH_STORAGE_URL {url!r} cannot be used ({_cause(cause)}); "
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
            content = self._fetch(key)
            stream: BinaryIO
            if isinstance(content, bytes):
                stream = io.BytesIO(content)
            else:
                reader = obstore.open_reader(self._store, key, buffer_size=_BUFFER, size=content)
                stream = io.BufferedReader(_ObjectStream(reader, self._answers), _BUFFER)
        with stream:
            yield stream

    def _fetch(self, key: str) -> bytes | int:
        """A small object whole; of a large one the size, and the answer that carried it is let go here.

        Whoever kept it would hold a second connection, half read, for as long as the caller reads.
        """
        found = obstore.get(self._store, key)
        size = int(found.meta["size"])
        return bytes(found.bytes()) if size <= _IN_MEMORY else size

    def delete(self, key: str) -> None:
        """Idempotent."""
        with self._answers():
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError as cause:
                if self._is_absence(cause):
                    return
                raise
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
        except (BaseError, OSError) as cause:
            if self._is_absence(cause):
                raise
            raise StorageNotReady(
                f"The storage {self.url} does not answer ({_cause(cause)}). "
                "Is it reachable, is there room, and may this service write to it? `absah doctor` tries it."
            ) from cause

    def _is_absence(self, cause: Exception) -> bool:
        """Of an object. A missing bucket, or a web server that is no S3 server, says 404 as well."""
        return isinstance(cause, FileNotFoundError) and (
            self._folder is not None or "<Code>NoSuchKey</Code>" in str(cause)
        )


class _ObjectStream(io.RawIOBase):
    """obstore's reader as Python's own kind of stream: zip, PDF and HTTP code expect ``readinto``."""

    def __init__(self, reader: Any, answers: Callable[[], AbstractContextManager[None]]) -> None:
        self._reader = reader
        self._answers = answers

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        with self._answers():
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


def _cause(cause: Exception) -> str:
    """One phrase of obstore's page-long errors: those quote key ids and signatures."""
    text = str(cause)
    for pattern, words in _CAUSES:
        if found := re.search(pattern, text):
            return words.format(found[1])
    return text.partition("\n")[0]
