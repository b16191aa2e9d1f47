"""The impact list: complete, sorted, harmless, and in bounded memory."""

from __future__ import annotations

import csv
import io
import json
import time
import tracemalloc
from itertools import islice

import pytest
from sqlalchemy import insert, select

from app.compromise.impact import COLUMNS, Impact, write_csv, write_json
from app.wiring import Core
from keys.model import KeyPurpose
from signing.model import Holder, HolderKind
from signing.tables import documents
from tests.app.compromise.conftest import HOUR, Town

NAME = "Siti Rahmawati"


def test_every_document_of_the_key_is_listed_once_with_its_class_and_nobody_elses(town: Town) -> None:
    core = town.core
    impact, key = Impact(core.database.read), core.keys.get(town.key)
    for page in (1, 2, 500):
        listed = list(impact.of(key, town.lost_at, page=page))
        assert [one.record.id for one in listed] == town.before + town.after
        assert [one.sorted_as.value for one in listed] == ["before"] * 3 + ["after"] * 3
    assert [one.sorted_as.value for one in impact.of(key, town.clock())] == ["before"] * 6
    assert list(impact.of(core.keys.newest(KeyPurpose.RECEIPT), town.lost_at)) == []
    unit = list(impact.of(core.keys.newest(KeyPurpose.TIMESTAMPING), town.lost_at))
    assert [one.sorted_as.value for one in unit] == ["none"] * 6
    authority = list(impact.of(core.keys.newest(KeyPurpose.ISSUING_CA), town.lost_at))
    assert [one.sorted_as.value for one in authority] == ["none"] * 6


def test_the_list_names_no_person_and_no_formula(town: Town) -> None:
    town.seal('=HYPERLINK("http://jahat.example")', holder=Holder(NAME, HolderKind.PERSON))
    key = town.core.keys.get(town.key)
    table, lines = io.StringIO(newline=""), io.StringIO()
    assert write_csv(Impact(town.core.database.read).of(key, town.lost_at), table) == 7
    assert write_json(Impact(town.core.database.read).of(key, town.lost_at), lines) == 7
    rows = list(csv.DictReader(io.StringIO(table.getvalue())))
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert tuple(rows[0]) == tuple(told[0]) == COLUMNS
    assert [row["id"] for row in rows] == [one["id"] for one in told]
    assert rows[-1]["number"].startswith("'=")
    assert told[-1]["number"].startswith("=")
    assert told[0]["issued_at"].endswith("Z")
    for text in (table.getvalue(), lines.getvalue()):
        assert "S***" not in text
        assert "Penetapan" not in text


def _grow(core: Core, count: int) -> None:
    """Rows as they would be after years; sealing so many would take an hour."""
    with core.database.begin() as tx:
        row = dict(tx.execute(select(documents).order_by(documents.c.status_index)).first()._mapping)
        del row["status_index"]
        for start in range(0, count, 5_000):
            tx.execute(
                insert(documents),
                [
                    row | {"id": f"X{number:015}", "idempotency_key": None}
                    for number in range(start, min(count, start + 5_000))
                ],
            )


class Sink(io.TextIOBase):
    """Counts what is written and keeps none of it."""

    lines = 0

    def write(self, text: str) -> int:
        self.lines += text.count("\n")
        return len(text)


def _most_memory(town: Town, expected: int) -> int:
    key, impact = town.core.keys.get(town.key), Impact(town.core.database.read)
    list(islice(impact.of(key, town.lost_at), 600))  # what is made once
    tracemalloc.start()
    try:
        sink = Sink()
        assert write_csv(impact.of(key, town.lost_at + HOUR), sink) == expected == sink.lines - 1
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return most


def test_thousands_of_documents_need_no_more_memory_than_two_pages(town: Town) -> None:
    """All of them at once would be 7 MB, a page of 500 half a megabyte."""
    _grow(town.core, 5_000)
    assert _most_memory(town, 5_006) < 2_500_000


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_hundred_thousand_documents_are_listed_in_seconds(town: Town) -> None:
    _grow(town.core, 100_000)
    key = town.core.keys.get(town.key)
    began = time.perf_counter()
    assert write_csv(Impact(town.core.database.read).of(key, town.lost_at), Sink()) == 100_006
    assert time.perf_counter() - began < 60
    assert _most_memory(town, 100_006) < 12_000_000
