"""The trail before a judge: whatever is done to it behind the service's back shows, offline too."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from app.audit import entries
from app.errors import AnchorInvalid, AuditChainBroken, AuditFileInvalid
from app.trail.anchors import Anchor, AnchorRows, anchors
from app.trail.chain import GENESIS, AuditEntry, ChainHead, hash_of
from app.trail.examining import Examination, examine, merged
from app.trail.file import export_to, read_trail
from app.wiring import Core
from keys.model import KeyAlgorithm, KeyPurpose
from tests.support.clock import FrozenClock
from tests.support.needs import requires, tool_path
from verify.trust import TrustStore, read_trust_folder

DAY = timedelta(days=1)


@pytest.fixture
def lived(core: Core, clock: FrozenClock) -> Core:
    """A service that has written and anchored for three days: 5 entries each, one anchor behind them."""
    core.anchors.make()
    for _ in range(3):
        clock.advance(DAY / 2)
        _write(core, 5)
        assert core.anchors.make() is not None
        clock.advance(DAY / 2)
    return core


def _write(core: Core, count: int) -> None:
    with core.database.begin() as tx:
        for number in range(count):
            subject, facts = f"document-{number}", {"type": "decree"}
            core.audit.append(tx, action="document.issued", actor="client-1", subject=subject, facts=facts)


def _examine(core: Core, *, noted: tuple[ChainHead, ...] = ()) -> Examination:
    with core.database.read() as tx:
        return _examine_within(tx, core, noted=noted)


def _examine_within(tx: Connection, core: Core, *, noted: tuple[ChainHead, ...] = ()) -> Examination:
    records = merged(core.audit.entries(tx), AnchorRows(tx).all())
    return examine(records, trust=core.trust(), now=core.clock(), noted=noted)


@contextmanager
def _undone(core: Core) -> Iterator[Connection]:
    """A transaction of a forger's; what he did is gone behind it."""
    with core.database.engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()


def _disarm(core: Core) -> None:
    """What whoever owns the database can do."""
    statements = (
        [
            f"DROP TRIGGER {table}_no_{act}"
            for table in ("audit", "audit_anchors")
            for act in ("update", "delete", "replace")
        ]
        if core.database.is_sqlite
        else [f"DROP TRIGGER {table}_no_change ON {table}" for table in ("audit", "audit_anchors")]
    )
    with core.database.begin() as tx:
        for statement in statements:
            tx.execute(text(statement))


def _head(core: Core) -> ChainHead:
    with core.database.read() as tx:
        return core.audit.head(tx)


def _rewrite(tx: Connection, core: Core, *, since: int) -> None:
    """Make the chain whole again from ``since`` on, as a forger would."""
    previous = tx.scalar(select(entries.c.hash).where(entries.c.sequence == since - 1)) or GENESIS
    for entry in list(core.audit.entries(tx, after=since - 1)):
        new = hash_of(
            entry.sequence, entry.at, entry.actor, entry.action, entry.subject, entry.facts, previous.hex()
        )
        tx.execute(
            update(entries).where(entries.c.sequence == entry.sequence).values(previous=previous, hash=new)
        )
        previous = new


def _stamps(core: Core) -> int:
    with core.database.read() as tx:
        return len(list(AnchorRows(tx).all()))


def test_a_trail_that_nobody_touched_is_whole_and_vouched_for(lived: Core) -> None:
    found = _examine(lived, noted=(_head(lived),))
    assert found.head == _head(lived)
    assert (found.stamps, found.unanchored, found.doubts) == (_stamps(lived), 0, [])
    assert found.last is not None
    assert found.last.head == found.head
    assert found.last.at == lived.clock() - DAY / 2


@pytest.mark.parametrize(
    "said",
    ["it's", 'a "word"', "back\\slash", "100 %s", ":name", "{brace}", "; DROP TABLE audit", "Kañá 文\n"],
)
def test_whatever_an_entry_says_is_hashed_alike_by_the_service_and_by_the_database(
    core: Core, said: str
) -> None:
    with core.database.begin() as tx:
        for subject in ("plain", said):
            core.audit.append(tx, action=said, actor=said, subject=subject, facts={said: said})
        *_, last = core.audit.entries(tx)
        assert (last.actor, last.action, last.subject) == (said, said, said)
        assert json.loads(last.facts) == {said: said}
        core.audit.verify(tx)


def test_writers_who_wait_for_each_other_continue_one_chain(core: Core) -> None:
    """The one who waits must see what the other committed meanwhile."""

    def write(name: int) -> None:
        for number in range(20):
            with core.database.begin() as tx:
                core.audit.append(tx, action="tested", actor=f"writer-{name}", subject=str(number))

    before = _head(core).sequence
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    with core.database.read() as tx:
        assert core.audit.verify(tx).sequence == before + 80


