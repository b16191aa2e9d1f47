"""Documents at rest: whole, seekable, in bounded memory."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import SettingsInvalid, StorageNotReady
from app.storage import ObjectFiles


@pytest.fixture
def files(tmp_path: Path) -> ObjectFiles:
    return ObjectFiles((tmp_path / "documents").as_uri())


@pytest.mark.parametrize("size", [0, 1, 4 * 1024**2, 4 * 1024**2 + 1, 17 * 1024**2])
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
    with files.open("a") as stream:
        assert stream.read() == b"second"
    files.delete("a")
    files.delete("a")
    with pytest.raises(FileNotFoundError), files.open("a"):
        pass


def test_only_what_is_behind_the_position_is_stored(files: ObjectFiles) -> None:
    content = io.BytesIO(b"skipped|kept")
    content.seek(8)
    files.put("a", content)
    with files.open("a") as stream:
        assert stream.read() == b"kept"


def test_a_key_cannot_leave_the_store(files: ObjectFiles, tmp_path: Path) -> None:
    for key in ("../outside", "a/../../outside", "/../outside"):
        with pytest.raises((ValueError, StorageNotReady)):
            files.put(key, io.BytesIO(b"x"))
    assert not (tmp_path / "outside").exists()


def test_a_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    with pytest.raises((SettingsInvalid, StorageNotReady), match=r"cannot be used|does not answer"):
        ObjectFiles((tmp_path / "file").as_uri()).ping()


@pytest.mark.parametrize("url", ["nonsense", "ftp://x/y", "s3://", ""])
def test_an_unknown_kind_of_store_stops_the_start(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="ABSAH_STORAGE_URL"):
        ObjectFiles(url)


def test_a_stored_object_and_its_directories_were_flushed_before_put_returned(
    files: ObjectFiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    flushed = []
    really = os.fsync

    def watched(descriptor: int) -> None:
        flushed.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        really(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    files.put("x/y/z.pdf", io.BytesIO(b"content"))
    root = tmp_path / "documents"
    assert flushed == [root / "x/y/z.pdf", root / "x/y", root / "x", root]


def test_200_megabytes_pass_through_in_bounded_memory(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(200 * 1024**2)
    program = f"""
import resource
from app.storage import ObjectFiles
files = ObjectFiles({(tmp_path / "documents").as_uri()!r})
idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open({str(large)!r}, "rb") as source:
    files.put("large", source)
read = 0
with files.open("large") as stream:
    while chunk := stream.read(256 * 1024):
        read += len(chunk)
print(read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    read, above_idle_kib = (int(number) for number in ran.stdout.split())
    assert read == 200 * 1024**2
    assert above_idle_kib < 64 * 1024
