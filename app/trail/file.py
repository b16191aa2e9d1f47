"""An exported trail: one JSON object per line, so that it is written, read and compared without the service.

::

    {"absah-audit": 1, "exported": "2026-11-22T08:00:00Z"}
    {"sequence": 1, "at": …, "actor": …, "action": …, "subject": …, "facts": …, "previous": …, "hash": …}
    {"anchored": 1, "hash": …, "at": …, "token": …}
    {"head": 1, "hash": …}

Bytes are lower-case hexadecimal, tokens base64. Keys stand in this order and nothing else does. An anchor
stands behind its entry; the last line names the head, so that a file that was cut off shows it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from app.errors import AuditFileInvalid
from app.trail.anchors import Anchor
from app.trail.chain import BEGINNING, AuditEntry, ChainHead

_FORM: Final = "absah-audit"
_LONGEST_LINE: Final = 1 << 20
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_ENTRY: Final = ("sequence", "at", "actor", "action", "subject", "facts", "previous", "hash")
_ANCHOR: Final = ("anchored", "hash", "at", "token")
_HEAD: Final = ("head", "hash")


def write_trail(
    out: BinaryIO, records: Iterable[AuditEntry | Anchor], *, now: datetime
) -> tuple[ChainHead, int]:
    """Write ``records``; the head, and how many anchors there were."""
    head, anchored = BEGINNING, 0
    out.write(_line({_FORM: 1, "exported": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}))
    for record in records:
        if isinstance(record, AuditEntry):
            values = [getattr(record, name) for name in _ENTRY]
            head = ChainHead(record.sequence, record.hash)
        else:
            token = base64.b64encode(record.token).decode()
            values = [record.head.sequence, record.head.hash, record.at.isoformat(), token]
            anchored += 1
        names = _ENTRY if isinstance(record, AuditEntry) else _ANCHOR
        out.write(_line(dict(zip(names, values, strict=True))))
    out.write(_line({"head": head.sequence, "hash": head.hash}))
    return head, anchored


def _line(values: dict[str, Any]) -> bytes:
    spelled = {name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()}
    return json.dumps(spelled, ensure_ascii=True).encode() + b"\n"


def read_trail(file: BinaryIO, name: str) -> Iterator[AuditEntry | Anchor]:
    """What :func:`write_trail` wrote, line by line. Raises :class:`app.errors.AuditFileInvalid`."""
    head: ChainHead | None = None
    last = BEGINNING
    number = 0
    while line := file.readline(_LONGEST_LINE + 1):
        number += 1
        if head is not None:
            raise AuditFileInvalid(name, number, "stands behind the line that ends it")
        values = _read_line(line, name, number)
        if number == 1:
            if values.get(_FORM) != 1:
                raise AuditFileInvalid(name, 1, "does not begin an export that this release can read")
            continue
        try:
            record = _record(values)
        except (ValueError, TypeError, KeyError) as cause:
            raise AuditFileInvalid(name, number, "is neither an entry nor a time-stamp") from cause
        if isinstance(record, ChainHead):
            head = record
            continue
        if isinstance(record, AuditEntry):
            last = ChainHead(record.sequence, record.hash)
        yield record
    if head is None:
        raise AuditFileInvalid(name, number + 1, "is missing: the file was cut off")
    if head != last:
        raise AuditFileInvalid(name, number, "names another head than the last entry's")


def _read_line(line: bytes, name: str, number: int) -> dict[str, Any]:
    if len(line) > _LONGEST_LINE or not line.endswith(b"\n"):
        raise AuditFileInvalid(name, number, "is too long, or cut off")
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as cause:
        raise AuditFileInvalid(name, number, "is not JSON") from cause
    if not isinstance(values, dict):
        raise AuditFileInvalid(name, number, "is not a JSON object")
    return values


def _record(values: dict[str, Any]) -> AuditEntry | Anchor | ChainHead:
    """Raises ``ValueError``, ``TypeError`` or ``KeyError``."""
    names = tuple(values)
    if names == _ENTRY:
        at, actor, action, subject, facts = (_text(values[name]) for name in _ENTRY[1:6])
        previous, own = _hash(values["previous"]), _hash(values["hash"])
        return AuditEntry(_number(values["sequence"]), at, actor, action, subject, facts, previous, own)
    if names == _ANCHOR:
        moment = datetime.fromisoformat(values["at"])
        if moment.tzinfo is None:
            raise ValueError
        token = base64.b64decode(values["token"], validate=True)
        return Anchor(ChainHead(_number(values["anchored"]), _hash(values["hash"])), moment, token)
    if names == _HEAD:
        return ChainHead(_number(values["head"]), _hash(values["hash"]))
    raise ValueError


def _number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _hash(value: object) -> bytes:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError
    return bytes.fromhex(value)


def export_to(path: Path, records: Iterable[AuditEntry | Anchor], *, now: datetime) -> tuple[ChainHead, int]:
    """Write a whole export to ``path``, or nothing."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as out:
            written = write_trail(out, records, now=now)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return written