# --- one row --------------------------------------------------------------------------------------------

EDITS: dict[str, dict[str, object]] = {
    "sequence": {"sequence": 1_000_000},
    "at": {"at": "2026-06-02T00:00:00.000000Z"},
    "actor": {"actor": "somebody-else"},
    "action": {"action": "document.revoked"},
    "subject": {"subject": "another document"},
    "facts": {"facts": "{}"},
    "previous": {"previous": b"\x01" * 32},
    "hash": {"hash": bytes(32)},
}


def test_every_column_has_its_edit() -> None:
    assert set(EDITS) == set(entries.c.keys())


def test_editing_any_column_of_any_row_breaks_the_chain(lived: Core, subtests: pytest.Subtests) -> None:
    last = _head(lived).sequence
    _disarm(lived)
    for (column, edit), sequence in product(EDITS.items(), (1, last // 2, last)):
        with subtests.test(column=column, sequence=sequence), _undone(lived) as tx:
            tx.execute(update(entries).where(entries.c.sequence == sequence).values(**edit))
            with pytest.raises(AuditChainBroken):
                _examine_within(tx, lived)


def test_editing_any_column_and_making_the_chain_whole_again_misses_the_next_time_stamp(
    lived: Core, subtests: pytest.Subtests
) -> None:
    sequence = _head(lived).sequence - 8
    _disarm(lived)
    for column in EDITS.keys() - {"sequence", "previous", "hash"}:
        with subtests.test(column=column), _undone(lived) as tx:
            tx.execute(update(entries).where(entries.c.sequence == sequence).values(**EDITS[column]))
            _rewrite(tx, lived, since=sequence)
            with pytest.raises(AnchorInvalid, match="another head"):
                _examine_within(tx, lived)


# --- the table of what a forger tries --------------------------------------------------------------------


def _delete(tx: Connection, core: Core, first: int, last: int) -> None:
    tx.execute(
        text("DELETE FROM audit WHERE sequence BETWEEN :first AND :last"), {"first": first, "last": last}
    )


def _a_row_is_deleted(tx: Connection, core: Core, head: int) -> None:
    _delete(tx, core, head - 7, head - 7)


def _a_row_is_deleted_and_the_rest_moved_up(tx: Connection, core: Core, head: int) -> None:
    _delete(tx, core, head - 7, head - 7)
    for sequence in range(head - 6, head + 1):
        tx.execute(update(entries).where(entries.c.sequence == sequence).values(sequence=sequence - 1))
    _rewrite(tx, core, since=head - 7)


def _the_beginning_is_cut_off(tx: Connection, core: Core, head: int) -> None:
    _delete(tx, core, 1, 3)


def _the_end_is_cut_off_and_its_anchor_stays(tx: Connection, core: Core, head: int) -> None:
    _delete(tx, core, head - 2, head)


def _everything_is_deleted_and_the_anchors_stay(tx: Connection, core: Core, head: int) -> None:
    _delete(tx, core, 1, head)


def _two_rows_change_places(tx: Connection, core: Core, head: int) -> None:
    for old, new in ((head - 7, 0), (head - 6, head - 7), (0, head - 6)):
        tx.execute(update(entries).where(entries.c.sequence == old).values(sequence=new))


def _two_rows_change_places_and_the_chain_is_made_whole(tx: Connection, core: Core, head: int) -> None:
    _two_rows_change_places(tx, core, head)
    _rewrite(tx, core, since=head - 7)


def _a_row_is_slipped_in(tx: Connection, core: Core, head: int) -> None:
    for sequence in range(head, head - 7, -1):
        tx.execute(update(entries).where(entries.c.sequence == sequence).values(sequence=sequence + 1))
    tx.execute(
        insert(entries).values(
            sequence=head - 6, at="2026-06-02T00:00:00.000000Z", actor="x", action="x", subject="x",
            facts="{}", previous=bytes(32), hash=bytes(32),
        )
    )  # fmt: skip
    _rewrite(tx, core, since=head - 6)


def _an_anchor_is_of_another_hash(tx: Connection, core: Core, head: int) -> None:
    tx.execute(update(anchors).where(anchors.c.sequence == head).values(hash=bytes(32)))


def _an_anchor_moves_to_another_entry(tx: Connection, core: Core, head: int) -> None:
    tx.execute(update(anchors).where(anchors.c.sequence == head).values(sequence=head - 1))


def _an_anchor_has_the_token_of_another(tx: Connection, core: Core, head: int) -> None:
    other = tx.scalar(select(anchors.c.token).where(anchors.c.sequence == head - 5))
    tx.execute(update(anchors).where(anchors.c.sequence == head).values(token=other))


def _an_anchor_has_a_token_with_one_bit_turned(tx: Connection, core: Core, head: int) -> None:
    token = bytearray(tx.scalar(select(anchors.c.token).where(anchors.c.sequence == head)) or b"")
    token[-5] ^= 1
    tx.execute(update(anchors).where(anchors.c.sequence == head).values(token=bytes(token)))


def _an_anchor_has_no_token(tx: Connection, core: Core, head: int) -> None:
    tx.execute(update(anchors).where(anchors.c.sequence == head).values(token=b""))


BREAKS: list[Callable[[Connection, Core, int], None]] = [
    _a_row_is_deleted,
    _a_row_is_deleted_and_the_rest_moved_up,
    _the_beginning_is_cut_off,
    _the_end_is_cut_off_and_its_anchor_stays,
    _everything_is_deleted_and_the_anchors_stay,
    _two_rows_change_places,
    _two_rows_change_places_and_the_chain_is_made_whole,
    _a_row_is_slipped_in,
    _an_anchor_is_of_another_hash,
    _an_anchor_moves_to_another_entry,
    _an_anchor_has_the_token_of_another,
    _an_anchor_has_a_token_with_one_bit_turned,
    _an_anchor_has_no_token,
]


def test_the_trail_is_broken_whatever_a_forger_tries(lived: Core, subtests: pytest.Subtests) -> None:
    _disarm(lived)
    for forge in BREAKS:
        with subtests.test(forge.__name__.strip("_")), _undone(lived) as tx:
            forge(tx, lived, _head(lived).sequence)
            with pytest.raises(AuditChainBroken):
                _examine_within(tx, lived)


def test_a_trail_cut_short_together_with_its_anchors_ends_before_the_head_that_was_written_down(
    lived: Core,
) -> None:
    noted = _head(lived)
    _disarm(lived)
    with lived.database.begin() as tx:
        _delete(tx, lived, noted.sequence - 4, noted.sequence)
        tx.execute(text("DELETE FROM audit_anchors WHERE sequence = :last"), {"last": noted.sequence})
    assert _examine(lived).doubts == []  # inside the system nothing is left that knows
    with pytest.raises(AuditChainBroken, match="ends before"):
        _examine(lived, noted=(noted,))


def test_a_trail_written_anew_with_its_anchors_removed_is_vouched_for_by_nobody(lived: Core) -> None:
    _disarm(lived)
    with lived.database.begin() as tx:
        _rewrite_from_the_first(tx, lived)
        tx.execute(text("DELETE FROM audit_anchors"))
    found = _examine(lived)
    assert found.last is None
    assert "vouched for by nobody" in found.doubts[0]


def test_a_trail_written_anew_and_stamped_anew_by_our_own_unit_shows_that_it_was_stamped_late(
    lived: Core,
) -> None:
    _disarm(lived)
    with lived.database.begin() as tx:
        _rewrite_from_the_first(tx, lived)
        tx.execute(text("DELETE FROM audit_anchors"))
    assert lived.anchors.make() is not None
    found = _examine(lived)
    assert found.unanchored == 0
    assert "only 3 days after" in found.doubts[0]


def _rewrite_from_the_first(tx: Connection, core: Core) -> None:
    tx.execute(update(entries).where(entries.c.sequence == 2).values(actor="somebody-else"))
    _rewrite(tx, core, since=2)


def test_an_entry_that_claims_to_be_younger_than_its_time_stamp_is_doubted(
    lived: Core, clock: FrozenClock
) -> None:
    clock.advance(DAY)
    _write(lived, 1)
    clock.advance(-DAY / 2)
    lived.anchors.make()
    assert any("after the time at which it was stamped" in words for words in _examine(lived).doubts)


def test_a_time_stamp_counts_only_under_a_root_that_is_trusted(lived: Core) -> None:
    with (
        lived.database.read() as tx,
        pytest.raises(AnchorInvalid, match="not to be trusted"),
    ):
        examine(
            merged(lived.audit.entries(tx), AnchorRows(tx).all()),
            trust=TrustStore(anchors=()),
            now=lived.clock(),
        )


# --- when anchors are made -------------------------------------------------------------------------------


def test_upkeep_anchors_every_hour_while_the_trail_grows(core: Core, clock: FrozenClock) -> None:
    core.anchors.make()
    assert core.anchors.make_due() is None
    _write(core, 1)
    assert core.anchors.make_due() is None  # a document may wait
    clock.advance(timedelta(minutes=core.settings.audit.anchor_minutes))
    assert core.anchors.make_due() is not None
    clock.advance(DAY)
    assert core.anchors.make_due() is None  # nothing new to vouch for


def test_every_act_on_a_key_is_anchored_before_and_after(core: Core, clock: FrozenClock) -> None:
    core.anchors.make()
    _write(core, 1)
    before = _head(core)
    key = core.keys.generate(KeyPurpose.SEAL, KeyAlgorithm.EC_P256, "dinas")
    after = _head(core)
    core.keys.activate(key.id)
    with core.database.read() as tx:
        anchored = [anchor.head for anchor in AnchorRows(tx).all()]
    assert anchored[-3:] == [before, after, _head(core)]


def test_an_act_on_a_key_waits_for_no_witness_and_upkeep_anchors_it_later(
    core: Core, clock: FrozenClock
) -> None:
    core.anchors.make()
    unit = core.keys.newest(KeyPurpose.TIMESTAMPING)
    core.keys.suspend(unit.id)  # nobody can stamp any more
    acted = _head(core)
    with core.database.read() as tx:
        newest = AnchorRows(tx).newest()
    assert newest is not None
    assert newest.head.sequence < acted.sequence
    core.keys.reinstate(unit.id)
    assert _examine(core).unanchored == 0


def test_the_metrics_tell_for_how_long_nobody_has_vouched(core: Core, clock: FrozenClock) -> None:
    core.anchors.make()
    assert [reading.value for reading in core.anchors.readings()] == [0]
    _write(core, 1)
    clock.advance(timedelta(hours=2))
    _write(core, 1)
    assert [reading.value for reading in core.anchors.readings()] == [7200]


# --- the file --------------------------------------------------------------------------------------------


@pytest.fixture
def exported(lived: Core, tmp_path: Path) -> Path:
    path = tmp_path / "trail.jsonl"
    with lived.database.read() as tx:
        export_to(path, merged(lived.audit.entries(tx), AnchorRows(tx).all()), now=lived.clock())
    return path


def _examine_file(path: Path, core: Core, *, noted: tuple[ChainHead, ...] = ()) -> Examination:
    with path.open("rb") as file:
        return examine(read_trail(file, path.name), trust=core.trust(), now=core.clock(), noted=noted)


def test_an_export_says_exactly_what_the_database_says(lived: Core, exported: Path) -> None:
    assert _examine_file(exported, lived, noted=(_head(lived),)) == _examine(lived)


@pytest.mark.either_database
def test_every_line_of_an_export_counts(lived: Core, exported: Path, tmp_path: Path) -> None:
    lines = exported.read_bytes().splitlines(keepends=True)
    for number in range(len(lines)):
        is_stamp = b'"anchored"' in lines[number]
        for name, changed in {
            "removed": [*lines[:number], *lines[number + 1 :]],
            "twice": [*lines[: number + 1], *lines[number:]],
            "moved": [*lines[:number], *lines[number + 1 : number + 2], lines[number], *lines[number + 2 :]],
        }.items():
            if changed == lines or (is_stamp and name == "removed"):
                continue  # a stamp that was left out shows as days without one, or as entries without any
            (tmp_path / name).write_bytes(b"".join(changed))
            with pytest.raises((AuditChainBroken, AuditFileInvalid)):
                _examine_file(tmp_path / name, lived)


@pytest.mark.either_database
def test_an_export_cut_off_anywhere_is_no_export(exported: Path, tmp_path: Path) -> None:
    whole = exported.read_bytes()
    for end in range(0, len(whole), 97):
        (tmp_path / "cut").write_bytes(whole[:end])
        with pytest.raises(AuditFileInvalid), (tmp_path / "cut").open("rb") as file:
            list(read_trail(file, "cut"))


HOSTILE = [
    b"\n", b"null\n", b"[]\n", b"{}\n", b"{\n", b'"x"\n', b"1e999\n", b"[" * 100_000 + b"\n",
    b'{"head": true, "hash": "' + b"0" * 64 + b'"}\n',
    b'{"head": -1, "hash": "' + b"0" * 64 + b'"}\n',
    b'{"head": 1, "hash": "' + b"A" * 64 + b'"}\n',
    b'{"anchored": 1, "hash": "' + b"0" * 64 + b'", "at": "2026-06-01", "token": ""}\n',
    b'{"anchored": 1, "hash": "' + b"0" * 64 + b'", "at": "x", "token": "!"}\n',
    b"\xff\xfe\n", b"x" * (1 << 20) + b"\n",
]  # fmt: skip


@pytest.mark.either_database
def test_hostile_lines_are_refused_with_their_number(exported: Path, subtests: pytest.Subtests) -> None:
    lines = exported.read_bytes().splitlines(keepends=True)
    for line in HOSTILE:
        with subtests.test(line=line[:40]), pytest.raises(AuditFileInvalid, match="line 2 "):
            list(read_trail(BytesIO(b"".join([lines[0], line, *lines[1:]])), "hostile"))


@pytest.mark.either_database
def test_hidden_fields_and_second_spellings_are_refused(lived: Core, exported: Path, tmp_path: Path) -> None:
    lines = exported.read_bytes().splitlines(keepends=True)
    entry = json.loads(lines[1])
    for values in (entry | {"note": "x"}, dict(reversed(entry.items())), entry | {"sequence": 1.0}):
        (tmp_path / "odd").write_bytes(b"".join([lines[0], json.dumps(values).encode() + b"\n", *lines[2:]]))
        with pytest.raises(AuditFileInvalid, match="line 2 "):
            _examine_file(tmp_path / "odd", lived)


@requires("openssl")
def test_another_program_confirms_the_time_stamp_over_a_head(lived: Core, tmp_path: Path) -> None:
    with lived.database.read() as tx:
        newest = AnchorRows(tx).newest()
    assert newest is not None
    (tmp_path / "head").write_bytes(newest.head.stamped)
    assert newest.head.stamped == f"absah audit {newest.head.sequence}:{newest.head.hash.hex()}\n".encode()
    (tmp_path / "token").write_bytes(newest.token)
    for record in ("root-1", "issuing-1"):
        der = next(c for c in _published(lived) if c[0] == record)[1]
        (tmp_path / f"{record}.crt").write_bytes(der)
        subprocess.run(
            [tool_path("openssl"), "x509", "-inform", "DER", "-in", tmp_path / f"{record}.crt",
             "-out", tmp_path / f"{record}.pem"], check=True,
        )  # fmt: skip
    said = subprocess.run(
        [
            *(tool_path("openssl"), "ts", "-verify", "-data", tmp_path / "head", "-in", tmp_path / "token"),
            *("-token_in", "-CAfile", tmp_path / "root-1.pem", "-untrusted", tmp_path / "issuing-1.pem"),
            *("-attime", str(int(newest.at.timestamp()))),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stdout.strip().endswith("OK"), said.stdout + said.stderr


def _published(core: Core) -> list[tuple[str, bytes]]:
    from app.register import read_published_trust

    return [(record.name, record.der) for record in read_published_trust(core.database.read).certificates]


def test_the_hash_of_an_entry_is_what_the_documents_say() -> None:
    entry = AuditEntry(1, "2026-06-01T03:00:00.000000Z", "a", "b", "c", "{}", bytes(32), b"")
    spelled = '[1,"2026-06-01T03:00:00.000000Z","a","b","c","{}","' + "0" * 64 + '"]'
    assert entry.computed_hash() == hashlib.sha256(spelled.encode()).digest()


def test_an_anchor_out_of_the_blue_is_not_believed(lived: Core) -> None:
    """A stamp of the empty beginning, by our own unit: there is nothing that it could stand behind."""
    token = lived.tsa.token(hashlib.sha256(ChainHead(0, GENESIS).stamped).digest())
    anchor = Anchor(ChainHead(0, GENESIS), lived.clock(), token)
    with pytest.raises(AnchorInvalid):
        examine([anchor], trust=lived.trust(), now=lived.clock())


def test_offline_the_trust_folder_is_enough(lived: Core, exported: Path, tmp_path: Path) -> None:
    from app.provisioning import publish_trust

    publish_trust(lived)
    trust = read_trust_folder(lived.settings.trust_dir)
    lived.database.close()
    with exported.open("rb") as file:
        found = examine(read_trail(file, "trail"), trust=trust, now=lived.clock())
    assert found.stamps > 4
    assert not found.unanchored


def test_the_database_refuses_to_change_what_vouches_for_the_past(
    lived: Core, subtests: pytest.Subtests
) -> None:
    with lived.database.read() as tx:
        before = list(AnchorRows(tx).all())
    for statement in (
        "UPDATE audit_anchors SET token = token",
        "DELETE FROM audit_anchors",
        "INSERT OR REPLACE INTO audit_anchors SELECT * FROM audit_anchors"
        if lived.database.is_sqlite
        else "TRUNCATE audit_anchors",
    ):
        with subtests.test(statement):
            with pytest.raises(DBAPIError, match="append-only"), lived.database.begin() as tx:
                tx.execute(text(statement))
            with lived.database.read() as tx:
                assert list(AnchorRows(tx).all()) == before
