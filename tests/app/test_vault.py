"""The vault of a running service: its keys, its place inside transactions, and its upkeep."""

from __future__ import annotations

import ast
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app import upkeep
from app.custody import rotate_wrapping_key
from app.provisioning import complete_hierarchy
from app.vault import PURPOSES
from app.wiring import Core, build_core
from keys import custodianship
from keys.envelope import FINGERPRINT
from keys.errors import DataKeyMissing
from keys.model import KeyPurpose, KeyState
from tests.support.clock import FrozenClock
from tests.support.needs import ROOT


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_process_that_has_opened_nothing_seals_and_opens_inside_an_open_transaction(
    core: Core, purpose: str
) -> None:
    """On SQLite a second writer would wait for the first one for ever: using keys only reads."""
    with ExitStack() as closing:
        fresh = build_core(core.settings, closing=closing, clock=core.clock)
        with fresh.database.begin() as tx:
            tx.execute(text("UPDATE agencies SET name = name"))
            sealed = fresh.vault.seal(purpose, b"3273010101900001", context="row")
            assert fresh.vault.open(purpose, sealed, context="row") == b"3273010101900001"
            assert len(fresh.vault.fingerprint(purpose, "x")) == 32
    assert core.vault.open(purpose, sealed, context="row") == b"3273010101900001"


def test_init_makes_every_data_key_once(core: Core) -> None:
    made = core.envelope.list()
    assert {key.purpose for key in made} == {FINGERPRINT, *PURPOSES}
    assert {key.version for key in made} == {1}
    complete_hierarchy(core, actor="test")
    assert core.envelope.list() == made


def test_an_update_that_brings_a_purpose_gets_its_key_from_upkeep(core: Core) -> None:
    with core.database.begin() as tx:
        tx.execute(text("DELETE FROM data_keys WHERE purpose = 'totp'"))
    with ExitStack() as closing:
        fresh = build_core(core.settings, closing=closing, clock=core.clock)
        with pytest.raises(DataKeyMissing, match="absah init"):
            fresh.vault.seal("totp", b"x", context="row")
        assert upkeep.run_once(fresh) == 0
        fresh.vault.seal("totp", b"x", context="row")


def test_upkeep_rotates_data_keys_that_are_old_and_finishes_an_interrupted_move(
    core: Core, clock: FrozenClock
) -> None:
    sealed = core.vault.seal("person", b"x", context="row")
    clock.advance(timedelta(days=core.settings.keys.data_key_days, seconds=1))
    core.envelope.rotate_due(timedelta(days=core.settings.keys.data_key_days))
    new = core.keys.generate(KeyPurpose.WRAPPING, core.keys.newest(KeyPurpose.WRAPPING).algorithm)
    core.keys.activate(new.id)  # and here the process that rotated the wrapping key died
    assert {key.wrapping_key for key in core.envelope.list()} != {new.id}
    assert core.envelope.rewrap() == 2 * len(PURPOSES) + 1
    assert {key.wrapping_key for key in core.envelope.list()} == {new.id}
    assert core.vault.open("person", sealed, context="row") == b"x"


def test_a_rotated_wrapping_key_can_be_destroyed_and_everything_still_opens(core: Core) -> None:
    sealed, old = core.vault.seal("person", b"x", context="row"), core.keys.newest(KeyPurpose.WRAPPING)
    rotate_wrapping_key(core.keys, core.envelope, actor="custodian")
    assert core.keys.destroy(old.id, actor="custodian").state is KeyState.DESTROYED
    with ExitStack() as closing:
        fresh = build_core(core.settings, closing=closing, clock=core.clock)
        assert fresh.vault.open("person", sealed, context="row") == b"x"


def test_every_purpose_that_something_is_sealed_for_has_a_data_key() -> None:
    """A purpose that nobody declared would fail for the first person who meets it."""
    named = {custodianship.SEAL}
    for file in (ROOT / "identity").rglob("*.py"):
        named |= _sealed_purposes(file)
    assert named == set(PURPOSES)


def _sealed_purposes(file: Path) -> set[str]:
    """First arguments of ``….seal(…)`` and ``….open(…)`` with a context, constants of the module resolved."""
    tree = ast.parse(file.read_text())
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in ([node.target] if isinstance(node, ast.AnnAssign) else node.targets)
        if isinstance(target, ast.Name)
    }
    found = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in {"seal", "open"}:
            continue
        if "context" not in {keyword.arg for keyword in call.keywords} or not call.args:
            continue
        purpose = call.args[0]
        value = purpose.value if isinstance(purpose, ast.Constant) else constants[ast.unparse(purpose)]
        assert isinstance(value, str)
        found.add(value)
    return found
