"""Documents at rest, in a folder and in a real S3 bucket alike: whole, seekable, in bounded memory."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.errors import SettingsInvalid, StorageNotReady
from app.settings import StorageSettings
from app.storage import ObjectFiles
from tests.support.s3 import BUCKET, S3Server
from tests.support.server import environment

MIB = 1024**2


@dataclass(frozen=True)
class Store:
    """A fresh, empty store. ``everything()`` is what lies around it, too: all that a leak could reach."""

    url: str
    settings: StorageSettings
    variables: dict[str, str]
    everything: Callable[[], set[str]]

    def open(self) -> ObjectFiles:
        return ObjectFiles(self.url, self.settings)


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.network)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        url = (tmp_path / "around" / "documents").as_uri()
        return Store(url, StorageSettings(), {"ABSAH_STORAGE_URL": url}, lambda: _files(tmp_path))
    s3: S3Server = request.getfixturevalue("s3")
    url = s3.fresh_url()
    around = url.removeprefix(f"s3://{BUCKET}/") + "/"
    return Store(url, s3.settings(), s3.variables(url), lambda: s3.keys(around))


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def files(store: Store) -> ObjectFiles:
    return store.open()


class Breaking(io.BytesIO):
    """An upload whose source fails after ``good`` bytes."""

    def __init__(self, size: int, good: int) -> None:
        super().__init__(bytes(size))
        self._good = good

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= self._good:
            raise OSError(5, "Input/output error")
        return super().read(size)


def _read(files: ObjectFiles, key: str) -> bytes:
    with files.open(key) as stream:
        return stream.read()


@pytest.mark.parametrize("size", [0, 1, 4 * MIB, 4 * MIB + 1, 8 * MIB, 17 * MIB])
def test_what_was_put_comes_back_and_can_be_sought(size: int, files: ObjectFiles) -> None:
    content = os.urandom(size)
    files.put("2026/sealed/A.pdf", io.BytesIO(content))
    with files.open("2026/sealed/A.pdf") as stream:
        assert stream.read() == content
        stream.seek(-min(size, 100), io.SEEK_END)
        assert stream.read() == content[size - min(size, 100) :]
        assert stream.seek(size // 2) == stream.tell() == size // 2
        assert stream.read(10) == content[size // 2 : size // 2 + 10]
        assert stream.seekable()


def test_putting_again_replaces_and_deleting_twice_is_fine(files: ObjectFiles) -> None:
    files.put("a", io.BytesIO(b"first, longer"))
    files.put("a", io.BytesIO(b"second"))
    assert _read(files, "a") == b"second"
    files.delete("a")
    files.delete("a")
    with pytest.raises(FileNotFoundError), files.open("a"):
        pass


@pytest.mark.parametrize("size", [100, 17 * MIB])
def test_only_what_is_behind_the_position_is_stored(size: int, files: ObjectFiles) -> None:
    kept = os.urandom(size)
    content = io.BytesIO(b"skipped|" + kept)
    content.seek(8)
    files.put("a", content)
    assert _read(files, "a") == kept


@pytest.mark.parametrize("size", [100, 20 * MIB])
def test_a_put_that_fails_on_the_way_changes_nothing_and_leaves_nothing(
    size: int, files: ObjectFiles, store: Store
) -> None:
    files.put("a", io.BytesIO(b"before"))
    stored = store.everything()
    for key in ("a", "b"):
        with pytest.raises(StorageNotReady, match="Input/output error"):
            files.put(key, Breaking(size, good=size // 2))
    assert _read(files, "a") == b"before"
    assert store.everything() == stored
    assert [entry.key for entry in files.under("")] == ["a"]


def test_readers_see_the_old_object_or_the_new_one_and_never_a_mixture(files: ObjectFiles) -> None:
    wholes = [bytes([digit]) * 300_000 for digit in range(2)]
    files.put("a", io.BytesIO(wholes[0]))
    done = threading.Event()

    def replace() -> None:
        for turn in range(40):
            files.put("a", io.BytesIO(wholes[turn % 2]))
        done.set()

    def read() -> int:
        count = 0
        while not done.is_set():
            assert _read(files, "a") in wholes
            count += 1
        return count

    with ThreadPoolExecutor() as threads:
        writer, readers = threads.submit(replace), [threads.submit(read) for _ in range(3)]
        writer.result(timeout=60)
        assert all(reader.result(timeout=60) for reader in readers)


def test_a_listing_has_exactly_what_lies_under_the_folder(files: ObjectFiles) -> None:
    earlier = datetime.now(UTC) - timedelta(seconds=2)  # S3 tells whole seconds
    for key in ("sealed/A/1.pdf", "sealed/A/2.pdf", "sealed/AB/1.pdf", "pending/A.pdf"):
        files.put(key, io.BytesIO(b"x"))
    listed = list(files.under("sealed/A/"))
    assert {entry.key for entry in listed} == {"sealed/A/1.pdf", "sealed/A/2.pdf"}
    assert all(earlier <= entry.stored_at <= datetime.now(UTC) + timedelta(seconds=2) for entry in listed)
    assert list(files.under("nothing/")) == []


def test_what_is_listed_can_be_deleted_while_the_listing_goes_on(files: ObjectFiles, store: Store) -> None:
    keys = {f"pending/{number:04}.pdf" for number in range(1_050)}  # S3 gives a thousand at a time
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: files.put(key, io.BytesIO(b"x")), keys))
    deleted = set()
    for entry in files.under("pending/"):
        files.delete(entry.key)
        deleted.add(entry.key)
    assert deleted == keys
    assert store.everything() == set()


def test_a_key_cannot_leave_the_store(files: ObjectFiles, store: Store) -> None:
    for key in ("../outside", "a/../../outside", "/../outside"):
        with pytest.raises((ValueError, StorageNotReady)):
            files.put(key, io.BytesIO(b"x"))
    assert store.everything() == set()


def test_trying_the_store_leaves_nothing_in_it(files: ObjectFiles, store: Store) -> None:
    files.ping()
    assert store.everything() == set()


def test_two_services_in_one_place_do_not_see_each_other(store: Store) -> None:
    one, other = (ObjectFiles(f"{store.url}/{name}", store.settings) for name in ("one", "other"))
    one.put("pending/a", io.BytesIO(b"x"))
    other.delete("pending/a")
    assert list(other.under("pending/")) == []
    assert [entry.key for entry in one.under("pending/")] == ["pending/a"]


def test_200_megabytes_pass_through_in_bounded_memory(store: Store, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(200 * MIB)
    program = f"""
import resource
from app.settings import Settings
from app.storage import ObjectFiles
settings = Settings.load()
files = ObjectFiles(settings.storage_url, settings.storage)
files.ping()
idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open({str(large)!r}, "rb") as source:
    files.put("large", source)
read = 0
with files.open("large") as stream:
    while chunk := stream.read(256 * 1024):
        read += len(chunk)
files.delete("large")
print(read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment(store.variables),
    )
    read, above_idle_kib = (int(number) for number in ran.stdout.split())
    assert read == 200 * MIB
    assert above_idle_kib < 64 * 1024


# What is so of a folder only.


def test_a_stored_file_and_its_directories_were_flushed_before_put_returned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = ObjectFiles((tmp_path / "documents").as_uri())
    flushed = []
    really = os.fsync

    def watched(descriptor: int) -> None:
        flushed.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        really(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    files.put("x/y/z.pdf", io.BytesIO(b"content"))
    root = tmp_path / "documents"
    assert flushed == [root / "x/y/z.pdf", root / "x/y", root / "x", root]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    with pytest.raises((SettingsInvalid, StorageNotReady), match=r"cannot be used|does not answer"):
        ObjectFiles((tmp_path / "file").as_uri()).ping()
